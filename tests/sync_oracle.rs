//! Automerge's own sync as the judge of ours: what it makes of two replicas' documents, ours must have made too.

use automerge::sync::{State, SyncDoc as _};
use automerge::{AutoCommit, ReadDoc as _};
use replica_sync::sim::{self, World};

/// Two replicas write apart. Their documents as they are then, synced by stock Automerge until it has nothing to say,
/// have the heads that both have after our own sync.
fn check(seed: u64, script: &str) {
    let (apart, together) = script.split_once("| heal").unwrap();
    let mut world = sim::run(seed, apart).unwrap_or_else(|error| panic!("seed {seed}: {error}"));
    let [mut ann, mut bob] = exports(&mut world);
    assert_ne!(ann.get_heads(), bob.get_heads(), "seed {seed}: they did not write apart");
    settle(&mut ann, &mut bob);

    let ours = sim::steps(&format!("heal {together}")).try_for_each(|step| world.step(step));
    ours.unwrap_or_else(|error| panic!("seed {seed}: {error}"));
    let [mut our_ann, mut our_bob] = exports(&mut world);
    assert_eq!(our_ann.get_heads(), our_bob.get_heads(), "seed {seed}: ours do not agree");
    assert_eq!(ann.get_heads(), our_ann.get_heads(), "seed {seed}: stock sync made something else");
    assert_eq!(texts(&ann), texts(&our_ann), "seed {seed}");
}

/// The documents of the first two replicas.
fn exports(world: &mut World) -> [AutoCommit; 2] {
    [0, 1].map(|index| {
        let archive = world.replica_mut(index).archive_mut().unwrap();
        AutoCommit::load(&archive.export().unwrap()).unwrap()
    })
}

/// Syncs with stock Automerge until neither has anything to say.
fn settle(ann: &mut AutoCommit, bob: &mut AutoCommit) {
    let (mut of_bob, mut of_ann) = (State::new(), State::new());
    for _ in 0..100 {
        let there = ann.sync().generate_sync_message(&mut of_bob);
        let back = bob.sync().generate_sync_message(&mut of_ann);
        if there.is_none() && back.is_none() {
            assert_eq!(ann.get_heads(), bob.get_heads());
            return;
        }
        if let Some(message) = there {
            bob.sync().receive_sync_message(&mut of_ann, message).unwrap();
        }
        if let Some(message) = back {
            ann.sync().receive_sync_message(&mut of_bob, message).unwrap();
        }
    }
    panic!("stock sync does not end");
}

/// What every key holds, in the order of keys.
fn texts(document: &AutoCommit) -> Vec<String> {
    let keys: Vec<String> = document.keys(automerge::ROOT).collect();
    let text = |key: &String| document.get(automerge::ROOT, key).unwrap().unwrap().0.into_string().unwrap();
    keys.iter().map(text).collect()
}

/// Rounds of writing while the two cannot reach each other, of sizes and with clocks that the seed draws.
fn story(seed: u64) -> String {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let mut draw = |below: u64| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state % below
    };
    let mut steps = vec!["a: hi | b: there | settle | cut a b".to_owned()];
    for _ in 0..1 + draw(4) {
        let (of_a, of_b) = (1 + draw(40), 1 + draw(40));
        let skew = i64::try_from(draw(2_000_000)).unwrap() - 1_000_000;
        let steps_of_round =
            [format!("a writes {of_a}"), format!("clock b {skew:+}"), format!("b writes {of_b}")];
        steps.extend(steps_of_round);
        steps.push(format!("pass {}", 1 + draw(5_000)));
    }
    steps.push("pass 1000 | heal | settle".to_owned());
    steps.join(" | ")
}

#[test]
fn stock_automerge_sync_makes_the_same_of_two_replicas_as_ours() {
    for seed in 0..12 {
        check(seed, &story(seed));
    }
}

#[test]
fn a_crash_a_name_and_a_departure_change_nothing_of_that() {
    check(
        1,
        "a: hi | b: yo | settle | cut a b | a: 1 | crash a | b writes 30 | nick b bob | pass 999 | heal | settle",
    );
    check(2, "a: hi | c: yo | settle | cut a c | c: 1 | c leaves | a writes 5 | pass 999 | heal | settle");
}
