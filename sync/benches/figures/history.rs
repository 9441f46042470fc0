//! A long history in a home: what a room of five looks like after some months, or years.

use std::fs;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;

use replica::archive::{Archive, Batch, NewBlock, NewRow, PERIOD_MS};
use replica::block;
use replica::entry::{Admit, Body, Entry};
use replica::graph::{Admission, Graph};
use replica::home::{Home, RoomState, Secret};
use replica::id::{ChainId, RoomId, StoreId};
use replica::identity::{Identity, Purpose};
use replica::store::SledStore;
use replica_sync::conversation::first_entry;
use replica_sync::limits::BULK_WEIGHT_MAX;
use tempfile::TempDir;

use crate::talk::talk;

/// A room with its log, to be copied into homes.
pub(crate) struct History {
    store: TempDir,
    pub(crate) room: RoomId,
    /// Messages in it.
    pub(crate) messages: usize,
    /// Entries in it: two more a person, their admission and name.
    pub(crate) entries: usize,
    /// Bytes of all blocks.
    pub(crate) block_bytes: usize,
    /// Signatures that vouch for them.
    pub(crate) signatures: usize,
}

/// The room's secret.
pub(crate) const SECRET: [u8; 32] = [9; 32];

/// Who they are: everybody's secret key is one number.
pub(crate) fn person(number: u8) -> Identity {
    Identity::from_secret(&[number + 1; 32])
}

/// Who of them talks.
const TALKERS: usize = 5;

/// When histories end, in milliseconds since 1970: before whatever clock this runs by.
const END_MS: u64 = 1_790_000_000_000;

impl History {
    /// A room of so many people with so many messages, so many milliseconds apart.
    pub(crate) fn new(people: u8, messages: usize, apart_ms: u64) -> Self {
        let people: Vec<Identity> = (0..people).map(person).collect();
        let chain = |person: usize| ChainId { author: people[person].key(), incarnation: 1 };
        let start = END_MS - messages as u64 * apart_ms;
        let period_s = u32::try_from(PERIOD_MS / 1000).unwrap();
        let first = first_entry(&people[0], chain(0), "figures", period_s, start).unwrap();
        let room = RoomId(first.id().0);
        let store = tempfile::tempdir().unwrap();
        let mut writer = Writer::new(store.path(), room, people.clone());
        writer.add(first);
        for newcomer in &people[1..] {
            let key = newcomer.key();
            let card = people[0].sign(Purpose::Card { room: &room, key: &key });
            writer.write(chain(0), start + 1, &Body::Admit(Box::new(Admit { key, card, proof: None })));
        }
        for number in 0..people.len() {
            writer.write(chain(number), start + 2, &Body::Nickname(format!("person {number}")));
        }
        // Turns of a few messages each.
        for number in 0..messages {
            let at = start + number as u64 * apart_ms;
            writer.write(chain(number / 3 % TALKERS), at, &Body::Message(talk(number as u64)));
        }
        writer.flush();
        let entries = usize::try_from(writer.graph.len()).unwrap();
        let (block_bytes, signatures) = (writer.bytes, writer.signatures);
        writer.archive.close().unwrap();
        Self { store, room, messages, entries, block_bytes, signatures }
    }

    /// The same with its documents, so that no node that has it is busy making them.
    pub(crate) fn with_documents(self) -> Self {
        let store = SledStore::open(self.store.path()).unwrap();
        let (mut archive, _) = Archive::open(Box::new(store), self.room, NAMES, false).unwrap();
        while archive.maintain(4_096, true).unwrap() {}
        archive.close().unwrap();
        self
    }

