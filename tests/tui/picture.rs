//! The screens that README shows are those of this program; with REPLICA_BLESS=1 they are taken anew.

use std::fs;

use rustix::process::Signal;

use super::Terminal;
use crate::program::{Home, free_address, repository};

const COLUMNS: u16 = 84;

/// Two homes of which the first one's room stays where both knock: that of the lower key.
fn homes() -> (Home, Home) {
    let [one, other] = [Home::new("ann"), Home::new("bob")];
    if one.author() < other.author() { (one, other) } else { homes() }
}

/// What README tells: bob knocks and is let in, both write on while they are apart, and meet again.
fn story() -> [String; 2] {
    let (ann, bob) = homes();
    let at = free_address();
    let mut of_ann = Terminal::chat(&ann, &at, &[]);
    of_ann.resize(COLUMNS, 19);
    of_ann.shows("nobody else is in this room");
    let mut of_bob = Terminal::chat(&bob, "127.0.0.1:0", &["--peer", &at]);
    of_ann.until("a knock", |screen| {
        // Where it is broken depends on the words of bob's key.
        screen.split_whitespace().collect::<Vec<_>>().join(" ").contains("/accept bob lets them in")
    });
    of_ann.press("/accept bob");
    of_ann.shows("> /accept bob");
    let knock = of_ann.screen();

    of_ann.press("\r");
    of_bob.shows("the same history");
    of_ann.press("welcome bob\r");
    of_bob.shows("welcome bob");
    of_bob.press("thanks\r");
    of_ann.shows("thanks");
    of_ann.shows("2 messages");
    of_ann.press("\x04");
    assert_eq!(of_ann.end(), (0, true));
    of_bob.shows("ann is gone");
    of_bob.press("bob on the train\r");
    of_bob.until("what bob wrote alone", |screen| screen.contains("│ bob on the train"));
    ann.send("ann writes offline");

    // What bob wrote is to come while ann looks on: he is not there before her room is open.
    of_bob.signal(Signal::STOP);
    let mut of_ann = Terminal::chat(&ann, &at, &[]);
    of_ann.resize(COLUMNS, 14);
    of_ann.shows("ann writes offline");
    of_bob.signal(Signal::CONT);
    let is_whole = |screen: &str| {
        let ends = |sign: char| screen.lines().filter(|line| line.trim_end().ends_with(sign)).count();
        let words = ["↷ late", "here, agreed", "4 messages"];
        words.iter().all(|words| screen.contains(words)) && ends('●') >= 3
    };
    of_ann.until("what was written in parallel", is_whole);
    // What is told until the next key is not of this story.
    of_ann.press("\x0c");
    let is_told = |screen: &str| screen.contains("since you were here");
    of_ann.until("a key", |screen| is_whole(screen) && !is_told(screen));
    let port = at.rsplit(':').next().unwrap();
    [knock, of_ann.screen()].map(|screen| screen.replace(port, "7400"))
}

/// A screen without what differs from day to day and from key to key: times, words of keys, the order's digest.
fn shape(screen: &str) -> String {
    let mut shape: Vec<String> = Vec::new();
    let mut is_aside = false;
    for line in screen.lines().filter(|line| !line.starts_with("──") || line.contains("new")) {
        for word in line.split_whitespace() {
            is_aside |= word.starts_with('(');
            if !is_aside && !word.contains(|c: char| c == '─' || c.is_ascii_digit()) {
                shape.push(word.to_owned());
            }
            is_aside &= !word.contains(')');
        }
    }
    let mut shape = shape.join(" ");
    // Who has no name yet is called by the words of their key; and a digest may have no digit.
    for (before, after) in [("· │ ", " is called"), ("order ", "·")] {
        let mut from = 0;
        while let Some(at) = shape[from..].find(before).map(|at| from + at + before.len()) {
            let end = shape[at..].find(after).map_or(at, |end| at + end);
            let is_one_word = !shape[at..end].trim_end().contains(' ');
            shape.replace_range(at..if is_one_word { end } else { at }, "");
            from = at;
        }
    }
    shape
}

#[test]
fn the_screens_that_the_readme_shows_are_those_of_the_program() {
    let file = repository().join("README.md");
    let mut page = fs::read_to_string(&file).unwrap();
    let screens = story();
    let is_taken_anew = std::env::var_os("REPLICA_BLESS").is_some();
    for (number, screen) in screens.iter().enumerate() {
        let fence = "```text\n";
        let start = page.match_indices(" #home · order").nth(number).unwrap().0;
        assert!(page[..start].ends_with(fence), "a screen of README stands in no block of its own");
        let end = start + page[start..].find("```").unwrap();
        if is_taken_anew {
            let lines: Vec<&str> = screen.lines().map(str::trim_end).collect();
            page.replace_range(start..end, &(lines.join("\n").trim_end().to_owned() + "\n"));
        }
        let end = start + page[start..].find("```").unwrap();
        assert_eq!(
            shape(&page[start..end]),
            shape(screen),
            "README shows\n{}\nand it is\n{screen}",
            &page[start..end]
        );
    }
    if is_taken_anew {
        fs::write(&file, page).unwrap();
    }
}

#[test]
fn a_shape_is_the_same_on_another_day_and_another_one_of_another_screen() {
    let screen = " #home · order f8839af2 · 0 messages\n── Sun 22 Nov 2026 ──\n21:26    · │ ann made the room home\n\
                  \x20        · │ cloth-describe is called ann\n ┄ bob (one two three) at 127.0.0.1 knocks";
    let other = " #home · order abcdefab · 0 messages\n── Mon 2 Mar 2027 ─\n   · │ ann made the room home\n\
                 07:01   · │ big-fish is called ann\n ┄ bob (a\n b c) at 127.0.0.1 knocks";
    assert_eq!(shape(screen), shape(other));
    assert_ne!(shape(screen), shape(&other.replace("made", "has")));
}
