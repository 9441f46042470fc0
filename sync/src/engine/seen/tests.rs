use replica::entry::Entry;
use replica::id::{EntryId, StoreId};
use replica::identity::Identity;

use super::*;
use crate::engine::bench::{Bench, START_MS, ann, person, sent, told};
use crate::engine::{Command, Output, Settings};

/// Ann, with so many others in her room, from bob (2) and carol (3) on.
fn bench(others: u8) -> Bench {
    Bench::new(Settings::default(), others)
}

/// The same with bob and carol connected, and named what is known of whom.
fn met(others: u8) -> Bench {
    let mut bench = bench(others);
    assert_eq!(marks(&bench.connect(2, &person(2))).len(), 1);
    assert_eq!(marks(&bench.connect(3, &person(3))).len(), 1);
    bench
}

fn seen(outputs: &[Output]) -> Vec<(u64, wire::Seen)> {
    let seen = sent(outputs).into_iter().filter_map(|(number, frame)| match frame {
        Frame::Seen(seen) => Some((number, seen.clone())),
        _ => None,
    });
    seen.collect()
}

/// The names of all records, as they were told.
fn marks(outputs: &[Output]) -> Vec<(u64, u64)> {
    let marks = seen(outputs).into_iter().filter(|(_, seen)| seen.records.is_empty());
    marks.map(|(number, seen)| (number, seen.mark)).collect()
}

/// The records that were told.
fn records(outputs: &[Output]) -> Vec<(u64, SeenRecord)> {
    let seen = seen(outputs).into_iter();
    seen.flat_map(|(number, seen)| seen.records.into_iter().map(move |record| (number, record))).collect()
}

fn record(bench: &Bench, by: &Identity, store: u8, number: u64, heads: &[EntryId]) -> SeenRecord {
    let room = bench.engine.conversation().graph().room();
    SeenRecord::signed(by, &room, StoreId([store; 16]), number, heads.to_vec())
}

fn bring(bench: &mut Bench, over: u64, records: Vec<SeenRecord>) -> Vec<Output> {
    bench.frame(over, Frame::Seen(wire::Seen { mark: 0, records }))
}

fn name(bench: &mut Bench, over: u64, mark: u64) -> Vec<Output> {
    bench.frame(over, Frame::Seen(wire::Seen { mark, records: Vec::new() }))
}

/// Who is told to hold what.
fn held(outputs: &[Output]) -> Vec<(AuthorKey, u32)> {
    let held = told(outputs).into_iter().filter_map(|event| match event {
        Event::Seen { author, up_to } => Some((*author, up_to.last()?.position)),
        _ => None,
    });
    held.collect()
}

fn last(bench: &Bench) -> (u32, EntryId) {
    let graph = bench.engine.conversation().graph();
    (graph.len() - 1, graph.id(graph.len() - 1))
}

#[test]
fn of_two_alone_nothing_is_told() {
    let mut bench = bench(1);
    assert_eq!(seen(&bench.connect(2, &person(2))), []);
    let hi = bench.written(&person(2), "hi");
    bench.hear(2, &[hi]);
    assert_eq!(seen(&bench.pass(60_000)), []);
    // Once there is a third store, of whomever.
    assert_eq!(marks(&bench.connect_from(3, &person(2), 8)).len(), 1);
    assert_eq!(records(&bench.pass(5_000)).len(), 2);
}

#[test]
fn of_two_people_something_is_told_once_a_third_store_was_heard_of() {
    let mut bench = bench(1);
    bench.connect(2, &person(2));
    let own = record(&bench, &ann(), 1, START_MS, &[]);
    bring(&mut bench, 2, vec![own]);
    bench.close(2);
    assert_eq!(seen(&bench.connect(4, &person(2))), [], "that was ourselves");
    let other = record(&bench, &ann(), 2, START_MS, &[]);
    bring(&mut bench, 4, vec![other]);
    bench.close(4);
    assert_eq!(marks(&bench.connect(5, &person(2))).len(), 1);
}

#[test]
fn records_are_named_once_and_sent_once_to_who_names_others() {
    let mut bench = met(2);
    let bobs = record(&bench, &person(2), 8, START_MS, &[]);
    bring(&mut bench, 2, vec![bobs.clone()]);
    bench.pass(2_000);
    bench.close(3);
    let marks = marks(&bench.connect(4, &person(3)));
    let [(4, mark)] = marks[..] else { panic!("{marks:?}") };
    assert_eq!(seen(&name(&mut bench, 4, mark ^ 1)), [(4, wire::Seen { mark: 0, records: vec![bobs] })]);
    assert_eq!(seen(&name(&mut bench, 4, mark ^ 2)), [], "once a connection");
    bench.close(4);
    bench.connect(5, &person(3));
    assert_eq!(seen(&name(&mut bench, 5, mark)), [], "it knows the same");
    assert_eq!(seen(&name(&mut bench, 5, mark ^ 1)), []);
}

