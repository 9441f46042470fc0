//! Writing a block.

use std::collections::BTreeMap;

use crate::block::columns::{put, put_signed};
use crate::block::{
    BLOCK_ENTRIES_MAX, COMPRESS_BYTES_MIN, EncodeError, Extent, LEVEL, PLAIN, REFERENCES_MAX, Reference,
    References, ZSTD,
};
use crate::entry::Entry;
use crate::id::{ChainId, EntryId};
use crate::identity::Signature;

/// Writes entries, each once, causes before effects, as one block. An entry's signature is left out where a later entry of the
/// block names it as `previous`, unless `keep_signatures`.
///
/// # Errors
/// When they do not fit, or one depends on an entry that `references` does not know.
pub fn encode(
    entries: &[Entry],
    keep_signatures: bool,
    references: &impl References,
) -> Result<Vec<u8>, EncodeError> {
    let (mut plain, extent) = plain(entries, keep_signatures, references)?;
    if !extent.fits() {
        return Err(EncodeError::TooLarge);
    }
    if plain.len() >= COMPRESS_BYTES_MIN
        && let Ok(smaller) = zstd::bulk::compress(&plain, LEVEL)
        && smaller.len() < plain.len()
    {
        plain = smaller;
        plain.insert(0, ZSTD);
    } else {
        plain.insert(0, PLAIN);
    }
    Ok(plain)
}

/// The tables and columns, before compression.
pub(super) fn plain(
    entries: &[Entry],
    keep_signatures: bool,
    references: &impl References,
) -> Result<(Vec<u8>, Extent), EncodeError> {
    let dependencies = entries.iter().map(|entry| entry.record().dependencies.len()).sum();
    if entries.len() > BLOCK_ENTRIES_MAX || dependencies > REFERENCES_MAX {
        return Err(EncodeError::TooLarge);
    }
    let writer = Writer::new(entries, keep_signatures, references)?;
    let extent = Extent {
        chains: writer.chains.len(),
        outside: writer.outside.len(),
        entries: entries.len(),
        dependencies,
        body_bytes: entries.iter().map(|entry| entry.record().body.len()).sum(),
        signatures: writer.signatures().len(),
    };
    Ok((writer.finish(), extent))
}

struct Writer<'a, R> {
    entries: &'a [Entry],
    keep_signatures: bool,
    references: &'a R,
    /// Index in the block of each of its entries.
    inside: BTreeMap<EntryId, usize>,
    chains: Vec<ChainId>,
    chain_index: BTreeMap<ChainId, usize>,
    /// Entries outside the block: index of the chain, seq, id.
    outside: Vec<(usize, u32, EntryId)>,
    outside_index: BTreeMap<EntryId, usize>,
}

impl<'a, R: References> Writer<'a, R> {
    fn new(entries: &'a [Entry], keep_signatures: bool, references: &'a R) -> Result<Self, EncodeError> {
        let inside = entries.iter().enumerate().map(|(index, entry)| (entry.id(), index)).collect();
        let mut writer = Self {
            entries,
            keep_signatures,
            references,
            inside,
            chains: Vec::new(),
            chain_index: BTreeMap::new(),
            outside: Vec::new(),
            outside_index: BTreeMap::new(),
        };
        for (index, entry) in entries.iter().enumerate() {
            let record = entry.record();
            writer.intern(record.chain);
            if let Some(previous) = &record.previous {
                writer.refer(index, previous, Some((record.chain, record.seq - 1)))?;
            }
            for id in &record.dependencies {
                writer.refer(index, id, None)?;
            }
        }
        Ok(writer)
    }

    fn intern(&mut self, chain: ChainId) -> usize {
        *self.chain_index.entry(chain).or_insert_with(|| {
            self.chains.push(chain);
            self.chains.len() - 1
        })
    }

