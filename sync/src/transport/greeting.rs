//! The handshake over TCP, from either end.

use std::io;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpSocket, TcpStream};
use tokio::sync::watch;
use tokio::time::{sleep, timeout};

use crate::channel::{Answers, Established, HandshakeError, Initiator, Offer, Responder};
use crate::discovery::Ring;
use crate::limits::{MEETING_PAUSE, MEETING_TIME, STRANGER_MESSAGE_BYTES_MAX};
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

/// Somebody whose handshake succeeded.
#[derive(Debug)]
pub(super) struct Greeting {
    pub(super) socket: TcpStream,
    pub(super) established: Established,
    /// How both may do without the server that is between them.
    pub(super) beside: Option<Box<Beside>>,
}

/// The ends of a pair that a server joined, as the server sees them: by connecting to each other from there, both at
/// once, they get through routers that let in answers alone (Ford, Srisuresh and Kegel, "Peer-to-peer communication
/// across network address translators", 2005).
#[derive(Debug)]
pub(super) struct Beside {
    here: SocketAddr,
    pub(super) there: SocketAddr,
    /// None of who was called, and answers.
    offer: Option<Offer>,
}

/// Connects and shows the offer.
pub(super) async fn dial(way: Way, offer: Offer, limits: TransportLimits) -> Result<Greeting, DialError> {
    let shown_again = offer.clone();
    let connected = timeout(limits.connect_time, connect(way)).await;
    let (mut socket, there) = connected.map_err(|_| DialError::Timeout)??;
    // A port of this machine where nobody listens may be picked for our own end, and TCP then connects it to itself.
    if socket.local_addr()? == socket.peer_addr()? {
        return Err(DialError::Refused);
    }
    socket.set_nodelay(true)?;
    let handshake = timeout(limits.handshake_time, initiate(&mut socket, offer));
    let established = handshake.await.map_err(|_| DialError::Timeout)??;
    let here = socket.local_addr()?;
    let beside = there.map(|there| Box::new(Beside { here, there, offer: Some(shown_again) }));
    Ok(Greeting { socket, established, beside })
}

/// A connection to whoever is there, or at the other end of a server, which says where that is.
async fn connect(way: Way) -> io::Result<(TcpStream, Option<SocketAddr>)> {
    match way {
        Way::Direct(address) => Ok((TcpStream::connect(address).await?, None)),
        Way::Relay(server, slot) => {
            let (socket, there) = join(server, &Request::Call(slot)).await?;
            Ok((socket, Some(there)))
        }
    }
}

/// Has a server join a new connection with another one, and say where that comes from.
async fn join(server: SocketAddr, request: &Request) -> io::Result<(TcpStream, SocketAddr)> {
    let mut socket = connect_from(None, server).await?;
    socket.set_nodelay(true)?;
    write_message(&mut socket, request).await?;
    match read_message(&mut socket).await? {
        Answer::Joined(there) => Ok((socket, there.into())),
        Answer::No(refusal) => Err(io::Error::other(refusal)),
        _ => Err(io::ErrorKind::InvalidData.into()),
    }
}

/// Connects from an address that another connection may have too.
async fn connect_from(here: Option<SocketAddr>, there: SocketAddr) -> io::Result<TcpStream> {
    let (socket, any) = match there {
        SocketAddr::V4(_) => (TcpSocket::new_v4()?, SocketAddr::from((Ipv4Addr::UNSPECIFIED, 0))),
        SocketAddr::V6(_) => (TcpSocket::new_v6()?, SocketAddr::from((Ipv6Addr::UNSPECIFIED, 0))),
    };
    socket.set_reuseaddr(true)?;
    socket.bind(here.unwrap_or(any))?;
    socket.connect(there).await
}

/// Takes a call that waits at a server, and answers whoever calls.
pub(super) async fn pick_up(
    ring: Ring,
    answers: watch::Receiver<Arc<Answers>>,
    limits: TransportLimits,
) -> Result<Greeting, ReceiveError> {
    let request = Request::PickUp(ring.cookie);
    let joined = timeout(limits.connect_time, join(ring.server, &request)).await;
    let (socket, there) = joined.map_err(|_| ReceiveError::Silent)??;
    let here = socket.local_addr()?;
    let greeting = receive(socket, answers, limits.handshake_time).await?;
    Ok(Greeting { beside: Some(Box::new(Beside { here, there, offer: None })), ..greeting })
}

/// Meets the other end of a pair beside its server, if routers let both through.
pub(super) async fn meet(
    beside: Beside,
    answers: watch::Receiver<Arc<Answers>>,
    limits: TransportLimits,
) -> Option<Greeting> {
    let Beside { here, there, offer } = beside;
    let connected = timeout(MEETING_TIME, async {
        loop {
            match connect_from(Some(here), there).await {
                Ok(socket) => return socket,
                // Where a router refused it, the other end was not there yet.
                Err(_) => sleep(MEETING_PAUSE).await,
            }
        }
    });
    let mut socket = connected.await.ok()?;
    let Some(offer) = offer else { return receive(socket, answers, limits.handshake_time).await.ok() };
    socket.set_nodelay(true).ok()?;
    let established = timeout(limits.handshake_time, initiate(&mut socket, offer)).await.ok()?.ok()?;
    Some(Greeting { socket, established, beside: None })
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
    answers: watch::Receiver<Arc<Answers>>,
    time: Duration,
) -> Result<Greeting, ReceiveError> {
    socket.set_nodelay(true)?;
    let established =
        timeout(time, respond(&mut socket, answers)).await.map_err(|_| ReceiveError::Silent)??;
    Ok(Greeting { socket, established, beside: None })
}

async fn respond(
    socket: &mut TcpStream,
    answers: watch::Receiver<Arc<Answers>>,
) -> Result<Established, ReceiveError> {
    let first = read(socket).await?;
    let (responder, answer) = answer(answers, &first).await?;
    write(socket, &answer).await?;
    let last = read(socket).await?;
    Ok(responder.finish(&last)?)
}

/// Answers message 1 by what is there, or will be.
async fn answer(
    mut answers: watch::Receiver<Arc<Answers>>,
    first: &[u8],
) -> Result<(Responder, Vec<u8>), HandshakeError> {
    loop {
        let now = Arc::clone(&answers.borrow_and_update());
        match Responder::answer(&now, first) {
            Err(HandshakeError::NoRoom) if now.awaits_more => {}
            answered => return answered,
        }
        answers.changed().await.map_err(|_| HandshakeError::NoRoom)?;
    }
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
