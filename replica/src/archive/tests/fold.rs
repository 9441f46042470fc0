use super::*;
use crate::archive::fold::{RUN_ENTRIES_MAX, SMALL_ENTRIES};
use crate::store::BlockNumber;

/// A replica that got a history in blocks of a few entries each.
fn fragmented(world: &World, dice: &mut Dice) -> Replica {
    let mut replica = Replica::new(world);
    let mut rest = world.log.as_slice();
    while !rest.is_empty() {
        let (entries, later) = rest.split_at((1 + dice.below(3)).min(rest.len()));
        replica.commit(entries).unwrap();
        rest = later;
    }
    replica
}

#[test]
fn small_blocks_become_large_ones_and_say_the_same() {
    for seed in 0..6 {
        let mut dice = Dice(seed);
        let world = World::random(&mut dice, 5, 300, seed % 2 == 1);
        let mut replica = fragmented(&world, &mut dice);
        let blocks = replica.archive.log.blocks();
        assert!(replica.archive.fold().unwrap());
        while replica.archive.fold().unwrap() {}
        assert!(replica.archive.log.blocks() < blocks / 4, "{} of {blocks}", replica.archive.log.blocks());
        assert_eq!(replica.page(), rows(&world, &world.log));
        let (digest, tips) = (replica.graph.digest(), signed_tips(&replica.graph));
        let mut replica = replica.reopen();
        assert_eq!((replica.graph.digest(), signed_tips(&replica.graph)), (digest, tips));
        assert_eq!(replica.page(), rows(&world, &world.log));
        let verified = replica.archive.verify().unwrap();
        assert_eq!(verified.entries as usize, world.log.len());
        assert!(verified.signatures < world.log.len(), "a later entry vouches for most");
    }
}

#[test]
fn a_store_that_grows_message_by_message_stays_in_few_blocks() {
    let mut world = World::new();
    let mut replica = Replica::new(&world);
    replica.commit(&world.log).unwrap();
    let mut written = 0;
    for number in 0..2_000 {
        let said = world.message(0, &format!("message {number}"));
        replica.commit(&[said]).unwrap();
        while replica.archive.fold().unwrap() {
            written += 1;
        }
    }
    assert!(replica.archive.log.blocks() < 80, "{} blocks", replica.archive.log.blocks());
    assert!(written < 2_000 / 60, "folded {written} times");
    assert_eq!(replica.reopen().archive.verify().unwrap().entries, 2_001);
}

#[test]
fn a_fold_that_fails_or_is_cut_short_loses_nothing() {
    let mut dice = Dice(3);
    let world = World::random(&mut dice, 4, 150, true);
    let store = fragmented(&world, &mut dice).store;
    for call in 1.. {
        let mut replica = Replica::open(store.crash(), world.room).unwrap();
        replica.store.fail_call(call);
        let folded = replica.archive.fold();
        for left in [replica.store.crash(), replica.store.kill()] {
            let mut left = Replica::open(left, world.room).unwrap();
            assert_eq!(left.archive.verify().unwrap().entries as usize, world.log.len());
            assert_eq!(left.page(), rows(&world, &world.log));
        }
        if folded.is_ok() {
            assert!(call > 2, "reading and writing were both made to fail");
            return;
        }
    }
}

#[test]
fn what_holds_many_entries_in_few_bytes_is_not_small_and_no_fold_takes_long() {
    let mut world = World::new();
    let mut replica = Replica::new(&world);
    replica.commit(&world.log).unwrap();
    let mut commit = |replica: &mut Replica, count: u32| {
        let said: Vec<_> = (0..count).map(|_| world.message(0, "ha ".repeat(20).trim())).collect();
        let mut batch = replica.batch(&said);
        batch.blocks[0].bytes = block::encode(&said, false, &replica.graph).unwrap();
        replica.archive.commit(&batch).unwrap();
        replica.graph.settle(replica.graph.len());
        replica.archive.log.bytes(BlockNumber(replica.archive.log.blocks() - 1))
    };
    for _ in 0..8 {
        assert!(commit(&mut replica, SMALL_ENTRIES) < 8 * 1024, "few bytes");
    }
    assert!(!replica.archive.fold().unwrap(), "nothing would become fewer");
    for _ in 0..40 {
        commit(&mut replica, SMALL_ENTRIES / 2);
    }
    let mut before = replica.archive.log.blocks();
    while replica.archive.fold().unwrap() {
        let now = replica.archive.log.blocks();
        assert!(before - now < RUN_ENTRIES_MAX / (SMALL_ENTRIES / 2), "{before} blocks became {now}");
        before = now;
    }
    assert!(before < 8 + 1 + 40 / 2, "{before} blocks");
    assert_eq!(replica.reopen().archive.verify().unwrap().entries, 1 + 8 * 256 + 40 * 128);
}
