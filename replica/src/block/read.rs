//! Reading a block's columns.

use hashbrown::HashSet;

use crate::block::columns::Reader;

use crate::block::{BLOCK_ENTRIES_MAX, DecodeError, Extent, REFERENCES_MAX, Reference, References};
use crate::entry::{Entry, Record};
use crate::id::{ChainId, EntryId, RoomId};
use crate::identity::Signature;
use crate::limits::{BODY_BYTES_MAX, DEPENDENCIES_MAX, TIME_MS_MAX};

/// An entry outside the block, resolved.
struct Outside {
    chain: ChainId,
    seq: u32,
    id: EntryId,
}

/// The columns of all entries, before they are put together.
struct Columns<'a> {
    chains: Vec<ChainId>,
    outside: Vec<Outside>,
    chain: Vec<usize>,
    kind: Vec<u16>,
    previous: Vec<u64>,
    /// Of all entries, one after another; and how many each has.
    dependencies: Vec<Reference>,
    dependency_counts: Vec<usize>,
    claimed_ms: Vec<u64>,
    body: Vec<&'a [u8]>,
    signature: Vec<Option<Signature>>,
}

impl Columns<'_> {
    fn extent(&self) -> Extent {
        Extent {
            chains: self.chains.len(),
            outside: self.outside.len(),
            entries: self.chain.len(),
            dependencies: self.dependencies.len(),
            body_bytes: self.body.iter().map(|body| body.len()).sum(),
            signatures: self.signature.iter().flatten().count(),
        }
    }
}

pub(super) fn entries(
    bytes: &[u8],
    room: &RoomId,
    references: &impl References,
) -> Result<Vec<Entry>, DecodeError> {
    let mut reader = Reader(bytes);
    let columns = columns(&mut reader, references)?;
    if !reader.0.is_empty() {
        return Err(DecodeError::Malformed("end"));
    }
    if !columns.extent().fits() {
        return Err(DecodeError::TooLarge);
    }
    assemble(&columns, room)
}

fn columns<'a>(reader: &mut Reader<'a>, references: &impl References) -> Result<Columns<'a>, DecodeError> {
    let count = reader.at_most(BLOCK_ENTRIES_MAX, "entry count")?;
    let chains = reader.at_most(BLOCK_ENTRIES_MAX + REFERENCES_MAX, "chain count")?;
    if chains > reader.0.len() / ChainId::BYTES {
        return Err(DecodeError::Malformed("chain count"));
    }
    let chains: Vec<ChainId> =
        (0..chains).map(|_| Ok(ChainId::from_bytes(&reader.array()?))).collect::<Result<_, DecodeError>>()?;
    let outside = outside(reader, &chains, references)?;
    let last_chain = chains.len().checked_sub(1);
    let chain = column(count, || match last_chain {
        Some(last) => reader.at_most(last, "chain"),
        None => Err(DecodeError::Malformed("chain")),
    })?;
    let kind =
        column(count, || u16::try_from(reader.integer()?).map_err(|_| DecodeError::Malformed("kind")))?;
    let previous = column(count, || reader.integer())?;
    let dependency_counts = column(count, || reader.at_most(DEPENDENCIES_MAX, "dependency count"))?;
    let all = dependency_counts.iter().sum();
    if all > REFERENCES_MAX {
        return Err(DecodeError::TooLarge);
    }
    let mut dependencies = Vec::with_capacity(all);
    for (index, count) in dependency_counts.iter().enumerate() {
        for _ in 0..*count {
            dependencies.push(reference(reader.integer()?, index, outside.len())?);
        }
    }
    let mut time = 0_i64;
    let claimed_ms = column(count, || {
        time = time.checked_add(reader.signed()?).ok_or(DecodeError::Malformed("time"))?;
        u64::try_from(time).ok().filter(|time| *time <= TIME_MS_MAX).ok_or(DecodeError::Malformed("time"))
    })?;
    let lengths = column(count, || reader.at_most(BODY_BYTES_MAX, "body length"))?;
    let body = lengths.into_iter().map(|length| reader.slice(length)).collect::<Result<_, _>>()?;
    let flags = reader.slice(count.div_ceil(8))?;
    let mut signature = Vec::with_capacity(count);
    for index in 0..count {
        let is_signed = flags[index / 8] >> (index % 8) & 1 == 1;
        signature.push(if is_signed { Some(Signature(reader.array()?)) } else { None });
    }
    Ok(Columns {
        chains,
        outside,
        chain,
        kind,
        previous,
        dependencies,
        dependency_counts,
        claimed_ms,
        body,
        signature,
    })
}

