use super::*;
use crate::store::MemoryStore;
use crate::store::tests::{check, delete_row, put_row, rows};

/// A document of some length, told apart by its seed.
fn sample(seed: u8, length: usize) -> Vec<u8> {
    // Of a period that no part's length is a multiple of.
    (seed..251).chain(0..=255).cycle().take(length).collect()
}

fn document(bytes: &[u8], reached: Position) -> Saved {
    Saved::Document { bytes: bytes.to_vec(), reached }
}

#[test]
fn documents_of_every_length_come_back() {
    check(|store| {
        for length in [0, 1, PART_BYTES, PART_BYTES + 1, PART_BYTES * SAVED_PARTS_PER_COMMIT + 1] {
            let bytes = sample(3, length);
            save(store, b"week", &bytes, 77).unwrap();
            assert_eq!(load(store, b"week").unwrap(), document(&bytes, 77));
        }
    });
}

#[test]
fn a_save_replaces_the_document_before_and_leaves_nothing_of_it() {
    check(|store| {
        save(store, b"week", &sample(1, 50_000), 5).unwrap();
        let parts = rows(store, PARTS).len();
        save(store, b"week", &sample(2, 50_000), 9).unwrap();
        assert_eq!(load(store, b"week").unwrap(), document(&sample(2, 50_000), 9));
        assert_eq!(rows(store, PARTS).len(), parts);
    });
}

#[test]
fn documents_under_several_names_do_not_touch_each_other() {
    check(|store| {
        let names: [&[u8]; 4] = [b"", b"a", b"a\0\0\0\0\0\0\0\0", b"ab"];
        for (seed, name) in (0..).zip(names) {
            save(store, name, &sample(seed, 9_000), Position::from(seed)).unwrap();
        }
        forget(store, b"a").unwrap();
        let listed: Vec<_> =
            list(store).unwrap().into_iter().map(|listed| (listed.name, listed.reached)).collect();
        let expected = [(names[0], Some(0)), (names[2], Some(2)), (names[3], Some(3))];
        assert_eq!(listed, expected.map(|(name, reached)| (name.to_vec(), reached)));
        assert_eq!(load(store, b"a").unwrap(), Saved::Absent);
        assert_eq!(
            [b"a", names[2], names[3]].map(|name| reached(store, name).unwrap()),
            [None, Some(2), Some(3)]
        );
        assert_eq!(load(store, names[2]).unwrap(), document(&sample(2, 9_000), 2));
        names.iter().for_each(|name| forget(store, name).unwrap());
        assert_eq!((rows(store, PARTS), rows(store, POINTER)), (Vec::new(), Vec::new()));
    });
}

#[test]
fn a_name_over_the_limit_is_refused() {
    let mut store = MemoryStore::new();
    save(&mut store, &[b'n'; SAVED_NAME_BYTES_MAX], b"", 0).unwrap();
    let refused = save(&mut store, &[b'n'; SAVED_NAME_BYTES_MAX + 1], b"", 0);
    assert!(matches!(refused, Err(StoreError::TooLarge { bytes: 129 })));
}

#[test]
fn an_altered_or_missing_row_is_damage_and_saving_heals_it() {
    let mut store = MemoryStore::new();
    save(&mut store, b"week", &sample(1, 9_000), 5).unwrap();
    for (key, value) in rows(&store, b"") {
        let mut altered = value.clone();
        *altered.last_mut().unwrap() ^= 1;
        for write in [put_row(&key, &altered), delete_row(&key)] {
            let mut store = store.crash();
            store.commit(std::slice::from_ref(&write)).unwrap();
            let is_forgotten = key[0] == POINTER[0] && write == delete_row(&key);
            let expected = if is_forgotten { Saved::Absent } else { Saved::Damaged };
            assert_eq!(load(&store, b"week").unwrap(), expected, "{write:?}");
            save(&mut store, b"week", &sample(2, 5_000), 6).unwrap();
            assert_eq!(load(&store, b"week").unwrap(), document(&sample(2, 5_000), 6));
            assert_eq!(rows(&store, PARTS).len(), 2);
        }
    }
}

#[test]
fn a_generation_that_is_not_what_was_saved_never_gets_the_pointer() {
    let mut store = MemoryStore::new();
    save(&mut store, b"week", &sample(1, 300), 5).unwrap();
    let mut store = Forgetful { store };
    assert!(matches!(save(&mut store, b"week", &sample(2, 300), 6), Err(StoreError::Damaged(_))));
    assert_eq!(load(&store, b"week").unwrap(), document(&sample(1, 300), 5));
}

/// A store that says it has written parts, and has not.
struct Forgetful {
    store: MemoryStore,
}

impl Store for Forgetful {
    fn commit(&mut self, writes: &[Write]) -> Result<(), StoreError> {
        let is_part = |write: &&Write| matches!(write, Write::Put { key, .. } if key.starts_with(PARTS));
        self.store.commit(&writes.iter().filter(|write| !is_part(write)).cloned().collect::<Vec<_>>())
    }

    fn get(&self, key: &[u8]) -> Result<Option<Vec<u8>>, StoreError> {
        self.store.get(key)
    }

    fn scan<'a>(&'a self, prefix: &[u8]) -> crate::store::Rows<'a> {
        self.store.scan(prefix)
    }

    fn close(self: Box<Self>) -> Result<(), StoreError> {
        Ok(())
    }
}

/// Fails every call of a second save in turn, and then looks at what a power cut left. Tells whether an acknowledged
/// save was ever lost.
fn loses_a_save(loses_syncs: bool) -> bool {
    let old = sample(1, PART_BYTES * SAVED_PARTS_PER_COMMIT + 1);
    let new = sample(2, PART_BYTES * (SAVED_PARTS_PER_COMMIT + 2));
    let mut before = MemoryStore::new();
    save(&mut before, b"week", &old, 5).unwrap();
    let mut is_lost = false;
    for n in 1.. {
        let store = before.crash();
        store.lose_syncs(loses_syncs);
        store.fail_call(n);
        let done = save(&mut store.clone(), b"week", &new, 6);
        for mut left in [store.crash(), store.kill()] {
            let kept = load(&left, b"week").unwrap();
            assert!(kept == document(&old, 5) || kept == document(&new, 6), "call {n} left something half");
            is_lost |= done.is_ok() && kept == document(&old, 5);
            save(&mut left, b"week", b"next", 7).unwrap();
            assert_eq!(load(&left, b"week").unwrap(), document(b"next", 7));
            assert_eq!(rows(&left, PARTS).len(), 1, "call {n} left parts that the next save did not remove");
        }
        if done.is_ok() {
            return is_lost;
        }
    }
    unreachable!("some run has no call left to fail")
}

#[test]
fn whichever_call_fails_the_old_document_or_the_new_one_is_there() {
    assert!(!loses_a_save(false));
}

#[test]
fn without_the_sync_an_acknowledged_document_would_be_lost() {
    assert!(loses_a_save(true));
}

#[test]
fn to_forget_what_is_not_there_writes_nothing() {
    let mut store = MemoryStore::new();
    save(&mut store, b"week", &sample(1, 9_000), 5).unwrap();
    let before = store.calls();
    forget(&mut store, b"day").unwrap();
    assert_eq!(store.calls() - before, 2, "the pointer is looked for, and parts are");
}
