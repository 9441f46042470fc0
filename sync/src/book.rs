//! The peer book: addresses where members may be, and when which may be dialled again.
//!
//! Sans-IO. Nobody has to be up first: an address that does not answer may be dialled again, with pauses that double up
//! to half a minute and jitter, for ever. Which of those that may be dialled is dialled, the overlay chooses.

use std::collections::BTreeMap;

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::Rng as _;
use serde::{Deserialize, Serialize};

use crate::discovery::relay_of;
use crate::limits::{
    FOUND_ADDRESSES_MAX, FOUND_FAILURES_MAX, FOUND_PAUSE, LEARNED_ADDRESSES_MAX, LEARNED_FAILURES_MIN,
    REDIAL_MAX, REDIAL_MIN, millis,
};

#[cfg(test)]
mod tests;

/// One store of one author: what counts as one member.
pub type Endpoint = replica::archive::Peer;

/// How an address got into the book.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Source {
    /// Found where anybody may put anything: see [`discovery`](crate::discovery).
    Found,
    /// A peer told it.
    Learned,
    /// A person named it, or a ticket.
    Named,
}

/// What is known of one address.
#[derive(Clone, Debug)]
pub struct Known {
    /// How it got here.
    pub source: Source,
    /// Failed attempts since it last worked.
    pub failures: u32,
    /// Why the last attempt failed.
    pub trouble: Option<Trouble>,
    state: State,
    holder: Holder,
    /// Whether it was dialled again at once since it last worked: that is done once.
    is_renewed: bool,
}

/// Why an address did not become a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
pub enum Trouble {
    /// Nothing answers there.
    Unreachable,
    /// Something answers, and not to our room.
    RoomRefused,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// May be dialled from this time on.
    Due(u64),
    Dialing,
    Connected,
    /// That is us: not dialled again.
    Ourselves,
    /// It was found, and came to nothing: not dialled unless it is found again after this time.
    GivenUp(u64),
}

/// Whose an address is. A member's word is no proof: nobody makes another unreachable by claiming where it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Holder {
    Unknown,
    Claimed(Endpoint),
    Disputed,
    /// Who answered there last.
    Answered(Endpoint),
}

impl Known {
    /// In how many milliseconds it may be dialled again, if it waits for that.
    #[must_use]
    pub fn retry_ms(&self, now_ms: u64) -> Option<u64> {
        match self.state {
            State::Due(at) => Some(at.saturating_sub(now_ms)),
            _ => None,
        }
    }

    /// Whether there is nothing to dial: a connection stands, it is our own address, or it was given up.
    #[must_use]
    pub fn is_settled(&self) -> bool {
        matches!(self.state, State::Connected | State::Ourselves | State::GivenUp(_))
    }

    /// Whether it is not its time yet, though nothing is wrong with it: it was asked to stay away a while.
    #[must_use]
    pub fn is_resting(&self, now_ms: u64) -> bool {
        self.failures == 0 && matches!(self.state, State::Due(at) if at > now_ms)
    }

    /// Whether it is being dialled.
    #[must_use]
    pub fn is_dialing(&self) -> bool {
        self.state == State::Dialing
    }

    /// Who is there, as far as is known.
    #[must_use]
    pub fn endpoint(&self) -> Option<Endpoint> {
        match self.holder {
            Holder::Claimed(endpoint) | Holder::Answered(endpoint) => Some(endpoint),
            Holder::Unknown | Holder::Disputed => None,
        }
    }
}

/// One member that may be reached, at whichever of its addresses is to be dialled first; or an address of nobody knows
/// whom.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Place<'a> {
    /// What to dial.
    pub(crate) address: &'a str,
    /// Whether it is known whose it is, if only by somebody's word: it may else be another address of one that counts.
    pub(crate) is_held: bool,
    /// When it may be dialled.
    pub(crate) due_ms: u64,
    /// Failed attempts at the address that works best.
    pub(crate) failures: u32,
    /// Whether a person named one of its addresses.
    pub(crate) is_named: bool,
    /// Whether it is connected, by whichever address.
    pub(crate) is_linked: bool,
    /// Whether it is being dialled, at whichever address.
    pub(crate) is_dialing: bool,
}

impl Place<'_> {
    /// Takes in what is known of another address of the same member.
    fn join(&mut self, other: &Self, now_ms: u64) {
        let rank = |place: &Self| (place.due_ms > now_ms, place.failures, place.due_ms);
        if rank(other) < rank(self) {
            (self.address, self.due_ms) = (other.address, other.due_ms);
        }
        self.failures = self.failures.min(other.failures);
        self.is_named |= other.is_named;
        self.is_linked |= other.is_linked;
        self.is_dialing |= other.is_dialing;
    }
}

