//! Order and membership straight from the entries, in the simplest way there is. Nothing here is shared with the code
//! under test but how a block's bytes are read.

use std::collections::{BTreeMap, BTreeSet};

use replica::block;
use replica::entry::{Body, Entry};
use replica::graph::Graph;
use replica::id::{AuthorKey, EntryId};
use replica_sync::sim::Replica;

/// Era, time in milliseconds, count. The count starts at -1.
pub type NaiveClock = (u64, i64, i64);

/// The entries of a room, causes first, with what follows from them.
#[derive(Debug)]
pub struct History {
    entries: Vec<Entry>,
    bodies: Vec<Body>,
    /// The index of each entry.
    index: BTreeMap<EntryId, usize>,
    clocks: Vec<NaiveClock>,
    /// Of each entry: which entries are in its past.
    pasts: Vec<Vec<bool>>,
}

/// A day, in milliseconds.
pub const DAY_MS: i64 = 24 * 60 * 60 * 1000;

/// Largest time: 48 bits.
pub const TIME_MAX: i64 = (1 << 48) - 1;

impl History {
    /// All durable entries of a running replica, read from its log. None if the log cannot be read.
    #[must_use]
    pub fn of_log(replica: &mut Replica) -> Option<Self> {
        let durable = replica.engine.as_ref()?.conversation().graph().durable();
        let mut blocks = Vec::new();
        let mut next = 0;
        while next < durable {
            let read = replica.archive_mut()?.blocks(&(next..durable).collect::<Vec<_>>()).ok()?;
            next = read.last().map(|block| block.first + block.count)?;
            blocks.extend(read);
        }
        let graph: &Graph = replica.engine.as_ref()?.conversation().graph();
        let decode = |bytes: &[u8]| block::decode(bytes, &graph.room(), graph).ok();
        let entries = blocks.iter().map(|block| decode(&block.bytes)).collect::<Option<Vec<_>>>()?;
        Self::of(entries.into_iter().flatten().collect())
    }

    /// Entries in any order. None if one of their causes is missing.
    #[must_use]
    pub fn of(entries: Vec<Entry>) -> Option<Self> {
        let mut history = Self {
            entries: Vec::new(),
            bodies: Vec::new(),
            index: BTreeMap::new(),
            clocks: Vec::new(),
            pasts: Vec::new(),
        };
        let mut left = entries;
        while !left.is_empty() {
            let is_ready = |entry: &Entry| entry.record().parents().all(|id| history.index.contains_key(id));
            let (ready, waiting): (Vec<Entry>, Vec<Entry>) = left.into_iter().partition(is_ready);
            if ready.is_empty() {
                return None;
            }
            ready.into_iter().for_each(|entry| history.push(entry));
            left = waiting;
        }
        Some(history)
    }

    fn push(&mut self, entry: Entry) {
        let mut past = vec![false; self.entries.len()];
        for parent in entry.record().parents().map(|id| self.index[id]) {
            past[parent] = true;
            self.pasts[parent].iter().enumerate().for_each(|(at, is_in)| past[at] |= is_in);
        }
        self.clocks.push(self.derive(&entry));
        self.pasts.push(past);
        self.index.insert(entry.id(), self.entries.len());
        self.bodies.push(entry.body());
        self.entries.push(entry);
    }

    fn derive(&self, entry: &Entry) -> NaiveClock {
        let record = entry.record();
        let clock = |id: &EntryId| self.clocks[self.index[id]];
        let previous = record.previous.as_ref().map(|id| (claimed(&self.entries[self.index[id]]), clock(id)));
        derive(claimed(entry), previous, record.parents().map(clock))
    }

    /// The ids of all entries in order.
    #[must_use]
    pub fn order(&self) -> Vec<EntryId> {
        let mut keys: Vec<(NaiveClock, EntryId)> =
            self.entries.iter().zip(&self.clocks).map(|(entry, clock)| (*clock, entry.id())).collect();
        keys.sort_unstable();
        keys.into_iter().map(|(_, id)| id).collect()
    }

