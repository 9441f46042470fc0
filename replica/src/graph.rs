//! The graph: which entries this replica has, how they hang together, and whether another one belongs with them.
//!
//! It keeps some 100 bytes an entry and no text. Validity is a function of an entry and its ancestors alone, so every
//! replica decides alike, whatever has arrived in which order. Entries join the graph when admitted ([`Graph::admit`])
//! and count as *durable* once the store has them ([`Graph::settle`]); only durable ones are told to peers.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::OnceLock;

use smallvec::SmallVec;

use crate::block::References;
use crate::entry::{Entry, Invite, Kind};
use crate::id::{AuthorKey, ChainId, Digest, EntryId, Position, RoomId};
use crate::identity::Signature;
use crate::order::{Clock, OrderKey};

mod admit;
mod chain;
mod compose;
mod difference;
mod fork;
mod index;
mod pieces;
mod reach;
mod roles;
mod roster;
mod sets;
#[cfg(test)]
mod tests;

use chain::Chain;
pub use difference::{Tip, Wanted};
pub use fork::Relined;
use index::Index;
pub(crate) use pieces::Pieces;
pub use pieces::{Piece, Run};
pub use reach::{Reach, Reached};
use roles::Roles;
pub use roster::Card;
use roster::Rosters;
use sets::SetId;

/// What the graph keeps of an entry.
#[derive(Clone, Debug)]
struct Node {
    id: EntryId,
    chain: u32,
    seq: u32,
    clock: [u8; Clock::BYTES],
    claimed: [u8; 6],
    kind: u16,
    /// The entry before in its chain, or [`NO_POSITION`].
    previous: Position,
    /// End of its other parents in `Graph::others`; they start where the entry's before it end.
    others_end: u32,
    /// The roster entries in its past, itself included.
    roster: SetId,
}

impl Node {
    fn previous(&self) -> Option<Position> {
        (self.previous != NO_POSITION).then_some(self.previous)
    }
}

/// No entry's: the length of a log is a position, too.
const NO_POSITION: Position = Position::MAX;

/// What one insertion changed beyond appending, so that it can be taken back.
#[derive(Debug)]
struct Undo {
    heads: SmallVec<[Position; 4]>,
    roster: roster::Mark,
    placed: fork::Placed,
}

/// Why an entry does not belong in the conversation. Nothing here depends on what else has arrived, but for
/// [`Refusal::Missing`].
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[non_exhaustive]
pub enum Refusal {
    /// An entry it follows is not here (yet).
    #[error("entry {0} is not here yet")]
    Missing(EntryId),
    /// It follows nothing and is not this room's first entry.
    #[error("an entry without a past is not of this room")]
    Stranger,
    /// Its `previous` is of another chain or has another seq.
    #[error("an entry's place in its chain is wrong")]
    WrongPrevious,
    /// Its author was not a member in what they had seen.
    #[error("the author was not a member when writing this")]
    NotMember,
    /// An admission whose card or invite proof does not hold.
    #[error("an admission without a valid card or proof")]
    BadAdmission,
}

/// What became of an entry offered to the graph.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Admission {
    /// It joined, at this position.
    New(Position),
    /// It was here already.
    Known,
}

/// The entries of one room and their relations.
#[derive(Debug)]
pub struct Graph {
    room: RoomId,
    nodes: Vec<Node>,
    others: Vec<Position>,
    by_id: Index,
    chains: Vec<Chain>,
    chain_index: BTreeMap<ChainId, u32>,
    heads: BTreeSet<Position>,
    rosters: Rosters,
    /// What the roster comes to. Made when asked for, forgotten when it changes.
    roles: OnceLock<Roles>,
    branches: fork::Branches,
    undo: Vec<Undo>,
    durable: Position,
    /// Of the durable entries.
    messages: u64,
    tips: BTreeSet<Position>,
    /// Of the tips, and of what is not durable yet.
    signatures: BTreeMap<Position, Signature>,
    digest: Digest,
}

impl Graph {
    /// The graph of a room that has nothing yet.
    #[must_use]
    pub fn new(room: RoomId) -> Self {
        let mut graph = Self {
            room,
            nodes: Vec::new(),
            others: Vec::new(),
            by_id: Index::default(),
            chains: Vec::new(),
            chain_index: BTreeMap::new(),
            heads: BTreeSet::new(),
            rosters: Rosters::default(),
            roles: OnceLock::new(),
            branches: fork::Branches::default(),
            undo: Vec::new(),
            durable: 0,
            messages: 0,
            tips: BTreeSet::new(),
            signatures: BTreeMap::new(),
            digest: Digest([0; 32]),
        };
        graph.digest = graph.hash_tips();
        graph
    }

