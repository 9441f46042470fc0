//! A member who sends whatever it likes, in any order, and two honest ones who have to live with that.

use std::collections::BTreeMap;

use arbitrary::{Arbitrary, Result, Unstructured};
use replica::block::{self, References};
use replica::entry::{Entry, Record};
use replica::id::{ChainId, Digest, EntryId, StoreId};
use replica::identity::{Identity, Purpose, Signature};
use replica_sync::channel::PeerProof;
use replica_sync::conversation::ConnectionId;
use replica_sync::engine::{Command, Input};
use replica_sync::limits::{OUTBOUND_BYTES_MAX, PENDING_TOTAL_BYTES_MAX};
use replica_sync::sim::{self, START_MS, World};
use replica_sync::wire::{
    self, Ack, Bye, ByeReason, Credit, Data, Frame, Have, Hello, Locate, PROTOCOL, Ping, Want, WantChain,
};

use crate::examine::agreed;

pub(crate) mod moves;
#[cfg(test)]
mod tests;

use moves::{Draft, Move, Seal, dependencies};

/// What a hostile member does.
#[derive(Debug)]
pub struct Attack {
    moves: Vec<Move>,
}

impl<'a> Arbitrary<'a> for Attack {
    fn arbitrary(bytes: &mut Unstructured<'a>) -> Result<Self> {
        let mut moves = Vec::new();
        while !bytes.is_empty() && moves.len() < MOVES_MAX {
            moves.push(bytes.arbitrary()?);
        }
        Ok(Self { moves })
    }
}

/// Most moves of one attack.
const MOVES_MAX: usize = 60;

/// Most events after one move: a few for each entry that it can bring along or free from its wait.
const EVENTS_MAX: usize = 4_096;

/// The victim's index in its world; the other honest member is the first.
const VICTIM: usize = 1;

impl Attack {
    /// Does all of it to one of two honest members, who then talk to each other.
    ///
    /// # Panics
    /// When they cannot, do not agree, or hold more for the attacker than they may.
    pub fn check(&self) {
        let mut mallory = Mallory::new();
        for next in &self.moves {
            let (sent, told) = mallory.answered();
            mallory.act(next);
            let (sent_after, told_after) = mallory.answered();
            assert!(sent_after - sent <= OUTBOUND_BYTES_MAX, "too much is answered to one move");
            assert!(told_after - told <= EVENTS_MAX, "too much is told after one move");
            let waiting = |index: usize| {
                let engine = mallory.world.replicas()[index].engine.as_ref();
                engine.map_or(0, |engine| engine.conversation().waiting_bytes())
            };
            assert!(waiting(0).max(waiting(VICTIM)) <= PENDING_TOTAL_BYTES_MAX, "too much waits");
        }
        let mut world = mallory.world;
        world.command(0, Command::Say("are you all right?".to_owned()));
        world.command(VICTIM, Command::Say("never better".to_owned()));
        assert!(world.settle(), "the honest do not come to rest");
        let history = agreed(&mut world).unwrap_or_else(|finding| panic!("{finding}"));
        let said = |text: &str| {
            history
                .iter()
                .flat_map(|history| history.entries())
                .any(|entry| entry.record().body == text.as_bytes())
        };
        assert!(said("are you all right?") && said("never better"), "the honest were not heard");
        assert_eq!(world.told_too_early(), []);
    }
}

/// The attacker: a member by its key, and otherwise bound by nothing.
struct Mallory {
    world: World,
    identity: Identity,
    connection: Option<ConnectionId>,
    connections: u64,
    /// What it made, valid or not, and where that stands.
    made: BTreeMap<EntryId, (ChainId, u32)>,
    entries: Vec<Entry>,
    last_block: Vec<u8>,
}

impl Mallory {
    fn new() -> Self {
        let mut world = sim::begin(1, "h: hi | v: ho");
        let identity = Identity::from_secret(&[9; 32]);
        world.command(0, Command::Admit(identity.key()));
        for step in sim::steps("h: hi | v: ho | settle") {
            world.step(step).expect("a step");
        }
        let mut mallory = Self {
            world,
            identity,
            connection: None,
            connections: 0,
            made: BTreeMap::new(),
            entries: Vec::new(),
            last_block: Vec::new(),
        };
        mallory.connect(false);
        mallory.hello(0, false);
        mallory
    }

