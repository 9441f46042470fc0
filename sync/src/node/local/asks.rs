//! What a guest asks and is answered, as it passes the socket; and as requests to the loop, on either side.

use std::pin::Pin;

use data_encoding::BASE64;
use replica::archive::VerifyError;
use replica::id::{AuthorKey, RoomId};
use replica::order::OrderKey;
use replica::store::StoreError;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use tokio::sync::oneshot;

use crate::conversation::{SayError, Tag};
use crate::engine::{Command, Row};
use crate::node::local::{Attach, Attached};
use crate::node::{Answer, NodeError, NodeEvent, Request, Status, Verified};

/// A frame of a guest.
#[derive(Debug, Deserialize, Serialize)]
pub(super) enum FromGuest {
    Attach(Attach),
    Command(Tag, Command),
    Ask(u64, Ask),
}

/// A frame of the holder.
#[derive(Debug, Deserialize, Serialize)]
pub(super) enum FromHolder {
    Attached(Attached),
    /// The room that is meant is none of these.
    NoSuchRoom(Vec<(RoomId, String)>),
    /// It is not to be had.
    NoRoom(Fault),
    Answer(u64, Result<Reply, Fault>),
    Event(NodeEvent),
}

#[derive(Debug, Deserialize, Serialize)]
pub(super) enum Ask {
    Page { before: Option<OrderKey>, count: usize },
    Status,
    Ticket { invite: Option<[u8; 32]> },
    Accept { name: String },
    Verify,
    Export,
    Bundle,
    Block { author: AuthorKey, blocked: bool },
    Switch(RoomId),
    Join(String),
    Make(String),
}

#[derive(Debug, Deserialize, Serialize)]
pub(super) enum Reply {
    Done,
    Page(Vec<Row>),
    Status(Box<Status>),
    Text(String),
    Verified(Verified),
    Bytes(Bytes),
}

/// Bytes, as text.
#[derive(Debug)]
pub(super) struct Bytes(Vec<u8>);

impl Serialize for Bytes {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_str(&BASE64.encode(&self.0))
    }
}

impl<'de> Deserialize<'de> for Bytes {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let text = String::deserialize(from)?;
        BASE64.decode(text.as_bytes()).map(Self).map_err(de::Error::custom)
    }
}

/// A [`NodeError`], as far as somebody would act differently on it.
#[derive(Debug, Deserialize, Serialize)]
pub(super) enum Fault {
    NoRoom,
    TooManyRooms,
    Export,
    NobodyKnocks,
    Say(SayError),
    Stopped,
    Documents(usize),
    Other { words: String, is_damage: bool },
}

impl From<NodeError> for Fault {
    fn from(error: NodeError) -> Self {
        match error {
            NodeError::NoRoom => Self::NoRoom,
            NodeError::TooManyRooms => Self::TooManyRooms,
            NodeError::Export => Self::Export,
            NodeError::NobodyKnocks => Self::NobodyKnocks,
            NodeError::Say(error) => Self::Say(error),
            NodeError::Stopped => Self::Stopped,
            NodeError::Verify(VerifyError::Documents(count)) => Self::Documents(count),
            other => {
                let is_io = |error: &StoreError| matches!(error, StoreError::Io(_));
                let is_damage = match &other {
                    NodeError::Store { source, .. } => !is_io(source),
                    NodeError::Verify(VerifyError::Store(source)) => !is_io(source),
                    NodeError::Verify(_) => true,
                    NodeError::Elsewhere { is_damage, .. } => *is_damage,
                    _ => false,
                };
                Self::Other { words: other.to_string(), is_damage }
            }
        }
    }
}

impl From<Fault> for NodeError {
    fn from(fault: Fault) -> Self {
        match fault {
            Fault::NoRoom => Self::NoRoom,
            Fault::TooManyRooms => Self::TooManyRooms,
            Fault::Export => Self::Export,
            Fault::NobodyKnocks => Self::NobodyKnocks,
            Fault::Say(error) => Self::Say(error),
            Fault::Stopped => Self::Stopped,
            Fault::Documents(count) => Self::Verify(VerifyError::Documents(count)),
            Fault::Other { words, is_damage } => Self::Elsewhere { words, is_damage },
        }
    }
}

/// Who waits for a reply. Dropped, they learn that the node has stopped.
pub(super) type Waiting = Box<dyn FnOnce(Result<Reply, NodeError>) + Send>;

