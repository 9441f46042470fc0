//! One replica of a simulated world.

use std::collections::BTreeSet;

use replica::archive::{Archive, Batch};
use replica::id::{AuthorKey, ChainId, EntryId, Position, RoomId, StoreId};
use replica::identity::{Identity, Purpose};
use replica::store::MemoryStore;

use crate::conversation::{ConnectionId, Conversation, first_entry};
use crate::engine::{Engine, Event, Input, Now, PeerProof, Row, Settings, Shown};
use crate::sim::START_MS;
use crate::wire::Address;

/// A row as a replica shows it: order key as bytes, id, text.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Seen {
    /// Era, time, count.
    pub clock: [u8; 14],
    /// Which entry.
    pub id: EntryId,
    /// What it says.
    pub text: String,
}

/// One replica: an engine over a store in memory.
#[derive(Debug)]
pub struct Replica {
    /// What it is called; also its address.
    pub name: String,
    pub(super) identity: Identity,
    /// None while it is off.
    pub engine: Option<Engine>,
    archive: Option<Archive>,
    pub(super) store: MemoryStore,
    pub(super) backup: Option<MemoryStore>,
    /// How many of its entries survive a power cut.
    pub(super) durable: Position,
    invite: Option<[u8; 32]>,
    published: Option<[u8; 32]>,
    /// How far its clock is off, in milliseconds.
    pub skew_ms: i64,
    /// Counts restarts: what a former life planned does not happen.
    pub(super) life: u64,
    /// Whether its store was made to fail: it may have done so, and nobody knows yet.
    pub(super) is_failing: bool,
    /// When its next tick is planned.
    pub(super) wake_ms: Option<u64>,
    /// Whether it ever went on from an old copy of its store.
    pub is_restored: bool,
    /// Own entries it was told are durable.
    pub(super) acknowledged: BTreeSet<EntryId>,
    /// Rows as they were shown, in the order in which they were.
    pub shown: Vec<Row>,
    /// What it told, except rows.
    pub told: Vec<Event>,
}

/// How a replica begins.
#[derive(Clone, Debug)]
pub(super) struct Start {
    pub(super) seed: [u8; 32],
    pub(super) now: Now,
    /// Whom to dial.
    pub(super) peers: Vec<String>,
    /// Where it says it can be reached. Nowhere: it neither tells nor learns addresses.
    pub(super) listening: Vec<Address>,
    /// Whether its store is a copy of another's.
    pub(super) is_copy: bool,
}

impl Replica {
    pub(super) fn found(name: &str, identity: Identity, start: &Start) -> Self {
        let chain = ChainId { author: identity.key(), incarnation: incarnation(&start.seed) };
        let wall_ms = start.now.wall_ms;
        let first = first_entry(&identity, chain, "home", PERIOD_S, wall_ms).expect("a name and a period");
        let mut replica = Self::empty(name, identity, None);
        replica.open(RoomId(first.id().0), start, true);
        replica
    }

    pub(super) fn new(
        name: &str,
        identity: Identity,
        room: RoomId,
        invite: Option<[u8; 32]>,
        store: MemoryStore,
        start: &Start,
    ) -> Self {
        let mut replica = Self { store, ..Self::empty(name, identity, invite) };
        replica.open(room, start, false);
        replica
    }

    fn empty(name: &str, identity: Identity, invite: Option<[u8; 32]>) -> Self {
        Self {
            name: name.to_owned(),
            identity,
            engine: None,
            archive: None,
            store: MemoryStore::new(),
            backup: None,
            durable: 0,
            invite,
            published: None,
            skew_ms: 0,
            life: 0,
            is_failing: false,
            wake_ms: None,
            is_restored: false,
            acknowledged: BTreeSet::new(),
            shown: Vec::new(),
            told: Vec::new(),
        }
    }

    fn open(&mut self, room: RoomId, start: &Start, founds: bool) {
        let mut id = [0; 16];
        id.copy_from_slice(&start.seed[16..]);
        let store = Box::new(self.store.clone());
        let fresh = (StoreId(id), incarnation(&start.seed));
        let Ok((archive, opened)) = Archive::open(store, room, fresh, start.is_copy) else { return };
        self.durable = opened.graph.durable();
        let mut conversation = Conversation::new(opened, self.identity.clone(), self.name.clone());
        if founds {
            conversation.found("home", PERIOD_S, start.now.wall_ms).expect("the room is new");
        }
        let listening = start.listening.clone();
        let learns_addresses = !listening.is_empty();
        let settings = Settings { seed: start.seed, listening, learns_addresses };
        let mut engine = Engine::new(conversation, settings, start.now);
        engine.dial_all(&start.peers);
        self.engine = Some(engine);
        self.archive = Some(archive);
    }

    /// Comes back with what is in an image of its store.
    pub(super) fn restart(&mut self, image: MemoryStore, room: RoomId, start: &Start) {
        self.stop(image);
        self.open(room, start, false);
    }

    /// Is off from now on, and left this image of its store.
    pub(super) fn stop(&mut self, image: MemoryStore) {
        self.life += 1;
        self.is_failing = false;
        self.wake_ms = None;
        self.engine = None;
        self.archive = None;
        self.store = image;
    }