    /// Which room.
    #[must_use]
    pub fn room(&self) -> RoomId {
        self.room
    }

    /// How many entries were admitted: the position of the next.
    #[must_use]
    pub fn len(&self) -> Position {
        position(self.nodes.len())
    }

    /// Whether there is nothing, not even the room's first entry.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.nodes.is_empty()
    }

    /// Where an entry stands in the log.
    #[must_use]
    pub fn position(&self, id: &EntryId) -> Option<Position> {
        self.by_id.find(&self.nodes, id)
    }

    /// Whether an entry is here.
    #[must_use]
    pub fn has(&self, entry: &Entry) -> bool {
        let record = entry.record();
        self.place_in(&record.chain, record.seq, &entry.id()).is_some()
    }

    /// Where the entry of a chain with this seq and id stands. Unlike [`Graph::position`] it looks where the chain was
    /// written last, which is in the cache while the chain is read.
    fn place_in(&self, chain: &ChainId, seq: u32, id: &EntryId) -> Option<Position> {
        let at = self.chains[*self.chain_index.get(chain)? as usize].find(seq, &half(id), &self.nodes)?;
        (self.id(at) == *id).then_some(at)
    }

    /// The id of an admitted entry.
    #[must_use]
    pub fn id(&self, position: Position) -> EntryId {
        self.nodes[position as usize].id
    }

    /// The chain of an admitted entry.
    #[must_use]
    pub fn chain(&self, position: Position) -> ChainId {
        self.chains[self.nodes[position as usize].chain as usize].id
    }

    /// The place of an admitted entry in its chain.
    #[must_use]
    pub fn seq(&self, position: Position) -> u32 {
        self.nodes[position as usize].seq
    }

    /// The number of an admitted entry's kind.
    #[must_use]
    pub fn kind(&self, position: Position) -> u16 {
        self.nodes[position as usize].kind
    }

    /// The time an admitted entry's author claimed, in milliseconds since 1970.
    #[must_use]
    pub fn claimed_ms(&self, position: Position) -> u64 {
        let mut bytes = [0; 8];
        bytes[2..].copy_from_slice(&self.nodes[position as usize].claimed);
        u64::from_be_bytes(bytes)
    }

    /// The place of an admitted entry in the order.
    #[must_use]
    pub fn key(&self, position: Position) -> OrderKey {
        let node = &self.nodes[position as usize];
        OrderKey { clock: Clock::from_bytes(&node.clock), id: node.id }
    }

    /// The entry before in the chain.
    #[must_use]
    pub fn previous(&self, position: Position) -> Option<Position> {
        self.nodes[position as usize].previous()
    }

    /// Everything an admitted entry directly follows: its `previous`, then its dependencies in ascending order of
    /// their ids.
    pub fn parents(&self, position: Position) -> impl Iterator<Item = Position> {
        let end = self.nodes[position as usize].others_end as usize;
        let start = match position {
            0 => 0,
            later => self.nodes[later as usize - 1].others_end as usize,
        };
        self.previous(position).into_iter().chain(self.others[start..end].iter().copied())
    }

    /// The entries nothing here follows yet, ascending by position.
    pub fn heads(&self) -> impl Iterator<Item = Position> {
        self.heads.iter().copied()
    }

    /// All entries of a chain, ascending by position.
    #[must_use]
    pub fn chain_entries(&self, chain: &ChainId) -> Vec<Position> {
        let Some(&index) = self.chain_index.get(chain) else { return Vec::new() };
        let chain = &self.chains[index as usize];
        let mut all = [chain.by_seq.as_slice(), chain.forks.as_slice()].concat();
        all.sort_unstable();
        all
    }

    /// The chains whose author wrote two entries after one, with the first two that show it.
    #[must_use]
    pub fn forked(&self) -> Vec<(ChainId, [Position; 2])> {
        let twins = |chain: &Chain| {
            let later = *chain.forks.first()?;
            let first = *chain.by_seq.get((self.seq(later) as usize).checked_sub(1)?)?;
            Some((chain.id, [first, later]))
        };
        self.chains.iter().filter_map(twins).collect()
    }

    /// Who made the room; none before its first entry is here.
    #[must_use]
    pub fn creator(&self) -> Option<AuthorKey> {
        self.nodes.first().map(|node| self.chains[node.chain as usize].id.author)
    }

    /// The invites with a public key, in order: anybody may publish one that is another's already.
    #[must_use]
    pub fn invites_by(&self, key: &AuthorKey) -> Vec<(EntryId, Invite)> {
        let with_key = self.rosters.invites().filter(|(_, _, invite)| invite.key == *key);
        let mut found: Vec<(EntryId, Invite)> = with_key.map(|(_, id, invite)| (id, invite)).collect();
        found.sort_by_key(|(id, _)| self.position(id).map(|at| self.key(at)));
        found
    }

    /// How many admissions cite an invite.
    #[must_use]
    pub fn invite_uses(&self, invite: &EntryId) -> u32 {
        self.rosters.uses(invite)
    }

    /// The cards from the creator down to a member: each admits the author of the next, the last one this member.
    /// Empty for the creator, none for who was never admitted.
    #[must_use]
    pub fn cards(&self, member: &AuthorKey) -> Option<Vec<Card>> {
        self.rosters.cards(member)
    }

    /// Takes back the newest entries, down to this many. Only those admitted since the last [`Graph::settle`] can be.
    ///
    /// # Panics
    /// When asked to take back a durable entry.
    pub fn truncate(&mut self, len: Position) {
        assert!(len >= self.durable, "durable entries are never taken back");
        while self.len() > len {
            let (Some(node), Some(undo)) = (self.nodes.pop(), self.undo.pop()) else { return };
            let at = self.len();
            self.by_id.remove(&node.id, at);
            self.signatures.remove(&at);
            self.heads.remove(&at);
            self.heads.extend(undo.heads);
            self.others.truncate(self.nodes.last().map_or(0, |node| node.others_end as usize));
            if self.rosters.rewind(undo.roster) {
                self.roles.take();
            }
            self.forget_roles_by(&node.id);
            self.unplace(node.chain, node.seq, node.previous(), &undo.placed);
            let chain = &mut self.chains[node.chain as usize];
            if chain.forks.last() == Some(&at) {
                chain.forks.pop();
                chain.fork_index.remove(&(node.seq, half(&node.id)));
            } else {
                chain.by_seq.pop();
            }
            if chain.by_seq.is_empty() {
                self.chain_index.remove(&chain.id);
                self.chains.pop();
            }
        }
    }

    /// Says that the entries below this position are durable: they may be told to peers, and are never taken back.
    pub fn settle(&mut self, durable: Position) {
        for at in self.durable..durable {
            self.messages += u64::from(self.kind(at) == Kind::Message.number());
            if let Some(previous) = self.previous(at) {
                self.tips.remove(&previous);
                self.signatures.remove(&previous);
            }
            self.tips.insert(at);
        }
        self.undo.drain(..(durable - self.durable) as usize);
        self.durable = durable;
        self.digest = self.hash_tips();
    }

    /// SHA-256 over the durable tips in ascending order: chain (40 bytes), seq (4, big-endian), id (32) of each.
    #[must_use]
    pub fn digest(&self) -> Digest {
        self.digest
    }

    /// How many of the durable entries are messages.
    #[must_use]
    pub fn messages(&self) -> u64 {
        self.messages
    }

    /// How many entries are durable.
    #[must_use]
    pub fn durable(&self) -> Position {
        self.durable
    }
}

impl References for Graph {
    fn place(&self, id: &EntryId) -> Option<(ChainId, u32)> {
        self.position(id).map(|at| (self.chain(at), self.seq(at)))
    }

    fn find(&self, chain: &ChainId, seq: u32, prefix: &[u8; 16]) -> Option<EntryId> {
        let chain = &self.chains[*self.chain_index.get(chain)? as usize];
        chain.find(seq, prefix, &self.nodes).map(|at| self.id(at))
    }
}

/// As much of an id as blocks name entries by.
pub(crate) fn half(id: &EntryId) -> [u8; 16] {
    let mut half = [0; 16];
    half.copy_from_slice(&id.0[..16]);
    half
}

/// An index as a position. A log of 2^32 entries would take some 500 GB of memory first.
fn position(index: usize) -> Position {
    Position::try_from(index).expect("a log has fewer than 2^32 entries")
}
