//! One home, many processes: others of the same user work through the one that has it open.

use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::os::unix::process::CommandExt as _;
use std::process::{Child, Stdio};
use std::time::Duration;

use rustix::process::Signal;
use serde_json::Value;

use crate::program::{Home, Running, describe, free_address, json, say};

/// A replica that only serves, and where.
fn serve(home: &Home) -> (Running, String) {
    let mut serving = home.start(&["--json", "--listen", "127.0.0.1:0", "serve"]);
    let line = serving.wait("listening", |line| line["type"] == "listening");
    let at = line["addr"].as_str().unwrap().to_owned();
    (serving, at)
}

/// A chat that has the home open by the time this returns.
fn chat(home: &Home) -> Running {
    let mut chat = home.chat("127.0.0.1:0", &[]);
    chat.say("the chat is open");
    chat.reads("the chat is open");
    chat
}

#[test]
fn a_script_sends_beside_an_open_chat() {
    let ann = Home::new("ann");
    let mut chat = chat(&ann);
    let id = ann.send("from a script");
    assert_eq!(chat.reads("from a script")["id"], id.as_str());
    assert_eq!(ann.texts(), ["the chat is open", "from a script"]);
    assert_eq!(chat.finish(), Some(0));
    assert_eq!(ann.texts(), ["the chat is open", "from a script"]);
}

#[test]
fn two_chats_in_one_home_read_each_other() {
    let ann = Home::new("ann");
    let (mut one, mut other) = (chat(&ann), ann.chat("127.0.0.1:0", &[]));
    other.say("from the second");
    let id = other.reads("from the second")["id"].clone();
    assert_eq!(one.reads("from the second")["id"], id);
    one.say("from the first");
    other.reads("from the first");
    // The second goes on without the first.
    assert_eq!(one.finish(), Some(0));
    other.say("alone now");
    other.reads("alone now");
    assert_eq!(other.finish(), Some(0));
    let texts = ["the chat is open", "from the second", "from the first", "alone now"];
    assert_eq!(ann.texts(), texts);
    ann.verify();
}

/// What a subcommand printed, without what differs while peers come and go.
fn said(home: &Home, args: &[&str]) -> Value {
    let lines = home.ok(args);
    let mut lines: Vec<Value> = lines.lines().map(json).collect();
    for line in &mut lines {
        line.as_object_mut().unwrap().remove("peers");
    }
    Value::from(lines)
}

#[test]
fn whoever_reads_beside_a_server_reads_the_same_as_alone() {
    let ann = Home::new("ann");
    ann.send("one");
    ann.send("two");
    let reading: [&[&str]; 6] = [
        &["--json", "log", "--all"],
        &["--json", "status"],
        &["--json", "members"],
        &["--json", "whoami"],
        &["--json", "verify"],
        &["--json", "peers"],
    ];
    let export = ann.run(&["export", "-"]).stdout;
    let alone = reading.map(|args| said(&ann, args));
    let (mut serving, _) = serve(&ann);
    let beside = reading.map(|args| said(&ann, args));
    assert_eq!(alone[..4], beside[..4]);
    assert_eq!(alone[4][0]["digest"], beside[4][0]["digest"]);
    assert_eq!(alone[5], beside[5]);
    assert_eq!(ann.run(&["export", "-"]).stdout, export);
    ann.ok(&["block", "ann"]);
    ann.ok(&["--json", "doctor"]);
    assert_eq!(serving.terminate(), Some(0));
}

