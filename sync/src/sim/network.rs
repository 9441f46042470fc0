//! The network of a world: connections, what travels on them, and what keeps it from arriving.

use super::{BTreeMap, BTreeSet, ConnectionId, Frame, Happening, Input, World, index_of, wire};
use crate::book::Trouble;
use crate::discovery::relay_of;

use rand_chacha::rand_core::Rng as _;

/// A connection as the world sees it. Its ends have numbers of their own: a replica may reach itself.
pub(super) type Link = u64;

#[derive(Debug)]
pub(super) struct Wire {
    /// The replicas at its ends: who dialled, who listened.
    ends: [usize; 2],
    /// Whether it goes through a server, which both reach whatever is cut.
    is_relayed: bool,
    /// When the last frame towards each end arrives: none overtakes another.
    last: [u64; 2],
    /// Which ends are done with it.
    is_closed: [bool; 2],
    /// Towards which ends nothing arrives any more.
    is_mute: [bool; 2],
}

/// Slowest a frame or a dial travels, in milliseconds.
const LATENCY_MS_MAX: u32 = 40;

/// How far apart replicas are, drawn when it is first asked.
#[derive(Debug, Default)]
pub(super) struct Distances(BTreeMap<(usize, usize), u64>);

impl Distances {
    fn between(&mut self, one: usize, other: usize, rng: &mut rand_chacha::ChaCha8Rng) -> u64 {
        *self.0.entry((one.min(other), one.max(other))).or_insert_with(|| {
            let (step, part) = (rng.next_u32() as usize % DISTANCES_MS.windows(2).len(), rng.next_u64() % 16);
            let (near, far) = (DISTANCES_MS[step], DISTANCES_MS[step + 1]);
            near + (far - near) * part / 16
        })
    }
}

/// Sixteenths of all distances lie between each two of these: log-normal around 40 ms.
const DISTANCES_MS: [u64; 17] = [5, 14, 18, 22, 25, 28, 32, 36, 40, 45, 50, 56, 64, 74, 90, 117, 250];

impl Wire {
    fn is_between(&self, a: usize, b: usize) -> bool {
        self.ends == [a, b] || self.ends == [b, a]
    }
}

/// The number that the replica at one end of a link knows it by.
fn connection(link: Link, end: usize) -> ConnectionId {
    ConnectionId(link * 2 + end as u64)
}

/// The inverse of [`connection`].
fn link_and_end(connection: ConnectionId) -> (Link, usize) {
    (connection.0 / 2, usize::from(!connection.0.is_multiple_of(2)))
}

