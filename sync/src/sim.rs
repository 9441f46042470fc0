//! Engines on a virtual network and clock, for tests and fuzzing. The same seed and script give the same run, byte for
//! byte.
//!
//! A [`World`] holds replicas, each an [`Engine`] over an [`Archive`](replica::archive::Archive) in memory. Frames
//! travel as bytes, in order, with latency; connections are cut and dialled again; stores commit after a while, fail
//! when told to, and lose what was not synced in a crash. [`script`] drives a world by a line of text.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet, BinaryHeap};

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng as _, SeedableRng as _};
use replica::archive::Batch;
use replica::id::{EntryId, RoomId};
use replica::identity::Identity;

use crate::book::Trouble;
use crate::conversation::ConnectionId;
use crate::engine::{Command, Event, Input, Now, Output};
use crate::wire;

mod node;
mod script;
#[cfg(test)]
mod tests;

pub use node::{Replica, Seen};
pub use script::{ScriptError, run};

/// Something that will happen.
#[derive(Debug)]
enum Happening {
    /// A frame's bytes reach one end of a link.
    Arrive(Link, usize, Vec<u8>),
    /// One end of a link hears that it ended.
    End(Link, usize),
    /// A replica's dial of another ends.
    Dialed(usize, usize),
    /// A replica's store commits.
    Commit(usize, u64, Batch),
    /// A replica's deadline may have come.
    Wake(usize),
}

/// A connection: two ends, numbered alike at both.
type Link = u64;

#[derive(Debug)]
struct Wire {
    /// The replicas at its ends: who dialled, who listened.
    ends: [usize; 2],
    /// When the last frame towards each end arrives: none overtakes another.
    last: [u64; 2],
    /// Which ends are done with it.
    is_closed: [bool; 2],
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
    next: u64,
    room: RoomId,
    secret: [u8; 32],
}

/// Half past two on a Sunday in November 2026: when worlds begin.
pub const START_MS: u64 = 1_795_357_800_000;

/// A store takes less than so many milliseconds for a commit, and at least none.
const COMMIT_MS_MAX: u64 = 4;

/// Longest a world may take to come to rest, in virtual milliseconds: several heartbeats, and every pause between dials.
const SETTLE_MS_MAX: u64 = 180_000;

