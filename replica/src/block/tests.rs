use std::collections::BTreeSet;

use super::*;
use crate::entry::{Body, Record};
use crate::graph::Graph;
use crate::testing::{Dice, World, chain, person, record};

/// What is read back: the same entries, with exactly the signatures that are needed, or all.
fn check(world: &World, entries: &[Entry], keep_signatures: bool) -> Vec<u8> {
    let bytes = encode(entries, keep_signatures, &world.graph).unwrap();
    assert!(bytes.len() <= BLOCK_BYTES_MAX);
    let read = decode(&bytes, &world.room, &world.graph).unwrap();
    let tips: BTreeSet<usize> = unvouched(&read).into_iter().collect();
    assert_eq!(read.len(), entries.len());
    for (index, (read, entry)) in read.iter().zip(entries).enumerate() {
        assert_eq!((read.id(), read.record()), (entry.id(), entry.record()));
        let is_kept = keep_signatures || tips.contains(&index);
        assert_eq!(read.signature(), entry.signature().filter(|_| is_kept));
        assert!(!is_kept || read.is_signed());
    }
    bytes
}

#[test]
fn random_parts_of_random_histories_come_back_as_they_were() {
    for seed in 0..40 {
        let mut dice = Dice(seed);
        let world = World::random(&mut dice, 5, 70, true);
        let log = world.shuffled(&mut dice);
        let from = dice.below(log.len());
        // Without some in between: their children refer to them outside of the block.
        let part: Vec<Entry> = log[from..].iter().filter(|_| !dice.one_in(4)).cloned().collect();
        check(&world, &log, false);
        check(&world, &part, false);
        check(&world, &part, true);
    }
}

#[test]
fn an_empty_block_is_one() {
    let world = World::new();
    let bytes = check(&world, &[], false);
    assert_eq!(bytes, [PLAIN, 0, 0, 0]);
}

#[test]
fn the_bytes_of_a_block_never_change() {
    let mut world = World::new();
    let root = world.log[0].clone();
    let hi = world.message(0, "hi");
    let seen = record(chain(0, 2), None, &[hi.id(), root.id()], world.now_ms - 1, &Body::Leave);
    let seen = world.sign(seen, 0);
    world.put(&seen);
    let hex = |entries: &[Entry]| {
        let bytes = encode(entries, false, &world.graph).unwrap();
        data_encoding::HEXLOWER.encode(&bytes)
    };
    let key = person(0).key();
    let signature = |entry: &Entry| data_encoding::HEXLOWER.encode(&entry.signature().unwrap().0);
    // One chain, nothing outside; chain, kind, previous, no dependencies, time, length, text, flag, signature.
    let columns = format!("00 00 01 00 8080e682b966 07 00093a8064656e 01 {}", signature(&root));
    let first = format!("10 01 01 {key}0000000000000001 00 {columns}").replace(' ', "");
    assert_eq!(hex(&world.log[..1]), first);
    // Two chains, two outside: chain, seq and half an id of each.
    let half = |entry: &Entry| entry.id().to_string()[..32].to_owned();
    let mut outside = [&hi, &root];
    outside.sort_unstable_by_key(|entry| entry.id());
    let rows = format!(
        "02 0101 {:02x}{:02x} {}{}",
        outside[0].record().seq,
        outside[1].record().seq,
        half(outside[0]),
        half(outside[1])
    );
    let chains = format!("02 {key}0000000000000002 {key}0000000000000001");
    let columns = format!("00 03 01 02 0103 ce8fe682b966 00 01 {}", signature(&seen));
    assert_eq!(hex(std::slice::from_ref(&seen)), format!("10 01 {chains} {rows} {columns}").replace(' ', ""));
}

