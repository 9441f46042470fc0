//! The guest's end: a handle that looks like a node's, over the socket of the process that runs it.

use std::collections::{BTreeMap, VecDeque};
use std::io;
use std::path::Path;

use tokio::net::UnixStream;
use tokio::net::unix::OwnedReadHalf;
use tokio::sync::mpsc;

use crate::limits::{LOCAL_ANSWER_BYTES_MAX, LOCAL_EVENTS_READ_MAX, LOCAL_HELLO_TIME};
use crate::node::local::asks::{Fault, FromGuest, FromHolder, Waiting, to_ask};
use crate::node::local::{
    Attach, AttachError, Attached, SOCKET_FILE, greet, is_own, read_frame, short_path, write_frame,
};
use crate::node::{NodeError, NodeEvent, Request};

/// Connects to the process that has a home open.
///
/// # Errors
/// When there is none, or it will not have us.
pub(in crate::node) async fn attach(folder: &Path, attach: Attach) -> Result<(Pump, Attached), AttachError> {
    let (path, _folder) = short_path(folder, SOCKET_FILE)?;
    let mut stream = match UnixStream::connect(&path).await {
        // Refused by a socket that nobody serves any more.
        Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::ConnectionRefused) => {
            return Err(AttachError::NotServed);
        }
        connected => connected?,
    };
    if !is_own(&stream)? {
        return Err(AttachError::OtherUser);
    }
    let pid = stream.peer_cred()?.pid().and_then(|pid| u32::try_from(pid).ok());
    let greeting = async {
        if let Some(theirs) = greet(&mut stream).await? {
            return Err(AttachError::Version { theirs });
        }
        write_frame(&mut stream, &FromGuest::Attach(attach)).await?;
        match read_frame(&mut stream, LOCAL_ANSWER_BYTES_MAX).await? {
            FromHolder::Attached(attached) => Ok(attached),
            FromHolder::NoSuchRoom(rooms) => Err(AttachError::NoSuchRoom { rooms }),
            FromHolder::NoRoom(fault) => Err(refusal(fault)),
            _ => Err(AttachError::NotServed),
        }
    };
    let attached = match tokio::time::timeout(LOCAL_HELLO_TIME, greeting).await {
        Ok(Ok(attached)) => attached,
        // It ends just now: the lock says whether it is still there.
        Ok(Err(AttachError::Io(error))) if is_hangup(&error) => return Err(AttachError::NotServed),
        Ok(Err(error)) => return Err(error),
        Err(_) => return Err(AttachError::Silent { pid }),
    };
    Ok((Pump { stream }, attached))
}

/// Why the room that is meant is not to be had there.
fn refusal(fault: Fault) -> AttachError {
    let is_damage = matches!(&fault, Fault::Other { is_damage: true, .. });
    AttachError::Room { words: NodeError::from(fault).to_string(), is_damage }
}

fn is_hangup(error: &io::Error) -> bool {
    use io::ErrorKind::{BrokenPipe, ConnectionReset, UnexpectedEof};
    matches!(error.kind(), BrokenPipe | ConnectionReset | UnexpectedEof)
}

/// Carries requests to the holder and what it answers and tells back, until either end is gone.
#[derive(Debug)]
pub(in crate::node) struct Pump {
    stream: UnixStream,
}

impl Pump {
    /// Ends with the handle, or with the holder; then so do the events.
    pub(in crate::node) async fn run(
        self,
        mut requests: mpsc::Receiver<Request>,
        events: mpsc::Sender<VecDeque<NodeEvent>>,
    ) {
        let (mut from, mut to) = self.stream.into_split();
        // Frames are read by a future of its own, which is never dropped half-way through one.
        let (frames, mut read) = mpsc::channel(FRAMES_WAITING);
        let mut reading = std::pin::pin!(read_all(&mut from, frames));
        let mut is_reading = true;
        let mut waiting: BTreeMap<u64, Waiting> = BTreeMap::new();
        let mut asked = 0;
        let mut unread: VecDeque<NodeEvent> = VecDeque::new();
        loop {
            tokio::select! {
                permit = events.reserve(), if !unread.is_empty() => match permit {
                    Ok(permit) => permit.send(std::mem::take(&mut unread)),
                    Err(_) => unread.clear(),
                },
                () = &mut reading, if is_reading => is_reading = false,
                frame = read.recv(), if unread.len() < LOCAL_EVENTS_READ_MAX => match frame {
                    Some(FromHolder::Event(event)) => unread.push_back(event),
                    Some(FromHolder::Answer(number, reply)) => {
                        if let Some(waiting) = waiting.remove(&number) {
                            waiting(reply.map_err(Into::into));
                        }
                    }
                    Some(_) => {}
                    None => break,
                },
                request = requests.recv() => {
                    let frame = match request {
                        None | Some(Request::Stop(_)) => return,
                        Some(Request::Command(tag, command)) => FromGuest::Command(tag, command),
                        Some(request) => {
                            let Some((ask, answer)) = to_ask(request) else { continue };
                            asked += 1;
                            waiting.insert(asked, answer);
                            FromGuest::Ask(asked, ask)
                        }
                    };
                    // A holder that is gone is noticed where its frames end: there may be some to read still.
                    write_frame(&mut to, &frame).await.ok();
                }
            }
        }
        // Nobody waits any more for answers that cannot come.
        drop(waiting);
        if !unread.is_empty() {
            events.send(unread).await.ok();
        }
    }
}

async fn read_all(from: &mut OwnedReadHalf, frames: mpsc::Sender<FromHolder>) {
    while let Ok(frame) = read_frame(from, LOCAL_ANSWER_BYTES_MAX).await {
        if frames.send(frame).await.is_err() {
            return;
        }
    }
}

/// Frames between the socket and whoever waits for them.
const FRAMES_WAITING: usize = 64;
