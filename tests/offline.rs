//! Writing offline and syncing later.

use crate::program::{Home, Running, describe, free_address, json};

/// A replica that only serves, and where.
fn serve(home: &Home) -> (Running, String) {
    let mut serving = home.start(&["--json", "--listen", "127.0.0.1:0", "serve"]);
    let line = serving.wait("listening", |line| line["type"] == "listening");
    let at = line["addr"].as_str().unwrap().to_owned();
    (serving, at)
}

#[test]
fn what_both_wrote_offline_becomes_one_history_byte_for_byte() {
    let (ann, bob, carol) = (Home::new("ann"), Home::new("bob"), Home::new("carol"));
    let ticket = ann.invite();
    ann.send("ann 1");
    ann.send("ann 2");
    bob.ok(&["--offline", "join", &ticket]);
    let draft = bob.ok(&["--offline", "--json", "send", "written before admission"]);
    assert!(draft.contains(r#""type":"draft""#), "{draft}");

    let (mut serving, at) = serve(&ann);
    let synced = bob.ok(&["--json", "--peer", &at, "sync"]);
    assert!(synced.contains(r#""agreed":true"#), "{synced}");
    assert_eq!(serving.terminate(), Some(0));

    // Apart again: both write, then one syncs with the other.
    let on_the_train = bob.send("bob on the train");
    ann.send("ann at home");
    let (mut serving, at) = serve(&ann);
    let synced = bob.ok(&["--json", "--peer", &at, "sync"]);
    assert!(synced.contains(r#""agreed":true"#), "{synced}");
    assert_eq!(serving.terminate(), Some(0));

    assert_eq!(ann.log(), bob.log());
    assert!(ann.log().contains(&on_the_train));
    assert_eq!(ann.digest(), bob.digest());
    assert_eq!(ann.texts().len(), 5);

    let second = bob.invite();
    // A third comes late, by a ticket of the one who was let in, and meets only that one.
    let (mut serving, at) = serve(&bob);
    let synced = carol.ok(&["--json", "--peer", &second, "--peer", &at, "sync"]);
    assert!(synced.contains(r#""agreed":true"#), "{synced}");
    assert_eq!(serving.terminate(), Some(0));
    let (mut serving, at) = serve(&ann);
    let synced = carol.ok(&["--json", "--peer", &at, "sync"]);
    assert!(synced.contains(r#""agreed":true"#), "{synced}");
    assert_eq!(serving.terminate(), Some(0));
    let synced = {
        let (mut serving, at) = serve(&carol);
        let synced = bob.ok(&["--json", "--peer", &at, "sync"]);
        assert_eq!(serving.terminate(), Some(0));
        synced
    };
    assert!(synced.contains(r#""agreed":true"#), "{synced}");

    let homes = [&ann, &bob, &carol];
    assert!(homes.iter().all(|home| home.log() == ann.log()), "the logs differ");
    assert!(homes.iter().all(|home| home.digest() == ann.digest()), "the digests differ");
    let verified = homes.map(|home| home.verify()["digest"].clone());
    assert!(verified.iter().all(|digest| *digest == verified[0]), "{verified:?}");
    // Each explains the order in the same words: both had seen what is above, and neither what the other wrote.
    let why = homes.map(|home| home.ok(&["--json", "why", &on_the_train[..8]]));
    assert!(why.iter().all(|other| *other == why[0]), "{why:?}");
    let place = json(&why[0]);
    assert_eq!(
        (&place["id"], &place["rule"]),
        (&on_the_train.clone().into(), &"own-clock".into()),
        "{place}"
    );
    assert_eq!(place["above"]["by"], "seen", "{place}");
    assert_ne!(place["below"]["by"], "seen", "{place}");
    assert!(ann.log().contains(place["below"]["id"].as_str().unwrap()));
    let words = bob.ok(&["why", &on_the_train]);
    assert!(words.starts_with("bob at ") && words.contains("bob on the train"), "{words}");
    assert!(words.contains("written in parallel") && words.contains("bob had seen what"), "{words}");
    ann.fails(1, &["why", "00000000"]);
    ann.fails(2, &["why", "lunch"]);
    let says = |command: &str| {
        let said = ann.ok(&[command]);
        said.lines().find(|line| line.starts_with("digest ")).map(str::to_owned)
    };
    assert!(says("verify").is_some() && says("verify") == says("status"));
}

#[test]
fn a_sync_that_reaches_nobody_says_so() {
    let ann = Home::new("ann");
    ann.send("kept all the same");
    let nobody = free_address();
    let output = ann.run(&["--peer", &nobody, "sync", "--timeout", "5"]);
    assert_eq!(output.status.code(), Some(3), "{}", describe(&output));
    assert!(String::from_utf8(output.stdout).unwrap().contains(&nobody));
    assert_eq!(ann.texts(), ["kept all the same"]);
}
