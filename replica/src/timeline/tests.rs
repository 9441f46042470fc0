use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;

use super::rows::CHUNK_ROWS_MAX;
use super::*;
use crate::id::EntryId;

const WEEK_MS: u64 = 7 * 24 * 60 * 60 * 1000;

fn key(era: u32, time_ms: u64, id: u64) -> OrderKey {
    let mut bytes = [0; 32];
    bytes[..8].copy_from_slice(&id.to_be_bytes());
    OrderKey { clock: Clock { era, time_ms, count: 0 }, id: EntryId(bytes) }
}

fn timeline(period_ms: u64, span_rows_max: usize, keys: &[OrderKey]) -> Timeline {
    let mut timeline = Timeline::with_span_rows_max(period_ms, span_rows_max);
    keys.iter().for_each(|key| _ = timeline.insert(*key));
    timeline
}

fn layout(timeline: &Timeline) -> Vec<(Span, Vec<OrderKey>)> {
    timeline.spans().map(|span| (span, timeline.slots(&span).map(|slot| slot.key).collect())).collect()
}

/// The spans of a set of keys, worked out from the whole set at once.
fn layout_of_the_set(period_ms: u64, most: usize, keys: &BTreeSet<OrderKey>) -> Vec<(Span, Vec<OrderKey>)> {
    fn keep(
        lengths: &Lengths,
        most: usize,
        span: Span,
        keys: Vec<OrderKey>,
        out: &mut Vec<(Span, Vec<OrderKey>)>,
    ) {
        if keys.len() <= most || span.length_ms == 1 {
            return out.push((span, keys));
        }
        let mut pieces: BTreeMap<Span, Vec<OrderKey>> = BTreeMap::new();
        for key in keys {
            pieces.entry(lengths.piece(&span, key.clock.time_ms)).or_default().push(key);
        }
        pieces.into_iter().for_each(|(piece, keys)| keep(lengths, most, piece, keys, out));
    }
    let lengths = Lengths::new(period_ms);
    let mut periods: BTreeMap<Span, Vec<OrderKey>> = BTreeMap::new();
    keys.iter().for_each(|key| periods.entry(lengths.period(&key.clock)).or_default().push(*key));
    let mut out = Vec::new();
    periods.into_iter().for_each(|(span, keys)| keep(&lengths, most, span, keys, &mut out));
    out.reverse();
    out
}

fn keys() -> impl Strategy<Value = Vec<OrderKey>> {
    let time = prop_oneof![0..300_u64, 0..20_000_u64, Just((1 << 48) - 1)];
    prop::collection::vec((0..3_u32, time, 0..4_u64).prop_map(|(era, time, id)| key(era, time, id)), 1..400)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn spans_are_a_function_of_the_set_of_keys(
        keys in keys(), period_ms in prop_oneof![Just(1_u64), 2..3_000_u64, Just(500_000_u64)], most in 1..12_usize,
    ) {
        let timeline = timeline(period_ms, most, &keys);
        let set: BTreeSet<OrderKey> = keys.into_iter().collect();
        prop_assert_eq!(layout(&timeline), layout_of_the_set(period_ms, most, &set));
        for span in timeline.spans() {
            prop_assert_eq!(timeline.span_len(&span), timeline.slots(&span).count());
            prop_assert!(timeline.slots(&span).all(|slot| timeline.span_of(&slot.key.clock) == span));
            prop_assert_eq!(Span::from_bytes(&span.to_bytes()), span);
        }
        let spans: Vec<Span> = timeline.spans().collect();
        prop_assert!(spans.windows(2).all(|pair| pair[0].to_bytes() > pair[1].to_bytes()));
    }

    #[test]
    fn pages_and_ranks_are_those_of_a_sorted_list(keys in keys(), count in 0..40_usize) {
        let mut timeline = Timeline::with_span_rows_max(1_000, 5);
        let mut sorted: Vec<OrderKey> = Vec::new();
        for key in &keys {
            let place = sorted.binary_search(key);
            let placed = timeline.insert(*key);
            if let Err(place) = place {
                sorted.insert(place, *key);
            }
            let place = place.unwrap_or_else(|place| place);
            prop_assert_eq!(placed.rows_after, sorted.len() - place - 1);
            prop_assert_eq!(placed.span, timeline.span_of(&key.clock));
        }
        prop_assert_eq!(timeline.len(), sorted.len());
        for before in keys.iter().take(20).map(Some).chain([None]) {
            let below = before.map_or(sorted.len(), |before| sorted.partition_point(|key| key < before));
            let expected: Vec<_> = sorted[..below].iter().rev().take(count).copied().collect();
            let page: Vec<_> = timeline.page(before, count).iter().map(|slot| slot.key).collect();
            prop_assert_eq!(page, expected);
            if let Some(key) = before {
                let above = sorted.partition_point(|other| other <= key);
                prop_assert_eq!(timeline.rows_after(key), sorted.len() - above);
                let page: Vec<_> = timeline.page_after(key, count).iter().map(|slot| slot.key).collect();
                prop_assert_eq!(&page[..], &sorted[above..(above + count).min(sorted.len())]);
            }
        }
    }
}

