//! Keeping documents: loading, applying, saving, dropping.

use crate::document::{Document, DocumentError, DocumentRow};
use crate::id::Position;
use crate::timeline::{Span, Timeline};

use super::{Documents, LOADED_MAX, Row, Shelf, UNSAVED_ROWS_MIN};

/// Most rows applied at once: with the longest texts 16 MiB.
pub(super) const BATCH_ROWS_MAX: usize = 1024;

#[derive(Debug)]
pub(super) struct Loaded {
    pub(super) document: Document,
    /// Of the span's rows exactly those below are inside.
    reached: Position,
    pub(super) unsaved: usize,
    last_use: u64,
    /// Whether it was built from the log since it was last dropped, so that building it again would not help.
    from_log: bool,
}

impl Loaded {
    fn outgrew_saved(&self) -> bool {
        self.unsaved > 0 && self.unsaved >= (self.document.len() - self.unsaved) / 4
    }
}

impl Documents {
    /// The document with all durable rows of its span, unless they make none.
    pub(super) fn whole<S: Shelf>(
        &mut self,
        timeline: &Timeline,
        shelf: &mut S,
        span: &Span,
    ) -> Result<Option<&Document>, S::Error> {
        loop {
            if self.load(timeline, shelf, span)? && !self.behind.contains_key(span) {
                return Ok(self.loaded.get(span).map(|loaded| &loaded.document));
            }
            if self.given_up.contains(span) {
                return Ok(None);
            }
            self.catch_up(timeline, shelf, span, usize::MAX)?;
        }
    }

    /// Applies the first of a span's noted rows, at most `most`, and says how many. Either that is some, or the span
    /// is no longer behind, or has lost a document that failed; so repeating it ends.
    pub(super) fn catch_up<S: Shelf>(
        &mut self,
        timeline: &Timeline,
        shelf: &mut S,
        span: &Span,
        most: usize,
    ) -> Result<usize, S::Error> {
        if !self.load(timeline, shelf, span)? {
            self.start(timeline, shelf, *span)?;
        }
        let (Some(loaded), Some(behind)) = (self.loaded.get_mut(span), self.behind.get_mut(span)) else {
            self.behind.remove(span);
            return Ok(0);
        };
        let batch = &behind[..behind.len().min(most).min(BATCH_ROWS_MAX)];
        let rows = shelf.rows(batch)?;
        let applied = rows.iter().map(Row::as_document_row).collect::<Vec<DocumentRow<'_>>>();
        if rows.len() != batch.len() || loaded.document.apply(&applied).is_err() {
            self.fail(timeline, shelf, span)?;
            return Ok(0);
        }
        loaded.reached = batch.last().map_or(loaded.reached, |last| last + 1);
        loaded.unsaved += rows.len();
        behind.drain(..rows.len());
        if behind.is_empty() {
            self.behind.remove(span);
        }
        Ok(rows.len())
    }

    /// The document of most use to save now: one that has all rows there are, and outgrew what is saved of it. One that
    /// still grows would be saved over and over.
    pub(super) fn due(&self) -> Option<Span> {
        let is_due = |(span, loaded): &(&Span, &Loaded)| {
            loaded.unsaved >= UNSAVED_ROWS_MIN && loaded.outgrew_saved() && !self.behind.contains_key(span)
        };
        self.loaded.iter().find(is_due).map(|(span, _)| *span)
    }

    /// Whether to load or start a span's document would save another one.
    pub(super) fn displaces(&self, span: &Span) -> bool {
        let oldest = self.loaded.values().min_by_key(|loaded| loaded.last_use);
        self.loaded.len() >= LOADED_MAX
            && !self.loaded.contains_key(span)
            && oldest.is_some_and(Loaded::outgrew_saved)
    }