    /// The clock of an entry.
    #[must_use]
    pub fn clock(&self, id: &EntryId) -> Option<NaiveClock> {
        self.index.get(id).map(|at| self.clocks[*at])
    }

    /// All ids.
    #[must_use]
    pub fn ids(&self) -> BTreeSet<EntryId> {
        self.index.keys().copied().collect()
    }

    /// All entries, causes first.
    #[must_use]
    pub fn entries(&self) -> &[Entry] {
        &self.entries
    }

    /// One entry.
    #[must_use]
    pub fn entry(&self, id: &EntryId) -> Option<&Entry> {
        self.index.get(id).map(|at| &self.entries[*at])
    }

    /// An entry whose author was no member by what it builds on, if there is one.
    #[must_use]
    pub fn intruder(&self) -> Option<EntryId> {
        let is_in = |at: usize| {
            matches!(self.bodies[at], Body::Room(_))
                || self.is_member(&self.entries[at].author(), |other| self.is_in_past(other, at))
        };
        (0..self.entries.len()).find(|at| !is_in(*at)).map(|at| self.entries[at].id())
    }

    /// The members by all entries, with the names they gave themselves last.
    #[must_use]
    pub fn members(&self) -> BTreeMap<AuthorKey, Option<String>> {
        let admitted = (0..self.entries.len()).filter_map(|at| self.admitted(at));
        let authors: BTreeSet<AuthorKey> =
            admitted.filter(|author| self.is_member(author, |_| true)).collect();
        authors.into_iter().map(|author| (author, self.name(&author))).collect()
    }

    fn name(&self, author: &AuthorKey) -> Option<String> {
        let order = self.order();
        let named = order.iter().rev().map(|id| self.index[id]);
        named.filter(|at| self.entries[*at].author() == *author).find_map(|at| match &self.bodies[at] {
            Body::Nickname(name) => Some(name.clone()),
            _ => None,
        })
    }

    /// Whether some admission counts, that is, has every departure in its past.
    fn is_member(&self, author: &AuthorKey, counts: impl Fn(usize) -> bool) -> bool {
        let seen = || (0..self.entries.len()).filter(|at| counts(*at));
        let departures: Vec<usize> = seen()
            .filter(|at| matches!(self.bodies[*at], Body::Leave))
            .filter(|at| self.entries[*at].author() == *author)
            .collect();
        seen()
            .filter(|at| self.admitted(*at) == Some(*author))
            .any(|admission| departures.iter().all(|departure| self.is_in_past(*departure, admission)))
    }

    /// Whom an entry makes a member.
    fn admitted(&self, at: usize) -> Option<AuthorKey> {
        match &self.bodies[at] {
            Body::Room(_) => Some(self.entries[at].author()),
            Body::Admit(admit) => Some(admit.key),
            _ => None,
        }
    }

    fn is_in_past(&self, cause: usize, effect: usize) -> bool {
        self.pasts[effect].get(cause).copied().unwrap_or(false)
    }
}

fn claimed(entry: &Entry) -> i64 {
    i64::try_from(entry.record().claimed_ms).unwrap_or(TIME_MAX)
}

/// The rule of the order, as it is written down: of a claimed time, of the previous entry's claimed time and clock, and
/// of the clocks of everything the entry directly follows.
pub fn derive(
    claimed: i64,
    previous: Option<(i64, NaiveClock)>,
    parents: impl Iterator<Item = NaiveClock>,
) -> NaiveClock {
    let (era, time, count) = parents.max().unwrap_or((0, 0, -1));
    let claimed = claimed.clamp(0, TIME_MAX);
    if claimed > time {
        return (era, claimed, 0);
    }
    if claimed >= time - DAY_MS {
        return (era, time, count + 1);
    }
    if let Some((mine, (_, my_time, _))) = previous {
        let was_right = mine >= my_time - DAY_MS && claimed >= mine;
        if was_right || mine == time {
            return (era + 1, claimed, 0);
        }
    }
    (era, time, count + 1)
}
