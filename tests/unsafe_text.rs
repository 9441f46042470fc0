//! What others write, on the screen and in the logs of those who read it: nothing that a terminal obeys, nothing that
//! cannot be seen.

use std::fs;

use crate::program::{Home, describe, free_address, repository};

/// Everything that is there to trick a terminal or a reader.
const TEXT: &str = "a\x1b]0;owned\x07\x1b[2J\x1b[31m\u{9b}5A\u{202e}b\u{2066}c\u{200b}d\u{2028}e\u{2029}f\u{e0041}g\u{e000}\
                    h\u{10ffff}i\u{feff}j\x08k\x7fl\rm";

/// What a command line lets through as a name; a peer's program may let more through, which is for the tests of text.
const NICK: &str = "a\u{202e}n\u{200b}n\u{2066}\u{e0041}\u{e000}";

#[track_caller]
fn check(what: &str, shown: &[u8]) {
    let shown = std::str::from_utf8(shown).unwrap();
    let is_bad = |c: char| {
        c.is_control() && c != '\n'
            || matches!(c, '\u{200b}' | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
            || matches!(c, '\u{feff}' | '\u{e000}'..='\u{f8ff}' | '\u{e0000}'..)
    };
    let found: Vec<char> = shown.chars().filter(|c| is_bad(*c)).collect();
    assert!(found.is_empty(), "{what} shows {found:?}: {shown:?}");
}

#[test]
fn no_command_shows_what_a_terminal_would_obey() {
    let (ann, bob) = (Home::new(NICK), Home::new("bob"));
    let ticket = ann.invite();
    ann.send(TEXT);
    ann.send(&format!("z{}", "\u{301}".repeat(500)));
    let at = free_address();
    let mut in_ann = ann.chat(&at, &["--open"]);
    in_ann.say("up");
    in_ann.reads("up");

    let log = bob.path().with_file_name("bob.log");
    let run = |args: &[&str], input: &str| {
        let log = log.to_str().unwrap();
        let output = bob.run_with(&[&["-vvv", "--log-file", log], args].concat(), input);
        check(&format!("stdout of {args:?}"), &output.stdout);
        check(&format!("stderr of {args:?}"), &output.stderr);
        assert!(output.status.success(), "{args:?}: {}", describe(&output));
        String::from_utf8(output.stdout).unwrap()
    };
    run(&["--peer", &at, "join", &ticket], "");
    run(&["--peer", &at, "sync"], "");
    run(&["--listen", "127.0.0.1:0"], "bob speaks\n");
    let shown = run(&["log"], "");
    assert!(shown.contains("␛]0;owned␇"), "{shown}");
    assert!(shown.chars().filter(|c| *c == '\u{301}').count() < 10, "{shown}");
    run(&["log", "--search", "owned"], "");
    run(&["peers"], "");
    run(&["status"], "");
    run(&["whoami"], "");
    run(&["verify"], "");
    check("the log file", &fs::read(&log).unwrap());
    assert!(fs::metadata(&log).unwrap().len() > 0);
    // Scripts get the text as it was written.
    assert!(bob.texts().iter().any(|text| text == TEXT));
    assert_eq!(in_ann.finish(), Some(0));
}

#[test]
fn only_one_place_writes_to_the_terminal() {
    // What the screen is made of passes `view::guard`, cell by cell.
    let may = ["output.rs", "logging.rs", "tui/terminal.rs"];
    let mut sources = vec![repository().join("cli")];
    while let Some(path) = sources.pop() {
        if path.is_dir() {
            sources.extend(fs::read_dir(path).unwrap().map(|entry| entry.unwrap().path()));
            continue;
        }
        if may.iter().any(|name| path == repository().join("cli").join(name)) {
            continue;
        }
        let text = fs::read_to_string(&path).unwrap();
        for line in text.lines().filter(|line| line.contains("stdout()") || line.contains("stderr()")) {
            // Asking what a terminal is shows nothing.
            let is_harmless = line.contains("is_terminal()");
            assert!(is_harmless, "{}: {line}", path.display());
        }
        let raw = text.lines().filter(|line| line.contains("output.bytes(")).count();
        // What they write was made safe before, is of the program alone, or is not for people.
        let draws = ["commands/export.rs", "commands/describe.rs"].iter().any(|name| path.ends_with(name));
        assert!(raw == 0 || draws, "{} writes past what guards the terminal", path.display());
    }
}