#[test]
fn what_a_block_builds_on_must_be_here() {
    let mut world = World::new();
    (0..3).for_each(|n| drop(world.message(0, &format!("{n}"))));
    let block = check(&world, &world.log[2..], false);
    let empty = Graph::new(world.room);
    let refused = decode(&block, &world.room, &empty);
    let expected = chain(0, 1);
    assert!(
        matches!(refused, Err(DecodeError::Unresolved { chain, seq: 2, .. }) if chain == expected),
        "{refused:?}"
    );
    let mut other = World::new();
    let foreign = other.message(0, "elsewhere");
    let child = other.write(0, Some(&world.log[1].clone()), &[&foreign], &Body::Leave);
    assert!(matches!(encode(&[child], false, &world.graph), Err(EncodeError::UnknownDependency)));
}

#[test]
fn a_wrong_resolution_gives_an_id_that_nothing_vouches_for() {
    struct Liar<'a>(&'a Graph, EntryId);
    impl References for Liar<'_> {
        fn place(&self, id: &EntryId) -> Option<(ChainId, u32)> {
            self.0.place(id)
        }
        fn find(&self, _: &ChainId, _: u32, _: &[u8; 16]) -> Option<EntryId> {
            Some(self.1)
        }
    }
    let mut world = World::new();
    world.message(0, "seen");
    world.message(0, "said");
    let block = check(&world, &world.log[2..], false);
    let liar = Liar(&world.graph, world.log[0].id());
    let read = decode(&block, &world.room, &liar).unwrap();
    assert!(!read[0].is_signed());
}

/// The block's columns as they are, and the block that says so.
fn uncompressed(world: &World, entries: &[Entry]) -> Vec<u8> {
    let (mut plain, _) = write::plain(entries, false, &world.graph).unwrap();
    plain.insert(0, PLAIN);
    assert_eq!(decode(&plain, &world.room, &world.graph).unwrap().len(), entries.len());
    plain
}

/// That whatever these bytes are read as, what passes the checks of signatures is one of the entries that were signed.
fn check_hostile(world: &World, bytes: &[u8]) -> bool {
    let Ok(read) = decode(bytes, &world.room, &world.graph) else { return false };
    let ids: BTreeSet<EntryId> = read.iter().map(Entry::id).collect();
    assert_eq!(ids.len(), read.len(), "an entry stands in a block once");
    if unvouched(&read).into_iter().all(|index| read[index].is_signed()) {
        let written: BTreeSet<EntryId> = world.log.iter().map(Entry::id).collect();
        assert!(ids.is_subset(&written), "an entry was forged");
        return true;
    }
    false
}

#[test]
fn a_block_cut_short_is_refused() {
    let world = World::random(&mut Dice(3), 5, 60, true);
    for block in [uncompressed(&world, &world.log), check(&world, &world.log, false)] {
        for length in 0..block.len() {
            assert!(
                decode(&block[..length], &world.room, &world.graph).is_err(),
                "{length} of {}",
                block.len()
            );
        }
        let longer = [block.as_slice(), &[0]].concat();
        assert!(decode(&longer, &world.room, &world.graph).is_err());
    }
}

#[test]
fn altered_blocks_never_panic_and_never_forge_an_entry() {
    let mut read = 0;
    for seed in 0..12 {
        let mut dice = Dice(seed);
        let world = World::random(&mut dice, 5, 40, true);
        let block = uncompressed(&world, &world.log[dice.below(world.log.len().min(20))..]);
        let compressed = check(&world, &world.log, false);
        for _ in 0..1_500 {
            let mut other = if dice.one_in(8) { compressed.clone() } else { block.clone() };
            for _ in 0..=dice.below(3) {
                let at = dice.below(other.len());
                match dice.below(4) {
                    0 => other[at] ^= 1 << dice.below(8),
                    1 => other[at] = dice.next().to_le_bytes()[0],
                    2 => drop(other.remove(at)),
                    _ => other.insert(at, [0, 1, 2, 0x7f, 0x80, 0xff][dice.below(6)]),
                }
            }
            read += usize::from(check_hostile(&world, &other));
        }
    }
    assert!(read > 0, "some changes say the same in other bytes");
}

