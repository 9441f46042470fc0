//! Sending the log: what peers asked for, and what is new.

use std::collections::{BTreeMap, BTreeSet};

use replica::archive::StoredBlock;
use replica::block;
use replica::entry::{Body, Entry};
use replica::id::{AuthorKey, Position};

use crate::conversation::{ConnectionId, Unit, live_frames};
use crate::engine::{Engine, Output};
use crate::limits::{BULK_WEIGHT_MAX, WINDOW_BYTES, WINDOW_PACED_BYTES};
use crate::pace::Allowance;
use crate::wire::{Ack, Credit, Data, Frame};

#[cfg(test)]
mod tests;

impl Engine {
    /// Notes which of the entries that became durable from a position on peers told that they have.
    pub(super) fn note_what_peers_have(&mut self, first: Position) {
        let graph = self.conversation.graph();
        let new = (first..graph.durable()).map(|at| (at, graph.chain(at), graph.seq(at)));
        let new: Vec<_> = new.filter(|(_, chain, _)| !graph.is_forked(chain)).collect();
        for session in self.sessions.values_mut() {
            for (at, _, _) in new.iter().filter(|(_, chain, seq)| session.incoming.reaches(chain, *seq)) {
                session.outgoing.has(*at);
            }
        }
    }

    /// Sends what just became durable to every peer that has all before it; to one whom it puts out, only up to that.
    /// Others read it from the log later.
    pub(super) fn relay(&mut self, units: &[Unit], first: Position) {
        let durable = self.conversation.graph().durable();
        if durable == first {
            return;
        }
        // Peers that have none of it all get the same frames.
        let mut made: BTreeMap<BTreeSet<Position>, Vec<(Frame, usize)>> = BTreeMap::new();
        let mut sends = Vec::new();
        let (graph, me) = (self.conversation.graph(), self.conversation.me());
        for session in self.sessions.values_mut() {
            if !session.is_served || !session.outgoing.is_live(first) {
                continue;
            }
            let held = session.outgoing.held();
            let last;
            let frames = if session.author != me && graph.is_out(&session.author) {
                last = frames_without(held, &until_out(units, &session.author), graph);
                &last
            } else {
                made.entry(held.clone()).or_insert_with(|| frames_without(held, units, graph))
            };
            if !session.outgoing.takes(frames.iter().map(|(frame, _)| block_bytes(frame)).sum()) {
                continue;
            }
            for (frame, entries) in frames {
                session.outgoing.sent(block_bytes(frame), *entries);
                sends.push(Output::Send(session.connection, frame.clone()));
            }
            session.outgoing.advance(durable);
        }
        self.outputs.extend(sends);
    }

    /// Confirms what became durable, and lets the peers that sent it send more.
    pub(super) fn acknowledge(&mut self) {
        let durable = self.conversation.graph().durable();
        let mut sends = Vec::new();
        for session in self.sessions.values_mut() {
            session.incoming.durable(durable);
            let now_ms = self.now.monotonic_ms;
            let allowance = session.incoming.said_by.map_or(Allowance::All, |author| {
                self.pace.allowance(&author, author != session.author, now_ms)
            });
            let (window, until_ms) = match allowance {
                Allowance::All => (WINDOW_BYTES, None),
                Allowance::Little => (WINDOW_PACED_BYTES, None),
                Allowance::Nothing(until_ms) => (0, Some(until_ms)),
            };
            session.incoming.paced_until_ms = until_ms;
            if let Some(bytes) = session.incoming.next_credit(window) {
                sends.push(Output::Send(session.connection, Frame::Credit(Credit { bytes })));
            }
            if let Some(frames) = session.incoming.next_acknowledgement() {
                session.ping_at_rest = true;
                sends.push(Output::Send(session.connection, Frame::Ack(Ack { frames })));
            }
        }
        self.outputs.extend(sends);
    }

    /// Has the store read for every peer that can take more.
    pub(super) fn pump(&mut self) {
        let durable = self.conversation.graph().durable();
        for session in self.sessions.values_mut().filter(|session| session.is_served) {
            if let Some(positions) = session.outgoing.next_read(durable) {
                self.outputs.push_back(Output::Read(session.connection, positions));
            }
        }
    }

