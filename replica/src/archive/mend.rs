//! Mending a damaged store: a new one is made of every entry that verifies, and the damaged folder kept aside.
//!
//! Blocks are read from the bytes of the database's file, which needs no more of the database than that. Every signature
//! is checked: hashes only vouch for a store that was never damaged. What the new store lacks, peers have.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use crate::archive::{Archive, Opened, notes};
use crate::block::{self, DecodeError, References, unvouched};
use crate::entry::Entry;
use crate::graph::{Admission, Graph};
use crate::id::{ChainId, EntryId, Position, RoomId, StoreId};
use crate::store::log::carve::{Carved, carve};
use crate::store::{
    Before, Damage, Log, MemoryStore, SledStore, Store, StoreError, Write, exchange, open_copy,
    read_database, read_own_database, remove,
};

/// What came of mending.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mended {
    /// Entries that the new store has.
    pub kept: Position,
    /// Entries that the damaged one had beside them, if it still says how many it had.
    pub lost: Option<Position>,
    /// Whether what is not of the conversation came along: drafts, and where members are.
    pub has_notes: bool,
    /// Where the damaged store is now.
    pub aside: PathBuf,
}

impl Archive {
    /// Opens a room's store in its folder; see [`Archive::open`]. One that proves damaged is left as it was.
    ///
    /// # Errors
    /// When the store fails or is damaged.
    pub fn open_in(
        folder: &Path,
        room: RoomId,
        fresh: (StoreId, u64),
        renew: bool,
    ) -> Result<(Self, Opened), StoreError> {
        let before = Before::read(folder)?;
        let opened =
            SledStore::open(folder).and_then(|store| Self::open(Box::new(store), room, fresh, renew));
        if let Err(StoreError::Damaged(_)) = &opened
            && let Err(error) = before.put_back()
        {
            tracing::warn!(%error, "a damaged store was altered by opening it");
        }
        opened
    }

    /// Reads a store that the system does not let us write, as on a full disk or a read-only one: every entry that
    /// verifies, into memory. Nothing can be committed; notes are not read.
    ///
    /// # Errors
    /// When the files cannot be read, or nothing in them can.
    pub fn open_to_read(
        folder: &Path,
        room: RoomId,
        fresh: (StoreId, u64),
    ) -> Result<(Self, Opened), StoreError> {
        let Carved { blocks, entries } = carve(&read_database(folder)?);
        let salvage = Salvage::of(room, blocks);
        let kept = salvage.graph.len();
        if kept == 0 {
            return Err(Damage::Log.into());
        }
        if let Some(missing) =
            entries.and_then(|entries| entries.checked_sub(kept)).filter(|missing| *missing > 0)
        {
            // The commit that did not fit may have got so far as to count them.
            tracing::warn!(
                missing,
                "entries that the store counts cannot be read; they may never have been kept"
            );
        }
        let mut store = MemoryStore::new();
        append_all(&mut store, &salvage.blocks)?;
        let (mut archive, opened) = Self::open(Box::new(store), room, fresh, false)?;
        archive.is_read_only = true;
        Ok((archive, opened))
    }

    /// Reads on after the store in this folder failed: what was committed, into memory. A database that could not write
    /// a page cannot read it either, with all that was on it before. Nothing more can be committed.
    ///
    /// # Errors
    /// When the files cannot be read, or lack something. Reading then goes on as well as the database can.
    pub fn read_on(&mut self, folder: &Path) -> Result<(), StoreError> {
        if self.is_read_only {
            return Ok(());
        }
        let blocks = self.log.pick(carve(&read_own_database(folder)?).blocks)?;
        let mut copy = MemoryStore::new();
        append_all(&mut copy, &blocks)?;
        let failed = std::mem::replace(&mut self.store, Box::new(copy));
        self.is_read_only = true;
        if let Err(error) = failed.close() {
            tracing::debug!(%error, "a store that failed was closed");
        }
        Ok(())
    }
}

/// Makes a new store of what can be read of a room's. It has no name and no chain yet: it takes fresh ones when it is
/// opened, so that places which its author gave out in lost entries are not given out again.
///
/// # Errors
/// When the damaged store cannot be read at all or the new one cannot be written; all is then as it was.
pub fn mend(folder: &Path, room: RoomId) -> Result<Mended, StoreError> {
    let Carved { blocks, entries } = carve(&read_database(folder)?);
    let salvage = Salvage::of(room, blocks);
    let kept = salvage.graph.len();
    let notes = read_notes(folder);
    let new = folder.with_file_name("store.new");
    remove(&new)?;
    write(&new, &salvage.blocks, notes.as_deref().unwrap_or_default())?;
    let aside = exchange(folder, &new)?;
    let lost = entries.map(|entries| entries.saturating_sub(kept));
    Ok(Mended { kept, lost, has_notes: notes.is_some(), aside })
}

/// The rows of notes that a store goes on with under another name. A database that is behind would bring back drafts
/// that were delivered since, so its notes are left.
fn read_notes(folder: &Path) -> Option<Vec<Write>> {
    let copy = folder.with_file_name("store.reading");
    let rows = open_copy(folder, &copy).and_then(|store| {
        let rows = notes::lasting(&store);
        Box::new(store).close()?;
        rows
    });
    let rows = rows.inspect_err(|error| tracing::info!(%error, "the notes of a damaged store are left"));
    remove(&copy).ok();
    rows.ok()
}

