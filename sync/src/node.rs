//! The node: one home, its rooms, and the one loop in which everything meets.
//!
//! [`Node::start`] opens the home's rooms and runs the loop as a task; the [`Node`] it answers is a handle that sends
//! requests to it. A handle is in one room at a time: what it asks is about that one, and what happens there comes as
//! [`Events`], of which only so many wait: whoever starts a node reads them. Of other rooms it hears how much is new.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use replica::home::{Home, HomeError};
use replica::id::{AuthorKey, RoomId};
use replica::order::OrderKey;
use replica::store::StoreError;
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinSet;

mod driver;
mod events;
mod finding;
mod keeper;
mod listeners;
mod local;
mod network;
mod opening;
mod outputs;
mod requests;
mod rooms;
mod status;
#[cfg(test)]
mod tests;

use crate::conversation::Tag;
use crate::engine::{Command, Row};
use crate::limits::ROOMS_PER_LISTENER_MAX;
use crate::ticket::Ticket;

pub use events::{Events, NodeEvent};
pub use listeners::mentions;
pub use local::{AttachError, Attached};
pub use status::{Fork, InviteStatus, MemberStatus, PeerStatus, Role, RoomStatus, Status};

/// Where a node listens.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Listen {
    /// Nowhere.
    Nowhere,
    /// At the port the home used last, else 7400, else the next free one, at all addresses.
    Usual,
    /// Exactly here; port 0 picks any.
    At(SocketAddr),
}

/// What a node is to do.
#[derive(Clone, Debug)]
pub struct Options {
    /// What this author wants to be called, from now on; none keeps what the home has.
    pub nick: Option<String>,
    /// Where to listen.
    pub listen: Listen,
    /// Addresses (`host:port`) to dial and to keep.
    pub peers: Vec<String>,
    /// A ticket to join by.
    pub ticket: Option<Ticket>,
    /// Where another process has the home: the room that is meant, by name or by how its id begins. None is the home's
    /// current one, and so it is where the home is opened here.
    pub room: Option<String>,
    /// Whether all rooms of the home are opened, and not the current one alone.
    pub all_rooms: bool,
    /// Whether to make a room when the home has none and there is nobody to ask: no ticket and no peer.
    pub makes_room: bool,
    /// Whether to dial, be it named, kept or learned addresses.
    pub dials: bool,
    /// How to find members without being told an address; only where `dials`.
    pub discovery: crate::discovery::Settings,
    /// Whether a person is there who can answer knocks.
    pub attended: bool,
    /// Whether everyone who knocks is let in.
    pub open: bool,
    /// Whether documents are brought up to date in the background. Without it the log alone is kept.
    pub maintains: bool,
    /// Whether other processes of the same user may work through this node while it has the home open.
    pub shares: bool,
}

/// What a verification went through; see [`replica::archive::Verification`].
pub type Verified = replica::archive::Verification;

