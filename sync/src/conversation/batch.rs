//! From what was admitted to what is durable: one batch at a time.

use std::collections::BTreeMap;

use replica::archive::{Batch, NewBlock, NewRow, Peer};
use replica::block;
use replica::entry::Entry;
use replica::graph::Graph;
use replica::id::Position;

use crate::conversation::{Conversation, Landed};
use crate::limits::{BATCH_BYTES_MAX, BATCH_WEIGHT_MAX, LIVE_ENTRIES_MAX};
use crate::wire::Frame;

impl Conversation {
    /// What the store keeps of where members can be reached. Answered once.
    pub fn take_whereabouts(&mut self) -> BTreeMap<Peer, Vec<u8>> {
        std::mem::take(&mut self.whereabouts)
    }

    /// Has a row's worth of bytes kept of where a member can be reached, or none any more.
    pub fn keep_whereabouts(&mut self, peer: Peer, bytes: Option<Vec<u8>>) {
        if !self.read_only {
            self.staged_extra.whereabouts.insert(peer, bytes);
        }
    }

    /// What to make durable next, if the last batch is. Limited in bytes; ask again when it has landed.
    pub fn poll_batch(&mut self) -> Option<Batch> {
        if self.in_flight.is_some() || self.read_only {
            return None;
        }
        // Drafts become entries in the batch that deletes them; and rows are told by branch as all that is staged makes
        // them, so a new branch becomes durable with them. Such a batch takes everything.
        let is_whole = !self.staged_extra.drafts_done.is_empty() || self.has_staged_branch();
        let mut batch = std::mem::take(&mut self.staged_extra);
        let mut landed = Landed { units: Vec::new(), drafts: std::mem::take(&mut self.staged_drafts) };
        // Entries that came one by one, with the position of the first.
        let mut small = (0, Vec::new());
        let (mut bytes, mut weight) = (0, 0);
        while (is_whole || bytes < BATCH_BYTES_MAX && weight < BATCH_WEIGHT_MAX)
            && let Some(unit) = self.staged.pop_front()
        {
            let inflated: usize = unit.entries.iter().map(block::weight).sum();
            bytes += unit.block.as_ref().map_or(inflated, Vec::len);
            weight += inflated;
            if let Some(block) = &unit.block {
                self.cut_blocks(&mut small, &mut batch.blocks);
                let rows = self.rows(unit.first, unit.entries.len());
                batch.blocks.push(NewBlock { bytes: block.clone(), rows });
            } else {
                if small.1.is_empty() {
                    small.0 = unit.first;
                }
                small.1.extend(unit.entries.iter().cloned());
            }
            landed.units.push(unit);
        }
        self.cut_blocks(&mut small, &mut batch.blocks);
        if let (Some(first), Some(last)) = (landed.units.first(), landed.units.last()) {
            batch.relined = self.graph.relined(first.first..last.first + length(last.entries.len()));
        }
        if batch == Batch::default() {
            return None;
        }
        self.in_flight = Some(landed);
        Some(batch)
    }

    fn has_staged_branch(&self) -> bool {
        let first = self.staged.front().map_or(self.graph.len(), |unit| unit.first);
        (first..self.graph.len()).any(|at| self.graph.has_moved(at))
    }

    /// The batch given out last is durable.
    pub fn persisted(&mut self) -> Landed {
        let landed = self.in_flight.take().unwrap_or_default();
        if let Some(last) = landed.units.last() {
            self.graph.settle(last.first + length(last.entries.len()));
        }
        landed
    }

    /// Puts entries that came one by one into blocks. All of a batch become durable together, so a later one of a block
    /// may vouch for an earlier one.
    fn cut_blocks(&self, (first, entries): &mut (Position, Vec<Entry>), blocks: &mut Vec<NewBlock>) {
        for (bytes, part) in encode_parts(&std::mem::take(entries), false, &self.graph) {
            blocks.push(NewBlock { bytes, rows: self.rows(*first, part.len()) });
            *first += length(part.len());
        }
    }

    /// Rows of so many admitted entries from a position on.
    fn rows(&self, first: Position, count: usize) -> Vec<NewRow> {
        let row = |at| NewRow { key: self.graph.key(at), run: self.graph.run(at) };
        (first..first + length(count)).map(row).collect()
    }
}

fn length(entries: usize) -> Position {
    Position::try_from(entries).expect("a block has few entries")
}

/// Encodes entries, halving what does not fit into one block.
pub(crate) fn encode_parts<'a>(
    entries: &'a [Entry],
    keep_signatures: bool,
    graph: &Graph,
) -> Vec<(Vec<u8>, &'a [Entry])> {
    if entries.is_empty() {
        return Vec::new();
    }
    match block::encode(entries, keep_signatures, graph) {
        Ok(bytes) => vec![(bytes, entries)],
        Err(_) if entries.len() > 1 => {
            let (older, newer) = entries.split_at(entries.len() / 2);
            let mut parts = encode_parts(older, keep_signatures, graph);
            parts.extend(encode_parts(newer, keep_signatures, graph));
            parts
        }
        Err(error) => unreachable!("one admitted entry always fits into a block: {error}"),
    }
}

/// Frames that carry entries as they are written.
pub(crate) fn live_frames(entries: &[Entry], graph: &Graph) -> Vec<(Frame, usize)> {
    let parts = entries.chunks(LIVE_ENTRIES_MAX).flat_map(|part| encode_parts(part, true, graph));
    parts.map(|(bytes, part)| (Frame::Live(bytes), part.len())).collect()
}
