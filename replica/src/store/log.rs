//! The log: entries as they were admitted, in immutable blocks, over the rows of any store.
//!
//! A block is opaque bytes that hold `count` consecutive entries. Per block there is one index row: where it begins,
//! its length and hash, and the bytes themselves if they fit (so that one fresh entry is one row); otherwise the bytes
//! lie in part rows. One tail row says how many blocks and entries there are and holds a rolling hash over all
//! blocks, written in the same batch as each block, so that a log that lost its end, its middle or its order is
//! noticed when it is opened.
//!
//! ```text
//! b ‖ first u32 ‖ part u16   seal ‖ bytes of the whole block u32 ‖ the part's bytes
//! i ‖ first u32              seal ‖ entries u32 ‖ bytes u32 ‖ SHA-256 of the bytes ‖ [bytes]
//! t                          seal ‖ blocks u32 ‖ entries u32 ‖ rolling hash
//! ```
//! *First* is the position of the block's first entry, so that blocks can be put together without naming others anew.
//! Numbers are big-endian; the seal is a version byte and a CRC-32 over key and fields. The rolling hash is
//! SHA-256(the one before ‖ entries ‖ SHA-256 of the block), from all zero.

use std::collections::BTreeMap;
use std::ops::Range;

use sha2::{Digest as _, Sha256};

use super::{Damage, Store, StoreError, Write, row};
use crate::id::Position;
use crate::limits::{BLOCK_BYTES_MAX, STORE_VALUE_BYTES_MAX};

pub(crate) mod carve;
#[cfg(test)]
pub(super) mod tests;

/// Number of a block, from 0 without gaps. Those behind a fold get other ones.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct BlockNumber(pub u32);

/// What a log knows of its blocks: 44 bytes each, none of their content.
///
/// [`Log::stage`] and [`Log::fold`] move it ahead of the store. When the commit that follows fails, this value must not be
/// used any further: [`Archive`](crate::archive::Archive) goes on with what it was before.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Log {
    blocks: Vec<Block>,
    entries: Position,
    rolling: Hash,
}

/// An end that a log had.
#[derive(Clone, Copy, Debug)]
pub(crate) struct End {
    blocks: usize,
    entries: Position,
    rolling: Hash,
}

type Hash = [u8; 32];

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Block {
    first: Position,
    count: u32,
    bytes: u32,
    hash: Hash,
}

impl Log {
    /// Reads the index, and checks that it is one log without gaps that ends where the tail row says.
    ///
    /// # Errors
    /// [`StoreError::Damaged`] when rows are missing or altered. The blocks' bytes are checked when they are read.
    pub fn open(store: &dyn Store) -> Result<Self, StoreError> {
        let mut log = Self { blocks: Vec::new(), entries: 0, rolling: [0; 32] };
        for index in store.scan(INDEX) {
            let (key, value) = index?;
            if key != index_key(log.entries) {
                return Err(Damage::Log.into());
            }
            log.push(Block::from_row(log.entries, row::unseal(&key, &value, LOG)?)?.0)?;
        }
        let tail = store.get(TAIL)?;
        match tail.as_deref().map(|value| row::unseal(TAIL, value, LOG)).transpose()? {
            Some(fields) if fields == log.tail() => Ok(log),
            None if log.blocks.is_empty() => Ok(log),
            _ => Err(Damage::Log.into()),
        }
    }

    /// Appends a block of `count` entries: adds its rows and the new tail to `writes`, which the caller commits. Several
    /// blocks can be staged into one commit.
    ///
    /// # Errors
    /// [`StoreError::TooLarge`] when the block is over [`BLOCK_BYTES_MAX`] or the log is full; nothing was staged.
    pub fn stage(
        &mut self,
        block: &[u8],
        count: u32,
        writes: &mut Vec<Write>,
    ) -> Result<BlockNumber, StoreError> {
        let full = StoreError::TooLarge { bytes: self.blocks.len() };
        let number = u32::try_from(self.blocks.len()).map(BlockNumber).map_err(|_| full)?;
        let index = Block::new(self.entries, block, count)?;
        self.push(index)?;
        index.stage(block, writes);
        self.stage_tail(writes);
        Ok(number)
    }

    /// Puts other blocks in the place of some: the same entries, usually in fewer blocks. Adds the rows to `writes`, as
    /// [`Log::stage`] does; positions stay. A commit of many megabytes takes some 25 times as much memory.
    ///
    /// # Errors
    /// When a block is over its limit, or the blocks do not hold as many entries as they replace; nothing was staged.
    pub fn fold(
        &mut self,
        replaced: Range<BlockNumber>,
        blocks: &[(Vec<u8>, u32)],
        writes: &mut Vec<Write>,
    ) -> Result<(), StoreError> {
        let range = replaced.start.0 as usize..replaced.end.0 as usize;
        let old = self.blocks.get(range.clone()).ok_or(Damage::Log)?;
        let mut first = old.first().map_or(self.entries, |block| block.first);
        let end = old.last().map_or(first, |block| block.first + block.count);
        let mut new = Vec::with_capacity(blocks.len());
        for (bytes, count) in blocks {
            new.push(Block::new(first, bytes, *count)?);
            first = first.checked_add(*count).ok_or(Damage::Log)?;
        }
        if first != end {
            return Err(Damage::Log.into());
        }
        writes.extend(old.iter().flat_map(|block| block.keys()).map(|key| Write::Delete { key }));
        new.iter().zip(blocks).for_each(|(block, (bytes, _))| block.stage(bytes, writes));
        let mut all = std::mem::take(&mut self.blocks);
        all.splice(range, new);
        (self.entries, self.rolling) = (0, [0; 32]);
        all.into_iter().try_for_each(|block| self.push(block))?;
        self.stage_tail(writes);
        Ok(())
    }

