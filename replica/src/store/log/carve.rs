//! Finding blocks in the bytes of a database's file, without the database: what is left of a log when nothing else is.
//!
//! A block's index row holds its hash, so a block is known by itself wherever it lies. Values are never split, and keys are
//! not needed: that of an index row follows from its checksum, which covers it, and with it those of the block's parts.
//! Blocks that were put together since are found too, as far as they were not written over.

use std::collections::{BTreeMap, BTreeSet};

use super::{Block, FIELDS_BYTES, Hash, LOG, PART_BYTES, TAIL, hash_of, index_key, part_key};
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
    let mut in_parts: BTreeSet<(u32, Position, Hash)> = BTreeSet::new();
    let firsts = Firsts::new();
    let mut entries = None;
    for (at, value) in values(file) {
        entries = entries.max(tail(value));
        let Some(fields) = value.get(row::SEAL_BYTES..row::SEAL_BYTES + FIELDS_BYTES) else { continue };
        let Some(block) = Block::from_fields(fields) else { continue };
        if !block.is_inline() {
            in_parts.insert((block.bytes, firsts.of(value), block.hash));
        } else if let Some(bytes) = piece(value, row::SEAL_BYTES + FIELDS_BYTES, block.bytes as usize)
            && hash_of(bytes) == block.hash
        {
            found.entry(block.hash).or_insert_with(|| (at, bytes.to_vec()));
        }
    }
    let lengths: BTreeSet<u32> = in_parts.iter().map(|(length, ..)| *length).collect();
    let mut parts: BTreeMap<u32, Vec<&[u8]>> = BTreeMap::new();
    for (_, value) in values(file) {
        let length = value.get(row::SEAL_BYTES..).and_then(|value| value.first_chunk());
        if let Some(length) =
            length.map(|length| u32::from_be_bytes(*length)).filter(|it| lengths.contains(it))
        {
            parts.entry(length).or_default().push(value);
        }
    }
    for (length, first, hash) in in_parts {
        let candidates = parts.get(&length).map_or(&[][..], Vec::as_slice);
        if let Some(bytes) = joined(candidates, first, length as usize).filter(|bytes| hash_of(bytes) == hash)
        {
            // Put together later than whatever is left of its entries elsewhere.
            found.insert(hash, (usize::MAX, bytes));
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

fn piece(value: &[u8], from: usize, length: usize) -> Option<&[u8]> {
    value.get(from..from.checked_add(length)?)
}

/// The bytes of the block that begins at a position, if each of its parts is among these values.
fn joined(values: &[&[u8]], first: Position, length: usize) -> Option<Vec<u8>> {
    let mut bytes = Vec::with_capacity(length);
    for part in 0..u16::try_from(length.div_ceil(PART_BYTES)).ok()? {
        let key = part_key(first, part);
        let size = row::SEAL_BYTES + 4 + (length - bytes.len()).min(PART_BYTES);
        let is_part = |value: &&[u8]| row::unseal(&key, value, LOG).is_ok();
        let value = values.iter().filter_map(|value| value.get(..size)).find(is_part)?;
        bytes.extend_from_slice(&value[row::SEAL_BYTES + 4..]);
    }
    Some(bytes)
}

/// Solves the checksum of an index row for the position in its key. A CRC is linear, and of four bytes each value gives
/// another one.
struct Firsts {
    /// By their highest bit: what positions change in a checksum, and which do.
    by_top_bit: [(u32, Position); 32],
}

impl Firsts {
    fn new() -> Self {
        let mut by_top_bit = [(0, 0); 32];
        let at_zero = Self::checksum(0, &[0; FIELDS_BYTES]);
        for bit in 0..32 {
            let position = 1 << bit;
            let mut change = (Self::checksum(position, &[0; FIELDS_BYTES]) ^ at_zero, position);
            while change.0 != 0 {
                let known = &mut by_top_bit[31 - change.0.leading_zeros() as usize];
                if known.0 == 0 {
                    *known = change;
                    break;
                }
                change = (change.0 ^ known.0, change.1 ^ known.1);
            }
        }
        Self { by_top_bit }
    }

    /// The position that an index row without its block's bytes tells of; anything if it is none.
    fn of(&self, value: &[u8]) -> Position {
        let sum =
            value.get(1..).and_then(|value| value.first_chunk()).map_or(0, |sum| u32::from_be_bytes(*sum));
        let fields = value.get(row::SEAL_BYTES..row::SEAL_BYTES + FIELDS_BYTES).unwrap_or_default();
        let (mut left, mut first) = (sum ^ Self::checksum(0, fields), 0);
        for (change, position) in self.by_top_bit.iter().rev() {
            if left ^ change < left {
                (left, first) = (left ^ change, first ^ position);
            }
        }
        first
    }

    fn checksum(first: Position, fields: &[u8]) -> u32 {
        u32::from_be_bytes(row::checksum(&index_key(first), fields))
    }
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

#[cfg(test)]
mod tests;
