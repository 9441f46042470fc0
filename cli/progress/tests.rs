use super::*;
use crate::watch::tests::{peer, status};

/// A node with so many entries, to which so many are still to come.
fn stands(entries: u64, missing_here: u64) -> Status {
    Status { entries, ..status(vec![replica_sync::node::PeerStatus { missing_here, ..peer(None, 0) }]) }
}

#[test]
fn what_has_come_is_counted_from_where_it_began() {
    let mut progress = Progress::default();
    assert_eq!(progress.of(&stands(10, 0)), None);
    assert_eq!(progress.of(&stands(10, 80_000)), Some(Part { done: 0, total: 80_000 }));
    assert_eq!(progress.of(&stands(12_410, 67_600)), Some(Part { done: 12_400, total: 80_000 }));
    assert_eq!(progress.of(&stands(80_010, 0)), None);
    // The next history is another one.
    assert_eq!(progress.of(&stands(80_010, 5_000)), Some(Part { done: 0, total: 5_000 }));
}

#[test]
fn little_is_not_worth_a_word() {
    assert_eq!(Progress::default().of(&stands(0, WORTH_TELLING - 1)), None);
}
