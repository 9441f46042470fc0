//! The documents' view of the store.

use crate::archive::text_of;
use crate::block::{self, References};
use crate::document::Actor;
use crate::documents::{Row, Shelf};
use crate::entry::Entry;
use crate::graph::Pieces;
use crate::id::{ChainId, EntryId, Position, RoomId};
use crate::store::saved::{self, Saved};
use crate::store::{Damage, Log, Store, StoreError};
use crate::timeline::{Span, Timeline};

pub(super) struct LogShelf<'a> {
    pub(super) room: &'a RoomId,
    pub(super) store: &'a mut dyn Store,
    pub(super) log: &'a Log,
    pub(super) timeline: &'a Timeline,
    pub(super) actors: &'a Pieces<Actor>,
}

impl Shelf for LogShelf<'_> {
    type Error = StoreError;

    fn reached(&mut self, span: &Span) -> Result<Option<Position>, StoreError> {
        saved::reached(self.store, &span.to_bytes())
    }

    fn load(&mut self, span: &Span) -> Result<Option<(Vec<u8>, Position)>, StoreError> {
        Ok(match saved::load(self.store, &span.to_bytes())? {
            Saved::Document { bytes, reached } => inflated(&bytes).map(|document| (document, reached)),
            Saved::Absent | Saved::Damaged => None,
        })
    }

    fn save(&mut self, span: &Span, document: &[u8], reached: Position) -> Result<(), StoreError> {
        saved::save(self.store, &span.to_bytes(), &deflated(document)?, reached)
    }

    fn forget(&mut self, span: &Span) -> Result<(), StoreError> {
        saved::forget(self.store, &span.to_bytes())
    }

    fn rows(&mut self, positions: &[Position]) -> Result<Vec<Row>, StoreError> {
        let mut open: Option<(Position, Vec<Entry>)> = None;
        let mut rows = Vec::with_capacity(positions.len());
        for &at in positions {
            let (number, first) = self.log.block_at(at).ok_or(Damage::Log)?;
            if open.as_ref().is_none_or(|(of, _)| *of != first) {
                let bytes = self.log.read(self.store, number)?;
                let entries = block::decode(&bytes, self.room, &Unseen).map_err(|_| Damage::Log)?;
                open = Some((first, entries));
            }
            let entry = open.as_ref().and_then(|(first, entries)| entries.get((at - first) as usize));
            rows.push(self.row(at, entry.ok_or(Damage::Log)?)?);
        }
        Ok(rows)
    }
}

/// A document as it is kept: its length u32, and zstd, which is faster than the compression Automerge does by itself.
fn deflated(document: &[u8]) -> Result<Vec<u8>, StoreError> {
    let too_large = StoreError::TooLarge { bytes: document.len() };
    let length = u32::try_from(document.len()).map_err(|_| too_large)?;
    let mut kept = length.to_be_bytes().to_vec();
    kept.extend_from_slice(&zstd::bulk::compress(document, LEVEL)?);
    Ok(kept)
}

/// The inverse; none for bytes that are not ours.
fn inflated(kept: &[u8]) -> Option<Vec<u8>> {
    let (length, packed) = kept.split_first_chunk()?;
    let length = usize::try_from(u32::from_be_bytes(*length)).ok()?;
    zstd::bulk::decompress(packed, length).ok().filter(|document| document.len() == length)
}

/// zstd's level: documents are written behind everything else, and read when somebody scrolls.
const LEVEL: i32 = 3;

impl LogShelf<'_> {
    fn row(&self, at: Position, entry: &Entry) -> Result<Row, StoreError> {
        let key = *self.timeline.key(at).ok_or(Damage::Log)?;
        let record = entry.record();
        let noted = self.actors.value(self.actors.run(at, record.chain), record.seq);
        let actor = noted.unwrap_or(Actor::from(record.chain));
        Ok(Row { key, actor, claimed_ms: record.claimed_ms, text: text_of(&entry.body()) })
    }
}

/// Stands for whatever a block refers to outside of it. Ids come out wrong, which does not matter: what an entry says,
/// by whom and when, does not depend on them, and the log's own hashes vouch for the bytes.
pub(super) struct Unseen;

impl References for Unseen {
    fn place(&self, _: &EntryId) -> Option<(ChainId, u32)> {
        None
    }

    fn find(&self, chain: &ChainId, seq: u32, prefix: &[u8; 16]) -> Option<EntryId> {
        let mut id = [0; 32];
        id[..16].copy_from_slice(prefix);
        id[16..24].copy_from_slice(&chain.incarnation.to_be_bytes());
        id[24..28].copy_from_slice(&seq.to_be_bytes());
        Some(EntryId(id))
    }
}
