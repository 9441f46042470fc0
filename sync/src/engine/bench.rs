//! An engine alone, for tests: what goes in is made by hand, and what comes out is looked at.

use std::collections::BTreeMap;

use replica::archive::{Notes, Opened};
use replica::entry::{Body, Entry};
use replica::graph::Graph;
use replica::id::{ChainId, Digest, EntryId, Position, RoomId, StoreId};
use replica::identity::{Identity, Purpose};
use replica::members::Members;

use super::{Command, Engine, Event, Input, Now, Output, PeerProof, Settings};
use crate::book::Endpoint;
use crate::conversation::{ConnectionId, Conversation, first_entry, live_frames};
use crate::session::Session;
pub(super) use crate::sim::START_MS;
use crate::wire::{Bye, ByeReason, Frame, Have, Hello, PROTOCOL, Ping, Tip, Want};

/// Ann's engine, on a disk that is done at once. Of what it puts out, what it waits for is left out.
pub(super) struct Bench {
    pub(super) engine: Engine,
    pub(super) now: Now,
}

pub(super) fn person(secret: u8) -> Identity {
    Identity::from_secret(&[secret; 32])
}

pub(super) fn ann() -> Identity {
    person(1)
}

impl Bench {
    /// In a room that ann made, with so many others in it: bob (2), carol (3) and so on. None of them is connected.
    pub(super) fn new(settings: Settings, others: u8) -> Self {
        let mut bench = Self::recalling(settings, BTreeMap::new());
        (2..2 + others).for_each(|number| drop(bench.admit(&person(number))));
        bench
    }

    /// Alone in it, with what was kept of where members are.
    pub(super) fn recalling(settings: Settings, whereabouts: BTreeMap<Endpoint, Vec<u8>>) -> Self {
        let now = Now { monotonic_ms: 1_000_000, wall_ms: START_MS };
        let mut conversation = Conversation::new(opened(1, whereabouts), ann(), "ann".to_owned());
        conversation.found("home", 3_600, START_MS).unwrap();
        let mut bench = Self { engine: Engine::new(conversation, settings, now), now };
        bench.drain();
        bench
    }

    /// Somebody else, who has a ticket for that room and nothing of it yet.
    pub(super) fn newcomer(who: &Identity) -> Self {
        let now = Now { monotonic_ms: 1_000_000, wall_ms: START_MS };
        let conversation = Conversation::new(opened(8, BTreeMap::new()), who.clone(), "new".to_owned());
        Self { engine: Engine::new(conversation, Settings::default(), now), now }
    }

    pub(super) fn handle(&mut self, input: Input) -> Vec<Output> {
        self.engine.handle(input, self.now);
        self.drain()
    }

    fn drain(&mut self) -> Vec<Output> {
        let mut outputs = Vec::new();
        loop {
            match self.engine.poll_output() {
                Output::Wait(_) => return outputs,
                Output::Persist(_) => self.engine.handle(Input::Persisted(Vec::new()), self.now),
                output => outputs.push(output),
            }
        }
    }

    /// Lets time pass, in which everyone connected is heard of, and nobody says anything.
    pub(super) fn pass(&mut self, millis: u64) -> Vec<Output> {
        let heard = |session: &mut Session, now_ms| session.heard_ms = now_ms;
        self.wait(millis, heard)
    }

    /// Lets time pass, in which nothing is heard.
    pub(super) fn pass_in_silence(&mut self, millis: u64) -> Vec<Output> {
        self.wait(millis, |_, _| ())
    }

    fn wait(&mut self, millis: u64, each: impl Fn(&mut Session, u64)) -> Vec<Output> {
        let mut outputs = Vec::new();
        let until_ms = self.now.monotonic_ms + millis;
        while self.now.monotonic_ms < until_ms {
            let due_ms = self.engine.deadline().unwrap_or(until_ms);
            let step = due_ms.clamp(self.now.monotonic_ms + 1, until_ms) - self.now.monotonic_ms;
            self.now.monotonic_ms += step;
            self.now.wall_ms += step;
            self.engine.sessions.values_mut().for_each(|session| each(session, self.now.monotonic_ms));
            outputs.extend(self.handle(Input::Tick));
        }
        outputs
    }

