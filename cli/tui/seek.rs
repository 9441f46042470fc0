//! Going to a row that may not be in memory: what is searched for, who named us, what is new, what came late.

use replica::order::OrderKey;
use replica_sync::engine::Row;
use replica_sync::node::mentions;

use crate::json::is_message;
use crate::tui::app::{App, Purpose};
use crate::tui::window::Place;

/// What is looked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Goal {
    /// Messages with this in them, in small letters.
    Text(String),
    /// Messages that name somebody.
    Mention(String),
    /// The first row from this place on.
    Key(OrderKey),
}

/// A way up through the log, page by page.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Seek {
    pub(crate) goal: Goal,
    /// What was found, newest first, each with where its page ends.
    pub(crate) hits: Vec<(OrderKey, Option<OrderKey>)>,
    /// Which of them is shown.
    pub(crate) at: Option<usize>,
    /// Where the next page ends.
    cursor: Option<OrderKey>,
    pub(crate) is_under_way: bool,
    /// Whether everything has been looked at.
    pub(crate) is_done: bool,
    pub(crate) passed: u64,
}

impl Seek {
    /// What stands out on the screen.
    pub(crate) fn words(&self) -> Option<&str> {
        match &self.goal {
            Goal::Text(words) => Some(words),
            _ => None,
        }
    }

    /// How far it is, in words.
    pub(crate) fn state(&self) -> String {
        let what = match &self.goal {
            Goal::Text(words) => format!("\"{}\"", crate::text::line(words)),
            Goal::Mention(_) => "your name".to_owned(),
            Goal::Key(_) => "it".to_owned(),
        };
        let passed = crate::text::grouped(self.passed);
        match (self.at, self.is_under_way) {
            (_, true) => format!("looking for {what}: {passed} passed · Esc stops"),
            (None, false) => format!("{what} was not found"),
            (Some(at), false) => {
                let of =
                    if self.is_done { self.hits.len().to_string() } else { format!("{}+", self.hits.len()) };
                format!("{what}: {} of {of}", at + 1)
            }
        }
    }
}

impl App {
    /// Looks for something from the end of the log upwards.
    pub(crate) fn seek(&mut self, goal: Goal) {
        self.seek = Some(Seek {
            goal,
            hits: Vec::new(),
            at: None,
            cursor: None,
            is_under_way: false,
            is_done: false,
            passed: 0,
        });
        self.seek_older();
    }

    /// Goes to the next hit upwards.
    pub(crate) fn seek_older(&mut self) {
        let Some(seek) = &mut self.seek else { return };
        let next = seek.at.map_or(0, |at| at + 1);
        if next < seek.hits.len() {
            return self.go_to_hit(next);
        }
        if !seek.is_done && !seek.is_under_way {
            seek.is_under_way = true;
            let cursor = seek.cursor;
            self.ask_page(cursor, SEEK_ROWS, Purpose::Seek);
        }
    }

    /// Goes to the next hit downwards.
    pub(crate) fn seek_newer(&mut self) {
        if let Some(before) = self.seek.as_ref().and_then(|seek| seek.at?.checked_sub(1)) {
            self.go_to_hit(before);
        }
    }

    fn go_to_hit(&mut self, at: usize) {
        let Some(seek) = &mut self.seek else { return };
        let Some((key, before)) = seek.hits.get(at).copied() else { return };
        seek.at = Some(at);
        if self.window.has(&key) {
            self.show(Place::Log(Some(key), 0));
        } else {
            self.ask_page(before, SEEK_ROWS, Purpose::Show(key));
        }
    }

    pub(super) fn on_seek_page(&mut self, before: Option<OrderKey>, rows: Vec<Row>, count: usize) {
        let Some(seek) = self.seek.as_mut().filter(|seek| seek.is_under_way) else { return };
        let is_end = rows.len() < count;
        seek.passed += rows.len() as u64;
        seek.cursor = rows.last().map(|row| row.key);
        if let Goal::Key(wanted) = seek.goal {
            if is_end || seek.cursor.is_some_and(|oldest| oldest <= wanted) {
                self.seek = None;
                self.window.replace(rows, count, before.is_none());
                self.show_from(wanted);
            } else {
                self.window.pass(seek.cursor);
                let cursor = seek.cursor;
                self.ask_page(cursor, SEEK_ROWS, Purpose::Seek);
            }
            return;
        }
        let is_meant = |row: &Row| match &seek.goal {
            Goal::Text(words) => row.text.to_lowercase().contains(words),
            Goal::Mention(name) => row.author != self.me && mentions(&row.text, name),
            Goal::Key(_) => false,
        };
        let found: Vec<OrderKey> =
            rows.iter().filter(|row| is_message(row) && is_meant(row)).map(|row| row.key).collect();
        seek.hits.extend(found.iter().map(|key| (*key, before)));
        seek.is_done = is_end || seek.hits.len() >= HITS_MAX;
        let cursor = seek.cursor;
        if found.is_empty() && !seek.is_done {
            self.window.pass(cursor);
            return self.ask_page(cursor, SEEK_ROWS, Purpose::Seek);
        }
        seek.is_under_way = false;
        if let Some(first) = found.first() {
            let next = seek.hits.len() - found.len();
            if !self.window.has(first) {
                self.window.replace(rows, count, before.is_none());
            }
            self.go_to_hit(next);
        }
    }

    /// Shows the first row from a place on.
    fn show_from(&mut self, key: OrderKey) {
        let found = self.window.from(Place::Log(Some(key), 0)).next().map(|(place, _)| place);
        found.into_iter().for_each(|place| self.show(place));
    }

    /// Goes to a row, or to what follows it.
    fn go_to(&mut self, key: OrderKey) {
        let is_here = self.window.oldest().is_some_and(|oldest| oldest <= key) || !self.window.has_older;
        let is_above_end = !self.window.has_newer || self.window.newest().is_some_and(|newest| key <= newest);
        if is_here && is_above_end {
            self.show_from(key);
        } else {
            self.seek(Goal::Key(key));
        }
    }

    /// Goes to where what is new begins.
    pub(crate) fn go_to_unread(&mut self) {
        match self.reading.new_after {
            Some(read) => self.go_to(read),
            None => self.hint = Some("Nothing new.".to_owned()),
        }
    }

    /// Goes to the next row that came late.
    pub(crate) fn go_to_late(&mut self) {
        match self.reading.late.pop_front() {
            Some(key) => self.go_to(key),
            None => self.hint = Some("Nothing arrived late.".to_owned()),
        }
    }

    /// Goes to the message above, or below, that names us.
    pub(crate) fn go_to_mention(&mut self, older: bool) {
        let is_under_way = matches!(&self.seek, Some(Seek { goal: Goal::Mention(_), .. }));
        match (is_under_way, older) {
            (false, _) => self.seek(Goal::Mention(self.people.name(&self.me))),
            (true, true) => self.seek_older(),
            (true, false) => self.seek_newer(),
        }
    }
}

/// Rows of one step: a few milliseconds of the store's time, between which keys are heard.
const SEEK_ROWS: usize = 512;

/// Hits that can be gone through.
const HITS_MAX: usize = 10_000;
