//! People talking: started in any order, in a line, at each other.

use std::time::Duration;

use crate::program::{Home, Running, free_address};

/// Two chats that are in one room, by ticket.
fn two() -> ((Home, Running), (Home, Running)) {
    let (ann, bob) = (Home::new("ann"), Home::new("bob"));
    let ticket = ann.invite();
    let at = free_address();
    let in_ann = ann.chat(&at, &[]);
    let in_bob = bob.chat("127.0.0.1:0", &["--peer", &ticket, "--peer", &at]);
    ((ann, in_ann), (bob, in_bob))
}

#[test]
fn two_people_talk_and_each_line_comes_once() {
    let ((_ann, mut in_ann), (_bob, mut in_bob)) = two();
    in_ann.say("hello bob");
    in_bob.reads("hello bob");
    in_bob.say("hello ann");
    in_ann.reads("hello ann");
    for number in 0..50 {
        in_ann.say(&format!("a{number}"));
        in_bob.say(&format!("b{number}"));
    }
    for number in 0..50 {
        in_bob.reads(&format!("a{number}"));
        in_ann.reads(&format!("b{number}"));
    }
    for chat in [&in_ann, &in_bob] {
        let mut texts = chat.texts();
        texts.sort_unstable();
        let all = texts.len();
        texts.dedup();
        assert_eq!(texts.len(), all, "a line was shown twice");
    }
    assert_eq!(in_bob.finish(), Some(0));
    assert_eq!(in_ann.finish(), Some(0));
}

#[test]
fn nobody_has_to_be_up_first() {
    let (ann, bob) = (Home::new("ann"), Home::new("bob"));
    let ticket = ann.invite();
    let at = free_address();
    let mut in_bob = bob.chat("127.0.0.1:0", &["--peer", &ticket, "--peer", &at]);
    in_bob.say("is anybody there?");
    in_bob.wait("the draft", |line| line["type"] == "draft");
    let mut in_ann = ann.chat(&at, &[]);
    in_ann.reads("is anybody there?");
    in_ann.say("now I am");
    in_bob.reads("now I am");
}

#[test]
fn three_in_a_line_all_read_all() {
    let (ann, bob, carol) = (Home::new("ann"), Home::new("bob"), Home::new("carol"));
    let (first, second) = (bob.invite(), bob.invite());
    let at = free_address();
    let mut in_ann = ann.chat("127.0.0.1:0", &["--peer", &first, "--peer", &at]);
    let mut in_carol = carol.chat("127.0.0.1:0", &["--peer", &second, "--peer", &at]);
    let mut in_bob = bob.chat(&at, &[]);
    in_ann.say("from ann");
    in_bob.say("from bob");
    in_carol.say("from carol");
    for chat in [&mut in_ann, &mut in_bob, &mut in_carol] {
        for text in ["from ann", "from bob", "from carol"] {
            chat.reads(text);
        }
    }
}

#[test]
fn a_line_that_looks_like_a_registration_is_a_line_and_both_dialling_makes_one_member_each() {
    let (ann, bob) = (Home::new("ann"), Home::new("bob"));
    let ticket = ann.invite();
    let (at_ann, at_bob) = (free_address(), free_address());
    let mut in_ann = ann.chat(&at_ann, &["--peer", &at_bob]);
    let mut in_bob = bob.chat(&at_bob, &["--peer", &ticket, "--peer", &at_ann]);
    let lines = [
        "REGISTER bob",
        "/nick bob",
        r#"{"v":1,"type":"hello","author":"0000","nick":"bob"}"#,
        "bob joined",
        "is called ann",
        "\u{1}HELLO\u{0}bob",
    ];
    for line in lines {
        in_bob.say(line);
        in_ann.reads(line);
    }
    assert_eq!(in_bob.finish(), Some(0));
    assert_eq!(in_ann.finish(), Some(0));
    for home in [&ann, &bob] {
        let status = home.status();
        let mut names: Vec<&str> = status["members"]
            .as_array()
            .unwrap()
            .iter()
            .map(|member| member["nick"].as_str().unwrap())
            .collect();
        names.sort_unstable();
        assert_eq!(names, ["ann", "bob"], "{status}");
        assert_eq!(home.texts(), lines);
    }
}

#[test]
fn two_who_each_tried_it_alone_end_up_in_one_room() {
    let (ann, bob) = (Home::new("ann"), Home::new("bob"));
    ann.send("ann alone");
    bob.send("bob alone");
    let at = free_address();
    let mut in_ann = ann.chat(&at, &["--open"]);
    let mut in_bob = bob.chat("127.0.0.1:0", &["--peer", &at]);
    in_bob.say("together");
    // Whose room is kept depends on their keys; what either wrote before they met stayed in the other one.
    let together = (0..50).any(|number| {
        let line = format!("do you hear me? {number}");
        in_ann.say(&line);
        in_bob.hears(&line, Duration::from_secs(1))
    });
    assert!(together, "they never met");
    assert_eq!(in_bob.finish(), Some(0));
    assert_eq!(in_ann.finish(), Some(0));
    assert_eq!(ann.status()["room"]["id"], bob.status()["room"]["id"]);
    assert_eq!(ann.digest(), bob.digest());
}

#[test]
fn whoever_moves_into_the_others_room_is_waited_for() {
    // Their keys decide who moves.
    for _ in 0..6 {
        let (ann, bob) = (Home::new("ann"), Home::new("bob"));
        let at = free_address();
        let mut in_ann = ann.chat(&at, &["--open"]);
        let mut in_bob = bob.chat("127.0.0.1:0", &["--peer", &at]);
        in_bob.say("hello");
        in_ann.reads("hello");
        in_ann.say("welcome");
        in_bob.reads("welcome");
        assert_eq!(in_bob.finish(), Some(0));
        assert_eq!(in_ann.finish(), Some(0));
    }
}

#[test]
fn two_homes_with_one_key_are_one_member() {
    let (first, second) = (Home::new("ann"), Home::new("ann"));
    let ticket = first.invite();
    std::fs::create_dir_all(second.path()).unwrap();
    std::fs::copy(first.path().join("identity"), second.path().join("identity")).unwrap();
    let at = free_address();
    let mut at_home = first.chat(&at, &[]);
    let mut on_the_train = second.chat("127.0.0.1:0", &["--peer", &ticket, "--peer", &at]);
    at_home.say("from home");
    on_the_train.reads("from home");
    on_the_train.say("from the train");
    at_home.reads("from the train");
    assert_eq!(on_the_train.finish(), Some(0));
    assert_eq!(at_home.finish(), Some(0));
    assert_eq!(first.digest(), second.digest());
    assert_eq!(first.status()["members"].as_array().unwrap().len(), 1);
}
