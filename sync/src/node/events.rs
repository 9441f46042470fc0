//! What a node tells, on its way to whoever reads it: as many events at once as wait, so that a long history does not
//! wake its reader for every row.

use std::collections::VecDeque;
use std::net::SocketAddr;

use replica::id::{AuthorKey, RoomId};
use serde::{Deserialize, Serialize};
use tokio::sync::mpsc;

use crate::engine::Event;
use crate::penalty::Refusals;
use crate::wire::Bye;

/// Something a node tells. Text and names in it are from peers: not to be shown as they are.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[non_exhaustive]
pub enum NodeEvent {
    /// Connections are accepted here.
    Listening(SocketAddr),
    /// The room that the handle is in from now on. Told once at the start if there is one, and on every change.
    Room {
        /// Which.
        id: RoomId,
        /// What this home calls it.
        name: String,
        /// Whether it was made just now.
        is_new: bool,
        /// The room that was left because somebody let us into theirs, if there was one: it stays open.
        left: Option<String>,
    },
    /// What the engine of the room tells.
    Engine(Event),
    /// In another room than the handle's there is something new. Told a moment after it came, for all of it together.
    Elsewhere {
        /// Which.
        id: RoomId,
        /// What this home calls it.
        name: String,
        /// Messages of others that came since the handle was last in it.
        new: u64,
        /// Whether one of them names us.
        names_us: bool,
    },
    /// The store of another room than the handle's failed, or it could not be opened. The others go on.
    RoomFailed {
        /// Which.
        id: RoomId,
        /// What this home calls it.
        name: String,
        /// Why.
        why: String,
    },
    /// Somebody knocks. Let in by [`Node::accept`](crate::node::Node::accept).
    Knocking {
        /// Their name, in their word.
        name: String,
        /// Their key.
        author: AuthorKey,
        /// Where they are.
        address: String,
    },
    /// We knock at an address: somebody there has to let us in.
    KnockSent {
        /// Which address.
        address: String,
    },
    /// Somebody let us in, or comes into our room.
    KnockAnswered {
        /// Which address.
        address: String,
    },
    /// Whoever answers at an address declined our knock.
    KnockRefused {
        /// Which address.
        address: String,
        /// Their words; not to be shown as they are.
        bye: Bye,
    },
    /// What is at an address is not our room, and we are not alone in ours: we need a ticket of theirs.
    OtherRoom {
        /// Which address.
        address: String,
    },
    /// Another process runs the node from now on, since the one that did ended. Told by whoever works through it.
    HolderChanged {
        /// Whether it is this one.
        is_ours: bool,
    },
    /// So much was refused since the node runs. Told a moment after there was more of it.
    Refused(Refusals),
    /// The store of the handle's room failed, so that nothing more is written; or no room could be made.
    Failed(String),
}

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