    pub(super) fn command(&mut self, command: Command) -> Vec<Output> {
        self.handle(Input::Command(7, command))
    }

    pub(super) fn admit(&mut self, who: &Identity) -> Vec<Output> {
        self.command(Command::Admit(who.key()))
    }

    /// Somebody dials and says that they have so many entries, and others than we have.
    pub(super) fn connect(&mut self, number: u64, who: &Identity) -> Vec<Output> {
        self.connect_from(number, who, 9)
    }

    /// The same from this store of theirs.
    pub(super) fn connect_from(&mut self, number: u64, who: &Identity, store: u8) -> Vec<Output> {
        let (store, digest) = (StoreId([store; 16]), Digest([9; 32]));
        let hello = Hello { store, digest, entries: 5, ..self.hello() };
        self.greet(number, who, hello)
    }

    /// Somebody dials who has what we have.
    pub(super) fn meet(&mut self, number: u64, who: &Identity) -> Vec<Output> {
        let hello = self.hello();
        self.greet(number, who, hello)
    }

    /// What somebody's first store says that has what we have.
    pub(super) fn hello(&self) -> Hello {
        let graph = self.engine.conversation().graph();
        let entries = u64::from(graph.durable());
        Hello { protocol: PROTOCOL, store: StoreId([9; 16]), digest: graph.digest(), entries }
    }

    /// Somebody dials, and says this.
    pub(super) fn greet(&mut self, number: u64, who: &Identity, hello: Hello) -> Vec<Output> {
        let mut outputs = self.come(number, who);
        outputs.extend(self.frame(number, Frame::Hello(hello)));
        outputs
    }

    /// Somebody dials, and says nothing yet.
    pub(super) fn come(&mut self, number: u64, who: &Identity) -> Vec<Output> {
        self.prove(number, proof(number, who))
    }

    /// Somebody dials who proves this.
    pub(super) fn prove(&mut self, number: u64, proof: PeerProof) -> Vec<Output> {
        self.connected(number, address(number), false, proof)
    }

    /// A connection stands.
    pub(super) fn connected(
        &mut self,
        number: u64,
        address: String,
        dialed: bool,
        proof: PeerProof,
    ) -> Vec<Output> {
        self.handle(Input::Connected { connection: ConnectionId(number), address, dialed, proof })
    }

    /// Somebody is dialled, and reached; they have what we have.
    pub(super) fn reach(&mut self, number: u64, who: &Identity) -> Vec<Output> {
        self.command(Command::Dial(address(number)));
        let mut outputs = self.connected(number, address(number), true, proof(number, who));
        let hello = self.hello();
        outputs.extend(self.frame(number, Frame::Hello(hello)));
        outputs
    }

    pub(super) fn close(&mut self, number: u64) -> Vec<Output> {
        self.handle(Input::Closed(ConnectionId(number)))
    }

    pub(super) fn frame(&mut self, number: u64, frame: Frame) -> Vec<Output> {
        self.handle(Input::Frame(ConnectionId(number), frame))
    }

    /// The newest entry.
    pub(super) fn last(&self) -> EntryId {
        let graph = self.engine.conversation().graph();
        graph.id(graph.len() - 1)
    }

    /// What somebody writes who has all that is here.
    pub(super) fn written(&self, who: &Identity, text: &str) -> Entry {
        let graph = self.engine.conversation().graph();
        let chain = ChainId { author: who.key(), incarnation: 9 };
        let record = graph.compose(chain, self.now.wall_ms, &Body::Message(text.to_owned())).unwrap();
        Entry::sign(record, &graph.room(), who).unwrap()
    }

    /// Entries as a block.
    pub(super) fn block(&self, entries: &[Entry]) -> Vec<u8> {
        replica::block::encode(entries, false, self.engine.conversation().graph()).unwrap()
    }

