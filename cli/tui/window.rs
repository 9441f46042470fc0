//! What of the log is in memory: a stretch of it, as it is read, with what was told in between.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Bound;

use replica::id::EntryId;
use replica::order::OrderKey;
use replica_sync::engine::{Glimpse, Row};

#[cfg(test)]
mod tests;

/// Where an item stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Place {
    /// A row, or the n-th note behind it; behind none are the notes from before there was any.
    Log(Option<OrderKey>, u32),
    /// Below all rows: what has no place in the order yet.
    Tail(u32),
}

/// Something that is read.
#[derive(Clone, Debug)]
pub(crate) enum Item {
    /// A row of the conversation.
    Row { row: Box<Row>, is_late: bool },
    /// Something told beside it.
    Note(String),
    /// A message that waits until its author is let in.
    Draft { written_ms: u64, text: String },
    /// A message that is on its way with all that comes before it.
    Glimpse(Glimpse),
}

/// A stretch of the log.
#[derive(Debug, Default)]
pub(crate) struct Window {
    items: BTreeMap<Place, Item>,
    rows: usize,
    /// Whether the store has rows above.
    pub(crate) has_older: bool,
    /// Whether there are rows below that are not here.
    pub(crate) has_newer: bool,
    /// Keys of rows passed on the way up, some hundred rows apart: the way down leads along them, since the store only
    /// reads upwards.
    waypoints: BTreeSet<OrderKey>,
    /// Told while the end of the log was not here.
    waiting: Vec<String>,
    notes: u32,
    /// Counts changes of what is read in order.
    pub(crate) revision: u64,
    arrived: usize,
}

impl Window {
    /// Takes a row that came just now. Says whether it is here: one below a stretch that has been left is not.
    pub(crate) fn arrive(&mut self, row: Row, is_late: bool) -> bool {
        self.arrived += 1;
        if self.arrived.is_multiple_of(PAGE_ROWS) {
            self.waypoints.insert(row.key);
        }
        let is_above = self.has_older && self.oldest().is_some_and(|oldest| row.key < oldest);
        let is_below = self.has_newer && self.newest().is_none_or(|newest| row.key > newest);
        if is_above || is_below {
            return false;
        }
        self.insert(row, is_late);
        true
    }

    fn insert(&mut self, row: Row, is_late: bool) {
        let place = Place::Log(Some(row.key), 0);
        let item = Item::Row { row: Box::new(row), is_late };
        if let Some(before) = self.items.insert(place, item) {
            // A page holds again what came; that it came late is remembered.
            if let (Item::Row { is_late: true, .. }, Some(Item::Row { is_late, .. })) =
                (before, self.items.get_mut(&place))
            {
                *is_late = true;
            }
        } else {
            self.rows += 1;
        }
        self.revision += 1;
    }

    /// Takes a page of older rows, newest first.
    pub(crate) fn extend_older(&mut self, page: Vec<Row>, asked: usize) {
        self.has_older = page.len() >= asked;
        self.waypoints.extend(page.last().map(|row| row.key));
        page.into_iter().for_each(|row| self.insert(row, false));
    }

    /// Where the next page downwards ends: `None` is the end of the log.
    pub(crate) fn way_down(&self) -> Option<OrderKey> {
        let newest = self.newest()?;
        self.waypoints.range((Bound::Excluded(newest), Bound::Unbounded)).nth(1).copied()
    }

    /// Takes newer rows, all there are up to a key; without one, up to the end of the log.
    pub(crate) fn extend_newer(&mut self, rows: Vec<Row>, up_to: Option<OrderKey>) {
        rows.into_iter().for_each(|row| self.insert(row, false));
        if up_to.is_none() {
            self.reach_end();
        }
    }

    /// Notes that a page up to here was read on the way up.
    pub(crate) fn pass(&mut self, key: Option<OrderKey>) {
        self.waypoints.extend(key);
    }

    /// Holds this page instead, newest first. `is_end` says that nothing follows it.
    pub(crate) fn replace(&mut self, page: Vec<Row>, asked: usize, is_end: bool) {
        if let Some(newest) = self.newest() {
            self.waypoints.insert(newest);
        }
        let late: BTreeSet<OrderKey> = self.late().collect();
        if is_end {
            self.items.retain(|place, item| is_note(place, item));
        } else {
            self.items.retain(|place, _| matches!(place, Place::Tail(_)));
        }
        self.rows = 0;
        self.waypoints.extend(page.first().map(|row| row.key));
        self.waypoints.extend(page.last().map(|row| row.key));
        self.has_older = page.len() >= asked;
        self.has_newer = !is_end;
        for row in page {
            let is_late = late.contains(&row.key);
            self.insert(row, is_late);
        }
        if is_end {
            self.reach_end();
        }
        self.revision += 1;
    }

