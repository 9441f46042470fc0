//! What the system sees: a real sync of the disk between writing an entry and acknowledging it.

use std::process::Command;

use crate::program::{Home, describe, has};

#[test]
fn a_sent_message_is_synced_before_its_id_is_printed() {
    if !has("strace") {
        return;
    }
    let ann = Home::new("ann");
    ann.send("makes the room");
    let trace = ann.path().join("trace");
    let mut command = Command::new("strace");
    let program = ann.command(&["--offline", "send", "traced"]);
    command.args(["-f", "-e", "trace=fdatasync,write,pwrite64", "-o"]).arg(&trace);
    command.arg(program.get_program()).args(program.get_args());
    let output = command.output().unwrap();
    assert!(output.status.success(), "{}", describe(&output));
    let id = String::from_utf8(output.stdout).unwrap();
    let trace = std::fs::read_to_string(trace).unwrap();
    let lines: Vec<&str> = trace.lines().collect();
    let printed = lines.iter().position(|line| line.contains("write(1,") && line.contains(&id[..16]));
    let printed = printed.unwrap_or_else(|| panic!("the id is not in the trace:\n{trace}"));
    let synced = lines[..printed].iter().rposition(|line| line.contains("fdatasync("));
    let synced = synced.unwrap_or_else(|| panic!("nothing was synced before the id was printed:\n{trace}"));
    let written = lines[..synced].iter().rposition(|line| line.contains("pwrite64("));
    assert!(written.is_some(), "nothing was written before the sync:\n{trace}");
}
