//! What scripts rely on: fields and types of every object, exit codes, settings, what is printed for shells.

use std::net::TcpListener;
use std::process::Output;

use serde_json::Value;

use crate::program::{Home, describe, free_address, json, say};

/// What must stand in an object: a field, and of what type. One that may be null or missing ends in `?`.
type Fields = [(&'static str, &'static str)];

const ROOM: &Fields = &[("id", "string"), ("name", "string")];
const NEIGHBOUR: &Fields =
    &[("id", "string"), ("author", "string"), ("time", "time"), ("order", "string"), ("by", "string")];
const ME: &Fields = &[("author", "string"), ("nick", "string")];

fn schema(kind: &str) -> Option<&'static Fields> {
    Some(match kind {
        "message" => &[
            ("id", "string"),
            ("author", "string"),
            ("nick", "string"),
            ("time", "time"),
            ("text", "string"),
            ("deps", "strings"),
            ("order", "string"),
            ("folded", "bool?"),
            ("late", "bool?"),
            ("at", "number?"),
        ],
        "event" => &[
            ("kind", "string"),
            ("id", "string"),
            ("author", "string"),
            ("nick", "string"),
            ("time", "time"),
            ("text", "string"),
            ("deps", "strings"),
            ("order", "string"),
            ("folded", "bool?"),
            ("late", "bool?"),
            ("at", "number?"),
        ],
        "status" => &[
            ("room", "room"),
            ("topic", "string?"),
            ("me", "me"),
            ("entries", "number"),
            ("messages", "number"),
            ("heads", "strings"),
            ("digest", "string"),
            ("peers", "objects"),
            ("members", "objects"),
            ("member", "bool"),
            ("drafts", "number"),
            ("refused", "object"),
            ("read_only", "bool"),
            ("rooms", "objects"),
            ("forked", "objects"),
            ("outside", "string?"),
            ("discovery", "objects"),
        ],
        "peer" => &[
            ("author", "string?"),
            ("nick", "string?"),
            ("addr", "string"),
            ("state", "string"),
            ("missing_here", "number"),
            ("missing_there", "number"),
        ],
        "sync" => &[
            ("peer", "string"),
            ("author", "string?"),
            ("sent", "number"),
            ("received", "number"),
            ("millis", "number"),
            ("agreed", "bool"),
        ],
        "member" => &[
            ("author", "string"),
            ("words", "string"),
            ("nick", "string"),
            ("role", "string"),
            ("removed_by", "string?"),
            ("blocked", "bool"),
        ],
        "join" => &[("room", "room"), ("peer", "string?"), ("agreed", "bool")],
        "draft" => &[("time", "time"), ("text", "string")],
        "listening" => &[("addr", "string")],
        // Of `invite`, and of those that `revoke` lists.
        "invite" => &[
            ("ticket", "string?"),
            ("id", "string?"),
            ("by", "string?"),
            ("expires", "time?"),
            ("uses", "number?"),
            ("used", "number?"),
        ],
        "whoami" => &[("author", "string"), ("words", "string"), ("nick", "string"), ("home", "string")],
        "verify" => {
            &[("digest", "string"), ("entries", "number"), ("signatures", "number"), ("documents", "number")]
        }
        "why" => &[
            ("id", "string"),
            ("time", "time"),
            ("order", "string"),
            ("rule", "string"),
            ("seen", "objects"),
            ("above", "neighbour?"),
            ("below", "neighbour?"),
        ],
        "check" => &[("name", "string"), ("state", "string"), ("what", "string"), ("cure", "string?")],
        "export" => &[("file", "string"), ("bytes", "number")],
        "import" => &[("file", "string"), ("author", "string"), ("new", "number"), ("entries", "number")],
        "room" => &[("id", "string"), ("name", "string"), ("current", "bool")],
        "setting" => &[("name", "string"), ("value", "string?"), ("origin", "string")],
        _ => return None,
    })
}

fn is_of(value: &Value, what: &str) -> bool {
    match what {
        "string" => value.is_string(),
        "number" => value.is_u64(),
        "bool" => value.is_boolean(),
        "object" => value.is_object(),
        "strings" => value.as_array().is_some_and(|all| all.iter().all(Value::is_string)),
        "objects" => value.as_array().is_some_and(|all| all.iter().all(Value::is_object)),
        "time" => value.as_str().is_some_and(|it| it.len() == 24 && it.ends_with('Z')),
        "neighbour" => NEIGHBOUR.iter().all(|(field, what)| is_of(&value[field], what)),
        "room" => ROOM.iter().all(|(field, what)| is_of(&value[field], what)),
        "me" => ME.iter().all(|(field, what)| is_of(&value[field], what)),
        other => value.is_null() || is_of(value, other.trim_end_matches('?')),
    }
}

