//! What a transport tells.

use std::io;
use std::net::SocketAddr;

use crate::channel::{Binding, HandshakeError, Peer};
use crate::conversation::ConnectionId;
use crate::wire::{DecodeError, Frame, TooLong};

/// What happened on the network.
#[derive(Debug)]
pub enum TransportEvent {
    /// A handshake succeeded.
    Connected {
        /// The connection from here on.
        id: ConnectionId,
        /// The other end.
        address: SocketAddr,
        /// Whether we opened it.
        dialed: bool,
        /// Whether a server joins the two ends.
        relayed: bool,
        /// Who is there.
        peer: Peer,
        /// What names the channel, to sign it later.
        binding: Binding,
    },
    /// A peer said something.
    Frame {
        /// On which connection.
        id: ConnectionId,
        /// What.
        frame: Frame,
        /// Its length on the way, before it was sealed.
        bytes: usize,
    },
    /// A connection ended: once for each that was connected, and the last of it.
    Closed {
        /// Which.
        id: ConnectionId,
        /// Why.
        reason: CloseReason,
    },
    /// An attempt to dial ended without a connection.
    DialFailed {
        /// As [`Transport::dial`](super::Transport::dial) named it.
        id: ConnectionId,
        /// Where.
        address: SocketAddr,
        /// Why.
        error: DialError,
    },
    /// Something was refused and [counted](super::Transport::refusals) that belongs to no connection.
    Refused,
}

/// Why a connection ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum CloseReason {
    /// The peer closed it.
    #[error("the peer closed the connection")]
    Ended,
    /// The network lost it.
    #[error("the connection was lost")]
    Lost,
    /// The peer does not read what it is sent.
    #[error("the peer reads too slowly")]
    TooSlow,
    /// The peer announced a message over its limit.
    #[error(transparent)]
    TooLong(#[from] TooLong),
    /// A message was altered on its way.
    #[error("a message was altered on its way")]
    Altered,
    /// The peer sent what is no frame.
    #[error(transparent)]
    NoFrame(#[from] DecodeError),
    /// We closed it.
    #[error("closed from here")]
    Asked,
    /// A defect of this program.
    #[error("the connection failed by a defect of this program")]
    Defect,
}

/// Why dialling led to no connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum DialError {
    /// Nobody listens there.
    #[error("nobody listens there")]
    Refused,
    /// There is no way there.
    #[error("there is no way there")]
    Unreachable,
    /// No answer in time.
    #[error("no answer in time")]
    Timeout,
    /// Somebody listens and ended the connection at our first message: our room is not theirs, or knocks are not
    /// answered, or too many are connected.
    #[error("they do not answer for this room")]
    RoomRefused,
    /// Somebody answered, but not as it must be.
    #[error(transparent)]
    Handshake(#[from] HandshakeError),
    /// Whoever answered sent too much that had to be refused, not long ago.
    #[error("what came from there was refused too often")]
    Banned,
    /// We have as many connections as we may.
    #[error("too many connections")]
    TooMany,
}

impl From<io::Error> for DialError {
    fn from(error: io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::ConnectionRefused => Self::Refused,
            io::ErrorKind::TimedOut => Self::Timeout,
            _ => Self::Unreachable,
        }
    }
}

/// Why a frame was not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SendError {
    /// There is no such connection, or it is closing.
    #[error("the connection is gone")]
    Gone,
    /// The peer was too slow; the connection ends with [`CloseReason::TooSlow`].
    #[error("the peer reads too slowly")]
    TooSlow,
}
