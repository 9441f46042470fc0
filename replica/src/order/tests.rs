use std::collections::BTreeMap;

use proptest::prelude::*;
use serde_json::Value;

use super::*;
use crate::document::KeyPrefix;
use crate::testing::{Dice, START_MS, World};
use crate::timeline::Timeline;

const YEAR_MS: u64 = 365 * DAY_MS;

/// An entry as the rule sees it. `prev` is one of `deps`.
#[derive(Clone, Debug)]
struct Written {
    id: EntryId,
    claimed_ms: i64,
    prev: Option<EntryId>,
    deps: Vec<EntryId>,
}

fn clamped(ms: i64) -> u64 {
    u64::try_from(ms).unwrap_or(0).min(TIME_MS_MAX)
}

/// The clock of every entry, whatever order they are listed in.
fn clocks(entries: &[Written]) -> BTreeMap<EntryId, Clock> {
    let by_id: BTreeMap<EntryId, &Written> = entries.iter().map(|entry| (entry.id, entry)).collect();
    let mut clocks: BTreeMap<EntryId, Clock> = BTreeMap::new();
    while clocks.len() < entries.len() {
        let known = clocks.len();
        for entry in entries {
            if clocks.contains_key(&entry.id) || !entry.deps.iter().all(|dep| clocks.contains_key(dep)) {
                continue;
            }
            let previous = entry
                .prev
                .map(|id| Previous { claimed_ms: clamped(by_id[&id].claimed_ms), clock: clocks[&id] });
            let seen = entry.deps.iter().map(|dep| clocks[dep]);
            clocks.insert(entry.id, Clock::derive(clamped(entry.claimed_ms), previous, seen));
        }
        assert!(clocks.len() > known, "a dependency is missing");
    }
    clocks
}

fn ordered(entries: &[Written]) -> Vec<OrderKey> {
    let mut keys: Vec<OrderKey> =
        clocks(entries).into_iter().map(|(id, clock)| OrderKey { clock, id }).collect();
    keys.sort_unstable();
    keys
}

fn check_vectors(path: &str) {
    let id = |value: &Value| value.as_str().unwrap().parse::<EntryId>().unwrap();
    let vectors: Value = serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap();
    let cases = vectors["cases"].as_array().unwrap();
    assert!(!cases.is_empty());
    for case in cases {
        let written = |entry: &Value| Written {
            id: id(&entry["id"]),
            claimed_ms: entry["claimed_ms"].as_i64().unwrap(),
            prev: entry["prev"].as_str().map(|prev| prev.parse().unwrap()),
            deps: entry["deps"].as_array().unwrap().iter().map(id).collect(),
        };
        let entries: Vec<Written> = case["entries"].as_array().unwrap().iter().map(written).collect();
        let expected: Vec<OrderKey> = case["order"]
            .as_array()
            .unwrap()
            .iter()
            .map(|row| {
                let number = |at: usize| row[at].as_u64().unwrap();
                let clock = Clock {
                    era: u32::try_from(number(1)).unwrap(),
                    time_ms: number(2),
                    count: u32::try_from(number(3)).unwrap(),
                };
                OrderKey { clock, id: id(&row[0]) }
            })
            .collect();
        assert_eq!(ordered(&entries), expected, "case {} of {path}", case["name"]);
    }
}

#[test]
fn the_vectors_come_out_in_their_order() {
    check_vectors(concat!(env!("CARGO_MANIFEST_DIR"), "/../tests/order/vectors.json"));
    if let Some(path) = std::env::var_os("ORDER_VECTORS") {
        check_vectors(path.to_str().unwrap());
    }
}

/// Messages on a line: who (0 or 1), claimed time. Each author has seen everything before.
fn line(claims: &[(u8, u64)]) -> Vec<Clock> {
    let mut clocks: Vec<Clock> = Vec::new();
    let mut last: BTreeMap<u8, Previous> = BTreeMap::new();
    for (who, claimed_ms) in claims {
        let clock = Clock::derive(*claimed_ms, last.get(who).copied(), clocks.last().copied().into_iter());
        last.insert(*who, Previous { claimed_ms: *claimed_ms, clock });
        clocks.push(clock);
    }
    clocks
}

#[test]
fn a_clock_that_jumped_a_year_ahead_is_forgiven_by_the_next_entry_of_someone_right() {
    let clocks = line(&[(0, 1_000), (1, 2_000), (0, 2_000 + YEAR_MS), (1, 3_000), (0, 4_000), (1, 5_000)]);
    assert_eq!(clocks[2], Clock { era: 0, time_ms: 2_000 + YEAR_MS, count: 0 });
    assert_eq!(clocks[3], Clock { era: 1, time_ms: 3_000, count: 0 });
    assert_eq!(clocks[4], Clock { era: 1, time_ms: 4_000, count: 0 });
    assert_eq!(clocks[5], Clock { era: 1, time_ms: 5_000, count: 0 });
}

#[test]
fn who_jumped_ahead_takes_it_back_by_writing_again() {
    let clocks = line(&[(0, 1_000), (0, 1_000 + YEAR_MS), (0, 2_000)]);
    assert_eq!(clocks[2], Clock { era: 1, time_ms: 2_000, count: 0 });
}