impl World {
    /// Two replicas cannot reach each other from now on; connections between them hang and end by silence, or at once.
    pub fn cut(&mut self, a: usize, b: usize) {
        self.cuts.insert((a.min(b), a.max(b)));
        for link in self.links_between(a, b) {
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

    /// The connections between two replicas end, and both notice.
    pub fn reset(&mut self, a: usize, b: usize) {
        for link in self.links_between(a, b) {
            self.end(link, 0);
            self.end(link, 1);
        }
    }

    /// The connections between two replicas carry nothing any more, and neither is told.
    pub fn hang(&mut self, a: usize, b: usize) {
        self.links_between(a, b).into_iter().for_each(|link| _ = self.wires.remove(&link));
    }

    /// What a replica sends on its connections with another does not arrive any more; the other way it does.
    pub fn mute(&mut self, from: usize, to: usize) {
        for link in self.links_between(from, to) {
            if let Some(wire) = self.wires.get_mut(&link) {
                wire.is_mute[usize::from(wire.ends[1] == to)] = true;
            }
        }
    }

    /// Connects two replicas once more, whatever connections they have. One can also be connected to itself, as if it
    /// had dialled an address of its own.
    pub fn connect(&mut self, from: usize, to: usize) {
        self.answer_dial(from, self.replicas[to].name.clone());
    }

    pub(super) fn answer_dial(&mut self, from: usize, dialed: String) {
        let server = relay_of(&dialed).map(str::to_owned);
        let meant = server.as_deref().unwrap_or(&dialed);
        let to = index_of(meant).or_else(|| self.find(meant)).filter(|to| *to < self.replicas.len());
        let Some(to) = to else {
            return self.handle(from, Input::DialFailed(dialed, Trouble::Unreachable));
        };
        let is_up = self.replicas[to].engine.is_some() && self.replicas[from].engine.is_some();
        if self.is_cut(from, to) && server.is_none() || !is_up {
            return self.handle(from, Input::DialFailed(dialed, Trouble::Unreachable));
        }
        let link = self.number();
        let wire = Wire {
            ends: [from, to],
            is_relayed: server.is_some(),
            last: [self.now_ms; 2],
            is_closed: [false; 2],
            is_mute: [false; 2],
        };
        self.wires.insert(link, wire);
        let channel = self.draw_seed();
        for (end, me, peer) in [(1, to, from), (0, from, to)] {
            let proof = self.replicas[peer].proof(&self.room, channel);
            let is_dialer = end == 0;
            let address =
                if is_dialer || server.is_some() { dialed.clone() } else { self.replicas[peer].name.clone() };
            let connection = connection(link, end);
            self.handle(me, Input::Connected { connection, address, dialed: is_dialer, proof });
        }
    }

    pub(super) fn arrive(&mut self, link: Link, end: usize, bytes: &[u8]) {
        let Some(wire) = self.wires.get(&link).filter(|wire| !wire.is_closed[end]) else { return };
        let (index, connection) = (wire.ends[end], connection(link, end));
        match wire::decode(bytes) {
            Ok(frame) => self.handle(index, Input::Frame(connection, frame)),
            Err(_) => self.hang_up(connection),
        }
    }

    pub(super) fn send(&mut self, connection: ConnectionId, from: usize, frame: &Frame) {
        let (link, end) = link_and_end(connection);
        let ends = self.wires.get(&link).map(|wire| wire.ends);
        let latency = match (&mut self.distances, ends) {
            (Some(distances), Some([one, other])) => distances.between(one, other, &mut self.rng),
            _ => self.latency(),
        };
        let Some(wire) = self.wires.get(&link) else {
            self.unheard_bytes += wire::encode(frame).len();
            return;
        };
        let (to, end) = (wire.ends[1 - end], 1 - end);
        self.watch(from, to, frame);
        let Some(wire) = self.wires.get_mut(&link) else { return };
        let is_cut = !wire.is_relayed && self.cuts.contains(&(from.min(to), from.max(to)));
        if wire.is_mute[end] || is_cut {
            return;
        }
        if matches!(frame, Frame::Data(_) | Frame::Live(_)) && self.losses.remove(&(from, to)) {
            return;
        }
        let at = (self.now_ms + latency).max(wire.last[end]);
        wire.last[end] = at;
        let garbled = self.garbled(from, to, frame);
        let bytes = wire::encode(garbled.as_ref().unwrap_or(frame));
        self.plan(at - self.now_ms, Happening::Arrive(link, end, bytes));
    }

    /// One end hangs up; the other hears of it after what was sent before.
    pub(super) fn hang_up(&mut self, connection: ConnectionId) {
        let (link, end) = link_and_end(connection);
        let Some(wire) = self.wires.get_mut(&link) else { return };
        wire.is_closed[end] = true;
        if wire.is_mute[1 - end] {
            return;
        }
        let after = wire.last[1 - end].saturating_sub(self.now_ms) + 1;
        self.plan(after, Happening::End(link, 1 - end));
    }

    /// One end of a link learns that it ended.
    pub(super) fn end(&mut self, link: Link, end: usize) {
        let Some(wire) = self.wires.get_mut(&link) else { return };
        let (index, is_news) = (wire.ends[end], !wire.is_closed[end]);
        wire.is_closed[end] = true;
        if wire.is_closed == [true; 2] {
            self.wires.remove(&link);
        }
        if is_news {
            self.handle(index, Input::Closed(connection(link, end)));
        }
    }

    /// All connections of a replica that is gone: some peers hear that they ended, others hear nothing any more.
    pub(super) fn drop_links(&mut self, index: usize) {
        let ends = |wire: &Wire| wire.ends.iter().position(|end| *end == index);
        let links: Vec<(Link, usize)> =
            self.wires.iter().filter_map(|(link, wire)| Some((*link, ends(wire)?))).collect();
        for (link, end) in links {
            if self.rng.next_u32().is_multiple_of(2) {
                self.hang_up(connection(link, end));
            } else {
                self.wires.remove(&link);
            }
        }
    }

    /// From now on every two replicas are some distance apart, half of them more than 40 ms, and frames take just so long.
    pub fn spread_out(&mut self) {
        self.distances = Some(Distances::default());
    }

    /// How many milliseconds two replicas of a world that was spread out are apart.
    pub fn distance(&mut self, one: usize, other: usize) -> Option<u64> {
        Some(self.distances.as_mut()?.between(one, other, &mut self.rng))
    }

    /// Who is connected to whom: who dialled first.
    pub fn links(&self) -> impl Iterator<Item = (usize, usize)> {
        let open = self.wires.values().filter(|wire| wire.is_closed == [false; 2]);
        open.map(|wire| (wire.ends[0], wire.ends[1]))
    }

    /// The replicas that can reach one, over others if need be.
    pub(super) fn reachable_from(&self, index: usize) -> BTreeSet<usize> {
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

    pub(super) fn latency(&mut self) -> u64 {
        1 + u64::from(self.rng.next_u32() % LATENCY_MS_MAX)
    }

    fn is_cut(&self, a: usize, b: usize) -> bool {
        self.cuts.contains(&(a.min(b), a.max(b)))
    }

    fn links_between(&self, a: usize, b: usize) -> Vec<Link> {
        self.wires.iter().filter(|(_, wire)| wire.is_between(a, b)).map(|(link, _)| *link).collect()
    }
}