fn column<T>(count: usize, mut next: impl FnMut() -> Result<T, DecodeError>) -> Result<Vec<T>, DecodeError> {
    (0..count).map(|_| next()).collect()
}

fn outside(
    reader: &mut Reader<'_>,
    chains: &[ChainId],
    references: &impl References,
) -> Result<Vec<Outside>, DecodeError> {
    let count = reader.at_most(REFERENCES_MAX + BLOCK_ENTRIES_MAX, "outside count")?;
    if count > reader.0.len() / 16 {
        return Err(DecodeError::Malformed("outside count"));
    }
    let last = chains.len().saturating_sub(1);
    let chain = column(count, || reader.at_most(last, "outside chain"))?;
    let seq = column(count, || u32::try_from(reader.integer()?).map_err(|_| DecodeError::Malformed("seq")))?;
    let prefix: Vec<[u8; 16]> = column(count, || reader.array())?;
    // Repetition is small once compressed, and each is looked up.
    let mut named = HashSet::with_capacity(count);
    let resolve = |((chain, seq), prefix): ((usize, u32), [u8; 16])| {
        let chain = *chains.get(chain).ok_or(DecodeError::Malformed("outside chain"))?;
        if !named.insert((chain, seq, prefix)) {
            return Err(DecodeError::Malformed("repeated entry outside"));
        }
        let unresolved = DecodeError::Unresolved { chain, seq, prefix };
        let id = references.find(&chain, seq, &prefix).ok_or(unresolved)?;
        Ok(Outside { chain, seq, id })
    };
    chain.into_iter().zip(seq).zip(prefix).map(resolve).collect()
}

/// The inverse of the writer's integer, for the entry at `index` of a block with so many entries outside.
fn reference(integer: u64, index: usize, outside: usize) -> Result<Reference, DecodeError> {
    let half = usize::try_from(integer / 2).map_err(|_| DecodeError::Malformed("reference"))?;
    match integer % 2 {
        0 if half < index => Ok(Reference::Back(half + 1)),
        1 if half < outside => Ok(Reference::Outside(half)),
        _ => Err(DecodeError::Malformed("reference")),
    }
}

fn assemble(columns: &Columns<'_>, room: &RoomId) -> Result<Vec<Entry>, DecodeError> {
    let mut entries: Vec<Entry> = Vec::with_capacity(columns.chain.len());
    let mut latest: Vec<Option<usize>> = vec![None; columns.chains.len()];
    let mut ids = HashSet::with_capacity(columns.chain.len());
    let mut references = columns.dependencies.iter();
    for index in 0..columns.chain.len() {
        let chain = columns.chains[columns.chain[index]];
        let place = |entries: &[Entry], reference| match reference {
            Reference::Back(distance) => {
                let entry = &entries[index - distance];
                (entry.record().chain, entry.record().seq, entry.id())
            }
            Reference::Outside(outside) => {
                let Outside { chain, seq, id } = &columns.outside[outside];
                (*chain, *seq, *id)
            }
        };
        let previous = match columns.previous[index] {
            0 => {
                let latest = latest[columns.chain[index]].ok_or(DecodeError::Malformed("previous"))?;
                Some(place(&entries, Reference::Back(index - latest)))
            }
            1 => None,
            integer => Some(place(&entries, reference(integer - 2, index, columns.outside.len())?)),
        };
        if previous.is_some_and(|(of, _, _)| of != chain) {
            return Err(DecodeError::Malformed("previous"));
        }
        let seq = match previous {
            Some((_, seq, _)) => seq.checked_add(1).ok_or(DecodeError::Malformed("seq"))?,
            None => 1,
        };
        let references = references.by_ref().take(columns.dependency_counts[index]);
        let mut dependencies: Vec<EntryId> =
            references.map(|reference| place(&entries, *reference).2).collect();
        dependencies.sort_unstable();
        let record = Record {
            kind: columns.kind[index],
            chain,
            seq,
            previous: previous.map(|(_, _, id)| id),
            dependencies,
            claimed_ms: columns.claimed_ms[index],
            body: columns.body[index].to_vec(),
        };
        let entry = Entry::new(record, room, columns.signature[index])?;
        // Whoever counts the entries of a block counts each of them once.
        if !ids.insert(entry.id()) {
            return Err(DecodeError::Malformed("repeated entry"));
        }
        entries.push(entry);
        latest[columns.chain[index]] = Some(index);
    }
    Ok(entries)
}
