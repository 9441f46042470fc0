//! What a world sees of every frame as it is sent.

use super::{BTreeMap, EntryId, Frame, World};
use crate::limits::TAG_BYTES;
use crate::wire::{Data, encode};

use replica::block;
use replica::id::Position;

/// How many frames of some kinds one replica sent another.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Traffic {
    /// HELLO.
    pub greeting: u64,
    /// HAVE, WANT and LOCATE.
    pub asking: u64,
    /// DATA and LIVE.
    pub telling: u64,
    /// Bytes of all frames, each with the tag that a channel adds.
    pub bytes: u64,
    /// Those of SEEN among them.
    pub seen_bytes: u64,
}

impl World {
    /// What was sent so far, by who sent it to whom.
    #[must_use]
    pub fn traffic(&self) -> &BTreeMap<(usize, usize), Traffic> {
        &self.traffic
    }

    /// Bytes of frames that were sent to peers that are no replicas, or gone.
    #[must_use]
    pub fn unheard_bytes(&self) -> usize {
        self.unheard_bytes
    }

    /// Entries that a replica told a peer before it had them for good, with which replica. There must be none.
    #[must_use]
    pub fn told_too_early(&self) -> &[(usize, EntryId)] {
        &self.told_too_early
    }

    pub(super) fn watch(&mut self, from: usize, to: usize, frame: &Frame) {
        let traffic = self.traffic.entry((from, to)).or_default();
        let bytes = (encode(frame).len() + TAG_BYTES) as u64;
        traffic.bytes += bytes;
        match frame {
            Frame::Hello(_) => traffic.greeting += 1,
            Frame::Have(_) | Frame::Want(_) | Frame::Locate(_) => traffic.asking += 1,
            Frame::Data(Data { block, .. }) | Frame::Live(block) => {
                traffic.telling += 1;
                self.watch_block(from, block);
            }
            Frame::Seen(_) => traffic.seen_bytes += bytes,
            _ => {}
        }
    }

    fn watch_block(&mut self, from: usize, bytes: &[u8]) {
        let Some(engine) = &self.replicas[from].engine else { return };
        let (graph, durable) = (engine.conversation().graph(), self.replicas[from].durable);
        let entries = block::decode(bytes, &graph.room(), graph).unwrap_or_default();
        let is_early = |id: &EntryId| graph.position(id).is_none_or(|at: Position| at >= durable);
        let early = entries.iter().map(|entry| entry.id()).filter(is_early);
        self.told_too_early.extend(early.map(|id| (from, id)));
    }
}
