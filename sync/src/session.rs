//! One connection to one member: what each side has told, asked, sent and confirmed.
//!
//! The two directions do not wait for each other. Outgoing: what the peer wanted (`plan`), then the log from `cursor`
//! on, which is how it hears of what is written later; a peer that reads slowly is simply farther behind in the log.
//! Incoming: the tips the peer told, what was wanted of them, and which of its frames are durable here.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use replica::graph::{Graph, Tip};
use replica::id::{AuthorKey, Digest, Position};
use serde::{Deserialize, Serialize};

use crate::book::Endpoint;
use crate::channel::PeerProof;
use crate::conversation::ConnectionId;
use crate::discovery::relay_of;
use crate::wire::Hello;

mod incoming;
mod outgoing;
#[cfg(test)]
mod tests;

pub(crate) use incoming::Incoming;
pub(crate) use outgoing::Outgoing;

/// One connection.
#[derive(Debug)]
pub(crate) struct Session {
    pub(crate) connection: ConnectionId,
    /// Who, as the handshake proved.
    pub(crate) author: AuthorKey,
    /// The address dialled, if we did.
    pub(crate) dialed: Option<String>,
    /// Where the peer is.
    pub(crate) address: String,
    /// Hash of the handshake: both sides have the same.
    pub(crate) channel: [u8; 32],
    /// Whether the peer may be told what is here. Who is not known as a member may only hand us entries.
    pub(crate) is_served: bool,
    /// What it proved, until it can be judged: nothing was here that says who is who, or we cannot let anybody in yet.
    pub(crate) unjudged: Option<Box<PeerProof>>,
    pub(crate) hello: Option<Hello>,
    /// The digest we told last.
    pub(crate) told_digest: Digest,
    /// Whether the peer was told only what is new since we last agreed.
    pub(crate) is_resumed: bool,
    /// Whether what the peer has is known without its telling: what it had when we agreed, and what it confirmed since.
    pub(crate) is_exact: bool,
    /// Whether the peer showed us what is newest there.
    pub(crate) was_previewed: bool,
    /// Whether the seen records known here were named to it.
    pub(crate) told_mark: bool,
    /// Whether it named those it knows.
    pub(crate) heard_mark: bool,
    pub(crate) outgoing: Outgoing,
    pub(crate) incoming: Incoming,
    /// The digest the peer told last.
    pub(crate) peer_digest: Option<Digest>,
    /// The digest of both sides when they last agreed.
    pub(crate) agreed: Option<Digest>,
    /// How often in a row both sides rested with unequal digests.
    pub(crate) unequal: u32,
    /// The tips still to be told, by position, while the peer takes in those before: of all of them it must ask before
    /// anything is sent, or frames would wait for each other.
    pub(crate) untold: VecDeque<Position>,
    /// Whether to tell our digest as soon as nothing is under way.
    pub(crate) ping_at_rest: bool,
    /// Since when the peer rests and grants nothing, although none of its window is left.
    pub(crate) starved_since_ms: Option<u64>,
    pub(crate) heard_ms: u64,
    pub(crate) ping_due_ms: u64,
    pub(crate) connected_ms: u64,
}

/// How two replicas stand, as far as one of them knows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
pub enum Standing {
    /// Equal digests, or nothing known to be missing on either side until the next are told.
    Agreed,
    /// The peer has entries that are not here yet.
    Behind,
    /// We have entries that the peer has not confirmed yet.
    Ahead,
    /// Both.
    Diverged,
    /// Not known yet.
    Connecting,
}

impl Session {
    /// A connection that begins: nothing is told yet, and nobody served.
    pub(crate) fn new(
        connection: ConnectionId,
        proof: &PeerProof,
        address: String,
        dialed: bool,
        graph: &Graph,
        now_ms: u64,
    ) -> Self {
        Self {
            connection,
            author: proof.author,
            dialed: dialed.then(|| address.clone()),
            address,
            channel: proof.channel,
            is_served: false,
            unjudged: graph.is_empty().then(|| Box::new(proof.clone())),
            hello: None,
            told_digest: graph.digest(),
            is_resumed: false,
            is_exact: false,
            was_previewed: false,
            told_mark: false,
            heard_mark: false,
            outgoing: Outgoing::new(graph.durable()),
            incoming: Incoming::default(),
            peer_digest: None,
            agreed: None,
            unequal: 0,
            untold: VecDeque::new(),
            starved_since_ms: None,
            ping_at_rest: true,
            heard_ms: now_ms,
            ping_due_ms: now_ms,
            connected_ms: now_ms,
        }
    }

    /// Whether a server is between.
    pub(crate) fn is_relayed(&self) -> bool {
        relay_of(&self.address).is_some()
    }

    /// Whether the digests of both sides were equal when last heard of.
    pub(crate) fn agrees(&self, digest: Digest) -> bool {
        self.peer_digest == Some(digest)
    }

    /// Whether nothing is under way in either direction.
    pub(crate) fn is_at_rest(&self, durable: Position) -> bool {
        self.hello.is_some()
            && self.untold.is_empty()
            && self.outgoing.is_at_rest(durable, self.is_served)
            && self.incoming.is_at_rest()
    }

    /// Whether the peer has confirmed all it may have.
    pub(crate) fn is_handed_over(&self, durable: Position) -> bool {
        !self.is_served || self.outgoing.is_released() && self.outgoing.missing(durable) == 0
    }

    pub(crate) fn standing(&self, digest: Digest, durable: Position) -> Standing {
        let (here, there) = (self.incoming.missing(), self.outgoing.missing(durable));
        match (here > 0, there > 0) {
            _ if self.hello.is_none() => Standing::Connecting,
            (true, true) => Standing::Diverged,
            (true, false) => Standing::Behind,
            (false, true) => Standing::Ahead,
            (false, false) if self.agrees(digest) || self.unequal == 0 && self.outgoing.is_released() => {
                Standing::Agreed
            }
            (false, false) => Standing::Connecting,
        }
    }

    /// The peer's name among connections: the same person from the same store.
    pub(crate) fn endpoint(&self) -> Option<Endpoint> {
        self.hello.map(|hello| (self.author, hello.store))
    }
}
