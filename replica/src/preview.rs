//! A preview: the newest entries as whole records, to be read by someone who has not what comes before them yet.
//!
//! Its entries are authentic and nothing more: whether they are valid, and where they stand, is known once their past is
//! here. So a preview is shown and never admitted. PROTOCOL.md has the layout byte by byte.

use crate::entry::{Entry, Record};
use crate::id::{ChainId, EntryId, RoomId};
use crate::identity::Signature;
use crate::limits::{PREVIEW_BYTES_MAX, PREVIEW_ENTRIES_MAX};

#[cfg(test)]
mod tests;

/// zstd's level.
const LEVEL: i32 = 3;

/// Why bytes are not a preview.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a preview is over its limits or malformed")]
pub struct PreviewError;

/// Writes entries, oldest first; of more than a preview holds the newest. A later entry of its chain, or its own
/// signature, has to vouch for each.
#[must_use]
pub fn encode(entries: &[Entry]) -> Vec<u8> {
    let parts: Vec<Vec<u8>> = entries.iter().map(part).collect();
    let mut bytes = 0;
    let fits = |part: &&Vec<u8>| {
        bytes += part.len();
        bytes <= PREVIEW_BYTES_MAX
    };
    let count = parts.iter().rev().take(PREVIEW_ENTRIES_MAX).take_while(fits).count();
    let plain = parts[parts.len() - count..].concat();
    // Compression fails only for want of memory.
    zstd::bulk::compress(&plain, LEVEL).unwrap_or_default()
}

/// Length of the record u16, the record, and 1 and the signature, or 0.
fn part(entry: &Entry) -> Vec<u8> {
    let record = entry.record().to_bytes();
    let mut part = u16::try_from(record.len()).unwrap_or(u16::MAX).to_be_bytes().to_vec();
    part.extend_from_slice(&record);
    part.push(u8::from(entry.signature().is_some()));
    part.extend(entry.signature().into_iter().flat_map(|signature| signature.0));
    part
}

/// Reads a preview. Entries that nobody vouches for are left out.
///
/// # Errors
/// When the bytes are over the limits or malformed.
pub fn decode(bytes: &[u8], room: &RoomId) -> Result<Vec<Entry>, PreviewError> {
    let plain = zstd::bulk::decompress(bytes, PREVIEW_BYTES_MAX).map_err(|_| PreviewError)?;
    let mut rest = plain.as_slice();
    let mut entries = Vec::new();
    while !rest.is_empty() {
        if entries.len() == PREVIEW_ENTRIES_MAX {
            return Err(PreviewError);
        }
        let length = usize::from(u16::from_be_bytes(take(&mut rest)?));
        let (record, after) = rest.split_at_checked(length).ok_or(PreviewError)?;
        rest = after;
        let signature = match take(&mut rest)? {
            [0] => None,
            [1] => Some(Signature(take(&mut rest)?)),
            _ => return Err(PreviewError),
        };
        let record = Record::from_bytes(record).map_err(|_| PreviewError)?;
        entries.push(Entry::new(record, room, signature).map_err(|_| PreviewError)?);
    }
    // An author's signature speaks for the entries of its own chain alone: what it names as the one before may be
    // anybody's.
    let mut vouched: Vec<(EntryId, ChainId, u32)> = Vec::new();
    let mut authentic: Vec<Entry> = Vec::new();
    for entry in entries.into_iter().rev() {
        let Record { chain, seq, previous, .. } = *entry.record();
        if vouched.contains(&(entry.id(), chain, seq)) || entry.is_signed() {
            vouched.extend(previous.map(|previous| (previous, chain, seq - 1)));
            authentic.push(entry);
        }
    }
    authentic.reverse();
    Ok(authentic)
}

fn take<const N: usize>(rest: &mut &[u8]) -> Result<[u8; N], PreviewError> {
    let (head, tail) = rest.split_first_chunk().ok_or(PreviewError)?;
    *rest = tail;
    Ok(*head)
}
