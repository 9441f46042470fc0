//! Two members' nodes with one history, who meet when they are told to.

use std::time::Duration;

use replica_sync::engine::{Command, Event};
use replica_sync::node::{NodeEvent, Options};
use tempfile::TempDir;

use crate::history::History;
use crate::running::{Running, options};

/// How often they are told to part: more than once only when they meet again by chance.
const PARTINGS_MAX: u32 = 1_000;

/// Two members' nodes with one history.
pub(crate) struct Pair {
    pub(crate) ann: Running,
    pub(crate) bob: Running,
    _folders: [TempDir; 2],
}

impl Pair {
    /// Both running, not connected.
    pub(crate) async fn start(history: &History) -> Self {
        let folders = [history.home(0), history.home(1)];
        // Ann tells no addresses and dials none, so that they meet when Bob is told to and over the line he is told.
        let (ann, bob) = tokio::join!(
            Running::start(folders[0].path(), Options { dials: false, ..options() }),
            Running::start(folders[1].path(), options())
        );
        Self { ann, bob, _folders: folders }
    }

    /// Both running, connected and agreed.
    pub(crate) async fn agreed(history: &History) -> Self {
        let mut pair = Self::start(history).await;
        pair.connect().await;
        pair
    }

    /// Connects, and waits until they agree.
    pub(crate) async fn connect(&mut self) {
        self.bob.dial(self.ann.port).await;
        self.agree().await;
    }

    /// Waits until both say that they agree.
    pub(crate) async fn agree(&mut self) {
        let is_agreed = |event: &Event| matches!(event, Event::Agreed { .. });
        tokio::join!(self.ann.wait(is_agreed), self.bob.wait(is_agreed));
    }

    /// Ends the connection on both sides, and forgets what both told. An address that was dialled before is dialled
    /// again after a while; that may be now.
    pub(crate) async fn part(&mut self) {
        for _ in 0..PARTINGS_MAX {
            self.bob.node.command(Command::HangUp).await.unwrap();
            tokio::time::sleep(Duration::from_millis(5)).await;
            if self.ann.carried().await.is_none() && self.bob.carried().await.is_none() {
                while self.ann.events.try_recv().is_some() {}
                while self.bob.events.try_recv().is_some() {}
                return;
            }
        }
        panic!("the connection does not end");
    }

    /// Whether they are apart since they parted. Otherwise what is measured next means nothing.
    pub(crate) fn is_apart(&mut self) -> bool {
        let mut told = std::iter::from_fn(|| self.bob.events.try_recv());
        !told.any(|event| matches!(event, NodeEvent::Engine(Event::PeerHere { .. })))
    }

    pub(crate) async fn stop(self) {
        tokio::join!(self.ann.stop(), self.bob.stop());
    }
}
