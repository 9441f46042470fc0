use automerge::{Automerge, ROOT, ReadDoc as _};

use super::*;
use crate::document::KeyPrefix;
use crate::store::{MemoryStore, Write};
use crate::testing::{Dice, World, chain, signed_tips};

mod documents;
mod faults;
mod fold;
mod mend;
mod read_on;

const FRESH: (StoreId, u64) = (StoreId([4; 16]), 9);

/// One replica: its store, and what an engine would have in memory beside it.
struct Replica {
    store: MemoryStore,
    archive: Archive,
    graph: Graph,
    members: Members,
    notes: Notes,
}

impl Replica {
    fn new(world: &World) -> Self {
        Self::open(MemoryStore::new(), world.room).unwrap()
    }

    fn open(store: MemoryStore, room: RoomId) -> Result<Self, StoreError> {
        let (archive, Opened { graph, members, notes }) =
            Archive::open(Box::new(store.clone()), room, FRESH, false)?;
        Ok(Self { store, archive, graph, members, notes })
    }

    /// Entries as one batch with one block.
    fn batch(&mut self, entries: &[Entry]) -> Batch {
        let first = self.graph.len();
        for entry in entries {
            assert!(matches!(self.graph.admit(entry), Ok(Admission::New(_))));
        }
        let relined = self.graph.relined(first..self.graph.len());
        let row = |at| NewRow { key: self.graph.key(at), run: self.graph.run(at) };
        let rows = (first..self.graph.len()).map(row).collect();
        let bytes = block::encode(entries, true, &self.graph).unwrap();
        Batch { blocks: vec![NewBlock { bytes, rows }], relined, ..Batch::default() }
    }

    fn commit(&mut self, entries: &[Entry]) -> Result<Vec<u32>, StoreError> {
        let batch = self.batch(entries);
        let rows_after = self.archive.commit(&batch)?;
        self.graph.settle(self.graph.len());
        Ok(rows_after)
    }

    fn reopen(self) -> Self {
        self.archive.close().unwrap();
        Self::open(self.store.kill(), self.graph.room()).unwrap()
    }

    fn page(&mut self) -> Vec<(OrderKey, String)> {
        let rows = self.archive.page(None, usize::MAX).unwrap();
        rows.into_iter().map(|row| (row.key, row.text)).collect()
    }
}

/// The rows a set of entries makes, newest first.
fn rows(world: &World, entries: &[Entry]) -> Vec<(OrderKey, String)> {
    let key = |entry: &Entry| world.graph.key(world.graph.position(&entry.id()).unwrap());
    let mut rows: Vec<(OrderKey, String)> =
        entries.iter().map(|entry| (key(entry), text_of(&entry.body()))).collect();
    rows.sort_unstable();
    rows.reverse();
    rows
}

#[test]
fn what_was_committed_is_there_when_opened_again() {
    let mut dice = Dice(1);
    let world = World::random(&mut dice, 4, 60, true);
    let mut replica = Replica::new(&world);
    let log = world.shuffled(&mut dice);
    for (round, entries) in log.chunks(7).enumerate() {
        let rows_after = replica.commit(entries).unwrap();
        let (before, now) =
            (rows(&world, &log[..round * 7]), rows(&world, &log[..round * 7 + entries.len()]));
        assert_eq!(replica.page(), now);
        // The last of a batch is told how many rows of all that are here stand behind it.
        let key = world.graph.key(world.graph.position(&entries[entries.len() - 1].id()).unwrap());
        let behind = now.iter().filter(|(other, _)| *other > key).count();
        assert_eq!(rows_after.last().copied(), Some(u32::try_from(behind).unwrap()));
        assert_eq!(rows_after.len(), now.len() - before.len());
        replica = match round % 3 {
            0 => replica.reopen(),
            1 => Replica::open(replica.store.crash(), world.room).unwrap(),
            _ => replica,
        };
        assert_eq!(replica.notes.store, FRESH.0);
    }
    let mut expected = Graph::new(world.room);
    for entry in &log {
        expected.admit(entry).unwrap();
    }
    expected.settle(expected.len());
    replica = replica.reopen();
    assert_eq!(replica.graph.digest(), expected.digest());
    assert_eq!(signed_tips(&replica.graph), signed_tips(&expected));
    assert!(replica.members.people().count() > 1);
    assert_eq!(replica.page(), rows(&world, &log));
    assert_eq!(replica.archive.verify().unwrap().entries, expected.len());
}

