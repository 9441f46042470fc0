//! One Automerge document: the rows of one stretch of time, one change per entry.
//!
//! Changes are built here from checked fields and never parsed from anyone's bytes. Every row has a key of its own and
//! nothing is overwritten, so equal sets of rows give equal heads whatever the order and the batches they came in. The
//! keys ascend from the newest row to the oldest: a page is a key range.

use std::collections::BTreeMap;
use std::num::NonZeroU64;
use std::ops::Bound;
use std::panic::{AssertUnwindSafe, catch_unwind};

use automerge::legacy::{Key, ObjectId, Op, OpType, SortedVec};
use automerge::{
    ActorId, Automerge, Change, ChangeHash, ExpandedChange, LoadOptions, ROOT, ReadDoc, SaveOptions,
    ScalarValue, ScalarValueRef, ValueRef,
};

use crate::limits::TIME_MS_MAX;
use crate::order::OrderKey;

mod actor;
mod key;
#[cfg(test)]
mod tests;

pub use actor::Actor;
pub use key::KeyPrefix;

/// What a document keeps of one entry, all of it checked before.
#[derive(Clone, Copy, Debug)]
pub struct DocumentRow<'a> {
    /// Where it stands.
    pub key: OrderKey,
    /// Whose change it becomes.
    pub actor: &'a Actor,
    /// The author's clock.
    pub claimed_ms: u64,
    /// What is read: a message's text, or a short readable form of another kind.
    pub text: &'a str,
}

/// Why a document cannot be used. What is left in memory may be half done: drop it and rebuild it from the log.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[non_exhaustive]
pub enum DocumentError {
    /// A claimed time of more than 48 bits; no valid entry has one.
    #[error("a row claims a time beyond 48 bits")]
    Time,
    /// Automerge took fewer changes than it was given.
    #[error("the document did not take every row")]
    Refused,
    /// Saved bytes that do not open, or do not hold what [`Document::save`] writes.
    #[error("the saved document cannot be read")]
    Unreadable,
    /// Automerge panicked; the document may be half done.
    #[error("the document failed inside")]
    Panicked,
}

/// The rows of one stretch of time. Some 0.8 kB of memory a row of 70 bytes.
pub struct Document {
    inner: Automerge,
    tips: BTreeMap<Actor, Tip>,
    rows: usize,
}

/// The last change of an actor.
#[derive(Clone, Copy)]
struct Tip {
    place: u64,
    hash: ChangeHash,
}

impl Document {
    /// A document without rows.
    #[must_use]
    pub fn new() -> Self {
        Self { inner: Automerge::new().with_actor(reader()), tips: BTreeMap::new(), rows: 0 }
    }

