//! The text that is being typed. Knows keys, not terminals.

use std::collections::VecDeque;

use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};
use replica::limits::MESSAGE_BYTES_MAX;
use unicode_segmentation::UnicodeSegmentation as _;
use unicode_width::UnicodeWidthStr as _;

use crate::text;

#[cfg(test)]
mod tests;

/// The text, the cursor in it, and the texts before.
#[derive(Debug, Default)]
pub(crate) struct Input {
    text: String,
    /// In bytes, between characters as people count them.
    cursor: usize,
    history: VecDeque<String>,
    /// Which text of the history is shown, as it was; none is the one being typed.
    recalled: Option<usize>,
    /// What was being typed before the history was looked at.
    typed: String,
    /// What was removed last by Ctrl+K, U and W, newest last.
    killed: VecDeque<String>,
    /// Whether the last key removed something: what the next one removes joins it.
    is_killing: bool,
    /// What was put back last: where, how long, and which of the removed it is.
    yanked: Option<(usize, usize, usize)>,
}

/// What came of a key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Edit {
    /// It means nothing here.
    Nothing,
    Changed,
    /// The text is done.
    Done(String),
}

impl Input {
    /// Takes a key.
    pub(crate) fn key(&mut self, key: &KeyEvent) -> Edit {
        let was_killing = std::mem::take(&mut self.is_killing);
        let was_yanked = self.yanked.take();
        let control = key.modifiers.contains(KeyModifiers::CONTROL);
        let alt = key.modifiers.contains(KeyModifiers::ALT);
        match key.code {
            KeyCode::Enter if alt => self.insert("\n"),
            KeyCode::Enter => return Edit::Done(self.take()),
            KeyCode::Char(c) if control => return self.control(c, was_killing),
            KeyCode::Char('y') if alt => return self.yank_other(was_yanked),
            KeyCode::Char('b') | KeyCode::Left if alt => self.cursor = self.word_before(),
            KeyCode::Char('f') | KeyCode::Right if alt => self.cursor = self.word_after(),
            KeyCode::Char('d') if alt => self.kill(self.cursor, self.word_after(), was_killing),
            KeyCode::Backspace if alt => self.kill(self.word_before(), self.cursor, was_killing),
            KeyCode::Left if control => self.cursor = self.word_before(),
            KeyCode::Right if control => self.cursor = self.word_after(),
            KeyCode::Char(c) if !alt => self.insert(c.encode_utf8(&mut [0; 4])),
            KeyCode::Left => self.cursor = self.before(),
            KeyCode::Right => self.cursor = self.after(),
            KeyCode::Home => self.cursor = self.line_start(),
            KeyCode::End => self.cursor = self.line_end(),
            KeyCode::Backspace => self.remove(self.before(), self.cursor),
            KeyCode::Delete => self.remove(self.cursor, self.after()),
            KeyCode::Up => self.up(),
            KeyCode::Down => self.down(),
            _ => return Edit::Nothing,
        }
        Edit::Changed
    }

    fn control(&mut self, c: char, was_killing: bool) -> Edit {
        match c {
            'd' => self.remove(self.cursor, self.after()),
            'a' => self.cursor = self.line_start(),
            'e' => self.cursor = self.line_end(),
            'b' => self.cursor = self.before(),
            'h' => self.remove(self.before(), self.cursor),
            'j' => self.insert("\n"),
            'u' => self.kill(self.line_start(), self.cursor, was_killing),
            'k' => self.kill(self.cursor, self.line_end().max(self.after_line_end()), was_killing),
            'w' => self.kill(self.word_before(), self.cursor, was_killing),
            'y' => self.yank(),
            'p' => self.recall(true),
            'n' => self.recall(false),
            _ => return Edit::Nothing,
        }
        Edit::Changed
    }

    pub(crate) fn text(&self) -> &str {
        &self.text
    }

    /// What stands before the cursor.
    pub(crate) fn head(&self) -> &str {
        &self.text[..self.cursor]
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.text.is_empty()
    }

