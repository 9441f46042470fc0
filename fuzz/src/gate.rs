//! Whatever gets through the gate makes documents that apply, save, load and read back as what was signed.

use std::collections::BTreeMap;

use arbitrary::Arbitrary;
use automerge::{AutoCommit, ReadDoc as _};
use replica::archive::{Archive, text_of};
use replica::block::{self, References};
use replica::entry::{Entry, Record};
use replica::graph::Graph;
use replica::id::{ChainId, EntryId, RoomId, StoreId};
use replica::identity::{Identity, Purpose};
use replica::store::MemoryStore;
use replica_sync::conversation::{BlockKind, ConnectionId, Conversation, first_entry};

use crate::hostile::moves::{Content, Seq, dependencies};

#[cfg(test)]
mod tests;

/// What comes to the gate.
#[derive(Debug, Arbitrary)]
pub struct Offered {
    period_s: u32,
    frames: Vec<Sent>,
}

/// A block: entries made for it, in the form of one or nearly.
#[derive(Debug, Arbitrary)]
struct Sent {
    drafts: Vec<Draft>,
    /// What was made before and comes again.
    again: Vec<u8>,
    is_live: bool,
    keeps_signatures: bool,
    flip: Option<(u16, u8)>,
}

/// An entry to be signed.
#[derive(Debug, Arbitrary)]
struct Draft {
    author: u8,
    incarnation: u64,
    seq: Seq,
    dependencies: Vec<u8>,
    /// Whether it also follows all that is here.
    sees_all: bool,
    content: Content,
    claimed_ms: u64,
    /// If these are a record's bytes, that record instead, by the author.
    record: Option<Vec<u8>>,
}

/// When the room was made.
const START_MS: u64 = 1_795_357_800_000;

const STORE: (StoreId, u64) = (StoreId([1; 16]), 1);

impl Offered {
    /// Shows all of it to a member's gate, and then holds what was admitted against what is kept of it.
    ///
    /// # Panics
    /// When anything of it is not kept as it was signed.
    pub fn check(&self) {
        let mut gate = Gate::new(self.period_s.max(1));
        for (number, sent) in (0..).zip(self.frames.iter().take(FRAMES_MAX)) {
            gate.take(number, sent);
        }
        gate.check();
    }
}

/// Most frames of one try.
const FRAMES_MAX: usize = 24;

struct Gate {
    room: RoomId,
    people: [Identity; 3],
    store: MemoryStore,
    archive: Archive,
    conversation: Conversation,
    made: Vec<Entry>,
    admitted: BTreeMap<EntryId, Entry>,
}

impl Gate {
    fn new(period_s: u32) -> Self {
        // The creator, one that the creator lets in, and one that nobody lets in unless somebody does.
        let people = [8, 10, 11].map(|number| Identity::from_secret(&[number; 32]));
        let chain = ChainId { author: people[0].key(), incarnation: STORE.1 };
        let first = first_entry(&people[0], chain, "den", period_s, START_MS).expect("a room");
        let room = RoomId(first.id().0);
        let store = MemoryStore::new();
        let (archive, opened) = open(&store, room);
        let mut conversation = Conversation::new(opened, people[0].clone(), "h".to_owned());
        conversation.found("den", period_s, START_MS).expect("a room");
        conversation.admit(people[1].key(), None, START_MS, None).expect("an admission");
        let (made, admitted) = (Vec::new(), BTreeMap::new());
        let mut gate = Self { room, people, store, archive, conversation, made, admitted };
        gate.persist();
        gate
    }

    fn take(&mut self, number: u64, sent: &Sent) {
        let mut entries: Vec<Entry> = Vec::new();
        for draft in sent.drafts.iter().take(24) {
            entries.extend(self.make(draft));
        }
        let again = sent.again.iter().take(24).filter_map(|at| self.made.get(usize::from(*at)).cloned());
        entries.extend(again);
        let Ok(mut bytes) = block::encode(&entries, sent.keeps_signatures || sent.is_live, &self.known())
        else {
            return;
        };
        if let Some((at, flip)) = sent.flip {
            let length = bytes.len();
            bytes[usize::from(at) % length] ^= flip;
        }
        let kind = if sent.is_live { BlockKind::Live } else { BlockKind::Data };
        self.conversation.receive(ConnectionId(1), number, kind, bytes);
        self.persist();
    }

