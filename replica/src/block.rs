//! Blocks: many entries in near-minimal bytes. A block is what the log stores and what a DATA or LIVE frame carries.
//!
//! Columnar, then zstd: no hash the reader can compute is in it. `previous` and dependencies inside the block are
//! named by index, others through a table of (chain, seq, first 16 bytes of the id) that the reader resolves in its
//! graph; a wrong resolution gives a wrong id, which no signature vouches for. An entry has its signature unless a
//! later one of the block names it as `previous`. PROTOCOL.md has the layout byte by byte.

use std::cell::RefCell;

use hashbrown::HashSet;
use zstd::bulk::Decompressor;

use crate::entry::{Entry, RecordError};
use crate::id::{ChainId, EntryId, RoomId};
use crate::limits::{BLOCK_BYTES_MAX, BLOCK_ENTRIES_MAX, BLOCK_INFLATED_BYTES_MAX};

mod columns;
mod read;
#[cfg(test)]
mod tests;
mod write;

pub use write::encode;

/// How the first byte says that the rest is as it is, or inflated by zstd.
const PLAIN: u8 = 0x10;
const ZSTD: u8 = 0x11;

/// zstd's level: 4 bytes an entry smaller than level 1 at this block size, and still faster than the network.
const LEVEL: i32 = 3;

/// Below this many bytes zstd's own header costs more than it saves.
const COMPRESS_BYTES_MIN: usize = 256;

/// Most dependencies in all the entries of a block.
const REFERENCES_MAX: usize = 16 * 1024;

thread_local! {
    /// Made once: making it takes longer than inflating a small block.
    static INFLATER: RefCell<Decompressor<'static>> =
        RefCell::new(Decompressor::new().expect("there is memory for a decompressor"));
}

/// What a block's reader and writer know of entries outside it.
pub trait References {
    /// The chain and seq of a known entry.
    fn place(&self, id: &EntryId) -> Option<(ChainId, u32)>;

    /// The known entry of a chain with this seq whose id starts so.
    fn find(&self, chain: &ChainId, seq: u32, prefix: &[u8; 16]) -> Option<EntryId>;
}

/// Why bytes are not a block.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DecodeError {
    /// Longer than a block may be, as sent or once inflated, or with more entries or references.
    #[error("a block is over its limits")]
    TooLarge,
    /// Not a block's bytes.
    #[error("a block's {0} is malformed")]
    Malformed(&'static str),
    /// It builds on an entry that is not here.
    #[error("a block builds on an entry that is not here: {seq} of {chain:?}")]
    Unresolved {
        /// Of this chain.
        chain: ChainId,
        /// With this seq.
        seq: u32,
        /// The first half of its id.
        prefix: [u8; 16],
    },
    /// One of its records is not canonical.
    #[error(transparent)]
    Record(#[from] RecordError),
}

/// Why entries cannot be put into one block.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum EncodeError {
    /// More bytes, entries or references than a block may have: put them into several.
    #[error("the entries do not fit into one block")]
    TooLarge,
    /// An entry depends on one that is neither in the block nor known.
    #[error("an entry of the block depends on an unknown one")]
    UnknownDependency,
}

/// Reads a block. The ids are computed here; whether the entries are authentic is for [`unvouched`] and the
/// signatures to say.
///
/// # Errors
/// When the bytes are over the limits, malformed, or refer to what `references` does not know.
pub fn decode(bytes: &[u8], room: &RoomId, references: &impl References) -> Result<Vec<Entry>, DecodeError> {
    if bytes.len() > BLOCK_BYTES_MAX {
        return Err(DecodeError::TooLarge);
    }
    match bytes.split_first() {
        Some((&PLAIN, rest)) => read::entries(rest, room, references),
        Some((&ZSTD, rest)) => {
            let inflated = INFLATER.with_borrow_mut(|it| it.decompress(rest, BLOCK_INFLATED_BYTES_MAX));
            let inflated = inflated.map_err(|_| DecodeError::Malformed("compression"))?;
            read::entries(&inflated, room, references)
        }
        _ => Err(DecodeError::Malformed("first byte")),
    }
}

/// How many bytes a block takes once it is inflated, as far as its head tells; else as many as one may.
#[must_use]
pub fn inflated_bytes(bytes: &[u8]) -> usize {
    match bytes.split_first() {
        Some((&ZSTD, rest)) => match zstd::zstd_safe::get_frame_content_size(rest) {
            Ok(Some(told)) => usize::try_from(told).unwrap_or(usize::MAX).min(BLOCK_INFLATED_BYTES_MAX),
            Ok(None) | Err(_) => BLOCK_INFLATED_BYTES_MAX,
        },
        _ => bytes.len(),
    }
}

/// What a block holds, in numbers.
struct Extent {
    chains: usize,
    /// Entries outside that it refers to.
    outside: usize,
    entries: usize,
    dependencies: usize,
    body_bytes: usize,
    signatures: usize,
}

impl Extent {
    /// Whether that is a block: with every number as long as it can be it fits uncompressed, and so does what is left of
    /// it when its chains are cut to tails. An entry that is cut away may become a row of the table of those outside,
    /// and has paid for it, so the sum never grows. How well a peer's encoder packs is of no account; by compressed
    /// bytes, one better than ours could make blocks that we could keep but not cut.
    fn fits(&self) -> bool {
        let tables = HEAD_BYTES + self.chains * ChainId::BYTES + self.outside * OUTSIDE_BYTES;
        let columns = self.entries * ENTRY_BYTES + self.dependencies * REFERENCE_BYTES;
        tables + columns + self.body_bytes + self.signatures * SIGNATURE_BYTES <= BLOCK_BYTES_MAX
    }
}

/// The first byte, and the lengths of the tables and columns.
const HEAD_BYTES: usize = 1 + 3 * 3;

/// A row of the table of entries outside: chain, seq, half an id.
const OUTSIDE_BYTES: usize = 2 + 5 + 16;

/// An entry: chain, kind, previous, number of dependencies, time, length of the body, flag, and a row outside once it
/// is cut away.
const ENTRY_BYTES: usize = 2 + 3 + REFERENCE_BYTES + 1 + 7 + 3 + 1 + OUTSIDE_BYTES;

/// A reference to an entry.
const REFERENCE_BYTES: usize = 3;

const SIGNATURE_BYTES: usize = 64;

/// The entries of a block that no other of its entries names as `previous`, by index: each must be authentic by its
/// own signature, and with them all are.
#[must_use]
pub fn unvouched(entries: &[Entry]) -> Vec<usize> {
    let named: HashSet<EntryId> = entries.iter().filter_map(|entry| entry.record().previous).collect();
    (0..entries.len()).filter(|&index| !named.contains(&entries[index].id())).collect()
}

/// How many bytes of a block an entry takes at most, beside what is needed once for its chain and for each entry outside
/// that it names: for cutting blocks by size.
#[must_use]
pub fn weight(entry: &Entry) -> usize {
    let record = entry.record();
    let signature = entry.signature().map_or(0, |_| SIGNATURE_BYTES);
    ENTRY_BYTES + record.dependencies.len() * REFERENCE_BYTES + record.body.len() + signature
}

/// A reference to an entry, as columns hold it: inside the block by distance, outside by index into the table.
#[derive(Clone, Copy)]
enum Reference {
    /// So many entries before this one in the block, at least 1.
    Back(usize),
    /// Entry of the table of those outside.
    Outside(usize),
}