    /// A home of one of its people that has all of it.
    pub(crate) fn home(&self, number: u8) -> TempDir {
        let folder = tempfile::tempdir().unwrap();
        write_identity(folder.path(), number);
        let mut home = Home::open(folder.path()).unwrap();
        assert_eq!(home.identity().key(), person(number).key());
        copy(self.store.path(), &home.store_dir(&self.room));
        home.change(|state| {
            state.current_room = Some(self.room);
            let (name, secret) = ("figures".to_owned(), Secret(SECRET));
            let (id, invite_secret, peers) = (self.room, None, Vec::new());
            // A store of its own, as every copy must have.
            state.rooms.push(RoomState { id, name, secret, invite_secret, renew: true, peers });
        })
        .unwrap();
        folder
    }

    /// All of it as one Automerge document.
    pub(crate) fn export(&self) -> Vec<u8> {
        let folder = tempfile::tempdir().unwrap();
        copy(self.store.path(), &folder.path().join("store"));
        let store = SledStore::open(&folder.path().join("store")).unwrap();
        let (mut archive, _) = Archive::open(Box::new(store), self.room, NAMES, false).unwrap();
        archive.export().unwrap()
    }
}

const NAMES: (StoreId, u64) = (StoreId([1; 16]), 1);

fn write_identity(folder: &Path, number: u8) {
    use std::io::Write as _;
    let mut bytes = vec![1];
    bytes.extend([number + 1; 32]);
    bytes.extend(crc32fast::hash(&bytes).to_be_bytes());
    let mut options = fs::OpenOptions::new();
    let mut file = options.create_new(true).write(true).mode(0o600).open(folder.join("identity")).unwrap();
    file.write_all(&bytes).unwrap();
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let path = entry.unwrap().path();
        let to = to.join(path.file_name().unwrap());
        if path.is_dir() {
            copy(&path, &to);
        } else {
            fs::copy(&path, &to).unwrap();
        }
    }
}

struct Writer {
    people: Vec<Identity>,
    graph: Graph,
    archive: Archive,
    waiting: Vec<Entry>,
    weight: usize,
    bytes: usize,
    signatures: usize,
}

impl Writer {
    fn new(folder: &Path, room: RoomId, people: Vec<Identity>) -> Self {
        let store = SledStore::open(folder).unwrap();
        let (archive, opened) = Archive::open(Box::new(store), room, NAMES, false).unwrap();
        let graph = opened.graph;
        Self { people, graph, archive, waiting: Vec::new(), weight: 0, bytes: 0, signatures: 0 }
    }

    /// Writes an entry without a signature: it gets one if nothing else in its block will vouch for it.
    fn write(&mut self, chain: ChainId, claimed_ms: u64, body: &Body) {
        let record = self.graph.compose(chain, claimed_ms, body).unwrap();
        self.add(Entry::new(record, &self.graph.room(), None).unwrap());
    }

    fn add(&mut self, entry: Entry) {
        assert!(matches!(self.graph.admit(&entry), Ok(Admission::New(_))));
        self.weight += block::weight(&entry);
        self.waiting.push(entry);
        // Room for the signatures of everybody, and for what stands outside.
        if self.weight > BULK_WEIGHT_MAX - 4 * 1024 {
            self.flush();
        }
    }

    fn flush(&mut self) {
        let mut entries = std::mem::take(&mut self.waiting);
        self.weight = 0;
        let unvouched = block::unvouched(&entries);
        self.signatures += unvouched.len();
        for index in unvouched {
            let entry = &entries[index];
            let author = self.people.iter().find(|person| person.key() == entry.author()).unwrap();
            entries[index] = Entry::sign(entry.record().clone(), &self.graph.room(), author).unwrap();
        }
        let bytes = block::encode(&entries, false, &self.graph).unwrap();
        self.bytes += bytes.len();
        let row = |entry: &Entry| {
            let at = self.graph.position(&entry.id()).unwrap();
            NewRow { key: self.graph.key(at), run: self.graph.run(at) }
        };
        let rows = entries.iter().map(row).collect();
        self.archive.commit(&Batch { blocks: vec![NewBlock { bytes, rows }], ..Batch::default() }).unwrap();
        self.graph.settle(self.graph.len());
    }
}
