use super::*;
use crate::store::tests::{check, delete_row, put_row, rows};
use crate::store::{MemoryStore, StoreError};

/// The `n`-th block of a log that has them in all sizes, and how many entries it holds.
pub(crate) fn sample(n: u32) -> (Vec<u8>, u32) {
    let sizes = [150, 1, 0, INLINE_BYTES_MAX, INLINE_BYTES_MAX + 1, 2 * PART_BYTES, 9_000, BLOCK_BYTES_MAX];
    let first = u8::try_from(n % 251).unwrap();
    let bytes = (first..251).chain(0..=255).cycle().take(sizes[n as usize % sizes.len()]);
    (bytes.collect(), 1 + n % 3)
}

/// Where the `n`-th block of such a log begins.
fn first_of(n: u32) -> Position {
    (0..n).map(|n| sample(n).1).sum()
}

pub(crate) fn append(log: &mut Log, store: &mut dyn Store, n: u32) -> Result<(), StoreError> {
    let (block, count) = sample(n);
    let mut writes = Vec::new();
    log.stage(&block, count, &mut writes)?;
    store.commit(&writes)
}

/// A log of `count` sample blocks.
pub(crate) fn filled(store: &mut dyn Store, count: u32) -> Log {
    let mut log = Log::open(store).unwrap();
    (0..count).for_each(|n| append(&mut log, store, n).unwrap());
    log
}

/// Holds a log against the sample blocks, and tells how many it has.
pub(crate) fn check_blocks(log: &Log, store: &dyn Store) -> u32 {
    log.verify(store).unwrap();
    let mut position = 0;
    for n in 0..log.blocks() {
        let (block, count) = sample(n);
        let number = BlockNumber(n);
        assert_eq!(log.read(store, number).unwrap(), block);
        let extent = (log.first(number), log.count(number), log.bytes(number) as usize);
        assert_eq!(extent, (position, count, block.len()));
        for entry in position..position + count {
            assert_eq!(log.block_at(entry), Some((BlockNumber(n), position)));
        }
        position += count;
    }
    assert_eq!((log.len(), log.block_at(position)), (position, None));
    log.blocks()
}

fn is_damaged<T>(result: Result<T, StoreError>) -> bool {
    matches!(result, Err(StoreError::Damaged(_)))
}

#[test]
fn blocks_of_every_size_come_back_also_after_reopening() {
    check(|store| {
        let log = filled(store, 17);
        assert_eq!(check_blocks(&log, store), 17);
        assert_eq!(Log::open(store).unwrap(), log);
    });
}

#[test]
fn several_blocks_in_one_commit_are_as_good_as_one_each() {
    check(|store| {
        let mut log = Log::open(store).unwrap();
        let mut writes = Vec::new();
        for n in 0..8 {
            let (block, count) = sample(n);
            assert_eq!(log.stage(&block, count, &mut writes).unwrap(), BlockNumber(n));
        }
        store.commit(&writes).unwrap();
        let mut other = MemoryStore::new();
        assert_eq!(Log::open(store).unwrap(), filled(&mut other, 8));
        assert_eq!(rows(store, b""), rows(&other, b""));
    });
}

#[test]
fn a_small_block_is_one_row_and_the_tail() {
    let mut writes = Vec::new();
    Log::open(&MemoryStore::new()).unwrap().stage(&[1; 150], 1, &mut writes).unwrap();
    assert_eq!(writes.len(), 2);
}

#[test]
fn a_block_over_the_limit_is_not_staged() {
    let store = MemoryStore::new();
    let mut log = Log::open(&store).unwrap();
    let mut writes = Vec::new();
    let refused = log.stage(&vec![0; BLOCK_BYTES_MAX + 1], 1, &mut writes);
    assert!(matches!(refused, Err(StoreError::TooLarge { .. })));
    log.stage(b"", u32::MAX, &mut writes).unwrap();
    writes.clear();
    assert!(
        matches!(log.stage(b"", 1, &mut writes), Err(StoreError::TooLarge { .. })),
        "positions have run out"
    );
    assert!(writes.is_empty());
}

#[test]
fn a_missing_row_is_noticed_at_the_latest_when_it_is_read() {
    let mut store = MemoryStore::new();
    let log = filled(&mut store, 9);
    for (key, _) in rows(&store, b"") {
        let mut store = store.crash();
        store.commit(&[delete_row(&key)]).unwrap();
        assert!(is_damaged(log.verify(&store)), "{key:?}");
        assert!(key[0] == b'b' || is_damaged(Log::open(&store)), "{key:?}");
    }
}

#[test]
fn a_flipped_bit_is_noticed() {
    let mut store = MemoryStore::new();
    let log = filled(&mut store, 9);
    for (key, value) in rows(&store, b"") {
        for byte in (0..value.len()).step_by(value.len() / 40 + 1) {
            let mut store = store.crash();
            let mut value = value.clone();
            value[byte] ^= 0x10;
            store.commit(&[put_row(&key, &value)]).unwrap();
            assert!(is_damaged(log.verify(&store)), "{key:?}, byte {byte}");
        }
    }
}

#[test]
fn a_row_of_another_length_than_it_says_is_noticed_when_the_log_is_opened() {
    let mut store = MemoryStore::new();
    assert!(!filled(&mut store, 1).is_empty());
    let key = index_key(0);
    let sound = row::unseal(&key, &store.get(&key).unwrap().unwrap(), LOG).unwrap().to_vec();
    for fields in [&sound[..sound.len() - 1], &[&sound[..], &[0]].concat()] {
        let mut store = store.crash();
        store.commit(&[put_row(&key, &row::seal(&key, &[fields]))]).unwrap();
        assert!(is_damaged(Log::open(&store)), "{} bytes", fields.len());
    }
    assert!(Log::open(&MemoryStore::new()).unwrap().is_empty());
}

