//! Signals that ask the program to end, or a service to read its settings again.

use std::fs::File;
use std::io;
use std::pin::pin;

use futures_util::FutureExt as _;
use tokio::signal::unix::{Signal, SignalKind, signal};

/// Interrupt, terminate and hang-up.
pub(crate) struct Signals {
    interrupt: Signal,
    terminate: Signal,
    /// None where it is ignored since the start, as `nohup` has it.
    hangup: Option<Signal>,
    /// Whether there was a terminal at the start.
    has_terminal: bool,
}

/// What a service is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Asked {
    End,
    Reload,
}

impl Signals {
    /// From now on these signals no longer end the process by themselves. A hang-up that is ignored stays so.
    ///
    /// # Errors
    /// When the system refuses.
    pub(crate) fn listen() -> io::Result<Self> {
        Ok(Self {
            interrupt: signal(SignalKind::interrupt())?,
            terminate: signal(SignalKind::terminate())?,
            hangup: if is_hangup_ignored() { None } else { Some(signal(SignalKind::hangup())?) },
            has_terminal: is_terminal_there(),
        })
    }

    /// Until one of them comes.
    ///
    /// # Cancel safety
    /// Nothing is lost.
    pub(crate) async fn next(&mut self) {
        tokio::select! {
            _ = self.interrupt.recv() => {}
            _ = self.terminate.recv() => {}
            () = hung_up(&mut self.hangup) => {}
        }
    }

    /// Awaits something, unless one of them comes first: then there is no answer.
    pub(crate) async fn race<T>(&mut self, done: impl Future<Output = T>) -> Option<T> {
        tokio::select! {
            biased;
            done = done => Some(done),
            () = self.next() => None,
        }
    }

    /// As [`Signals::race`], while another program has the terminal: an interrupt typed there is meant for that one.
    pub(crate) async fn race_beside_another<T>(&mut self, done: impl Future<Output = T>) -> Option<T> {
        let mut done = pin!(done);
        let done = loop {
            tokio::select! {
                biased;
                done = &mut done => break done,
                _ = self.interrupt.recv() => {}
                _ = self.terminate.recv() => return None,
                () = hung_up(&mut self.hangup) => return None,
            }
        };
        // What ended that program just now was sent to this one too, and may not have been taken in yet.
        tokio::task::yield_now().await;
        self.interrupt.recv().now_or_never();
        Some(done)
    }

    /// As [`Signals::race`], for a service. A hang-up is kept for [`Signals::next_of_service`].
    pub(crate) async fn race_of_service<T>(&mut self, done: impl Future<Output = T>) -> Option<T> {
        tokio::select! {
            biased;
            done = done => Some(done),
            _ = self.interrupt.recv() => None,
            _ = self.terminate.recv() => None,
        }
    }

    /// Until a service is asked for something. A hang-up asks for its settings to be read again, unless it tells that
    /// the terminal is gone where somebody had started it.
    ///
    /// # Cancel safety
    /// Nothing is lost.
    pub(crate) async fn next_of_service(&mut self) -> Asked {
        tokio::select! {
            _ = self.interrupt.recv() => Asked::End,
            _ = self.terminate.recv() => Asked::End,
            () = hung_up(&mut self.hangup) => {
                if self.has_terminal && !is_terminal_there() { Asked::End } else { Asked::Reload }
            }
        }
    }
}

async fn hung_up(hangup: &mut Option<Signal>) {
    match hangup {
        Some(hangup) => drop(hangup.recv().await),
        None => std::future::pending().await,
    }
}

/// Whether whoever started the process has it ignore hang-ups. Where the system does not say, it does not.
fn is_hangup_ignored() -> bool {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let ignored = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    let ignored = ignored.and_then(|signals| u64::from_str_radix(signals.trim(), 16).ok());
    ignored.is_some_and(|signals| signals & HANGUP_BIT != 0)
}

/// Signal 1.
const HANGUP_BIT: u64 = 1;

/// Whether the process has a terminal that has not hung up.
fn is_terminal_there() -> bool {
    File::open("/dev/tty").is_ok()
}
