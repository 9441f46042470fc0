//! Folding: runs of small blocks become few large ones, so that months of single messages are served and opened fast.

use std::cell::RefCell;
use std::collections::BTreeMap;

use crate::archive::shelf::Unseen;
use crate::archive::{Archive, StoredBlock};
use crate::block::{self, References};
use crate::entry::{Entry, Record};
use crate::graph::half;
use crate::id::{ChainId, EntryId, Position};
use crate::limits::BLOCK_BYTES_MAX;
use crate::store::{BlockNumber, Damage, StoreError};

impl Archive {
    /// Puts one run of small blocks together, if there is one that is long enough. Says whether there was. Positions and
    /// everything that is read stay as they are; signatures go where a later entry of the new block vouches.
    ///
    /// # Errors
    /// When the store fails.
    pub fn fold(&mut self) -> Result<bool, StoreError> {
        let Some(run) = self.next_run() else { return Ok(false) };
        let old = run
            .clone()
            .map(|number| self.stored(BlockNumber(number)))
            .collect::<Result<Vec<StoredBlock>, StoreError>>()?;
        let (entries, names) = self.read_run(&old)?;
        self.folded_to = run.end;
        let fewer = put_together(&entries, &old, &names).filter(|blocks| blocks.len() < old.len());
        let Some(blocks) = fewer else { return Ok(true) };
        if !self.holds_same(&entries, &old, &blocks) {
            tracing::warn!(first = run.start, "blocks of the log could not be put together");
            return Ok(true);
        }
        let mut writes = Vec::new();
        let mut log = self.log.clone();
        log.fold(BlockNumber(run.start)..BlockNumber(run.end), &blocks, &mut writes)?;
        self.store.commit(&writes)?;
        self.log = log;
        // The last one may be small still, and grow with what follows.
        self.folded_to = run.start + u32::try_from(blocks.len()).unwrap_or(0) - 1;
        Ok(true)
    }

    /// Numbers of the next blocks to put together, and steps over those before that stay as they are.
    fn next_run(&mut self) -> Option<std::ops::Range<u32>> {
        let count = |number| self.log.count(BlockNumber(number));
        let bytes = |number| self.log.bytes(BlockNumber(number)) as usize;
        let is_small = |number| bytes(number) < SMALL_BYTES && count(number) < SMALL_ENTRIES;
        let blocks = self.log.blocks();
        let mut entries = 0;
        for number in self.folded_to..blocks {
            let start = self.folded_to;
            let length = number - start;
            entries += count(number);
            if is_small(number) && length < RUN_MAX && entries <= RUN_ENTRIES_MAX {
                continue;
            }
            // What a large block follows does not grow any more.
            if length >= CLOSED_RUN_MIN {
                return Some(start..number);
            }
            (self.folded_to, entries) =
                if is_small(number) { (number, count(number)) } else { (number + 1, 0) };
        }
        let start = self.folded_to;
        (blocks - start >= OPEN_RUN_MIN).then_some(start..blocks)
    }

    fn stored(&self, number: BlockNumber) -> Result<StoredBlock, StoreError> {
        let bytes = self.log.read(self.store.as_ref(), number)?;
        Ok(StoredBlock { first: self.log.first(number), count: self.log.count(number), bytes })
    }

    /// The entries of consecutive blocks, each under its own id. Of those outside that they refer to only what a block
    /// says is known: their chain, seq and half an id.
    fn read_run(&self, blocks: &[StoredBlock]) -> Result<(Vec<Entry>, Names), StoreError> {
        let names = Names::default();
        let mut all = Vec::new();
        for stored in blocks {
            let entries = block::decode(&stored.bytes, &self.room, &names).map_err(|_| Damage::Row("log"))?;
            if entries.len() != stored.count as usize {
                return Err(Damage::Log.into());
            }
            let id = |at: Position| self.timeline.key(at).map(|key| key.id).ok_or(Damage::Log);
            let ids = (stored.first..stored.first + stored.count).map(id).collect::<Result<Vec<_>, _>>()?;
            // Computed without the ids of what is outside, the ids inside come out wrong.
            let right: BTreeMap<EntryId, EntryId> =
                entries.iter().map(Entry::id).zip(ids.iter().copied()).collect();
            for (entry, id) in entries.into_iter().zip(ids) {
                let record = with_parents(entry.record(), |parent| *right.get(parent).unwrap_or(parent));
                names.learn(record.chain, record.seq, id);
                all.push(Entry::known(record, id, entry.signature().copied()));
            }
        }
        Ok((all, names))
    }

