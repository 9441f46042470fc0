use super::*;
use crate::tui::tests::Story;

const BOB: u8 = 2;

/// Something that arrives while somebody looks, long after the last.
fn arrival(key: OrderKey, newest: OrderKey) -> Arrival {
    Arrival {
        key,
        is_own: false,
        is_message: true,
        is_history: false,
        is_watched: true,
        newest: Some(newest),
        now_ms: 1_000_000,
    }
}

fn keys() -> [OrderKey; 4] {
    let mut story = Story::new();
    std::array::from_fn(|minute| story.says(BOB, minute as u64, "x").key)
}

#[test]
fn late_is_what_stands_above_what_was_seen() {
    let [first, second, third, _] = keys();
    let mut reading = Reading::default();
    assert!(!reading.arrive(arrival(third, second)));
    assert!(reading.arrive(Arrival { now_ms: 2_000_000, ..arrival(first, third) }));
    assert_eq!(reading.late, [first]);
}

#[test]
fn what_comes_together_is_not_late_to_itself() {
    let [first, second, third, fourth] = keys();
    let mut reading = Reading::default();
    reading.arrive(arrival(fourth, first));
    assert!(!reading.arrive(Arrival { now_ms: 1_000_100, ..arrival(third, fourth) }));
    assert!(!reading.arrive(Arrival { now_ms: 1_000_200, ..arrival(second, fourth) }));
}

#[test]
fn what_nobody_saw_makes_nothing_late() {
    let [first, second, third, _] = keys();
    let mut reading = Reading::default();
    reading.resume(None, Some(first));
    reading.arrive(Arrival { is_watched: false, ..arrival(third, first) });
    let away = Arrival { is_watched: false, now_ms: 2_000_000, ..arrival(second, third) };
    assert!(!reading.arrive(away));
    assert_eq!((reading.unread, reading.new_after), (2, Some(first)));
}

#[test]
fn a_word_of_ones_own_ends_what_is_new() {
    let [first, second, third, _] = keys();
    let mut reading = Reading::default();
    reading.resume(Some(first), Some(second));
    assert_eq!(reading.new_after, Some(first));
    reading.arrive(Arrival { is_own: true, ..arrival(third, second) });
    assert_eq!((reading.new_after, reading.unread), (None, 0));
}
