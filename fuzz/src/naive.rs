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
        let removals = self.removals();
        let all = 0..self.entries.len();
        let admitted: BTreeSet<AuthorKey> = all.clone().filter_map(|at| self.admitted(at)).collect();
        let is_member =
            |author: &AuthorKey| all.clone().any(|at| self.makes_member(at, author, &removals, &|_| true));
        admitted.into_iter().filter(is_member).map(|author| (author, self.name(&author))).collect()
    }

    /// Everyone who was ever removed.
    #[must_use]
    pub fn removed(&self) -> BTreeSet<AuthorKey> {
        self.removals().into_values().collect()
    }

    /// The removals that count, walked from the highest admin down: who may, by what they had seen, and has not been
    /// removed from above without that having been seen.
    fn removals(&self) -> BTreeMap<usize, AuthorKey> {
        let key = |at: usize| (self.clocks[at], self.entries[at].id());
        let mut removals: BTreeMap<usize, AuthorKey> = BTreeMap::new();
        // Terms: when they began, whose, and by which entry.
        let mut terms: Vec<(usize, AuthorKey)> = Vec::new();
        let mut ahead: Vec<(usize, AuthorKey)> = (0..self.entries.len())
            .filter(|at| matches!(self.bodies[*at], Body::Room(_)))
            .map(|at| (at, self.entries[at].author()))
            .collect();
        let mut done: BTreeSet<usize> = BTreeSet::new();
        loop {
            ahead.sort_by_key(|(at, _)| std::cmp::Reverse(key(*at)));
            let Some((began, admin)) = ahead.pop() else { return removals };
            terms.push((began, admin));
            let mut acts: Vec<usize> = (0..self.entries.len())
                .filter(|at| self.entries[*at].author() == admin && self.is_in_past(began, *at))
                .collect();
            acts.sort_by_key(|at| key(*at));
            for act in acts {
                let is_void = removals.iter().any(|(removal, whom)| {
                    *whom == admin && !self.is_in_past(*removal, began) && !self.had_seen(*removal, act)
                });
                if is_void || done.contains(&act) {
                    continue;
                }
                match &self.bodies[act] {
                    Body::Promote(whom) => {
                        done.insert(act);
                        ahead.push((act, *whom));
                    }
                    Body::Remove(remove) => {
                        done.insert(act);
                        let is_above = terms.iter().any(|(since, other)| {
                            let has_ended = removals.iter().any(|(removal, whom)| {
                                whom == other
                                    && self.is_in_past(*removal, act)
                                    && !self.is_in_past(*removal, *since)
                            });
                            *other == remove.key && key(*since) <= key(began) && !has_ended
                        });
                        if !is_above {
                            removals.insert(act, remove.key);
                        }
                    }
                    _ => {}
                }
            }
        }
    }

    /// Whether a removal names an entry, or one after it in its chain.
    fn had_seen(&self, removal: usize, at: usize) -> bool {
        let Body::Remove(remove) = &self.bodies[removal] else { return false };
        remove.seen.iter().filter_map(|id| self.index.get(id).copied()).any(|tip| {
            let previous = |at: &usize| self.entries[*at].record().previous.map(|id| self.index[&id]);
            std::iter::successors(Some(tip), previous).any(|line| line == at)
        })
    }

    /// Whether an entry is an admission of someone's that holds, by those entries that are asked about.
    fn makes_member(
        &self,
        at: usize,
        author: &AuthorKey,
        removals: &BTreeMap<usize, AuthorKey>,
        is_asked: &dyn Fn(usize) -> bool,
    ) -> bool {
        if self.admitted(at) != Some(*author) || !is_asked(at) {
            return false;
        }
        let left = |other: usize| {
            matches!(self.bodies[other], Body::Leave) && self.entries[other].author() == *author
        };
        let of = |other: &usize| removals.get(other) == Some(author) && is_asked(*other);
        let departures = (0..self.entries.len()).filter(|other| left(*other) && is_asked(*other));
        let mut removed = (0..self.entries.len()).filter(of).peekable();
        let is_after = |other: usize| self.is_in_past(other, at);
        self.counts(at, removals)
            && departures.into_iter().all(is_after)
            && (removed.peek().is_none() || self.was_admin(&self.entries[at].author(), at, removals))
            && removed.all(is_after)
    }

    /// Whether what somebody wrote counts: they were in by what counts, and no removal leaves it out.
    fn counts(&self, at: usize, removals: &BTreeMap<usize, AuthorKey>) -> bool {
        if matches!(self.bodies[at], Body::Room(_)) || removals.is_empty() {
            return true;
        }
        let author = self.entries[at].author();
        let in_past = |other: usize| self.is_in_past(other, at);
        (0..self.entries.len())
            .any(|other| in_past(other) && self.makes_member(other, &author, removals, &in_past))
            && removals
                .iter()
                .all(|(removal, whom)| *whom != author || in_past(*removal) || self.had_seen(*removal, at))
    }

    /// Whether somebody was an admin by what an entry had seen. Only asked where somebody was removed.
    fn was_admin(&self, author: &AuthorKey, at: usize, removals: &BTreeMap<usize, AuthorKey>) -> bool {
        let made = |other: usize| match &self.bodies[other] {
            Body::Room(_) => self.entries[other].author() == *author,
            Body::Promote(whom) => whom == author && self.is_promotion(other, removals),
            _ => false,
        };
        (0..self.entries.len()).any(|other| {
            let has_ended = removals.iter().any(|(removal, whom)| {
                whom == author && self.is_in_past(*removal, at) && !self.is_in_past(*removal, other)
            });
            made(other)
                && self.is_in_past(other, at)
                && (matches!(self.bodies[other], Body::Room(_)) || !has_ended)
        })
    }

    /// Whether a promotion was made by an admin, and no removal voids it.
    fn is_promotion(&self, at: usize, removals: &BTreeMap<usize, AuthorKey>) -> bool {
        let by = self.entries[at].author();
        let made = |other: usize| match &self.bodies[other] {
            Body::Room(_) => self.entries[other].author() == by,
            Body::Promote(whom) => *whom == by && self.is_promotion(other, removals),
            _ => false,
        };
        (0..self.entries.len()).any(|other| {
            self.is_in_past(other, at)
                && made(other)
                && (matches!(self.bodies[other], Body::Room(_))
                    || removals.iter().all(|(removal, whom)| {
                        *whom != by || self.is_in_past(*removal, other) || self.had_seen(*removal, at)
                    }))
        })
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
