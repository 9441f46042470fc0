//! One room at rest: the log, the documents and the few notes beside them, in one store.
//!
//! Owned by one thread. [`Archive::commit`] makes a batch durable; everything else is behind the hot path:
//! [`Archive::maintain`] brings the documents up to date a few rows at a time, [`Archive::page`] reads rows.

use std::collections::BTreeMap;

use crate::document::Actor;
use crate::documents::{self, Documents, ExportError, PageRow};
use crate::entry::{Body, Entry};
use crate::graph::{Admission, Graph, Pieces, Relined, Run};
use crate::id::{ChainId, EntryId, Position, RoomId, StoreId};
use crate::identity::Identity;
use crate::members::Members;
use crate::order::OrderKey;
use crate::store::{BlockNumber, Damage, Log, Store, StoreError};
use crate::timeline::Timeline;
use crate::{block, bundle};

mod fold;
mod mend;
mod moves;
mod notes;
mod shelf;
#[cfg(test)]
mod tests;
mod verify;

pub use mend::{Mended, mend};
pub use notes::{Draft, Met, Notes, Peer};
use shelf::LogShelf;
pub use verify::{Verification, VerifyError};

/// What is to become durable, all or nothing.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Batch {
    /// Blocks to append to the log.
    pub blocks: Vec<NewBlock>,
    /// What now belongs to another actor, because its author forked the chain: its documents are rebuilt.
    pub relined: Relined,
    /// Drafts to keep, by number.
    pub drafts: Vec<(u64, Draft)>,
    /// Drafts that became entries of this batch.
    pub drafts_done: Vec<u64>,
    /// Drafts of the home with lower numbers are taken over.
    pub home_drafts_taken: Option<u64>,
    /// When this store last agreed with others, by author and store; none forgets.
    pub met: Vec<(Peer, Option<Met>)>,
    /// Which store this is, and the number our chain has, from now on.
    pub names: Option<(StoreId, u64)>,
    /// Where members can be reached: a row's worth of bytes to keep for each, or none any more.
    pub whereabouts: BTreeMap<Peer, Option<Vec<u8>>>,
}

/// One block of a [`Batch`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewBlock {
    /// The block's bytes.
    pub bytes: Vec<u8>,
    /// What its entries are, in its order.
    pub rows: Vec<NewRow>,
}

/// One entry of a [`NewBlock`]: where it stands in the order and in its chain.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewRow {
    /// Its place in the order.
    pub key: OrderKey,
    /// Its run.
    pub run: Run,
}

/// A block of the log, as it is stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredBlock {
    /// Position of its first entry.
    pub first: Position,
    /// How many entries it has.
    pub count: u32,
    /// The block.
    pub bytes: Vec<u8>,
}

/// What opening an archive yields beside it.
#[derive(Debug)]
pub struct Opened {
    /// All entries, all durable.
    pub graph: Graph,
    /// The fold of their names.
    pub members: Members,
    /// Which store, which chain, which drafts.
    pub notes: Notes,
}

/// One room in its store.
pub struct Archive {
    room: RoomId,
    store: Box<dyn Store>,
    log: Log,
    /// Whose changes entries are, where that is not their chain's own actor.
    actors: Pieces<Actor>,
    timeline: Timeline,
    documents: Documents,
    /// The blocks with lower numbers are not put together any more.
    folded_to: u32,
    /// Whether the store is a copy in memory of one that cannot be written.
    is_read_only: bool,
}

impl std::fmt::Debug for Archive {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Archive")
            .field("room", &self.room)
            .field("log", &self.log.len())
            .finish_non_exhaustive()
    }
}

impl Archive {
    /// Opens a room's store and replays its log. `fresh` gives the store its name and its chain a number where it
    /// has none yet, or where `renew` says that it may be a copy.
    ///
    /// # Errors
    /// When the store fails or its log is damaged.
    pub fn open(
        mut store: Box<dyn Store>,
        room: RoomId,
        fresh: (StoreId, u64),
        renew: bool,
    ) -> Result<(Self, Opened), StoreError> {
        let log = Log::open(store.as_ref())?;
        let notes = Notes::open(store.as_mut(), fresh, renew)?;
        let mut graph = Graph::new(room);
        let mut members = Members::default();
        // Until the room's first entry says its period, nothing is placed by it.
        let is_empty = log.is_empty();
        let period_ms = if is_empty { PERIOD_MS } else { period_ms(&log, store.as_ref(), &room)? };
        let mut timeline = Timeline::new(period_ms);
        timeline.reserve(log.len() as usize);
        for number in 0..log.blocks() {
            let bytes = log.read(store.as_ref(), BlockNumber(number))?;
            for entry in block::decode(&bytes, &room, &graph).map_err(|_| Damage::Log)? {
                let Ok(Admission::New(at)) = graph.admit(&entry) else { return Err(Damage::Log.into()) };
                members.apply(&entry, graph.key(at));
                timeline.insert(graph.key(at));
            }
            if graph.len() - graph.durable() >= SETTLE_EVERY || number + 1 == log.blocks() {
                graph.settle(graph.len());
            }
        }
        let mut actors = Pieces::default();
        if graph.fork_count() > 0 {
            (0..graph.len()).for_each(|at| actors.put(at, graph.run(at)));
            graph.lines().for_each(|(piece, actor)| actors.set(piece, actor));
        }
        let documents = Documents::default();
        let is_read_only = false;
        let mut archive = Self { room, store, log, actors, timeline, documents, folded_to: 0, is_read_only };
        let (timeline, mut shelf, documents) = archive.parts();
        *documents = Documents::open(timeline, &mut shelf)?;
        Ok((archive, Opened { graph, members, notes }))
    }

