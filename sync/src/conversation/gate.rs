//! The gate: what a peer's block must pass before its entries are admitted.

use std::collections::BTreeMap;

use replica::block::{self, DecodeError};
use replica::entry::Entry;
use replica::graph::{Graph, Refusal};
use replica::id::ChainId;

use rayon::prelude::*;

use crate::conversation::{ConnectionId, Conversation, Origin, Unit};
use crate::limits::{LIVE_ENTRIES_MAX, PENDING_BYTES_MAX, PENDING_TOTAL_BYTES_MAX};
use crate::penalty::Refused;

#[cfg(test)]
mod tests;

/// How a block came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BlockKind {
    /// In bulk: only what no other entry of the block vouches for is signed.
    Data,
    /// As it was written: every entry is signed.
    Live,
}

/// Why a block ends the connection it came on.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Offence {
    /// Not a block, or over the limits.
    #[error(transparent)]
    Decode(#[from] DecodeError),
    /// An entry without the signature it needs, or with a wrong one.
    #[error("an entry is not signed by its author")]
    NotAuthentic,
    /// An entry that is not valid.
    #[error("an entry is not valid: {0}")]
    NotValid(#[from] Refusal),
}

impl Offence {
    /// What it counts as.
    #[must_use]
    pub fn refused(&self) -> Refused {
        match self {
            Self::Decode(_) => Refused::BadBlock,
            Self::NotAuthentic => Refused::NotAuthentic,
            Self::NotValid(_) => Refused::NotValid,
        }
    }
}

/// What became of a block, and of those that had waited for it.
#[derive(Debug, Default)]
pub struct Received {
    /// Which frame of which connection was taken in, and how many entries in it were new.
    pub taken: Vec<(ConnectionId, u64, usize)>,
    /// Which connections are to be ended, and why.
    pub offences: Vec<(ConnectionId, Offence)>,
}

/// A frame whose causes have not come.
#[derive(Debug)]
struct Waiting {
    connection: ConnectionId,
    frame: u64,
    kind: BlockKind,
    bytes: Vec<u8>,
    /// How often it was read already, and something was missing.
    tries: u32,
}

impl Waiting {
    /// What it takes here once it is read, which may be at any moment; or as it is, if that is more.
    fn size(&self) -> usize {
        block::inflated_bytes(&self.bytes).max(self.bytes.len())
    }
}

/// An entry that a frame may wait for: its chain, seq, and the first half of its id.
type Cause = (ChainId, u32, [u8; 16]);

/// Frames that wait for an entry they build on. Bounded in bytes, inflated as they will be, and in how often one is read;
/// what does not fit is forgotten, and asked for again when digests stay unequal.
#[derive(Debug, Default)]
pub(super) struct Pool {
    waiting: BTreeMap<Cause, Vec<Waiting>>,
    bytes: usize,
    by_peer: BTreeMap<ConnectionId, usize>,
}

impl Pool {
    fn put(&mut self, cause: Cause, mut frame: Waiting) {
        frame.tries += 1;
        let size = frame.size();
        let of_peer = self.by_peer.entry(frame.connection).or_default();
        if frame.tries > TRIES_MAX
            || *of_peer + size > PENDING_BYTES_MAX
            || self.bytes + size > PENDING_TOTAL_BYTES_MAX
        {
            return;
        }
        *of_peer += size;
        self.bytes += size;
        self.waiting.entry(cause).or_default().push(frame);
    }

    fn take(&mut self, cause: &Cause) -> Vec<Waiting> {
        let frames = self.waiting.remove(cause).unwrap_or_default();
        for frame in &frames {
            self.bytes -= frame.size();
            if let Some(of_peer) = self.by_peer.get_mut(&frame.connection) {
                *of_peer -= frame.size();
            }
        }
        frames
    }

    /// Forgets what came on a connection.
    fn forget(&mut self, connection: ConnectionId) {
        for frames in self.waiting.values_mut() {
            frames.retain(|frame| frame.connection != connection);
        }
        self.waiting.retain(|_, frames| !frames.is_empty());
        self.bytes -= self.by_peer.remove(&connection).unwrap_or(0);
    }
}

impl Conversation {
    /// Takes a block from a peer. Its new entries are staged; a block that builds on what is not here waits. What waited
    /// for it is taken in too. Nothing of a block that offends is kept.
    pub fn receive(
        &mut self,
        connection: ConnectionId,
        frame: u64,
        kind: BlockKind,
        bytes: Vec<u8>,
    ) -> Received {
        let mut received = Received::default();
        let mut work = vec![Waiting { connection, frame, kind, bytes, tries: 0 }];
        while let Some(next) = work.pop() {
            let (from, number) = (next.connection, next.frame);
            match self.take_block(next) {
                Ok(Some(new)) => {
                    received.taken.push((from, number, new.len()));
                    new.iter().for_each(|cause| work.extend(self.pool.take(cause)));
                }
                Ok(None) => {}
                Err(offence) => received.offences.push((from, offence)),
            }
        }
        received
    }

    /// Bytes of blocks that wait for their causes.
    #[must_use]
    pub fn waiting_bytes(&self) -> usize {
        self.pool.bytes
    }

    /// Forgets what waits from a connection that ended.
    pub fn forget(&mut self, connection: ConnectionId) {
        self.pool.forget(connection);
    }

    /// What may be waited for of the new entries, now staged; none if the block waits.
    fn take_block(&mut self, waiting: Waiting) -> Result<Option<Vec<Cause>>, Offence> {
        let entries = match block::decode(&waiting.bytes, &self.graph.room(), &self.graph) {
            Ok(entries) => entries,
            Err(DecodeError::Unresolved { chain, seq, prefix }) => {
                self.pool.put((chain, seq, prefix), waiting);
                return Ok(None);
            }
            Err(error) => return Err(error.into()),
        };
        let all = entries.len();
        if waiting.kind == BlockKind::Live && all > LIVE_ENTRIES_MAX {
            return Err(DecodeError::TooLarge.into());
        }
        let new: Vec<Entry> = entries.into_iter().filter(|entry| !self.graph.has(entry)).collect();
        if new.is_empty() {
            return Ok(Some(Vec::new()));
        }
        let first = self.graph.len();
        let graph = &mut self.graph;
        let (authentic, admitted) = if new.len() < PARALLEL_ENTRIES_MIN {
            (authenticate(&new, waiting.kind), admit_all(graph, &new))
        } else {
            rayon::join(|| authenticate(&new, waiting.kind), || admit_all(graph, &new))
        };
        if let Err(offence) = authentic.and(admitted) {
            self.graph.truncate(first);
            return Err(offence);
        }
        for (entry, at) in new.iter().zip(first..) {
            self.members.apply(entry, self.graph.key(at));
        }
        let causes = new.iter().map(cause).collect();
        let block = (new.len() == all && waiting.kind == BlockKind::Data).then_some(waiting.bytes);
        let block = block.or_else(|| self.recut(&new, waiting.kind));
        let origin = Origin::Peer(waiting.connection, waiting.frame);
        self.staged.push_back(Unit { entries: new, first, block, origin });
        Ok(Some(causes))
    }

    /// A block of the new entries of one that overlapped what is here. Per chain they are a tail, so the signatures
    /// fit. Live entries keep theirs and are put into blocks with others later.
    fn recut(&self, new: &[Entry], kind: BlockKind) -> Option<Vec<u8>> {
        match kind {
            BlockKind::Live => None,
            BlockKind::Data => block::encode(new, false, &self.graph).ok(),
        }
    }
}

/// How often a frame is read of which something is missing. Frames come in an order in which what they build on is
/// before them: those that wait for many others, one after the other, are made for that.
const TRIES_MAX: u32 = 16;

fn cause(entry: &Entry) -> Cause {
    let mut prefix = [0; 16];
    prefix.copy_from_slice(&entry.id().0[..16]);
    (entry.record().chain, entry.record().seq, prefix)
}

/// From so many entries on, their signatures are checked while they are admitted. Admission takes as long as the
/// signatures of a full block, that of a few entries less than waking another core.
const PARALLEL_ENTRIES_MIN: usize = 64;

/// From so many signatures on, several cores check them: each takes as long as waking one.
const PARALLEL_SIGNATURES_MIN: usize = 8;

/// Admits all of them, or up to the first that is not valid.
fn admit_all(graph: &mut Graph, new: &[Entry]) -> Result<(), Offence> {
    for entry in new {
        graph.admit(entry)?;
    }
    Ok(())
}

/// Checks the signatures that a block's new entries need.
fn authenticate(new: &[Entry], kind: BlockKind) -> Result<(), Offence> {
    let signed = match kind {
        BlockKind::Live if new.len() < PARALLEL_SIGNATURES_MIN => new.iter().all(Entry::is_signed),
        BlockKind::Live => new.par_iter().all(Entry::is_signed),
        BlockKind::Data => block::unvouched(new).into_par_iter().all(|index| new[index].is_signed()),
    };
    if signed { Ok(()) } else { Err(Offence::NotAuthentic) }
}
