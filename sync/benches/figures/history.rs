//! A long history in a home: what a room of five looks like after some months.

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

/// What was made.
pub(crate) struct Made {
    /// Bytes of all blocks.
    pub(crate) block_bytes: usize,
    /// Signatures that vouch for them.
    pub(crate) signatures: usize,
}

/// Puts a room with so many messages of five people into a new home.
pub(crate) fn make(folder: &Path, messages: usize) -> Made {
    let mut home = Home::open(folder).unwrap();
    let others = (1..5).map(|n| Identity::from_secret(&[n; 32]));
    let people: Vec<Identity> = std::iter::once(home.identity().clone()).chain(others).collect();
    let chain = |person: usize| ChainId { author: people[person].key(), incarnation: 1 };
    let start = 1_795_000_000_000;
    let period_s = u32::try_from(PERIOD_MS / 1000).unwrap();
    let first = first_entry(&people[0], chain(0), "figures", period_s, start).unwrap();
    let room = RoomId(first.id().0);
    let mut writer = Writer::new(&home, room);
    writer.add(first);
    for newcomer in &people[1..] {
        let key = newcomer.key();
        let card = people[0].sign(Purpose::Card { room: &room, key: &key });
        writer.write(
            &people[0],
            chain(0),
            start + 1,
            &Body::Admit(Box::new(Admit { key, card, proof: None })),
        );
    }
    // Turns of a few messages each, a minute apart.
    for number in 0..messages {
        let person = number / 3 % 5;
        let text = talk(number as u64);
        writer.write(&people[person], chain(person), start + number as u64 * 60_000, &Body::Message(text));
        if writer.waiting.len() == BLOCK_ENTRIES {
            writer.flush();
        }
    }
    writer.flush();
    let made = Made { block_bytes: writer.bytes, signatures: writer.signatures };
    writer.archive.close().unwrap();
    home.change(|state| {
        state.current_room = Some(room);
        let (name, secret) = ("figures".to_owned(), Secret([9; 32]));
        state.rooms.push(RoomState {
            id: room,
            name,
            secret,
            invite_secret: None,
            renew: false,
            peers: Vec::new(),
        });
    })
    .unwrap();
    made
}

/// Some 79 bytes of words, drawn by the number alone: they compress about as talk does.
fn talk(number: u64) -> String {
    let mut state = number.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let mut text = String::new();
    while text.len() < 74 {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        // Words of one to four syllables; the low ones come more often, as words do.
        let rank = (state % 40) * (state >> 32 & 63) / 8;
        let syllables =
            ["ta", "mi", "ron", "se", "la", "ku", "ver", "o", "dan", "pe", "lis", "ma", "tor", "in"];
        let word = |rank: u64| syllables[usize::try_from(rank % 14).unwrap()];
        text.push_str(word(rank));
        text.push_str(if rank > 13 { word(rank / 14) } else { "" });
        text.push_str(if rank > 195 { word(state >> 20) } else { "" });
        text.push(' ');
    }
    text
}

/// Entries in a block, as bulk has them.
const BLOCK_ENTRIES: usize = 900;

struct Writer {
    graph: Graph,
    archive: Archive,
    waiting: Vec<Entry>,
    bytes: usize,
    signatures: usize,
}

impl Writer {
    fn new(home: &Home, room: RoomId) -> Self {
        let store = SledStore::open(&home.store_dir(&room)).unwrap();
        let (archive, opened) = Archive::open(Box::new(store), room, (StoreId([1; 16]), 1), false).unwrap();
        Self { graph: opened.graph, archive, waiting: Vec::new(), bytes: 0, signatures: 0 }
    }

    fn write(&mut self, author: &Identity, chain: ChainId, claimed_ms: u64, body: &Body) {
        let record = self.graph.compose(chain, claimed_ms, body).unwrap();
        self.add(Entry::sign(record, &self.graph.room(), author).unwrap());
    }

    fn add(&mut self, entry: Entry) {
        assert!(matches!(self.graph.admit(&entry), Ok(Admission::New(_))));
        self.waiting.push(entry);
    }

    fn flush(&mut self) {
        let entries = std::mem::take(&mut self.waiting);
        self.signatures += block::unvouched(&entries).len();
        let bytes = block::encode(&entries, false, &self.graph).unwrap();
        self.bytes += bytes.len();
        let row = |entry: &Entry| {
            let at = self.graph.position(&entry.id()).unwrap();
            NewRow { key: self.graph.key(at), actor: self.graph.actor(at) }
        };
        let rows = entries.iter().map(row).collect();
        self.archive.commit(&Batch { blocks: vec![NewBlock { bytes, rows }], ..Batch::default() }).unwrap();
        self.graph.settle(self.graph.len());
    }
}
