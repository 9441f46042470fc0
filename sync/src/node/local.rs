//! One home, many processes: the one that has a home open lets others of the same user work through its node.
//!
//! A socket lies in the home while its node runs. A *guest* is another process that is connected to it: what it asks
//! goes to the loop as if it came from the node's own handle, and what the node tells is told to it too. Each guest is in
//! a room of its own choice, which need not be the handle's. The socket is made beside its place and renamed, so one that
//! a killed process left is simply replaced.
//!
//! ```text
//! guest: Hello, Attach, then Ask…        holder: Hello, Attached, then Answer and Event…
//! ```
//! Each frame is a u32, big-endian, with the length of the JSON that follows.

use std::fs::File;
use std::io;
use std::os::fd::AsRawFd as _;
use std::path::{Path, PathBuf};

use replica::id::{AuthorKey, RoomId};
use serde::{Deserialize, Serialize};
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::UnixStream;

mod asks;
mod connection;
mod guest;
mod host;
#[cfg(test)]
mod tests;

pub(super) use guest::attach;
pub(super) use host::{Guest, Host};

use crate::limits::LOCAL_HELLO_BYTES_MAX;

/// What a guest wants of the node beside answers.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
pub(crate) struct Attach {
    /// What this author wants to be called.
    pub(crate) nick: Option<String>,
    /// Addresses to dial and to keep.
    pub(crate) peers: Vec<String>,
    /// A ticket, as text: its room is the one that is meant.
    pub(crate) ticket: Option<String>,
    /// The room that is meant, by name or by how its id begins; else the home's current one.
    pub(crate) room: Option<String>,
    /// Whether all rooms of the home are to be open.
    pub(crate) all_rooms: bool,
    /// Whether every known address is to be dialled now, however long ago it last failed.
    pub(crate) dials: bool,
    /// Whether a person is there who can answer knocks.
    pub(crate) attended: bool,
    /// Whether everyone who knocks is let in while this guest is there.
    pub(crate) open: bool,
}

/// What a guest is told first.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub struct Attached {
    /// The process that has the home open.
    pub pid: u32,
    /// Who we are.
    pub me: AuthorKey,
    /// The room that the guest is in.
    pub room: Option<RoomId>,
    /// Every room of the home, and what it is called here.
    pub rooms: Vec<(RoomId, String)>,
    /// Addresses that somebody named, now or earlier.
    pub named: Vec<String>,
    /// Whether the node dials at all, now.
    pub dials: bool,
}

/// Why one cannot work through the process that has a home open.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum AttachError {
    /// No process serves the home: it ended, or is about to.
    #[error("no process lets others use this home")]
    NotServed,
    /// A process has the home's socket open and does not answer: it sleeps, or hangs.
    #[error("the process that has the home open{} does not answer", pid.map_or(String::new(), |pid| format!(" ({pid})")))]
    Silent {
        /// Which one, if the system says so.
        pid: Option<u32>,
    },
    /// It is another version of the program.
    #[error("the process that has the home open is another version of replica ({theirs}; this is {VERSION})")]
    Version {
        /// Which.
        theirs: String,
    },
    /// It belongs to somebody else.
    #[error("the process that has the home open belongs to another user")]
    OtherUser,
    /// There is no such room in the home, or there are several.
    #[error("there is no such room in this home")]
    NoSuchRoom {
        /// All that there are.
        rooms: Vec<(RoomId, String)>,
    },
    /// The room that is meant cannot be opened there, in the words of that process.
    #[error("{words}")]
    Room {
        /// Its words.
        words: String,
        /// Whether what is stored is damaged.
        is_damage: bool,
    },
    /// The system refused.
    #[error("the home's socket cannot be used: {0}")]
    Io(#[from] io::Error),
}

/// The first frame of both sides. Its form never changes.
#[derive(Debug, Deserialize, Serialize)]
struct Hello {
    replica: String,
}

impl Hello {
    fn new() -> Self {
        Self { replica: VERSION.to_owned() }
    }
}

/// Both sides must be the same: what passes are the program's own types.
const VERSION: &str = concat!(env!("CARGO_PKG_VERSION"), ".2");

/// What the socket is called in a home.
const SOCKET_FILE: &str = "socket";

/// Whether the other end of a socket is a process of this user.
fn is_own(stream: &UnixStream) -> io::Result<bool> {
    Ok(stream.peer_cred()?.uid() == rustix::process::geteuid().as_raw())
}

/// A path by which a file in a folder fits a socket's address, which holds little more than a hundred bytes. The
/// folder's handle must live as long as the path is used.
fn short_path(folder: &Path, name: &str) -> io::Result<(PathBuf, Option<File>)> {
    let path = folder.join(name);
    if path.as_os_str().len() <= SOCKET_PATH_BYTES_MAX {
        return Ok((path, None));
    }
    let folder = File::open(folder)?;
    Ok((PathBuf::from(format!("/proc/self/fd/{}", folder.as_raw_fd())).join(name), Some(folder)))
}

/// Shorter than any system's limit, which is 104 or 108 bytes with the zero at the end.
const SOCKET_PATH_BYTES_MAX: usize = 100;

async fn write_frame(to: &mut (impl AsyncWrite + Unpin), frame: &impl Serialize) -> io::Result<()> {
    to.write_all(&encode(frame)?).await
}

/// A frame with its length before it.
fn encode(frame: &impl Serialize) -> io::Result<Vec<u8>> {
    let mut bytes = vec![0; 4];
    serde_json::to_writer(&mut bytes, frame)?;
    let length = u32::try_from(bytes.len() - 4).map_err(io::Error::other)?;
    bytes[..4].copy_from_slice(&length.to_be_bytes());
    Ok(bytes)
}

/// The next frame. Nothing is allocated for one that is over the limit.
async fn read_frame<T: for<'de> Deserialize<'de>>(
    from: &mut (impl AsyncRead + Unpin),
    bytes_max: usize,
) -> io::Result<T> {
    let length = from.read_u32().await? as usize;
    if length > bytes_max {
        return Err(io::Error::new(io::ErrorKind::InvalidData, "a frame over the limit"));
    }
    let mut bytes = vec![0; length];
    from.read_exact(&mut bytes).await?;
    Ok(serde_json::from_slice(&bytes)?)
}

/// Tells who we are and hears who is there. Answers the other side's version if it is not ours.
async fn greet(stream: &mut UnixStream) -> io::Result<Option<String>> {
    write_frame(stream, &Hello::new()).await?;
    let hello: Hello = read_frame(stream, LOCAL_HELLO_BYTES_MAX).await?;
    Ok((hello.replica != VERSION).then_some(hello.replica))
}