/// All known addresses.
#[derive(Debug)]
pub struct Book {
    addresses: BTreeMap<String, Known>,
}

impl Book {
    /// An empty book.
    #[must_use]
    pub fn new() -> Self {
        Self { addresses: BTreeMap::new() }
    }

    /// Adds an address, due at once. One that is known keeps its state, unless it was given up. Where there is no room for
    /// more that were found, or that peers told, one that failed for long makes place.
    pub fn add(&mut self, address: String, source: Source, now_ms: u64) {
        if !self.addresses.contains_key(&address) && !self.makes_room(source) {
            return;
        }
        let fresh = Known {
            source,
            failures: 0,
            trouble: None,
            state: State::Due(now_ms),
            holder: Holder::Unknown,
            is_renewed: false,
        };
        let known = self.addresses.entry(address).or_insert(fresh);
        known.source = known.source.max(source);
        let is_back = |until_ms| source > Source::Found || until_ms <= now_ms;
        if matches!(known.state, State::GivenUp(until_ms) if is_back(until_ms)) {
            known.state = State::Due(now_ms);
        }
    }

    /// Whatever waits after failures may be dialled now, as if it had not failed.
    pub fn retry_all(&mut self, now_ms: u64) {
        for known in self.addresses.values_mut() {
            if let State::Due(_) | State::GivenUp(_) = known.state {
                (known.state, known.failures, known.trouble) = (State::Due(now_ms), 0, None);
            }
        }
    }

    /// Adds an address where a member says it is.
    pub fn learn(&mut self, address: String, endpoint: Endpoint, now_ms: u64) {
        self.add(address.clone(), Source::Learned, now_ms);
        if let Some(known) = self.addresses.get_mut(&address) {
            known.holder = match known.holder {
                Holder::Unknown => Holder::Claimed(endpoint),
                Holder::Claimed(other) if other != endpoint => Holder::Disputed,
                holder => holder,
            };
        }
    }

    /// Whether one more address from there has room, if need be in place of the one that failed most often.
    fn makes_room(&mut self, source: Source) -> bool {
        let (count_max, failures_min) = match source {
            Source::Found => (FOUND_ADDRESSES_MAX, 1),
            Source::Learned => (LEARNED_ADDRESSES_MAX, LEARNED_FAILURES_MIN),
            Source::Named => return true,
        };
        let such = || self.addresses.iter().filter(|(_, known)| known.source == source);
        if such().count() < count_max {
            return true;
        }
        let is_idle = |known: &Known| matches!(known.state, State::Due(_) | State::GivenUp(_));
        let given_up = such().filter(|(_, known)| is_idle(known) && known.failures >= failures_min);
        let worst = given_up.max_by_key(|(_, known)| known.failures).map(|(address, _)| address.clone());
        worst.is_some_and(|address| self.addresses.remove(&address).is_some())
    }

    /// Addresses due now, marked as being dialled: all of them, for whoever has no room yet.
    pub fn poll_dials(&mut self, now_ms: u64) -> Vec<String> {
        let is_due = |known: &Known| matches!(known.state, State::Due(at) if at <= now_ms);
        let due: Vec<String> =
            self.addresses.iter().filter(|(_, known)| is_due(known)).map(|(it, _)| it.clone()).collect();
        due.iter().for_each(|address| self.dialing(address));
        due
    }

    /// When the next address is due.
    #[must_use]
    pub fn next_due(&self) -> Option<u64> {
        let due = |known: &Known| if let State::Due(at) = known.state { Some(at) } else { None };
        self.addresses.values().filter_map(due).min()
    }