    /// Makes a batch durable. Answers for each of its entries, in order, how many rows stand behind it.
    ///
    /// # Errors
    /// When the store fails: what it has of the batch is then not known, and it takes no more. Reading goes on with
    /// [`Archive::read_on`].
    pub fn commit(&mut self, batch: &Batch) -> Result<Vec<u32>, StoreError> {
        let (first, end) = (self.log.len(), self.log.end());
        self.store_batch(batch).inspect_err(|_| self.log.rewind(end))?;
        if first == 0 && !self.log.is_empty() {
            self.timeline = Timeline::new(period_ms(&self.log, self.store.as_ref(), &self.room)?);
        }
        batch.relined.actors.iter().for_each(|(&piece, &actor)| self.actors.set(piece, actor));
        let mut rows_after = Vec::new();
        for (row, at) in batch.blocks.iter().flat_map(|block| &block.rows).zip(first..) {
            self.actors.put(at, row.run);
            let placed = self.timeline.insert(row.key);
            rows_after.push(u32::try_from(placed.rows_after).unwrap_or(u32::MAX));
            let (timeline, mut shelf, documents) = self.parts();
            documents.note(timeline, &row.key, at);
            if let Some(span) = placed.split {
                documents.split(timeline, &mut shelf, &span)?;
            }
        }
        self.rebuild_moved(batch)?;
        Ok(rows_after)
    }

    /// Brings the documents up to date by at most so many rows, or saves one, if `may_save`: see [`Documents::maintain`].
    /// Says whether there was something to do.
    ///
    /// # Errors
    /// When the store fails.
    pub fn maintain(&mut self, rows: usize, may_save: bool) -> Result<bool, StoreError> {
        let (timeline, mut shelf, documents) = self.parts();
        documents.maintain(timeline, &mut shelf, rows, may_save)
    }

    /// Whether documents lack rows, or wait to be saved.
    #[must_use]
    pub fn has_to_maintain(&self) -> bool {
        self.documents.behind() > 0 || self.documents.is_due()
    }

    /// Rows before (older than) a key, or the newest, newest first.
    ///
    /// # Errors
    /// When the store fails.
    pub fn page(&mut self, before: Option<&OrderKey>, count: usize) -> Result<Vec<PageRow>, StoreError> {
        let (timeline, mut shelf, documents) = self.parts();
        documents.page(timeline, &mut shelf, before, count)
    }

    /// The blocks with these positions (ascending), each once, until they are some 128 KiB.
    ///
    /// # Errors
    /// When the store fails, or a position is not in the log.
    pub fn blocks(&self, positions: &[Position]) -> Result<Vec<StoredBlock>, StoreError> {
        let mut blocks: Vec<StoredBlock> = Vec::new();
        let mut bytes = 0;
        for &at in positions {
            if blocks.last().is_some_and(|last| at < last.first + last.count) {
                continue;
            }
            if bytes >= READ_BYTES {
                break;
            }
            let (number, first) = self.log.block_at(at).ok_or(Damage::Log)?;
            let block = self.log.read(self.store.as_ref(), number)?;
            bytes += block.len();
            blocks.push(StoredBlock { first, count: self.log.count(number), bytes: block });
        }
        Ok(blocks)
    }

    /// The positions of the newest rows, newest first, and the blocks that hold them: up to `count`, until the blocks are
    /// some 128 KiB.
    ///
    /// # Errors
    /// When the store fails.
    pub fn newest(&self, count: usize) -> Result<(Vec<Position>, Vec<StoredBlock>), StoreError> {
        let mut positions = Vec::new();
        let mut blocks: BTreeMap<Position, StoredBlock> = BTreeMap::new();
        for slot in self.timeline.newest_first(None).take(count) {
            let (number, first) = self.log.block_at(slot.position).ok_or(Damage::Log)?;
            if !blocks.contains_key(&first) {
                if blocks.values().map(|block| block.bytes.len()).sum::<usize>() >= READ_BYTES {
                    break;
                }
                let bytes = self.log.read(self.store.as_ref(), number)?;
                blocks.insert(first, StoredBlock { first, count: self.log.count(number), bytes });
            }
            positions.push(slot.position);
        }
        Ok((positions, blocks.into_values().collect()))
    }