    /// Where it ends, for [`Log::rewind`].
    pub(crate) fn end(&self) -> End {
        End { blocks: self.blocks.len(), entries: self.entries, rolling: self.rolling }
    }

    /// Forgets what was staged since it ended there. What was folded since is another log, which has no such end.
    pub(crate) fn rewind(&mut self, end: End) {
        self.blocks.truncate(end.blocks);
        (self.entries, self.rolling) = (end.entries, end.rolling);
    }

    /// Of blocks in any order those of this log, in its order, with how many entries each holds.
    ///
    /// # Errors
    /// [`StoreError::Damaged`] when one of them is not there.
    pub(crate) fn pick(&self, found: Vec<Vec<u8>>) -> Result<Vec<(Vec<u8>, u32)>, StoreError> {
        let mut found: BTreeMap<Hash, Vec<u8>> =
            found.into_iter().map(|bytes| (hash_of(&bytes), bytes)).collect();
        let picked = self.blocks.iter().map(|block| Some((found.remove(&block.hash)?, block.count)));
        picked.collect::<Option<_>>().ok_or(Damage::Log.into())
    }

    /// The bytes of a block, checked against its hash.
    ///
    /// # Errors
    /// [`StoreError::Damaged`] when they are not what was appended, or there is no such block.
    pub fn read(&self, store: &dyn Store, number: BlockNumber) -> Result<Vec<u8>, StoreError> {
        let block = self.blocks.get(number.0 as usize).ok_or(Damage::Log)?;
        let mut bytes = Vec::with_capacity(block.bytes as usize);
        if block.is_inline() {
            let key = index_key(block.first);
            let value = store.get(&key)?.ok_or(Damage::Row(LOG))?;
            bytes.extend_from_slice(Block::from_row(block.first, row::unseal(&key, &value, LOG)?)?.1);
        }
        for part in 0..block.part_count() {
            let key = part_key(block.first, part);
            let value = store.get(&key)?.ok_or(Damage::Row(LOG))?;
            let mut payload = row::unseal(&key, &value, LOG)?;
            if u32::from_be_bytes(row::take(&mut payload, LOG)?) != block.bytes {
                return Err(Damage::Row(LOG).into());
            }
            bytes.extend_from_slice(payload);
        }
        let is_whole = hash_of(&bytes) == block.hash;
        if is_whole { Ok(bytes) } else { Err(Damage::Row(LOG).into()) }
    }

    /// The block that holds the entry at `position`, and the position of the block's first entry.
    #[must_use]
    pub fn block_at(&self, position: Position) -> Option<(BlockNumber, Position)> {
        if position >= self.entries {
            return None;
        }
        let index = self.blocks.partition_point(|block| block.first <= position).checked_sub(1)?;
        Some((BlockNumber(u32::try_from(index).ok()?), self.blocks.get(index)?.first))
    }

    /// The position of a block's first entry.
    #[must_use]
    pub fn first(&self, number: BlockNumber) -> Position {
        self.blocks.get(number.0 as usize).map_or(self.entries, |block| block.first)
    }

    /// How many bytes a block has.
    #[must_use]
    pub fn bytes(&self, number: BlockNumber) -> u32 {
        self.blocks.get(number.0 as usize).map_or(0, |block| block.bytes)
    }

    /// How many entries a block holds.
    #[must_use]
    pub fn count(&self, number: BlockNumber) -> u32 {
        self.blocks.get(number.0 as usize).map_or(0, |block| block.count)
    }

    /// How many entries there are: the position the next one gets.
    #[must_use]
    pub fn len(&self) -> Position {
        self.entries
    }