/// Holds every line against what its type promises; answers the types, in order.
#[track_caller]
fn check(lines: &str) -> Vec<String> {
    let mut kinds = Vec::new();
    for line in lines.lines() {
        let object = json(line);
        assert_eq!(object["v"], 1, "{line}");
        let kind = object["type"].as_str().unwrap().to_owned();
        let fields = schema(&kind).unwrap_or_else(|| panic!("nothing is promised of {line}"));
        for (field, what) in fields {
            assert!(is_of(&object[field], what), "`{field}` is no {what}: {line}");
        }
        let known =
            |name: &str| matches!(name, "v" | "type") || fields.iter().any(|(field, _)| *field == name);
        let unknown: Vec<&String> =
            object.as_object().unwrap().keys().filter(|name| !known(name.as_str())).collect();
        assert!(unknown.is_empty(), "{unknown:?} are not written down: {line}");
        kinds.push(kind);
    }
    kinds
}

#[test]
fn every_object_has_the_fields_that_were_promised() {
    let (ann, bob) = (Home::new("ann"), Home::new("bob"));
    let said = |home: &Home, args: &[&str]| check(&home.ok(&[&["--json"], args].concat()));
    assert_eq!(said(&ann, &["whoami"]), ["whoami"]);
    assert_eq!(said(&ann, &["send", "hello"]), ["message"]);
    let line = ann.ok(&["--json", "--offline", "invite", "--uses", "2"]);
    assert_eq!(check(&line), ["invite"]);
    let ticket = json(line.trim())["ticket"].as_str().unwrap().to_owned();
    let listed = ann.ok(&["--json", "--offline", "revoke"]);
    assert_eq!(check(&listed), ["invite"]);
    let listed = json(listed.trim());
    assert_eq!((&listed["uses"], &listed["used"]), (&2.into(), &0.into()));
    assert_eq!((&listed["by"], listed["id"].as_str().unwrap().len()), (&ann.author().to_string().into(), 64));
    assert_eq!(said(&bob, &["--offline", "join", &ticket]), ["join"]);
    assert_eq!(said(&bob, &["--offline", "send", "too early"]), ["draft"]);
    let mut serving = ann.start(&["--json", "--listen", "127.0.0.1:0", "serve"]);
    let listening = serving.wait("listening", |line| line["type"] == "listening");
    assert_eq!(check(&listening.to_string()), ["listening"]);
    let at = listening["addr"].as_str().unwrap();
    assert_eq!(said(&bob, &["--peer", at, "sync"]), ["sync"]);
    assert!(said(&bob, &["peers"]).contains(&"peer".to_owned()));
    assert_eq!(serving.terminate(), Some(0));
    assert_eq!(said(&ann, &["members"]), ["member", "member"]);
    assert_eq!(said(&ann, &["promote", "bob"]), ["event"]);
    assert_eq!(said(&ann, &["status"]), ["status"]);
    assert_eq!(said(&ann, &["verify"]), ["verify"]);
    assert_eq!(said(&ann, &["why"]), ["why"]);
    assert_eq!(said(&ann, &["rooms"]), ["room"]);
    assert!(said(&ann, &["config", "show"]).len() > 10);
    assert!(said(&ann, &["log", "--all"]).contains(&"event".to_owned()));
    assert_eq!(said(&ann, &["log"]), ["message", "message"]);
    assert!(said(&ann, &["--offline", "doctor"]).len() > 3);
    let file = ann.path().with_file_name("bundle");
    let file = file.to_str().unwrap();
    assert_eq!(said(&ann, &["export", "--format", "bundle", file]), ["export"]);
    assert_eq!(said(&bob, &["import", file]), ["import"]);
}

