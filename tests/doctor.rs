//! What the doctor says of peers that are not reached, and beside whoever has the home.

use std::net::TcpListener;

use serde_json::Value;

use crate::program::{Home, free_address, json};

/// What the doctor found, as objects; it must not fail.
fn checks(home: &Home, args: &[&str]) -> Vec<Value> {
    home.ok(&[&["--json", "--listen", "127.0.0.1:0"], args, &["doctor"]].concat()).lines().map(json).collect()
}

/// The state of a check and its words.
#[track_caller]
fn check(checks: &[Value], name: &str) -> (String, String) {
    let found = checks.iter().find(|check| check["name"] == name);
    let found = found.unwrap_or_else(|| panic!("no check called {name}: {checks:#?}"));
    (found["state"].as_str().unwrap().to_owned(), format!("{} {}", found["what"], found["cure"]))
}

#[test]
fn the_doctor_says_why_a_peer_is_not_reached() {
    let ann = Home::new("ann");
    ann.send("one");
    let (state, words) = check(&checks(&ann, &["--peer", &free_address()]), "peer");
    assert_eq!(state, "warn");
    assert!(words.contains("nothing listens at that port"), "{words}");
    let bob = Home::new("bob");
    bob.send("one");
    let (_, words) = check(&checks(&bob, &["--peer", "no-such-host.invalid:1"]), "peer");
    assert!(words.contains("no such host"), "{words}");
    let carol = Home::new("carol");
    carol.send("one");
    // It takes connections and never says a word.
    let mute = TcpListener::bind("127.0.0.1:0").unwrap();
    let at = mute.local_addr().unwrap().to_string();
    let (_, words) = check(&checks(&carol, &["--peer", &at]), "peer");
    assert!(words.contains("something listens there"), "{words}");
}

#[test]
fn the_doctor_works_beside_whoever_has_the_home() {
    let ann = Home::new("ann");
    ann.send("one");
    let mut following = ann.start(&["--json", "--offline", "tail"]);
    following.reads("one");
    let found = checks(&ann, &[]);
    assert!(check(&found, "home").1.contains(&format!("process {}", following.id())), "{found:#?}");
    assert_eq!(check(&found, "store").0, "ok");
    assert_eq!(check(&found, "listener").0, "warn");
    assert!(check(&found, "peers").1.contains("dials nobody"), "{found:#?}");
    // What scripts ask of it is refused with a reason, not kept waiting.
    assert!(ann.fails(3, &["sync"]).contains("dials nobody"));
    following.terminate();
}
