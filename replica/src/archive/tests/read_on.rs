use std::io;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use tempfile::TempDir;

use super::*;
use crate::store::{Rows, SledStore};

/// A database whose calls fail once they are told to.
struct Failing {
    database: SledStore,
    faults: Arc<Faults>,
    /// Whether what it says it could not write is written all the same.
    writes_on: bool,
}

#[derive(Default)]
struct Faults {
    reading: AtomicBool,
    writing: AtomicBool,
}

fn check(fault: &AtomicBool) -> Result<(), StoreError> {
    match fault.load(Ordering::Relaxed) {
        true => Err(io::Error::from(io::ErrorKind::StorageFull).into()),
        false => Ok(()),
    }
}

impl Store for Failing {
    fn commit(&mut self, writes: &[Write]) -> Result<(), StoreError> {
        let checked = check(&self.faults.writing);
        if checked.is_ok() || self.writes_on {
            self.database.commit(writes)?;
        }
        checked
    }

    fn get(&self, key: &[u8]) -> Result<Option<Vec<u8>>, StoreError> {
        check(&self.faults.reading)?;
        self.database.get(key)
    }

    fn scan<'a>(&'a self, prefix: &[u8]) -> Rows<'a> {
        match check(&self.faults.reading) {
            Ok(()) => self.database.scan(prefix),
            Err(error) => Box::new(std::iter::once(Err(error))),
        }
    }

    fn close(self: Box<Self>) -> Result<(), StoreError> {
        check(&self.faults.writing)?;
        Box::new(self.database).close()
    }
}

fn failing(world: &World, folder: &Path, writes_on: bool) -> (Replica, Arc<Faults>) {
    let faults = Arc::new(Faults::default());
    let database = SledStore::open(folder).unwrap();
    let store = Failing { database, faults: Arc::clone(&faults), writes_on };
    let mut replica = Replica::new(world);
    replica.archive = Archive::open(Box::new(store), world.room, FRESH, false).unwrap().0;
    (replica, faults)
}

/// All that can be read of an archive is what these entries say.
fn check_read(replica: &mut Replica, world: &World, entries: &[Entry]) {
    assert_eq!(replica.page(), rows(world, entries));
    assert_eq!(replica.archive.verify().unwrap().entries as usize, entries.len());
    let positions: Vec<Position> = (0..Position::try_from(entries.len()).unwrap()).collect();
    assert_eq!(replica.archive.blocks(&positions).unwrap().first().unwrap().first, 0);
    assert!(!replica.archive.export().unwrap().is_empty());
}

#[test]
fn after_a_write_that_failed_all_that_was_committed_is_read_on_and_nothing_taken() {
    for (seed, writes_on) in [(1, false), (2, true), (3, true)] {
        let folder = TempDir::new().unwrap();
        let mut dice = Dice(seed);
        let world = World::random(&mut dice, 4, 300, seed == 3);
        let (mut replica, faults) = failing(&world, folder.path(), writes_on);
        let (kept, failed) = world.log.split_at(280);
        for (number, entries) in kept.chunks(3).enumerate() {
            replica.commit(entries).unwrap();
            // Some are in large blocks and in documents, some are not.
            while number == 70 && replica.archive.fold().unwrap() {}
            while number == 80 && replica.archive.maintain(100, true).unwrap() {}
        }
        faults.writing.store(true, Ordering::Relaxed);
        let batch = replica.batch(failed);
        assert!(matches!(replica.archive.commit(&batch), Err(StoreError::Io(_))));
        faults.reading.store(true, Ordering::Relaxed);
        replica.archive.verify().unwrap_err();
        replica.archive.read_on(folder.path()).unwrap();
        check_read(&mut replica, &world, kept);
        assert!(matches!(replica.archive.commit(&batch), Err(StoreError::Failed)));
        replica.archive.read_on(folder.path()).unwrap();
        check_read(&mut replica, &world, kept);
        replica.archive.close().unwrap();
        // It is the database that has them.
        let after = Archive::open_in(folder.path(), world.room, FRESH, false).unwrap().1;
        assert_eq!(after.graph.len() as usize, if writes_on { 300 } else { 280 });
    }
}

#[test]
fn after_a_fold_that_failed_all_that_was_committed_is_read_on() {
    for writes_on in [false, true] {
        let folder = TempDir::new().unwrap();
        let mut dice = Dice(4);
        let world = World::random(&mut dice, 4, 300, true);
        let (mut replica, faults) = failing(&world, folder.path(), writes_on);
        world.log.chunks(2).for_each(|entries| drop(replica.commit(entries).unwrap()));
        let blocks = replica.archive.log.blocks();
        faults.writing.store(true, Ordering::Relaxed);
        replica.archive.fold().unwrap_err();
        faults.reading.store(true, Ordering::Relaxed);
        replica.archive.verify().unwrap_err();
        replica.archive.read_on(folder.path()).unwrap();
        assert_eq!(replica.archive.log.blocks(), blocks);
        check_read(&mut replica, &world, &world.log);
    }
}

#[test]
fn where_the_files_cannot_be_read_the_database_is_asked_on() {
    let folder = TempDir::new().unwrap();
    let world = World::random(&mut Dice(5), 2, 20, false);
    let (mut replica, _) = failing(&world, folder.path(), false);
    replica.commit(&world.log).unwrap();
    let database = folder.path().join("db");
    std::fs::remove_file(&database).unwrap();
    assert!(matches!(replica.archive.read_on(folder.path()), Err(StoreError::Damaged(_))));
    check_read(&mut replica, &world, &world.log);
    std::fs::create_dir(&database).unwrap();
    assert!(matches!(replica.archive.read_on(folder.path()), Err(StoreError::Io(_))));
    check_read(&mut replica, &world, &world.log);
}
