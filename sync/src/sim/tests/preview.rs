//! What a newcomer sees first.

use super::{STRANGER, begin, connect_stranger, run, said, seeds, steps};
use crate::engine::{Event, Glimpse, Input};
use crate::wire::Frame;

/// What a replica was shown ahead of its history.
fn glimpses(told: &[Event]) -> Vec<&[Glimpse]> {
    let shown = told.iter().map(|event| match event {
        Event::Preview(glimpses) => Some(glimpses.as_slice()),
        _ => None,
    });
    shown.flatten().collect()
}

#[test]
fn a_newcomer_is_shown_the_newest_before_all_of_its_past_has_come() {
    for seed in seeds() {
        let before = "a: hello | b: you | settle | a writes 700 | b: the last but one | a: the last";
        let mut world = begin(seed, before);
        steps(before).for_each(|step| world.step(step).unwrap());
        world.step("settle").unwrap();
        world.step("c joins").unwrap();
        // Until something was shown.
        let index = 2;
        while glimpses(&world.replicas()[index].told).is_empty() {
            world.pass(1);
            assert!(world.replicas()[index].shown.len() < 700, "seed {seed}: the history came first");
        }
        world.step("settle").unwrap();
        let rows = world.replica_mut(index).rows();
        let shown = glimpses(&world.replicas()[index].told)[0].to_vec();
        assert!(shown.len() > 50, "seed {seed}: {}", shown.len());
        // They are the newest messages, in the order in which they stand.
        let messages = rows.iter().filter(|row| shown.iter().any(|glimpse| glimpse.id == row.id));
        assert!(messages.map(|row| row.id).eq(shown.iter().map(|glimpse| glimpse.id)), "seed {seed}");
        assert_eq!(shown.last().map(|glimpse| glimpse.text.as_str()), Some("the last"));
        assert_eq!(said(&mut world, index).last().map(String::as_str), Some("the last"));
    }
}

#[test]
fn who_lacks_little_is_shown_nothing_ahead() {
    let world = run(3, "a: hello | b: you | settle | cut a b | a writes 90 | heal | settle").unwrap();
    assert_eq!(glimpses(&world.replicas()[1].told), Vec::<&[Glimpse]>::new());
}

#[test]
fn a_preview_that_is_none_ends_its_connection_unless_nobody_needs_one() {
    for (entries, is_needed) in [(10_000, true), (2, false)] {
        let mut world = run(1, "a: hello | b: you | settle").unwrap();
        connect_stranger(&mut world, 0, entries);
        world.handle(0, Input::Frame(STRANGER, Frame::Preview(vec![1, 2, 3])));
        let told = &world.replicas()[0].told;
        assert_eq!(told.iter().any(|event| matches!(event, Event::Offence { .. })), is_needed);
        assert!(glimpses(told).is_empty());
    }
}
