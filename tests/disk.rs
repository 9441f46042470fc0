//! Disks that are full, that cannot be written, and that lost power: real file systems, which only root may mount.

use std::path::Path;
use std::process::Command;

use tempfile::TempDir;

use crate::program::{Home, json, rounds, say};
use crate::tui::Terminal;

/// A file system of its own, for as long as it lives.
struct Mount {
    folder: TempDir,
}

impl Mount {
    /// Mounts; none where that is not allowed, which is said.
    fn new(args: &[&str]) -> Option<Self> {
        let mount = Self { folder: tempfile::tempdir().unwrap() };
        let done = Command::new("mount").args(args).arg(mount.path()).output();
        if done.as_ref().is_ok_and(|done| done.status.success()) {
            return Some(mount);
        }
        say(&format!("skipped: a file system cannot be mounted here ({})", args.join(" ")));
        None
    }

    fn path(&self) -> &Path {
        self.folder.path()
    }

    fn again(&self, options: &str) {
        let done = Command::new("mount").args(["-o", options]).arg(self.path()).status().unwrap();
        assert!(done.success());
    }
}

impl Drop for Mount {
    fn drop(&mut self) {
        Command::new("umount").arg("-l").arg(self.path()).output().ok();
    }
}

/// Text that does not compress, so that it takes its place on a disk.
fn noise(number: usize) -> String {
    let mut state = number as u64;
    let mut next = || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        char::from(b'!' + u8::try_from((state >> 33) % 90).unwrap())
    };
    (0..4000).map(|_| next()).collect()
}

/// Sends until the disk is full. Answers the ids of what was acknowledged, and what was said of what was not.
fn send_until_it_fails(home: &Home, send: &[&str]) -> (Vec<String>, String) {
    let mut acknowledged = Vec::new();
    loop {
        let output = home.run(&[send, &[&noise(acknowledged.len())]].concat());
        if !output.status.success() {
            assert_eq!(output.status.code(), Some(4), "{output:?}");
            return (acknowledged, String::from_utf8(output.stderr).unwrap());
        }
        acknowledged.push(String::from_utf8(output.stdout).unwrap().trim().to_owned());
        assert!(acknowledged.len() < 2_000, "the disk does not become full");
    }
}

#[test]
fn a_full_disk_is_said_nothing_acknowledged_is_lost_and_reading_goes_on() {
    let Some(disk) = Mount::new(&["-t", "tmpfs", "-o", "size=3m", "tmpfs"]) else { return };
    let ann = Home::within(disk.path(), "ann");
    let (acknowledged, error) = send_until_it_fails(&ann, &["--offline", "send"]);
    assert!(error.contains("No space left"), "{error}");
    assert!(acknowledged.len() > 20);
    let check = || {
        let log = ann.log();
        assert!(acknowledged.iter().all(|id| log.contains(id)), "an acknowledged message is not there");
        ann.verify();
    };
    check();
    let error = ann.fails(4, &["--offline", "send", "one more"]);
    assert!(error.contains("No space left"), "{error}");
    check();

    disk.again("remount,size=16m");
    let id = ann.send("there is room again");
    assert!(ann.log().contains(&id));
    check();
}

#[test]
fn a_chat_on_a_disk_that_fills_up_shows_nothing_that_is_not_kept() {
    let Some(disk) = Mount::new(&["-t", "tmpfs", "-o", "size=3m", "tmpfs"]) else { return };
    let ann = Home::within(disk.path(), "ann");
    let mut chat = ann.chat("127.0.0.1:0", &[]);
    // As much as fits, and more.
    for number in 0..1_000 {
        if !chat.try_say(&noise(number)) {
            break;
        }
    }
    assert_eq!(chat.finish(), Some(4));
    let shown: Vec<String> = chat.texts().into_iter().map(str::to_owned).collect();
    assert!(shown.len() > 20, "only {} were shown", shown.len());
    let texts = ann.texts();
    assert!(shown.iter().all(|text| texts.contains(text)), "what was shown is not there");
    disk.again("remount,size=16m");
    assert!(shown.iter().all(|text| ann.texts().contains(text)), "what was shown is not there");
    ann.send("there is room again");
    ann.verify();
}

