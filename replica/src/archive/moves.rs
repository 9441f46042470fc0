//! Entries that belong to another actor since their author forked the chain, and the documents that have them.

use crate::archive::{Archive, Batch};
use crate::store::{StoreError, saved};
use crate::timeline::Span;

impl Archive {
    /// Before entries move to other actors, the saved documents that may have them where they were are forgotten: a crash
    /// in between costs a rebuild, never a wrong document.
    pub(super) fn forget_moved(&mut self, batch: &Batch) -> Result<(), StoreError> {
        for span in self.spans_moved(batch) {
            saved::forget(self.store.as_mut(), &span.to_bytes())?;
        }
        Ok(())
    }

    /// The spans in which entries may be of another actor by a batch: a line's entries stand in the order of its chain.
    fn spans_moved(&self, batch: &Batch) -> Vec<Span> {
        let Some(from) = &batch.relined.from else { return Vec::new() };
        self.timeline.spans().take_while(|span| span.end_key() > *from).collect()
    }

    /// Has the documents rebuilt that have entries of other actors now.
    pub(super) fn rebuild_moved(&mut self, batch: &Batch) -> Result<(), StoreError> {
        for span in self.spans_moved(batch) {
            let (timeline, mut shelf, documents) = self.parts();
            documents.stale(timeline, &mut shelf, &span)?;
        }
        Ok(())
    }
}