    /// Bytes that were sent to it so far, and what the victim told its owner.
    fn answered(&self) -> (usize, usize) {
        (self.world.unheard_bytes(), self.world.replicas()[VICTIM].told.len())
    }

    fn act(&mut self, next: &Move) {
        match next {
            Move::Connect { as_stranger } => self.connect(*as_stranger),
            Move::Hello { store, is_equal } => self.hello(*store, *is_equal),
            Move::Entries { drafts, is_live, keeps_signatures, remaining } => {
                let entries: Vec<Entry> =
                    drafts.iter().take(24).filter_map(|draft| self.make(draft)).collect();
                self.send_block(&entries, *is_live, *keeps_signatures, *remaining);
            }
            Move::Again { picks, is_live, keeps_signatures } => {
                let pick = |at: &u8| self.entries.get(usize::from(*at) % self.entries.len().max(1)).cloned();
                let entries: Vec<Entry> = picks.iter().filter_map(pick).collect();
                self.send_block(&entries, *is_live, *keeps_signatures, 0);
            }
            Move::Torn { at, flip, is_live } => {
                let mut block = self.last_block.clone();
                let length = block.len().max(1);
                if let Some(byte) = block.get_mut(usize::from(*at) % length) {
                    *byte ^= *flip;
                }
                self.send(block_frame(block, *is_live, 0));
            }
            Move::Have { tips, last } => {
                let tips = tips
                    .iter()
                    .take(50)
                    .map(|(at, seq, is_signed)| self.tip(*at, *seq, *is_signed))
                    .collect();
                self.send(Frame::Have(Have { tips, last: *last }));
            }
            Move::Want { chains, last } => {
                let chains = chains.iter().take(50).map(|(tip, from)| WantChain {
                    tip: self.pick(*tip),
                    from: from.iter().take(30).map(|at| self.pick(*at)).collect(),
                });
                let chains = chains.collect();
                self.send(Frame::Want(Want { chains, last: *last }));
            }
            Move::Locate { tips } => {
                let tips = tips.iter().map(|at| self.pick(*at)).collect();
                self.send(Frame::Locate(Locate { tips }));
            }
            Move::Ack(frames) => self.send(Frame::Ack(Ack { frames: *frames })),
            Move::Credit(bytes) => self.send(Frame::Credit(Credit { bytes: *bytes })),
            Move::Ping { is_equal, at_rest } => {
                let digest = self.digest(*is_equal);
                self.send(Frame::Ping(Ping { digest, at_rest: *at_rest }));
            }
            Move::Bye => self.send(Frame::Bye(Bye::new(ByeReason::Leaving, "bye"))),
            Move::Raw(bytes) => {
                if let Ok(frame) = wire::decode(bytes) {
                    self.send(frame);
                }
            }
            Move::Closed => {
                if let Some(connection) = self.connection.take() {
                    self.world.handle(VICTIM, Input::Closed(connection));
                }
            }
            Move::Say => self.world.command(VICTIM, Command::Say("la".to_owned())),
            Move::Pass(millis) => self.world.pass(u64::from(*millis)),
        }
    }

    fn connect(&mut self, as_stranger: bool) {
        self.connections += 1;
        // Numbers that no connection of the world has.
        let connection = ConnectionId(u64::MAX - self.connections);
        self.connection = Some(connection);
        let author = if as_stranger { Identity::from_secret(&[10; 32]).key() } else { self.identity.key() };
        let proof = PeerProof { author, cards: Vec::new(), invite: None, channel: [3; 32] };
        let address = "mallory".to_owned();
        self.world.handle(VICTIM, Input::Connected { connection, address, dialed: false, proof });
    }

    fn hello(&mut self, store: u8, is_equal: bool) {
        let (digest, entries) = (self.digest(is_equal), u64::from(store));
        let store = StoreId([store; 16]);
        self.send(Frame::Hello(Hello { protocol: PROTOCOL, store, digest, entries: 1 + entries }));
    }

