use super::*;
use crate::store::tests::{put_row, rows};

#[test]
fn a_power_cut_keeps_what_was_synced_and_a_kill_what_was_applied() {
    let handle = MemoryStore::new();
    let mut store = handle.clone();
    store.commit(&[put_row(b"m1", b"")]).unwrap();
    handle.fail_call(2);
    assert!(matches!(store.commit(&[put_row(b"m2", b"")]), Err(StoreError::Io(_))), "the sync fails");
    assert_eq!(rows(&handle.crash(), b"m").len(), 1);
    assert_eq!(rows(&handle.kill(), b"m").len(), 2);
}

#[test]
fn a_failed_commit_latches_and_a_failed_read_does_not() {
    let mut store = MemoryStore::new();
    store.fail_call(1);
    assert!(store.get(b"m").is_err());
    store.commit(&[put_row(b"m1", b"")]).unwrap();
    store.fail_call(1);
    assert!(matches!(store.commit(&[put_row(b"m2", b"")]), Err(StoreError::Io(_))));
    assert!(matches!(store.commit(&[put_row(b"m2", b"")]), Err(StoreError::Failed)));
    assert_eq!(rows(&store, b"m").len(), 1, "nothing was applied, and reading goes on");
}

#[test]
fn closing_is_a_call_too_and_a_fault_can_be_taken_back() {
    let store = MemoryStore::new();
    store.fail_call(1);
    assert!(Box::new(store.clone()).close().is_err());
    store.fail_call(1);
    store.fail_call(0);
    assert_eq!(store.calls(), 1);
    Box::new(store.clone()).close().unwrap();
    assert_eq!(store.calls(), 2);
}

#[test]
fn a_store_that_loses_syncs_keeps_nothing() {
    let mut store = MemoryStore::new();
    store.lose_syncs(true);
    store.commit(&[put_row(b"m", b"")]).unwrap();
    assert_eq!((rows(&store, b"m").len(), rows(&store.crash(), b"m").len()), (1, 0));
}

#[test]
fn the_next_sync_makes_up_for_lost_ones() {
    let mut store = MemoryStore::new();
    store.lose_syncs(true);
    store.commit(&[put_row(b"m1", b"")]).unwrap();
    store.lose_syncs(false);
    store.commit(&[put_row(b"m2", b"")]).unwrap();
    assert_eq!(rows(&store.crash(), b"m").len(), 2);
}