#[test]
fn an_entry_that_stands_in_a_block_twice_is_refused() {
    let mut world = World::new();
    let entry = world.message(0, "hi");
    let (twice, _) = write::plain(&[entry.clone(), entry], true, &world.graph).unwrap();
    let block = [&[PLAIN], twice.as_slice()].concat();
    assert!(matches!(
        decode(&block, &world.room, &world.graph),
        Err(DecodeError::Malformed("repeated entry"))
    ));
}

#[test]
fn an_entry_is_not_vouched_for_by_another_chain() {
    let mut world = World::new();
    world.say(0, &world.admit(0, 1));
    let base = world.log[1].clone();
    let victim =
        world.write(0, Some(&base), &[], &Body::Message("never said".to_owned())).without_signature();
    let attack = Record { previous: Some(victim.id()), seq: 4, ..victim.record().clone() };
    let attack = world.sign(Record { chain: chain(1, 1), ..attack }, 1);
    let entries = [victim, attack];
    let block = [&[PLAIN], write::plain(&entries, false, &world.graph).unwrap().0.as_slice()].concat();
    let refused = decode(&block, &world.room, &world.graph);
    assert!(matches!(refused, Err(DecodeError::Malformed("previous"))), "{refused:?}");
}

/// Writes integers and bytes as a hostile peer would.
#[derive(Default)]
struct Forger(Vec<u8>);

impl Forger {
    fn integers(mut self, integers: &[u64]) -> Self {
        integers.iter().for_each(|integer| columns::put(&mut self.0, *integer));
        self
    }

    fn bytes(mut self, bytes: &[u8]) -> Self {
        self.0.extend_from_slice(bytes);
        self
    }

    fn refused(self) -> DecodeError {
        let bytes = [&[PLAIN], self.0.as_slice()].concat();
        let world = World::new();
        decode(&bytes, &world.room, &world.graph).unwrap_err()
    }
}

#[test]
fn counts_that_cannot_be_true_are_refused_before_anything_is_made_of_them() {
    let huge = [u64::from(u32::MAX), 1 << 40, u64::MAX];
    let chain = [7; ChainId::BYTES];
    for count in huge {
        Forger::default().integers(&[count]).refused();
        Forger::default().integers(&[1, count]).refused();
        Forger::default().integers(&[1, 1]).bytes(&chain).integers(&[count]).refused();
        // Chain, kind, previous.
        for at in 0..3 {
            let mut columns = [0, 5, 1];
            columns[at] = count;
            Forger::default().integers(&[1, 1]).bytes(&chain).integers(&[0]).integers(&columns).refused();
        }
        let before = || Forger::default().integers(&[1, 1]).bytes(&chain).integers(&[0, 0, 5, 1]);
        before().integers(&[count]).refused();
        before().integers(&[1, count]).refused();
        before().integers(&[0, count]).refused();
        before().integers(&[0, 2, count]).refused();
    }
    let chains = u64::try_from(BLOCK_ENTRIES_MAX).unwrap();
    assert!(matches!(
        Forger::default().integers(&[chains + 1, 0]).refused(),
        DecodeError::Malformed("entry count")
    ));
    // Integers that do not end, or have more than 64 bits.
    Forger::default().bytes(&[0xff; 10]).refused();
    Forger::default().bytes(&[0x80; 11]).refused();
    Forger::default().bytes(&[0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 2]).refused();
    let world = World::new();
    assert!(matches!(
        decode(&vec![PLAIN; BLOCK_BYTES_MAX + 1], &world.room, &world.graph),
        Err(DecodeError::TooLarge)
    ));
    for first in [0, 1, 0x12, 0xff] {
        assert!(decode(&[first, 0, 0, 0], &world.room, &world.graph).is_err());
    }
    assert!(decode(&[], &world.room, &world.graph).is_err());
}

