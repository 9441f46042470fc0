//! Where others reach us.

use std::future::poll_fn;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::pin::Pin;
use std::task::Poll;

use socket2::{Domain, Protocol, Socket, Type};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::{Sleep, sleep};

use crate::limits::ACCEPT_PAUSE;

/// Why an address cannot be listened at.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ListenError {
    /// Another socket has it; another port may be free.
    #[error("the address is taken")]
    Taken,
    /// It is not one of this machine's.
    #[error("the address is not one of this machine's")]
    NotHere,
    /// Not for this user: ports below 1024, mostly.
    #[error("the system does not permit it")]
    Forbidden,
    /// Anything else.
    #[error("the system refuses to listen there")]
    Failed(#[source] io::Error),
}

impl From<io::Error> for ListenError {
    fn from(error: io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::AddrInUse => Self::Taken,
            io::ErrorKind::AddrNotAvailable => Self::NotHere,
            io::ErrorKind::PermissionDenied => Self::Forbidden,
            _ => Self::Failed(error),
        }
    }
}

/// Listens at an address; at `[::]` for IPv4 too, or only for it where there is no IPv6.
pub(crate) fn bind(address: SocketAddr) -> Result<TcpListener, ListenError> {
    match bind_exactly(address) {
        Err(ListenError::NotHere | ListenError::Failed(_))
            if address.is_ipv6() && address.ip().is_unspecified() =>
        {
            bind_exactly((Ipv4Addr::UNSPECIFIED, address.port()).into())
        }
        bound => bound,
    }
}

fn bind_exactly(address: SocketAddr) -> Result<TcpListener, ListenError> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
    if address.is_ipv6() {
        socket.set_only_v6(!address.ip().is_unspecified())?;
    }
    // Elsewhere it would let two programs listen at one port.
    if cfg!(unix) {
        socket.set_reuse_address(true)?;
    }
    socket.set_nonblocking(true)?;
    socket.bind(&address.into())?;
    socket.listen(BACKLOG)?;
    Ok(TcpListener::from_std(socket.into())?)
}

/// Connections the system completes before we accept them.
const BACKLOG: i32 = 128;

/// All listeners as one.
#[derive(Debug, Default)]
pub(super) struct Accepting {
    listeners: Vec<TcpListener>,
    /// Set after a failure; until then nothing is accepted.
    pause: Option<Pin<Box<Sleep>>>,
}

impl Accepting {
    pub(super) fn add(&mut self, listener: TcpListener) {
        self.listeners.push(listener);
    }

    /// Who connects next. Cancel safe: all progress is in `self` and in the sockets.
    pub(super) async fn accept(&mut self) -> (TcpStream, SocketAddr) {
        poll_fn(|context| {
            loop {
                if let Some(pause) = &mut self.pause {
                    std::task::ready!(pause.as_mut().poll(context));
                    self.pause = None;
                }
                let ready = self.listeners.iter().find_map(|listener| match listener.poll_accept(context) {
                    Poll::Ready(accepted) => Some(accepted),
                    Poll::Pending => None,
                });
                match ready {
                    Some(Ok(accepted)) => return Poll::Ready(accepted),
                    Some(Err(error)) => {
                        tracing::warn!(%error, "could not accept a connection");
                        self.pause = Some(Box::pin(sleep(ACCEPT_PAUSE)));
                    }
                    None => return Poll::Pending,
                }
            }
        })
        .await
    }
}
