//! Engines on a virtual network and clock, for tests and fuzzing. The same seed and script give the same run, byte for
//! byte.
//!
//! A [`World`] holds replicas, each an [`Engine`] over an [`Archive`](replica::archive::Archive) in memory. Frames
//! travel as bytes, in order, with latency; connections are cut and dialled again; stores commit after a while, fail
//! when told to, and lose what was not synced in a crash. [`run`] drives a world by a line of text.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet, BinaryHeap};

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng as _, SeedableRng as _};
use replica::archive::Batch;
use replica::id::{EntryId, RoomId};
use replica::identity::Identity;

use crate::conversation::ConnectionId;
use crate::engine::{Command, Engine, Input, Now, Output};
use crate::wire::{self, Frame};

mod faults;
mod network;
mod node;
mod people;
mod rest;
mod script;
#[cfg(test)]
mod tests;
mod watch;

use network::{Distances, Link, Wire};
pub use node::{Replica, Seen};
use people::{Acquaintance, index_of};
pub use script::{ScriptError, begin, run, steps};
pub use watch::Traffic;

/// Something that will happen.
#[derive(Debug)]
enum Happening {
    /// A frame's bytes reach one end of a link.
    Arrive(Link, usize, Vec<u8>),
    /// One end of a link hears that it ended.
    End(Link, usize),
    /// A replica's dial ends: nobody or somebody is there.
    Dialed { from: usize, life: u64, address: String },
    /// A replica's store commits.
    Commit(usize, u64, Box<Batch>),
    /// A replica's deadline may have come.
    Wake(usize),
}

/// Replicas, the network between them, and the time.
#[derive(Debug)]
pub struct World {
    /// Milliseconds since the world began.
    now_ms: u64,
    rng: ChaCha8Rng,
    replicas: Vec<Replica>,
    agenda: BinaryHeap<Reverse<(u64, u64)>>,
    happenings: BTreeMap<(u64, u64), Happening>,
    wires: BTreeMap<Link, Wire>,
    /// Pairs that cannot reach each other.
    cuts: BTreeSet<(usize, usize)>,
    /// Who alters the next entries sent to whom.
    garbles: BTreeSet<(usize, usize)>,
    /// Who loses the next entries sent to whom.
    losses: BTreeSet<(usize, usize)>,
    next: u64,
    room: RoomId,
    secret: [u8; 32],
    traffic: BTreeMap<(usize, usize), Traffic>,
    /// How often who dialled which address.
    dials: BTreeMap<(usize, String), u64>,
    acquaintance: Acquaintance,
    distances: Option<Distances>,
    told_too_early: Vec<(usize, EntryId)>,
    /// Of frames on connections whose other end is no replica, or gone.
    unheard_bytes: usize,
}

/// Half past two on a Sunday in November 2026: when worlds begin.
pub const START_MS: u64 = 1_795_357_800_000;

/// A store takes less than so many milliseconds for a commit, and at least none.
const COMMIT_MS_MAX: u64 = 4;

/// How long the first people have to themselves, so that their admissions are durable before anything happens.
const DAWN_MS: u64 = 50;

impl World {
    /// A world with one room, made by the first of these people; the others were let in by it and have nothing yet.
    #[must_use]
    pub fn new(seed: u64, people: &[&str]) -> Self {
        Self::begin(seed, people, Acquaintance::All)
    }

    /// The same, but everyone is named the address of the first alone. All tell their own, and learn of others.
    #[must_use]
    pub fn of_strangers(seed: u64, people: &[&str]) -> Self {
        Self::begin(seed, people, Acquaintance::First)
    }

    fn begin(seed: u64, people: &[&str], acquaintance: Acquaintance) -> Self {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        let mut secret = [0; 32];
        rng.fill_bytes(&mut secret);
        let mut world = Self {
            now_ms: 0,
            rng,
            replicas: Vec::new(),
            agenda: BinaryHeap::new(),
            happenings: BTreeMap::new(),
            wires: BTreeMap::new(),
            cuts: BTreeSet::new(),
            garbles: BTreeSet::new(),
            losses: BTreeSet::new(),
            next: 0,
            room: RoomId([0; 32]),
            secret,
            traffic: BTreeMap::new(),
            dials: BTreeMap::new(),
            acquaintance,
            distances: None,
            told_too_early: Vec::new(),
            unheard_bytes: 0,
        };
        for name in people {
            let identity = Identity::from_secret(&world.draw_seed());
            world.found_or_admit(name, identity);
        }
        world.pass(DAWN_MS);
        world
    }

    /// The time in milliseconds since 1970, by a true clock.
    #[must_use]
    pub fn wall_ms(&self) -> u64 {
        START_MS + self.now_ms
    }

    /// The index of a replica, by name.
    #[must_use]
    pub fn find(&self, name: &str) -> Option<usize> {
        self.replicas.iter().position(|replica| replica.name == name)
    }

    /// How often a replica dialled an address so far.
    #[must_use]
    pub fn dials(&self, index: usize, address: &str) -> u64 {
        self.dials.get(&(index, address.to_owned())).copied().unwrap_or(0)
    }

    /// The replicas, by index.
    #[must_use]
    pub fn replicas(&self) -> &[Replica] {
        &self.replicas
    }

    /// One replica.
    pub fn replica_mut(&mut self, index: usize) -> &mut Replica {
        &mut self.replicas[index]
    }

