//! A node on a thread of its own, as if it were another process.

use std::net::SocketAddr;
use std::path::Path;
use std::time::Duration;

use replica::home::Home;
use replica_sync::engine::{Command, Event};
use replica_sync::node::{Events, Listen, Node, NodeEvent, Options, Status};
use replica_sync::ticket::Ticket;
use tokio::sync::oneshot;
use tokio::time::timeout;

/// Longest wait for anything. Far above what it takes: who waits so long has failed.
pub(crate) const PATIENCE: Duration = Duration::from_secs(100);

/// The system's word for it.
const LOWEST_PRIORITY: i32 = 19;

/// A running node, and what it tells.
pub(crate) struct Running {
    pub(crate) node: Node,
    pub(crate) events: Events,
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
        room: None,
        all_rooms: false,
        makes_room: false,
        dials: true,
        discovery: replica_sync::discovery::Settings::default(),
        attended: false,
        open: false,
        maintains: true,
        shares: false,
    }
}

impl Running {
    pub(crate) async fn start(folder: &Path, options: Options) -> Self {
        Self::start_at(folder, options, 0).await
    }

    /// As if on a machine of its own: what it takes of this one comes after what others need.
    pub(crate) async fn start_humbly(folder: &Path, options: Options) -> Self {
        Self::start_at(folder, options, LOWEST_PRIORITY).await
    }

    async fn start_at(folder: &Path, options: Options, priority: i32) -> Self {
        let home = Home::open(folder).unwrap();
        let (started, start) = oneshot::channel();
        let (done, end) = oneshot::channel();
        let thread = std::thread::spawn(move || {
            // On Linux that is of the thread alone, and of those it starts.
            rustix::process::setpriority_process(None, priority).unwrap();
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
