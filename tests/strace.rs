//! What the system sees: a real sync of the disk between writing an entry and acknowledging it.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::program::{Home, describe, has};

/// Sends something: what was printed, and which of these calls were made, each file descriptor with its path.
fn sent_under_strace(home: &Home, calls: &str) -> (String, String) {
    let trace = home.path().with_file_name("trace");
    let mut command = Command::new("strace");
    let program = home.command(&["--offline", "send", "traced"]);
    command.args(["-f", "-y", "-e", &format!("trace={calls}"), "-o"]).arg(&trace);
    command.arg(program.get_program()).args(program.get_args());
    let output = command.output().unwrap();
    assert!(output.status.success(), "{}", describe(&output));
    (String::from_utf8(output.stdout).unwrap(), std::fs::read_to_string(trace).unwrap())
}

#[test]
fn a_sent_message_is_synced_before_its_id_is_printed() {
    if !has("strace") {
        return;
    }
    let ann = Home::new("ann");
    ann.send("makes the room");
    let (id, trace) = sent_under_strace(&ann, "fdatasync,write,pwrite64");
    let lines: Vec<&str> = trace.lines().collect();
    let printed = lines.iter().position(|line| line.contains("write(1<") && line.contains(&id[..16]));
    let printed = printed.unwrap_or_else(|| panic!("the id is not in the trace:\n{trace}"));
    let synced = lines[..printed].iter().rposition(|line| line.contains("fdatasync("));
    let synced = synced.unwrap_or_else(|| panic!("nothing was synced before the id was printed:\n{trace}"));
    let written = lines[..synced].iter().rposition(|line| line.contains("pwrite64("));
    assert!(written.is_some(), "nothing was written before the sync:\n{trace}");
}

#[test]
fn the_files_of_a_new_room_and_their_names_are_synced() {
    if !has("strace") {
        return;
    }
    let ann = Home::new("ann");
    let (_, trace) = sent_under_strace(&ann, "fsync,fdatasync");
    let rooms = ann.path().join("rooms");
    let room = std::fs::read_dir(&rooms).unwrap().next().unwrap().unwrap().path();
    let store = find(&room, "db");
    for path in [&store, &store.with_file_name("conf"), store.parent().unwrap(), &room, &rooms, &ann.path()] {
        let is_synced = trace.contains(&format!("<{}>", path.display()));
        assert!(is_synced, "{} was not synced:\n{trace}", path.display());
    }
}

/// A file of this name, somewhere in a folder.
fn find(folder: &Path, name: &str) -> PathBuf {
    let entries = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let (folders, files): (Vec<_>, Vec<_>) = entries.partition(|path| path.is_dir());
    let here = files.into_iter().find(|path| path.file_name().is_some_and(|it| it == name));
    here.unwrap_or_else(|| find(&folders[0], name))
}
