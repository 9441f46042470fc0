//! Going through everything.

use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use crate::archive::Archive;
use crate::block::{self, unvouched};
use crate::graph::{Admission, Graph};
use crate::id::{Digest, Position};
use crate::store::{BlockNumber, StoreError};

/// What [`Archive::verify`] went through.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
pub struct Verification {
    /// The digest that peers compare, of what was gone through.
    pub digest: Digest,
    /// SHA-256 over the ids of all entries in order: equal wherever the digest is.
    pub order: Digest,
    /// Entries, each with its hash, its place in its chain, its author's membership and its clock.
    pub entries: Position,
    /// Signatures checked; each vouches for the chain below it.
    pub signatures: usize,
    /// Documents held against the log, row by row.
    pub documents: usize,
}

/// What is wrong.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum VerifyError {
    /// The store.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A block that is not one, or does not fit what is below it.
    #[error("block {0} of the log cannot be read")]
    Block(u32),
    /// An entry without the signature it needs.
    #[error("entry {0} of the log is not signed by its author")]
    Signature(Position),
    /// An entry that is not valid.
    #[error("entry {0} of the log is not valid")]
    Invalid(Position),
    /// An entry that stands elsewhere than its clock says.
    #[error("entry {0} of the log stands in the wrong place")]
    Order(Position),
    /// Documents that are not what the log makes. They are rebuilt.
    #[error("{0} documents were not what the log says; they will be built again")]
    Documents(usize),
}

impl Archive {
    /// Goes through everything: the store's own checks, every signature and hash, every clock, the documents' rows
    /// against the log's.
    ///
    /// # Errors
    /// At the first thing that is wrong.
    pub fn verify(&mut self) -> Result<Verification, VerifyError> {
        self.log.verify(self.store.as_ref())?;
        let mut graph = Graph::new(self.room);
        let mut signatures = 0;
        for number in 0..self.log.blocks() {
            let bytes = self.log.read(self.store.as_ref(), BlockNumber(number))?;
            let entries =
                block::decode(&bytes, &self.room, &graph).map_err(|_| VerifyError::Block(number))?;
            for index in unvouched(&entries) {
                let at = graph.len() + Position::try_from(index).unwrap_or(Position::MAX);
                if !entries[index].is_signed() {
                    return Err(VerifyError::Signature(at));
                }
                signatures += 1;
            }
            for entry in &entries {
                let next = graph.len();
                let Ok(Admission::New(at)) = graph.admit(entry) else {
                    return Err(VerifyError::Invalid(next));
                };
                if self.timeline.key(at) != Some(&graph.key(at)) {
                    return Err(VerifyError::Order(at));
                }
            }
            graph.settle(graph.len());
        }
        let mut hash = Sha256::new();
        let spans: Vec<_> = self.timeline.spans().collect();
        for span in spans.iter().rev() {
            self.timeline.slots(span).for_each(|slot| hash.update(slot.key.id.0));
        }
        let (timeline, mut shelf, documents) = self.parts();
        let checked = documents.verify(timeline, &mut shelf)?;
        if !checked.wrong.is_empty() {
            for span in &checked.wrong {
                documents.stale(timeline, &mut shelf, span)?;
            }
            return Err(VerifyError::Documents(checked.wrong.len()));
        }
        Ok(Verification {
            digest: graph.digest(),
            order: Digest(hash.finalize().into()),
            entries: graph.len(),
            signatures,
            documents: checked.documents,
        })
    }
}
