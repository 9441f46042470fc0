//! What is sent when two meet, and what is not.

use super::{World, begin, ids, run, said, seeds, steps};
use crate::engine::Event;
use crate::sim::Traffic;

/// Runs a script under several seeds, and answers what a and b sent each other from its step `||` on.
fn traffic_after(before: &str, after: &str, seed: u64) -> (World, Traffic, Traffic) {
    let mut world = begin(seed, before);
    let counted = |world: &World, from, to| {
        let ends = (world.find(from).unwrap(), world.find(to).unwrap());
        world.traffic().get(&ends).copied().unwrap_or_default()
    };
    steps(before).for_each(|step| world.step(step).unwrap());
    let (from_a, from_b) = (counted(&world, "a", "b"), counted(&world, "b", "a"));
    steps(after).for_each(|step| world.step(step).unwrap());
    let since = |now: Traffic, then: Traffic| Traffic {
        greeting: now.greeting - then.greeting,
        asking: now.asking - then.asking,
        telling: now.telling - then.telling,
        seen_bytes: now.seen_bytes - then.seen_bytes,
        bytes: now.bytes - then.bytes,
    };
    let (from_a, from_b) =
        (since(counted(&world, "a", "b"), from_a), since(counted(&world, "b", "a"), from_b));
    assert_eq!(world.told_too_early(), [], "seed {seed}");
    (world, from_a, from_b)
}

/// A conversation that both have, and that a lost connection or a restart then ends.
const TOGETHER: &str = "a writes 40 | b writes 40 | settle | pass 100";

#[test]
fn who_agreed_before_and_has_the_same_says_hello_and_no_more() {
    for seed in seeds() {
        for ending in ["cut a b | pass 20000", "stop b | pass 100 | start b", "reset a b"] {
            let before = format!("{TOGETHER} | {ending}");
            let (_, from_a, from_b) = traffic_after(&before, "heal | settle | pass 1000", seed);
            for traffic in [from_a, from_b] {
                let Traffic { asking, telling, bytes, greeting, .. } = traffic;
                assert_eq!((asking, telling), (0, 0), "seed {seed}, {ending}");
                assert!(bytes <= 150 * greeting, "seed {seed}, {ending}: {bytes} bytes");
            }
        }
    }
}

#[test]
fn who_is_as_it_was_is_sent_what_is_new_unasked() {
    for seed in seeds() {
        let before = format!("{TOGETHER} | cut a b | pass 20000 | a: {TEXT}");
        let (mut world, from_a, from_b) = traffic_after(&before, "heal | settle", seed);
        assert_eq!((from_a.asking, from_b.asking, from_a.telling), (0, 0, 1), "seed {seed}");
        assert!(from_a.bytes + from_b.bytes <= 460 * from_a.greeting, "seed {seed}: {from_a:?} {from_b:?}");
        assert!(said(&mut world, 1).contains(&TEXT.to_owned()));
    }
}

/// Some eighty bytes.
const TEXT: &str = "Are you coming tomorrow? We start at nine, and the coffee is on me this time :)";

#[test]
fn where_both_wrote_only_their_news_are_told_and_asked_for() {
    for seed in seeds() {
        let before = format!(
            "c joins | d joins | {TOGETHER} | c: me | d: too | settle | stop c | stop d | cut a b | pass 20000 | a: one | b: two"
        );
        let (mut world, from_a, from_b) = traffic_after(&before, "heal | settle", seed);
        // A tip each, and what follows from it; on two connections where both dialled at once. And who holds what: a mark,
        // if the two know others the records of all four, and in time a new one.
        for from in [&from_a, &from_b] {
            let bytes = from.bytes - from.seen_bytes;
            assert!(bytes < 800 * from.greeting, "seed {seed}: {from_a:?} {from_b:?}");
            assert!(from.seen_bytes <= (28 + 5 * 206) * from.greeting, "seed {seed}: {from_a:?} {from_b:?}");
        }
        assert!(["one", "two"].iter().all(|text| said(&mut world, 0).contains(&(*text).to_owned())));
    }
}

#[test]
fn blocks_that_are_put_together_while_a_newcomer_asks_are_sent_whole() {
    for seed in seeds() {
        let before = "a: first | b: second | settle";
        let mut world = begin(seed, before);
        steps(before).for_each(|step| world.step(step).unwrap());
        // Each in a block of its own; so many are put together while the newcomer's questions are on their way.
        for number in 0..150 {
            world.step(&format!("{}: {number}", if number % 3 == 0 { "b" } else { "a" })).unwrap();
            world.pass(5);
            if number == 36 + seed {
                world.step("c joins").unwrap();
            }
        }
        world.step("settle").unwrap();
        for replica in world.replicas() {
            let offence = replica.told.iter().find(|event| matches!(event, Event::Offence { .. }));
            assert_eq!(offence, None, "seed {seed}: {}", replica.name);
        }
        assert_eq!(said(&mut world, 2).len(), 152, "seed {seed}");
    }
}

#[test]
fn who_comes_late_hands_no_history_to_those_who_told_of_it() {
    for seed in seeds() {
        let history = " | a writes 60 | b writes 60".repeat(20);
        let mut world =
            run(seed, &format!("a: hi | b: yo{history} | settle | c joins | settle | pass 100")).unwrap();
        assert!(said(&mut world, 2).len() > 2_400, "seed {seed}");
        let bytes = |from: &str, to: &str| {
            let ends = (world.find(from).unwrap(), world.find(to).unwrap());
            world.traffic().get(&ends).copied().unwrap_or_default().bytes
        };
        let (came, went) = (bytes("a", "c") + bytes("b", "c"), bytes("c", "a") + bytes("c", "b"));
        // Greetings, what it has said itself, and who holds what; the history is as much again.
        assert!(went < 2_800, "seed {seed}: {came} bytes came, {went} went");
    }
}

#[test]
fn homes_of_one_who_left_keep_each_other_up_to_date() {
    let apart =
        "a: hi | b: yo | settle | a2 is a | settle | cut a2 | a2: from the train | a leaves | pass 2000";
    for seed in seeds() {
        let mut world = run(seed, &format!("{apart} | heal a a2 | pass 60000")).unwrap();
        let (home, other) = (world.find("a").unwrap(), world.find("a2").unwrap());
        assert!(said(&mut world, home).contains(&"from the train".to_owned()), "seed {seed}");
        assert_eq!(ids(&mut world, home), ids(&mut world, other), "seed {seed}");
    }
}

#[test]
fn who_leaves_by_one_home_stays_connected_with_the_other() {
    for seed in seeds() {
        let mut world = run(seed, "a: hi | b: yo | settle | a2 is a | settle | cut b | pass 1000").unwrap();
        let me = world.author(world.find("a").unwrap());
        let is_lost = |event: &&Event| matches!(event, Event::PeerGone { author, .. } if *author == me);
        let lost = |world: &World| {
            world.replicas().iter().flat_map(|replica| replica.told.iter().filter(is_lost)).count()
        };
        let before = lost(&world);
        steps("a leaves | pass 3000").for_each(|step| world.step(step).unwrap());
        assert_eq!(lost(&world), before, "seed {seed}");
        assert_eq!(ids(&mut world, 0), ids(&mut world, 2), "seed {seed}");
    }
}