    /// Over a connection it is told that somebody's chain, of which nothing is here, has so many entries.
    pub(super) fn promise(&mut self, number: u64, who: &Identity, seq: u32) -> Vec<Output> {
        let (id, chain) = (EntryId([77; 32]), ChainId { author: who.key(), incarnation: 77 });
        let tip = Tip { chain, seq, id, signature: who.sign(Purpose::Entry(&id)) };
        self.frame(number, Frame::Have(Have { tips: vec![tip], last: true }))
    }

    /// Entries come over a connection as they are written.
    pub(super) fn hear(&mut self, number: u64, entries: &[Entry]) -> Vec<Output> {
        let frames = live_frames(entries, self.engine.conversation().graph());
        frames.into_iter().flat_map(|(frame, _)| self.frame(number, frame)).collect()
    }
}

/// The room's first entry.
pub(super) fn founding() -> Entry {
    let chain = ChainId { author: ann().key(), incarnation: 1 };
    first_entry(&ann(), chain, "home", 3_600, START_MS).unwrap()
}

/// The room in a store of this number, with nothing in it.
fn opened(number: u8, whereabouts: BTreeMap<Endpoint, Vec<u8>>) -> Opened {
    let notes = Notes {
        whereabouts,
        store: StoreId([number; 16]),
        incarnation: number.into(),
        drafts: BTreeMap::new(),
        home_drafts_taken: 0,
        met: BTreeMap::new(),
    };
    Opened { graph: Graph::new(RoomId(founding().id().0)), members: Members::default(), notes }
}

/// What somebody proves who is a member already. The channel of a connection is its number.
pub(super) fn proof(number: u64, who: &Identity) -> PeerProof {
    let channel = [u8::try_from(number).unwrap(); 32];
    PeerProof { author: who.key(), cards: Vec::new(), invite: None, channel }
}

/// Where the peer at the other end of a connection is.
pub(super) fn address(number: u64) -> String {
    format!("192.0.2.1:{number}")
}

/// What was sent, with the numbers of the connections.
pub(super) fn sent(outputs: &[Output]) -> Vec<(u64, &Frame)> {
    let sent = outputs.iter().map(|output| match output {
        Output::Send(connection, frame) => Some((connection.0, frame)),
        _ => None,
    });
    sent.flatten().collect()
}

/// What was asked of whom.
pub(super) fn wants(outputs: &[Output]) -> Vec<(u64, &Want)> {
    let wants = sent(outputs).into_iter().map(|(number, frame)| match frame {
        Frame::Want(want) => Some((number, want)),
        _ => None,
    });
    wants.flatten().collect()
}

/// Who was pinged.
pub(super) fn pings(outputs: &[Output]) -> Vec<(u64, Ping)> {
    let pings = sent(outputs).into_iter().map(|(number, frame)| match frame {
        Frame::Ping(ping) => Some((number, *ping)),
        _ => None,
    });
    pings.flatten().collect()
}

/// What was told.
pub(super) fn told(outputs: &[Output]) -> Vec<&Event> {
    let told = outputs.iter().map(|output| match output {
        Output::Event(event) => Some(event),
        _ => None,
    });
    told.flatten().collect()
}

/// Which connections were ended, and why.
pub(super) fn closed(outputs: &[Output]) -> Vec<(u64, Option<ByeReason>)> {
    let closed = outputs.iter().map(|output| match output {
        Output::Close(connection, bye) => {
            Some((connection.0, bye.as_ref().map(|Bye { reason, .. }| *reason)))
        }
        _ => None,
    });
    closed.flatten().collect()
}

/// What is dialled.
pub(super) fn dials(outputs: &[Output]) -> Vec<&str> {
    let dials = outputs.iter().map(|output| match output {
        Output::Dial(address) => Some(address.as_str()),
        _ => None,
    });
    dials.flatten().collect()
}

/// What of the log is to be read for whom.
pub(super) fn reads(outputs: &[Output]) -> Vec<(u64, &[Position])> {
    let reads = outputs.iter().map(|output| match output {
        Output::Read(connection, positions) => Some((connection.0, positions.as_slice())),
        _ => None,
    });
    reads.flatten().collect()
}