    /// How many durable rows are not in their documents yet.
    #[must_use]
    pub fn behind(&self) -> usize {
        self.documents.behind()
    }

    /// How many documents are in memory.
    #[must_use]
    pub fn documents_in_use(&self) -> usize {
        self.documents.in_use()
    }

    /// The heads of each document, oldest first, each brought up to date.
    ///
    /// # Errors
    /// When the store fails.
    pub fn document_heads(&mut self) -> Result<Vec<Vec<[u8; 32]>>, StoreError> {
        let (timeline, mut shelf, documents) = self.parts();
        let mut heads = Vec::new();
        for span in timeline.spans() {
            heads.extend(documents.heads(timeline, &mut shelf, &span)?);
        }
        Ok(heads)
    }

    /// One Automerge document of everything, as any Automerge program opens it.
    ///
    /// # Errors
    /// When the store fails, or the rows make no document.
    pub fn export(&mut self) -> Result<Vec<u8>, ExportError<StoreError>> {
        let end = self.log.len();
        let (_, mut shelf, _) = self.parts();
        documents::export(&mut shelf, end)
    }

    /// Every block of the log, in order, as a bundle.
    ///
    /// # Errors
    /// When the store fails.
    pub fn bundle(&self, identity: &Identity) -> Result<Vec<u8>, StoreError> {
        let mut bundle = bundle::Writer::new(&self.room);
        for number in 0..self.log.blocks() {
            bundle.add(&self.log.read(self.store.as_ref(), BlockNumber(number))?);
        }
        Ok(bundle.finish(identity))
    }

    /// Saves the documents and leaves the store in order.
    ///
    /// # Errors
    /// When the store fails. What was committed is durable all the same.
    pub fn close(mut self) -> Result<(), StoreError> {
        let (timeline, mut shelf, documents) = self.parts();
        documents.save_all(timeline, &mut shelf)?;
        self.store.close()
    }

    fn store_batch(&mut self, batch: &Batch) -> Result<(), StoreError> {
        if self.is_read_only {
            return Err(StoreError::Failed);
        }
        let mut writes = Vec::new();
        for block in &batch.blocks {
            let count = u32::try_from(block.rows.len()).map_err(|_| Damage::Log)?;
            self.log.stage(&block.bytes, count, &mut writes)?;
        }
        notes::stage(batch, &mut writes);
        self.forget_moved(batch)?;
        self.store.commit(&writes)
    }

    fn parts(&mut self) -> (&Timeline, LogShelf<'_>, &mut Documents) {
        let shelf = LogShelf {
            room: &self.room,
            store: self.store.as_mut(),
            log: &self.log,
            timeline: &self.timeline,
            actors: &self.actors,
        };
        (&self.timeline, shelf, &mut self.documents)
    }
}

/// What a document holds of an entry: a message's text, of other kinds a few words.
#[must_use]
pub fn text_of(body: &Body) -> String {
    match body {
        Body::Message(text) => text.clone(),
        Body::Room(room) => format!("made the room {}", room.name),
        Body::Invite(_) => "published an invite".to_owned(),
        Body::Admit(admit) => format!("let {} in", crate::identity::words(&admit.key)),
        Body::Leave => "left".to_owned(),
        Body::Nickname(name) => format!("is called {name}"),
        Body::Topic(topic) if topic.is_empty() => "removed the topic".to_owned(),
        Body::Topic(topic) => format!("set the topic to {topic}"),
        Body::Promote(key) => format!("made {} an admin", crate::identity::words(key)),
        Body::Remove(remove) => format!("removed {}", crate::identity::words(&remove.key)),
        Body::Revoke(_) => "took an invite back".to_owned(),
        Body::Unknown { kind } => format!("wrote something of kind {kind} that needs a newer version"),
    }
}

/// The period of the room whose log begins so.
fn period_ms(log: &Log, store: &dyn Store, room: &RoomId) -> Result<u64, StoreError> {
    let bytes = log.read(store, BlockNumber(0))?;
    let entries = block::decode(&bytes, room, &Nothing).map_err(|_| Damage::Log)?;
    match entries.first().map(Entry::body) {
        Some(Body::Room(first)) => Ok(u64::from(first.period_s) * 1000),
        _ => Err(Damage::Log.into()),
    }
}

/// For the first block, which refers to nothing outside.
struct Nothing;

impl block::References for Nothing {
    fn place(&self, _: &EntryId) -> Option<(ChainId, u32)> {
        None
    }

    fn find(&self, _: &ChainId, _: u32, _: &[u8; 16]) -> Option<EntryId> {
        None
    }
}

/// How many replayed entries are settled at once.
const SETTLE_EVERY: Position = 4_096;

/// The period of a room, unless its creator chooses otherwise: a week.
pub const PERIOD_MS: u64 = 7 * 24 * 60 * 60 * 1000;

/// How many bytes of blocks one read answers, about.
const READ_BYTES: usize = 128 * 1024;
