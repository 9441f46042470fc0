//! The queue between the node, which never waits, and one connection, which may.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

use tokio::sync::{mpsc, oneshot};

use crate::limits::{OUTBOUND_BYTES_MAX, OUTBOUND_FRAMES_MAX};
use crate::transport::{CloseReason, SendError, Traffic};

/// The node's end.
#[derive(Debug)]
pub(super) struct Outbox {
    /// None once closed.
    frames: Option<mpsc::Sender<Vec<u8>>>,
    queued: Arc<AtomicUsize>,
    tally: Arc<Tally>,
    /// None once the connection was told to end.
    end: Option<oneshot::Sender<CloseReason>>,
}

/// The connection's end.
#[derive(Debug)]
pub(super) struct Source {
    pub(super) frames: mpsc::Receiver<Vec<u8>>,
    /// Completes when the connection is to end.
    pub(super) end: oneshot::Receiver<CloseReason>,
    pub(super) tally: Arc<Tally>,
    queued: Arc<AtomicUsize>,
}

/// What went over the connection so far, counted by its task.
#[derive(Debug, Default)]
pub(super) struct Tally {
    sent: AtomicU64,
    received: AtomicU64,
}

impl Tally {
    pub(super) fn add_sent(&self, bytes: usize) {
        self.sent.fetch_add(bytes as u64, Ordering::Relaxed);
    }

    pub(super) fn add_received(&self, bytes: usize) {
        self.received.fetch_add(bytes as u64, Ordering::Relaxed);
    }
}

pub(super) fn new() -> (Outbox, Source) {
    let (sender, receiver) = mpsc::channel(OUTBOUND_FRAMES_MAX);
    let (end, ended) = oneshot::channel();
    let queued = Arc::new(AtomicUsize::new(0));
    let tally = Arc::new(Tally::default());
    let source =
        Source { frames: receiver, end: ended, tally: Arc::clone(&tally), queued: Arc::clone(&queued) };
    (Outbox { frames: Some(sender), queued, tally, end: Some(end) }, source)
}

impl Outbox {
    /// Queues a frame, or ends the connection when too much is queued.
    pub(super) fn try_send(&mut self, frame: Vec<u8>) -> Result<(), SendError> {
        let Some(frames) = &self.frames else { return Err(SendError::Gone) };
        let bytes = frame.len();
        if self.queued_bytes() + bytes > OUTBOUND_BYTES_MAX {
            self.end(CloseReason::TooSlow);
            return Err(SendError::TooSlow);
        }
        // Counted first: the other end may send it before this line is over.
        self.queued.fetch_add(bytes, Ordering::Relaxed);
        frames.try_send(frame).map_err(|error| {
            self.queued.fetch_sub(bytes, Ordering::Relaxed);
            match error {
                mpsc::error::TrySendError::Closed(_) => SendError::Gone,
                mpsc::error::TrySendError::Full(_) => {
                    self.end(CloseReason::TooSlow);
                    SendError::TooSlow
                }
            }
        })
    }

    /// Takes a last frame if there is room, and no more; what is queued is still sent.
    pub(super) fn close(&mut self, last: Option<Vec<u8>>) {
        if let Some(last) = last
            && self.try_send(last).is_err()
        {
            tracing::debug!("no room for a goodbye");
        }
        self.end(CloseReason::Asked);
    }

    /// Ends the connection. Only the first reason counts.
    pub(super) fn end(&mut self, reason: CloseReason) {
        self.frames = None;
        if let Some(end) = self.end.take()
            && end.send(reason).is_err()
        {
            tracing::debug!("the connection had ended already");
        }
    }

    pub(super) fn is_open(&self) -> bool {
        self.frames.is_some()
    }

    pub(super) fn queued_bytes(&self) -> usize {
        self.queued.load(Ordering::Relaxed)
    }

    pub(super) fn traffic(&self) -> Traffic {
        let Tally { sent, received } = &*self.tally;
        Traffic { sent_bytes: sent.load(Ordering::Relaxed), received_bytes: received.load(Ordering::Relaxed) }
    }
}

impl Source {
    /// Frees the room of frames that the system has taken.
    pub(super) fn free(&self, bytes: usize) {
        self.queued.fetch_sub(bytes, Ordering::Relaxed);
    }
}
