//! What one peer sends us.

use super::{BTreeMap, Tip};
use crate::limits::TIPS_TOLD_MAX;

/// The incoming half of a session.
#[derive(Debug, Default)]
pub(crate) struct Incoming {
    /// Tips of a HAVE that is still coming in.
    coming: Vec<Tip>,
    /// The tips last told, until they were asked for.
    pub(crate) told: Option<Vec<Tip>>,
    /// How many entries were wanted and have not come.
    wanted: u64,
    /// When bulk last made progress, if this peer is a source of it.
    pub(crate) bulk_since_ms: Option<u64>,
    /// Frames with blocks, by number, with how many of their entries are not durable yet.
    open: BTreeMap<u64, usize>,
    frames: u64,
    acknowledged: u64,
    /// New entries received, for the report.
    pub(crate) received: u64,
}

impl Incoming {
    /// Takes one frame of a HAVE. True once it is complete; none if the peer tells too much.
    pub(crate) fn have(&mut self, tips: impl IntoIterator<Item = Tip>, last: bool) -> Option<bool> {
        self.coming.extend(tips);
        if self.coming.len() > TIPS_TOLD_MAX {
            return None;
        }
        if last {
            self.told = Some(std::mem::take(&mut self.coming));
        }
        Some(last)
    }

    /// So many entries were asked for.
    pub(crate) fn want(&mut self, entries: u64, now_ms: u64) {
        self.wanted = entries;
        self.bulk_since_ms = (entries > 0).then_some(now_ms);
    }

    /// A frame with a block begins: its number.
    pub(crate) fn frame(&mut self) -> u64 {
        let number = self.frames;
        self.frames += 1;
        self.open.insert(number, 1);
        number
    }

    /// A bulk frame came, with so many entries still behind it.
    pub(crate) fn bulk(&mut self, remaining: u64, now_ms: u64) {
        if self.bulk_since_ms.is_some() {
            self.wanted = remaining;
            self.bulk_since_ms = (remaining > 0).then_some(now_ms);
        }
    }

    /// The bulk asked for will not come from here.
    pub(crate) fn give_up_bulk(&mut self) {
        self.wanted = 0;
        self.bulk_since_ms = None;
    }

    /// A frame's block was taken in: so many of its entries are new and wait to be durable.
    pub(crate) fn taken(&mut self, number: u64, new: usize) {
        self.received += new as u64;
        self.open.insert(number, new);
        self.close_if_done(number);
    }

    /// So many entries of a frame are durable now.
    pub(crate) fn durable(&mut self, number: u64, entries: usize) {
        if let Some(left) = self.open.get_mut(&number) {
            *left = left.saturating_sub(entries);
        }
        self.close_if_done(number);
    }

    /// How many frames are durable in all, if that is news.
    pub(crate) fn next_acknowledgement(&mut self) -> Option<u64> {
        let done = self.open.first_key_value().map_or(self.frames, |(number, _)| *number);
        (done > self.acknowledged).then(|| {
            self.acknowledged = done;
            done
        })
    }

    /// How many entries the peer is known to have that are not here.
    pub(crate) fn missing(&self) -> u64 {
        self.wanted
    }

    pub(crate) fn is_at_rest(&self) -> bool {
        self.bulk_since_ms.is_none()
    }

    fn close_if_done(&mut self, number: u64) {
        if self.open.get(&number) == Some(&0) {
            self.open.remove(&number);
        }
    }
}
