//! Entries that belong to another actor since their author forked the chain, and the documents that have them.

use std::collections::BTreeSet;

use crate::archive::{Archive, Batch};
use crate::document::Actor;
use crate::id::Position;
use crate::store::{StoreError, saved};
use crate::timeline::Span;

impl Archive {
    /// Before entries move to other actors, the saved documents that have them where they were are forgotten: a crash in
    /// between costs a rebuild, never a wrong document.
    pub(super) fn forget_moved(&mut self, batch: &Batch, first: Position) -> Result<(), StoreError> {
        for span in self.spans_of(batch.moved.range(..first).map(|(at, _)| *at)) {
            saved::forget(self.store.as_mut(), &span.to_bytes())?;
        }
        Ok(())
    }

    /// The spans that have these entries of the log, each once.
    fn spans_of(&self, entries: impl Iterator<Item = Position>) -> BTreeSet<Span> {
        let keys = entries.filter_map(|at| self.timeline.key(at));
        keys.map(|key| self.timeline.span_of(&key.clock)).collect()
    }

    /// Has the documents rebuilt that have entries of other actors now.
    pub(super) fn rebuild_moved(&mut self, batch: &Batch) -> Result<(), StoreError> {
        for (at, actor) in &batch.moved {
            match actor {
                Actor::Branch(_) => self.actors.insert(*at, *actor),
                Actor::Chain(_) => self.actors.remove(at),
            };
        }
        for span in self.spans_of(batch.moved.keys().copied()) {
            let (timeline, mut shelf, documents) = self.parts();
            documents.stale(timeline, &mut shelf, &span)?;
        }
        Ok(())
    }
}
