//! Saved documents: large values in parts, each generation written beside the one before.
//!
//! A save writes the parts of a new generation, reads them back, and only then moves the pointer; a crash anywhere
//! leaves the old document or the new one. What a crash leaves of a half-written generation goes with the next save.
//!
//! ```text
//! p ‖ name                                           seal ‖ generation u32 ‖ bytes u32 ‖ reached u32 ‖ SHA-256
//! d ‖ length of name u8 ‖ name ‖ generation u32 ‖ part u32   seal ‖ the part's bytes
//! ```

use sha2::{Digest as _, Sha256};

use super::{Damage, Store, StoreError, Write, row};
use crate::id::Position;
use crate::limits::{SAVED_NAME_BYTES_MAX, SAVED_PARTS_PER_COMMIT, STORE_VALUE_BYTES_MAX};

#[cfg(test)]
mod tests;

/// What is kept under a name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Saved {
    /// Nothing.
    Absent,
    /// Something that is not what was saved. It is to be made anew from the log; saving replaces it.
    Damaged,
    /// The document as it was saved.
    Document {
        /// Its bytes.
        bytes: Vec<u8>,
        /// The log's entries below this position are in it.
        reached: Position,
    },
}

/// Keeps a document under a name, in place of the one before. Takes several commits.
///
/// # Errors
/// After any error the document that was kept before still is, or the new one already is.
pub fn save(store: &mut dyn Store, name: &[u8], bytes: &[u8], reached: Position) -> Result<(), StoreError> {
    check_name(name)?;
    let length = u32::try_from(bytes.len()).map_err(|_| StoreError::TooLarge { bytes: bytes.len() })?;
    let old = match read_pointer(store, name)? {
        Found::Pointer(pointer) => Some(pointer.generation),
        Found::Absent | Found::Damaged => None,
    };
    let generation = old.map_or(0, |old| old.wrapping_add(1));
    sweep(store, name, old)?;
    write_parts(store, name, generation, bytes)?;
    let pointer = Pointer { generation, length, reached, hash: Sha256::digest(bytes).into() };
    if pointer.read_parts(store, name)?.as_deref() != Some(bytes) {
        return Err(Damage::Row(SAVED).into());
    }
    let key = pointer_key(name);
    let value = row::seal(&key, &[&pointer.to_fields()]);
    store.commit(&[Write::Put { key, value }])?;
    sweep(store, name, Some(generation))
}

/// The document kept under a name.
///
/// # Errors
/// When the store cannot be read; a document that is merely damaged is [`Saved::Damaged`].
pub fn load(store: &dyn Store, name: &[u8]) -> Result<Saved, StoreError> {
    check_name(name)?;
    let pointer = match read_pointer(store, name)? {
        Found::Pointer(pointer) => pointer,
        Found::Absent => return Ok(Saved::Absent),
        Found::Damaged => return Ok(Saved::Damaged),
    };
    let bytes = pointer.read_parts(store, name)?;
    Ok(bytes.map_or(Saved::Damaged, |bytes| Saved::Document { bytes, reached: pointer.reached }))
}

/// The log position that the document kept under a name reaches, if there is one. Its bytes are not looked at.
///
/// # Errors
/// When the store cannot be read.
pub fn reached(store: &dyn Store, name: &[u8]) -> Result<Option<Position>, StoreError> {
    check_name(name)?;
    Ok(match read_pointer(store, name)? {
        Found::Pointer(pointer) => Some(pointer.reached),
        Found::Absent | Found::Damaged => None,
    })
}

/// Removes what is kept under a name, if anything.
///
/// # Errors
/// When the store fails; the document is then there in full or not at all.
pub fn forget(store: &mut dyn Store, name: &[u8]) -> Result<(), StoreError> {
    check_name(name)?;
    let key = pointer_key(name);
    if store.get(&key)?.is_some() {
        store.commit(&[Write::Delete { key }])?;
    }
    sweep(store, name, None)
}

/// One document that is kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listed {
    /// Its name.
    pub name: Vec<u8>,
    /// The log's entries below this position are in it; none when the document is damaged.
    pub reached: Option<Position>,
}

/// The documents that are kept, by name, ascending. Their bytes are not looked at.
///
/// # Errors
/// When the store cannot be read.
pub fn list(store: &dyn Store) -> Result<Vec<Listed>, StoreError> {
    let listed = store.scan(POINTER).map(|pointer| {
        let (key, value) = pointer?;
        let reached = Pointer::from_row(&key, &value).ok().map(|pointer| pointer.reached);
        Ok(Listed { name: key[POINTER.len()..].to_vec(), reached })
    });
    listed.collect()
}