#[test]
fn a_small_block_that_inflates_beyond_the_limit_is_refused() {
    let world = World::new();
    for size in [BLOCK_INFLATED_BYTES_MAX + 1, 64 << 20] {
        let bomb = [&[ZSTD], zstd::bulk::compress(&vec![0; size], 19).unwrap().as_slice()].concat();
        assert!(bomb.len() < 10_000);
        let refused = decode(&bomb, &world.room, &world.graph);
        assert!(matches!(refused, Err(DecodeError::Malformed("compression"))), "{refused:?}");
    }
}

/// Two people in turn, each having seen the other: `text(n)` says what the n-th of so many messages is.
fn conversation(messages: usize, mut text: impl FnMut(usize) -> String) -> World {
    let mut world = World::new();
    world.say(0, &world.admit(0, 1));
    let mut last = [Some(world.log[1].clone()), None];
    for n in 0..messages {
        let (me, you) = (n % 2, 1 - n % 2);
        let seen: Vec<Entry> = last[you].clone().into_iter().collect();
        let seen: Vec<&Entry> = seen.iter().collect();
        let body = Body::Message(text(n));
        let entry = world.write(u8::try_from(me).unwrap(), last[me].as_ref(), &seen, &body);
        world.put(&entry);
        last[me] = Some(entry);
    }
    world.log.drain(..2);
    world
}

/// The most of a history's first entries that fit into one block.
fn most(world: &World) -> usize {
    let fits = |count: &usize| encode(&world.log[..*count], false, &world.graph).is_ok();
    let weight = |count: usize| world.log[..count].iter().map(weight).sum::<usize>();
    let light = (1..world.log.len()).take_while(|count| weight(*count) <= BLOCK_BYTES_MAX - 8 * 1024).last();
    assert!(light.is_some_and(|light| fits(&light)), "weights tell what fits");
    let counts: Vec<usize> = (1..=world.log.len()).collect();
    let most = counts.partition_point(fits);
    assert!(most < world.log.len(), "there are too few entries to fill a block");
    most
}

/// That any tails of the two chains of a block make a block.
fn check_cuts(world: &World, entries: &[Entry]) {
    let chains = [chain(0, 1), chain(1, 1)].map(|id| {
        let of_chain = |entry: &&Entry| entry.record().chain == id;
        entries.iter().filter(of_chain).map(Entry::id).collect::<Vec<_>>()
    });
    let cuts = |ids: &[EntryId]| -> Vec<usize> {
        let mut cuts: Vec<usize> = (0..6).map(|part| part * ids.len() / 6).collect();
        cuts.extend([1, 2, ids.len() - 1, ids.len()]);
        cuts
    };
    for zero in cuts(&chains[0]) {
        for one in cuts(&chains[1]) {
            let gone: BTreeSet<&EntryId> = chains[0][..zero].iter().chain(&chains[1][..one]).collect();
            let tails: Vec<Entry> =
                entries.iter().filter(|entry| !gone.contains(&entry.id())).cloned().collect();
            let cut = encode(&tails, false, &world.graph);
            let cut = cut.unwrap_or_else(|_| panic!("{} entries cut by {zero} and {one}", entries.len()));
            let (plain, _) = write::plain(&tails, false, &world.graph).unwrap();
            assert!(cut.len() <= 1 + plain.len() && plain.len() < BLOCK_BYTES_MAX, "it needs no luck");
            assert_eq!(decode(&cut, &world.room, &world.graph).unwrap().len(), tails.len());
        }
    }
}

#[test]
fn a_full_block_of_short_messages_can_be_cut_to_any_tails() {
    let mut dice = Dice(1);
    let world = conversation(3_000, |_| format!("{:02x}", dice.next() & 0xff));
    let most = most(&world);
    check_cuts(&world, &world.log[..most]);
}