    /// Whether new blocks say what the old ones do, with every signature that is needed.
    fn holds_same(&self, entries: &[Entry], old: &[StoredBlock], blocks: &[(Vec<u8>, u32)]) -> bool {
        let mut first = old.first().map_or(0, |block| block.first);
        let mut new = Vec::with_capacity(blocks.len());
        for (bytes, count) in blocks {
            new.push(StoredBlock { first, count: *count, bytes: bytes.clone() });
            first += count;
        }
        let Ok((read, _)) = self.read_run(&new) else { return false };
        let is_same = |(new, old): (&Entry, &Entry)| {
            new.record() == old.record() && (new.signature().is_none() || new.signature() == old.signature())
        };
        let mut rest = read.as_slice();
        let is_vouched = |count: &u32| {
            let (block, after) = rest.split_at((*count as usize).min(rest.len()));
            rest = after;
            block::unvouched(block).into_iter().all(|index| block[index].signature().is_some())
        };
        read.len() == entries.len()
            && read.iter().zip(entries).all(is_same)
            && blocks.iter().map(|(_, count)| count).all(is_vouched)
    }
}

/// The entries in fewer blocks, of whole ones: what vouches for an entry in an old block does so in the new one.
fn put_together(entries: &[Entry], old: &[StoredBlock], names: &Names) -> Option<Vec<(Vec<u8>, u32)>> {
    let mut blocks = Vec::new();
    let (mut old, mut rest) = (old, entries);
    while !old.is_empty() {
        let (mut weight, mut end) = (0, 0);
        let fits = |block: &&StoredBlock| {
            let start = end;
            end += block.count as usize;
            weight += rest[start..end].iter().map(block::weight).sum::<usize>();
            weight <= WEIGHT_MAX
        };
        let mut whole = old.iter().take_while(fits).count().max(1);
        let (bytes, count) = loop {
            let count: u32 = old[..whole].iter().map(|block| block.count).sum();
            match block::encode(&rest[..count as usize], false, names) {
                Ok(bytes) => break (bytes, count),
                Err(_) if whole > 1 => whole /= 2,
                Err(_) => return None,
            }
        };
        blocks.push((bytes, count));
        (old, rest) = (&old[whole..], &rest[count as usize..]);
    }
    Some(blocks)
}

/// A record with other ids of what it follows.
fn with_parents(record: &Record, right: impl Fn(&EntryId) -> EntryId) -> Record {
    let mut dependencies: Vec<EntryId> = record.dependencies.iter().map(&right).collect();
    dependencies.sort_unstable();
    Record { previous: record.previous.as_ref().map(&right), dependencies, ..record.clone() }
}

/// What blocks of one run need to know of each other, and of what is outside. Learned while they are read.
#[derive(Default)]
struct Names(RefCell<Known>);

#[derive(Default)]
struct Known {
    ids: BTreeMap<(ChainId, u32, [u8; 16]), EntryId>,
    places: BTreeMap<EntryId, (ChainId, u32)>,
}

impl Names {
    fn learn(&self, chain: ChainId, seq: u32, id: EntryId) {
        let known = &mut self.0.borrow_mut();
        known.ids.insert((chain, seq, half(&id)), id);
        known.places.insert(id, (chain, seq));
    }
}

impl References for Names {
    fn place(&self, id: &EntryId) -> Option<(ChainId, u32)> {
        self.0.borrow().places.get(id).copied()
    }

    fn find(&self, chain: &ChainId, seq: u32, prefix: &[u8; 16]) -> Option<EntryId> {
        let known = self.0.borrow().ids.get(&(*chain, seq, *prefix)).copied();
        known.or_else(|| {
            let made = Unseen.find(chain, seq, prefix)?;
            self.learn(*chain, seq, made);
            Some(made)
        })
    }
}

/// Blocks of fewer bytes are small,
const SMALL_BYTES: usize = 8 * 1024;

/// if they hold fewer entries too: what repeats itself takes few bytes.
pub(super) const SMALL_ENTRIES: u32 = 256;

/// So many small blocks at the log's end are put together; each entry is written anew some eight times until its block
/// is large.
const OPEN_RUN_MIN: u32 = 64;

/// So many between two large ones are.
const CLOSED_RUN_MIN: u32 = 4;

/// Most blocks put together at once,
const RUN_MAX: u32 = 256;

/// and their entries: some ten milliseconds, in which nothing else is written.
pub(super) const RUN_ENTRIES_MAX: u32 = 2_048;

/// Weight of the entries put into one block, less what its tables may take.
const WEIGHT_MAX: usize = BLOCK_BYTES_MAX - 8 * 1024;