    /// What it was told is durable and was not in the copy that it went on from is lost, unless a peer has it.
    pub(super) fn was_restored(&mut self) {
        self.is_restored = true;
        let graph = self.engine.as_ref().map(|engine| engine.conversation().graph());
        self.acknowledged.retain(|id| graph.is_some_and(|graph| graph.position(id).is_some()));
    }

    /// How often it was stopped or started anew.
    #[must_use]
    pub fn restarts(&self) -> u64 {
        self.life
    }

    /// Makes the n-th call of its store from now on fail.
    pub fn fail_store(&mut self, calls: u64) {
        self.store.fail_call(calls);
        self.is_failing = true;
    }

    /// Commits a batch, and brings the documents up to date by some rows: what the engine is told of both.
    pub(super) fn commit(&mut self, batch: &Batch) -> Vec<Input> {
        let Some(archive) = &mut self.archive else { return Vec::new() };
        let Ok(rows_after) = archive.commit(batch) else { return vec![Input::StoreFailed] };
        self.durable += Position::try_from(rows_after.len()).unwrap_or(Position::MAX);
        let mut inputs = vec![Input::Persisted(rows_after)];
        if archive.maintain(MAINTAINED_ROWS, true).is_err() || archive.fold().is_err() {
            inputs.push(Input::StoreFailed);
        }
        inputs
    }

    pub(super) fn read(&mut self, connection: ConnectionId, positions: &[Position]) -> Input {
        let blocks = self.archive.as_ref().map(|archive| archive.blocks(positions));
        match blocks {
            Some(Ok(blocks)) => Input::Blocks(connection, blocks),
            _ => Input::StoreFailed,
        }
    }

    pub(super) fn read_newest(&mut self, connection: ConnectionId, count: usize) -> Input {
        let newest = self.archive.as_ref().map(|archive| archive.newest(count));
        match newest {
            Some(Ok((positions, blocks))) => Input::Newest(connection, positions, blocks),
            _ => Input::StoreFailed,
        }
    }

    /// The room it is in.
    pub(super) fn room(&self) -> RoomId {
        self.engine.as_ref().map_or(RoomId([0; 32]), |engine| engine.conversation().graph().room())
    }

    pub(super) fn clock(&self, now_ms: u64) -> u64 {
        (START_MS + now_ms).saturating_add_signed(self.skew_ms)
    }

    /// The secret of the invite that was published last, once.
    pub(super) fn take_invite(&mut self) -> Option<[u8; 32]> {
        self.published.take()
    }

    /// The key of the invite it came with, unless it came in already.
    pub(super) fn invite_key(&self) -> Option<AuthorKey> {
        let author = self.identity.key();
        let is_known = |engine: &Engine| {
            let graph = engine.conversation().graph();
            graph.is_member(&author) || graph.is_out(&author)
        };
        let invite = self.invite.filter(|_| !self.engine.as_ref().is_some_and(is_known))?;
        Some(Identity::from_secret(&invite).key())
    }

    pub(super) fn proof(&self, room: &RoomId, channel: [u8; 32]) -> PeerProof {
        let author = self.identity.key();
        let graph = self.engine.as_ref().map(|engine| engine.conversation().graph());
        let cards = graph.and_then(|graph| graph.cards(&author)).unwrap_or_default();
        let shown = |secret: &[u8; 32]| {
            let invite = Identity::from_secret(secret);
            let signature = invite.sign(Purpose::Invite { room, key: &author, channel: &channel });
            Shown { key: invite.key(), channel, signature }
        };
        let invite = self.invite.as_ref().filter(|_| self.invite_key().is_some()).map(shown);
        PeerProof { author, cards, invite, channel }
    }

    pub(super) fn note(&mut self, event: Event) {
        match event {
            Event::Row(row) => {
                if row.author == self.identity.key() {
                    self.acknowledged.insert(row.id);
                }
                self.shown.push(*row);
            }
            Event::Invited { secret, .. } => self.published = Some(secret),
            other => self.told.push(other),
        }
    }

    /// All rows in order, oldest first, as pages read them.
    pub fn rows(&mut self) -> Vec<Seen> {
        let Some(archive) = &mut self.archive else { return Vec::new() };
        let mut rows = archive.page(None, usize::MAX).unwrap_or_default();
        rows.reverse();
        rows.into_iter()
            .map(|row| Seen { clock: row.key.clock.to_bytes(), id: row.key.id, text: row.text })
            .collect()
    }

    /// The archive under the engine.
    pub fn archive_mut(&mut self) -> Option<&mut Archive> {
        self.archive.as_mut()
    }
}

fn incarnation(seed: &[u8; 32]) -> u64 {
    u64::from_le_bytes([seed[0], seed[1], seed[2], seed[3], seed[4], seed[5], seed[6], seed[7]])
}

/// How many rows are brought into their documents after each commit.
const MAINTAINED_ROWS: usize = 32;

/// A week, in seconds.
const PERIOD_S: u32 = 7 * 24 * 60 * 60;
