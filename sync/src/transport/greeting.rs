//! The handshake over TCP, from either end.

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::timeout;

use crate::channel::{Answers, Established, HandshakeError, Initiator, Offer, Responder};
use crate::discovery::Ring;
use crate::limits::STRANGER_MESSAGE_BYTES_MAX;
use crate::rendezvous::{Answer, Request, read_message, write_message};
use crate::transport::{DialError, TransportLimits, Way};

/// Why whoever connected is no peer.
#[derive(Debug, thiserror::Error)]
pub(super) enum ReceiveError {
    #[error("no handshake in time")]
    Silent,
    #[error("the connection ended in the handshake")]
    Ended(#[from] io::Error),
    #[error(transparent)]
    Handshake(#[from] HandshakeError),
}

/// Connects and shows the offer.
pub(super) async fn dial(
    way: Way,
    offer: Offer,
    limits: TransportLimits,
) -> Result<(TcpStream, Established), DialError> {
    let connected = timeout(limits.connect_time, connect(way)).await;
    let mut socket = connected.map_err(|_| DialError::Timeout)??;
    // A port of this machine where nobody listens may be picked for our own end, and TCP then connects it to itself.
    if socket.local_addr()? == socket.peer_addr()? {
        return Err(DialError::Refused);
    }
    socket.set_nodelay(true)?;
    let handshake = timeout(limits.handshake_time, initiate(&mut socket, offer));
    let established = handshake.await.map_err(|_| DialError::Timeout)??;
    Ok((socket, established))
}

/// A connection to whoever is there, or at the other end of a server.
async fn connect(way: Way) -> io::Result<TcpStream> {
    let (server, request) = match way {
        Way::Direct(address) => return TcpStream::connect(address).await,
        Way::Relay(server, slot) => (server, Request::Call(slot)),
    };
    join(server, &request).await
}

/// Has a server join a new connection with another one.
async fn join(server: SocketAddr, request: &Request) -> io::Result<TcpStream> {
    let mut socket = TcpStream::connect(server).await?;
    socket.set_nodelay(true)?;
    write_message(&mut socket, request).await?;
    match read_message(&mut socket).await? {
        Answer::Joined => Ok(socket),
        Answer::No(refusal) => Err(io::Error::other(refusal)),
        _ => Err(io::ErrorKind::InvalidData.into()),
    }
}

/// Takes a call that waits at a server, and answers whoever calls.
pub(super) async fn pick_up(
    ring: Ring,
    answers: &Answers,
    limits: TransportLimits,
) -> Result<(TcpStream, Established), ReceiveError> {
    let request = Request::PickUp(ring.cookie);
    let joined = timeout(limits.connect_time, join(ring.server, &request)).await;
    receive(joined.map_err(|_| ReceiveError::Silent)??, answers, limits.handshake_time).await
}

async fn initiate(socket: &mut TcpStream, offer: Offer) -> Result<Established, DialError> {
    let (initiator, first) = Initiator::new(offer)?;
    // Who does not answer for a room ends the connection; an end by any error is no different.
    write(socket, &first).await.map_err(|_| DialError::RoomRefused)?;
    let answer = read(socket).await.map_err(|_| DialError::RoomRefused)?;
    let (last, established) = initiator.finish(&answer)?;
    write(socket, &last).await.map_err(|_| DialError::RoomRefused)?;
    Ok(established)
}

/// Answers whoever connected.
pub(super) async fn receive(
    mut socket: TcpStream,
    answers: &Answers,
    time: Duration,
) -> Result<(TcpStream, Established), ReceiveError> {
    socket.set_nodelay(true)?;
    let established =
        timeout(time, respond(&mut socket, answers)).await.map_err(|_| ReceiveError::Silent)??;
    Ok((socket, established))
}

async fn respond(socket: &mut TcpStream, answers: &Answers) -> Result<Established, ReceiveError> {
    let first = read(socket).await?;
    let (responder, answer) = Responder::answer(answers, &first)?;
    write(socket, &answer).await?;
    let last = read(socket).await?;
    Ok(responder.finish(&last)?)
}

/// Writes a message after its length.
async fn write(socket: &mut TcpStream, message: &[u8]) -> io::Result<()> {
    let length = u16::try_from(message.len()).map_err(|_| io::ErrorKind::InvalidInput)?;
    socket.write_all(&[&length.to_be_bytes(), message].concat()).await
}

/// Reads one message and not a byte more: what follows belongs to the channel.
async fn read(socket: &mut TcpStream) -> io::Result<Vec<u8>> {
    let length = usize::from(socket.read_u16().await?);
    if length > STRANGER_MESSAGE_BYTES_MAX {
        return Err(io::ErrorKind::InvalidData.into());
    }
    let mut message = vec![0; length];
    socket.read_exact(&mut message).await?;
    Ok(message)
}
