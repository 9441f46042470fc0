use replica::entry::{Body, Entry};
use replica::graph::Reached;
use replica::id::{ChainId, Position, RoomId};
use replica::identity::Identity;

use super::*;
use crate::conversation::first_entry;
use crate::limits::{SEEN_BYTES_MAX, SEEN_HEADS_MAX};

const NOW_MS: u64 = 1_795_357_800_000;

fn ann() -> Identity {
    Identity::from_secret(&[1; 32])
}

fn chain() -> ChainId {
    ChainId { author: ann().key(), incarnation: 5 }
}

/// A room that ann made and is alone in, with so many messages of hers.
fn room(messages: u64) -> Graph {
    let first = first_entry(&ann(), chain(), "home", 3_600, NOW_MS).unwrap();
    let mut graph = Graph::new(RoomId(first.id().0));
    graph.admit(&first).unwrap();
    graph.settle(1);
    for number in 0..messages {
        let record = graph.compose(chain(), NOW_MS + number, &Body::Message(number.to_string())).unwrap();
        graph.admit(&Entry::sign(record, &graph.room(), &ann()).unwrap()).unwrap();
    }
    graph
}

fn by(identity: &Identity, graph: &Graph, store: u8, number: u64, heads: &[EntryId]) -> SeenRecord {
    SeenRecord::signed(identity, &graph.room(), StoreId([store; 16]), number, heads.to_vec())
}

/// Takes a record of ann's second home.
fn take(known: &mut Known, graph: &Graph, store: u8, number: u64) -> Taken {
    known.take(by(&ann(), graph, store, number, &[graph.id(0)]), graph, NOW_MS)
}

fn news(store: u8) -> Taken {
    Taken::News((ann().key(), StoreId([store; 16])))
}

fn reached(position: Position) -> Vec<Reached> {
    vec![Reached { incarnation: 5, position }]
}

#[test]
fn a_record_counts_if_it_is_newer_than_the_last_and_not_far_ahead() {
    let (mut known, graph) = (Known::new(ann().key()), room(0));
    let furthest = NOW_MS + millis(SEEN_AHEAD);
    for (number, expected) in [
        (7, news(2)),
        (7, Taken::Nothing),
        (6, Taken::Nothing),
        (8, news(2)),
        (furthest + 1, Taken::Nothing),
        (u64::MAX, Taken::Nothing),
        (furthest, news(2)),
    ] {
        assert_eq!(take(&mut known, &graph, 2, number), expected, "{number}");
    }
}

#[test]
fn what_its_author_did_not_sign_is_forged_unless_nobody_would_take_it() {
    let (mut known, graph) = (Known::new(ann().key()), room(0));
    let record = by(&ann(), &graph, 2, 5, &[]);
    let forged = SeenRecord { number: 6, ..record.clone() };
    assert_eq!(known.take(forged.clone(), &graph, NOW_MS), Taken::Forged);
    let elsewhere = SeenRecord::signed(&ann(), &RoomId([9; 32]), record.store, 5, Vec::new());
    assert_eq!(known.take(elsewhere, &graph, NOW_MS), Taken::Forged);
    assert_eq!(take(&mut known, &graph, 2, 6), news(2));
    assert_eq!(known.take(forged, &graph, NOW_MS), Taken::Nothing);
}

#[test]
fn who_is_no_member_waits_and_is_one_of_so_many() {
    let (mut known, graph) = (Known::new(ann().key()), room(0));
    for number in 0..RECORDS_MAX as u64 + 50 {
        let mut secret = [3; 32];
        secret[..8].copy_from_slice(&number.to_be_bytes());
        let stranger = Identity::from_secret(&secret);
        let record = by(&stranger, &graph, 1, number + 1, &[graph.id(0)]);
        assert_eq!(known.take(record, &graph, NOW_MS), Taken::Nothing);
    }
    assert_eq!((known.told.len(), known.early.len()), (0, RECORDS_MAX));
    assert_eq!(known.take_early(&graph), []);
    // Ann's came before she was a member here.
    let nothing = Graph::new(graph.room());
    assert_eq!(known.take(by(&ann(), &graph, 2, NOW_MS, &[]), &nothing, NOW_MS), Taken::Nothing);
    assert_eq!(known.take_early(&graph), [(ann().key(), StoreId([2; 16]))]);
    assert_eq!((known.told.len(), known.early.len()), (1, RECORDS_MAX - 1));
}

#[test]
fn of_one_author_the_newest_few_are_kept_and_what_made_place_does_not_come_back() {
    let (mut known, graph) = (Known::new(ann().key()), room(0));
    for store in 0..100 {
        assert_eq!(take(&mut known, &graph, store, 1_000 + u64::from(store)), news(store));
    }
    assert_eq!(known.told.len(), RECORDS_PER_AUTHOR_MAX);
    assert_eq!(take(&mut known, &graph, 50, 1_050), Taken::Nothing);
    assert_eq!(take(&mut known, &graph, 50, 2_000), news(50));
    assert_eq!(known.told.len(), RECORDS_PER_AUTHOR_MAX);
}