struct Pointer {
    generation: u32,
    length: u32,
    reached: Position,
    hash: [u8; 32],
}

enum Found {
    Absent,
    Damaged,
    Pointer(Pointer),
}

impl Pointer {
    fn to_fields(&self) -> Vec<u8> {
        let numbers = [self.generation, self.length, self.reached].map(u32::to_be_bytes);
        [numbers.as_flattened(), &self.hash].concat()
    }

    fn from_row(key: &[u8], value: &[u8]) -> Result<Self, StoreError> {
        let mut fields = row::unseal(key, value, SAVED)?;
        Ok(Self {
            generation: u32::from_be_bytes(row::take(&mut fields, SAVED)?),
            length: u32::from_be_bytes(row::take(&mut fields, SAVED)?),
            reached: u32::from_be_bytes(row::take(&mut fields, SAVED)?),
            hash: row::take(&mut fields, SAVED)?,
        })
    }

    /// The document's bytes; none when they are not those that were saved.
    fn read_parts(&self, store: &dyn Store, name: &[u8]) -> Result<Option<Vec<u8>>, StoreError> {
        let mut bytes = Vec::new();
        for part in 0..self.length.div_ceil(PART_BYTES_U32) {
            let key = part_key(name, self.generation, part);
            let Some(value) = store.get(&key)? else { return Ok(None) };
            let Ok(payload) = row::unseal(&key, &value, SAVED) else { return Ok(None) };
            bytes.extend_from_slice(payload);
        }
        Ok((Sha256::digest(&bytes)[..] == self.hash).then_some(bytes))
    }
}

fn read_pointer(store: &dyn Store, name: &[u8]) -> Result<Found, StoreError> {
    let key = pointer_key(name);
    let Some(value) = store.get(&key)? else { return Ok(Found::Absent) };
    Ok(Pointer::from_row(&key, &value).map_or(Found::Damaged, Found::Pointer))
}

fn write_parts(store: &mut dyn Store, name: &[u8], generation: u32, bytes: &[u8]) -> Result<(), StoreError> {
    let parts: Vec<_> = (0..).zip(bytes.chunks(PART_BYTES)).collect();
    parts.chunks(SAVED_PARTS_PER_COMMIT).try_for_each(|parts| {
        let writes = parts.iter().map(|(part, payload)| {
            let key = part_key(name, generation, *part);
            let value = row::seal(&key, &[payload]);
            Write::Put { key, value }
        });
        store.commit(&writes.collect::<Vec<_>>())
    })
}

/// Removes the parts of every generation but the one kept.
fn sweep(store: &mut dyn Store, name: &[u8], kept: Option<u32>) -> Result<(), StoreError> {
    let kept = kept.map(|generation| [parts_prefix(name).as_slice(), &generation.to_be_bytes()].concat());
    loop {
        let is_stale = |key: &Vec<u8>| kept.as_ref().is_none_or(|kept| !key.starts_with(kept));
        let keys = store.scan(&parts_prefix(name)).map(|part| part.map(|(key, _)| key));
        let stale = keys.filter(|key| key.as_ref().map_or(true, is_stale)).take(SAVED_PARTS_PER_COMMIT);
        let writes = stale.map(|key| key.map(|key| Write::Delete { key })).collect::<Result<Vec<_>, _>>()?;
        if writes.is_empty() {
            return Ok(());
        }
        store.commit(&writes)?;
    }
}

fn check_name(name: &[u8]) -> Result<(), StoreError> {
    let bytes = name.len();
    if bytes <= SAVED_NAME_BYTES_MAX { Ok(()) } else { Err(StoreError::TooLarge { bytes }) }
}

fn pointer_key(name: &[u8]) -> Vec<u8> {
    [POINTER, name].concat()
}

fn parts_prefix(name: &[u8]) -> Vec<u8> {
    // The length goes first, or one name's parts would lie among those of a name that it begins.
    [PARTS, &[u8::try_from(name.len()).unwrap_or(u8::MAX)], name].concat()
}

fn part_key(name: &[u8], generation: u32, part: u32) -> Vec<u8> {
    [parts_prefix(name).as_slice(), &generation.to_be_bytes(), &part.to_be_bytes()].concat()
}

const SAVED: &str = "saved documents";
const POINTER: &[u8] = b"p";
const PARTS: &[u8] = b"d";

/// Bytes of a document in one part row.
const PART_BYTES: usize = STORE_VALUE_BYTES_MAX - row::SEAL_BYTES;
#[expect(clippy::cast_possible_truncation, reason = "some 4 KiB")]
const PART_BYTES_U32: u32 = PART_BYTES as u32;