#[test]
fn who_names_its_records_is_named_ours() {
    let mut bench = bench(1);
    bench.connect(2, &person(2));
    assert_eq!(marks(&name(&mut bench, 2, 7)).len(), 1);
    assert_eq!(marks(&name(&mut bench, 2, 7)).len(), 0);
}

#[test]
fn who_is_not_served_is_named_nothing() {
    let mut bench = met(2);
    let bobs = record(&bench, &person(2), 8, START_MS, &[]);
    bring(&mut bench, 2, vec![bobs]);
    assert_eq!(seen(&bench.connect(4, &person(4))), []);
    assert_eq!(seen(&name(&mut bench, 4, 7)), []);
    assert!(seen(&bench.pass(2_000)).iter().all(|(to, _)| *to == 3));
}

#[test]
fn whose_past_is_out_is_named_no_more() {
    let mut bench = met(2);
    let before = bench.engine.seen.known.mark();
    let carols = record(&bench, &person(3), 8, START_MS, &[]);
    bring(&mut bench, 2, vec![carols]);
    assert_ne!(bench.engine.seen.known.mark(), before);
    bench.command(Command::Remove(person(3).key()));
    bench.close(2);
    assert_eq!(marks(&bench.connect(4, &person(2))), [(4, before)]);
}

#[test]
fn a_record_is_passed_on_after_a_second_but_not_to_whom_it_came_from() {
    let mut bench = met(2);
    let bobs = record(&bench, &person(2), 8, START_MS, &[]);
    assert_eq!(seen(&bring(&mut bench, 2, vec![bobs.clone()])), []);
    assert_eq!(seen(&bench.pass(500)), []);
    let newer = record(&bench, &person(2), 8, START_MS + 1, &[]);
    bring(&mut bench, 2, vec![newer.clone()]);
    assert_eq!(seen(&bench.pass(499)), []);
    assert_eq!(records(&bench.pass(1)), [(3, newer)], "of one store the last alone");
    assert_eq!(seen(&bring(&mut bench, 2, vec![bobs])), []);
    assert_eq!(seen(&bench.pass(4_000)), []);
}

#[test]
fn so_many_bytes_are_passed_on_at_once_and_the_rest_a_second_later() {
    let mut bench = met(60);
    let heads = [EntryId([7; 32]); SEEN_HEADS_MAX];
    let mut records_of = |number: u8| {
        let all: Vec<_> =
            (0..8).map(|store| record(&bench, &person(number), store, START_MS, &heads)).collect();
        bring(&mut bench, 2, all);
    };
    (2..62).for_each(&mut records_of);
    let first = bench.pass(1_000);
    let frames = seen(&first);
    assert!(frames.iter().all(|(to, seen)| *to == 3 && seen.records.len() <= SEEN_RECORDS_PER_FRAME_MAX));
    let one = known::weight(&frames[0].1.records[0]);
    assert_eq!(one, 122 + 32 * SEEN_HEADS_MAX);
    let count = SEEN_BYTES_MAX.div_ceil(one);
    assert_eq!(records(&first).len(), count);
    assert_eq!(records(&bench.pass(999)).len(), 0);
    assert_eq!(records(&bench.pass(1)).len(), 60 * 8 - count);
    assert_eq!(bench.engine.seen.news_due_ms, None);
}

#[test]
fn what_a_record_says_of_our_rows_is_told_once() {
    let mut bench = met(2);
    let (at, head) = last(&bench);
    let bobs = record(&bench, &person(2), 8, START_MS, &[head]);
    assert_eq!(held(&bring(&mut bench, 3, vec![bobs])), [(person(2).key(), at)]);
    let again = record(&bench, &person(2), 8, START_MS + 1, &[head]);
    assert_eq!(held(&bring(&mut bench, 3, vec![again])), []);
    let home = record(&bench, &ann(), 2, START_MS, &[head]);
    assert_eq!(
        held(&bring(&mut bench, 3, vec![home])),
        [],
        "what our other home has is known to nobody but us"
    );
    let so_far = bench.engine.so_far(bench.now.monotonic_ms);
    let seen = so_far.iter().filter_map(|event| match event {
        Event::Seen { author, .. } => Some(*author),
        _ => None,
    });
    assert_eq!(seen.collect::<Vec<_>>(), [person(2).key()]);
}

#[test]
fn a_record_waits_for_the_entry_that_it_names() {
    let mut bench = met(2);
    let (at, _) = last(&bench);
    let hi = bench.written(&person(2), "hi");
    let carols = record(&bench, &person(3), 8, START_MS, &[hi.id()]);
    assert_eq!(held(&bring(&mut bench, 3, vec![carols])), []);
    assert_eq!(held(&bench.hear(2, &[hi])), [(person(3).key(), at)]);
}

#[test]
fn what_somebody_unknown_says_goes_on_once_they_are_a_member() {
    let mut bench = met(2);
    let (at, head) = last(&bench);
    let early = record(&bench, &person(4), 8, START_MS, &[head]);
    assert_eq!(held(&bring(&mut bench, 2, vec![early.clone()])), []);
    assert_eq!(seen(&bench.pass(2_000)), []);
    assert_eq!(held(&bench.admit(&person(4))), [(person(4).key(), at)]);
    let told = records(&bench.pass(1_000));
    assert_eq!(told, [(2, early.clone()), (3, early)]);
}