#[test]
fn all_together_are_kept_within_the_limit_the_oldest_made_place() {
    let (mut known, graph) = (Known::new(ann().key()), room(0));
    let unknown = |number: u64| {
        let mut id = [7; 32];
        id[..8].copy_from_slice(&number.to_be_bytes());
        EntryId(id)
    };
    for number in 0..RECORDS_MAX as u64 + 100 {
        let mut author = [9; 32];
        author[..8].copy_from_slice(&number.to_be_bytes());
        let record =
            SeenRecord { author: AuthorKey(author), ..by(&ann(), &graph, 1, number, &[unknown(number)]) };
        let endpoint = endpoint_of(&record);
        known.put(record);
        assert_eq!(known.resolve(endpoint, &graph), None);
    }
    assert_eq!(known.told.len(), RECORDS_MAX);
    assert_eq!(known.waiting.len(), RECORDS_MAX);
    assert!(known.told.values().all(|told| told.record.number >= 100));
    assert_eq!(take(&mut known, &graph, 1, 99), Taken::Nothing);
    known.forget(|_| true);
    assert!(known.told.is_empty() && !known.is_waiting());
}

#[test]
fn what_a_record_says_is_known_once_its_heads_are_durable() {
    let (mut known, mut graph) = (Known::new(ann().key()), room(3));
    let endpoint = (ann().key(), StoreId([2; 16]));
    let heads = [graph.id(2), EntryId([0; 32]), graph.id(3)];
    known.put(by(&ann(), &graph, 2, 5, &heads));
    assert_eq!(known.resolve(endpoint, &graph), None);
    graph.settle(3);
    assert_eq!(known.arrived(&heads[0]), [endpoint].into());
    assert_eq!(known.resolve(endpoint, &graph), Some(reached(2)));
    // It waits for one of the others, and is not looked at for what it does not wait for.
    graph.settle(4);
    assert_eq!(known.arrived(&heads[2]), BTreeSet::new());
    assert_eq!(known.arrived(&heads[1]), [endpoint].into());
    assert_eq!(known.resolve(endpoint, &graph), Some(reached(3)));
    assert_eq!(known.resolve(endpoint, &graph), None, "it is no news any more");
    // What was held once stays held, whatever is said later.
    known.put(by(&ann(), &graph, 2, 6, &heads[..1]));
    assert_eq!(known.resolve(endpoint, &graph), None);
    assert_eq!(known.up_to().collect::<Vec<_>>(), [(ann().key(), reached(3))]);
    assert!(!known.is_waiting());
}

#[test]
fn the_first_entry_that_is_not_durable_is_waited_for() {
    let (mut known, mut graph) = (Known::new(ann().key()), room(1));
    let endpoint = (ann().key(), StoreId([2; 16]));
    known.put(by(&ann(), &graph, 2, 5, &[graph.id(1)]));
    assert_eq!((known.resolve(endpoint, &graph), known.is_waiting()), (None, true));
    graph.settle(2);
    assert_eq!(known.resolve(endpoint, &graph), Some(reached(1)));
}

#[test]
fn equal_records_have_an_equal_mark_and_any_other_another() {
    let graph = room(0);
    let mark = |records: &[(u8, u64)]| {
        let mut known = Known::new(ann().key());
        records.iter().for_each(|(store, number)| known.put(by(&ann(), &graph, *store, *number, &[])));
        known.mark()
    };
    assert_eq!(mark(&[(1, 5), (2, 6)]), mark(&[(2, 6), (1, 5)]));
    let marks: BTreeSet<u64> =
        [mark(&[]), mark(&[(1, 5)]), mark(&[(1, 6)]), mark(&[(2, 5)]), mark(&[(1, 5), (2, 6)])].into();
    assert_eq!(marks.len(), 5);
}

#[test]
fn who_connects_is_sent_the_newest_as_far_as_they_fit() {
    let (mut known, graph) = (Known::new(ann().key()), room(0));
    for number in 0..RECORDS_MAX as u64 {
        let mut author = [9; 32];
        author[..8].copy_from_slice(&number.to_be_bytes());
        let heads = vec![EntryId([7; 32]); SEEN_HEADS_MAX];
        known.put(SeenRecord { author: AuthorKey(author), ..by(&ann(), &graph, 1, number, &heads) });
    }
    let newest = known.newest(SEEN_BYTES_MAX);
    assert!(newest.iter().map(weight).sum::<usize>() <= SEEN_BYTES_MAX);
    assert!((300..500).contains(&newest.len()), "{}", newest.len());
    let last = RECORDS_MAX as u64 - 1;
    assert!(newest.iter().zip(0..).all(|(record, before)| record.number == last - before));
}