#[test]
fn what_cannot_be_written_can_be_read() {
    let Some(disk) = Mount::new(&["-t", "tmpfs", "-o", "size=16m", "tmpfs"]) else { return };
    let ann = Home::within(disk.path(), "ann");
    let ids = ["one", "two"].map(|text| ann.send(text));
    let (log, digest) = (ann.log(), ann.digest());
    disk.again("remount,ro");
    assert_eq!((ann.log(), ann.digest()), (log, digest));
    assert!(ids.iter().all(|id| ann.log().contains(id)));
    let error = ann.run(&["--offline", "send", "three"]);
    assert_eq!(error.status.code(), Some(4));
    let error = String::from_utf8(error.stderr).unwrap();
    assert!(error.contains("Read-only"), "{error}");
    disk.again("remount,rw");
    ann.send("three");
    assert_eq!(ann.texts(), ["one", "two", "three"]);
}

#[test]
fn a_person_reads_on_when_the_disk_becomes_full() {
    let Some(disk) = Mount::new(&["-t", "tmpfs", "-o", "size=8m", "tmpfs"]) else { return };
    let ann = Home::within(disk.path(), "ann");
    ann.send("from better days");
    let mut screen = Terminal::chat(&ann, "127.0.0.1:0", &[]);
    screen.shows("from better days");
    std::fs::write(disk.path().join("junk"), vec![1; 16 << 20]).unwrap_err();
    // The store's file has some place left. What others write at this home fails in the same moment.
    let (acknowledged, _) = send_until_it_fails(&ann, &["send"]);
    screen.shows("READ ONLY");
    screen.shows("you can still read");
    // The chat has the store open, and reads for whoever asks.
    let log = ann.log();
    assert!(acknowledged.iter().all(|id| log.contains(id)), "an acknowledged message is not there");
    ann.verify();
    screen.press("/search better\r");
    screen.shows("from better days");
    // The search is closed first.
    screen.press("\x03\x04");
    assert_eq!(screen.end(), (0, true));
}

#[test]
fn a_chat_of_what_cannot_be_written_opens_for_a_person_and_fails_for_a_script() {
    let Some(disk) = Mount::new(&["-t", "tmpfs", "-o", "size=16m", "tmpfs"]) else { return };
    let ann = Home::within(disk.path(), "ann");
    ann.send("from better days");
    disk.again("remount,ro");
    let editor = [("EDITOR", "true"), ("VISUAL", "")];
    let mut screen = Terminal::start(&ann, &["--listen", "127.0.0.1:0"], &editor);
    screen.shows("READ ONLY");
    screen.shows("you can still read");
    screen.shows("from better days");
    screen.press("in vain\x18");
    screen.shows("No program can write it");
    screen.shows("> in vain");
    screen.press("\r");
    screen.shows("Not done");
    screen.press("\x04");
    assert_eq!(screen.end(), (0, true));
    let piped = ann.run_with(&["--offline"], "in vain\n");
    let told = String::from_utf8(piped.stderr).unwrap();
    assert_eq!(piped.status.code(), Some(4), "{told}");
    assert!(told.contains("Read-only"), "{told}");
    assert!(ann.fails(4, &["--listen", "127.0.0.1:0", "serve"]).contains("Read-only"));
}