fn write(folder: &Path, blocks: &[(Vec<u8>, u32)], notes: &[Write]) -> Result<(), StoreError> {
    let mut store = SledStore::open(folder)?;
    store.commit(notes)?;
    append_all(&mut store, blocks)?.verify(&store)?;
    Box::new(store).close()
}

/// Writes a log of these blocks.
fn append_all(store: &mut dyn Store, blocks: &[(Vec<u8>, u32)]) -> Result<Log, StoreError> {
    let mut log = Log::open(store)?;
    for some in blocks.chunks(BLOCKS_PER_COMMIT) {
        let mut writes = Vec::new();
        for (bytes, count) in some {
            log.stage(bytes, *count, &mut writes)?;
        }
        store.commit(&writes)?;
    }
    Ok(log)
}

/// Blocks of unknown order, put into one in which causes come first.
struct Salvage {
    graph: Graph,
    /// Blocks that build on an entry that was not found yet.
    waiting: BTreeMap<(ChainId, u32), Vec<Vec<u8>>>,
    /// What was admitted, with the number of entries.
    blocks: Vec<(Vec<u8>, u32)>,
}

impl Salvage {
    fn of(room: RoomId, blocks: Vec<Vec<u8>>) -> Self {
        let mut salvage = Self { graph: Graph::new(room), waiting: BTreeMap::new(), blocks: Vec::new() };
        salvage.take_all(blocks);
        salvage
    }

    fn take_all(&mut self, mut work: Vec<Vec<u8>>) {
        work.reverse();
        while let Some(block) = work.pop() {
            match block::decode(&block, &self.graph.room(), &self.graph) {
                Err(DecodeError::Unresolved { chain, seq, .. }) => {
                    self.waiting.entry((chain, seq)).or_default().push(block);
                }
                // By its hash it is a block, but of another version, or of something else.
                Err(_) => {}
                Ok(entries) => work.extend(self.take(entries)),
            }
            if work.is_empty() {
                work.extend(self.take_parts());
            }
        }
    }

    /// Takes in as many of a block's entries as are valid and authentic. Answers the blocks that waited for them.
    fn take(&mut self, entries: Vec<Entry>) -> Vec<Vec<u8>> {
        let new: Vec<Entry> = entries.into_iter().filter(|entry| !self.graph.has(entry)).collect();
        let first = self.graph.len();
        let mut refused = BTreeSet::new();
        let admitted = loop {
            let is_admitted = |entry: &&Entry| {
                !refused.contains(&entry.id()) && matches!(self.graph.admit(entry), Ok(Admission::New(_)))
            };
            let admitted: Vec<Entry> = new.iter().filter(is_admitted).cloned().collect();
            let unsigned = unvouched(&admitted).into_iter().map(|index| &admitted[index]);
            let unsigned: Vec<EntryId> = unsigned.filter(|entry| !entry.is_signed()).map(Entry::id).collect();
            if unsigned.is_empty() {
                break admitted;
            }
            // Whoever vouched for them is lost, or they are not theirs. What builds on them goes too.
            refused.extend(unsigned);
            self.graph.truncate(first);
        };
        let Ok(count) = u32::try_from(admitted.len()) else { return Vec::new() };
        if count == 0 {
            return Vec::new();
        }
        let Ok(bytes) = block::encode(&admitted, false, &self.graph) else {
            self.graph.truncate(first);
            return Vec::new();
        };
        self.graph.settle(self.graph.len());
        self.blocks.push((bytes, count));
        let places = admitted.iter().map(|entry| (entry.record().chain, entry.record().seq));
        places.filter_map(|place| self.waiting.remove(&place)).flatten().collect()
    }

    /// Of the blocks that wait for what is lost, takes the entries that do not build on it. Answers blocks that can be
    /// read because of that.
    fn take_parts(&mut self) -> Vec<Vec<u8>> {
        let mut readable = Vec::new();
        for block in std::mem::take(&mut self.waiting).into_values().flatten() {
            let whole = block::decode(&block, &self.graph.room(), &self.graph);
            let partly = || block::decode(&block, &self.graph.room(), &Partly(&self.graph));
            if let Ok(entries) = whole.or_else(|_| partly()) {
                readable.extend(self.take(entries));
            }
        }
        readable
    }
}

/// A graph that lacks entries. What builds on one gets a wrong id, which no signature vouches for, and no ancestor.
struct Partly<'a>(&'a Graph);

impl References for Partly<'_> {
    fn place(&self, id: &EntryId) -> Option<(ChainId, u32)> {
        self.0.place(id)
    }

    fn find(&self, chain: &ChainId, seq: u32, prefix: &[u8; 16]) -> Option<EntryId> {
        let unknown = || super::shelf::Unseen.find(chain, seq, prefix);
        self.0.find(chain, seq, prefix).or_else(unknown)
    }
}

/// Some megabytes at most, usually much less.
const BLOCKS_PER_COMMIT: usize = 64;
