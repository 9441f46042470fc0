//! What one peer is sent of the log.

use fixedbitset::FixedBitSet;
use replica::archive::StoredBlock;

use super::{BTreeSet, Position, VecDeque};
use crate::limits::{OPEN_FRAMES_MAX, WINDOW_BYTES, WINDOW_FIRST_BYTES};

#[cfg(test)]
mod tests;

/// The outgoing half of a session.
#[derive(Debug)]
pub(crate) struct Outgoing {
    /// Positions the peer lacks and is to be sent, ascending.
    plan: VecDeque<Position>,
    /// Positions asked for by a request that is not complete. Nothing of it is sent before all of it is known: the log's
    /// order is what sees that no two frames wait for each other.
    requested: FixedBitSet,
    /// Whether that request names anything.
    pub(crate) is_asked: bool,
    /// How many more of the peer's WANTs end the request: one, and one for each LOCATE.
    request_ends: u32,
    /// From here on the peer is sent everything that becomes durable; none until it is known what it lacks below.
    cursor: Option<Position>,
    /// Where the cursor will start: how much was durable when the peer was last told our tips.
    told: Position,
    /// Positions at or above the cursor that this peer has: it sent them, or told of them.
    held: BTreeSet<Position>,
    /// Whether the store is reading for this peer.
    pub(crate) is_reading: bool,
    /// How many bytes of blocks the peer still takes.
    credit: i64,
    /// Frames sent and not yet acknowledged, oldest first, by how many entries each has.
    unacknowledged: VecDeque<usize>,
    frames_acknowledged: u64,
    /// Entries sent in all, for the report.
    pub(crate) sent: u64,
}

impl Outgoing {
    pub(crate) fn new(told: Position) -> Self {
        Self {
            plan: VecDeque::new(),
            requested: FixedBitSet::new(),
            is_asked: false,
            request_ends: 1,
            cursor: None,
            told,
            held: BTreeSet::new(),
            is_reading: false,
            credit: i64::try_from(WINDOW_FIRST_BYTES).unwrap_or(i64::MAX),
            unacknowledged: VecDeque::new(),
            frames_acknowledged: 0,
            sent: 0,
        }
    }

    /// The peer was told our tips as of so many durable entries.
    pub(crate) fn tell(&mut self, durable: Position) {
        if self.cursor.is_none() {
            self.told = durable;
            self.held = self.held.split_off(&durable);
        }
    }

    /// It is known what the peer lacks of what it was told: that is sent, and from now on it hears everything newer.
    pub(crate) fn release(&mut self) {
        self.cursor.get_or_insert(self.told);
        if !self.requested.is_empty() {
            let plan = std::mem::take(&mut self.plan);
            self.request(plan);
            let all = std::mem::take(&mut self.requested);
            self.plan = all.ones().filter_map(|at| Position::try_from(at).ok()).collect();
        }
    }

    /// The peer has all below a position and nothing else: it is sent everything from there on.
    pub(crate) fn resume(&mut self, from: Position) {
        self.told = from;
        self.release();
    }

    pub(crate) fn is_released(&self) -> bool {
        self.cursor.is_some()
    }

    /// Adds positions that the peer asks for. They are sent once its request is complete.
    pub(crate) fn request(&mut self, positions: impl IntoIterator<Item = Position>) {
        positions.into_iter().for_each(|at| self.requested.grow_and_insert(at as usize));
    }

    /// Whether the peer's request has this entry.
    pub(crate) fn is_requested(&self, at: Position) -> bool {
        self.requested.contains(at as usize)
    }

    /// The peer is asked back; its answer belongs to the same request.
    pub(crate) fn ask_back(&mut self) {
        self.request_ends = self.request_ends.saturating_add(1);
    }

    /// The peer's request, or its answer to being asked back, ends. Answers whether nothing more of it is to come.
    pub(crate) fn end_request(&mut self) -> bool {
        self.request_ends = self.request_ends.saturating_sub(1);
        let is_complete = self.request_ends == 0;
        if is_complete {
            self.request_ends = 1;
            self.release();
        }
        is_complete
    }

    /// The peer has this entry: it sent it, or told of it.
    pub(crate) fn has(&mut self, position: Position) {
        if position >= self.cursor.unwrap_or(self.told) {
            self.held.insert(position);
        }
    }

    /// What this peer is known to have by this connection, for the one that is kept in its place.
    pub(crate) fn take_held(&mut self) -> BTreeSet<Position> {
        std::mem::take(&mut self.held)
    }

