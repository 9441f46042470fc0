//! What goes into an engine and what comes out of it.

use replica::archive::{Batch, StoredBlock};
use replica::id::{AuthorKey, EntryId, Position};
use serde::{Deserialize, Serialize};

use crate::book::Trouble;
use crate::conversation::{ConnectionId, Tag};
use crate::engine::{Event, PeerProof};
use crate::wire::{Address, Bye, Frame};

/// What time it is, by two clocks: one that only goes forward, and the author's own.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Now {
    /// Milliseconds since some start; for deadlines.
    pub monotonic_ms: u64,
    /// Milliseconds since 1970; for entries.
    pub wall_ms: u64,
}

/// What happened.
#[derive(Debug)]
#[non_exhaustive]
pub enum Input {
    /// A channel to someone who knows the room's secret stands.
    Connected {
        /// Its number from now on.
        connection: ConnectionId,
        /// Where the peer is.
        address: String,
        /// Whether we dialled that address.
        dialed: bool,
        /// Who it is, and why it may come in.
        proof: PeerProof,
    },
    /// A frame came.
    Frame(ConnectionId, Frame),
    /// A connection ended.
    Closed(ConnectionId),
    /// A dial did not become a connection.
    DialFailed(String, Trouble),
    /// The batch given out last is durable. For each of its entries in order: how many rows stand behind it.
    Persisted(Vec<u32>),
    /// The store failed.
    StoreFailed,
    /// The blocks that were asked for with [`Output::Read`].
    Blocks(ConnectionId, Vec<StoredBlock>),
    /// What was asked for with [`Output::ReadNewest`]: the positions of the newest rows, newest first, and the blocks
    /// that hold them.
    Newest(ConnectionId, Vec<Position>, Vec<StoredBlock>),
    /// Someone here wants something.
    Command(Tag, Command),
    /// The time waited for came.
    Tick,
}

/// What someone here can want.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[non_exhaustive]
pub enum Command {
    /// Say something.
    Say(String),
    /// Be called otherwise.
    SetNick(String),
    /// Say what the room is about from now on; nothing, if it is empty.
    SetTopic(String),
    /// Publish an invite.
    Invite {
        /// Until when it holds, in milliseconds since 1970.
        expires_ms: Option<u64>,
        /// How many may use it.
        uses: Option<u32>,
    },
    /// Let a key in.
    Admit(AuthorKey),
    /// Make a member an admin.
    Promote(AuthorKey),
    /// End somebody else's membership. What they did as far as it is here goes on to count.
    Remove(AuthorKey),
    /// Take an invite back.
    Revoke(EntryId),
    /// Take in a block of a bundle.
    Import(Vec<u8>),
    /// Dial an address from now on.
    Dial(String),
    /// An address was found where a member may be.
    Found(String),
    /// Dial every known address that is not connected now, however often it failed.
    Redial,
    /// Dial nobody and hold no connection, or do so again.
    SetOnline(bool),
    /// End the membership.
    Leave,
    /// End all connections.
    HangUp,
    /// Be reachable at these addresses from now on.
    #[serde(skip)]
    Reachable(Vec<Address>),
}

/// What is to be done.
#[derive(Debug)]
#[non_exhaustive]
pub enum Output {
    /// Send a frame.
    Send(ConnectionId, Frame),
    /// End a connection, after saying why.
    Close(ConnectionId, Option<Bye>),
    /// Dial an address.
    Dial(String),
    /// Make this durable, then answer [`Input::Persisted`]. One at a time.
    Persist(Batch),
    /// Read the blocks with these positions (ascending), from the first on, as many as is sensible; answer
    /// [`Input::Blocks`].
    Read(ConnectionId, Vec<Position>),
    /// Read the blocks that hold so many of the newest rows, or fewer; answer [`Input::Newest`].
    ReadNewest(ConnectionId, usize),
    /// Tell whoever listens.
    Event(Event),
    /// Nothing more to do before the next input, or before this time on the monotonic clock.
    Wait(Option<u64>),
}

/// How an engine starts.
#[derive(Clone, Debug, Default)]
pub struct Settings {
    /// Seeds all its randomness.
    pub seed: [u8; 32],
    /// Addresses this replica can be reached at, told to members.
    pub listening: Vec<Address>,
    /// Whether to dial and gossip addresses learned from peers.
    pub learns_addresses: bool,
}