    fn persist(&mut self) {
        while let Some(batch) = self.conversation.poll_batch() {
            let rows = self.archive.commit(&batch).expect("what was admitted can be kept");
            let landed = self.conversation.persisted();
            let entries = landed.units.into_iter().flat_map(|unit| unit.entries);
            self.admitted.extend(entries.map(|entry| (entry.id(), entry)));
            assert!(rows.len() <= self.admitted.len());
        }
        self.archive.maintain(16, true).expect("documents can be kept up");
    }

    /// Makes an entry with a good signature, if it has the form of one.
    fn make(&mut self, draft: &Draft) -> Option<Entry> {
        let author = &self.people[usize::from(draft.author) % self.people.len()];
        let chain = ChainId { author: author.key(), incarnation: draft.incarnation % 4 };
        let in_chain = |entry: &&Entry| entry.record().chain == chain;
        let last = self.made.iter().rev().find(in_chain);
        let (seq, previous) = draft.seq.place(last, |at| self.pick(at))?;
        let picks = draft.dependencies.iter().map(|at| self.pick(*at));
        let dependencies = dependencies(picks, draft.sees_all.then_some(self.conversation.graph()), previous);
        let (kind, body) = draft.content.body(&self.room, author);
        let record = Record { kind, chain, seq, previous, dependencies, claimed_ms: draft.claimed_ms, body };
        let read = draft.record.as_ref().and_then(|bytes| Record::from_bytes(bytes).ok());
        let record = read.map_or(record, |read| Record { chain, ..read });
        let unsigned = Entry::new(record.clone(), &self.room, None).ok()?;
        let signature = author.sign(Purpose::Entry(&unsigned.id()));
        let entry = Entry::new(record, &self.room, Some(signature)).ok()?;
        self.made.push(entry.clone());
        Some(entry)
    }

    /// An entry that was made, one that is here, or one that is nowhere.
    fn pick(&self, at: u8) -> EntryId {
        let graph = self.conversation.graph();
        let here = u32::from(at).checked_sub(200).filter(|at| *at < graph.len());
        let made = self.made.get(usize::from(at)).map(Entry::id);
        here.map(|at| graph.id(at)).or(made).unwrap_or(EntryId([0xee; 32]))
    }

    fn known(&self) -> Known<'_> {
        Known { graph: self.conversation.graph(), made: &self.made }
    }

    /// What was admitted is in log, timeline and documents as it was signed; also after all is closed and opened again.
    fn check(mut self) {
        let digest = self.conversation.graph().digest();
        let count = self.admitted.len();
        assert_eq!(self.conversation.graph().durable() as usize, count);
        while self.archive.maintain(256, true).expect("documents can be kept up") {}
        let heads = self.archive.document_heads().expect("documents have heads");
        check_kept(&mut self.archive, &self.admitted);
        self.archive.close().expect("a store that can be closed");
        let (mut archive, opened) = open(&self.store.kill(), self.room);
        assert_eq!((opened.graph.digest(), opened.graph.durable() as usize), (digest, count));
        assert_eq!(archive.document_heads().expect("documents have heads"), heads);
        check_kept(&mut archive, &self.admitted);
    }
}

fn check_kept(archive: &mut Archive, admitted: &BTreeMap<EntryId, Entry>) {
    let verified = archive.verify().unwrap_or_else(|error| panic!("{error}"));
    assert_eq!(verified.entries as usize, admitted.len());
    let rows = archive.page(None, usize::MAX).expect("rows");
    assert_eq!(rows.len(), admitted.len());
    assert!(rows.windows(2).all(|pair| pair[0].key > pair[1].key), "rows out of order");
    for row in &rows {
        let entry = &admitted[&row.key.id];
        assert_eq!(row.text, text_of(&entry.body()), "a row reads otherwise than it was signed");
    }
    let exported = archive.export().expect("an export");
    let document = AutoCommit::load(&exported).expect("Automerge opens it");
    assert_eq!(document.length(automerge::ROOT), rows.len());
}

fn open(store: &MemoryStore, room: RoomId) -> (Archive, replica::archive::Opened) {
    Archive::open(Box::new(store.clone()), room, STORE, false).expect("a store that can be opened")
}

/// Everything that is here, and everything that was made up.
struct Known<'a> {
    graph: &'a Graph,
    made: &'a [Entry],
}

impl References for Known<'_> {
    fn place(&self, id: &EntryId) -> Option<(ChainId, u32)> {
        let made = || self.made.iter().find(|entry| entry.id() == *id);
        let place = |entry: &Entry| (entry.record().chain, entry.record().seq);
        self.graph.place(id).or_else(|| made().map(place))
    }

    fn find(&self, _: &ChainId, _: u32, _: &[u8; 16]) -> Option<EntryId> {
        None
    }
}