#[test]
fn what_is_forged_ends_the_connection() {
    let mut bench = met(2);
    let bobs = record(&bench, &person(2), 8, START_MS, &[]);
    let forged = SeenRecord { number: START_MS + 1, ..bobs };
    let outputs = bring(&mut bench, 3, vec![forged]);
    let offence = |event: &&Event| matches!(event, Event::Offence { refused: Refused::NotAuthentic, .. });
    assert_eq!(told(&outputs).into_iter().filter(offence).count(), 1);
    assert!(!bench.engine.sessions.contains_key(&ConnectionId(3)));
}

/// When, in so much time, our own record is told to bob, and what it says.
fn own(bench: &mut Bench, millis: u64) -> Vec<(u64, SeenRecord)> {
    let begin = bench.now.monotonic_ms;
    let mut all = Vec::new();
    for _ in 0..millis / 10 {
        let told = records(&bench.pass(10))
            .into_iter()
            .filter(|(to, record)| *to == 2 && record.author == ann().key());
        all.extend(told.map(|(_, record)| (bench.now.monotonic_ms - begin, record)));
    }
    all
}

fn say(bench: &mut Bench) -> Entry {
    let entry = bench.written(&person(2), "something");
    bench.hear(2, std::slice::from_ref(&entry));
    entry
}

#[test]
fn our_own_record_follows_what_came_at_most_every_five_seconds() {
    let mut bench = met(2);
    assert_eq!(own(&mut bench, 30_000), [], "what we wrote ourselves says it all");
    let first = say(&mut bench);
    let told = own(&mut bench, 5_000);
    let [(_, record)] = &told[..] else { panic!("{told:?}") };
    assert_eq!((record.heads.as_slice(), record.store), (&[first.id()][..], StoreId([1; 16])));
    assert!(record.is_authentic(&bench.engine.conversation().graph().room()));
    assert!(record.number >= START_MS + 30_000 && record.number <= bench.now.wall_ms);
    let told_ms = bench.engine.seen.told_ms.unwrap();
    let second = say(&mut bench);
    let wait_ms = told_ms + 5_000 - bench.now.monotonic_ms;
    let (early, late) = (own(&mut bench, wait_ms - wait_ms % 10), own(&mut bench, 5_000));
    assert_eq!((early.len(), late.len()), (0, 1));
    assert_eq!(late[0].1.heads, [second.id()]);
    assert!(late[0].1.number > record.number);
    assert_eq!(own(&mut bench, 20_000), [], "nothing more came");
    bench.command(Command::Say("so there".to_owned()));
    assert_eq!(own(&mut bench, 20_000), []);
}

#[test]
fn in_a_large_room_it_follows_less_often() {
    let mut bench = met(98);
    for _ in 0..4 {
        let before = bench.engine.seen.told_ms;
        say(&mut bench);
        let said_ms = bench.now.monotonic_ms;
        while bench.engine.seen.told_ms == before {
            bench.pass(1);
            assert!(bench.now.monotonic_ms <= said_ms + 9_900);
        }
        // A tenth of a second for each of ninety-nine.
        assert!(before.is_none_or(|before| bench.now.monotonic_ms == before + 9_900));
    }
}

#[test]
fn where_nobody_is_there_nothing_is_told_until_somebody_comes() {
    let mut bench = met(2);
    say(&mut bench);
    bench.close(2);
    bench.close(3);
    // Who is not served, or has not said hello, is not there.
    bench.connect(9, &person(9));
    bench.come(5, &person(2));
    bench.pass(20_000);
    assert_eq!((bench.engine.seen.due_ms, bench.engine.seen.told_ms), (None, None));
    bench.close(5);
    bench.connect(2, &person(2));
    assert_eq!(own(&mut bench, 5_000).len(), 1);
}

#[test]
fn what_we_said_before_a_restart_is_followed_by_more_than_it() {
    let mut bench = met(2);
    let first = say(&mut bench);
    assert_eq!(own(&mut bench, 5_000).len(), 1);
    let number = bench.now.wall_ms + 3_600_000;
    let before = record(&bench, &ann(), 1, number, &[EntryId([7; 32])]);
    assert_eq!(held(&bring(&mut bench, 3, vec![before])), []);
    let told = own(&mut bench, 11_000);
    assert_eq!(told.len(), 1);
    assert_eq!((told[0].1.heads.as_slice(), told[0].1.number), (&[first.id()][..], number + 1));
}

#[test]
fn heads_that_were_told_are_not_told_again() {
    let mut bench = met(2);
    let first = say(&mut bench);
    assert_eq!(own(&mut bench, 5_000).len(), 1);
    let same = record(&bench, &ann(), 1, bench.now.wall_ms + 1, &[first.id()]);
    bring(&mut bench, 3, vec![same]);
    assert_eq!(own(&mut bench, 20_000), []);
}
