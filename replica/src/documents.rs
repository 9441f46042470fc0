//! The documents of a room: read for pages, and brought up to date behind what is shown.
//!
//! The log comes first. A durable entry is noted here and shown at once, read from the log; [`Documents::maintain`]
//! applies what was noted in batches. A document that fails in any way is dropped and rebuilt from the log, and while
//! there is none, its rows are read from the log: no failure here hides a row.

use std::collections::{BTreeMap, BTreeSet};

use crate::document::{Document, KeyPrefix};
use crate::id::Position;
use crate::order::OrderKey;
use crate::timeline::{Slot, Span, Timeline};

mod shelf;
#[cfg(test)]
mod tests;
mod upkeep;
mod verify;

pub use shelf::{Row, Shelf};
use upkeep::Loaded;
pub use verify::{ExportError, Verified, export};

/// Most documents in memory at once: the newest week, one being read, one taking late entries, and one to spare.
pub const LOADED_MAX: usize = 4;

/// A document that is in use is saved when at least this many rows came since. What was not saved is applied from the
/// log when it is next loaded, 8 µs a row.
pub const UNSAVED_ROWS_MIN: usize = 256;

/// A row to show.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PageRow {
    /// Where it stands.
    pub key: OrderKey,
    /// Where the log has it.
    pub position: Position,
    /// What is read.
    pub text: String,
}

/// The documents of one room.
#[derive(Debug, Default)]
pub struct Documents {
    loaded: BTreeMap<Span, Loaded>,
    /// Rows to be applied, ascending. A span that is not loaded may lack more: what its saved document does not reach.
    behind: BTreeMap<Span, Vec<Position>>,
    /// Spans whose rows make no document, even from the log. They are read from there.
    given_up: BTreeSet<Span>,
    /// Entries below are durable; others are not shown, and never saved in a document.
    durable: Position,
    uses: u64,
}

impl Documents {
    /// Takes up the documents of a log that is durable up to the end of `timeline`. Those that lack a good part are
    /// brought up to date by [`Documents::maintain`], others when they are next read.
    ///
    /// # Errors
    /// When the store fails.
    pub fn open<S: Shelf>(timeline: &Timeline, shelf: &mut S) -> Result<Self, S::Error> {
        let durable = Position::try_from(timeline.len()).unwrap_or(Position::MAX);
        let mut documents = Self { durable, ..Self::default() };
        for span in timeline.spans() {
            let lacking = documents.lacking(timeline, &span, shelf.reached(&span)?.unwrap_or(0));
            if !lacking.is_empty() && lacking.len() >= (timeline.span_len(&span) - lacking.len()) / 4 {
                documents.behind.insert(span, lacking);
            }
        }
        Ok(documents)
    }

    /// Notes an entry that became durable. Positions ascend; one noted before changes nothing.
    pub fn note(&mut self, timeline: &Timeline, key: &OrderKey, position: Position) {
        if position < self.durable {
            return;
        }
        self.durable = position + 1;
        let span = timeline.span_of(&key.clock);
        if !self.given_up.contains(&span) {
            self.behind.entry(span).or_default().push(position);
        }
    }

    /// Says that the timeline keeps a span in pieces from now on. Its document is dropped, theirs are built.
    ///
    /// # Errors
    /// When the store fails.
    pub fn split<S: Shelf>(
        &mut self,
        timeline: &Timeline,
        shelf: &mut S,
        span: &Span,
    ) -> Result<(), S::Error> {
        self.loaded.remove(span);
        self.behind.remove(span);
        self.given_up.remove(span);
        shelf.forget(span)?;
        for piece in timeline.spans_within(span) {
            self.set_behind(piece, self.lacking(timeline, &piece, 0));
        }
        Ok(())
    }

    /// Says that a span's document is not what the log makes any more (a fork changed actors, or it was found wrong).
    /// It is dropped, and built again from the log.
    ///
    /// # Errors
    /// When the store fails.
    pub fn stale<S: Shelf>(
        &mut self,
        timeline: &Timeline,
        shelf: &mut S,
        span: &Span,
    ) -> Result<(), S::Error> {
        self.given_up.remove(span);
        self.loaded.remove(span);
        self.set_behind(*span, self.lacking(timeline, span, 0));
        shelf.forget(span)
    }

