//! Text from other people, made fit for a terminal.
//!
//! A message or a name may hold anything: escape codes that move the cursor or retitle the window, marks that reverse
//! the direction of what follows, characters that cannot be seen. None of it reaches a screen or a log: control
//! characters are shown as signs, marks of direction and invisible characters are dropped, what no font knows is
//! replaced. In JSON text is exact, and all of that is escaped.

use unicode_segmentation::UnicodeSegmentation as _;
use unicode_width::UnicodeWidthStr as _;

pub(crate) use crate::text::clean::is_unseen;
use crate::text::clean::{clean, is_mark};
pub(crate) use crate::text::nearest::nearest;

mod clean;
mod nearest;
#[cfg(test)]
mod tests;

/// How much of a name is shown, in characters as people count them.
pub(crate) const NAME_GRAPHEMES_MAX: usize = 32;

/// Nothing is broken into narrower parts than this.
const COLUMNS_MIN: usize = 16;

/// Text on one line: line ends become a sign.
pub(crate) fn line(text: &str) -> String {
    lines(text).join("⏎")
}

/// The lines of a text, at least one.
pub(crate) fn lines(text: &str) -> Vec<String> {
    let is_end = |c: char| matches!(c, '\n' | '\r' | '\x0b' | '\x0c' | '\u{85}' | '\u{2028}' | '\u{2029}');
    text.replace("\r\n", "\n").split(is_end).map(clean).collect()
}

/// A name: on one line, without blanks at its ends or in a row, cut to [`NAME_GRAPHEMES_MAX`], and without the signs
/// that this program sets around names. Empty if nothing of it can be seen.
pub(crate) fn name(text: &str) -> String {
    let line = lines(text).join(" ");
    let own_sign = |c| match c {
        '(' | '❨' | '⁽' | '₍' | '⦅' | '（' | '﹙' => '[',
        ')' | '❩' | '⁾' | '₎' | '⦆' | '）' | '﹚' => ']',
        '│' | '┃' | '｜' | '￨' | '❘' | '∣' | '⎮' => '|',
        '↷' => '?',
        // Braille without a dot: a blank that does not count as one.
        '\u{2800}' => ' ',
        c => c,
    };
    let plain: String = line.chars().map(own_sign).collect();
    let plain = plain.split_whitespace().collect::<Vec<_>>().join(" ");
    if plain.chars().all(is_mark) {
        return String::new();
    }
    match plain.grapheme_indices(true).nth(NAME_GRAPHEMES_MAX) {
        Some(_) => {
            let end = plain.grapheme_indices(true).nth(NAME_GRAPHEMES_MAX - 1).map_or(0, |(at, _)| at);
            format!("{}…", &plain[..end])
        }
        None => plain,
    }
}

/// What two names that look alike have in common: case, blanks, accents and look-alikes of any script do not count.
pub(crate) fn skeleton(text: &str) -> String {
    // As it stands, since a capital may look like another small letter; then without regard to case.
    let alike: String = unicode_security::skeleton(&name(text)).collect();
    let alike: String = unicode_security::skeleton(&alike.to_lowercase()).collect();
    let alike = alike.to_lowercase();
    let is_accent = |c: &char| matches!(c, '\u{300}'..='\u{36f}');
    let letters = alike.chars().filter(|c| !c.is_whitespace() && !is_accent(c));
    // Those two capitals, and the digit, are alike.
    letters.map(|c| if c == 'i' { 'l' } else { c }).collect()
}

/// A line for people with colours of our own in it. Whatever else a terminal would obey is made safe, should it have
/// come this far.
pub(crate) fn guarded(line: &str) -> String {
    let mut safe = String::with_capacity(line.len());
    let mut rest = line;
    while let Some((before, behind)) = rest.split_once("\x1b[") {
        safe.push_str(&clean(before));
        let end = behind.find(|c: char| !c.is_ascii_digit() && c != ';').unwrap_or(behind.len());
        rest = match behind.split_at(end) {
            (numbers, tail) if tail.starts_with('m') => {
                safe.push_str(&format!("\x1b[{numbers}m"));
                &tail[1..]
            }
            _ => {
                safe.push_str("␛[");
                behind
            }
        };
    }
    safe.push_str(&clean(rest));
    safe
}

/// `1 message`, `2 messages`.
pub(crate) fn count(number: u64, thing: &str) -> String {
    match thing.strip_suffix('y') {
        _ if number == 1 => format!("{number} {thing}"),
        Some(stem) => format!("{number} {stem}ies"),
        None => format!("{number} {thing}s"),
    }
}

/// A large number for people: `12,400`.
pub(crate) fn grouped(number: u64) -> String {
    indicatif::HumanCount(number).to_string()
}

/// The parts between which a line may be broken: behind blanks, and beside letters that take two columns.
fn words(line: &str) -> Vec<&str> {
    let is_blank = |word: &str| word.chars().all(char::is_whitespace);
    let is_wide = |word: &str| word.graphemes(true).any(|cell| cell.width() > 1);
    let mut words = Vec::new();
    let (mut from, mut before) = (0, "");
    for (at, word) in line.split_word_bound_indices() {
        if [before, word].into_iter().any(|word| is_blank(word) || is_wide(word)) && at > from {
            words.push(&line[from..at]);
            from = at;
        }
        before = word;
    }
    words.push(&line[from..]);
    words
}

/// Breaks a line between words, so that each part fits so many columns; a word that does not fit is broken itself.
pub(crate) fn wrap(line: &str, columns: usize) -> Vec<String> {
    let columns = columns.max(COLUMNS_MIN);
    let mut parts = Vec::new();
    let mut part = String::new();
    let mut width = 0;
    for word in words(line) {
        if width + word.width() > columns && !part.is_empty() {
            parts.push(std::mem::take(&mut part).trim_end().to_owned());
            width = 0;
            if word.trim().is_empty() {
                continue;
            }
        }
        for cell in word.graphemes(true) {
            if width + cell.width() > columns {
                parts.push(std::mem::take(&mut part));
                width = 0;
            }
            part.push_str(cell);
            width += cell.width();
        }
    }
    parts.push(part);
    parts
}