#[test]
fn every_exit_code_means_what_was_promised() {
    let ann = Home::new("ann");
    ann.send("one");
    let nobody = free_address();
    let foreign = "not a ticket";
    let cases: [(i32, &[&str]); 16] = [
        (0, &["log"]),
        (0, &["--offline", "send", "two"]),
        (0, &["config", "show"]),
        (1, &["send", ""]),
        (1, &["kick", "nobody"]),
        (1, &["--room", "nowhere", "log"]),
        (1, &["export", "/nowhere/at/all"]),
        (2, &["--no-such-flag"]),
        (2, &["sned"]),
        (2, &["log", "--since", "yesterday-ish"]),
        (2, &["--offline", "--listen", "127.0.0.1:0", "log"]),
        (2, &["--config", "/nowhere/config.toml", "log"]),
        (2, &["man", "no-such-subcommand"]),
        (3, &["--peer", &nobody, "sync", "--timeout", "5"]),
        (3, &["--peer", &nobody, "send", "--wait", "1", "--timeout", "2", "three"]),
        (5, &["join", foreign]),
    ];
    for (code, args) in cases {
        let output: Output = ann.run(args);
        assert_eq!(output.status.code(), Some(code), "{args:?}: {}", describe(&output));
        let told = String::from_utf8(output.stderr).unwrap();
        assert!(code == 0 || !told.trim().is_empty(), "{args:?} says nothing");
    }
}

#[test]
fn what_is_interrupted_ends_with_the_code_for_that_and_keeps_what_it_confirmed() {
    let ann = Home::new("ann");
    ann.send("hello");
    // They take connections and say nothing.
    let silent = [(); 2].map(|()| TcpListener::bind("127.0.0.1:0").unwrap());
    let [of_send, of_sync] = [0, 1].map(|number: usize| silent[number].local_addr().unwrap().to_string());

    let mut tail = ann.start(&["--json", "--offline", "tail"]);
    tail.reads("hello");
    assert_eq!(tail.interrupt(), Some(130), "tail");

    let mut send =
        ann.start(&["--json", "--peer", &of_send, "send", "--wait", "--timeout", "60", "--", "later"]);
    send.reads("later");
    assert_eq!(send.interrupt(), Some(130), "send");

    let mut sync = ann.start(&["--json", "--peer", &of_sync, "sync", "--timeout", "60"]);
    silent[1].accept().unwrap();
    assert_eq!(sync.interrupt(), Some(130), "sync");

    // What is still to be read keeps nobody.
    let mut said = ann.start(&["--json", "send"]);
    said.say("not to its end");
    said.heeds_signals();
    assert_eq!(said.interrupt(), Some(130), "send that reads");
    let mut said = ann.start(&["--json", "send", "-"]);
    said.say("not to its end either");
    said.heeds_signals();
    assert_eq!(said.terminate(), Some(130), "send that reads");
    let mut import = ann.start(&["--json", "import", "/dev/stdin"]);
    import.heeds_signals();
    assert_eq!(import.interrupt(), Some(130), "import");
    assert_eq!(ann.texts(), ["hello", "later"]);
}

#[test]
fn a_subcommand_that_was_mistyped_is_guessed() {
    let told = Home::new("ann").fails(2, &["sned"]);
    assert!(told.contains("send"), "{told}");
}

#[test]
fn settings_come_from_flag_environment_file_and_default_in_that_order() {
    let ann = Home::new("ann");
    let file = ann.path().with_file_name("config.toml");
    std::fs::write(
        &file,
        "nick = \"of the file\"\nlisten = \"127.0.0.1:1\"\nroom = \"of the file\"\nno-lan = true\n",
    )
    .unwrap();
    let mut command = ann.command(&["--json", "--config", file.to_str().unwrap(), "config", "show"]);
    let output = command.env("REPLICA_LISTEN", "127.0.0.1:2").env("REPLICA_NO_LAN", "0").output().unwrap();
    let lines = String::from_utf8(output.stdout).unwrap();
    let setting = |name: &str| {
        let line = lines.lines().map(json).find(|line| line["name"] == name).unwrap();
        (line["value"].as_str().unwrap_or("none").to_owned(), line["origin"].as_str().unwrap().to_owned())
    };
    let is = |value: &str, origin: &str| (value.to_owned(), origin.to_owned());
    assert_eq!(setting("nick"), is("ann", "flag"));
    assert_eq!(setting("listen"), is("127.0.0.1:2", "environment"));
    assert_eq!(setting("no-lan"), is("false", "environment"));
    assert_eq!(setting("room"), is("of the file", "file"));
    assert_eq!(setting("color"), is("none", "default"));
    // And it holds: there is no such room.
    let refused = ann.fails(1, &["--config", file.to_str().unwrap(), "log"]);
    assert!(refused.contains("of the file"), "{refused}");
}