    /// The store read some blocks for a peer: those entries of them that it is to get, in as few frames as fit.
    pub(super) fn on_blocks(&mut self, connection: ConnectionId, blocks: &[StoredBlock]) {
        let graph = self.conversation.graph();
        let Some(session) = self.sessions.get_mut(&connection) else { return };
        session.outgoing.is_reading = false;
        let mut frames: Vec<(Vec<u8>, usize)> = Vec::new();
        let mut parts: Vec<Part<'_>> = Vec::new();
        for block in blocks {
            let wanted = session.outgoing.take(block);
            if wanted.is_empty() {
                continue;
            }
            if wanted.len() == block.count as usize && block.bytes.len() >= VERBATIM_BYTES_MIN {
                flush(&mut parts, graph, &mut frames);
                frames.push((block.bytes.clone(), wanted.len()));
                continue;
            }
            let Ok(mut entries) = block::decode(&block.bytes, &graph.room(), graph) else {
                tracing::error!(first = block.first, "a block of the log cannot be read back");
                continue;
            };
            let mut index = 0;
            entries.retain(|_| {
                index += 1;
                wanted.binary_search(&(index - 1)).is_ok()
            });
            if block::unvouched(&entries).into_iter().any(|last| entries[last].signature().is_none()) {
                // Blocks were put together since its tips were told: what vouches for the last of these is farther on
                // in this block. It gets all of it, and what is new to it once.
                flush(&mut parts, graph, &mut frames);
                session.outgoing.took(block);
                frames.push((block.bytes.clone(), block.count as usize));
                continue;
            }
            let weight =
                |parts: &[Part<'_>]| parts.iter().flat_map(|part| &part.entries).map(block::weight).sum();
            let full: usize = weight(&parts);
            if full + entries.iter().map(block::weight).sum::<usize>() > BULK_WEIGHT_MAX {
                flush(&mut parts, graph, &mut frames);
            }
            parts.push(Part { entries, block });
        }
        flush(&mut parts, graph, &mut frames);
        let mut behind: u64 = frames.iter().map(|(_, entries)| *entries as u64).sum();
        for (block, entries) in frames {
            behind -= entries as u64;
            session.outgoing.sent(block.len(), entries);
            let remaining = session.outgoing.remaining() + behind;
            self.outputs.push_back(Output::Send(connection, Frame::Data(Data { block, remaining })));
        }
    }
}

/// Blocks of this size are not worth opening to put them together with others. Full ones of short texts have some 12 KiB.
const VERBATIM_BYTES_MIN: usize = 8 * 1024;

/// What a peer is to get of one stored block: per chain a tail, so that its signatures fit.
struct Part<'a> {
    entries: Vec<Entry>,
    block: &'a StoredBlock,
}

/// Puts parts into one block. Where they do not fit, each into its own; and where one alone does not, it goes as stored,
/// with what the peer has already.
fn flush(parts: &mut Vec<Part<'_>>, graph: &replica::graph::Graph, frames: &mut Vec<(Vec<u8>, usize)>) {
    let parts = std::mem::take(parts);
    let all: Vec<Entry> = parts.iter().flat_map(|part| part.entries.iter().cloned()).collect();
    if all.is_empty() {
        return;
    }
    if let Ok(block) = block::encode(&all, false, graph) {
        return frames.push((block, all.len()));
    }
    for part in parts {
        let block = block::encode(&part.entries, false, graph).unwrap_or_else(|_| part.block.bytes.clone());
        frames.push((block, part.entries.len()));
    }
}

/// What an author who is put out of the room by one of these still gets: what comes before that, and the entry itself,
/// unless it came in one block with more.
fn until_out(units: &[Unit], author: &AuthorKey) -> Vec<Unit> {
    let puts_out = |entry: &Entry| match entry.body() {
        Body::Remove(removal) => removal.key == *author,
        Body::Leave => entry.author() == *author,
        _ => false,
    };
    let mut until = Vec::new();
    for unit in units {
        let Some(at) = unit.entries.iter().position(puts_out) else {
            until.push(unit.clone());
            continue;
        };
        // A block holds what vouches for its entries: it goes as it is, or not at all.
        if unit.block.is_none() || unit.entries.len() == at + 1 {
            until.push(Unit { entries: unit.entries[..=at].to_vec(), ..unit.clone() });
        }
        return until;
    }
    Vec::new()
}

/// The frames for what became durable, without what a peer has. Of a block that came whole it gets all or nothing: what
/// vouches for an entry may be anywhere in it.
fn frames_without(
    held: &BTreeSet<Position>,
    units: &[Unit],
    graph: &replica::graph::Graph,
) -> Vec<(Frame, usize)> {
    let mut frames = Vec::new();
    let mut live: Vec<Entry> = Vec::new();
    for unit in units {
        let lacking = unit.entries.iter().zip(unit.first..).filter(|(_, at)| !held.contains(at));
        let lacking: Vec<&Entry> = lacking.map(|(entry, _)| entry).collect();
        match &unit.block {
            Some(block) if !lacking.is_empty() => {
                frames.append(&mut live_frames(&std::mem::take(&mut live), graph));
                let data = Data { block: block.clone(), remaining: 0 };
                frames.push((Frame::Data(data), unit.entries.len()));
            }
            _ => live.extend(lacking.into_iter().cloned()),
        }
    }
    frames.append(&mut live_frames(&live, graph));
    frames
}

fn block_bytes(frame: &Frame) -> usize {
    match frame {
        Frame::Data(data) => data.block.len(),
        Frame::Live(block) => block.len(),
        _ => 0,
    }
}
