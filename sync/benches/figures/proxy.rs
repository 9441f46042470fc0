//! A line between two nodes that breaks where it is told to, and counts what passes.

use std::io::{Read as _, Write as _};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

/// Listens until dropped; one connection at a time.
pub(crate) struct Proxy {
    pub(crate) port: u16,
    shared: Arc<Shared>,
    thread: Option<std::thread::JoinHandle<()>>,
}

#[derive(Default)]
struct Shared {
    /// Bytes that passed from the node behind the proxy, in all, and to it.
    down: AtomicU64,
    up: AtomicU64,
    breaks: AtomicU64,
    is_over: AtomicBool,
}

impl Proxy {
    /// In front of a node's port. Breaks when so many bytes (ascending) came from there.
    pub(crate) fn new(to: u16, cuts: Vec<u64>) -> Self {
        let listener = TcpListener::bind("0.0.0.0:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let shared = Arc::new(Shared::default());
        let here = Arc::clone(&shared);
        let thread = Some(std::thread::spawn(move || here.serve(&listener, to, &cuts)));
        Self { port, shared, thread }
    }

    /// Bytes that passed so far: from the node behind it, and to it.
    pub(crate) fn passed(&self) -> [u64; 2] {
        [self.shared.down.load(Ordering::Relaxed), self.shared.up.load(Ordering::Relaxed)]
    }

    pub(crate) fn breaks(&self) -> u64 {
        self.shared.breaks.load(Ordering::Relaxed)
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.shared.is_over.store(true, Ordering::Relaxed);
        // Wakes it up. If it cannot be reached it has ended.
        drop(TcpStream::connect(("127.0.0.1", self.port)));
        if let Some(thread) = self.thread.take() {
            thread.join().ok();
        }
    }
}

impl Shared {
    fn serve(&self, listener: &TcpListener, to: u16, cuts: &[u64]) {
        let mut cuts = cuts.iter().copied();
        let mut cut = cuts.next().unwrap_or(u64::MAX);
        while let Ok((dialler, _)) = listener.accept() {
            if self.is_over.load(Ordering::Relaxed) {
                return;
            }
            let Ok(node) = TcpStream::connect(("127.0.0.1", to)) else { continue };
            dialler.set_nodelay(true).unwrap();
            node.set_nodelay(true).unwrap();
            std::thread::scope(|scope| {
                scope.spawn(|| {
                    pass(&dialler, &node, &self.up, u64::MAX);
                    node.shutdown(Shutdown::Both).ok();
                });
                if pass(&node, &dialler, &self.down, cut) {
                    self.breaks.fetch_add(1, Ordering::Relaxed);
                    cut = cuts.next().unwrap_or(u64::MAX);
                }
                // What came so far has come: the dialler reads it, and then the end.
                node.shutdown(Shutdown::Both).ok();
                dialler.shutdown(Shutdown::Write).ok();
            });
        }
    }
}

/// Passes bytes on until their source ends, or so many have passed in all: then it says so.
fn pass(mut from: &TcpStream, mut to: &TcpStream, passed: &AtomicU64, cut: u64) -> bool {
    let mut piece = vec![0; 16 * 1024];
    loop {
        let left = cut.saturating_sub(passed.load(Ordering::Relaxed));
        if left == 0 {
            return true;
        }
        let most = piece.len().min(usize::try_from(left).unwrap_or(usize::MAX));
        let Ok(bytes @ 1..) = from.read(&mut piece[..most]) else { return false };
        // What comes after the other end is gone is read all the same: else the system would take back what was sent.
        if to.write_all(&piece[..bytes]).is_ok() {
            passed.fetch_add(bytes as u64, Ordering::Relaxed);
        }
    }
}
