//! What has been read: where the new begins, and what arrived above it since.

use std::collections::VecDeque;

use replica::order::OrderKey;

#[cfg(test)]
mod tests;

/// How far somebody has read.
#[derive(Debug, Default)]
pub(crate) struct Reading {
    /// The last row that had been read before what is new.
    pub(crate) new_after: Option<OrderKey>,
    /// The last row that somebody saw.
    seen_to: Option<OrderKey>,
    last_arrival_ms: Option<u64>,
    /// Messages that came while nobody looked at the end.
    pub(crate) unread: u64,
    /// Rows that came above what had been seen, and have not been looked at.
    pub(crate) late: VecDeque<OrderKey>,
}

/// What arrives, and who sees it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Arrival {
    pub(crate) key: OrderKey,
    pub(crate) is_own: bool,
    pub(crate) is_message: bool,
    /// Whether it is part of a long history that comes for the first time.
    pub(crate) is_history: bool,
    /// Whether somebody looks at the end of the log.
    pub(crate) is_watched: bool,
    /// What is newest before it.
    pub(crate) newest: Option<OrderKey>,
    pub(crate) now_ms: u64,
}

impl Reading {
    /// The room was opened where it had been read up to here; so many messages came since.
    pub(crate) fn resume(&mut self, read: Option<OrderKey>, newest: Option<OrderKey>) {
        *self = Self { seen_to: read.or(newest), ..Self::default() };
        self.new_after = read.filter(|read| newest.is_some_and(|newest| newest > *read));
    }

    /// Takes note of a row. Says whether it came late: above what had been seen.
    pub(crate) fn arrive(&mut self, it: Arrival) -> bool {
        // What comes in one burst is seen as one: a row is not late to those that came with it.
        let is_burst = self.last_arrival_ms.is_some_and(|last| it.now_ms < last.saturating_add(BURST_MS));
        self.last_arrival_ms = Some(it.now_ms);
        if it.is_watched && !is_burst {
            self.seen_to = self.seen_to.max(it.newest);
        }
        if it.is_own {
            (self.new_after, self.unread) = (None, 0);
            return false;
        }
        if !it.is_watched && it.is_message {
            self.unread += 1;
            self.new_after = self.new_after.or(it.newest);
        }
        let is_late = !it.is_history && self.seen_to.is_some_and(|seen| it.key < seen);
        if is_late && it.is_message {
            self.late.push_back(it.key);
            if self.late.len() > LATE_MAX {
                self.late.pop_front();
            }
        }
        is_late
    }

    /// Somebody looks at the end.
    pub(crate) fn look(&mut self, newest: Option<OrderKey>) {
        self.seen_to = self.seen_to.max(newest);
        self.unread = 0;
    }

    /// Nobody looks at the end any more: what comes from now on is new.
    pub(crate) fn look_away(&mut self) {
        if self.unread == 0 {
            self.new_after = None;
        }
    }

    /// How far was read.
    pub(crate) fn seen_to(&self) -> Option<OrderKey> {
        self.seen_to
    }
}

/// Rows that come this close to each other come together.
const BURST_MS: u64 = 500;

/// Late rows to be jumped to.
const LATE_MAX: usize = 1_000;