    /// Puts another text in its place. Says whether it fits; if not, all is as it was.
    pub(crate) fn set(&mut self, text: &str) -> bool {
        let text = typeable(text);
        let fits = text.len() <= TEXT_BYTES_MAX;
        if fits {
            self.settle();
            self.cursor = text.len();
            self.text = text;
        }
        fits
    }

    /// Puts something else for what stands before the cursor.
    pub(crate) fn set_head(&mut self, head: &str) {
        self.settle();
        self.text.replace_range(..self.cursor, head);
        self.cursor = head.len();
    }

    /// Empties it; what was there can be put back by Ctrl+Y.
    pub(crate) fn clear(&mut self) {
        self.kill(0, self.text.len(), false);
        self.is_killing = false;
    }

    /// Takes text that was pasted, and says whether it fits. Its last line end is not meant.
    pub(crate) fn paste(&mut self, pasted: &str) -> bool {
        let pasted = normalised(pasted);
        self.put(pasted.strip_suffix('\n').unwrap_or(&pasted))
    }

    pub(crate) fn insert(&mut self, new: &str) {
        self.put(new);
    }

    fn put(&mut self, new: &str) -> bool {
        let new = typeable(new);
        let fits = self.text.len() + new.len() <= TEXT_BYTES_MAX;
        if fits {
            self.settle();
            self.text.insert_str(self.cursor, &new);
            self.cursor += new.len();
        }
        fits
    }

    fn remove(&mut self, from: usize, to: usize) {
        if from < to {
            self.settle();
        }
        self.text.replace_range(from..to, "");
        self.cursor = from;
    }

    fn kill(&mut self, from: usize, to: usize, joins: bool) {
        let removed = self.text[from..to].to_owned();
        if removed.is_empty() {
            return;
        }
        match self.killed.back_mut() {
            Some(last) if joins && to == self.cursor => last.insert_str(0, &removed),
            Some(last) if joins => last.push_str(&removed),
            _ => self.killed.push_back(removed),
        }
        if self.killed.len() > KILLED_MAX {
            self.killed.pop_front();
        }
        self.remove(from, to);
        self.is_killing = true;
    }

    fn yank(&mut self) {
        let Some(last) = self.killed.back().cloned() else { return };
        let from = self.cursor;
        self.insert(&last);
        self.yanked = Some((from, self.cursor, self.killed.len() - 1));
    }

    /// Puts what was removed before in the place of what was just put back.
    fn yank_other(&mut self, yanked: Option<(usize, usize, usize)>) -> Edit {
        let Some((from, to, which)) = yanked else { return Edit::Nothing };
        let which = which.checked_sub(1).unwrap_or(self.killed.len() - 1);
        let Some(text) = self.killed.get(which).cloned() else { return Edit::Nothing };
        self.remove(from, to);
        self.insert(&text);
        self.yanked = Some((from, self.cursor, which));
        Edit::Changed
    }

    /// Takes the text out, and remembers it.
    fn take(&mut self) -> String {
        let text = std::mem::take(&mut self.text);
        self.cursor = 0;
        self.settle();
        self.remember(&text);
        text
    }

    /// Whatever is shown is being typed from now on. What was being typed before it was recalled is not lost: it joins the
    /// history.
    fn settle(&mut self) {
        if self.recalled.take().is_some() {
            let typed = std::mem::take(&mut self.typed);
            self.remember(&typed);
        }
    }

    fn remember(&mut self, text: &str) {
        if !text.trim().is_empty() && self.history.back().is_none_or(|last| last != text) {
            self.history.push_back(text.to_owned());
            if self.history.len() > HISTORY_MAX {
                self.history.pop_front();
            }
        }
    }

    fn up(&mut self) {
        let start = self.line_start();
        match start.checked_sub(1) {
            Some(end) if self.recalled.is_none() => {
                let column = self.text[start..self.cursor].graphemes(true).count();
                let above = self.text[..end].rfind('\n').map_or(0, |at| at + 1);
                self.cursor = self.at_column(above, end, column);
            }
            _ => self.recall(true),
        }
    }

