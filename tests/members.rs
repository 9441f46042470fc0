//! Who is in, who is out, and by whose word, with the real program.

use serde_json::Value;

use crate::program::{Home, Running, free_address, json};
use crate::second_reader::conversation::Conversation;

/// A replica that serves, so that others can sync with it, while it does.
fn serve(home: &Home, at: &str) -> Running {
    let mut serving = home.start(&["serve", "--json", "--listen", at]);
    serving.wait("listening", |line| line["type"] == "listening");
    serving
}

/// Who is let in by `ann`, having synced once with her.
fn let_in(ann: &Home, at: &str, homes: &[&Home]) {
    let ticket = ann.invite();
    let mut serving = serve(ann, at);
    for home in homes {
        home.ok(&["join", &ticket, "--peer", at]);
        home.ok(&["sync", "--peer", at]);
    }
    assert_eq!(serving.terminate(), Some(0));
}

fn sync(ann: &Home, at: &str, homes: &[&Home]) {
    let mut serving = serve(ann, at);
    homes.iter().for_each(|home| drop(home.ok(&["sync", "--peer", at])));
    assert_eq!(serving.terminate(), Some(0));
}

fn role(home: &Home, nick: &str) -> String {
    let members = home.ok(&["members", "--json"]);
    let member = members.lines().map(json).find(|member| member["nick"] == nick);
    member.expect("somebody of that name")["role"].as_str().unwrap().to_owned()
}

#[test]
fn a_kicked_member_is_told_and_gets_nothing_new() {
    let (ann, bob, carol) = (Home::new("ann"), Home::new("bob"), Home::new("carol"));
    let at = free_address();
    let_in(&ann, &at, &[&bob, &carol]);
    bob.send("before");
    sync(&ann, &at, &[&bob, &carol]);
    assert!(carol.fails(5, &["kick", "bob"]).contains("only an admin"));
    ann.ok(&["kick", "bob"]);
    ann.send("not for bob");
    bob.send("written unaware");
    let another = ann.invite();
    {
        let mut serving = serve(&ann, &at);
        carol.ok(&["sync", "--peer", &at]);
        for args in [&["sync", "--peer", &at][..], &["sync", "--peer", &another, "--peer", &at]] {
            assert!(bob.fails(5, args).contains("ann removed you"), "no ticket leads back");
        }
        let joined = bob.run(&["join", &another, "--peer", &at]);
        assert!(String::from_utf8_lossy(&joined.stderr).contains("ann removed you"), "{joined:?}");
        assert_eq!(serving.terminate(), Some(0));
    }
    assert_eq!(bob.texts(), ["before", "written unaware"]);
    for home in [&ann, &carol] {
        assert_eq!(home.texts(), ["before", "not for bob"]);
        assert_eq!(
            (role(home, "ann"), role(home, "bob"), role(home, "carol")),
            roles("admin", "removed", "member")
        );
    }
    assert_eq!(ann.digest(), carol.digest());

    assert!(carol.fails(5, &["readmit", "bob"]).contains("only an admin"));
    assert!(ann.fails(1, &["readmit", "carol"]).contains("a member already"));
    ann.ok(&["readmit", "bob"]);
    sync(&ann, &at, &[&bob, &carol]);
    // What he wrote meanwhile is kept by everyone, and folded.
    for home in [&ann, &bob, &carol] {
        let shown = home.ok(&["log"]);
        assert!(
            shown.contains("not for bob") && shown.contains("folded") && !shown.contains("unaware"),
            "{shown}"
        );
        assert!(
            home.log().lines().map(json).any(|row| row["text"] == "written unaware" && row["folded"] == true)
        );
        assert_eq!(role(home, "bob"), "member");
    }
    assert_eq!(ann.log(), bob.log());
}

#[test]
fn what_a_removed_member_pipes_in_is_refused_as_what_they_send() {
    let (ann, bob) = (Home::new("ann"), Home::new("bob"));
    let at = free_address();
    let_in(&ann, &at, &[&bob]);
    ann.ok(&["kick", "bob"]);
    let file = ann.path().with_file_name("bundle");
    let file = file.to_str().unwrap();
    ann.ok(&["export", "--format", "bundle", file]);
    bob.ok(&["import", file]);
    bob.fails(5, &["--offline", "send", "in vain"]);
    let piped = bob.run_with(&["-q", "--offline"], "in vain\nonce more\n");
    let told = String::from_utf8(piped.stderr).unwrap();
    assert_eq!(piped.status.code(), Some(5), "{told}");
    assert_eq!(told.matches("not sent").count(), 1, "{told}");
    assert!(bob.texts().is_empty());
}

fn roles(ann: &str, bob: &str, carol: &str) -> (String, String, String) {
    (ann.to_owned(), bob.to_owned(), carol.to_owned())
}