#[test]
fn the_log_can_be_asked_for_a_person_and_a_time() {
    let (ann, bob) = (Home::new("ann"), Home::new("bob"));
    let ticket = ann.invite();
    ann.send("of ann");
    bob.ok(&["--offline", "join", &ticket]);
    bob.ok(&["--offline", "send", "of bob"]);
    let mut serving = ann.start(&["--json", "--listen", "127.0.0.1:0", "serve"]);
    let at = serving.wait("listening", |line| line["type"] == "listening")["addr"].clone();
    bob.ok(&["--peer", at.as_str().unwrap(), "sync"]);
    assert_eq!(serving.terminate(), Some(0));
    let texts = |args: &[&str]| -> Vec<String> {
        let lines = ann.ok(&[&["--json", "log"], args].concat());
        lines.lines().map(|line| json(line)["text"].as_str().unwrap().to_owned()).collect()
    };
    assert_eq!(texts(&["--author", "bob"]), ["of bob"]);
    assert_eq!(texts(&["--since", "1h"]).len(), 2);
    assert_eq!(texts(&["--since", "2199-01-01"]).len(), 0);
    assert_eq!(texts(&["--since", "2001-01-01T10:00", "--search", "OF ANN"]), ["of ann"]);
    ann.fails(1, &["log", "--author", "nobody"]);
}

#[test]
fn times_are_those_of_the_zone_that_the_environment_names() {
    if !std::path::Path::new("/usr/share/zoneinfo/Asia/Tokyo").exists() {
        return say("skipped: there is no /usr/share/zoneinfo");
    }
    let ann = Home::new("ann");
    ann.send("hello");
    let at: jiff::Timestamp = json(ann.log().trim())["time"].as_str().unwrap().parse().unwrap();
    let in_tokyo = |hours: i64| {
        (at + jiff::SignedDuration::from_hours(9 + hours)).strftime("%Y-%m-%dT%H:%M").to_string()
    };
    let log = |args: &[&str]| {
        let output = ann.command(&[&["log"], args].concat()).env("TZ", "Asia/Tokyo").output().unwrap();
        String::from_utf8(output.stdout).unwrap()
    };
    let shown = log(&[]);
    assert!(shown.contains(&in_tokyo(0)[11..]), "{shown}");
    assert!(log(&["--since", &in_tokyo(-1)]).contains("hello"));
    assert_eq!(log(&["--since", &in_tokyo(1)]), "");
}

#[test]
fn the_rooms_of_a_home_are_listed_and_each_can_be_gone_into() {
    let (ann, bob) = (Home::new("ann"), Home::new("bob"));
    let ticket = ann.invite();
    bob.send("bob's own");
    let own = bob.ok(&["rooms"]);
    assert!(own.starts_with("* home ("), "{own}");
    bob.ok(&["--offline", "join", &ticket]);
    let both = bob.ok(&["rooms"]);
    assert_eq!(both.lines().filter(|line| line.starts_with('*')).count(), 1, "{both}");
    assert_eq!(both.lines().count(), 2, "{both}");
    assert!(bob.texts().is_empty());
    assert!(bob.ok(&["--room", "home", "log"]).contains("bob's own"));
    // The same beside whoever has the home, in all rooms.
    let alone = bob.ok(&["rooms"]);
    let mut serving = bob.start(&["--json", "--listen", "127.0.0.1:0", "serve"]);
    serving.wait("listening", |line| line["type"] == "listening");
    assert_eq!(bob.ok(&["rooms"]), alone);
    assert!(bob.ok(&["--room", "home", "log"]).contains("bob's own"));
    let other = both.lines().find(|line| line.starts_with('*')).unwrap();
    let id = other.split(['(', ')']).nth(1).unwrap();
    assert_eq!(bob.ok(&["--room", id, "log"]), "");
    assert!(bob.ok(&["rooms"]).lines().any(|line| line == other), "it is the current one again");
    let refused = bob.fails(1, &["--room", "nowhere", "log"]);
    assert!(refused.contains("Its rooms are"), "{refused}");
    assert_eq!(serving.terminate(), Some(0));
}

#[test]
fn shells_and_manual_readers_get_what_they_ask_for() {
    let ann = Home::new("ann");
    for shell in ["bash", "zsh", "fish"] {
        assert!(ann.ok(&["completions", shell]).contains("replica"), "{shell}");
    }
    let page = ann.ok(&["man"]);
    assert!(page.contains(".TH") && page.contains("SUBCOMMANDS"), "{page}");
    assert!(ann.ok(&["man", "send"]).contains("wait"));
    let help = ann.ok(&["--help"]);
    assert!(help.contains("Examples:") && help.contains("Exit codes:"), "{help}");
    assert!(!ann.path().exists(), "asking for help makes no home");
}