/// A request as a guest sends it, and who waits for its answer. None for those that do not pass.
pub(super) fn to_ask(request: Request) -> Option<(Ask, Waiting)> {
    Some(match request {
        Request::Page { before, count, answer } => (
            Ask::Page { before, count },
            waiting(answer, |reply| if let Reply::Page(rows) = reply { Some(rows) } else { None }),
        ),
        Request::Status(answer) => (
            Ask::Status,
            waiting(answer, |reply| if let Reply::Status(status) = reply { Some(status) } else { None }),
        ),
        Request::Ticket { invite, answer } => (
            Ask::Ticket { invite },
            waiting(answer, |reply| if let Reply::Text(text) = reply { text.parse().ok() } else { None }),
        ),
        Request::Accept { name, answer } => (
            Ask::Accept { name },
            waiting(answer, |reply| if let Reply::Text(name) = reply { Some(name) } else { None }),
        ),
        Request::Verify(answer) => (
            Ask::Verify,
            waiting(
                answer,
                |reply| if let Reply::Verified(verified) = reply { Some(verified) } else { None },
            ),
        ),
        Request::Export(answer) => (
            Ask::Export,
            waiting(answer, |reply| if let Reply::Bytes(bytes) = reply { Some(bytes.0) } else { None }),
        ),
        Request::Bundle(answer) => (
            Ask::Bundle,
            waiting(answer, |reply| if let Reply::Bytes(bytes) = reply { Some(bytes.0) } else { None }),
        ),
        Request::Block { author, blocked, answer } => (
            Ask::Block { author, blocked },
            waiting(answer, |reply| if let Reply::Done = reply { Some(()) } else { None }),
        ),
        Request::Switch { room, answer } => (
            Ask::Switch(room),
            waiting(answer, |reply| if let Reply::Done = reply { Some(()) } else { None }),
        ),
        Request::Join { ticket, answer } => (
            Ask::Join(ticket.to_string()),
            waiting(answer, |reply| if let Reply::Done = reply { Some(()) } else { None }),
        ),
        Request::Make { name, answer } => {
            (Ask::Make(name), waiting(answer, |reply| if let Reply::Done = reply { Some(()) } else { None }))
        }
        Request::Command(..)
        | Request::Of(..)
        | Request::Attach { .. }
        | Request::Detach(_)
        | Request::Stop(_) => {
            return None;
        }
    })
}

fn waiting<T: Send + 'static>(answer: Answer<T>, read: fn(Reply) -> Option<T>) -> Waiting {
    Box::new(move |reply| {
        // Whoever asked may have gone.
        answer.send(reply.and_then(|reply| read(reply).ok_or(NodeError::Stopped))).ok();
    })
}

type Replying = Pin<Box<dyn Future<Output = Result<Reply, Fault>> + Send>>;

/// What a guest asks, as a request to the loop, and its reply once there is one. None for a ticket that is none.
pub(super) fn to_request(ask: Ask) -> Option<(Request, Replying)> {
    Some(match ask {
        Ask::Page { before, count } => {
            replying(|answer| Request::Page { before, count, answer }, Reply::Page)
        }
        Ask::Status => replying(Request::Status, Reply::Status),
        Ask::Ticket { invite } => {
            replying(|answer| Request::Ticket { invite, answer }, |ticket| Reply::Text(ticket.to_string()))
        }
        Ask::Accept { name } => replying(|answer| Request::Accept { name, answer }, Reply::Text),
        Ask::Verify => replying(Request::Verify, Reply::Verified),
        Ask::Export => replying(Request::Export, |bytes| Reply::Bytes(Bytes(bytes))),
        Ask::Bundle => replying(Request::Bundle, |bytes| Reply::Bytes(Bytes(bytes))),
        Ask::Block { author, blocked } => {
            replying(|answer| Request::Block { author, blocked, answer }, |()| Reply::Done)
        }
        Ask::Switch(room) => replying(|answer| Request::Switch { room, answer }, |()| Reply::Done),
        Ask::Make(name) => replying(|answer| Request::Make { name, answer }, |()| Reply::Done),
        Ask::Join(ticket) => {
            let ticket = Box::new(ticket.parse().ok()?);
            replying(|answer| Request::Join { ticket, answer }, |()| Reply::Done)
        }
    })
}

fn replying<T: Send + 'static>(
    request: impl FnOnce(Answer<T>) -> Request,
    reply: impl FnOnce(T) -> Reply + Send + 'static,
) -> (Request, Replying) {
    let (answer, answered) = oneshot::channel();
    let replying = async move {
        let answer = answered.await.unwrap_or(Err(NodeError::Stopped));
        answer.map(reply).map_err(Fault::from)
    };
    (request(answer), Box::pin(replying))
}
