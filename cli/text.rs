//! Text from other people, made fit for a terminal.
//!
//! A message or a name may hold anything: escape codes that move the cursor or retitle the window, marks that reverse
//! the direction of what follows, characters that cannot be seen. None of it reaches a screen: control characters are
//! shown as signs, marks of direction and invisible characters are dropped. JSON is not touched by this; there text
//! is escaped and exact.

use unicode_segmentation::UnicodeSegmentation as _;
use unicode_width::{UnicodeWidthChar as _, UnicodeWidthStr as _};

#[cfg(test)]
mod tests;

/// How much of a name is shown, in characters as people count them.
pub(crate) const NAME_GRAPHEMES_MAX: usize = 32;

/// Nothing is broken into narrower parts than this.
const COLUMNS_MIN: usize = 16;

/// More marks than this on one letter would grow into the lines above and below.
const MARKS_MAX: usize = 6;

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
    let plain = line.split_whitespace().collect::<Vec<_>>().join(" ");
    let own_sign = |c| match c {
        '(' => '[',
        ')' => ']',
        '│' => '|',
        '↷' => '?',
        c => c,
    };
    let plain: String = plain.chars().map(own_sign).collect();
    if plain.chars().all(|c| c.width().unwrap_or(0) == 0) {
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

/// What two names that look alike have in common: case, blanks and the commonest look-alikes do not count.
pub(crate) fn skeleton(text: &str) -> String {
    let seen = name(text).to_lowercase();
    seen.chars().filter(|c| !c.is_whitespace()).map(look).collect()
}

/// One character of a list that is far from complete: those that need no special font to deceive.
fn look(c: char) -> char {
    match c {
        '0' | 'о' | 'ο' => 'o',
        '1' | 'i' | '|' | 'і' | 'ı' | 'ι' => 'l',
        'а' | 'α' => 'a',
        'е' => 'e',
        'р' | 'ρ' => 'p',
        'с' => 'c',
        'у' => 'y',
        'х' => 'x',
        'ѕ' => 's',
        'ј' => 'j',
        'к' | 'κ' => 'k',
        'ν' => 'v',
        'ո' => 'n',
        '\u{ff01}'..='\u{ff5e}' => {
            char::from_u32(u32::from(c) - 0xfee0).map_or(c, |c| look(c.to_ascii_lowercase()))
        }
        c => c,
    }
}

/// `1 message`, `2 messages`.
pub(crate) fn count(number: u64, thing: &str) -> String {
    let plural = if number == 1 { "" } else { "s" };
    format!("{number} {thing}{plural}")
}

/// A large number for people: `12,400`.
pub(crate) fn grouped(number: u64) -> String {
    indicatif::HumanCount(number).to_string()
}

/// Breaks a line between words, so that each part fits so many columns; a word that does not fit is broken itself.
pub(crate) fn wrap(line: &str, columns: usize) -> Vec<String> {
    let columns = columns.max(COLUMNS_MIN);
    let mut parts = Vec::new();
    let mut part = String::new();
    let mut width = 0;
    for word in line.split_word_bounds() {
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

fn clean(line: &str) -> String {
    let mut seen = String::with_capacity(line.len());
    let mut marks = 0;
    let mut chars = line.chars().peekable();
    while let Some(c) = chars.next() {
        match c {
            '\t' => seen.push_str("    "),
            '\0'..='\x1f' => seen.push(char::from_u32(0x2400 + u32::from(c)).unwrap_or('\u{fffd}')),
            '\x7f' => seen.push('\u{2421}'),
            '\u{80}'..='\u{9f}' => seen.push('\u{fffd}'),
            '\u{200c}' | '\u{200d}' => {
                if seen.chars().next_back().is_some_and(|last| joins(c, last, chars.peek().copied())) {
                    seen.push(c);
                }
            }
            c if is_hidden(c) => {}
            c if c.width() == Some(0) => {
                marks += 1;
                if marks <= MARKS_MAX {
                    seen.push(c);
                }
                continue;
            }
            c => seen.push(c),
        }
        marks = 0;
    }
    seen
}

/// Whether a joiner, or a non-joiner, stands where it has a meaning: within an emoji, or between letters of a script
/// that joins them.
fn joins(c: char, before: char, after: Option<char>) -> bool {
    let Some(after) = after else { return false };
    let is_emoji = |c: char| matches!(u32::from(c), 0x2190..=0x2bff | 0xfe0f | 0x1f000..=0x1faff);
    let is_joining = |c: char| matches!(u32::from(c), 0x0600..=0x07ff | 0x08a0..=0x0dff | 0x1000..=0x109f);
    (c == '\u{200d}' && is_emoji(before) && is_emoji(after)) || (is_joining(before) && is_joining(after))
}

/// Marks of direction, and characters that take no place: what cannot be seen cannot be checked.
fn is_hidden(c: char) -> bool {
    matches!(u32::from(c),
        // Direction.
        0x061c | 0x200e | 0x200f | 0x202a..=0x202e | 0x2066..=0x2069
        // Of no width, or blank letters.
        | 0x00ad | 0x034f | 0x115f | 0x1160 | 0x17b4 | 0x17b5 | 0x180b..=0x180f | 0x200b | 0x2060..=0x2065
        | 0x206a..=0x206f | 0x3164 | 0xfeff | 0xffa0 | 0xfff0..=0xfffb
        // Variants beyond those of emoji, notes of music, tags.
        | 0xfe00..=0xfe0d | 0x1d173..=0x1d17a | 0xe0000..=0xe0fff)
}