#[test]
fn a_log_that_lost_its_end_is_noticed() {
    let mut store = MemoryStore::new();
    filled(&mut store, 4);
    let mut store = store.crash();
    store.commit(&[delete_row(&index_key(first_of(3)))]).unwrap();
    assert!(is_damaged(Log::open(&store)));
}

#[test]
fn an_older_block_in_a_newer_ones_place_is_noticed() {
    let (mut one, mut other) = (MemoryStore::new(), MemoryStore::new());
    filled(&mut one, 2);
    let mut log = Log::open(&other).unwrap();
    let mut writes = Vec::new();
    // As long and as many as the first sample, and sealed under the same key, but not the same.
    log.stage(&[9; 150], sample(0).1, &mut writes).unwrap();
    other.commit(&writes).unwrap();
    let key = index_key(0);
    let foreign = other.get(&key).unwrap().unwrap();
    one.commit(&[put_row(&key, &foreign)]).unwrap();
    assert!(is_damaged(Log::open(&one)));
}

#[test]
fn folding_changes_the_blocks_and_nothing_else() {
    check(|store| {
        let mut log = filled(store, 12);
        let entries = log.len();
        let (from, to) = (BlockNumber(5), BlockNumber(10));
        let folded: u32 = (5..10).map(|n| sample(n).1).sum();
        let mut writes = Vec::new();
        log.fold(from..to, &[(vec![1; 20_000], folded - 2), (vec![2; 10], 2)], &mut writes).unwrap();
        store.commit(&writes).unwrap();
        log.verify(store).unwrap();
        assert_eq!((log.len(), log.blocks()), (entries, 9));
        assert_eq!(log.block_at(first_of(10) - 1), Some((BlockNumber(6), first_of(10) - 2)));
        assert_eq!(log.read(store, from).unwrap(), [1; 20_000]);
        for (now, before) in [(4, 4), (7, 10), (8, 11)] {
            assert_eq!(log.read(store, BlockNumber(now)).unwrap(), sample(before).0);
        }
        // No part of a folded block is left: block 4 has one, the first folded one five.
        assert_eq!(rows(store, b"i").len(), 9);
        assert_eq!(rows(store, b"b").len(), 1 + 5);
        append(&mut log, store, 0).unwrap();
        log.verify(store).unwrap();
        assert_eq!(Log::open(store).unwrap(), log);
    });
}

#[test]
fn folding_must_keep_the_number_of_entries() {
    let mut store = MemoryStore::new();
    let mut log = filled(&mut store, 6);
    let before = log.clone();
    let mut writes = Vec::new();
    assert!(log.fold(BlockNumber(2)..BlockNumber(6), &[(vec![1], 1)], &mut writes).is_err());
    assert!(
        log.fold(BlockNumber(2)..BlockNumber(6), &[(vec![1; BLOCK_BYTES_MAX + 1], 8)], &mut writes).is_err()
    );
    assert_eq!((log, writes), (before, Vec::new()));
}

/// Appends until a call fails; how many blocks were acknowledged.
fn append_until_it_fails(store: &mut dyn Store) -> Result<u32, u32> {
    let mut log = Log::open(store).map_err(|_| 0_u32)?;
    (0..12).try_for_each(|n| append(&mut log, store, n).map_err(|_| n)).map(|()| 12)
}

/// Fails every call in turn, and returns the most acknowledged blocks that a power cut took.
fn most_lost(loses_syncs: bool) -> u32 {
    let mut most = 0;
    for n in 1.. {
        let store = MemoryStore::new();
        store.lose_syncs(loses_syncs);
        store.fail_call(n);
        let done = append_until_it_fails(&mut store.clone());
        let acknowledged = done.unwrap_or_else(|n| n);
        for left in [store.crash(), store.kill()] {
            let kept = check_blocks(&Log::open(&left).unwrap(), &left);
            most = most.max(acknowledged.saturating_sub(kept));
            assert!(kept <= acknowledged + 1);
        }
        if done.is_ok() {
            return most;
        }
    }
    unreachable!("some run has no call left to fail")
}

#[test]
fn whichever_call_fails_what_was_acknowledged_is_kept_and_nothing_half() {
    assert_eq!(most_lost(false), 0);
}

#[test]
fn without_the_sync_acknowledged_blocks_would_be_lost() {
    assert!(most_lost(true) > 0);
}

#[test]
fn a_gap_between_blocks_is_noticed() {
    let mut store = MemoryStore::new();
    filled(&mut store, 3);
    let (last, next) = (index_key(first_of(2)), index_key(first_of(3)));
    let value = store.get(&last).unwrap().unwrap();
    let renumbered = row::seal(&next, &[row::unseal(&last, &value, LOG).unwrap()]);
    store.commit(&[delete_row(&last), put_row(&next, &renumbered)]).unwrap();
    assert!(is_damaged(Log::open(&store)));
}

#[test]
fn a_sound_part_of_another_block_is_noticed_when_it_is_read() {
    let mut store = MemoryStore::new();
    let log = filled(&mut store, 8);
    let key = part_key(first_of(7), 3);
    let length = u32::try_from(BLOCK_BYTES_MAX).unwrap();
    store.commit(&[put_row(&key, &row::seal(&key, &[&length.to_be_bytes(), &[9; PART_BYTES]]))]).unwrap();
    assert_eq!(Log::open(&store).unwrap(), log);
    assert!(is_damaged(log.read(&store, BlockNumber(7))));
    assert!(is_damaged(log.verify(&store)));
}
