//! One person in several homes; homes that were copied, put back from a backup or rolled back; keys under passphrases.

use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use crate::program::{Home, Running, describe};

/// A replica that only serves, and where.
fn serve(home: &Home) -> (Running, String) {
    let mut serving = home.start(&["--json", "--listen", "127.0.0.1:0", "serve"]);
    let line = serving.wait("listening", |line| line["type"] == "listening");
    let at = line["addr"].as_str().unwrap().to_owned();
    (serving, at)
}

/// Syncs one home with another that only serves.
fn meet(home: &Home, other: &Home) {
    let (mut serving, at) = serve(other);
    let synced = home.ok(&["--json", "--peer", &at, "sync"]);
    assert!(synced.contains(r#""agreed":true"#), "{synced}");
    assert_eq!(serving.terminate(), Some(0));
}

/// Two people in one room, who have said one thing each.
fn two() -> (Home, Home) {
    let (ann, bob) = (Home::new("ann"), Home::new("bob"));
    let ticket = ann.invite();
    ann.send("ann 1");
    bob.ok(&["--offline", "join", &ticket]);
    bob.ok(&["--offline", "send", "bob 1"]);
    meet(&bob, &ann);
    (ann, bob)
}

fn copy(from: &Path, to: &Path) {
    let done = Command::new("cp").arg("-r").args([from, to]).status().unwrap();
    assert!(done.success());
}

/// Copies a home, as a backup program does.
fn back_up(home: &Home) -> PathBuf {
    let backup = home.path().with_file_name("backup");
    copy(&home.path(), &backup);
    backup
}

/// What all of them must have in common: one log, in one order, with these messages, sound, and forks of so many keys.
#[track_caller]
fn check(homes: &[&Home], texts: &[&str], forks: usize) {
    let log = homes[0].log();
    let mut held = homes[0].texts();
    held.sort_unstable();
    assert_eq!(held, texts);
    for home in homes {
        assert_eq!(home.log(), log, "the logs differ");
        assert_eq!(home.digest(), homes[0].digest());
        assert_eq!(home.verify()["digest"], homes[0].verify()["digest"]);
        let status = home.status();
        assert_eq!(status["forked"].as_array().unwrap().len(), forks, "{status}");
        assert_eq!(status["members"].as_array().unwrap().len(), 2, "{status}");
    }
}

#[test]
fn a_key_carried_by_file_makes_two_homes_of_one_member() {
    let (ann, bob) = two();
    let second = Home::new("ann");
    let file = ann.path().with_file_name("ann.key");
    let file = file.to_str().unwrap();
    assert!(with(&ann, "swordfish", "", &["identity", "export", file]).status.success());
    let wrong = with(&second, "swordfisk", "", &["identity", "import", file]);
    assert_eq!(wrong.status.code(), Some(1), "{}", describe(&wrong));
    second.fails(1, &["identity", "import", file]);
    assert!(with(&second, "swordfish", "", &["identity", "import", file]).status.success());
    second.ok(&["--offline", "join", &ann.invite()]);
    // Both write in a chain of their own: the second home's is new, though the key is not.
    meet(&second, &ann);
    second.send("ann on the train");
    ann.send("ann at home");
    meet(&bob, &second);
    meet(&bob, &ann);
    meet(&second, &ann);
    check(&[&ann, &bob, &second], &["ann 1", "ann at home", "ann on the train", "bob 1"], 0);
    assert_eq!(ann.status()["me"], second.status()["me"]);
}

#[test]
fn a_second_home_where_nobody_named_a_name_leaves_the_room_s_alone() {
    let (ann, second) = (Home::new("ann"), Home::new(""));
    let ticket = ann.invite();
    let file = ann.path().with_file_name("ann.key");
    let file = file.to_str().unwrap();
    assert!(with(&ann, "swordfish", "", &["identity", "export", file]).status.success());
    assert!(with(&second, "swordfish", "", &["identity", "import", file]).status.success());
    second.ok(&["--offline", "join", &ticket]);
    meet(&second, &ann);
    let chat = second.run_with(&["--offline"], "hi\n");
    assert!(chat.status.success(), "{}", describe(&chat));
    meet(&second, &ann);
    for home in [&ann, &second] {
        let members = home.ok(&["--offline", "--json", "members"]);
        assert!(members.contains(r#""nick":"ann""#), "{members}");
    }
}

#[test]
fn a_key_is_not_imported_over_another() {
    let (ann, bob) = two();
    let file = ann.path().with_file_name("ann.key");
    let file = file.to_str().unwrap();
    assert!(with(&ann, "swordfish", "", &["identity", "export", file]).status.success());
    let again = with(&ann, "swordfish", "", &["identity", "export", file]);
    assert_eq!(again.status.code(), Some(1), "a file was replaced: {}", describe(&again));
    let refused = with(&bob, "swordfish", "", &["identity", "import", file]);
    assert_eq!(refused.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&refused.stderr).contains("--home"), "{}", describe(&refused));
    check(&[&ann, &bob], &["ann 1", "bob 1"], 0);
}

#[test]
fn a_copied_home_takes_a_chain_of_its_own() {
    let (ann, bob) = two();
    let copied = Home::new("ann");
    copy(&ann.path(), &copied.path());
    ann.send("ann where she was");
    copied.send("ann in the copy");
    meet(&bob, &ann);
    meet(&bob, &copied);
    meet(&copied, &ann);
    check(&[&ann, &bob, &copied], &["ann 1", "ann in the copy", "ann where she was", "bob 1"], 0);
}

#[test]
fn a_home_put_back_from_a_backup_takes_a_chain_of_its_own() {
    let (ann, bob) = two();
    let backup = back_up(&ann);
    ann.send("ann after the backup");
    meet(&bob, &ann);
    std::fs::remove_dir_all(ann.path()).unwrap();
    copy(&backup, &ann.path());
    assert_eq!(ann.texts().len(), 2, "the backup is older");
    ann.send("ann put back, before she met anyone");
    meet(&bob, &ann);
    let texts = ["ann 1", "ann after the backup", "ann put back, before she met anyone", "bob 1"];
    check(&[&ann, &bob], &texts, 0);
}

/// Puts the stores of a home back as they were in a backup, and nothing by which that could be noticed.
fn roll_back(home: &Home, backup: &Path) {
    std::fs::remove_dir_all(home.path().join("rooms")).unwrap();
    copy(&backup.join("rooms"), &home.path().join("rooms"));
}

#[test]
fn a_roll_back_that_nobody_noticed_forks_nothing_if_somebody_is_met_first() {
    let (ann, bob) = two();
    let backup = back_up(&ann);
    ann.send("ann after the backup");
    meet(&bob, &ann);
    roll_back(&ann, &backup);
    assert_eq!(ann.texts().len(), 2, "the backup is older");
    meet(&bob, &ann);
    ann.send("ann later");
    meet(&bob, &ann);
    check(&[&ann, &bob], &["ann 1", "ann after the backup", "ann later", "bob 1"], 0);
}

#[test]
fn a_roll_back_that_wrote_offline_forks_and_nobody_else_is_affected() {
    let (ann, bob) = two();
    let backup = back_up(&ann);
    ann.send("ann after the backup");
    meet(&bob, &ann);
    roll_back(&ann, &backup);
    ann.send("ann instead of that");
    bob.send("bob meanwhile");
    meet(&bob, &ann);
    bob.send("bob later");
    ann.send("ann later");
    meet(&bob, &ann);
    let texts = [
        "ann 1",
        "ann after the backup",
        "ann instead of that",
        "ann later",
        "bob 1",
        "bob later",
        "bob meanwhile",
    ];
    check(&[&ann, &bob], &texts, 1);
    let status = bob.status();
    let fork = &status["forked"][0];
    assert_eq!(fork["author"], ann.status()["me"]["author"]);
    assert_eq!(fork["entries"].as_array().unwrap().len(), 2, "{status}");
    let told = bob.ok(&["--offline", "status"]);
    assert!(told.contains("used from two places"), "{told}");
    // She goes on under a new chain, so there is no second fork.
    ann.send("ann at last");
    meet(&bob, &ann);
    assert_eq!(bob.status()["forked"].as_array().unwrap().len(), 1);
    assert_eq!(ann.log(), bob.log());
}

/// Runs the program with passphrases that a script gives: the one that opens, and the new one.
fn with(home: &Home, current: &str, new: &str, args: &[&str]) -> Output {
    let mut command = home.command(args);
    command.env("REPLICA_PASSPHRASE", current).env("REPLICA_NEW_PASSPHRASE", new);
    command.stdin(std::process::Stdio::null()).output().unwrap()
}

#[test]
fn a_home_under_a_passphrase_opens_by_it_alone() {
    let ann = Home::new("ann");
    ann.send("before");
    assert!(with(&ann, "", "one", &["identity", "passphrase"]).status.success());
    let asked = ann.fails(1, &["log"]);
    assert!(asked.contains("REPLICA_PASSPHRASE"), "{asked}");
    // A server that introduces others has no use for the key.
    let mut meeting = ann.start(&["--json", "--listen", "127.0.0.1:0", "rendezvous"]);
    meeting.wait("listening", |line| line["type"] == "listening");
    assert_eq!(meeting.terminate(), Some(0));
    let wrong = with(&ann, "two", "", &["log"]);
    assert_eq!(wrong.status.code(), Some(1));
    assert!(wrong.stdout.is_empty(), "{}", describe(&wrong));
    assert!(with(&ann, "one", "", &["--offline", "send", "under it"]).status.success());

    let secret = ann.path().with_file_name("passphrases");
    std::fs::write(&secret, "one\ntwo\n").unwrap();
    ann.ok(&["--passphrase-file", secret.to_str().unwrap(), "identity", "passphrase"]);
    assert_eq!(with(&ann, "one", "", &["log"]).status.code(), Some(1));
    // From a pipe both lines can be read once only.
    let piped = ann.run_with(&["--passphrase-file", "/dev/stdin", "identity", "passphrase"], "two\nthree\n");
    assert!(piped.status.success(), "{}", describe(&piped));
    assert!(with(&ann, "three", "", &["identity", "passphrase", "--remove"]).status.success());
    assert_eq!(ann.texts(), ["before", "under it"]);
}

#[test]
fn a_home_that_others_can_look_into_is_warned_about() {
    let ann = Home::new("ann");
    ann.send("hush");
    let quiet = ann.run(&["log"]);
    assert!(quiet.stderr.is_empty(), "{}", describe(&quiet));
    std::fs::set_permissions(ann.path(), std::fs::Permissions::from_mode(0o755)).unwrap();
    let warned = String::from_utf8(ann.run(&["log"]).stderr).unwrap();
    assert!(warned.contains(&format!("chmod 700 {}", ann.path().display())), "{warned}");
}
