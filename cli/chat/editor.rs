//! The line that is being typed. Knows keys, not terminals.

use std::collections::VecDeque;

use crossterm::event::{KeyCode, KeyEvent, KeyEventKind, KeyModifiers};
use replica::limits::MESSAGE_BYTES_MAX;
use unicode_segmentation::UnicodeSegmentation as _;
use unicode_width::UnicodeWidthStr as _;

use crate::text;

#[cfg(test)]
mod tests;

/// The line, the cursor in it, and the lines before.
#[derive(Debug, Default)]
pub(crate) struct Editor {
    text: String,
    /// In bytes, between characters as people count them.
    cursor: usize,
    history: VecDeque<String>,
    /// Which line of the history is shown; none is the one being typed.
    recalled: Option<usize>,
    /// What was being typed before the history was looked at.
    typed: String,
}

/// What came of a key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Edit {
    /// Nothing to be seen.
    Nothing,
    /// The line is another one.
    Changed,
    /// The line is done.
    Done(String),
    /// Nothing more will be typed.
    End,
    /// The screen is to be drawn anew.
    Redraw,
}

impl Editor {
    /// Takes a key.
    pub(crate) fn key(&mut self, key: &KeyEvent) -> Edit {
        if key.kind == KeyEventKind::Release {
            return Edit::Nothing;
        }
        let control = key.modifiers.contains(KeyModifiers::CONTROL);
        let alt = key.modifiers.contains(KeyModifiers::ALT);
        match key.code {
            KeyCode::Enter if alt => self.insert("\n"),
            KeyCode::Enter => return self.done(),
            KeyCode::Char(c) if control => return self.control(c),
            KeyCode::Char(c) if !alt => self.insert(c.encode_utf8(&mut [0; 4])),
            KeyCode::Tab => self.insert(" "),
            KeyCode::Left => self.cursor = self.before(),
            KeyCode::Right => self.cursor = self.after(),
            KeyCode::Home => self.cursor = 0,
            KeyCode::End => self.cursor = self.text.len(),
            KeyCode::Backspace => self.remove(self.before(), self.cursor),
            KeyCode::Delete => self.remove(self.cursor, self.after()),
            KeyCode::Up => self.recall(true),
            KeyCode::Down => self.recall(false),
            _ => return Edit::Nothing,
        }
        Edit::Changed
    }

    fn control(&mut self, c: char) -> Edit {
        match c {
            'c' => return Edit::End,
            'd' if self.text.is_empty() => return Edit::End,
            'd' => self.remove(self.cursor, self.after()),
            'a' => self.cursor = 0,
            'e' => self.cursor = self.text.len(),
            'b' => self.cursor = self.before(),
            'f' => self.cursor = self.after(),
            'h' => self.remove(self.before(), self.cursor),
            'j' => self.insert("\n"),
            'u' => self.remove(0, self.cursor),
            'k' => self.remove(self.cursor, self.text.len()),
            'w' => self.remove(self.word_before(), self.cursor),
            'p' => self.recall(true),
            'n' => self.recall(false),
            'l' => return Edit::Redraw,
            _ => return Edit::Nothing,
        }
        Edit::Changed
    }

    /// Takes text that was pasted. Terminals send CR for line ends in it. Its last line end is not meant.
    pub(crate) fn paste(&mut self, pasted: &str) {
        let pasted = pasted.replace("\r\n", "\n").replace('\r', "\n");
        self.insert(pasted.strip_suffix('\n').unwrap_or(&pasted));
    }

    fn insert(&mut self, new: &str) {
        let is_text = |c: &char| matches!(c, '\n' | '\t') || !c.is_control();
        let new: String = new.chars().filter(is_text).collect();
        // What is far over the limit is not kept in memory; what is just over it is refused with its reason.
        if self.text.len() + new.len() <= 2 * MESSAGE_BYTES_MAX {
            self.text.insert_str(self.cursor, &new);
            self.cursor += new.len();
        }
    }

    fn remove(&mut self, from: usize, to: usize) {
        self.text.replace_range(from..to, "");
        self.cursor = from;
    }

    fn done(&mut self) -> Edit {
        let line = std::mem::take(&mut self.text);
        (self.cursor, self.recalled) = (0, None);
        if !line.is_empty() && self.history.back() != Some(&line) {
            self.history.push_back(line.clone());
            if self.history.len() > HISTORY_LINES {
                self.history.pop_front();
            }
        }
        Edit::Done(line)
    }

    fn recall(&mut self, earlier: bool) {
        let next = match (self.recalled, earlier) {
            (None, true) => self.history.len().checked_sub(1),
            (None, false) => return,
            (Some(at), true) => Some(at.saturating_sub(1)),
            (Some(at), false) => Some(at + 1).filter(|at| *at < self.history.len()),
        };
        if self.recalled.is_none() {
            self.typed = std::mem::take(&mut self.text);
        }
        self.text = match next {
            Some(at) => self.history[at].clone(),
            None => std::mem::take(&mut self.typed),
        };
        self.recalled = next;
        self.cursor = self.text.len();
    }

    fn before(&self) -> usize {
        self.text[..self.cursor].grapheme_indices(true).next_back().map_or(0, |(at, _)| at)
    }

    fn after(&self) -> usize {
        self.text[self.cursor..].graphemes(true).next().map_or(self.cursor, |next| self.cursor + next.len())
    }

    fn word_before(&self) -> usize {
        let head = self.text[..self.cursor].trim_end();
        head.char_indices().rev().find(|(_, c)| c.is_whitespace()).map_or(0, |(at, c)| at + c.len_utf8())
    }

    /// The part of the line around the cursor that fits so many columns, and the cursor's column in it.
    pub(crate) fn window(&self, columns: usize) -> (String, usize) {
        let cells = self.text.grapheme_indices(true).map(|(at, cell)| (at, shown(cell)));
        let cells: Vec<(usize, String)> = cells.collect();
        let place = cells.partition_point(|(at, _)| *at < self.cursor);
        // One column for a cursor behind the last character.
        let room = columns.saturating_sub(1);
        let mut start = place;
        let mut width = 0;
        while start > 0 && width + cells[start - 1].1.width() <= room {
            start -= 1;
            width += cells[start].1.width();
        }
        let column = width;
        let mut window: String = cells[start..place].iter().map(|(_, cell)| cell.as_str()).collect();
        for (_, cell) in &cells[place..] {
            width += cell.width();
            if width > room {
                break;
            }
            window.push_str(cell);
        }
        (window, column)
    }
}

/// One character of the line as it is drawn: on one line, and with nothing in it that moves the cursor.
fn shown(cell: &str) -> String {
    match cell {
        "\n" | "\r\n" => "⏎".to_owned(),
        "\t" => " ".to_owned(),
        cell => text::line(cell),
    }
}

/// Lines that can be recalled.
const HISTORY_LINES: usize = 100;