    /// Applies up to `budget_rows` noted rows, those of the newest span first. Where there are none, or to make room for
    /// their document, saves one that has outgrown what is saved of it, if `may_save`: that takes a tenth of a second, in
    /// which nothing else is stored. Says whether there was something to do.
    ///
    /// # Errors
    /// When the store fails.
    pub fn maintain<S: Shelf>(
        &mut self,
        timeline: &Timeline,
        shelf: &mut S,
        budget_rows: usize,
        may_save: bool,
    ) -> Result<bool, S::Error> {
        let mut left = budget_rows;
        let mut did = false;
        while left > 0
            && let Some(span) = self.behind.keys().next_back().copied()
            && (may_save || !self.displaces(&span))
        {
            let was_loaded = self.loaded.contains_key(&span);
            left -= self.catch_up(timeline, shelf, &span, left)?;
            did = true;
            // To load one may take longer than all the rows.
            if !was_loaded {
                break;
            }
        }
        if !did
            && may_save
            && let Some(span) = self.due()
        {
            self.save(timeline, shelf, &span)?;
            did = true;
        }
        Ok(did)
    }

    /// Whether a document waits to be saved.
    #[must_use]
    pub fn is_due(&self) -> bool {
        self.due().is_some()
    }

    /// Up to `count` durable rows before (older than) a key, or the newest, newest first.
    ///
    /// # Errors
    /// When the store fails.
    pub fn page<S: Shelf>(
        &mut self,
        timeline: &Timeline,
        shelf: &mut S,
        before: Option<&OrderKey>,
        count: usize,
    ) -> Result<Vec<PageRow>, S::Error> {
        let durable = timeline.newest_first(before).filter(|slot| slot.position < self.durable);
        let slots: Vec<Slot> = durable.take(count).collect();
        self.read(timeline, shelf, &slots)
    }

    /// The rows of these slots, in the order given: from the documents by key range, with what is not applied yet laid
    /// over from the log. Neighbours should stand together.
    ///
    /// # Errors
    /// When the store fails.
    pub fn read<S: Shelf>(
        &mut self,
        timeline: &Timeline,
        shelf: &mut S,
        slots: &[Slot],
    ) -> Result<Vec<PageRow>, S::Error> {
        let mut texts: BTreeMap<KeyPrefix, String> = BTreeMap::new();
        let span_of = |slot: &Slot| timeline.span_of(&slot.key.clock);
        for together in slots.chunk_by(|one, next| span_of(one) == span_of(next)) {
            let keys = || together.iter().map(|slot| KeyPrefix::from(&slot.key));
            let (Some(newest), Some(oldest)) = (keys().max(), keys().min()) else { continue };
            let span = span_of(&together[0]);
            if !self.load(timeline, shelf, &span)? {
                continue;
            }
            match self.loaded.get(&span).map(|loaded| loaded.document.rows_between(&newest, &oldest)) {
                Some(Ok(rows)) => texts.extend(rows),
                _ => self.fail(timeline, shelf, &span)?,
            }
        }
        let is_missing = |slot: &&Slot| !texts.contains_key(&KeyPrefix::from(&slot.key));
        let missing: Vec<&Slot> = slots.iter().filter(is_missing).collect();
        if !missing.is_empty() {
            let rows = shelf.rows(&missing.iter().map(|slot| slot.position).collect::<Vec<_>>())?;
            texts.extend(missing.iter().zip(rows).map(|(slot, row)| (KeyPrefix::from(&slot.key), row.text)));
        }
        let page_row = |slot: &Slot| {
            let text = texts.remove(&KeyPrefix::from(&slot.key))?;
            Some(PageRow { key: slot.key, position: slot.position, text })
        };
        Ok(slots.iter().filter_map(page_row).collect())
    }

    /// The heads of a span's document, brought up to date first. None if its rows make no document.
    ///
    /// # Errors
    /// When the store fails.
    pub fn heads<S: Shelf>(
        &mut self,
        timeline: &Timeline,
        shelf: &mut S,
        span: &Span,
    ) -> Result<Option<Vec<[u8; 32]>>, S::Error> {
        let document = self.whole(timeline, shelf, span)?;
        Ok(document.map(Document::heads))
    }

    /// Saves every loaded document that lacks rows in the store: for a clean end.
    ///
    /// # Errors
    /// When the store fails.
    pub fn save_all<S: Shelf>(&mut self, timeline: &Timeline, shelf: &mut S) -> Result<(), S::Error> {
        let unsaved = self.loaded.iter().filter(|(_, loaded)| loaded.unsaved > 0);
        for span in unsaved.map(|(span, _)| *span).collect::<Vec<_>>() {
            self.save(timeline, shelf, &span)?;
        }
        Ok(())
    }

    /// How many noted rows are not in their documents yet.
    #[must_use]
    pub fn behind(&self) -> usize {
        self.behind.values().map(Vec::len).sum()
    }

    /// How many documents are in memory: at most [`LOADED_MAX`].
    #[must_use]
    pub fn in_use(&self) -> usize {
        self.loaded.len()
    }

    /// Spans whose rows make no document, even from the log. They are read from there.
    pub fn given_up(&self) -> impl Iterator<Item = &Span> {
        self.given_up.iter()
    }
}
