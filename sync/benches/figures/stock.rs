//! The same with Automerge's own sync protocol, over the same TCP, without a disk.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use automerge::sync::{Message, State, SyncDoc as _};
use automerge::transaction::Transactable as _;
use automerge::{AutoCommit, ROOT, ReadDoc as _};

use crate::floors::tcp_pair;
use crate::talk::talk;

/// One replica with its connection, and what it knows of the other.
pub(crate) struct Side {
    pub(crate) doc: AutoCommit,
    state: State,
    socket: TcpStream,
    sent: u64,
}

/// Two replicas.
pub(crate) struct Stock {
    pub(crate) ann: Side,
    pub(crate) bob: Side,
    next: u64,
}

/// What an exchange took.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Cost {
    pub(crate) time: Duration,
    /// From Ann to Bob, and back.
    pub(crate) bytes: [f64; 2],
}

/// What a message costs beside its bytes, as ours do.
const TAG_BYTES: u64 = 16;

impl Stock {
    /// Two with these documents, connected, that know nothing of each other.
    pub(crate) fn new(ann: AutoCommit, bob: AutoCommit) -> Self {
        let (here, there) = tcp_pair();
        let side = |doc, socket| Side { doc, state: State::new(), socket, sent: 0 };
        Self { ann: side(ann, here), bob: side(bob, there), next: 0 }
    }

    /// Both have a document, and each has kept that the other has it too.
    pub(crate) fn agreed(saved: &[u8]) -> Self {
        let load = || if saved.is_empty() { AutoCommit::new() } else { AutoCommit::load(saved).unwrap() };
        let mut ann = load();
        let mut bob = if saved.is_empty() { ann.fork() } else { load() };
        // The documents come with an actor each; two that write must not share one.
        ann.set_actor(automerge::ActorId::from(vec![1; 16]));
        bob.set_actor(automerge::ActorId::from(vec![2; 16]));
        let mut pair = Self::new(ann, bob);
        pair.sync();
        pair.reconnect();
        pair.sync();
        (pair.ann.sent, pair.bob.sent) = (0, 0);
        pair
    }

    /// Bytes sent by both since they connected.
    pub(crate) fn sent(&self) -> u64 {
        self.ann.sent + self.bob.sent
    }

    /// Connects anew, each with what it had kept of the other.
    pub(crate) fn reconnect(&mut self) {
        (self.ann.socket, self.bob.socket) = tcp_pair();
        (self.ann.sent, self.bob.sent) = (0, 0);
        self.persist();
    }

    fn persist(&mut self) {
        for side in [&mut self.ann, &mut self.bob] {
            side.state = State::decode(&side.state.encode()).unwrap();
        }
    }

    /// Ann writes as the documents of this project are written: every message under a key of its own.
    pub(crate) fn write(&mut self, at_bob: bool) {
        self.next += 1;
        let key = format!("{:0>60x}", u64::MAX - self.next);
        let doc = if at_bob { &mut self.bob.doc } else { &mut self.ann.doc };
        doc.put(ROOT, key, talk(self.next)).unwrap();
        doc.commit();
    }

    /// Both say what they have to until neither has anything more.
    pub(crate) fn sync(&mut self) -> Cost {
        let start = Instant::now();
        let (ann, bob) = (&mut self.ann, &mut self.bob);
        std::thread::scope(|scope| {
            scope.spawn(|| ann.exchange());
            bob.exchange();
        });
        Cost { time: start.elapsed(), bytes: [self.ann.sent as f64, self.bob.sent as f64] }
    }

    /// Ann writes one message and Bob gets it; then he confirms it. The time until he has it.
    pub(crate) fn say(&mut self) -> Duration {
        let start = Instant::now();
        self.write(false);
        self.ann.tell();
        self.bob.hear();
        let time = start.elapsed();
        assert!(self.is_agreed(), "a message did not come at once");
        self.bob.tell();
        self.ann.hear();
        time
    }

    pub(crate) fn is_agreed(&mut self) -> bool {
        self.ann.doc.get_heads() == self.bob.doc.get_heads()
            && self.ann.doc.length(ROOT) == self.bob.doc.length(ROOT)
    }
}

impl Side {
    fn exchange(&mut self) {
        loop {
            let has_told = self.tell();
            let has_heard = self.hear();
            if !has_told && !has_heard {
                return;
            }
        }
    }

    /// Sends the next message, or nothing in a message's place.
    fn tell(&mut self) -> bool {
        let message = self.doc.sync().generate_sync_message(&mut self.state).map(Message::encode);
        let bytes = message.as_deref().unwrap_or_default();
        self.sent += if bytes.is_empty() { 0 } else { bytes.len() as u64 + TAG_BYTES };
        let length = u32::try_from(bytes.len()).unwrap().to_be_bytes();
        self.socket.write_all(&[&length, bytes].concat()).unwrap();
        message.is_some()
    }

    fn hear(&mut self) -> bool {
        let mut length = [0; 4];
        self.socket.read_exact(&mut length).unwrap();
        let mut bytes = vec![0; usize::try_from(u32::from_be_bytes(length)).unwrap()];
        self.socket.read_exact(&mut bytes).unwrap();
        if bytes.is_empty() {
            return false;
        }
        let message = Message::decode(&bytes).unwrap();
        self.doc.sync().receive_sync_message(&mut self.state, message).unwrap();
        true
    }
}
