use std::collections::BTreeMap;

use replica::archive::{Notes, Opened};
use replica::entry::{Body, Entry};
use replica::graph::Graph;
use replica::id::{ChainId, Digest, RoomId, StoreId};
use replica::identity::Identity;
use replica::members::Members;

use super::{Command, Engine, Event, Input, Now, Output, PeerProof, Settings};
use crate::conversation::{ConnectionId, Conversation, first_entry, live_frames};
use crate::wire::{Frame, Hello, PROTOCOL};

pub(super) const START_MS: u64 = 1_795_357_800_000;

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
    /// In a room that ann made, alone.
    pub(super) fn new(settings: Settings) -> Self {
        let now = Now { monotonic_ms: 1_000_000, wall_ms: START_MS };
        let chain = ChainId { author: ann().key(), incarnation: 1 };
        let first = first_entry(&ann(), chain, "home", 3_600, START_MS).unwrap();
        let notes = Notes {
            whereabouts: BTreeMap::new(),
            store: StoreId([1; 16]),
            incarnation: 1,
            drafts: BTreeMap::new(),
            home_drafts_taken: 0,
            met: BTreeMap::new(),
        };
        let opened = Opened { graph: Graph::new(RoomId(first.id().0)), members: Members::default(), notes };
        let mut conversation = Conversation::new(opened, ann(), "ann".to_owned());
        conversation.found("home", 3_600, START_MS).unwrap();
        let mut bench = Self { engine: Engine::new(conversation, settings, now), now };
        bench.drain();
        bench
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
        let mut outputs = Vec::new();
        let until = self.now.monotonic_ms + millis;
        while self.now.monotonic_ms < until {
            let due = self.engine.deadline().unwrap_or(until).clamp(self.now.monotonic_ms + 1, until);
            let step = due - self.now.monotonic_ms;
            self.now.monotonic_ms += step;
            self.now.wall_ms += step;
            self.engine.sessions.values_mut().for_each(|session| session.heard_ms = self.now.monotonic_ms);
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
        let connection = ConnectionId(number);
        let channel = [u8::try_from(number).unwrap(); 32];
        let proof = PeerProof { author: who.key(), cards: Vec::new(), invite: None, channel };
        let address = format!("192.0.2.1:{number}");
        let mut outputs = self.handle(Input::Connected { connection, address, dialed: false, proof });
        let store = StoreId([store; 16]);
        let hello = Hello { protocol: PROTOCOL, store, digest: Digest([9; 32]), entries: 5 };
        outputs.extend(self.frame(number, Frame::Hello(hello)));
        outputs
    }

    pub(super) fn close(&mut self, number: u64) -> Vec<Output> {
        self.handle(Input::Closed(ConnectionId(number)))
    }

    pub(super) fn frame(&mut self, number: u64, frame: Frame) -> Vec<Output> {
        self.handle(Input::Frame(ConnectionId(number), frame))
    }

    /// What somebody writes who has all that is here.
    pub(super) fn written(&self, who: &Identity, text: &str) -> Entry {
        let graph = self.engine.conversation().graph();
        let chain = ChainId { author: who.key(), incarnation: 9 };
        let record = graph.compose(chain, self.now.wall_ms, &Body::Message(text.to_owned())).unwrap();
        Entry::sign(record, &graph.room(), who).unwrap()
    }

    /// Entries come over a connection as they are written.
    pub(super) fn hear(&mut self, number: u64, entries: &[Entry]) -> Vec<Output> {
        let frames = live_frames(entries, self.engine.conversation().graph());
        frames.into_iter().flat_map(|(frame, _)| self.frame(number, frame)).collect()
    }
}

/// What was sent, with the numbers of the connections.
pub(super) fn sent(outputs: &[Output]) -> Vec<(u64, &Frame)> {
    let sent = outputs.iter().map(|output| match output {
        Output::Send(connection, frame) => Some((connection.0, frame)),
        _ => None,
    });
    sent.flatten().collect()
}

/// What was told.
pub(super) fn told(outputs: &[Output]) -> Vec<&Event> {
    let told = outputs.iter().map(|output| match output {
        Output::Event(event) => Some(event),
        _ => None,
    });
    told.flatten().collect()
}
