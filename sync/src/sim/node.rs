//! One replica of a simulated world.

use std::collections::BTreeSet;

use replica::archive::{Archive, Batch};
use replica::id::{ChainId, EntryId, Position, RoomId, StoreId};
use replica::identity::{Identity, Purpose};
use replica::store::MemoryStore;

use crate::conversation::{ConnectionId, Conversation, first_entry};
use crate::engine::{Engine, Event, Input, Now, PeerProof, Row, Settings, Shown};
use crate::sim::START_MS;

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
    /// None while its store is broken.
    pub engine: Option<Engine>,
    archive: Option<Archive>,
    store: MemoryStore,
    invite: Option<[u8; 32]>,
    /// How far its clock is off, in milliseconds.
    pub skew_ms: i64,
    /// Counts restarts: what a former life planned does not happen.
    pub(super) life: u64,
    /// Own entries it was told are durable.
    pub(super) acknowledged: BTreeSet<EntryId>,
    /// Rows as they were shown, in the order in which they were.
    pub shown: Vec<Row>,
    /// What it told, except rows.
    pub told: Vec<Event>,
}

impl Replica {
    pub(super) fn found(name: &str, identity: Identity, seed: [u8; 32], wall_ms: u64) -> Self {
        let incarnation =
            u64::from_le_bytes([seed[0], seed[1], seed[2], seed[3], seed[4], seed[5], seed[6], seed[7]]);
        let chain = ChainId { author: identity.key(), incarnation };
        let first = first_entry(&identity, chain, "home", PERIOD_S, wall_ms).expect("a name and a period");
        let room = RoomId(first.id().0);
        let now = Now { monotonic_ms: 0, wall_ms };
        let mut replica = Self::empty(name, identity, None);
        replica.open(room, seed, now, true, &[]);
        replica
    }

    pub(super) fn new(
        name: &str,
        identity: Identity,
        room: RoomId,
        seed: [u8; 32],
        now: Now,
        invite: Option<[u8; 32]>,
        peers: &[String],
    ) -> Self {
        let mut replica = Self::empty(name, identity, invite);
        replica.open(room, seed, now, false, peers);
        replica
    }

    fn empty(name: &str, identity: Identity, invite: Option<[u8; 32]>) -> Self {
        Self {
            name: name.to_owned(),
            identity,
            engine: None,
            archive: None,
            store: MemoryStore::new(),
            invite,
            skew_ms: 0,
            life: 0,
            acknowledged: BTreeSet::new(),
            shown: Vec::new(),
            told: Vec::new(),
        }
    }

    fn open(&mut self, room: RoomId, seed: [u8; 32], now: Now, founds: bool, peers: &[String]) {
        let incarnation =
            u64::from_le_bytes([seed[0], seed[1], seed[2], seed[3], seed[4], seed[5], seed[6], seed[7]]);
        let mut id = [0; 16];
        id.copy_from_slice(&seed[16..]);
        let store = Box::new(self.store.clone());
        let opened = Archive::open(store, room, (StoreId(id), incarnation), false);
        let Ok((archive, opened)) = opened else { return };
        let mut conversation = Conversation::new(opened, self.identity.clone(), self.name.clone());
        if founds {
            conversation.found("home", PERIOD_S, now.wall_ms).expect("the room is new");
        }
        let settings = Settings { seed, ..Settings::default() };
        let mut engine = Engine::new(conversation, settings, now);
        engine.dial_all(peers);
        self.engine = Some(engine);
        self.archive = Some(archive);
    }

    /// Comes back after a power cut, with what was durable.
    pub(super) fn restart(&mut self, room: RoomId, seed: [u8; 32], now: Now, peers: &[String]) {
        self.life += 1;
        self.engine = None;
        self.archive = None;
        self.store = self.store.crash();
        self.open(room, seed, now, false, peers);
    }

    /// Makes the n-th call of its store from now on fail.
    pub fn fail_store(&mut self, calls: u64) {
        self.store.fail_call(calls);
    }

    pub(super) fn commit(&mut self, life: u64, batch: &Batch) -> Option<Input> {
        if life != self.life {
            return None;
        }
        let archive = self.archive.as_mut()?;
        Some(match archive.commit(batch) {
            Ok(rows_after) => Input::Persisted(rows_after),
            Err(_) => Input::StoreFailed,
        })
    }

    pub(super) fn read(&mut self, connection: ConnectionId, positions: &[Position]) -> Input {
        let blocks = self.archive.as_ref().map(|archive| archive.blocks(positions));
        match blocks {
            Some(Ok(blocks)) => Input::Blocks(connection, blocks),
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

    /// The secret of the invite it published last.
    pub(super) fn last_invite(&self) -> Option<[u8; 32]> {
        self.told.iter().rev().find_map(|event| match event {
            Event::Invited { secret, .. } => Some(*secret),
            _ => None,
        })
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
        let invite = self.invite.as_ref().map(shown);
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

/// A week, in seconds.
const PERIOD_S: u32 = 7 * 24 * 60 * 60;