    /// Loads a span's saved document, if there is one, and takes what it lacks from the timeline. Says whether it is
    /// in memory now.
    pub(super) fn load<S: Shelf>(
        &mut self,
        timeline: &Timeline,
        shelf: &mut S,
        span: &Span,
    ) -> Result<bool, S::Error> {
        self.uses += 1;
        if let Some(loaded) = self.loaded.get_mut(span) {
            loaded.last_use = self.uses;
            return Ok(true);
        }
        if self.given_up.contains(span) {
            return Ok(false);
        }
        let Some((bytes, reached)) = shelf.load(span)? else { return Ok(false) };
        let lacking = self.lacking(timeline, span, reached);
        let inside = timeline.slots(span).filter(|slot| slot.position < reached).count();
        match Document::load(&bytes) {
            Ok(document) if document.len() == inside && reached <= self.durable => {
                self.set_behind(*span, lacking);
                self.put(timeline, shelf, *span, document, reached, false)?;
                Ok(true)
            }
            // It is not what the log makes: a log that lost its tail, a copied store, damage.
            _ => {
                self.stale(timeline, shelf, span)?;
                Ok(false)
            }
        }
    }

    /// Starts a span's document from nothing.
    fn start<S: Shelf>(&mut self, timeline: &Timeline, shelf: &mut S, span: Span) -> Result<(), S::Error> {
        if self.given_up.contains(&span) {
            return Ok(());
        }
        self.set_behind(span, self.lacking(timeline, &span, 0));
        self.put(timeline, shelf, span, Document::new(), 0, true)
    }

    fn put<S: Shelf>(
        &mut self,
        timeline: &Timeline,
        shelf: &mut S,
        span: Span,
        document: Document,
        reached: Position,
        from_log: bool,
    ) -> Result<(), S::Error> {
        while self.loaded.len() >= LOADED_MAX {
            let Some(oldest) = self.loaded.iter().min_by_key(|(_, loaded)| loaded.last_use) else { break };
            let (span, is_due) = (*oldest.0, oldest.1.outgrew_saved());
            if is_due {
                self.save(timeline, shelf, &span)?;
            }
            self.loaded.remove(&span);
        }
        self.loaded.insert(span, Loaded { document, reached, unsaved: 0, last_use: self.uses, from_log });
        Ok(())
    }

    /// Saves a document, once what it would save is seen to load again.
    pub(super) fn save<S: Shelf>(
        &mut self,
        timeline: &Timeline,
        shelf: &mut S,
        span: &Span,
    ) -> Result<(), S::Error> {
        let Some(loaded) = self.loaded.get_mut(span) else { return Ok(()) };
        let saved = loaded.document.save().and_then(|bytes| checked(&loaded.document, bytes));
        let Ok(bytes) = saved else { return self.fail(timeline, shelf, span) };
        shelf.save(span, &bytes, loaded.reached)?;
        loaded.unsaved = 0;
        Ok(())
    }

    /// Drops a document that failed. If it came from the store it is built from the log; if it came from the log
    /// already, it would fail again.
    pub(super) fn fail<S: Shelf>(
        &mut self,
        timeline: &Timeline,
        shelf: &mut S,
        span: &Span,
    ) -> Result<(), S::Error> {
        let was_from_log = self.loaded.get(span).is_some_and(|loaded| loaded.from_log);
        self.stale(timeline, shelf, span)?;
        if was_from_log {
            self.behind.remove(span);
            self.given_up.insert(*span);
        }
        Ok(())
    }

    /// The durable rows of a span from a log position on, ascending.
    pub(super) fn lacking(&self, timeline: &Timeline, span: &Span, reached: Position) -> Vec<Position> {
        let lacking = reached..self.durable;
        let positions = timeline.slots(span).map(|slot| slot.position);
        let mut positions: Vec<Position> = positions.filter(|position| lacking.contains(position)).collect();
        positions.sort_unstable();
        positions
    }

    pub(super) fn set_behind(&mut self, span: Span, positions: Vec<Position>) {
        if positions.is_empty() {
            self.behind.remove(&span);
        } else {
            self.behind.insert(span, positions);
        }
    }
}

/// A document's bytes, once they are seen to load as the same.
pub(super) fn checked(document: &Document, bytes: Vec<u8>) -> Result<Vec<u8>, DocumentError> {
    let is_same = Document::load(&bytes)?.heads() == document.heads();
    if is_same { Ok(bytes) } else { Err(DocumentError::Unreadable) }
}