    /// Sends a frame as it would come from the wire.
    fn send(&mut self, frame: Frame) {
        let Some(connection) = self.connection else { return };
        if let Ok(frame) = wire::decode(&wire::encode(&frame)) {
            self.world.handle(VICTIM, Input::Frame(connection, frame));
        }
    }

    fn send_block(&mut self, entries: &[Entry], is_live: bool, keeps_signatures: bool, remaining: u64) {
        let known = Known { world: &self.world, made: &self.made };
        if let Ok(block) = block::encode(entries, keeps_signatures, &known) {
            self.last_block.clone_from(&block);
            self.send(block_frame(block, is_live, remaining));
        }
    }

    fn digest(&self, is_equal: bool) -> Digest {
        let engine = self.world.replicas()[VICTIM].engine.as_ref().filter(|_| is_equal);
        engine.map_or(Digest([1; 32]), |engine| engine.conversation().graph().digest())
    }

    /// An entry that was made here, one of the honest, or one that is not.
    fn pick(&self, at: u8) -> EntryId {
        let at = usize::from(at);
        let made = self.entries.get(at).map(Entry::id);
        let honest = || {
            let graph = self.world.replicas()[VICTIM].engine.as_ref()?.conversation().graph();
            let position = u32::try_from(at.checked_sub(self.entries.len())?).ok()?;
            (position < graph.len()).then(|| graph.id(position))
        };
        made.or_else(honest).unwrap_or(EntryId([0xee; 32]))
    }

    fn tip(&self, at: u8, seq: u8, is_signed: bool) -> wire::Tip {
        let id = self.pick(at);
        let known = Known { world: &self.world, made: &self.made };
        let mine = ChainId { author: self.identity.key(), incarnation: u64::from(at % 3) };
        let (chain, place) = known.place(&id).unwrap_or((mine, u32::from(seq)));
        let signature =
            if is_signed { self.identity.sign(Purpose::Entry(&id)) } else { Signature([seq; 64]) };
        wire::Tip { chain, seq: place, id, signature }
    }

    /// Makes an entry, if it has the form of one.
    fn make(&mut self, draft: &Draft) -> Option<Entry> {
        let chain = ChainId { author: self.identity.key(), incarnation: u64::from(draft.chain % 3) };
        let in_chain = |entry: &&Entry| entry.record().chain == chain;
        let last = self.entries.iter().rev().find(in_chain);
        let graph = self.world.replicas()[VICTIM].engine.as_ref()?.conversation().graph();
        let (seq, previous) = draft.seq.place(last, |at| self.pick(at))?;
        let picks = draft.dependencies.iter().map(|at| self.pick(*at));
        let dependencies = dependencies(picks, draft.sees_all.then_some(graph), previous);
        let (kind, body) = draft.content.body(&self.world.room(), &self.identity);
        let claimed_ms = START_MS.saturating_add_signed(i64::from(draft.claimed) * 3_600_000);
        let record = Record { kind, chain, seq, previous, dependencies, claimed_ms, body };
        let room = self.world.room();
        let unsigned = Entry::new(record.clone(), &room, None).ok()?;
        let signature = match draft.seal {
            Seal::Real => Some(self.identity.sign(Purpose::Entry(&unsigned.id()))),
            Seal::False => Some(Signature([5; 64])),
            Seal::None => None,
        };
        let entry = Entry::new(record, &room, signature).ok()?;
        self.made.insert(entry.id(), (chain, seq));
        self.entries.push(entry.clone());
        Some(entry)
    }
}

fn block_frame(block: Vec<u8>, is_live: bool, remaining: u64) -> Frame {
    if is_live { Frame::Live(block) } else { Frame::Data(Data { block, remaining }) }
}

/// Everything the victim has, and everything that was made up.
struct Known<'a> {
    world: &'a World,
    made: &'a BTreeMap<EntryId, (ChainId, u32)>,
}

impl References for Known<'_> {
    fn place(&self, id: &EntryId) -> Option<(ChainId, u32)> {
        let victim = self.world.replicas()[VICTIM].engine.as_ref();
        let honest = victim.and_then(|engine| engine.conversation().graph().place(id));
        honest.or_else(|| self.made.get(id).copied())
    }

    fn find(&self, _: &ChainId, _: u32, _: &[u8; 16]) -> Option<EntryId> {
        None
    }
}