#[test]
fn a_ticket_made_beside_a_server_names_where_it_listens() {
    let (ann, bob) = (Home::new("ann"), Home::new("bob"));
    ann.send("welcome");
    let (mut serving, _) = serve(&ann);
    let ticket = ann.ok(&["invite"]).trim().to_owned();
    bob.ok(&["join", &ticket]);
    assert_eq!(bob.texts(), ["welcome"]);
    // And beside one's own server everyone known can be synced with, whether the server dialled or was dialled.
    let (mut bobs, _) = serve(&bob);
    bob.send("thanks");
    let synced = bob.ok(&["--json", "sync"]);
    assert!(synced.contains(r#""agreed":true"#), "{synced}");
    let held = bob.run(&["send", "--wait", "1", "held"]);
    assert!(held.status.success(), "{}", describe(&held));
    assert_eq!(ann.texts(), ["welcome", "thanks", "held"]);
    assert_eq!(bobs.terminate(), Some(0));
    assert_eq!(serving.terminate(), Some(0));
}

fn spawn(home: &Home, args: &[&str]) -> Child {
    let mut command = home.command(args);
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command.spawn().unwrap()
}

#[test]
fn sends_at_the_same_time_all_arrive() {
    let ann = Home::new("ann");
    let texts: Vec<String> = (0..8).map(|number| format!("number {number}")).collect();
    let sending: Vec<Child> =
        texts.iter().map(|text| spawn(&ann, &["--offline", "send", text.as_str()])).collect();
    for child in sending {
        let output = child.wait_with_output().unwrap();
        assert!(output.status.success(), "{}", describe(&output));
    }
    let mut sent = ann.texts();
    sent.sort_unstable();
    assert_eq!(sent, texts);
}

#[test]
fn a_killed_server_leaves_nothing_in_the_way() {
    let ann = Home::new("ann");
    let (mut serving, _) = serve(&ann);
    ann.send("beside it");
    serving.kill();
    assert!(ann.path().join("socket").exists(), "the test needs a dead socket");
    ann.send("after it");
    assert_eq!(ann.texts(), ["beside it", "after it"]);
    let (mut serving, _) = serve(&ann);
    ann.send("beside the next");
    assert_eq!(serving.terminate(), Some(0));
    assert!(!ann.path().join("socket").exists());
    assert_eq!(ann.texts().len(), 3);
}

#[test]
fn a_tail_goes_on_when_the_server_is_killed_and_misses_nothing() {
    let ann = Home::new("ann");
    let (mut serving, _) = serve(&ann);
    ann.send("before");
    let mut tail = ann.start(&["--json", "--offline", "tail"]);
    tail.reads("before");
    ann.send("beside");
    tail.reads("beside");
    // While the tail stands still the server dies, and somebody else is faster.
    tail.signal(Signal::STOP);
    serving.kill();
    ann.send("after");
    tail.signal(Signal::CONT);
    tail.reads("after");
    ann.send("last");
    tail.reads("last");
    tail.terminate();
    assert_eq!(tail.texts(), ["before", "beside", "after", "last"]);
    assert_eq!(ann.texts(), tail.texts());
}

#[test]
fn a_server_that_sleeps_is_named_and_whoever_waits_for_it_can_be_ended() {
    let ann = Home::new("ann");
    ann.send("before");
    let (mut serving, _) = serve(&ann);
    serving.signal(Signal::STOP);
    let mut tail = ann.start(&["--json", "tail"]);
    tail.heeds_signals();
    assert_eq!(tail.interrupt(), Some(130), "tail");
    let mut chat = ann.chat("127.0.0.1:0", &[]);
    chat.heeds_signals();
    assert_eq!(chat.terminate(), Some(130), "chat");
    let mut second = ann.start(&["--json", "serve"]);
    second.heeds_signals();
    assert_eq!(second.terminate(), Some(0), "serve");
    let told = ann.fails(4, &["--offline", "send", "while it sleeps"]);
    let named = format!("the process that has the home open ({}) does not answer", serving.id());
    assert!(told.contains(&named) && told.contains("`fg`"), "{told}");
    serving.signal(Signal::CONT);
    ann.send("awake again");
    assert_eq!(serving.terminate(), Some(0));
    assert_eq!(ann.texts(), ["before", "awake again"]);
}

#[test]
fn what_was_said_to_a_server_that_dies_is_written_once() {
    let ann = Home::new("ann");
    let (mut serving, _) = serve(&ann);
    let mut chat = ann.chat("127.0.0.1:0", &[]);
    chat.say("while it lives");
    chat.reads("while it lives");
    serving.signal(Signal::STOP);
    chat.say("while it stands still");
    // It is killed without having heard that, or having heard it and not said so.
    serving.kill();
    chat.reads("while it stands still");
    chat.say("without it");
    chat.reads("without it");
    assert_eq!(chat.finish(), Some(0));
    assert_eq!(ann.texts(), ["while it lives", "while it stands still", "without it"]);
}

#[test]
fn a_draft_is_a_draft_beside_a_server_too() {
    let (ann, bob) = (Home::new("ann"), Home::new("bob"));
    let ticket = ann.invite();
    bob.ok(&["--offline", "join", &ticket]);
    let mut holding = bob.start(&["--json", "--listen", "127.0.0.1:0", "serve"]);
    holding.wait("listening", |line| line["type"] == "listening");
    let draft = bob.ok(&["--json", "send", "not yet let in"]);
    assert_eq!(json(draft.trim())["type"], "draft");
    assert_eq!(json(draft.trim())["text"], "not yet let in");
    assert_eq!(holding.terminate(), Some(0));
    assert_eq!(bob.status()["drafts"], 1);
    let (mut serving, at) = serve(&ann);
    bob.ok(&["--peer", &at, "sync"]);
    assert_eq!(serving.terminate(), Some(0));
    assert_eq!(ann.texts(), ["not yet let in"]);
}

#[test]
fn what_fails_fails_alike_alone_and_beside_a_server() {
    let ann = Home::new("ann");
    ann.send("one");
    let nobody = free_address();
    let long = "x".repeat(20_000);
    let failing: [(i32, &[&str]); 6] = [
        (1, &["send", &long]),
        (1, &["kick", "nobody-of-that-name"]),
        (1, &["promote", "ann"]),
        (1, &["--room", "elsewhere", "log"]),
        (3, &["--peer", &nobody, "sync", "--timeout", "5"]),
        (5, &["join", "replica1nonsense"]),
    ];
    let alone = failing.map(|(code, args)| ann.fails(code, args));
    let (mut serving, _) = serve(&ann);
    let beside = failing.map(|(code, args)| ann.fails(code, args));
    assert_eq!(alone, beside);
    let second = ann.fails(4, &["--listen", "127.0.0.1:0", "serve"]);
    assert!(second.contains(&format!("process {}", serving.id())), "{second}");
    assert_eq!(serving.terminate(), Some(0));
}

#[test]
fn a_ticket_of_another_room_is_taken_beside_a_server_which_goes_on_in_both() {
    let (ann, bob) = (Home::new("ann"), Home::new("bob"));
    ann.send("welcome");
    let (mut anns, _) = serve(&ann);
    let ticket = ann.ok(&["invite"]).trim().to_owned();
    bob.send("bob's own room");
    let own = bob.status()["room"]["id"].as_str().unwrap().to_owned();
    let (mut serving, _) = serve(&bob);
    bob.ok(&["join", &ticket]);
    // As alone, the room of the ticket is the current one from then on.
    assert_eq!(bob.texts(), ["welcome"]);
    let beside = &bob.status()["rooms"][0];
    assert_eq!((&beside["id"], &beside["open"]), (&Value::from(own.as_str()), &Value::from(true)));
    bob.ok(&["--room", &own[..8], "send", "still bob's"]);
    assert_eq!(bob.texts(), ["bob's own room", "still bob's"]);
    assert_eq!(serving.terminate(), Some(0));
    assert_eq!(anns.terminate(), Some(0));
}

#[test]
fn a_script_writes_into_another_room_beside_an_open_chat() {
    let (ann, bob) = (Home::new("ann"), Home::new("bob"));
    bob.ok(&["--offline", "join", &ann.invite()]);
    let other = bob.status()["room"]["id"].as_str().unwrap().to_owned();
    let own = Home::at(bob.path(), "bob");
    // A room of bob's own beside that one.
    let carol = Home::new("carol");
    own.ok(&["--offline", "join", &carol.invite()]);
    let mine = own.status()["room"]["id"].as_str().unwrap().to_owned();
    assert_ne!(mine, other);
    let mut open = bob.chat("127.0.0.1:0", &[]);
    open.say("in the chat");
    open.wait("a draft", |line| line["type"] == "draft" && line["text"] == "in the chat");
    let draft = bob.ok(&["--json", "--room", &other[..8], "send", "into the other"]);
    assert_eq!(json(draft.trim())["text"], "into the other");
    assert!(!open.hears("into the other", Duration::from_millis(500)));
    bob.fails(1, &["--room", "nowhere", "send", "hi"]);
    assert_eq!(open.finish(), Some(0));
    for (room, drafts) in [(&other, 1), (&mine, 1)] {
        let status = bob.ok(&["--offline", "--json", "--room", &room[..8], "status"]);
        assert_eq!(json(status.trim())["drafts"], drafts, "{status}");
    }
}

#[test]
fn one_server_serves_all_rooms_of_its_home() {
    let (ann, bob, carol) = (Home::new("ann"), Home::new("bob"), Home::new("carol"));
    ann.send("at ann's");
    let (mut anns, _) = serve(&ann);
    let to_ann = ann.ok(&["invite"]).trim().to_owned();
    bob.send("at bob's");
    bob.ok(&["join", &to_ann]);
    assert_eq!(bob.texts(), ["at ann's"]);
    assert_eq!(anns.terminate(), Some(0));
    // Both rooms answer at bob's one address: carol comes into one by it, ann comes back to the other.
    let (mut bobs, at) = serve(&bob);
    let own = bob.status()["rooms"][0]["id"].as_str().unwrap().to_owned();
    let to_bob = bob.ok(&["--room", &own[..8], "invite"]).trim().to_owned();
    carol.ok(&["join", &to_bob]);
    assert_eq!(carol.texts(), ["at bob's"]);
    ann.ok(&["--offline", "send", "later at ann's"]);
    let synced = ann.ok(&["--json", "--peer", &at, "sync"]);
    assert!(synced.contains(r#""agreed":true"#), "{synced}");
    assert_eq!(bobs.terminate(), Some(0));
    let room = ann.status()["room"]["id"].as_str().unwrap()[..8].to_owned();
    let log = bob.ok(&["--json", "--room", &room, "log"]);
    assert!(log.contains("later at ann's"), "{log}");
    // No word of either room is in the other.
    assert_eq!(carol.texts(), ["at bob's"]);
    assert_eq!(ann.texts(), ["at ann's", "later at ann's"]);
}

#[test]
fn a_home_far_down_is_shared_like_any() {
    let folder = tempfile::tempdir().unwrap();
    let deep = folder.path().join("a".repeat(100)).join("b".repeat(100));
    std::fs::create_dir_all(&deep).unwrap();
    let ann = Home::within(&deep, "ann");
    let mut chat = chat(&ann);
    ann.send("from a script");
    chat.reads("from a script");
    assert_eq!(chat.finish(), Some(0));
}

#[test]
fn nobody_else_uses_the_socket() {
    let ann = Home::new("ann");
    let (mut serving, _) = serve(&ann);
    let socket = std::fs::metadata(ann.path().join("socket")).unwrap();
    assert_eq!(socket.permissions().mode() & 0o777, 0o600);
    if rustix::process::geteuid().is_root() {
        // As if somebody had opened everything to everybody.
        let open = |path: std::path::PathBuf, mode| {
            std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).unwrap();
        };
        open(ann.path().parent().unwrap().to_owned(), 0o755);
        open(ann.path(), 0o777);
        open(ann.path().join("socket"), 0o666);
        open(ann.path().join("lock"), 0o666);
        // A program that nobody may run from where it was built is run from elsewhere.
        let program = ann.path().with_file_name("replica");
        std::fs::copy(env!("CARGO_BIN_EXE_replica"), &program).unwrap();
        open(program.clone(), 0o755);
        let mut command = std::process::Command::new(program);
        command.arg("--home").arg(ann.path()).args(["--no-input", "log"]).uid(65_534).gid(65_534);
        command.env("XDG_CONFIG_HOME", "/nowhere");
        let output = command.stdin(Stdio::null()).output().unwrap();
        assert_eq!(output.status.code(), Some(4), "{}", describe(&output));
        assert!(String::from_utf8_lossy(&output.stderr).contains("another user"), "{}", describe(&output));
    } else {
        say("skipped: only root can be two users");
    }
    assert_eq!(std::fs::metadata(ann.path()).unwrap().uid(), rustix::process::geteuid().as_raw());
    ann.send("still served");
    assert_eq!(serving.terminate(), Some(0));
}

#[test]
fn a_key_under_a_passphrase_is_not_asked_for_beside_whoever_has_it() {
    let ann = Home::new("ann");
    ann.send("before");
    let mut sealing = ann.command(&["identity", "passphrase"]);
    assert!(sealing.env("REPLICA_NEW_PASSPHRASE", "one").status().unwrap().success());
    let mut opened = ann.command(&["--json", "--listen", "127.0.0.1:0", "serve"]);
    opened.env("REPLICA_PASSPHRASE", "one");
    let mut serving = Running::start(opened);
    serving.wait("listening", |line| line["type"] == "listening");
    ann.send("beside it");
    assert_eq!(ann.texts(), ["before", "beside it"]);
    assert_eq!(serving.terminate(), Some(0));
    ann.fails(1, &["log"]);
}

#[test]
fn whoever_was_given_the_passphrase_goes_on_when_the_server_ends_and_whoever_was_not_waits_for_another() {
    let ann = Home::new("ann");
    ann.send("before");
    let mut sealing = ann.command(&["identity", "passphrase"]);
    assert!(sealing.env("REPLICA_NEW_PASSPHRASE", "one").status().unwrap().success());
    let with = |args: &[&str]| {
        let mut command = ann.command(args);
        command.env("REPLICA_PASSPHRASE", "one");
        command
    };
    let mut serving = Running::start(with(&["--json", "--listen", "127.0.0.1:0", "serve"]));
    serving.wait("listening", |line| line["type"] == "listening");
    let mut given = Running::start(with(&["--json", "--listen", "127.0.0.1:0", "tail"]));
    let mut not_given = ann.start(&["--json", "--listen", "127.0.0.1:0", "tail"]);
    given.reads("before");
    not_given.reads("before");
    assert_eq!(serving.terminate(), Some(0));
    let sent = with(&["--offline", "send", "after"]).output().unwrap();
    assert!(sent.status.success(), "{}", describe(&sent));
    given.reads("after");
    not_given.reads("after");
    assert_eq!(given.terminate(), Some(130));
    assert_eq!(not_given.terminate(), Some(130));
}

#[test]
fn what_a_server_does_otherwise_than_was_asked_for_beside_it_is_said() {
    let ann = Home::new("ann");
    ann.send("before");
    let (mut serving, _) = serve(&ann);
    let told = |args: &[&str]| {
        let output = ann.run(args);
        assert!(output.status.success(), "{}", describe(&output));
        String::from_utf8(output.stderr).unwrap()
    };
    let offline = told(&["--offline", "send", "beside it"]);
    assert!(offline.contains("what is written goes out at once (--offline does not hold here)"), "{offline}");
    let chat = told(&["--offline", "--json"]);
    assert!(chat.contains("(--offline does not hold here)"), "{chat}");
    let means = told(&["--listen", "127.0.0.1:0", "--dht", "send", "beside it too"]);
    assert!(means.contains("(--listen does not") && means.contains("(--dht does not"), "{means}");
    assert_eq!(told(&["send", "as it comes"]), "");
    // A server that introduces is kept with the room, and named by its tickets.
    let named = free_address();
    assert_eq!(told(&["--rendezvous", &named, "send", "and once more"]), "");
    assert_eq!(serving.terminate(), Some(0));
    let state = std::fs::read_to_string(ann.path().join("state.json")).unwrap();
    assert!(state.contains(&named), "{state}");
    // Where nobody dials anyway there is nothing to say.
    let mut serving = ann.start(&["--json", "--offline", "tail"]);
    serving.reads("before");
    assert_eq!(told(&["--offline", "send", "offline, both"]), "");
    assert_eq!(serving.terminate(), Some(130));
}

#[test]
fn who_follows_and_does_not_read_holds_up_nobody() {
    let ann = Home::new("ann");
    let mut chat = chat(&ann);
    // It prints until its pipe is full, and then stands still.
    let mut deaf = spawn(&ann, &["--json", "tail"]);
    let text = "y".repeat(8_000);
    for number in 0..60 {
        chat.say(&format!("{number} {text}"));
    }
    chat.reads_beginning("59 ");
    ann.send("beside the deaf one");
    assert!(chat.hears("beside the deaf one", Duration::from_secs(30)));
    deaf.kill().unwrap();
    deaf.wait().unwrap();
    assert_eq!(chat.finish(), Some(0));
}