    /// Takes a batch of rows, those of one actor in chain order. No row may be given twice.
    ///
    /// # Errors
    /// After any, the document must be dropped.
    pub fn apply(&mut self, rows: &[DocumentRow<'_>]) -> Result<(), DocumentError> {
        if rows.iter().any(|row| row.claimed_ms > TIME_MS_MAX) {
            return Err(DocumentError::Time);
        }
        // A caught panic leaves the document half done, and the error says to drop it.
        catch_unwind(AssertUnwindSafe(|| self.apply_unguarded(rows))).unwrap_or(Err(DocumentError::Panicked))
    }

    fn apply_unguarded(&mut self, rows: &[DocumentRow<'_>]) -> Result<(), DocumentError> {
        let changes: Vec<Change> = rows.iter().map(|row| self.next_change(row)).collect();
        self.inner.apply_changes(changes).map_err(|_| DocumentError::Refused)?;
        self.rows += rows.len();
        if self.inner.stats().num_changes == self.rows as u64 { Ok(()) } else { Err(DocumentError::Refused) }
    }

    fn next_change(&mut self, row: &DocumentRow<'_>) -> Change {
        let tip = self.tips.get(row.actor);
        let place = tip.map_or(1, |tip| tip.place + 1);
        let change = Change::from(ExpandedChange {
            operations: vec![Op {
                action: OpType::Put(ScalarValue::Str(row.text.into())),
                obj: ObjectId::Root,
                key: Key::Map(KeyPrefix::from(&row.key).to_name().into()),
                pred: SortedVec::new(),
                insert: false,
            }],
            actor_id: ActorId::from(row.actor.as_bytes()),
            hash: None,
            seq: place,
            start_op: NonZeroU64::new(place).unwrap_or(NonZeroU64::MIN),
            // At most 48 bits, as checked before.
            time: i64::try_from(row.claimed_ms).unwrap_or(i64::MAX),
            message: None,
            deps: tip.map(|tip| tip.hash).into_iter().collect(),
            extra_bytes: Vec::new(),
            author: None,
        });
        self.tips.insert(*row.actor, Tip { place, hash: change.hash() });
        change
    }

    /// The document in Automerge's own format, for whoever compresses it. The bytes depend on the order of arrival; the
    /// heads do not.
    ///
    /// # Errors
    /// When Automerge fails on it; then it must be dropped.
    pub fn save(&self) -> Result<Vec<u8>, DocumentError> {
        self.to_bytes(false)
    }

    /// The same, compressed as Automerge does it.
    ///
    /// # Errors
    /// As [`Document::save`].
    pub fn export(&self) -> Result<Vec<u8>, DocumentError> {
        self.to_bytes(true)
    }

    fn to_bytes(&self, deflate: bool) -> Result<Vec<u8>, DocumentError> {
        let options = SaveOptions { deflate, retain_orphans: false };
        catch_unwind(AssertUnwindSafe(|| self.inner.save_with_options(options)))
            .map_err(|_| DocumentError::Panicked)
    }

    /// Opens what [`Document::save`] or [`Document::export`] wrote. Only for bytes this replica wrote itself and has checked by their hash:
    /// Automerge's parser is not to be shown anyone else's.
    ///
    /// # Errors
    /// When the bytes are not such a document.
    pub fn load(bytes: &[u8]) -> Result<Self, DocumentError> {
        catch_unwind(|| Self::load_unguarded(bytes)).unwrap_or(Err(DocumentError::Panicked))
    }

    fn load_unguarded(bytes: &[u8]) -> Result<Self, DocumentError> {
        let inner = Automerge::load_with_options(bytes, LoadOptions::new())
            .map_err(|_| DocumentError::Unreadable)?
            .with_actor(reader());
        let mut tips = BTreeMap::new();
        for hash in inner.get_heads() {
            let last = inner.get_change_meta_by_hash(&hash).ok_or(DocumentError::Unreadable)?;
            let actor = Actor::from_bytes(last.actor.to_bytes()).ok_or(DocumentError::Unreadable)?;
            tips.insert(actor, Tip { place: last.seq, hash });
        }
        // Every row is one change, and every actor's changes are one line that ends in a head.
        let rows = tips.values().map(|tip| tip.place).sum::<u64>();
        if inner.stats().num_changes != rows {
            return Err(DocumentError::Unreadable);
        }
        Ok(Self { inner, tips, rows: usize::try_from(rows).map_err(|_| DocumentError::Unreadable)? })
    }

    /// Up to `count` rows, newest first, from the newest before (older than) `before`, or from the newest of all.
    ///
    /// # Errors
    /// When Automerge fails on it; then it must be dropped.
    pub fn rows(
        &self,
        before: Option<&KeyPrefix>,
        count: usize,
    ) -> Result<Vec<(KeyPrefix, String)>, DocumentError> {
        let from = before.map_or(Bound::Unbounded, |key| Bound::Excluded(key.to_name()));
        self.read(from, Bound::Unbounded, count)
    }

    /// The rows from `newest` down to `oldest`, both included, newest first.
    ///
    /// # Errors
    /// When Automerge fails on it; then it must be dropped.
    pub fn rows_between(
        &self,
        newest: &KeyPrefix,
        oldest: &KeyPrefix,
    ) -> Result<Vec<(KeyPrefix, String)>, DocumentError> {
        if newest < oldest {
            return Ok(Vec::new());
        }
        self.read(Bound::Included(newest.to_name()), Bound::Included(oldest.to_name()), usize::MAX)
    }

    fn read(
        &self,
        from: Bound<String>,
        to: Bound<String>,
        count: usize,
    ) -> Result<Vec<(KeyPrefix, String)>, DocumentError> {
        let read = || {
            let rows = self.inner.map_range(ROOT, (from, to)).take(count);
            rows.map(|item| Some((KeyPrefix::from_name(&item.key)?, text_of(item.value)?))).collect()
        };
        let rows: Option<Vec<_>> =
            catch_unwind(AssertUnwindSafe(read)).map_err(|_| DocumentError::Panicked)?;
        rows.ok_or(DocumentError::Unreadable)
    }

    /// The text of one row, if the document has it.
    ///
    /// # Errors
    /// When Automerge fails on it; then it must be dropped.
    pub fn text(&self, key: &KeyPrefix) -> Result<Option<String>, DocumentError> {
        Ok(self.rows_between(key, key)?.pop().map(|(_, text)| text))
    }

    /// How many rows it holds.
    #[must_use]
    pub fn len(&self) -> usize {
        self.rows
    }

    /// Whether it holds none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.rows == 0
    }

    /// The hashes of every actor's last change, ascending: equal heads mean equal documents.
    #[must_use]
    pub fn heads(&self) -> Vec<[u8; 32]> {
        let mut heads: Vec<_> = self.tips.values().map(|tip| tip.hash.0).collect();
        heads.sort_unstable();
        heads
    }
}

impl Default for Document {
    fn default() -> Self {
        Self::new()
    }
}

impl std::fmt::Debug for Document {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Document").field("rows", &self.rows).field("actors", &self.tips.len()).finish()
    }
}

/// Nobody: a document makes no local changes, and is not to draw a random actor.
fn reader() -> ActorId {
    ActorId::from(&[0u8][..])
}

fn text_of(value: ValueRef<'_>) -> Option<String> {
    match value {
        ValueRef::Scalar(ScalarValueRef::Str(text)) => Some(text.into_owned()),
        _ => None,
    }
}
