//! Finding blocks in the bytes of a database's file, without the database: what is left of a log when nothing else is.
//!
//! A block's index row holds its hash, so a block is known by itself wherever it lies; and values are never split, so
//! each lies in one piece. Blocks that were put together since are found too, as far as they were not written over.

use std::collections::{BTreeMap, BTreeSet};

use sha2::{Digest as _, Sha256};

use super::{Block, FIELDS_BYTES, Hash, LOG, PART_BYTES, TAIL};
use crate::id::Position;
use crate::limits::BLOCK_ENTRIES_MAX;
use crate::store::row;

/// What [`carve`] found.
#[derive(Debug, Default)]
pub(crate) struct Carved {
    /// Blocks, each once, by where they lie in the file.
    pub(crate) blocks: Vec<Vec<u8>>,
    /// How many entries the log had, by the longest tail row that is left; none if none is.
    pub(crate) entries: Option<Position>,
}

/// Finds blocks that are what was written, by their hash.
pub(crate) fn carve(file: &[u8]) -> Carved {
    let mut found: BTreeMap<Hash, (usize, Vec<u8>)> = BTreeMap::new();
    let mut in_parts: BTreeSet<(u32, Hash)> = BTreeSet::new();
    let mut entries = None;
    for (at, value) in values(file) {
        entries = entries.max(tail(value));
        let Some(fields) = value.get(row::SEAL_BYTES..row::SEAL_BYTES + FIELDS_BYTES) else { continue };
        let Some(block) = Block::from_fields(fields) else { continue };
        if !block.is_inline() {
            in_parts.insert((block.bytes, block.hash));
        } else if let Some(bytes) = piece(value, row::SEAL_BYTES + FIELDS_BYTES, block.bytes as usize)
            && hash_of(bytes) == block.hash
        {
            found.entry(block.hash).or_insert_with(|| (at, bytes.to_vec()));
        }
    }
    // The parts of a block were written one after the other.
    let lengths: BTreeSet<u32> = in_parts.iter().map(|(length, _)| *length).collect();
    let mut parts: BTreeMap<u32, Vec<usize>> = BTreeMap::new();
    for (at, value) in values(file) {
        let length = value.get(row::SEAL_BYTES..).and_then(|value| value.first_chunk());
        let length = length.map(|length| u32::from_be_bytes(*length));
        if let Some(length) = length.filter(|length| lengths.contains(length)) {
            parts.entry(length).or_default().push(at);
        }
    }
    for (length, hash) in in_parts {
        let places = parts.get(&length).map_or(&[][..], Vec::as_slice);
        let count = (length as usize).div_ceil(PART_BYTES);
        let put_together = |run: &[usize]| joined(file, run, length as usize).map(|bytes| (run[0], bytes));
        let is_it = |(_, bytes): &(usize, Vec<u8>)| hash_of(bytes) == hash;
        if let Some(block) = places.windows(count).filter_map(put_together).find(is_it) {
            found.insert(hash, block);
        }
    }
    let mut blocks: Vec<(usize, Vec<u8>)> = found.into_values().collect();
    blocks.sort_unstable();
    Carved { blocks: blocks.into_iter().map(|(_, bytes)| bytes).collect(), entries }
}

/// Where a sealed value may begin.
fn values(file: &[u8]) -> impl Iterator<Item = (usize, &[u8])> {
    let begins = |(at, byte): (usize, &u8)| (*byte == row::VERSION).then(|| (at, &file[at..]));
    file.iter().enumerate().filter_map(begins)
}

/// How many entries a tail row tells, if it is one.
fn tail(value: &[u8]) -> Option<Position> {
    let fields = row::unseal(TAIL, value.get(..row::SEAL_BYTES + TAIL_BYTES)?, LOG).ok()?;
    Some(Position::from_be_bytes(*fields.get(4..)?.first_chunk()?))
}

fn hash_of(bytes: &[u8]) -> Hash {
    Sha256::digest(bytes).into()
}

fn piece(value: &[u8], from: usize, length: usize) -> Option<&[u8]> {
    value.get(from..from.checked_add(length)?)
}

/// The bytes of the parts at these places.
fn joined(file: &[u8], parts: &[usize], length: usize) -> Option<Vec<u8>> {
    let mut bytes = Vec::with_capacity(length);
    for at in parts {
        let left = length.checked_sub(bytes.len())?.min(PART_BYTES);
        bytes.extend_from_slice(piece(file, at + row::SEAL_BYTES + 4, left)?);
    }
    (bytes.len() == length).then_some(bytes)
}

/// Bytes of a tail row's fields.
const TAIL_BYTES: usize = 40;

impl Block {
    /// Reads an index row's fields, if they can be some.
    fn from_fields(fields: &[u8]) -> Option<Self> {
        let count = u32::from_be_bytes(*fields.first_chunk()?);
        if count == 0 || count as usize > BLOCK_ENTRIES_MAX {
            return None;
        }
        let bytes = u32::from_be_bytes(*fields.get(4..)?.first_chunk()?);
        let hash = *fields.get(8..)?.first_chunk()?;
        let is_size = bytes > 0 && bytes as usize <= crate::limits::BLOCK_BYTES_MAX;
        is_size.then_some(Self { first: 0, count, bytes, hash })
    }
}