    /// Whether newly durable entries from `first` on can be sent at once, without reading the log.
    pub(crate) fn is_live(&self, first: Position) -> bool {
        self.plan.is_empty() && !self.is_reading && self.credit > 0 && self.cursor == Some(first)
    }

    /// Positions at or above the cursor that the peer has: it sent them, or told of them.
    pub(crate) fn held(&self) -> &BTreeSet<Position> {
        &self.held
    }

    /// Everything below was sent live.
    pub(crate) fn advance(&mut self, durable: Position) {
        self.cursor = Some(durable);
        self.held = self.held.split_off(&durable);
    }

    /// The next positions to read from the log, if it is time to.
    pub(crate) fn next_read(&mut self, durable: Position) -> Option<Vec<Position>> {
        if self.is_reading || self.is_starved() {
            return None;
        }
        if self.plan.is_empty()
            && let Some(cursor) = self.cursor
            && cursor < durable
        {
            let held = &self.held;
            self.plan.extend((cursor..durable).filter(|at| !held.contains(at)));
            self.advance(durable);
        }
        if self.plan.is_empty() {
            return None;
        }
        self.is_reading = true;
        Some(self.plan.iter().take(READ_POSITIONS_MAX).copied().collect())
    }

    /// Those of a block's positions that are next in the plan, taken off it, as indices into the block.
    pub(crate) fn take(&mut self, block: &StoredBlock) -> Vec<usize> {
        let end = block.first + block.count;
        let mut taken = Vec::new();
        while let Some(&next) = self.plan.front()
            && (block.first..end).contains(&next)
        {
            taken.push((next - block.first) as usize);
            self.plan.pop_front();
        }
        taken
    }

    /// The peer gets all of a block: nothing of it is sent again.
    pub(crate) fn took(&mut self, block: &StoredBlock) {
        (block.first..block.first + block.count).for_each(|at| self.has(at));
    }

    /// How many entries are still to be sent.
    pub(crate) fn remaining(&self) -> u64 {
        self.plan.len() as u64
    }

    /// A frame with a block is on its way.
    pub(crate) fn sent(&mut self, bytes: usize, entries: usize) {
        self.credit -= i64::try_from(bytes).unwrap_or(i64::MAX);
        self.sent += entries as u64;
        self.unacknowledged.push_back(entries);
    }

    pub(crate) fn grant(&mut self, bytes: u32) {
        self.credit = (self.credit + i64::from(bytes)).min(i64::try_from(WINDOW_BYTES).unwrap_or(i64::MAX));
    }

    /// The peer has so many of our frames for good.
    pub(crate) fn acknowledge(&mut self, frames: u64) {
        while self.frames_acknowledged < frames && self.unacknowledged.pop_front().is_some() {
            self.frames_acknowledged += 1;
        }
    }

    /// Whether fewer frames wait for a confirmation than the peer may leave open.
    pub(crate) fn is_confirming(&self) -> bool {
        self.unacknowledged.len() < OPEN_FRAMES_MAX
    }

    /// Whether everything sent is confirmed.
    pub(crate) fn is_confirmed(&self) -> bool {
        self.unacknowledged.is_empty()
    }

    /// The peer has everything durable: it said so in a digest. Answers whether that is news of something that was sent.
    pub(crate) fn confirm(&mut self, durable: Position) -> bool {
        if self.is_released() && !self.is_reading {
            self.plan.clear();
            self.advance(durable);
        }
        let confirmed = std::mem::take(&mut self.unacknowledged).len() as u64;
        self.frames_acknowledged += confirmed;
        confirmed > 0
    }

    /// Whether the peer takes nothing now.
    pub(crate) fn is_starved(&self) -> bool {
        self.credit <= 0
    }

    /// How many of the durable entries the peer is not known to have.
    pub(crate) fn missing(&self, durable: Position) -> u64 {
        let newer = u64::from(durable.saturating_sub(self.cursor.unwrap_or(self.told)));
        let newer = newer.saturating_sub(self.held.len() as u64);
        self.remaining() + self.unacknowledged.iter().sum::<usize>() as u64 + newer
    }

    /// Whether so many bytes more stay within what the peer takes.
    pub(crate) fn takes(&self, bytes: usize) -> bool {
        i64::try_from(bytes).is_ok_and(|bytes| bytes <= self.credit)
    }

    pub(crate) fn is_at_rest(&self, durable: Position, is_served: bool) -> bool {
        !is_served || self.plan.is_empty() && !self.is_reading && self.cursor == Some(durable)
    }
}

/// Most positions one read of the log may name: what fits into a few frames.
const READ_POSITIONS_MAX: usize = 8_192;