#[test]
fn a_server_goes_on_for_the_rooms_that_can_be_written() {
    let Some(disk) = Mount::new(&["-t", "tmpfs", "-o", "size=16m", "tmpfs"]) else { return };
    let (ann, bob) = (Home::new("ann"), Home::new("bob"));
    let ticket = ann.invite();
    bob.send("of a room whose disk fails");
    let rooms = bob.path().join("rooms");
    let own = std::fs::read_dir(&rooms).unwrap().next().unwrap().unwrap();
    let elsewhere = disk.path().join("room");
    assert!(Command::new("cp").arg("-r").args([own.path(), elsewhere.clone()]).status().unwrap().success());
    std::fs::remove_dir_all(own.path()).unwrap();
    std::os::unix::fs::symlink(&elsewhere, own.path()).unwrap();
    disk.again("remount,ro");
    bob.ok(&["--offline", "join", &ticket]);
    let both = bob.ok(&["--json", "rooms"]);
    assert_eq!(both.lines().count(), 2, "{both}");
    for current in both.lines().map(|room| json(room)["id"].as_str().unwrap().to_owned()) {
        let mut serving = bob.start(&["--json", "--listen", "127.0.0.1:0", "--room", &current, "serve"]);
        let at = serving.wait("listening", |line| line["type"] == "listening")["addr"].clone();
        let synced = ann.ok(&["--peer", at.as_str().unwrap(), "--json", "sync"]);
        assert!(synced.contains("\"agreed\":true"), "{synced}");
        assert_eq!(serving.terminate(), Some(0), "{current}");
    }
}

/// Power cuts in the middle of heavy sending, some 200 ms each.
const POWER_CUTS: usize = 8;

#[test]
fn what_was_acknowledged_before_the_power_went_is_there_after_it() {
    let folder = tempfile::tempdir().unwrap();
    let image = folder.path().join("disk");
    let rounds = rounds(POWER_CUTS);
    let bytes = (32 + 2 * rounds as u64) << 20;
    std::fs::File::create(&image).unwrap().set_len(bytes).unwrap();
    let made = Command::new("mkfs.ext4").args(["-q", "-F"]).arg(&image).output();
    if !made.is_ok_and(|made| made.status.success()) {
        return say("skipped: mkfs.ext4 is not to be had");
    }
    let Some(disk) = Mount::new(&["-o", "loop", image.to_str().unwrap()]) else { return };
    let ann = Home::within(disk.path(), "ann");
    let relative = ann.path().strip_prefix(disk.path()).unwrap().to_owned();
    let mut chat = ann.chat("127.0.0.1:0", &[]);
    for number in 0..rounds {
        for line in 0..40 {
            chat.say(&format!("{number} {line} {}", noise(line)));
        }
        chat.reads_beginning(&format!("{number} {} ", 5 * number % 40));
        let acknowledged: Vec<String> = chat.texts().into_iter().map(str::to_owned).collect();
        // Stopped at any moment, so that the copy is of one moment. It has the bytes that the disk has, not those that the
        // system has in mind: it is made around the cache.
        chat.signal(rustix::process::Signal::STOP);
        let copy = folder.path().join("cut");
        let copied = Command::new("dd")
            .args(["bs=1M", "iflag=direct", "status=none"])
            .arg(format!("if={}", loop_device(disk.path())))
            .arg(format!("of={}", copy.display()))
            .status();
        assert!(copied.unwrap().success());
        chat.signal(rustix::process::Signal::CONT);
        let Some(cut) = Mount::new(&["-o", "loop", copy.to_str().unwrap()]) else { return };
        let after = Home::at(cut.path().join(&relative), "ann");
        let texts = after.texts();
        let lost = acknowledged.iter().filter(|text| !texts.contains(text)).count();
        assert_eq!(lost, 0, "{lost} of {} acknowledged messages are lost", acknowledged.len());
        after.verify();
        after.send("the light is on again");
    }
    assert_eq!(chat.finish(), Some(0));
}

/// The device that is mounted there.
fn loop_device(at: &Path) -> String {
    let output = Command::new("findmnt").args(["-n", "-o", "SOURCE"]).arg(at).output().unwrap();
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
}
