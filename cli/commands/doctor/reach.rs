//! Why nobody is met at an address: what a plain connection there says.

use std::io;
use std::time::Duration;

use tokio::net::{TcpStream, lookup_host};
use tokio::time::timeout;

/// What is at an address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Reach {
    /// No such host is known.
    NoName,
    /// The machine says that nothing listens there.
    Refused,
    /// There is no way to it from here.
    NoRoute,
    /// Nothing comes back.
    Silent,
    /// Something listens.
    Answers,
}

impl Reach {
    /// Tries an address once.
    pub(super) async fn of(address: &str) -> Self {
        let Ok(Ok(mut found)) = timeout(TIME, lookup_host(address)).await else { return Self::NoName };
        let Some(at) = found.next() else { return Self::NoName };
        match timeout(TIME, TcpStream::connect(at)).await {
            Ok(Ok(_)) => Self::Answers,
            Ok(Err(error)) => Self::of_error(&error),
            Err(_) => Self::Silent,
        }
    }

    fn of_error(error: &io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::ConnectionRefused => Self::Refused,
            io::ErrorKind::NetworkUnreachable | io::ErrorKind::HostUnreachable => Self::NoRoute,
            _ => Self::Silent,
        }
    }

    /// What that means, and what to do about it.
    pub(super) fn explain(self) -> (&'static str, &'static str) {
        match self {
            Self::NoName => {
                ("no such host is known", "Is the name spelt as it should be, and is this machine online?")
            }
            Self::Refused => (
                "that machine is there, and nothing listens at that port",
                "Start `replica` there; `replica status` there says at which port it listens.",
            ),
            Self::NoRoute => (
                "there is no way to that address from here",
                "Is this machine in a network, and the right one? Ask them for an address that you can reach.",
            ),
            Self::Silent => (
                "nothing comes back from there",
                "Is that machine on, is the address still theirs, does a firewall on the way drop the port?",
            ),
            Self::Answers => (
                "something listens there, and we did not come to an understanding",
                "It is no replica, or it has no room for us just now: try again, or ask whoever runs it.",
            ),
        }
    }
}

/// Enough for an answer over a slow link.
const TIME: Duration = Duration::from_secs(3);
