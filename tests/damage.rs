//! Stores whose files are not what was written: said, left alone, mended, and made whole by a peer.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use crate::program::{Home, Running, json};

/// What happens to a store's folder, in words and in deed.
type Damage = (&'static str, fn(&Path));

/// What may happen to the files of a store.
const DAMAGES: [Damage; 8] = [
    ("the end is cut off", |store| change(store, "db", |bytes, used| bytes.truncate(used * 6 / 10))),
    ("almost everything is cut off", |store| change(store, "db", |bytes, _| bytes.truncate(600))),
    ("a bit is flipped in several places", |store| {
        change(store, "db", |bytes, used| (1..8).for_each(|part| bytes[used * part / 8] ^= 4));
    }),
    ("a bit is flipped in a segment's header", |store| change(store, "db", |bytes, _| bytes[5] ^= 1)),
    ("a page is zeroed", |store| {
        change(store, "db", |bytes, used| bytes[used / 2..used / 2 + 4096].fill(0));
    }),
    ("the snapshot is garbled", |store| change(store, "snap.", |bytes, used| bytes[used / 2] ^= 1)),
    ("the settings are garbled", |store| change(store, "conf", |bytes, _| bytes.fill(b'x'))),
    ("the database is gone", |store| fs::remove_file(store.join("db")).unwrap()),
];

fn change(store: &Path, name: &str, damage: impl Fn(&mut Vec<u8>, usize)) {
    let path = files(store).into_keys().find(|path| {
        path.file_name().and_then(|name| name.to_str()).is_some_and(|file| file.starts_with(name))
    });
    let path = path.unwrap_or_else(|| panic!("there is no {name}"));
    let mut bytes = fs::read(&path).unwrap();
    // A database's file ends in zeros.
    let used = bytes.iter().rposition(|byte| *byte != 0).unwrap() + 1;
    damage(&mut bytes, used);
    fs::write(path, bytes).unwrap();
}

/// Every file below a folder.
fn files(folder: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let mut found = BTreeMap::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(files(&path));
        } else {
            found.insert(path.clone(), fs::read(path).unwrap());
        }
    }
    found
}

/// The store of a home's only room.
fn store(home: &Home) -> PathBuf {
    let room = fs::read_dir(home.path().join("rooms")).unwrap().next().unwrap().unwrap();
    room.path().join("store")
}

fn serve(home: &Home) -> (Running, String) {
    let mut serving = home.start(&["--json", "--listen", "127.0.0.1:0", "serve"]);
    let line = serving.wait("listening", |line| line["type"] == "listening");
    let at = line["addr"].as_str().unwrap().to_owned();
    (serving, at)
}

/// What the doctor says of the store, and the exit code.
fn doctor(home: &Home, args: &[&str]) -> (serde_json::Value, Option<i32>) {
    let output = home.run(&[&["--offline", "--json", "doctor"], args].concat());
    let lines = String::from_utf8(output.stdout).unwrap();
    let found = lines.lines().map(json).find(|check| check["name"] == "store");
    (found.expect("the store is looked at"), output.status.code())
}

#[test]
fn a_damaged_store_is_said_left_alone_mended_and_made_whole_by_a_peer() {
    let (ann, bob) = (Home::new("ann"), Home::new("bob"));
    let ticket = ann.invite();
    bob.ok(&["--offline", "join", &ticket]);
    for number in 0..6 {
        ann.send(&format!("{number} {}", "of ann ".repeat(number * 40)));
    }
    let (mut serving, at) = serve(&bob);
    let sync = || {
        let synced = ann.ok(&["--json", "--peer", &at, "sync"]);
        assert!(synced.contains(r#""agreed":true"#), "{synced}");
    };
    sync();
    let mut lost_some = false;
    for (number, (what, damage)) in DAMAGES.iter().enumerate() {
        // Opened once more after the last write, so that there is a snapshot.
        let before = ann.log();
        let store = store(&ann);
        damage(&store);
        let damaged = files(&store);

        for args in [&["log"][..], &["--offline", "send", "x"], &["--peer", &at, "sync"]] {
            let error = ann.fails(4, args);
            assert!(error.contains("damaged") && error.contains(store.to_str().unwrap()), "{what}: {error}");
            assert!(error.contains("doctor --repair"), "{what}: {error}");
        }
        let (check, code) = doctor(&ann, &[]);
        assert_eq!((check["state"].as_str(), code), (Some("fail"), Some(4)), "{what}: {check}");
        assert!(files(&store) == damaged, "{what}: starting changed the files");

        let (check, code) = doctor(&ann, &["--repair"]);
        assert_eq!((check["state"].as_str(), code), (Some("warn"), Some(0)), "{what}: {check}");
        let aside = store.with_file_name(format!("store.damaged-{}", number + 1));
        let kept: Vec<_> = files(&aside).into_values().collect();
        assert!(kept == damaged.into_values().collect::<Vec<_>>(), "{what}: the damaged folder was changed");
        lost_some |= ann.log() != before;

        // What is written now must not take a place that a lost entry had.
        let text = format!("written after {what}");
        ann.ok(&["--offline", "send", &text]);
        sync();
        let after: Vec<String> = ann.log().lines().map(str::to_owned).collect();
        assert!(before.lines().all(|line| after.iter().any(|it| it == line)), "{what}: entries are lost");
        assert_eq!(ann.texts().last(), Some(&text));
        assert_eq!(doctor(&ann, &[]).0["state"], "ok");
    }
    assert!(lost_some, "no damage lost anything, so nothing came from the peer");
    assert_eq!(serving.terminate(), Some(0));
    assert_eq!(ann.log(), bob.log());
    assert_eq!(ann.digest(), bob.digest());
    assert_eq!(ann.verify()["digest"], bob.verify()["digest"]);
    for home in [&ann, &bob] {
        assert_eq!(home.status()["forked"].as_array().map(Vec::len), Some(0), "a place was given out twice");
    }
}

#[test]
fn a_store_that_nobody_else_has_is_mended_from_its_own_bytes() {
    let ann = Home::new("ann");
    let ids: Vec<String> = (0..12).map(|number| ann.send(&format!("alone {number}"))).collect();
    ann.log();
    // sled itself opens nothing of this.
    change(&store(&ann), "db", |bytes, used| bytes[used - 300..].fill(0));
    ann.fails(4, &["log"]);
    assert_eq!(doctor(&ann, &["--repair"]).1, Some(0));
    let log = ann.log();
    let kept = ids.iter().filter(|id| log.contains(*id)).count();
    assert!(kept >= 10, "only {kept} of {} were kept", ids.len());
    assert!(!ann.send("and on").is_empty());
    ann.verify();
}

#[test]
fn the_doctor_of_a_sound_home_finds_nothing_and_repairs_nothing() {
    let ann = Home::new("ann");
    ann.send("well");
    let (check, code) = doctor(&ann, &["--repair"]);
    assert_eq!((check["state"].as_str(), code), (Some("ok"), Some(0)));
    assert_eq!(fs::read_dir(store(&ann).parent().unwrap()).unwrap().count(), 1);
    let nobody = crate::program::free_address();
    let told = ann.ok(&["--listen", "127.0.0.1:0", "--peer", &nobody, "doctor"]);
    for wanted in ["ok    permissions", "ok    store", "warn  listener", "ok    clock", "warn  peer"] {
        assert!(told.contains(wanted), "{wanted} is not in {told}");
    }
    assert!(told.contains(&nobody), "{told}");
}
