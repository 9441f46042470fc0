//! Whose event comes next: everyone in turn, by what their events weigh.
//!
//! Deficit round robin (Shreedhar and Varghese, 1995). What somebody says in passing does not wait behind all that
//! somebody else sends in bulk, and of two who send in bulk each gets half.

use std::collections::{BTreeMap, VecDeque};

use crate::conversation::ConnectionId;
use crate::transport::{Queued, TransportEvent};

#[cfg(test)]
mod tests;

/// Events that wait, of each connection in order.
#[derive(Debug, Default)]
pub(super) struct Turns {
    lanes: BTreeMap<Option<ConnectionId>, Lane>,
    /// Who is next. Each of them has events.
    line: VecDeque<Option<ConnectionId>>,
    len: usize,
}

#[derive(Debug)]
struct Lane {
    events: VecDeque<Queued>,
    /// What the next event may weigh.
    credit: usize,
}

impl Turns {
    pub(super) fn len(&self) -> usize {
        self.len
    }

    pub(super) fn is_empty(&self) -> bool {
        self.len == 0
    }

    pub(super) fn push(&mut self, queued: Queued) {
        let id = queued.0.connection();
        let lane = self.lanes.entry(id).or_insert_with(|| {
            self.line.push_back(id);
            Lane { events: VecDeque::new(), credit: TURN_BYTES }
        });
        lane.events.push_back(queued);
        self.len += 1;
    }

    pub(super) fn pop(&mut self) -> Option<TransportEvent> {
        loop {
            let id = *self.line.front()?;
            let lane = self.lanes.get_mut(&id)?;
            let weight = lane.events.front()?.0.bytes();
            if self.line.len() > 1 && lane.credit < weight {
                lane.credit += TURN_BYTES;
                self.line.rotate_left(1);
                continue;
            }
            lane.credit = lane.credit.saturating_sub(weight);
            let (event, _) = lane.events.pop_front()?;
            if lane.events.is_empty() {
                self.lanes.remove(&id);
                self.line.pop_front();
            }
            self.len -= 1;
            return Some(event);
        }
    }
}

impl TransportEvent {
    /// What it is about, unless that never was a connection.
    fn connection(&self) -> Option<ConnectionId> {
        match self {
            Self::Connected { id, .. }
            | Self::Frame { id, .. }
            | Self::Closed { id, .. }
            | Self::DialFailed { id, .. } => Some(*id),
            Self::Refused => None,
        }
    }

    fn bytes(&self) -> usize {
        if let Self::Frame { bytes, .. } = self { *bytes } else { 0 }
    }
}

/// What a turn may weigh: a few things said, and a small part of a full frame.
const TURN_BYTES: usize = 2 * 1024;