    fn down(&mut self) {
        let end = self.line_end();
        if end < self.text.len() && self.recalled.is_none() {
            let column = self.text[self.line_start()..self.cursor].graphemes(true).count();
            let below = end + 1;
            let below_end = self.text[below..].find('\n').map_or(self.text.len(), |at| below + at);
            self.cursor = self.at_column(below, below_end, column);
        } else {
            self.recall(false);
        }
    }

    fn at_column(&self, from: usize, to: usize, column: usize) -> usize {
        let line = &self.text[from..to];
        line.grapheme_indices(true).nth(column).map_or(to, |(at, _)| from + at)
    }

    fn recall(&mut self, earlier: bool) {
        let next = match (self.recalled, earlier) {
            (None, true) if self.history.is_empty() => return,
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

    fn line_start(&self) -> usize {
        self.text[..self.cursor].rfind('\n').map_or(0, |at| at + 1)
    }

    fn line_end(&self) -> usize {
        self.text[self.cursor..].find('\n').map_or(self.text.len(), |at| self.cursor + at)
    }

    /// Behind the line end, if the cursor stands at it: the end is then what is removed.
    fn after_line_end(&self) -> usize {
        if self.cursor == self.line_end() { self.after() } else { self.cursor }
    }

    fn before(&self) -> usize {
        self.head().grapheme_indices(true).next_back().map_or(0, |(at, _)| at)
    }

    fn after(&self) -> usize {
        self.text[self.cursor..].graphemes(true).next().map_or(self.cursor, |next| self.cursor + next.len())
    }

    fn word_before(&self) -> usize {
        let head = self.head().trim_end();
        head.char_indices().rev().find(|(_, c)| c.is_whitespace()).map_or(0, |(at, c)| at + c.len_utf8())
    }

    fn word_after(&self) -> usize {
        let rest = &self.text[self.cursor..];
        let word = rest.len() - rest.trim_start().len();
        let end = rest[word..].find(char::is_whitespace).map_or(rest.len(), |at| word + at);
        self.cursor + end
    }

    /// The text in lines of so many columns, and the line and column of the cursor.
    pub(crate) fn lines(&self, columns: usize) -> (Vec<String>, usize, usize) {
        // One column for a cursor behind the last character.
        let room = columns.saturating_sub(1).max(1);
        let mut lines = vec![String::new()];
        let mut width = 0;
        let mut cursor = None;
        for (at, cell) in self.text.grapheme_indices(true) {
            let drawn = shown(cell);
            if width + drawn.width() > room {
                lines.push(String::new());
                width = 0;
            }
            if at >= self.cursor && cursor.is_none() {
                cursor = Some((lines.len() - 1, width));
            }
            if cell == "\n" {
                lines.push(String::new());
                width = 0;
                continue;
            }
            width += drawn.width();
            lines.last_mut().expect("there is at least one").push_str(&drawn);
        }
        let (line, column) = cursor.unwrap_or((lines.len() - 1, width));
        (lines, line, column)
    }
}

/// Text from a clipboard or a file: its line ends are LF. Terminals send CR for line ends.
pub(crate) fn normalised(text: &str) -> String {
    text.replace("\r\n", "\n").replace('\r', "\n")
}

/// What of a text can be typed.
fn typeable(text: &str) -> String {
    text.chars().filter(|c| matches!(c, '\n' | '\t') || !c.is_control()).collect()
}

/// One character as it is drawn: with nothing in it that moves the cursor.
fn shown(cell: &str) -> String {
    match cell {
        "\n" => String::new(),
        "\t" => " ".to_owned(),
        cell => text::line(cell),
    }
}

/// What is far over the limit is not kept in memory; what is just over it is refused with its reason.
const TEXT_BYTES_MAX: usize = 2 * MESSAGE_BYTES_MAX;

/// Texts that can be recalled.
const HISTORY_MAX: usize = 100;

/// Removed texts that can be put back.
const KILLED_MAX: usize = 16;
