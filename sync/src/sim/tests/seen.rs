//! Who learns who holds what, through others.

use std::collections::BTreeMap;

use replica::graph::Reached;
use replica::id::{AuthorKey, EntryId, Position, StoreId};
use replica::identity::Identity;

use super::{STRANGER, World, begin, connect_stranger, run, seeds, steps};
use crate::engine::{Event, Input};
use crate::limits::SEEN_AHEAD;
use crate::sim::Traffic;
use crate::wire::{Frame, Seen, SeenRecord};

/// Long enough for everyone's record to be due, and to go from one end of a line to the other.
const A_WHILE_MS: u64 = 20_000;

/// Up to where in the log of a replica somebody is said to hold its rows, by chain.
fn up_to(world: &World, at: usize, author: AuthorKey) -> BTreeMap<u64, Position> {
    let mut known = BTreeMap::new();
    for event in &world.replicas()[at].told {
        if let Event::Seen { author: of, up_to } = event
            && *of == author
        {
            known.extend(up_to.iter().map(|Reached { incarnation, position }| (*incarnation, *position)));
        }
    }
    known
}

/// The texts of a replica's own messages that somebody is said to hold.
fn held(world: &World, at: &str, by: &str) -> Vec<String> {
    let (at, by) = (world.find(at).unwrap(), world.find(by).unwrap());
    let (me, author) = (world.author(at), world.author(by));
    let known = up_to(world, at, author);
    let is_held = |row: &&crate::engine::Row| {
        row.incarnation.and_then(|chain| known.get(&chain)).is_some_and(|position| row.position <= *position)
    };
    let own = world.replicas()[at].shown.iter().filter(|row| row.author == me && row.kind == 5);
    own.filter(is_held).map(|row| row.text.clone()).collect()
}

fn check(script: &str, at: &str, by: &str, expected: &[&str]) {
    for seed in seeds() {
        let mut world = run(seed, script).unwrap();
        world.pass(A_WHILE_MS);
        assert_eq!(held(&world, at, by), expected, "seed {seed}");
    }
}

fn told(world: &World, of: fn(&Event) -> bool) -> usize {
    world.replicas()[0].told.iter().filter(|event| of(event)).count()
}

#[test]
fn who_only_reads_and_is_connected_through_another_is_known_to_hold_what_came() {
    check(
        "reset a b | cut a c | b: first | settle | a: hi | settle | a: again | settle",
        "a",
        "c",
        &["hi", "again"],
    );
}

#[test]
fn along_a_line_of_five_everyone_who_reads_is_known_to() {
    let cuts = "reset a b | cut a c | cut a d | cut a e | cut b d | cut b e | cut c e | b: first | settle";
    for by in ["b", "c", "d", "e"] {
        check(&format!("{cuts} | a: hi | settle | pass 10000"), "a", by, &["hi"]);
    }
}

#[test]
fn what_did_not_get_there_is_not_said_to_be_there() {
    let script =
        "reset a b | cut a c | b: first | settle | a: hi | settle | pass 20000 | cut b c | a: lost | settle";
    check(script, "a", "c", &["hi"]);
    check(&format!("{script} | pass 5000 | heal b c | settle"), "a", "c", &["hi", "lost"]);
}

#[test]
fn who_joins_late_is_known_to_hold_all_and_hears_who_does() {
    let joins = "b: first | a: hi | settle | c joins b | cut a c | settle | a: welcome | settle";
    check(joins, "a", "c", &["hi", "welcome"]);
    // What was told before it came is passed on to it, and says something of what it writes then.
    check(&format!("{joins} | c: hello | settle"), "c", "a", &["hello"]);
}

#[test]
fn who_starts_anew_is_told_what_was_known_and_nobody_has_to_speak() {
    for stops in ["stop a | pass 1000 | start a", "crash a"] {
        let script = format!(
            "reset a b | cut a c | b: first | settle | a: hi | settle | pass 20000 | {stops} | settle | pass 30000"
        );
        for seed in seeds() {
            let world = run(seed, &script).unwrap();
            let since = world.replicas()[0].engine.as_ref().unwrap().so_far(0);
            let carol = world.author(2);
            let known = |event: &&Event| matches!(event, Event::Seen { author, .. } if *author == carol);
            assert_eq!(since.iter().filter(known).count(), 1, "seed {seed}");
            assert_eq!(held(&world, "a", "c"), ["hi"], "seed {seed}");
        }
    }
}

#[test]
fn two_homes_of_one_person_are_told_apart() {
    let apart = "b: first | settle | a2 is a | settle | cut a a2 | cut a c | cut a2 b";
    // The one is connected with b alone, the other with c alone, and these two not with each other.
    let script = format!("{apart} | cut b c | a2: from the second | a: from the first | settle");
    for seed in seeds() {
        let mut world = run(seed, &script).unwrap();
        world.pass(A_WHILE_MS);
        assert_eq!(held(&world, "a", "c"), Vec::<String>::new(), "seed {seed}");
        world.step("heal").unwrap();
        world.step("settle").unwrap();
        world.pass(A_WHILE_MS);
        assert_eq!(held(&world, "a", "c"), ["from the first", "from the second"], "seed {seed}");
    }
}

