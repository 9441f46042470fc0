//! Following a node until it has met everyone it knows.

use std::collections::{BTreeMap, BTreeSet};

use replica::id::AuthorKey;
use replica_sync::book::Trouble;
use replica_sync::conversation::ConnectionId;
use replica_sync::engine::{Event, Standing};
use replica_sync::node::{NodeEvent, Status};

use crate::failure::{Failure, is_refusal};

#[cfg(test)]
pub(crate) mod tests;

/// What came of an address, or of a peer that found us.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Outcome {
    /// Where.
    pub(crate) address: String,
    /// Who, if somebody answered.
    pub(crate) author: Option<AuthorKey>,
    /// Entries sent.
    pub(crate) sent: u64,
    /// New entries received.
    pub(crate) received: u64,
    /// How long it took.
    pub(crate) millis: u64,
    /// Whether both had the same entries at the end.
    pub(crate) agreed: bool,
}

/// What was told so far.
#[derive(Debug, Default)]
pub(crate) struct Watch {
    /// Addresses that a person named: where our room is refused, we may knock.
    named: BTreeSet<String>,
    /// Addresses where it is not decided yet whether we may come in.
    knocking: BTreeSet<String>,
    /// Addresses of which it was told that another room is there.
    elsewhere: BTreeSet<String>,
    reached: BTreeMap<ConnectionId, AuthorKey>,
    agreed: BTreeMap<ConnectionId, Outcome>,
    refusal: Option<Failure>,
    other_room: Option<Failure>,
}

impl Watch {
    pub(crate) fn new(named: &[String]) -> Self {
        Self { named: named.iter().cloned().collect(), ..Self::default() }
    }

    /// Takes note of an event. Says whether the state of some peer changed by it.
    pub(crate) fn note(&mut self, event: &NodeEvent) -> bool {
        match event {
            NodeEvent::Engine(event) => return self.note_engine(event),
            NodeEvent::KnockSent { address } => {
                self.knocking.insert(address.clone());
            }
            NodeEvent::KnockAnswered { address } => {
                self.knocking.remove(address);
            }
            NodeEvent::KnockRefused { address, bye } => {
                self.knocking.remove(address);
                self.refusal = Some(Failure::refused(address, bye));
            }
            NodeEvent::OtherRoom { address } => {
                self.knocking.remove(address);
                self.elsewhere.insert(address.clone());
                if self.named.contains(address) {
                    self.other_room = Some(Failure::other_room(address));
                }
            }
            _ => return false,
        }
        true
    }

    fn note_engine(&mut self, event: &Event) -> bool {
        match event {
            Event::PeerHere { connection, author } => {
                self.reached.insert(*connection, *author);
            }
            Event::Agreed { connection, author, address, sent, received, millis } => {
                self.knocking.remove(address);
                self.reached.insert(*connection, *author);
                let outcome = Outcome {
                    address: address.clone(),
                    author: Some(*author),
                    sent: *sent,
                    received: *received,
                    millis: *millis,
                    agreed: true,
                };
                self.agreed.insert(*connection, outcome);
            }
            Event::DialFailed { address, trouble } => {
                if *trouble == Trouble::RoomRefused {
                    self.elsewhere.insert(address.clone());
                }
                if *trouble == Trouble::RoomRefused && self.named.contains(address) {
                    self.knocking.insert(address.clone());
                } else {
                    self.knocking.remove(address);
                }
            }
            Event::Bye { address, bye } if is_refusal(bye.reason) => {
                self.refusal = Some(Failure::refused(address, bye));
            }
            Event::Bye { .. } | Event::PeerGone { .. } | Event::Doubled(_) | Event::Offence { .. } => {}
            _ => return false,
        }
        true
    }

    /// Whether every address was met or failed once or need not be dialled, and whoever was met agrees and said so. Who
    /// lets us in agrees with us before its word for that is durable, and what waits for it is said after.
    pub(crate) fn is_settled(&self, status: &Status) -> bool {
        let agreed = |address: &str| self.agreed.values().any(|outcome| outcome.address == address);
        let is_connected = status.peers.iter().any(|peer| peer.standing.is_some());
        self.knocking.is_empty()
            && status.is_settled
            && (status.drafts.is_empty() || !is_connected)
            && status.peers.iter().all(|peer| match peer.standing {
                Some(standing) => standing == Standing::Agreed && agreed(&peer.address),
                // The state may be ahead of what was told, and what was told says whether we knock there.
                None if peer.is_other_room => self.elsewhere.contains(&peer.address),
                None => peer.failures > 0 || peer.is_spare,
            })
    }

    /// Whether anybody was met.
    pub(crate) fn has_reached(&self) -> bool {
        !self.reached.is_empty()
    }

    /// Those with whom we agreed, each person once.
    pub(crate) fn agreed(&self) -> Vec<Outcome> {
        self.agreed.values().cloned().collect()
    }

    /// Why somebody would not have us, if somebody said so.
    pub(crate) fn refusal(&self) -> Option<&Failure> {
        self.refusal.as_ref().or(self.other_room.as_ref())
    }

    /// What came of everyone: those who agreed, those connected who do not, and addresses where nobody was met.
    pub(crate) fn outcomes(&self, status: &Status) -> Vec<Outcome> {
        let mut outcomes = self.agreed();
        let is_told = |outcomes: &[Outcome], address: &str| outcomes.iter().any(|it| it.address == address);
        for peer in &status.peers {
            if let Some(outcome) = outcomes.iter_mut().find(|outcome| outcome.address == peer.address) {
                outcome.agreed &= peer.standing.is_none_or(|standing| standing == Standing::Agreed);
            } else if !peer.is_spare && !is_told(&outcomes, &peer.address) {
                outcomes.push(Outcome {
                    address: peer.address.clone(),
                    author: peer.author,
                    sent: 0,
                    received: 0,
                    millis: 0,
                    agreed: false,
                });
            }
        }
        outcomes
    }
}