    /// Everyone who may be reached, each once, by address.
    pub(crate) fn places(&self, now_ms: u64, is_linked: impl Fn(&Endpoint) -> bool) -> Vec<Place<'_>> {
        let mut places: Vec<Place<'_>> = Vec::new();
        let mut by_endpoint: BTreeMap<Endpoint, usize> = BTreeMap::new();
        for (address, known) in &self.addresses {
            if matches!(known.state, State::Ourselves | State::GivenUp(_)) {
                continue;
            }
            let endpoint = known.endpoint();
            let place = Place {
                address,
                is_held: endpoint.is_some(),
                due_ms: if let State::Due(at) = known.state { at } else { u64::MAX },
                failures: known.failures,
                is_named: known.source == Source::Named,
                is_linked: known.state == State::Connected || endpoint.is_some_and(|it| is_linked(&it)),
                is_dialing: known.state == State::Dialing,
            };
            let same = endpoint.map(|endpoint| *by_endpoint.entry(endpoint).or_insert(places.len()));
            match same.and_then(|index| places.get_mut(index)) {
                Some(same) => same.join(&place, now_ms),
                None => places.push(place),
            }
        }
        places
    }

    /// Where a member may be reached without a server between, and when each may be dialled.
    pub(crate) fn direct_ways(&self, endpoint: Endpoint) -> impl Iterator<Item = (&str, u64)> {
        let held = self.addresses.iter().filter(move |(_, known)| known.endpoint() == Some(endpoint));
        held.filter_map(|(address, known)| match known.state {
            State::Due(at) if relay_of(address).is_none() => Some((address.as_str(), at)),
            _ => None,
        })
    }

    /// An address is being dialled.
    pub fn dialing(&mut self, address: &str) {
        if let Some(known) = self.addresses.get_mut(address) {
            known.state = State::Dialing;
        }
    }

    /// A dial led to a connection.
    pub fn connected(&mut self, address: &str) {
        if let Some(known) = self.addresses.get_mut(address) {
            known.state = State::Connected;
            known.trouble = None;
        }
    }

    /// A connection to an address is of use. One that ends as soon as it stands is not: whoever turns us away is to be
    /// asked less and less often.
    pub fn worked(&mut self, address: &str) {
        if let Some(known) = self.addresses.get_mut(address) {
            known.failures = 0;
            known.is_renewed = false;
        }
    }

    /// A connection to an address ended because one of the two goes on under another name: no failure, and due at once.
    /// Not twice in a row, or a peer could have itself dialled without end.
    pub fn renewed(&mut self, address: &str, now_ms: u64) {
        if let Some(known) = self.addresses.get_mut(address)
            && matches!(known.state, State::Due(_))
            && !std::mem::replace(&mut known.is_renewed, true)
        {
            known.failures = 0;
            known.state = State::Due(now_ms);
        }
    }

    /// Who answers at an address.
    pub fn answered(&mut self, address: &str, endpoint: Endpoint) {
        if let Some(known) = self.addresses.get_mut(address) {
            known.holder = Holder::Answered(endpoint);
        }
    }

    /// The address is our own.
    pub fn is_ourselves(&mut self, address: &str) {
        if let Some(known) = self.addresses.get_mut(address) {
            known.state = State::Ourselves;
        }
    }

    /// A dial failed, or a connection that it led to ended.
    pub fn ended(&mut self, address: &str, trouble: Option<Trouble>, now_ms: u64, rng: &mut ChaCha8Rng) {
        let Some(known) = self.addresses.get_mut(address) else { return };
        if known.state == State::Ourselves {
            return;
        }
        let pause = millis(REDIAL_MIN).saturating_mul(1 << known.failures.min(16)).min(millis(REDIAL_MAX));
        known.failures = known.failures.saturating_add(1);
        known.trouble = trouble;
        let is_wrong = trouble == Some(Trouble::RoomRefused) || known.failures >= FOUND_FAILURES_MAX;
        known.state = if known.source == Source::Found && is_wrong {
            State::GivenUp(now_ms + millis(FOUND_PAUSE))
        } else {
            State::Due(now_ms + pause / 2 + rng.next_u64() % (pause / 2 + 1))
        };
    }

    /// Two who have enough others let go of each other: no failure, and not to be dialled before some time.
    pub fn let_go(&mut self, endpoint: &Endpoint, dialed: Option<&str>, until_ms: u64) {
        for (address, known) in &mut self.addresses {
            let is_dialed = dialed == Some(address.as_str());
            if !matches!(known.state, State::Due(_)) || !is_dialed && known.endpoint() != Some(*endpoint) {
                continue;
            }
            known.failures = if is_dialed { 0 } else { known.failures };
            known.state = State::Due(until_ms);
        }
    }

    /// All pauses are over: what was out of reach may be within it.
    pub fn wake(&mut self, now_ms: u64) {
        for known in self.addresses.values_mut() {
            if let State::Due(_) | State::GivenUp(_) = known.state {
                known.failures = 0;
                known.state = State::Due(now_ms);
            }
        }
    }

    /// Every address with what is known of it.
    pub fn addresses(&self) -> impl Iterator<Item = (&str, &Known)> {
        self.addresses.iter().map(|(address, known)| (address.as_str(), known))
    }
}

impl Default for Book {
    fn default() -> Self {
        Self::new()
    }
}