#[test]
fn two_alone_tell_nothing_and_a_rooms_rest_is_silent() {
    let of = |world: &World, one: usize, other: usize| -> Traffic { world.traffic()[&(one, other)] };
    for seed in 0..4 {
        let mut pair = run(seed, "a: hi | b: you | settle").unwrap();
        pair.pass(A_WHILE_MS);
        assert_eq!(of(&pair, 0, 1).seen_bytes + of(&pair, 1, 0).seen_bytes, 0, "seed {seed}");
        let mut world = run(seed, "b: you | c: too | a: hi | settle").unwrap();
        world.pass(A_WHILE_MS);
        let sum = |world: &World| world.traffic().values().map(|traffic| traffic.seen_bytes).sum::<u64>();
        let before = sum(&world);
        assert!(before > 0);
        world.pass(20 * A_WHILE_MS);
        assert_eq!(sum(&world), before, "seed {seed}");
    }
}

#[test]
fn a_flood_of_chat_is_no_flood_of_records() {
    for seed in 0..4 {
        let mut world = begin(seed, "reset a b | cut a c | a: hi | b: you");
        steps("reset a b | cut a c | a: hi | b: you | settle").for_each(|step| world.step(step).unwrap());
        for number in 0..400 {
            world.step(&format!("a: {number}")).unwrap();
            world.pass(50);
        }
        // Of c alone, in twenty seconds; the mark of its greeting, and what it passes on of nobody.
        let seen_bytes = world.traffic()[&(2, 1)].seen_bytes;
        assert!((200..1_200).contains(&seen_bytes), "seed {seed}: {seen_bytes}");
    }
}

/// A room of a, b and c, whom nobody knows to be connected, and somebody at a's door who is b by key.
fn visited() -> World {
    let mut world = run(1, "reset a b | cut a c | b: first | settle | a: hi | settle").unwrap();
    world.pass(A_WHILE_MS);
    connect_stranger(&mut world, 0, 10);
    world
}

fn record(world: &World, by: &Identity, store: u8, number: u64, heads: Vec<EntryId>) -> SeenRecord {
    SeenRecord::signed(by, &world.room(), StoreId([store; 16]), number, heads)
}

fn shown(world: &mut World, records: Vec<SeenRecord>) {
    world.handle(0, Input::Frame(STRANGER, Frame::Seen(Seen { mark: 0, records })));
    world.pass(3_000);
}

fn offences(world: &World) -> usize {
    told(world, |event| matches!(event, Event::Offence { .. }))
}

#[test]
fn whoever_lies_speaks_for_itself_alone() {
    let mut world = visited();
    let bob = world.replicas()[1].identity.clone();
    let last = world.replicas()[0].shown.last().unwrap().id;
    world.step("a: never sent").unwrap();
    world.pass(10);
    let unsent = world.replicas()[0].shown.last().unwrap().id;
    assert_ne!(last, unsent);
    let now = world.wall_ms();
    // Claims of what it does not have are its own word, and no one else's.
    let lie = record(&world, &bob, 9, now, vec![unsent]);
    shown(&mut world, vec![lie.clone()]);
    assert_eq!(offences(&world), 0);
    let carol = world.author(2);
    let mut forged = record(&world, &bob, 9, now + 60_000, vec![unsent]);
    forged.author = carol;
    shown(&mut world, vec![forged]);
    assert_eq!(offences(&world), 1);
    // It goes on to others as what it is.
    world.step("settle").unwrap();
    world.pass(A_WHILE_MS);
    assert_eq!(held(&world, "a", "c"), ["hi", "never sent"]);
    let engine = world.replicas()[2].engine.as_ref().unwrap();
    assert!(engine.conversation().graph().position(&unsent).is_some());
}

#[test]
fn what_is_old_far_ahead_or_of_nobody_is_left_and_no_offence() {
    let mut world = visited();
    let bob = world.replicas()[1].identity.clone();
    let hi = world.replicas()[0].shown.last().unwrap().id;
    let now = world.wall_ms();
    let seen = |world: &World| told(world, |event| matches!(event, Event::Seen { .. }));
    let before = seen(&world);
    let ahead = u64::try_from(SEEN_AHEAD.as_millis()).unwrap() + 3_600_000;
    let stranger = Identity::from_secret(&[99; 32]);
    for nothing in [
        record(&world, &bob, 9, now + ahead, vec![hi]),
        record(&world, &stranger, 9, now, vec![hi]),
        record(&world, &bob, 9, now, Vec::new()),
        // No longer newer.
        record(&world, &bob, 9, now, vec![hi]),
        record(&world, &bob, 9, now - 1, vec![hi]),
    ] {
        shown(&mut world, vec![nothing]);
    }
    assert_eq!((seen(&world), offences(&world)), (before, 0));
    // Of what is known the signature is not even looked at.
    let mut old = record(&world, &bob, 9, now - 1, vec![hi]);
    old.heads.clear();
    let newer = record(&world, &bob, 9, now + 1, vec![hi]);
    shown(&mut world, vec![old, newer]);
    assert_eq!(offences(&world), 0);
}