#[test]
fn many_rows_in_any_order_stand_in_order() {
    // A multiplier prime to the number of rows visits each once, in no order.
    let rows = 20_000_u64;
    let scattered: Vec<OrderKey> = (0..rows).map(|n| key(0, n * 7_919 % rows, 0)).collect();
    let mut timeline = Timeline::new(WEEK_MS);
    for key in &scattered {
        let placed = timeline.insert(*key);
        assert_eq!(placed.rows_after, timeline.rows_after(key));
    }
    let times: Vec<u64> = timeline.newest_first(None).map(|slot| slot.key.clock.time_ms).collect();
    assert_eq!(times, (0..rows).rev().collect::<Vec<_>>());
    for slot in timeline.newest_first(None) {
        assert_eq!(scattered[slot.position as usize], slot.key);
        assert_eq!(timeline.key(slot.position), Some(&slot.key));
    }
    for time in [0, 1, 511, 512, 10_000, rows - 1] {
        assert_eq!(timeline.rows_after(&key(0, time, 0)), usize::try_from(rows - 1 - time).unwrap());
    }
}

#[test]
fn chunks_are_neither_long_nor_many_whatever_order_rows_come_in() {
    let rows = 20_000_u64;
    let scattered = (0..rows).map(|n| key(0, n * 7_919 % rows, 0)).collect::<Vec<_>>();
    for keys in [(0..rows).map(|n| key(0, n, 0)).collect(), scattered] {
        let lengths = timeline(WEEK_MS, usize::MAX, &keys).rows.chunk_lengths();
        assert_eq!(lengths.iter().sum::<usize>(), keys.len());
        assert!(lengths.iter().all(|length| *length <= CHUNK_ROWS_MAX), "{lengths:?}");
        assert!(lengths.len() <= 2 * keys.len().div_ceil(CHUNK_ROWS_MAX), "{lengths:?}");
    }
}

#[test]
fn a_week_that_outgrows_a_document_is_kept_by_day_and_its_days_by_hour() {
    let day = WEEK_MS / 7;
    let mut timeline = Timeline::with_span_rows_max(WEEK_MS, 3);
    for n in 0..3 {
        assert_eq!(timeline.insert(key(0, day * n, 0)).split, None);
    }
    let week = Span { era: 0, start_ms: 0, length_ms: WEEK_MS };
    assert_eq!(timeline.spans().collect::<Vec<_>>(), [week]);

    let placed = timeline.insert(key(0, day + 1, 0));
    assert_eq!(placed.split, Some(week));
    assert_eq!(placed.span, Span { era: 0, start_ms: day, length_ms: day });
    assert_eq!(timeline.spans().map(|span| span.length_ms).collect::<Vec<_>>(), [day; 3]);

    timeline.insert(key(0, day + 2, 0));
    let placed = timeline.insert(key(0, day + day / 2, 0));
    assert_eq!(placed.split, Some(Span { era: 0, start_ms: day, length_ms: day }));
    assert_eq!(placed.span, Span { era: 0, start_ms: day + day / 2, length_ms: day / 24 });
    assert_eq!(timeline.spans_within(&week).count(), 4);
    assert_eq!(timeline.spans_within(&Span { era: 1, ..week }).count(), 0);

    (0..4).for_each(|id| _ = timeline.insert(key(0, WEEK_MS + day * (id % 2), id)));
    assert_eq!(timeline.spans_within(&week).count(), 4, "the pieces of the next week are not in this one");
    assert_eq!(timeline.spans_within(&Span { start_ms: WEEK_MS, ..week }).count(), 2);
}

#[test]
fn one_millisecond_is_never_split() {
    let mut timeline = Timeline::with_span_rows_max(WEEK_MS, 2);
    assert!(timeline.is_empty());
    (0..50).for_each(|id| _ = timeline.insert(key(0, 5, id)));
    assert_eq!(timeline.spans().map(|span| span.length_ms).collect::<Vec<_>>(), [1]);
    assert_eq!(timeline.insert(key(0, 5, 99)).split, None);
    assert!(!timeline.is_empty());
}