#[test]
fn the_names_of_a_store_stay_until_they_are_to_be_renewed() {
    let world = World::new();
    let replica = Replica::new(&world);
    assert_eq!((replica.notes.store, replica.notes.incarnation), FRESH);
    let other = (StoreId([5; 16]), 10);
    let open = |store: &MemoryStore, renew: bool| {
        let opened = Archive::open(Box::new(store.clone()), world.room, other, renew).unwrap();
        (opened.0, opened.1.notes)
    };
    let store = replica.store.crash();
    let (mut archive, notes) = open(&store, false);
    assert_eq!((notes.store, notes.incarnation), FRESH);
    let batch = Batch { names: Some((StoreId([6; 16]), 77)), home_drafts_taken: Some(3), ..Batch::default() };
    archive.commit(&batch).unwrap();
    let notes = open(&store.crash(), false).1;
    assert_eq!((notes.store, notes.incarnation, notes.home_drafts_taken), (StoreId([6; 16]), 77, 3));
    let notes = open(&store, true).1;
    assert_eq!((notes.store, notes.incarnation), other);
    assert_eq!(open(&store.crash(), false).1, notes);
}

#[test]
fn drafts_last_until_the_batch_that_makes_entries_of_them() {
    let mut world = World::new();
    let mut replica = Replica::new(&world);
    replica.commit(&world.log).unwrap();
    let longest = "é".repeat(crate::limits::MESSAGE_BYTES_MAX / 2);
    let texts = [longest.as_str(), "short", "x"];
    let draft = |text: &str| Draft { written_ms: 5, text: text.to_owned() };
    let drafts: Vec<(u64, Draft)> = (0..).zip(texts.map(draft)).collect();
    replica.archive.commit(&Batch { drafts: drafts.clone(), ..Batch::default() }).unwrap();
    let kept = Replica::open(replica.store.crash(), world.room).unwrap().notes.drafts;
    assert_eq!(kept, drafts.iter().cloned().collect());

    let said = world.message(0, &longest);
    let mut batch = replica.batch(&[said]);
    batch.drafts_done = vec![0];
    for call in 1..=2 {
        // Neither half of a batch that failed is there.
        let mut replica = Replica::open(replica.store.crash(), world.room).unwrap();
        replica.store.fail_call(call);
        assert!(replica.archive.commit(&batch).is_err());
        let after = Replica::open(replica.store.crash(), world.room).unwrap();
        assert_eq!((after.graph.len(), after.notes.drafts.len()), (1, 3));
    }
    replica.archive.commit(&batch).unwrap();
    let mut after = Replica::open(replica.store.crash(), world.room).unwrap();
    assert_eq!(after.graph.len(), 2);
    assert_eq!(after.notes.drafts, drafts[1..].iter().cloned().collect());
    let rows = after.store.scan(b"m/draft/").count();
    assert_eq!(rows, 2, "nothing of the long one is left behind");
    // Made and used up in one batch.
    let batch = Batch { drafts: vec![(7, draft("gone"))], drafts_done: vec![1, 2, 7], ..Batch::default() };
    after.archive.commit(&batch).unwrap();
    assert_eq!(after.store.scan(b"m/draft/").count(), 0);
}

#[test]
fn blocks_are_read_back_as_they_were_given() {
    let world = World::random(&mut Dice(2), 4, 40, true);
    let mut replica = Replica::new(&world);
    let mut given = Vec::new();
    for entries in world.log.chunks(6) {
        let batch = replica.batch(entries);
        replica.archive.commit(&batch).unwrap();
        replica.graph.settle(replica.graph.len());
        given.push(batch.blocks[0].bytes.clone());
    }
    let all: Vec<Position> = (0..replica.graph.len()).collect();
    let blocks = replica.archive.blocks(&all).unwrap();
    assert!(blocks.iter().map(|block| &block.bytes).eq(&given));
    let firsts: Vec<Position> = all.iter().copied().step_by(6).collect();
    assert_eq!(blocks.iter().map(|block| block.first).collect::<Vec<_>>(), firsts);
    assert_eq!(replica.archive.blocks(&[7, 8, 30]).unwrap().len(), 2);
    assert!(replica.archive.blocks(&[replica.graph.len()]).is_err());
}

#[test]
fn where_members_are_is_kept_until_it_is_taken_back() {
    let world = World::new();
    let mut replica = Replica::new(&world);
    let ann = (crate::id::AuthorKey([1; 32]), StoreId([2; 16]));
    let bob = (ann.0, StoreId([3; 16]));
    let keep = |peer, bytes: Option<&[u8]>| (peer, bytes.map(<[u8]>::to_vec));
    let whereabouts = [keep(ann, Some(b"here")), keep(bob, Some(b"there"))].into();
    replica.archive.commit(&Batch { whereabouts, ..Batch::default() }).unwrap();
    let mut replica = replica.reopen();
    let kept = [(ann, b"here".to_vec()), (bob, b"there".to_vec())];
    assert_eq!(replica.notes.whereabouts.clone().into_iter().collect::<Vec<_>>(), kept);
    let whereabouts = [keep(ann, None), keep(bob, Some(b"elsewhere"))].into();
    replica.archive.commit(&Batch { whereabouts, ..Batch::default() }).unwrap();
    let kept = replica.reopen().notes.whereabouts;
    assert_eq!(kept.into_iter().collect::<Vec<_>>(), [(bob, b"elsewhere".to_vec())]);
}