/// Why a node does not start, or a request has no answer.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum NodeError {
    /// The home.
    #[error(transparent)]
    Home(#[from] HomeError),
    /// The room's store, in this folder.
    #[error("the room's store in {folder}: {source}")]
    Store {
        /// Its folder.
        folder: PathBuf,
        /// Why.
        source: StoreError,
    },
    /// The address to listen at is not to be had.
    #[error("cannot listen at {address}: {reason}")]
    Listen {
        /// Which.
        address: SocketAddr,
        /// The system's word.
        reason: String,
    },
    /// There is no room yet, or not that one.
    #[error("there is no room in this home yet")]
    NoRoom,
    /// As many rooms are open as one listener answers for.
    #[error("{ROOMS_PER_LISTENER_MAX} rooms are open; more are not at once")]
    TooManyRooms,
    /// What is stored is not as it should be.
    #[error(transparent)]
    Verify(#[from] replica::archive::VerifyError),
    /// The documents cannot be put into one.
    #[error("the conversation cannot be exported")]
    Export,
    /// Nobody of that name or key knocks.
    #[error("nobody of that name is knocking")]
    NobodyKnocks,
    /// What was to be written was refused.
    #[error(transparent)]
    Say(#[from] crate::conversation::SayError),
    /// The process that has the home open will not let this one work through it.
    #[error(transparent)]
    Attach(#[from] AttachError),
    /// What failed in the process that has the home open, in its words.
    #[error("{words}")]
    Elsewhere {
        /// Its words.
        words: String,
        /// Whether what is stored is damaged.
        is_damage: bool,
    },
    /// The node has stopped.
    #[error("the node has stopped")]
    Stopped,
}

/// A running node.
#[derive(Debug)]
pub struct Node {
    requests: mpsc::Sender<Request>,
    tasks: JoinSet<()>,
    next_tag: Tag,
}

/// What a handle asks of the loop.
#[derive(Debug)]
pub(crate) enum Request {
    Command(Tag, Command),
    Switch {
        room: RoomId,
        answer: Answer<()>,
    },
    Join {
        ticket: Box<Ticket>,
        answer: Answer<()>,
    },
    Make {
        name: String,
        answer: Answer<()>,
    },
    Page {
        before: Option<OrderKey>,
        count: usize,
        answer: Answer<Vec<Row>>,
    },
    Status(Answer<Box<Status>>),
    Ticket {
        invite: Option<[u8; 32]>,
        answer: Answer<Ticket>,
    },
    Accept {
        name: String,
        answer: Answer<String>,
    },
    Verify(Answer<Verified>),
    Export(Answer<Vec<u8>>),
    Bundle(Answer<Vec<u8>>),
    Block {
        author: AuthorKey,
        blocked: bool,
        answer: Answer<()>,
    },
    /// A guest asks.
    Of(u32, Box<Request>),
    Attach {
        number: u32,
        attach: local::Attach,
        guest: local::Guest,
    },
    Detach(u32),
    Stop(oneshot::Sender<()>),
}

pub(crate) type Answer<T> = oneshot::Sender<Result<T, NodeError>>;

impl Node {
    /// Opens the home's current room, or the ticket's, and runs; the others are opened meanwhile. What it tells must be
    /// read: the node waits until it is.
    ///
    /// # Errors
    /// When the home, that room's store or the address to listen at cannot be used.
    pub async fn start(home: Home, options: Options) -> Result<(Self, Events), NodeError> {
        let (requests, asked) = mpsc::channel(REQUESTS_MAX);
        let (events, told) = mpsc::channel(events::BATCHES_MAX);
        let driver = driver::Driver::start(home, options, events, requests.downgrade()).await?;
        let mut tasks = JoinSet::new();
        tasks.spawn(driver.run(asked));
        Ok((Self { requests, tasks, next_tag: 0 }, Events::new(told)))
    }

    /// Works through the node of the process that has a home open. What that node tells comes here too; of what it told
    /// before, what still holds is told first.
    ///
    /// Of the options, name, peers, ticket and room count, and whether to dial, to let everyone in, to have all rooms
    /// open, and who answers knocks.
    ///
    /// # Errors
    /// When there is no such process, or it will not have us.
    pub async fn attach(folder: &Path, options: &Options) -> Result<(Self, Events, Attached), AttachError> {
        let attach = local::Attach {
            nick: options.nick.clone(),
            peers: options.peers.clone(),
            ticket: options.ticket.as_ref().map(ToString::to_string),
            room: options.room.clone(),
            all_rooms: options.all_rooms,
            dials: options.dials,
            attended: options.attended,
            open: options.open,
        };
        let (pump, attached) = local::attach(folder, attach).await?;
        let (requests, asked) = mpsc::channel(REQUESTS_MAX);
        let (events, told) = mpsc::channel(events::BATCHES_MAX);
        let mut tasks = JoinSet::new();
        tasks.spawn(pump.run(asked, events));
        Ok((Self { requests, tasks, next_tag: 0 }, Events::new(told), attached))
    }

    /// Has something done; its outcome comes as an event with the tag answered here.
    ///
    /// # Errors
    /// When the node has stopped.
    ///
    /// # Cancel safety
    /// Dropped before it is done, the command may or may not be carried out.
    pub async fn command(&mut self, command: Command) -> Result<Tag, NodeError> {
        let tag = self.next_tag + 1;
        self.command_as(tag, command).await?;
        Ok(tag)
    }

    /// Has something done under a tag of the caller's: that of a command whose outcome another node did not tell.
    ///
    /// # Errors
    /// When the node has stopped.
    pub async fn command_as(&mut self, tag: Tag, command: Command) -> Result<(), NodeError> {
        self.next_tag = self.next_tag.max(tag);
        self.requests.send(Request::Command(tag, command)).await.map_err(|_| NodeError::Stopped)
    }

    /// Goes into another room of the home; the one before stays open. It is the home's current one from then on.
    ///
    /// # Errors
    /// When there is no such room, it cannot be opened, or the node has stopped.
    pub async fn switch(&self, room: RoomId) -> Result<(), NodeError> {
        self.ask(|answer| Request::Switch { room, answer }).await
    }

    /// Keeps a ticket's room and goes into it.
    ///
    /// # Errors
    /// When it cannot be kept or opened, or the node has stopped.
    pub async fn join(&self, ticket: Ticket) -> Result<(), NodeError> {
        self.ask(|answer| Request::Join { ticket: Box::new(ticket), answer }).await
    }

    /// Makes a room of that name and goes into it.
    ///
    /// # Errors
    /// When it cannot be made, or the node has stopped.
    pub async fn make_room(&self, name: String) -> Result<(), NodeError> {
        self.ask(|answer| Request::Make { name, answer }).await
    }

    /// Up to `count` rows before (older than) a place in the order, or the newest; newest first.
    ///
    /// # Errors
    /// When there is no room, the store fails, or the node has stopped.
    pub async fn page(&self, before: Option<OrderKey>, count: usize) -> Result<Vec<Row>, NodeError> {
        self.ask(|answer| Request::Page { before, count, answer }).await
    }

    /// How the node stands.
    ///
    /// # Errors
    /// When the node has stopped.
    pub async fn status(&self) -> Result<Box<Status>, NodeError> {
        self.ask(Request::Status).await
    }

    /// A ticket to the room, with an invite's secret where there is one.
    ///
    /// # Errors
    /// When there is no room, or the node has stopped.
    pub async fn ticket(&self, invite: Option<[u8; 32]>) -> Result<Ticket, NodeError> {
        self.ask(|answer| Request::Ticket { invite, answer }).await
    }

    /// Lets in who knocks under this name, or whose key begins so. Answers the name.
    ///
    /// # Errors
    /// When nobody does.
    pub async fn accept(&self, name: String) -> Result<String, NodeError> {
        self.ask(|answer| Request::Accept { name, answer }).await
    }

    /// Goes through everything that is stored.
    ///
    /// # Errors
    /// At the first thing that is wrong.
    pub async fn verify(&self) -> Result<Verified, NodeError> {
        self.ask(Request::Verify).await
    }

    /// The conversation as one Automerge document.
    ///
    /// # Errors
    /// When it cannot be made.
    pub async fn export(&self) -> Result<Vec<u8>, NodeError> {
        self.ask(Request::Export).await
    }

    /// Everything that is here, as a bundle ([`replica::bundle`]).
    ///
    /// # Errors
    /// When there is no room, the store fails, or the node has stopped.
    pub async fn bundle(&self) -> Result<Vec<u8>, NodeError> {
        self.ask(Request::Bundle).await
    }

    /// Shows somebody's messages from now on, or not. Only this home knows.
    ///
    /// # Errors
    /// When that cannot be kept, or the node has stopped.
    pub async fn block(&self, author: AuthorKey, blocked: bool) -> Result<(), NodeError> {
        self.ask(|answer| Request::Block { author, blocked, answer }).await
    }

    /// Says goodbye to all peers, leaves the store in order and ends.
    pub async fn stop(mut self) {
        let (answer, done) = oneshot::channel();
        if self.requests.send(Request::Stop(answer)).await.is_ok() {
            // The loop drops its end when it is done; either way it is.
            done.await.ok();
        }
        if tokio::time::timeout(STOP_TIME, self.tasks.join_next()).await.is_err() {
            tracing::warn!("the node did not stop in time");
        }
    }

    async fn ask<T>(&self, request: impl FnOnce(Answer<T>) -> Request) -> Result<T, NodeError> {
        let (answer, answered) = oneshot::channel();
        self.requests.send(request(answer)).await.map_err(|_| NodeError::Stopped)?;
        answered.await.map_err(|_| NodeError::Stopped)?
    }
}

/// Requests waiting for the loop: a person's, or a script's few.
const REQUESTS_MAX: usize = 256;

/// How long an orderly end may take.
const STOP_TIME: Duration = Duration::from_secs(10);
