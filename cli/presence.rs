//! Who is connected, as people count: a person once, however many connections there are.

use std::collections::{BTreeMap, BTreeSet};

use replica::id::AuthorKey;
use replica_sync::conversation::ConnectionId;
use replica_sync::engine::Event;
use replica_sync::wire::ByeReason;

#[cfg(test)]
mod tests;

/// Who is connected.
#[derive(Debug, Default)]
pub(crate) struct Presence {
    connections: BTreeMap<ConnectionId, AuthorKey>,
    /// Connections that end because another one to the same replica is kept.
    doubled: BTreeSet<ConnectionId>,
    here: BTreeSet<AuthorKey>,
    /// A peer said that it keeps another connection; the end of this one is told next.
    is_doubled_there: bool,
}

/// News about a person.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Change {
    Came(AuthorKey),
    Left(AuthorKey),
}

impl Presence {
    /// These are there already, and are told of once more.
    pub(crate) fn of(here: impl Iterator<Item = AuthorKey>) -> Self {
        Self { here: here.collect(), ..Self::default() }
    }

    /// Takes note of an event. Says who came or left by it.
    pub(crate) fn note(&mut self, event: &Event) -> Option<Change> {
        match event {
            Event::PeerHere { connection, author } => {
                self.connections.insert(*connection, *author);
                self.here.insert(*author).then_some(Change::Came(*author))
            }
            Event::Doubled(connection) => {
                self.doubled.insert(*connection);
                None
            }
            Event::Bye { bye, .. } => {
                // In a large room links come and go; who is not linked to us is linked to others.
                self.is_doubled_there =
                    matches!(bye.reason, ByeReason::Duplicate | ByeReason::EnoughLinks | ByeReason::Renewed);
                None
            }
            Event::PeerGone { connection, author } => {
                self.connections.remove(connection);
                let is_kept = self.doubled.remove(connection) || std::mem::take(&mut self.is_doubled_there);
                let is_there = is_kept || self.connections.values().any(|other| other == author);
                (!is_there && self.here.remove(author)).then_some(Change::Left(*author))
            }
            _ => None,
        }
    }

    /// Everyone who is connected, each once.
    pub(crate) fn people(&self) -> &BTreeSet<AuthorKey> {
        &self.here
    }
}
