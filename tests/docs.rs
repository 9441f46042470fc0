//! What the documents show is tried: in each ```console block of a page, every `$ command` runs in one shell, in order, with
//! the real program and an empty home folder. It must succeed, and print what the page shows below it, where `…` is anything.
//! A block that needs a person, a second machine or an end by Ctrl+C is fenced as ```text.

use std::fmt::Write as _;
use std::fs::{self, File};
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::mpsc::sync_channel;

use rustix::process::{Pid, Signal, kill_process_group};

use crate::program::{PATIENCE, repository};

/// Printed after each command, before its exit code.
const END: char = '\u{1e}';

struct Step<'a> {
    line: usize,
    command: &'a str,
    shown: Vec<&'a str>,
}

fn steps(page: &str) -> Vec<Step<'_>> {
    let mut steps: Vec<Step<'_>> = Vec::new();
    let mut is_console = false;
    for (line, text) in (1..).zip(page.lines()) {
        if let Some(fence) = text.strip_prefix("```") {
            is_console = fence == "console";
        } else if !is_console {
        } else if let Some(command) = text.strip_prefix("$ ") {
            steps.push(Step { line, command, shown: Vec::new() });
        } else if let Some(step) = steps.last_mut() {
            step.shown.push(text);
        }
    }
    steps
}

/// Runs the commands in one shell, and answers what it printed, stderr included.
fn run(steps: &[Step<'_>], folder: &Path) -> String {
    let mut script = String::new();
    for step in steps {
        writeln!(script, "{}\nprintf '{END}%s\\n' $?", step.command).unwrap();
    }
    let script_file = folder.join("script");
    fs::write(&script_file, script).unwrap();
    let printed = folder.join("printed");
    let output = File::create(&printed).unwrap();
    let work = folder.join("work");
    fs::create_dir(&work).unwrap();

    let program = Path::new(env!("CARGO_BIN_EXE_replica")).parent().unwrap();
    let path = std::env::var("PATH").unwrap();
    let mut shell = Command::new("sh");
    shell.arg(&script_file).current_dir(&work).env_clear();
    shell.env("PATH", format!("{}:{path}", program.display()));
    shell.envs([("HOME", folder)]).envs([("USER", "ann"), ("TZ", "UTC"), ("LC_ALL", "C.UTF-8")]);
    // Nothing leaves this machine.
    shell.envs([
        ("REPLICA_LISTEN", "127.0.0.1:0"),
        ("REPLICA_NO_LAN", "1"),
        ("REPLICA_NO_PORT_MAPPING", "1"),
    ]);
    shell.stdin(Stdio::null()).stdout(output.try_clone().unwrap()).stderr(output);
    // A group of its own, so that what it leaves running ends with it.
    let mut shell = shell.process_group(0).spawn().unwrap();
    let group = Pid::from_child(&shell);
    let (done, finished) = sync_channel::<()>(1);
    let watchdog = std::thread::spawn(move || {
        finished.recv_timeout(PATIENCE).ok();
        kill_process_group(group, Signal::KILL).ok();
    });
    shell.wait().unwrap();
    drop(done);
    watchdog.join().unwrap();
    fs::read_to_string(printed).unwrap()
}

/// Whether a text is as a page shows it.
fn is_as_shown(text: &str, shown: &str) -> bool {
    let mut pieces = shown.split('…');
    let Some(mut rest) = text.strip_prefix(pieces.next().unwrap_or_default()) else { return false };
    let mut pieces: Vec<&str> = pieces.collect();
    let Some(last) = pieces.pop() else { return rest.is_empty() };
    for piece in pieces {
        let Some(at) = rest.find(piece) else { return false };
        rest = &rest[at + piece.len()..];
    }
    rest.ends_with(last)
}

fn trimmed(lines: impl IntoIterator<Item = impl AsRef<str>>) -> String {
    let lines: Vec<String> = lines.into_iter().map(|line| line.as_ref().trim_end().to_owned()).collect();
    lines.join("\n").trim().to_owned()
}

#[track_caller]
fn check(page: &str, steps_min: usize) {
    let text = fs::read_to_string(repository().join(page)).unwrap();
    let steps = steps(&text);
    assert!(steps.len() >= steps_min, "{page} shows only {} commands that can be tried", steps.len());
    let folder = tempfile::tempdir().unwrap();
    let printed = run(&steps, folder.path());
    let mut rest = printed.as_str();
    for Step { line, command, shown } in &steps {
        let place = format!("{page}:{line}: {command}");
        let (output, after) = rest.split_once(END).unwrap_or_else(|| panic!("{place}\ndid not end: {rest}"));
        let (code, after) = after.split_once('\n').unwrap();
        rest = after;
        assert_eq!(code, "0", "{place}\nfailed: {output}");
        let (output, shown) = (trimmed(output.lines()), trimmed(shown));
        assert!(
            shown.is_empty() || is_as_shown(&output, &shown),
            "{place}\nprinted:\n{output}\nand not:\n{shown}"
        );
    }
}

#[test]
fn the_readme_shows_what_happens() {
    check("README.md", 8);
}

#[test]
fn the_guide_shows_what_happens() {
    check("docs/guide.md", 30);
}

#[test]
fn what_is_shown_is_compared() {
    assert!(is_as_shown("a 12 b\nc", "a … b\nc"));
    assert!(is_as_shown("a\nb\nc", "a\n…\nc"));
    assert!(!is_as_shown("a 12 b", "a 12"));
    assert!(!is_as_shown("a 12 b", "a … c"));
    assert!(!is_as_shown("a", "a…a"));
}

/// Calls `check` with the words and the file of each link to a file of ours.
fn each_link(page: &str, check: impl Fn(&str, &Path)) {
    let file = repository().join(page);
    let text = fs::read_to_string(&file).unwrap();
    let mut links = 0;
    for (before, after) in text.match_indices("](").map(|(at, it)| (&text[..at], &text[at + it.len()..])) {
        let words = before.rsplit('[').next().unwrap();
        let target = after.split(')').next().unwrap().split('#').next().unwrap();
        if !target.is_empty() && !target.contains("://") {
            check(words, &file.parent().unwrap().join(target));
            links += 1;
        }
    }
    assert!(links > 0, "{page} has no links any more");
}

#[test]
fn links_between_pages_lead_somewhere() {
    for page in ["README.md", "SECURITY.md", "ARCHITECTURE.md", "docs/guide.md", "docs/tour.md"] {
        each_link(page, |words, target| assert!(target.exists(), "{page}: [{words}] leads nowhere"));
    }
}

#[test]
fn what_the_tour_names_is_where_it_leads() {
    each_link("docs/tour.md", |words, target| {
        let Some(name) = words.strip_prefix('`').and_then(|words| words.strip_suffix('`')) else { return };
        if !name.ends_with(".rs") && !name.ends_with('/') {
            let code = fs::read_to_string(target).unwrap();
            let is_there = name.split("::").all(|part| code.contains(part));
            assert!(is_there, "{name} is not in {}", target.display());
        }
    });
}
