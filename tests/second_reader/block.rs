//! PROTOCOL.md, "Block".

use std::collections::BTreeMap;

use super::bytes::{Bytes, Read};
use super::entry::{Entry, Id, record};

/// Most bytes of a block, packed or not.
const BYTES_MAX: usize = 65_503;

/// The entries of a block, given those that are here already.
pub(crate) fn read(block: &[u8], room: &Id, known: &BTreeMap<Id, Entry>) -> Read<Vec<Entry>> {
    if block.len() > BYTES_MAX {
        return Err("a block that is too long");
    }
    match block.split_first() {
        Some((0x10, rest)) => columns(rest, room, known),
        Some((0x11, rest)) => {
            let rest =
                zstd::bulk::decompress(rest, BYTES_MAX).map_err(|_| "a block that does not inflate")?;
            columns(&rest, room, known)
        }
        _ => Err("a block of another form"),
    }
}

fn columns(rest: &[u8], room: &Id, known: &BTreeMap<Id, Entry>) -> Read<Vec<Entry>> {
    let mut bytes = Bytes(rest);
    let count = bytes.length()?;
    if count > 2048 {
        return Err("a block of too many entries");
    }
    let chains: Vec<[u8; 40]> = (0..bytes.length()?).map(|_| bytes.array()).collect::<Result<_, _>>()?;
    let chain_of =
        |index: u64| chains.get(usize::try_from(index).unwrap()).ok_or("a chain that is not there");

    let outside = bytes.length()?;
    let outside_chains = integers(&mut bytes, outside)?;
    let outside_seqs = integers(&mut bytes, outside)?;
    let mut places = Vec::new();
    for (index, seq) in outside_chains.into_iter().zip(outside_seqs) {
        let chain = chain_of(index)?;
        let half: [u8; 16] = bytes.array()?;
        let found = known.values().find(|entry| {
            entry.chain == *chain && u64::from(entry.seq) == seq && entry.id.starts_with(&half)
        });
        places.push(found.ok_or("an entry outside that is not here")?.clone());
    }

    let chain = integers(&mut bytes, count)?;
    let kind = integers(&mut bytes, count)?;
    let previous = integers(&mut bytes, count)?;
    let dependency_counts = integers(&mut bytes, count)?;
    let all = usize::try_from(dependency_counts.iter().sum::<u64>()).unwrap();
    let dependencies = integers(&mut bytes, all)?;
    let mut dependencies = dependencies.into_iter();
    let mut claimed = Vec::new();
    let mut time = 0_i64;
    for _ in 0..count {
        time += bytes.signed()?;
        claimed.push(u64::try_from(time).map_err(|_| "a time before 1970")?);
    }
    let lengths = integers(&mut bytes, count)?;
    let bodies: Vec<&[u8]> = lengths
        .into_iter()
        .map(|length| bytes.take(usize::try_from(length).unwrap()))
        .collect::<Result<_, _>>()?;
    let flags = bytes.take(count.div_ceil(8))?;

    let mut entries: Vec<Entry> = Vec::new();
    for index in 0..count {
        let resolve = |reference: u64, entries: &[Entry]| -> Read<Entry> {
            let half = usize::try_from(reference / 2).unwrap();
            let found =
                if reference.is_multiple_of(2) { entries.iter().rev().nth(half) } else { places.get(half) };
            found.cloned().ok_or("a reference to nothing")
        };
        let of = chain_of(chain[index])?;
        let before = match previous[index] {
            0 => {
                let last = (0..index).rev().find(|earlier| chain[*earlier] == chain[index]);
                Some(entries[last.ok_or("no entry before in the chain")?].clone())
            }
            1 => None,
            more => Some(resolve(more - 2, &entries)?),
        };
        if before.as_ref().is_some_and(|before| before.chain != *of) {
            return Err("a previous entry of another chain");
        }
        let mut ids = Vec::new();
        for _ in 0..dependency_counts[index] {
            ids.push(resolve(dependencies.next().unwrap(), &entries)?.id);
        }
        ids.sort_unstable();
        let kind = u16::try_from(kind[index]).map_err(|_| "a kind of 2^16 or more")?;
        let before = before.map(|before| (before.seq, before.id));
        let signature = if flags[index / 8] >> (index % 8) & 1 == 1 { Some(bytes.array()?) } else { None };
        let record = record(kind, of, before, &ids, claimed[index], bodies[index]);
        entries.push(Entry::read(&record, room, signature)?);
    }
    bytes.end()?;
    Ok(entries)
}

fn integers(bytes: &mut Bytes<'_>, count: usize) -> Read<Vec<u64>> {
    (0..count).map(|_| bytes.integer()).collect()
}