#[test]
fn an_admin_is_made_and_goes_on_where_the_first_one_is_away() {
    let (ann, bob, carol) = (Home::new("ann"), Home::new("bob"), Home::new("carol"));
    let at = free_address();
    let_in(&ann, &at, &[&bob, &carol]);
    ann.ok(&["promote", "bob"]);
    assert!(ann.fails(1, &["promote", "bob"]).contains("an admin already"));
    sync(&ann, &at, &[&bob]);
    assert!(bob.fails(5, &["kick", "ann"]).contains("higher rank"));
    assert!(bob.fails(1, &["kick", "nobody"]).contains("nobody here is called"));
    bob.ok(&["kick", "carol"]);
    sync(&ann, &at, &[&bob]);
    assert_eq!(
        (role(&ann, "ann"), role(&ann, "bob"), role(&ann, "carol")),
        roles("admin", "admin", "removed")
    );
}

#[test]
fn a_leaked_ticket_is_worth_nothing_once_it_is_taken_back() {
    let (ann, eve) = (Home::new("ann"), Home::new("eve"));
    let at = free_address();
    let ticket = ann.invite();
    assert!(ann.ok(&["revoke"]).contains("used 0 times"));
    ann.ok(&["revoke", &ticket]);
    assert_eq!(ann.ok(&["revoke"]), "");
    assert!(ann.fails(1, &["revoke", &ticket]).contains("no such invite"));
    let mut serving = serve(&ann, &at);
    assert!(eve.fails(5, &["join", &ticket, "--peer", &at]).contains("taken back"));
    assert_eq!(serving.terminate(), Some(0));
    assert_eq!(eve.texts(), Vec::<String>::new());
}

#[test]
fn who_leaves_is_out_for_everyone() {
    let (ann, bob) = (Home::new("ann"), Home::new("bob"));
    let at = free_address();
    let_in(&ann, &at, &[&bob]);
    bob.send("bye");
    bob.ok(&["leave"]);
    sync(&ann, &at, &[&bob]);
    assert_eq!(role(&ann, "bob"), "left");
    assert_eq!(ann.texts(), ["bye"]);
    assert!(bob.fails(5, &["kick", "ann"]).contains("admin"));
}

#[test]
fn a_blocked_person_is_folded_in_one_home_only() {
    let (ann, bob) = (Home::new("ann"), Home::new("bob"));
    let at = free_address();
    let_in(&ann, &at, &[&bob]);
    bob.send("buy my stuff");
    sync(&ann, &at, &[&bob]);
    let digest = ann.digest();
    ann.ok(&["block", "bob"]);
    assert!(!ann.ok(&["log"]).contains("buy my stuff"));
    assert!(bob.ok(&["log"]).contains("buy my stuff"));
    assert_eq!((ann.log(), ann.digest()), (bob.log(), digest), "for scripts and peers nothing changes");
    ann.ok(&["unblock", "bob"]);
    assert!(ann.ok(&["log"]).contains("buy my stuff"));
}

#[test]
fn the_topic_is_what_a_member_said_last_in_order_for_everybody() {
    let (ann, bob) = (Home::new("ann"), Home::new("bob"));
    let at = free_address();
    let topic = |home: &Home| home.status()["topic"].clone();
    ann.send("hungry?");
    ann.ok(&["topic", "lunch", "on Monday"]);
    assert_eq!(ann.ok(&["topic"]), "lunch on Monday\n");
    let_in(&ann, &at, &[&bob]);
    assert_eq!(topic(&bob), "lunch on Monday");
    bob.ok(&["--offline", "topic", "dinner"]);
    sync(&ann, &at, &[&bob]);
    assert_eq!((topic(&ann), topic(&bob)), ("dinner".into(), "dinner".into()));
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("bundle");
    let bundle = |home: &Home| {
        std::fs::remove_file(&file).ok();
        home.ok(&["export", "--format", "bundle", file.to_str().unwrap()]);
        std::fs::read(&file).unwrap()
    };
    assert_eq!(Conversation::of_bundle(&bundle(&ann)).unwrap().topic(), Some("dinner"));

    // What somebody says who is removed and does not know it is valid, and does not count.
    ann.ok(&["kick", "bob"]);
    bob.ok(&["--offline", "topic", "all mine"]);
    bundle(&bob);
    ann.ok(&["import", file.to_str().unwrap()]);
    assert_eq!((topic(&ann), topic(&bob)), ("dinner".into(), "all mine".into()));
    ann.ok(&["topic", "--remove"]);
    assert_eq!(topic(&ann), Value::Null);
    assert!(ann.fails(2, &["topic", &"x".repeat(513)]).contains("512 bytes"));
}