    /// Gives a replica a command, if it runs.
    pub fn command(&mut self, index: usize, command: Command) {
        self.handle(index, Input::Command(0, command));
    }

    /// The room all are in.
    #[must_use]
    pub fn room(&self) -> RoomId {
        self.room
    }

    /// The secret of the world's room.
    #[must_use]
    pub fn secret(&self) -> [u8; 32] {
        self.secret
    }

    /// Every entry that any replica was told is durable, with where.
    pub fn acknowledged(&self) -> impl Iterator<Item = (usize, EntryId)> {
        let each = self.replicas.iter().enumerate();
        each.flat_map(|(index, replica)| replica.acknowledged.iter().map(move |id| (index, *id)))
    }

    /// Lets so many virtual milliseconds pass.
    pub fn pass(&mut self, millis: u64) {
        let until = self.now_ms + millis;
        while let Some(Reverse(key)) = self.agenda.peek().copied() {
            if key.0 > until {
                break;
            }
            self.agenda.pop();
            self.now_ms = self.now_ms.max(key.0);
            if let Some(happening) = self.happenings.remove(&key) {
                self.happen(happening);
            }
        }
        self.now_ms = until;
    }

    /// All machines sleep for so many virtual milliseconds: nothing happens meanwhile, and then everything that was due.
    pub fn sleep(&mut self, millis: u64) {
        self.now_ms += millis;
    }

    fn happen(&mut self, happening: Happening) {
        match happening {
            Happening::Arrive(link, end, bytes) => self.arrive(link, end, &bytes),
            Happening::End(link, end) => self.end(link, end),
            Happening::Dialed { from, life, address } => {
                if self.replicas[from].life == life {
                    self.answer_dial(from, address);
                }
            }
            Happening::Commit(index, life, batch) => {
                if self.replicas[index].life == life {
                    let inputs = self.replicas[index].commit(&batch);
                    inputs.into_iter().for_each(|input| self.handle(index, input));
                }
            }
            Happening::Wake(index) => {
                let replica = &mut self.replicas[index];
                if replica.wake_ms.take_if(|due| *due <= self.now_ms).is_some() {
                    self.handle(index, Input::Tick);
                }
            }
        }
    }

    /// Gives a replica any input, if it runs. For whoever plays a peer that is no replica: nobody hears what it is sent.
    pub fn handle(&mut self, index: usize, input: Input) {
        let now = self.now_of(index);
        if let Some(engine) = self.engine_mut(index) {
            engine.handle(input, now);
            self.drain(index);
        }
    }

    fn drain(&mut self, index: usize) {
        loop {
            let Some(engine) = self.engine_mut(index) else { return };
            match engine.poll_output() {
                Output::Send(connection, frame) => self.send(connection, index, &frame),
                Output::Close(connection, bye) => {
                    if let Some(bye) = bye {
                        self.send(connection, index, &Frame::Bye(bye));
                    }
                    self.hang_up(connection);
                }
                Output::Dial(address) => {
                    *self.dials.entry((index, address.clone())).or_default() += 1;
                    let (after, life) = (self.latency(), self.replicas[index].life);
                    self.plan(after, Happening::Dialed { from: index, life, address });
                }
                Output::Persist(batch) => {
                    let after = u64::from(self.rng.next_u32()) % COMMIT_MS_MAX;
                    let life = self.replicas[index].life;
                    self.plan(after, Happening::Commit(index, life, Box::new(batch)));
                }
                Output::ReadNewest(connection, count) => {
                    let input = self.replicas[index].read_newest(connection, count);
                    let now = self.now_of(index);
                    if let Some(engine) = self.engine_mut(index) {
                        engine.handle(input, now);
                    }
                }
                Output::Read(connection, positions) => {
                    let input = self.replicas[index].read(connection, &positions);
                    let now = self.now_of(index);
                    if let Some(engine) = self.engine_mut(index) {
                        engine.handle(input, now);
                    }
                }
                Output::Event(event) => self.replicas[index].note(event),
                Output::Wait(None) => return,
                Output::Wait(Some(deadline)) => return self.wake(index, deadline.max(self.now_ms + 1)),
            }
        }
    }

    /// Sees that a replica gets its tick, unless it gets one earlier anyway.
    fn wake(&mut self, index: usize, due_ms: u64) {
        let replica = &mut self.replicas[index];
        if replica.wake_ms.is_none_or(|planned| due_ms < planned) {
            replica.wake_ms = Some(due_ms);
            self.plan(due_ms - self.now_ms, Happening::Wake(index));
        }
    }

    fn engine_mut(&mut self, index: usize) -> Option<&mut Engine> {
        self.replicas[index].engine.as_mut()
    }

    fn plan(&mut self, after: u64, happening: Happening) {
        let key = (self.now_ms + after, self.number());
        self.agenda.push(Reverse(key));
        self.happenings.insert(key, happening);
    }

    fn number(&mut self) -> u64 {
        self.next += 1;
        self.next
    }

    fn now_of(&self, index: usize) -> Now {
        Now { monotonic_ms: self.now_ms, wall_ms: self.replicas[index].clock(self.now_ms) }
    }

    fn draw_seed(&mut self) -> [u8; 32] {
        let mut seed = [0; 32];
        self.rng.fill_bytes(&mut seed);
        seed
    }
}