    /// Whether there is no entry.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.entries == 0
    }

    /// How many blocks there are.
    #[must_use]
    pub fn blocks(&self) -> u32 {
        u32::try_from(self.blocks.len()).unwrap_or(u32::MAX)
    }

    /// Goes through everything in the store: index, tail and every block's bytes, and that they are this log's.
    ///
    /// # Errors
    /// [`StoreError::Damaged`] at the first row that is not what was written.
    pub fn verify(&self, store: &dyn Store) -> Result<(), StoreError> {
        if Self::open(store)? != *self {
            return Err(Damage::Log.into());
        }
        (0..self.blocks()).try_for_each(|number| self.read(store, BlockNumber(number)).map(drop))
    }

    /// Adds a block that begins where the log ends.
    fn push(&mut self, block: Block) -> Result<(), StoreError> {
        let full = StoreError::TooLarge { bytes: block.bytes as usize };
        self.entries = self.entries.checked_add(block.count).ok_or(full)?;
        let rolling = Sha256::new()
            .chain_update(self.rolling)
            .chain_update(block.count.to_be_bytes())
            .chain_update(block.hash);
        self.rolling = rolling.finalize().into();
        self.blocks.push(block);
        Ok(())
    }

    fn stage_tail(&self, writes: &mut Vec<Write>) {
        // Of several in one batch the last one stands.
        writes.push(Write::Put { key: TAIL.to_vec(), value: row::seal(TAIL, &[&self.tail()]) });
    }

    fn tail(&self) -> [u8; 40] {
        let mut fields = [0; 40];
        fields[..4].copy_from_slice(&self.blocks().to_be_bytes());
        fields[4..8].copy_from_slice(&self.entries.to_be_bytes());
        fields[8..].copy_from_slice(&self.rolling);
        fields
    }
}

impl Block {
    fn new(first: Position, bytes: &[u8], count: u32) -> Result<Self, StoreError> {
        if count == 0 {
            return Err(Damage::Log.into());
        }
        let length = u32::try_from(bytes.len()).ok().filter(|_| bytes.len() <= BLOCK_BYTES_MAX);
        let length = length.ok_or(StoreError::TooLarge { bytes: bytes.len() })?;
        Ok(Self { first, count, bytes: length, hash: hash_of(bytes) })
    }

    /// Adds the block's rows.
    fn stage(&self, block: &[u8], writes: &mut Vec<Write>) {
        for (part, payload) in parts(block) {
            let key = part_key(self.first, part);
            let value = row::seal(&key, &[&self.bytes.to_be_bytes(), payload]);
            writes.push(Write::Put { key, value });
        }
        let inline = if self.is_inline() { block } else { &[] };
        let key = index_key(self.first);
        let value = row::seal(&key, &[&self.to_fields(), inline]);
        writes.push(Write::Put { key, value });
    }

    /// The keys of the block's rows.
    fn keys(&self) -> impl Iterator<Item = Vec<u8>> + use<> {
        let first = self.first;
        (0..self.part_count()).map(move |part| part_key(first, part)).chain([index_key(first)])
    }

    fn is_inline(&self) -> bool {
        self.bytes as usize <= INLINE_BYTES_MAX
    }

    fn part_count(&self) -> u16 {
        let parts = if self.is_inline() { 0 } else { (self.bytes as usize).div_ceil(PART_BYTES) };
        u16::try_from(parts).unwrap_or(u16::MAX)
    }

    fn to_fields(self) -> [u8; FIELDS_BYTES] {
        let mut fields = [0; FIELDS_BYTES];
        fields[..4].copy_from_slice(&self.count.to_be_bytes());
        fields[4..8].copy_from_slice(&self.bytes.to_be_bytes());
        fields[8..].copy_from_slice(&self.hash);
        fields
    }

    /// Reads an index row's fields: the block, and its bytes if they lie there.
    fn from_row(first: Position, mut fields: &[u8]) -> Result<(Self, &[u8]), StoreError> {
        let count = u32::from_be_bytes(row::take(&mut fields, LOG)?);
        let bytes = u32::from_be_bytes(row::take(&mut fields, LOG)?);
        let block = Self { first, count, bytes, hash: row::take(&mut fields, LOG)? };
        let is_sound = bytes as usize <= BLOCK_BYTES_MAX
            && fields.len() == if block.is_inline() { bytes as usize } else { 0 };
        if is_sound { Ok((block, fields)) } else { Err(Damage::Row(LOG).into()) }
    }
}

fn hash_of(bytes: &[u8]) -> Hash {
    Sha256::digest(bytes).into()
}

fn index_key(first: Position) -> Vec<u8> {
    [INDEX, &first.to_be_bytes()].concat()
}

fn part_key(first: Position, part: u16) -> Vec<u8> {
    [PART, &first.to_be_bytes(), &part.to_be_bytes()].concat()
}

/// A block's bytes in the pieces that its part rows hold; none if they fit the index row.
fn parts(block: &[u8]) -> impl Iterator<Item = (u16, &[u8])> {
    let block = if block.len() <= INLINE_BYTES_MAX { &[] } else { block };
    (0..).zip(block.chunks(PART_BYTES))
}

const LOG: &str = "log";
const PART: &[u8] = b"b";
const INDEX: &[u8] = b"i";
const TAIL: &[u8] = b"t";

/// Bytes of an index row's fields: two numbers and a hash.
const FIELDS_BYTES: usize = 2 * 4 + 32;

/// Largest block that lies in its index row.
const INLINE_BYTES_MAX: usize = STORE_VALUE_BYTES_MAX - row::SEAL_BYTES - FIELDS_BYTES;

/// Bytes of a block in one part row.
const PART_BYTES: usize = STORE_VALUE_BYTES_MAX - row::SEAL_BYTES - 4;
