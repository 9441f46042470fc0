//! What a node tells, on its way to whoever reads it: as many events at once as wait, so that a long history does not
//! wake its reader for every row.

use std::collections::VecDeque;

use tokio::sync::mpsc;

use crate::node::NodeEvent;

/// What a node tells, in order. Ends when the node has.
#[derive(Debug)]
pub struct Events {
    batches: mpsc::Receiver<VecDeque<NodeEvent>>,
    /// What came and was not read yet.
    unread: VecDeque<NodeEvent>,
}

impl Events {
    pub(super) fn new(batches: mpsc::Receiver<VecDeque<NodeEvent>>) -> Self {
        Self { batches, unread: VecDeque::new() }
    }

    /// The next event, once there is one; none when the node has ended.
    ///
    /// # Cancel safety
    /// No event is lost.
    pub async fn recv(&mut self) -> Option<NodeEvent> {
        while self.unread.is_empty() {
            self.unread = self.batches.recv().await?;
        }
        self.unread.pop_front()
    }

    /// The next event, if there is one already.
    pub fn try_recv(&mut self) -> Option<NodeEvent> {
        while self.unread.is_empty() {
            self.unread = self.batches.try_recv().ok()?;
        }
        self.unread.pop_front()
    }
}

/// Batches waiting for whoever reads. More events wait in the loop, and then the network does.
pub(super) const BATCHES_MAX: usize = 1;
