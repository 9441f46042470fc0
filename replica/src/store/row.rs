//! The form of a small row: a version byte, fields, and a checksum over key and fields, so that neither a flipped bit
//! nor a value under another row's key passes.

use super::{Damage, StoreError};

/// Version of the rows' layout.
pub(crate) const VERSION: u8 = 1;

/// Bytes that [`seal`] adds to its fields.
pub(crate) const SEAL_BYTES: usize = 1 + 4;

/// The value that holds `fields` under `key`.
pub(crate) fn seal(key: &[u8], fields: &[&[u8]]) -> Vec<u8> {
    let mut value = Vec::with_capacity(SEAL_BYTES + fields.iter().map(|field| field.len()).sum::<usize>());
    value.push(VERSION);
    value.extend_from_slice(&[0; 4]);
    fields.iter().for_each(|field| value.extend_from_slice(field));
    let sum = checksum(key, &value[SEAL_BYTES..]);
    value[1..SEAL_BYTES].copy_from_slice(&sum);
    value
}

/// The fields of a sealed value. `what` names the row's owner should it be damaged.
pub(crate) fn unseal<'a>(key: &[u8], value: &'a [u8], what: &'static str) -> Result<&'a [u8], StoreError> {
    match value.split_first_chunk::<SEAL_BYTES>() {
        Some(([VERSION, sum @ ..], fields)) if *sum == checksum(key, fields) => Ok(fields),
        _ => Err(Damage::Row(what).into()),
    }
}

/// Takes `N` bytes off the front of a row's fields.
pub(crate) fn take<const N: usize>(fields: &mut &[u8], what: &'static str) -> Result<[u8; N], StoreError> {
    let (head, rest) = fields.split_first_chunk::<N>().ok_or(Damage::Row(what))?;
    *fields = rest;
    Ok(*head)
}

/// The checksum of a row with this key and these fields.
pub(crate) fn checksum(key: &[u8], fields: &[u8]) -> [u8; 4] {
    let mut hasher = crc32fast::Hasher::new();
    hasher.update(key);
    hasher.update(&[VERSION]);
    hasher.update(fields);
    hasher.finalize().to_be_bytes()
}
