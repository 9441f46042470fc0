//! A node on a thread of its own, as if it were another process.

use std::net::SocketAddr;
use std::path::Path;
use std::time::Duration;

use replica::home::Home;
use replica_sync::engine::{Command, Event};
use replica_sync::node::{Listen, Node, NodeEvent, Options, Status};
use replica_sync::ticket::Ticket;
use tempfile::TempDir;
use tokio::sync::{mpsc::Receiver, oneshot};
use tokio::time::timeout;

use crate::history::History;

/// Longest wait for anything. Far above what it takes: who waits so long has failed.
pub(crate) const PATIENCE: Duration = Duration::from_secs(100);

/// A running node, and what it tells.
pub(crate) struct Running {
    pub(crate) node: Node,
    pub(crate) events: Receiver<NodeEvent>,
    pub(crate) port: u16,
    done: oneshot::Sender<()>,
    thread: std::thread::JoinHandle<()>,
    dials: u8,
}

/// Bytes of frames and tags on a node's only connection.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Carried {
    pub(crate) sent: f64,
    pub(crate) received: f64,
}

pub(crate) fn options() -> Options {
    Options {
        nick: None,
        // All addresses, so that each of 127.0.0.0/8 is one more name to dial it by.
        listen: Listen::At("0.0.0.0:0".parse().unwrap()),
        peers: Vec::new(),
        ticket: None,
        makes_room: false,
        dials: true,
        attended: false,
        open: false,
        maintains: true,
    }
}

impl Running {
    pub(crate) async fn start(folder: &Path, options: Options) -> Self {
        let home = Home::open(folder).unwrap();
        let (started, start) = oneshot::channel();
        let (done, end) = oneshot::channel();
        let thread = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            runtime.block_on(async {
                started.send(Node::start(home, options).await).ok();
                end.await.ok();
            });
        });
        let (node, events) = start.await.unwrap().unwrap();
        let mut running = Self { node, events, port: 0, done, thread, dials: 0 };
        running.port = running.listening().await.port();
        running
    }

    async fn listening(&mut self) -> SocketAddr {
        loop {
            if let NodeEvent::Listening(address) = self.events.recv().await.unwrap() {
                return address;
            }
        }
    }

    /// Waits for an event.
    pub(crate) async fn wait(&mut self, mut wanted: impl FnMut(&Event) -> bool) {
        let found = async {
            loop {
                if let NodeEvent::Engine(event) = self.events.recv().await.unwrap()
                    && wanted(&event)
                {
                    return;
                }
            }
        };
        timeout(PATIENCE, found).await.expect("what was waited for did not happen");
    }

    pub(crate) async fn rows(&mut self, mut count: usize) {
        self.wait(|event| {
            count -= usize::from(matches!(event, Event::Row(_)));
            count == 0
        })
        .await;
    }

    pub(crate) async fn say(&mut self, text: String) {
        self.node.command(Command::Say(text)).await.unwrap();
    }

    /// Dials a node under a name that was not used before, so that no pause of an earlier one counts.
    pub(crate) async fn dial(&mut self, port: u16) {
        self.dials += 1;
        self.node.command(Command::Dial(format!("127.0.0.{}:{port}", self.dials))).await.unwrap();
    }

    /// A ticket to its room with a fresh invite, at some port of this machine.
    pub(crate) async fn ticket(&mut self, port: u16) -> Ticket {
        self.node.command(Command::Invite { expires_ms: None, uses: None }).await.unwrap();
        let mut invite = None;
        self.wait(|event| {
            if let Event::Invited { secret, .. } = event {
                invite = Some(*secret);
            }
            invite.is_some()
        })
        .await;
        let ticket = self.node.ticket(invite).await.unwrap();
        Ticket { addresses: vec![format!("127.0.0.1:{port}")], ..ticket }
    }

    pub(crate) async fn status(&self) -> Box<Status> {
        self.node.status().await.unwrap()
    }

    /// What its connection carried, if it has one.
    pub(crate) async fn carried(&self) -> Option<Carried> {
        let status = self.status().await;
        let peer = status.peers.iter().find(|peer| peer.standing.is_some())?;
        Some(Carried { sent: peer.sent_bytes as f64, received: peer.received_bytes as f64 })
    }

    pub(crate) async fn stop(self) {
        let Self { node, mut events, done, thread, .. } = self;
        // Events nobody reads would hold up the end.
        tokio::join!(node.stop(), async { while events.recv().await.is_some() {} });
        done.send(()).ok();
        thread.join().unwrap();
    }
}

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
                while self.ann.events.try_recv().is_ok() {}
                while self.bob.events.try_recv().is_ok() {}
                return;
            }
        }
        panic!("the connection does not end");
    }

    /// Whether they are apart since they parted. Otherwise what is measured next means nothing.
    pub(crate) fn is_apart(&mut self) -> bool {
        let mut told = std::iter::from_fn(|| self.bob.events.try_recv().ok());
        !told.any(|event| matches!(event, NodeEvent::Engine(Event::PeerHere { .. })))
    }

    pub(crate) async fn stop(self) {
        tokio::join!(self.ann.stop(), self.bob.stop());
    }
}