    fn refer(
        &mut self,
        from: usize,
        id: &EntryId,
        place: Option<(ChainId, u32)>,
    ) -> Result<Reference, EncodeError> {
        if let Some(&index) = self.inside.get(id)
            && index < from
        {
            return Ok(Reference::Back(from - index));
        }
        if let Some(&index) = self.outside_index.get(id) {
            return Ok(Reference::Outside(index));
        }
        let (chain, seq) =
            place.or_else(|| self.references.place(id)).ok_or(EncodeError::UnknownDependency)?;
        let chain = self.intern(chain);
        self.outside.push((chain, seq, *id));
        self.outside_index.insert(*id, self.outside.len() - 1);
        Ok(Reference::Outside(self.outside.len() - 1))
    }

    /// The tables, then one column after the other.
    fn finish(mut self) -> Vec<u8> {
        let mut out = Vec::with_capacity(self.entries.iter().map(crate::block::weight).sum::<usize>() + 256);
        put(&mut out, self.entries.len() as u64);
        put(&mut out, self.chains.len() as u64);
        self.chains.iter().for_each(|chain| out.extend_from_slice(&chain.to_bytes()));
        put(&mut out, self.outside.len() as u64);
        self.outside.iter().for_each(|(chain, _, _)| put(&mut out, *chain as u64));
        self.outside.iter().for_each(|(_, seq, _)| put(&mut out, u64::from(*seq)));
        self.outside.iter().for_each(|(_, _, id)| out.extend_from_slice(&id.0[..16]));
        for entry in self.entries {
            put(&mut out, self.chain_index[&entry.record().chain] as u64);
        }
        self.entries.iter().for_each(|entry| put(&mut out, u64::from(entry.record().kind)));
        let mut latest: BTreeMap<ChainId, usize> = BTreeMap::new();
        for (index, entry) in self.entries.iter().enumerate() {
            self.write_previous(&mut out, index, latest.insert(entry.record().chain, index));
        }
        let entries = self.entries;
        entries.iter().for_each(|entry| put(&mut out, entry.record().dependencies.len() as u64));
        for (index, entry) in entries.iter().enumerate() {
            for id in &entry.record().dependencies {
                let reference = self.refer(index, id, None).expect("all references were made in new");
                put(&mut out, to_integer(reference));
            }
        }
        let mut time = 0;
        for entry in entries {
            let claimed = entry.record().claimed_ms.cast_signed();
            put_signed(&mut out, claimed - time);
            time = claimed;
        }
        entries.iter().for_each(|entry| put(&mut out, entry.record().body.len() as u64));
        entries.iter().for_each(|entry| out.extend_from_slice(&entry.record().body));
        self.write_signatures(&mut out);
        out
    }

    /// 0: the chain's latest entry in the block. 1: none. Else 2 + a reference.
    fn write_previous(&mut self, out: &mut Vec<u8>, index: usize, latest: Option<usize>) {
        let Some(previous) = self.entries[index].record().previous else { return put(out, 1) };
        if latest.is_some_and(|latest| self.entries[latest].id() == previous) {
            return put(out, 0);
        }
        let reference = self.refer(index, &previous, None).expect("all references were made in new");
        put(out, 2 + to_integer(reference));
    }

    /// The signatures to write, with the indices of their entries.
    fn signatures(&self) -> Vec<(usize, Signature)> {
        let kept = match self.keep_signatures {
            true => (0..self.entries.len()).collect(),
            false => crate::block::unvouched(self.entries),
        };
        kept.into_iter().filter_map(|index| Some((index, *self.entries[index].signature()?))).collect()
    }

    fn write_signatures(&self, out: &mut Vec<u8>) {
        let signatures = self.signatures();
        let mut flags = vec![0_u8; self.entries.len().div_ceil(8)];
        signatures.iter().for_each(|(index, _)| flags[index / 8] |= 1 << (index % 8));
        out.extend_from_slice(&flags);
        signatures.iter().for_each(|(_, signature)| out.extend_from_slice(&signature.0));
    }
}

/// Even: distance back less one. Odd: index into the table of entries outside.
fn to_integer(reference: Reference) -> u64 {
    match reference {
        Reference::Back(distance) => (distance as u64 - 1) * 2,
        Reference::Outside(index) => index as u64 * 2 + 1,
    }
}