    /// Forgets everything: another room is open.
    pub(crate) fn clear(&mut self) {
        let notes = std::mem::take(&mut self.items).into_iter().filter(|(place, item)| is_note(place, item));
        let notes = notes.enumerate();
        let kept =
            notes.map(|(at, (_, note))| (Place::Log(None, u32::try_from(at).unwrap_or(u32::MAX)), note));
        *self =
            Self { items: kept.collect(), notes: self.notes, revision: self.revision + 1, ..Self::default() };
    }

    fn reach_end(&mut self) {
        self.has_newer = false;
        for words in std::mem::take(&mut self.waiting) {
            self.note(words);
        }
    }

    /// Tells something below what is newest.
    pub(crate) fn note(&mut self, words: String) {
        if self.has_newer {
            self.waiting.push(words);
            if self.waiting.len() > NOTES_WAITING_MAX {
                self.waiting.remove(0);
            }
            return;
        }
        self.notes = self.notes.saturating_add(1);
        let newest = self.newest();
        self.items.insert(Place::Log(newest, self.notes), Item::Note(words));
        self.revision += 1;
        if self.items.len() > self.rows + NOTES_MAX
            && let Some(first) = self.items.iter().find(|(_, item)| matches!(item, Item::Note(_)))
        {
            let first = *first.0;
            self.items.remove(&first);
        }
    }

    /// Shows these below all rows.
    pub(crate) fn set_tail(&mut self, tail: Vec<Item>) {
        self.items.split_off(&Place::Tail(0));
        self.items.extend((0..).map(Place::Tail).zip(tail));
        self.revision += 1;
    }

    /// Drops what is far from where is read: above if the end is, below otherwise.
    pub(crate) fn trim(&mut self, read: Option<Place>) {
        while self.rows > ROWS_MAX {
            let above = read.map_or(usize::MAX, |read| self.items.range(..read).count());
            if above > self.rows / 2 {
                let Some((place, item)) = self.items.pop_first() else { return };
                self.forget(place, &item);
                self.has_older = true;
            } else {
                let Some((&place, _)) = self.items.range(..Place::Tail(0)).next_back() else { return };
                if let Some(item) = self.items.remove(&place) {
                    self.forget(place, &item);
                }
                self.has_newer = true;
            }
        }
    }

    fn forget(&mut self, place: Place, item: &Item) {
        self.revision += 1;
        if let (Place::Log(Some(_), 0), Item::Row { .. }) = (place, item) {
            self.rows -= 1;
        }
    }

    pub(crate) fn rows(&self) -> impl DoubleEndedIterator<Item = &Row> {
        self.items.values().filter_map(|item| match item {
            Item::Row { row, .. } => Some(&**row),
            _ => None,
        })
    }

    /// Rows that are marked as late.
    fn late(&self) -> impl Iterator<Item = OrderKey> {
        self.items.values().filter_map(|item| match item {
            Item::Row { row, is_late: true } => Some(row.key),
            _ => None,
        })
    }

    pub(crate) fn oldest(&self) -> Option<OrderKey> {
        self.rows().next().map(|row| row.key)
    }

    pub(crate) fn newest(&self) -> Option<OrderKey> {
        self.rows().next_back().map(|row| row.key)
    }

    pub(crate) fn has(&self, key: &OrderKey) -> bool {
        self.items.contains_key(&Place::Log(Some(*key), 0))
    }

    /// What is on its way, that is still not here.
    pub(crate) fn lacks(&self, id: &EntryId) -> bool {
        !self.rows().rev().take(ROWS_MAX).any(|row| row.id == *id)
    }

    /// The items up to a place, upwards.
    pub(crate) fn up_to(&self, place: Place) -> impl Iterator<Item = (Place, &Item)> {
        self.items.range(..=place).rev().map(|(place, item)| (*place, item))
    }

    /// The items from a place on, downwards.
    pub(crate) fn from(&self, place: Place) -> impl Iterator<Item = (Place, &Item)> {
        self.items.range(place..).map(|(place, item)| (*place, item))
    }

    /// The item above a place.
    pub(crate) fn above(&self, place: Place) -> Option<(Place, &Item)> {
        self.items.range(..place).next_back().map(|(place, item)| (*place, item))
    }

    /// The last row above a place.
    pub(crate) fn row_above(&self, place: Place) -> Option<&Row> {
        self.items.range(..place).rev().find_map(|(_, item)| match item {
            Item::Row { row, .. } => Some(&**row),
            _ => None,
        })
    }

    pub(crate) fn last(&self) -> Option<Place> {
        self.items.last_key_value().map(|(place, _)| *place)
    }
}

fn is_note(place: &Place, item: &Item) -> bool {
    matches!((place, item), (Place::Log(..), Item::Note(_)))
}

/// Rows of one page: a millisecond or two of the store's time.
pub(crate) const PAGE_ROWS: usize = 256;

/// Rows in memory: four pages, so that a turn of direction needs nothing from the store.
pub(crate) const ROWS_MAX: usize = 1_024;

/// Notes in memory.
const NOTES_MAX: usize = 256;

/// Notes that wait for the end of the log to be here again.
const NOTES_WAITING_MAX: usize = 64;
