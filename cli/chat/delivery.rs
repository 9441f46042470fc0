//! Who holds what was written in this run.

use std::collections::{BTreeMap, BTreeSet};

use replica::id::AuthorKey;
use replica_sync::engine::Event;
use replica_sync::node::{PeerStatus, Status};

use crate::config::Config;
use crate::people::People;
use crate::text;

#[cfg(test)]
mod tests;

/// Counts.
#[derive(Debug, Default)]
pub(crate) struct Delivery {
    written: usize,
    drafts: usize,
    /// What was written in a room that we then left.
    left_behind: usize,
    /// Per person, how much of what was written they hold.
    held: BTreeMap<AuthorKey, usize>,
    /// Addresses named for this run.
    named: BTreeSet<String>,
}

impl Delivery {
    pub(crate) fn new(config: &Config) -> Self {
        let of_ticket = config.ticket.iter().flat_map(|ticket| &ticket.addresses);
        Self { named: config.peers.iter().chain(of_ticket).cloned().collect(), ..Self::default() }
    }

    /// Takes note of an event; of what was written only if it is told by [`Delivery::wrote`].
    pub(crate) fn note(&mut self, event: &Event) {
        match event {
            // Drafts are not sent before they are entries.
            Event::Held { author } if self.drafts == 0 => {
                self.held.insert(*author, self.written);
            }
            Event::Agreed { author, .. } => {
                self.held.insert(*author, self.written);
            }
            _ => {}
        }
    }

    /// A message is durable.
    pub(crate) fn wrote(&mut self) {
        self.written += 1;
    }

    /// A draft is durable.
    pub(crate) fn drafted(&mut self) {
        self.written += 1;
        self.drafts += 1;
    }

    /// Another room is open: nobody in it holds what was written in the one before. Drafts come along.
    pub(crate) fn moved(&mut self) {
        self.left_behind += self.written - self.drafts;
        self.written = self.drafts;
        self.held.clear();
    }

    /// Another room is looked at. What was written in the one before is delivered there.
    pub(crate) fn switched(&mut self) {
        *self =
            Self { named: std::mem::take(&mut self.named), left_behind: self.left_behind, ..Self::default() };
    }

    /// Whether somebody holds all of it, or there was nothing to hold.
    pub(crate) fn is_done(&self) -> bool {
        self.written == 0 || self.held.values().any(|held| *held == self.written)
    }

    /// Whether somebody may still come to hold it: who is connected; and where nobody waits at the keys, an address that
    /// has not been tried, or, of those named for this run, not been reached.
    pub(crate) fn has_hope(&self, status: &Status, is_person: bool) -> bool {
        if status.peers.iter().any(|peer| peer.standing.is_some()) {
            return true;
        }
        let may_come = |peer: &PeerStatus| peer.failures == 0 || self.named.contains(&peer.address);
        !is_person && status.peers.iter().any(may_come)
    }

    /// What is held where, in words; none if nothing was written.
    pub(crate) fn summary(&self, connected: &BTreeSet<AuthorKey>, people: &People) -> Option<String> {
        if self.left_behind > 0 {
            let left = text::count(self.left_behind as u64, "message");
            let stayed = format!("{left} stayed in the room you were in before");
            let rest = Self { left_behind: 0, held: self.held.clone(), named: BTreeSet::new(), ..*self };
            let rest = rest.summary(connected, people);
            return Some(rest.map_or(stayed.clone(), |rest| format!("{rest}\n{stayed}")));
        }
        if self.written == 0 {
            return None;
        }
        let messages = text::count(self.written as u64, "message");
        let holds_all = |(_, count): &(&AuthorKey, &usize)| **count == self.written;
        let holders: Vec<String> =
            self.held.iter().filter(holds_all).map(|(author, _)| people.name(author)).collect();
        let names: Vec<String> = connected.iter().map(|author| people.name(author)).collect();
        Some(if !holders.is_empty() {
            format!("{messages}: held by {}", holders.join(", "))
        } else if self.drafts > 0 {
            format!("{messages}: kept here until you are let in")
        } else if names.is_empty() {
            format!("{messages}: kept here; no peer was connected")
        } else {
            format!("{messages}: kept here; not confirmed yet by {}", names.join(", "))
        })
    }
}