#[test]
fn a_full_block_of_one_repeated_text_can_be_cut_to_any_tails() {
    let world = conversation(4_000, |_| "o".to_owned());
    let most = most(&world);
    check_cuts(&world, &world.log[..most]);
}

#[test]
fn a_block_packed_tighter_than_ours_can_be_cut_or_is_refused() {
    let mut dice = Dice(2);
    let words: Vec<String> = (0..400).map(|_| format!("{:x}", dice.next() & 0xfffff)).collect();
    let mut text = |_| (0..20).map(|_| dice.pick(&words).as_str()).collect::<Vec<_>>().join(" ");
    let world = conversation(1_500, &mut text);
    let ours = most(&world);
    let mut taken = 0;
    for count in (ours - 5..ours + 200).step_by(5) {
        let entries = &world.log[..count];
        let (plain, _) = write::plain(entries, false, &world.graph).unwrap();
        let tight = zstd::bulk::compress(&plain, 22).unwrap();
        assert!(tight.len() < BLOCK_BYTES_MAX);
        if decode(&[&[ZSTD], tight.as_slice()].concat(), &world.room, &world.graph).is_ok() {
            taken += 1;
            check_cuts(&world, entries);
        }
    }
    assert_eq!(taken, 2, "what is over our own limit is refused however small it is");
}

#[test]
fn a_block_whose_entries_name_all_they_may_can_be_cut_to_any_tails() {
    // Each entry of one names the last 64 of the other, so that every number grows when the other is cut away.
    let mut world = World::new();
    world.say(0, &world.admit(0, 1));
    let mut last = [Some(world.log[1].clone()), None];
    let mut ones: Vec<Entry> = Vec::new();
    for n in 0..1_200 {
        let me = usize::from(n > 600);
        let seen: Vec<Entry> = match me {
            0 => Vec::new(),
            _ => ones[(n - 600) / 2..].iter().take(64).cloned().collect(),
        };
        let seen: Vec<&Entry> = seen.iter().collect();
        let body = Body::Message("o".to_owned());
        let entry = world.write(u8::try_from(me).unwrap(), last[me].as_ref(), &seen, &body);
        world.put(&entry);
        if me == 0 {
            ones.push(entry.clone());
        }
        last[me] = Some(entry);
    }
    world.log.drain(..2);
    let most = most(&world);
    assert!(most > 700);
    check_cuts(&world, &world.log[..most]);
}

#[test]
fn an_entry_outside_is_named_once() {
    let world = World::new();
    let root = &world.log[0];
    let outside = |rows: usize| {
        let (seqs, halves) = (vec![1; rows], root.id().0[..16].repeat(rows));
        let rows = u64::try_from(rows).unwrap();
        let chain = root.record().chain.to_bytes();
        let forger = Forger::default().integers(&[0, 1]).bytes(&chain).integers(&[rows]);
        let forger = forger.integers(&vec![0; seqs.len()]).integers(&seqs).bytes(&halves);
        let bytes = [&[PLAIN], forger.0.as_slice()].concat();
        decode(&bytes, &world.room, &world.graph)
    };
    assert_eq!(outside(1).unwrap(), []);
    let refused = outside(2);
    assert!(matches!(refused, Err(DecodeError::Malformed("repeated entry outside"))), "{refused:?}");
}

#[test]
fn how_much_a_block_takes_once_it_is_inflated_is_known_before() {
    let world = conversation(5, |_| "a".repeat(16_000));
    let block = encode(&world.log[1..5], false, &world.graph).unwrap();
    assert!(block.len() < 1_000);
    assert!(
        (64_000..BLOCK_INFLATED_BYTES_MAX).contains(&inflated_bytes(&block)),
        "{}",
        inflated_bytes(&block)
    );
    assert_eq!(inflated_bytes(&[PLAIN; 100]), 100);
    assert_eq!(inflated_bytes(&[ZSTD, 1, 2, 3]), BLOCK_INFLATED_BYTES_MAX, "it does not tell");
}
