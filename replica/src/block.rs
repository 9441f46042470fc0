//! Blocks: many entries in near-minimal bytes. A block is what the log stores and what a DATA or LIVE frame carries.
//!
//! Columnar, then zstd: no hash the reader can compute is in it. `previous` and dependencies inside the block are
//! named by index, others through a table of (chain, seq, first 16 bytes of the id) that the reader resolves in its
//! graph; a wrong resolution gives a wrong id, which no signature vouches for. An entry has its signature unless a
//! later one of the block names it as `previous`. PROTOCOL.md has the layout byte by byte.

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

/// What an entry may cost more when a block is cut to the entries that someone lacks: a reference to it by index then
/// becomes one by (chain, seq, id). A block must have room for that, so that it can always be cut.
const CUT_BYTES: usize = 24;

/// Most dependencies in all the entries of a block: with it a decoded block stays under a few MiB.
const REFERENCES_MAX: usize = 64 * 1024;

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
    let entries = match bytes.split_first() {
        Some((&PLAIN, rest)) => read::entries(rest, room, references)?,
        Some((&ZSTD, rest)) => {
            let inflated = zstd::bulk::decompress(rest, BLOCK_INFLATED_BYTES_MAX)
                .map_err(|_| DecodeError::Malformed("compression"))?;
            read::entries(&inflated, room, references)?
        }
        _ => return Err(DecodeError::Malformed("first byte")),
    };
    if fits(bytes.len(), entries.len()) { Ok(entries) } else { Err(DecodeError::TooLarge) }
}

/// Whether so many bytes are a block of so many entries, with room for cutting it.
fn fits(bytes: usize, entries: usize) -> bool {
    bytes + entries.saturating_sub(1) * CUT_BYTES <= BLOCK_BYTES_MAX
}

/// The entries of a block that no other of its entries names as `previous`, by index: each must be authentic by its
/// own signature, and with them all are.
#[must_use]
pub fn unvouched(entries: &[Entry]) -> Vec<usize> {
    let named: std::collections::BTreeSet<_> =
        entries.iter().filter_map(|entry| entry.record().previous).collect();
    (0..entries.len()).filter(|&index| !named.contains(&entries[index].id())).collect()
}

/// Roughly how many bytes an entry takes in a block before compression: for cutting blocks by size.
#[must_use]
pub fn weight(entry: &Entry) -> usize {
    8 + entry.record().body.len()
        + entry.record().dependencies.len() * 2
        + entry.signature().map_or(0, |_| 64)
}

/// A reference to an entry, as columns hold it: inside the block by distance, outside by index into the table.
#[derive(Clone, Copy)]
enum Reference {
    /// So many entries before this one in the block, at least 1.
    Back(usize),
    /// Entry of the table of those outside.
    Outside(usize),
}
