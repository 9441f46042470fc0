//! One line of other people's text, character by character.

use unicode_properties::{GeneralCategory, UnicodeGeneralCategory as _};
use unicode_width::UnicodeWidthChar as _;

/// More marks than this on one letter would grow into the lines above and below.
pub(super) const MARKS_MAX: usize = 6;

/// The line as it may be drawn. Doing it twice changes nothing.
pub(super) fn clean(line: &str) -> String {
    if line.bytes().all(|byte| matches!(byte, 0x20..=0x7e)) {
        return line.to_owned();
    }
    let mut seen = String::with_capacity(line.len());
    let mut marks = 0;
    let mut chars = line.chars().peekable();
    while let Some(c) = chars.next() {
        if is_joiner(c) {
            // It ends no letter: marks go on being counted behind it.
            if seen.chars().next_back().is_some_and(|last| joins(c, last, chars.peek().copied())) {
                seen.push(c);
            }
            continue;
        }
        match c {
            '\t' => seen.push_str("    "),
            '\0'..='\x1f' => seen.push(char::from_u32(0x2400 + u32::from(c)).unwrap_or('\u{fffd}')),
            '\x7f' => seen.push('\u{2421}'),
            c if is_hidden(c) => continue,
            c if means_nothing(c) => seen.push('\u{fffd}'),
            c if is_mark(c) => {
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

/// Whether a character cannot be seen, or is obeyed instead of being drawn.
pub(crate) fn is_unseen(c: char) -> bool {
    if c.is_ascii() {
        return c.is_ascii_control();
    }
    c.is_control() || is_hidden(c) || matches!(c, '\u{2028}' | '\u{2029}')
}

/// Whether a character is drawn upon the one before it, or beside it as part of it.
pub(super) fn is_mark(c: char) -> bool {
    c.width() == Some(0) || c.general_category() == GeneralCategory::SpacingMark
}

fn is_joiner(c: char) -> bool {
    matches!(c, '\u{200c}' | '\u{200d}')
}

/// Whether a joiner, or a non-joiner, stands where it has a meaning: within an emoji, or between letters of a script
/// that joins them.
fn joins(c: char, before: char, after: Option<char>) -> bool {
    let Some(after) = after else { return false };
    let is_emoji = |c: char| matches!(u32::from(c), 0x2190..=0x2bff | 0xfe0f | 0x1f000..=0x1faff);
    let is_joining = |c: char| matches!(u32::from(c), 0x0600..=0x07ff | 0x08a0..=0x0dff | 0x1000..=0x109f);
    let joins_letters = is_joining(before) && is_joining(after) && !is_mark(after);
    joins_letters || (c == '\u{200d}' && is_emoji(before) && is_emoji(after))
}

/// Marks of direction, and characters that take no place: what cannot be seen cannot be checked.
fn is_hidden(c: char) -> bool {
    let is_listed = matches!(u32::from(c),
        // Direction.
        0x061c | 0x200e | 0x200f | 0x202a..=0x202e | 0x2066..=0x2069
        // Of no width, or blank letters.
        | 0x00ad | 0x034f | 0x115f | 0x1160 | 0x17b4 | 0x17b5 | 0x180b..=0x180f | 0x200b | 0x2060..=0x2065
        | 0x206a..=0x206f | 0x3164 | 0xfeff | 0xffa0 | 0xfff0..=0xfffb
        // Variants beyond those of emoji, notes of music, tags.
        | 0xfe00..=0xfe0d | 0x1d173..=0x1d17a | 0xe0000..=0xe0fff);
    // Signs that reach over the digits behind them count as format characters too, and are seen.
    let is_seen = matches!(
        u32::from(c),
        0x0600..=0x0605 | 0x06dd | 0x070f | 0x0890 | 0x0891 | 0x08e2 | 0x110bd | 0x110cd
    );
    is_listed || (c.general_category() == GeneralCategory::Format && !is_seen)
}

/// Whether no font can know the character: it is for private use, or is none; or it is an end of a line that was not
/// taken for one, or a control character beyond ASCII, which some terminals obey.
fn means_nothing(c: char) -> bool {
    matches!(
        c.general_category(),
        GeneralCategory::PrivateUse
            | GeneralCategory::Unassigned
            | GeneralCategory::Control
            | GeneralCategory::LineSeparator
            | GeneralCategory::ParagraphSeparator
    )
}
