//! The peer book: addresses where members may be, and when to dial which again.
//!
//! Sans-IO. Nobody has to be up first: an address that does not answer is dialled again, with pauses that double up to
//! half a minute and jitter, for ever.

use std::collections::BTreeMap;

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::Rng as _;

use replica::id::{AuthorKey, StoreId};

use crate::limits::{LEARNED_ADDRESSES_MAX, REDIAL_MAX, REDIAL_MIN};

#[cfg(test)]
mod tests;

/// How an address got into the book.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Source {
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
    /// Who answered there last.
    endpoint: Option<(AuthorKey, StoreId)>,
}

/// Why an address did not become a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Trouble {
    /// Nothing answers there.
    Unreachable,
    /// Something answers, and not to our room.
    RoomRefused,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// To be dialled at this time.
    Due(u64),
    Dialing,
    Connected,
    /// That is us: not dialled again.
    Ourselves,
}

impl Known {
    /// Whether there is nothing to dial: a connection stands, or it is our own address.
    #[must_use]
    pub fn is_settled(&self) -> bool {
        matches!(self.state, State::Connected | State::Ourselves)
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

    /// Adds an address, due at once. One that is known keeps its state.
    pub fn add(&mut self, address: String, source: Source, now_ms: u64) {
        let learned = self.addresses.values().filter(|known| known.source == Source::Learned).count();
        if source == Source::Learned && learned >= LEARNED_ADDRESSES_MAX {
            return;
        }
        let fresh = Known { source, failures: 0, trouble: None, state: State::Due(now_ms), endpoint: None };
        let known = self.addresses.entry(address).or_insert(fresh);
        known.source = known.source.max(source);
    }

    /// Addresses due now, marked as being dialled. Those of an endpoint that is connected wait.
    pub fn poll_dials(
        &mut self,
        now_ms: u64,
        is_connected: impl Fn(&(AuthorKey, StoreId)) -> bool,
    ) -> Vec<String> {
        let mut due = Vec::new();
        for (address, known) in &mut self.addresses {
            let State::Due(at) = known.state else { continue };
            if at > now_ms {
                continue;
            }
            if known.endpoint.as_ref().is_some_and(&is_connected) {
                known.state = State::Due(now_ms + millis(REDIAL_MAX));
            } else {
                known.state = State::Dialing;
                due.push(address.clone());
            }
        }
        due
    }

    /// When the next address is due.
    #[must_use]
    pub fn next_due(&self) -> Option<u64> {
        let due = |known: &Known| if let State::Due(at) = known.state { Some(at) } else { None };
        self.addresses.values().filter_map(due).min()
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
        }
    }

    /// Who answers at an address.
    pub fn answered(&mut self, address: &str, endpoint: (AuthorKey, StoreId)) {
        if let Some(known) = self.addresses.get_mut(address) {
            known.endpoint = Some(endpoint);
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
        known.state = State::Due(now_ms + pause / 2 + rng.next_u64() % (pause / 2 + 1));
    }

    /// Every address with what is known of it.
    pub fn addresses(&self) -> impl Iterator<Item = (&str, &Known)> {
        self.addresses.iter().map(|(address, known)| (address.as_str(), known))
    }

    /// Whether any dial is under way, or has not been tried yet.
    #[must_use]
    pub fn is_trying(&self) -> bool {
        let first = |known: &Known| matches!(known.state, State::Due(_)) && known.failures == 0;
        self.addresses.values().any(|known| known.state == State::Dialing || first(known))
    }
}

impl Default for Book {
    fn default() -> Self {
        Self::new()
    }
}

fn millis(duration: std::time::Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}