impl World {
    /// A world with one room, made by the first of these people; the others were let in by it and have nothing yet.
    #[must_use]
    pub fn new(seed: u64, people: &[&str]) -> Self {
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
            next: 0,
            room: RoomId([0; 32]),
            secret,
        };
        for name in people {
            let identity = world.draw_identity();
            world.found_or_admit(name, identity);
        }
        world
    }

    /// The time in milliseconds since 1970, by a true clock.
    #[must_use]
    pub fn wall_ms(&self) -> u64 {
        START_MS + self.now_ms
    }

    /// The index of a replica.
    #[must_use]
    pub fn find(&self, name: &str) -> Option<usize> {
        self.replicas.iter().position(|replica| replica.name == name)
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

    /// Adds a replica that comes with a ticket: it has the room's secret and an invite by `inviter`, and nothing else.
    pub fn join(&mut self, name: &str, inviter: usize) -> usize {
        self.command(inviter, Command::Invite { expires_ms: None, uses: None });
        self.pass(COMMIT_MS_MAX);
        let secret = self.replicas[inviter].last_invite();
        let identity = self.draw_identity();
        self.add(name, identity, secret)
    }

    /// Adds a second home of the same person.
    pub fn second_home(&mut self, name: &str, of: usize) -> usize {
        let identity = self.replicas[of].identity.clone();
        self.add(name, identity, None)
    }

    /// Two replicas cannot reach each other from now on; connections between them hang and end by silence, or at once.
    pub fn cut(&mut self, a: usize, b: usize) {
        self.cuts.insert((a.min(b), a.max(b)));
        let hit: Vec<Link> =
            self.wires.iter().filter(|(_, wire)| wire.is_between(a, b)).map(|(link, _)| *link).collect();
        for link in hit {
            // Half of the time both ends notice, half of the time neither does before its patience ends.
            if self.rng.next_u32().is_multiple_of(2) {
                self.end(link, 0);
                self.end(link, 1);
            } else {
                self.wires.remove(&link);
            }
        }
    }

    /// All cuts end.
    pub fn heal(&mut self) {
        self.cuts.clear();
    }

    /// Two replicas can reach each other again.
    pub fn heal_between(&mut self, a: usize, b: usize) {
        self.cuts.remove(&(a.min(b), a.max(b)));
    }

    /// A power cut: what was not synced is gone. It starts again after a while.
    pub fn crash(&mut self, index: usize) {
        self.drop_links(index);
        let seed = self.draw_seed();
        let now = self.now_of(index);
        let peers = self.peer_names(index);
        self.replicas[index].restart(self.room, seed, now, &peers);
        self.drain(index);
    }

    /// Lets time pass until nothing is under way any more, and says whether all replicas that can reach each other agree.
    pub fn settle(&mut self) -> bool {
        let until = self.now_ms + SETTLE_MS_MAX;
        while self.now_ms < until {
            if self.is_quiet() {
                return true;
            }
            self.pass(250);
        }
        self.is_quiet()
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

    fn is_quiet(&self) -> bool {
        let mut checked = BTreeSet::new();
        for index in 0..self.replicas.len() {
            if !checked.insert(index) {
                continue;
            }
            let group = self.reachable_from(index);
            checked.extend(&group);
            let running = || group.iter().filter_map(|&member| self.replicas[member].engine.as_ref());
            let digests: BTreeSet<_> =
                running().map(|engine| engine.conversation().graph().digest()).collect();
            let is_settled =
                running().all(|engine| engine.conversation().is_settled() && !engine.has_drafts_to_write());
            if digests.len() > 1 || !is_settled {
                return false;
            }
        }
        true
    }

    /// The replicas that can reach one, over others if need be.
    fn reachable_from(&self, index: usize) -> BTreeSet<usize> {
        let mut group = BTreeSet::from([index]);
        let mut work = vec![index];
        while let Some(at) = work.pop() {
            for other in 0..self.replicas.len() {
                let is_up = self.replicas[other].engine.is_some() && self.replicas[at].engine.is_some();
                if is_up && !self.is_cut(at, other) && group.insert(other) {
                    work.push(other);
                }
            }
        }
        group
    }

    fn is_cut(&self, a: usize, b: usize) -> bool {
        self.cuts.contains(&(a.min(b), a.max(b)))
    }

    fn happen(&mut self, happening: Happening) {
        match happening {
            Happening::Arrive(link, end, bytes) => {
                let Some(wire) = self.wires.get(&link).filter(|wire| !wire.is_closed[end]) else { return };
                let index = wire.ends[end];
                match wire::decode(&bytes) {
                    Ok(frame) => self.handle(index, Input::Frame(ConnectionId(link), frame)),
                    Err(_) => self.hang_up(link, index),
                }
            }
            Happening::End(link, end) => self.end(link, end),
            Happening::Dialed(from, to) => self.connect(from, to),
            Happening::Commit(index, life, batch) => {
                if let Some(input) = self.replicas[index].commit(life, &batch) {
                    self.handle(index, input);
                }
            }
            Happening::Wake(index) => self.handle(index, Input::Tick),
        }
    }

    fn connect(&mut self, from: usize, to: usize) {
        let name = self.replicas[to].name.clone();
        let is_up = self.replicas[to].engine.is_some() && self.replicas[from].engine.is_some();
        if self.is_cut(from, to) || !is_up {
            return self.handle(from, Input::DialFailed(name, Trouble::Unreachable));
        }
        let link = self.number();
        self.wires.insert(link, Wire { ends: [from, to], last: [self.now_ms; 2], is_closed: [false; 2] });
        let mut channel = [0; 32];
        self.rng.fill_bytes(&mut channel);
        for (me, peer, dialed) in [(to, from, false), (from, to, true)] {
            let proof = self.replicas[peer].proof(&self.room, channel);
            let address = self.replicas[peer].name.clone();
            self.handle(me, Input::Connected { connection: ConnectionId(link), address, dialed, proof });
        }
    }

    fn handle(&mut self, index: usize, input: Input) {
        let now = self.now_of(index);
        let replica = &mut self.replicas[index];
        if let Some(engine) = &mut replica.engine {
            engine.handle(input, now);
            self.drain(index);
        }
    }

    fn drain(&mut self, index: usize) {
        loop {
            let Some(engine) = &mut self.replicas[index].engine else { return };
            match engine.poll_output() {
                Output::Send(connection, frame) => self.send(connection.0, index, wire::encode(&frame)),
                Output::Close(connection, bye) => {
                    if let Some(bye) = bye {
                        self.send(connection.0, index, wire::encode(&wire::Frame::Bye(bye)));
                    }
                    self.hang_up(connection.0, index);
                }
                Output::Dial(address) => {
                    let after = self.latency();
                    if let Some(to) = self.find(&address) {
                        self.plan(after, Happening::Dialed(index, to));
                    }
                }
                Output::Persist(batch) => {
                    let after = u64::from(self.rng.next_u32()) % COMMIT_MS_MAX;
                    let life = self.replicas[index].life;
                    self.plan(after, Happening::Commit(index, life, batch));
                }
                Output::Read(connection, positions) => {
                    let input = self.replicas[index].read(connection, &positions);
                    let now = self.now_of(index);
                    if let Some(engine) = &mut self.replicas[index].engine {
                        engine.handle(input, now);
                    }
                }
                Output::Event(event) => self.note(index, event),
                Output::Wait(None) => return,
                Output::Wait(Some(deadline)) => {
                    let after = deadline.saturating_sub(self.now_ms).max(1);
                    self.plan(after, Happening::Wake(index));
                    return;
                }
            }
        }
    }

    fn note(&mut self, index: usize, event: Event) {
        self.replicas[index].note(event);
    }

    fn send(&mut self, link: Link, from: usize, bytes: Vec<u8>) {
        let latency = self.latency();
        let Some(wire) = self.wires.get_mut(&link) else { return };
        let [a, b] = wire.ends;
        let end = usize::from(a == from);
        if self.cuts.contains(&(a.min(b), a.max(b))) {
            return;
        }
        let at = (self.now_ms + latency).max(wire.last[end]);
        wire.last[end] = at;
        self.plan(at - self.now_ms, Happening::Arrive(link, end, bytes));
    }

    /// Ends a link from one replica's side; the other side hears of it after what was sent before.
    fn hang_up(&mut self, link: Link, from: usize) {
        let Some(wire) = self.wires.get_mut(&link) else { return };
        let end = usize::from(wire.ends[1] == from);
        wire.is_closed[end] = true;
        let after = wire.last[1 - end].saturating_sub(self.now_ms) + 1;
        self.plan(after, Happening::End(link, 1 - end));
    }

    /// One end of a link learns that it ended.
    fn end(&mut self, link: Link, end: usize) {
        let Some(wire) = self.wires.get_mut(&link) else { return };
        let (index, is_news) = (wire.ends[end], !wire.is_closed[end]);
        wire.is_closed[end] = true;
        if wire.is_closed == [true; 2] {
            self.wires.remove(&link);
        }
        if is_news {
            self.handle(index, Input::Closed(ConnectionId(link)));
        }
    }

    fn drop_links(&mut self, index: usize) {
        let links: Vec<Link> =
            self.wires.iter().filter(|(_, wire)| wire.ends.contains(&index)).map(|(link, _)| *link).collect();
        links.into_iter().for_each(|link| self.hang_up(link, index));
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

    fn latency(&mut self) -> u64 {
        1 + u64::from(self.rng.next_u32() % 40)
    }

    fn now_of(&self, index: usize) -> Now {
        Now { monotonic_ms: self.now_ms, wall_ms: self.replicas[index].clock(self.now_ms) }
    }

    fn peer_names(&self, index: usize) -> Vec<String> {
        let others = self.replicas.iter().enumerate().filter(|(other, _)| *other != index);
        others.map(|(_, replica)| replica.name.clone()).collect()
    }

    fn draw_seed(&mut self) -> [u8; 32] {
        let mut seed = [0; 32];
        self.rng.fill_bytes(&mut seed);
        seed
    }

    fn draw_identity(&mut self) -> Identity {
        Identity::from_secret(&self.draw_seed())
    }

    fn found_or_admit(&mut self, name: &str, identity: Identity) {
        let key = identity.key();
        if self.replicas.is_empty() {
            let seed = self.draw_seed();
            let replica = Replica::found(name, identity, seed, START_MS);
            self.room = replica.room();
            self.replicas.push(replica);
            self.drain(0);
        } else {
            self.command(0, Command::Admit(key));
            self.add(name, identity, None);
        }
    }

    fn add(&mut self, name: &str, identity: Identity, invite: Option<[u8; 32]>) -> usize {
        let seed = self.draw_seed();
        let index = self.replicas.len();
        let now = Now { monotonic_ms: self.now_ms, wall_ms: self.wall_ms() };
        let peers = self.peer_names(index);
        self.replicas.push(Replica::new(name, identity, self.room, seed, now, invite, &peers));
        for other in 0..index {
            self.command(other, Command::Dial(name.to_owned()));
        }
        self.drain(index);
        index
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
}

impl Wire {
    fn is_between(&self, a: usize, b: usize) -> bool {
        self.ends == [a, b] || self.ends == [b, a]
    }
}
