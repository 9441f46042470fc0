//! One connection: seals what is queued, opens what comes.
//!
//! One task for both directions, since they share the channel. It waits for whichever can go on: room to write only
//! while there is something to write, bytes to read only while what was read before has been delivered.

use std::future::{Future, pending};
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::sync::mpsc::{self, OwnedPermit};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::timeout;

use crate::channel::Channel;
use crate::conversation::ConnectionId;
use crate::limits::{INBOUND_EVENTS_PER_CONNECTION_MAX, NOISE_MESSAGE_BYTES_MAX, TAG_BYTES};
use crate::transport::outbox::{Source, Tally};
use crate::transport::{CloseReason, TransportEvent};
use crate::wire::{Bye, ByeReason, Deframer, Frame, decode, encode};

/// Sealed bytes collected for one write: enough to make the system call cheap beside the cipher.
const WRITE_BYTES: usize = 64 * 1024;

/// Bytes read at once.
const READ_BYTES: usize = 32 * 1024;

/// What ties a connection to its transport.
pub(super) struct Ends {
    pub(super) id: ConnectionId,
    pub(super) source: Source,
    pub(super) events: mpsc::Sender<Queued>,
    pub(super) flush_time: Duration,
}

/// An event on its way to the node, with its place among those of its connection.
pub(super) type Queued = (TransportEvent, Option<OwnedSemaphorePermit>);

/// Works until the connection ends, and says so.
pub(super) async fn run(mut socket: TcpStream, channel: Channel, max: usize, ends: Ends) {
    let Ends { id, mut source, events, flush_time } = ends;
    let tally = Arc::clone(&source.tally);
    let mut incoming =
        Incoming { id, deframer: Deframer::new(max), delivery: Delivery::new(events.clone()), tally };
    let mut outgoing = Outgoing::new(channel, Arc::clone(&source.tally));
    let reason = exchange(&mut socket, &mut source, &mut incoming, &mut outgoing).await;
    drop(incoming);
    match reason {
        CloseReason::Asked => {
            while let Ok(frame) = source.frames.try_recv() {
                outgoing.add(&frame);
            }
            outgoing.finish(&mut socket, flush_time, None).await;
        }
        CloseReason::TooLong(_) | CloseReason::Altered | CloseReason::NoFrame(_) => {
            let bye = encode(&Frame::Bye(Bye::new(ByeReason::Protocol, &reason.to_string())));
            outgoing.finish(&mut socket, flush_time, Some(bye)).await;
        }
        _ => {}
    }
    drop(socket);
    if events.send((TransportEvent::Closed { id, reason }, None)).await.is_err() {
        tracing::debug!("the transport is gone");
    }
}

/// Says one thing and ends.
pub(super) async fn refuse(mut socket: TcpStream, channel: Channel, last: Vec<u8>, flush_time: Duration) {
    let outgoing = Outgoing::new(channel, Arc::default());
    outgoing.finish(&mut socket, flush_time, Some(last)).await;
}

async fn exchange(
    socket: &mut TcpStream,
    source: &mut Source,
    incoming: &mut Incoming,
    outgoing: &mut Outgoing,
) -> CloseReason {
    let (mut reader, mut writer) = socket.split();
    let mut piece = vec![0; READ_BYTES];
    let mut is_writable = true;
    loop {
        tokio::select! {
            frame = source.frames.recv(), if is_writable && outgoing.has_room() => match frame {
                Some(frame) => {
                    outgoing.add(&frame);
                    while outgoing.has_room() && let Ok(frame) = source.frames.try_recv() {
                        outgoing.add(&frame);
                    }
                }
                // The queue ends together with the reason, in whichever order they are seen.
                None => return (&mut source.end).await.unwrap_or(CloseReason::Asked),
            },
            written = writer.write(outgoing.rest()), if is_writable && !outgoing.rest().is_empty() => match written {
                // What the other end sent before it broke off may still lie here.
                Ok(0) | Err(_) => is_writable = false,
                Ok(bytes) => source.free(outgoing.advance(bytes)),
            },
            read = reader.read(&mut piece), if !incoming.delivery.is_waiting() => match read {
                Ok(0) if is_writable => return CloseReason::Ended,
                Ok(0) => return CloseReason::Lost,
                Err(_) => return CloseReason::Lost,
                Ok(bytes) => {
                    incoming.deframer.push(&piece[..bytes]);
                    if let Err(reason) = incoming.deliver(&mut outgoing.channel) {
                        return reason;
                    }
                }
            },
            () = incoming.delivery.wait(), if incoming.delivery.is_waiting() => {
                if let Err(reason) = incoming.deliver(&mut outgoing.channel) {
                    return reason;
                }
            }
            reason = &mut source.end => return reason.unwrap_or(CloseReason::Asked),
        }
    }
}

struct Incoming {
    id: ConnectionId,
    deframer: Deframer,
    delivery: Delivery,
    tally: Arc<Tally>,
}

