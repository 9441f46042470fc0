//! One guest's connection: what it asks goes to the loop, what the loop answers and tells goes to it.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::net::UnixStream;
use tokio::net::unix::{OwnedReadHalf, OwnedWriteHalf};
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinSet;

use tokio::io::AsyncWriteExt as _;

use crate::limits::{GUEST_ASKS_MAX, GUEST_QUEUE_FRAMES_MAX, LOCAL_FRAME_BYTES_MAX, LOCAL_HELLO_TIME};
use crate::node::Request;
use crate::node::local::asks::{FromGuest, FromHolder, to_request};
use crate::node::local::host::{Guest, Queued, tag_of_guest};
use crate::node::local::{encode, greet, read_frame};

/// Runs until the guest goes, is let go, or the node ends.
pub(super) async fn run(mut stream: UnixStream, number: u32, requests: mpsc::WeakSender<Request>) {
    let greeting = async {
        // Whoever has another version has heard ours, and knows what to say.
        if greet(&mut stream).await.ok()?.is_some() {
            return None;
        }
        match read_frame(&mut stream, LOCAL_FRAME_BYTES_MAX).await.ok()? {
            FromGuest::Attach(attach) => Some(attach),
            _ => None,
        }
    };
    let Ok(Some(attach)) = tokio::time::timeout(LOCAL_HELLO_TIME, greeting).await else { return };
    let (queue, frames) = mpsc::channel(GUEST_QUEUE_FRAMES_MAX);
    let queued = Arc::new(AtomicUsize::new(0));
    let (closing, closed) = oneshot::channel();
    let guest = Guest { queue: queue.clone(), queued: Arc::clone(&queued), _closing: closing };
    let Some(loop_) = requests.upgrade() else { return };
    if loop_.send(Request::Attach { number, attach, guest }).await.is_err() {
        return;
    }
    drop(loop_);
    let (from, to) = stream.into_split();
    tokio::select! {
        // Who is not let in still hears why.
        biased;
        () = write_all(to, frames, &queued) => {}
        () = read_all(from, number, &requests, queue) => {}
        _ = closed => {}
    }
    if let Some(requests) = requests.upgrade() {
        requests.send(Request::Detach(number)).await.ok();
    }
}

/// Writes what is queued, to its end.
async fn write_all(mut to: OwnedWriteHalf, mut frames: mpsc::Receiver<Queued>, queued: &AtomicUsize) {
    loop {
        let written = match frames.recv().await {
            Some(Queued::Event(frame)) => {
                let written = to.write_all(&frame).await;
                queued.fetch_sub(frame.len(), Ordering::Relaxed);
                written
            }
            Some(Queued::Answer(frame)) => to.write_all(&frame).await,
            Some(Queued::End) | None => return,
        };
        if written.is_err() {
            return;
        }
    }
}

/// Hands over what the guest asks, until it is gone.
async fn read_all(
    mut from: OwnedReadHalf,
    number: u32,
    requests: &mpsc::WeakSender<Request>,
    queue: mpsc::Sender<Queued>,
) {
    let mut answers = JoinSet::new();
    while let Ok(frame) = read_frame(&mut from, LOCAL_FRAME_BYTES_MAX).await {
        while answers.len() >= GUEST_ASKS_MAX {
            answers.join_next().await;
        }
        while answers.try_join_next().is_some() {}
        let request = match frame {
            FromGuest::Attach(_) => return,
            FromGuest::Command(tag, command) => {
                let command = Request::Command(tag_of_guest(number, tag), command);
                Request::Of(number, Box::new(command))
            }
            FromGuest::Ask(asked, ask) => {
                let Some((request, replying)) = to_request(ask) else { return };
                let queue = queue.clone();
                answers.spawn(async move {
                    let reply = FromHolder::Answer(asked, replying.await);
                    if let Ok(frame) = encode(&reply) {
                        // A guest that is gone waits for nothing.
                        queue.send(Queued::Answer(frame)).await.ok();
                    }
                });
                Request::Of(number, Box::new(request))
            }
        };
        let Some(loop_) = requests.upgrade() else { break };
        if loop_.send(request).await.is_err() {
            break;
        }
    }
    // The node ends, or the guest half-closed: what is on its way to it still gets there.
    while answers.join_next().await.is_some() {}
    if requests.upgrade().is_none_or(|requests| requests.is_closed()) {
        std::future::pending::<()>().await;
    }
}
