//! Signals that ask the program to end, or a service to read its settings again.

use std::fs::File;
use std::io;

use tokio::signal::unix::{Signal, SignalKind, signal};

/// Interrupt, terminate and hang-up.
pub(crate) struct Signals {
    interrupt: Signal,
    terminate: Signal,
    hangup: Signal,
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
    /// From now on these signals no longer end the process by themselves.
    ///
    /// # Errors
    /// When the system refuses.
    pub(crate) fn listen() -> io::Result<Self> {
        Ok(Self {
            interrupt: signal(SignalKind::interrupt())?,
            terminate: signal(SignalKind::terminate())?,
            hangup: signal(SignalKind::hangup())?,
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
            _ = self.hangup.recv() => {}
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
            _ = self.hangup.recv() => {
                if self.has_terminal && !is_terminal_there() { Asked::End } else { Asked::Reload }
            }
        }
    }
}

/// Whether the process has a terminal that has not hung up.
fn is_terminal_there() -> bool {
    File::open("/dev/tty").is_ok()
}