impl Incoming {
    /// Delivers what was read, until the node has no room or more must be read.
    fn deliver(&mut self, channel: &mut Channel) -> Result<(), CloseReason> {
        while !self.delivery.is_waiting()
            && let Some(message) = self.deframer.poll_message()?
        {
            self.tally.add_received(message.len());
            let bytes = channel.open(message).map_err(|_| CloseReason::Altered)?;
            let frame = decode(&bytes)?;
            self.delivery.offer(TransportEvent::Frame { id: self.id, frame, bytes: bytes.len() });
        }
        Ok(())
    }
}

/// Hands events to the node in order, of which only so many may be under way: however fast one peer sends, there is room
/// for what others say. One that finds no room waits here and keeps its place in the line, which a future that is
/// dropped whenever something else can go on would lose.
struct Delivery {
    events: mpsc::Sender<Queued>,
    share: Arc<Semaphore>,
    waiting: Option<(TransportEvent, Room)>,
}

type Room = Pin<Box<dyn Future<Output = Option<(OwnedPermit<Queued>, OwnedSemaphorePermit)>> + Send>>;

impl Delivery {
    fn new(events: mpsc::Sender<Queued>) -> Self {
        let share = Arc::new(Semaphore::new(INBOUND_EVENTS_PER_CONNECTION_MAX));
        Self { events, share, waiting: None }
    }

    fn is_waiting(&self) -> bool {
        self.waiting.is_some()
    }

    /// Delivers an event, or keeps it. Only while none waits.
    fn offer(&mut self, event: TransportEvent) {
        let place = Arc::clone(&self.share).try_acquire_owned();
        if let (Ok(place), Ok(room)) = (place, self.events.try_reserve()) {
            return room.send((event, Some(place)));
        }
        let (events, share) = (self.events.clone(), Arc::clone(&self.share));
        let room = async {
            let place = share.acquire_owned().await.ok()?;
            Some((events.reserve_owned().await.ok()?, place))
        };
        self.waiting = Some((event, Box::pin(room)));
    }

    /// Ends once nothing waits. Cancel safe: the place in the line is in `self`.
    async fn wait(&mut self) {
        let Some((_, room)) = &mut self.waiting else { return };
        let Some((room, place)) = room.await else {
            // The transport is gone, and with it this task in a moment.
            return pending().await;
        };
        if let Some((event, _)) = self.waiting.take() {
            room.send((event, Some(place)));
        }
    }
}

struct Outgoing {
    channel: Channel,
    /// Messages after their lengths.
    sealed: Vec<u8>,
    /// How much of it the system has taken.
    written: usize,
    /// How many bytes of frames it holds.
    frame_bytes: usize,
    tally: Arc<Tally>,
}

impl Outgoing {
    fn new(channel: Channel, tally: Arc<Tally>) -> Self {
        Self { channel, sealed: Vec::new(), written: 0, frame_bytes: 0, tally }
    }

    fn has_room(&self) -> bool {
        self.sealed.len() < WRITE_BYTES
    }

    fn add(&mut self, frame: &[u8]) {
        let start = self.sealed.len();
        let length = u16::try_from(frame.len() + TAG_BYTES).unwrap_or(u16::MAX);
        self.sealed.extend_from_slice(&length.to_be_bytes());
        self.frame_bytes += frame.len();
        match self.channel.seal(frame, &mut self.sealed) {
            Ok(()) => self.tally.add_sent(frame.len() + TAG_BYTES),
            Err(error) => {
                tracing::error!(%error, "a frame was built over its limit and is not sent");
                self.sealed.truncate(start);
            }
        }
    }

    fn rest(&self) -> &[u8] {
        &self.sealed[self.written..]
    }

    /// Notes what the system took; the bytes of the frames that are out of the way.
    fn advance(&mut self, bytes: usize) -> usize {
        self.written += bytes;
        if self.written < self.sealed.len() {
            return 0;
        }
        self.sealed.clear();
        self.written = 0;
        std::mem::take(&mut self.frame_bytes)
    }

    /// Sends the rest, and a last frame, and waits for the other end to have read it: closing a socket while bytes of
    /// the other end lie unread in it would take back what was sent.
    async fn finish(mut self, socket: &mut TcpStream, flush_time: Duration, last: Option<Vec<u8>>) {
        if let Some(last) = last {
            self.add(&last);
        }
        let flush = async {
            socket.write_all(self.rest()).await?;
            socket.shutdown().await
        };
        if !matches!(timeout(flush_time, flush).await, Ok(Ok(()))) {
            return;
        }
        let mut ignored = vec![0; READ_BYTES];
        let drain = async { while let Ok(1..) = socket.read(&mut ignored).await {} };
        if timeout(flush_time, drain).await.is_err() {
            tracing::debug!("the other end did not close");
        }
    }
}

const _: () = assert!(NOISE_MESSAGE_BYTES_MAX <= u16::MAX as usize);