#[test]
fn a_newcomer_or_a_clock_that_went_back_opens_no_era() {
    let newcomer = line(&[(0, YEAR_MS), (1, 1_000)]);
    assert_eq!(newcomer[1], Clock { era: 0, time_ms: YEAR_MS, count: 1 });
    let back = line(&[(1, 5_000), (0, YEAR_MS), (1, 4_999)]);
    assert_eq!(back[2], Clock { era: 0, time_ms: YEAR_MS, count: 1 });
}

#[test]
fn a_day_behind_is_skew_and_a_millisecond_more_is_not() {
    let at = |behind: u64| line(&[(1, 1_000), (0, YEAR_MS), (1, YEAR_MS - behind)])[2];
    assert_eq!(at(DAY_MS), Clock { era: 0, time_ms: YEAR_MS, count: 1 });
    assert_eq!(at(DAY_MS + 1), Clock { era: 1, time_ms: YEAR_MS - DAY_MS - 1, count: 0 });
}

#[test]
fn dead_and_boundless_clocks_stay_within_48_bits() {
    assert_eq!(line(&[(0, 0)])[0], Clock { era: 0, time_ms: 0, count: 0 });
    assert_eq!(line(&[(0, u64::MAX)])[0], Clock { era: 0, time_ms: TIME_MS_MAX, count: 0 });
    assert_eq!(line(&[(0, 0), (1, 0)])[1], Clock { era: 0, time_ms: 0, count: 1 });
}

fn clock() -> impl Strategy<Value = Clock> {
    (
        prop_oneof![0..3_u32, any::<u32>()],
        prop_oneof![0..3_u64, 0..=TIME_MS_MAX],
        prop_oneof![0..3_u32, any::<u32>()],
    )
        .prop_map(|(era, time_ms, count)| Clock { era, time_ms, count })
}

proptest! {
    #[test]
    fn bytes_sort_as_clocks_do(one in clock(), other in clock()) {
        prop_assert_eq!(one.to_bytes().cmp(&other.to_bytes()), one.cmp(&other));
        prop_assert_eq!(Clock::from_bytes(&one.to_bytes()), one);
        let key = |clock: Clock, byte: u8| OrderKey { clock, id: EntryId([byte; 32]) };
        for (a, b) in [(key(one, 1), key(other, 2)), (key(one, 1), key(one, 2))] {
            prop_assert_eq!(KeyPrefix::from(&a).cmp(&KeyPrefix::from(&b)), a.cmp(&b));
            // Names in a document ascend from new to old.
            prop_assert_eq!(KeyPrefix::from(&b).to_name().cmp(&KeyPrefix::from(&a).to_name()), a.cmp(&b));
        }
    }

    #[test]
    fn an_entry_is_above_everything_its_author_had_seen(
        claimed in 0..=TIME_MS_MAX,
        previous in proptest::option::of((0..=TIME_MS_MAX, clock())),
        seen in prop::collection::vec(clock(), 0..5),
    ) {
        // Counts and eras that cannot rise any further would take 2^32 entries.
        let seen = seen.into_iter().map(|clock| Clock { count: clock.count / 2, era: clock.era / 2, ..clock });
        let previous = previous.map(|(claimed_ms, clock)| Previous { claimed_ms, clock });
        let seen: Vec<Clock> = seen.chain(previous.map(|previous| previous.clock)).collect();
        let seen: Vec<Clock> = seen.into_iter().filter(|clock| clock.count < u32::MAX && clock.era < u32::MAX).collect();
        let derived = Clock::derive(claimed, previous, seen.iter().copied());
        prop_assert!(seen.iter().all(|clock| *clock < derived));
        prop_assert!(derived.time_ms <= TIME_MS_MAX);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(40))]

    #[test]
    fn rows_shown_never_swap_and_end_in_one_order_whatever_arrives_first(seed in any::<u64>()) {
        let mut dice = Dice(seed);
        let world = World::random(&mut dice, 5, 50, true);
        let order = |arrivals: &[crate::entry::Entry]| {
            let mut graph = crate::graph::Graph::new(world.room);
            let mut timeline = Timeline::new(7 * DAY_MS);
            let mut shown: Vec<EntryId> = Vec::new();
            for entry in arrivals {
                let crate::graph::Admission::New(at) = graph.admit(entry).unwrap() else { unreachable!() };
                timeline.insert(graph.key(at));
                for parent in graph.parents(at) {
                    assert!(graph.key(parent) < graph.key(at), "an effect stands before its cause");
                }
                let now: Vec<EntryId> = timeline.newest_first(None).map(|slot| slot.key.id).collect();
                let before: Vec<EntryId> = now.iter().copied().filter(|id| *id != entry.id()).collect();
                assert_eq!(before, shown, "rows already shown swapped places");
                shown = now;
            }
            shown
        };
        let expected = order(&world.log);
        prop_assert_eq!(expected.len(), world.log.len());
        for _ in 0..3 {
            prop_assert_eq!(&order(&world.shuffled(&mut dice)), &expected);
        }
    }
}

#[test]
fn who_was_offline_and_writes_before_reconnecting_lands_at_the_bottom() {
    let hour = 60 * 60 * 1000;
    let start = Clock::derive(START_MS, None, std::iter::empty());
    let mut busy = start;
    for minute in 1..=60 {
        busy = Clock::derive(START_MS + minute * 60_000, None, [busy].into_iter());
    }
    let late = Clock::derive(START_MS + hour + 1, None, [start].into_iter());
    assert!(late > busy);
}
