use std::collections::BTreeSet;
use std::ops::Range;

use replica::id::{Digest, EntryId, StoreId};

use super::{START_MS, ScriptError, World, begin, run, steps};
use crate::conversation::ConnectionId;
use crate::engine::{Command, Event, Input, Standing};
use crate::wire::{Frame, Hello, PROTOCOL};

mod lies;
mod overlay;
mod preview;
mod resume;
mod seen;

/// The seeds a story is told under. `REPLICA_SEED=7` replays that one alone, as a failing test names it.
fn seeds() -> Range<u64> {
    let one = std::env::var("REPLICA_SEED").ok().and_then(|seed| seed.parse().ok());
    one.map_or(0..20, |seed: u64| seed..seed + 1)
}

/// Runs a script under several seeds and checks the messages that every replica then has, in order, and that nothing
/// was told to a peer before it was durable, or forked.
fn check(script: &str, expected: &[&str]) {
    for seed in seeds() {
        let mut world = run(seed, script).unwrap_or_else(|error| panic!("seed {seed}: {error}"));
        for index in 0..world.replicas().len() {
            assert_eq!(
                said(&mut world, index),
                expected,
                "seed {seed}: {} reads otherwise",
                name(&world, index)
            );
        }
        check_soundness(&world, seed);
    }
}

/// Runs a script under several seeds and checks that all agree and what was acknowledged is everywhere.
fn check_kept(script: &str) {
    for seed in seeds() {
        let mut world = run(seed, script).unwrap_or_else(|error| panic!("seed {seed}: {error}"));
        let all: Vec<Vec<EntryId>> =
            (0..world.replicas().len()).map(|index| ids(&mut world, index)).collect();
        assert!(all.iter().all(|rows| *rows == all[0]), "seed {seed}: replicas differ");
        let kept: BTreeSet<EntryId> = all[0].iter().copied().collect();
        assert!(world.acknowledged().all(|(_, id)| kept.contains(&id)), "seed {seed}: something is lost");
        check_soundness(&world, seed);
    }
}

fn check_soundness(world: &World, seed: u64) {
    assert_eq!(world.told_too_early(), [], "seed {seed}: told before it was durable");
    for replica in world.replicas() {
        let graph = replica.engine.as_ref().unwrap().conversation().graph();
        assert_eq!(graph.forked(), [], "seed {seed}: {} sees a fork", replica.name);
    }
}

fn said(world: &mut World, index: usize) -> Vec<String> {
    let rows = world.replica_mut(index).rows();
    rows.into_iter().map(|row| row.text).filter(|text| !is_notice(text)).collect()
}

fn ids(world: &mut World, index: usize) -> Vec<EntryId> {
    world.replica_mut(index).rows().into_iter().map(|row| row.id).collect()
}

fn name(world: &World, index: usize) -> String {
    world.replicas()[index].name.clone()
}

fn is_notice(text: &str) -> bool {
    ["made the room", "is called", "let ", "published", "left"].iter().any(|start| text.starts_with(start))
}

/// Connects somebody to a replica who is b by key, from a store of its own, and says that it has so many entries.
fn connect_stranger(world: &mut World, to: usize, entries: u64) {
    let proof = world.replicas()[1].proof(&world.room(), [7; 32]);
    let address = "elsewhere".to_owned();
    world.handle(to, Input::Connected { connection: STRANGER, address, dialed: false, proof });
    let (store, digest) = (StoreId([9; 16]), Digest([9; 32]));
    let hello = Hello { protocol: PROTOCOL, store, digest, entries };
    world.handle(to, Input::Frame(STRANGER, Frame::Hello(hello)));
}

/// The number of that connection.
const STRANGER: ConnectionId = ConnectionId(u64::MAX);

/// How one replica stands with those it is connected to.
fn standings(world: &World, name: &str) -> Vec<(String, Standing)> {
    let replica = &world.replicas()[world.find(name).unwrap()];
    let peers = replica.engine.as_ref().unwrap().peers();
    peers.into_iter().map(|peer| (peer.address, peer.standing)).collect()
}

#[test]
fn what_one_says_everyone_reads() {
    check("a: hi | settle | b: hello | settle | c: good morning | settle", &["hi", "hello", "good morning"]);
}

#[test]
fn a_late_joiner_reads_the_whole_past() {
    check("a: hi | pass 50 | b: there | settle | c joins | settle", &["hi", "there"]);
    check(
        "a: hi | b: you | settle | a writes 300 | c joins b | settle | c: wow | settle | cut c | pass 9",
        &{
            let mut all = vec!["hi".to_owned(), "you".to_owned()];
            all.extend((1..=300).map(|number| format!("{number} of 300")));
            all.push("wow".to_owned());
            all.iter().map(|text| &*text.clone().leak()).collect::<Vec<&str>>()
        },
    );
}

#[test]
fn more_than_a_window_and_a_batch_hold_comes_over_whole() {
    let script = "a: hi | b: ho | settle | a writes 160 long | settle | cut b | b writes 90 long | heal | c joins | settle";
    for seed in 0..2 {
        let mut world = run(seed, script).unwrap();
        for index in 0..3 {
            assert_eq!(said(&mut world, index).len(), 252, "seed {seed}: {}", name(&world, index));
        }
        world.pass(30_000);
        assert!(standings(&world, "a").iter().all(|(_, standing)| *standing == Standing::Agreed));
        check_soundness(&world, seed);
    }
}

#[test]
fn both_sides_of_a_partition_write_and_stand_by_their_clocks() {
    check(
        "a: one | settle | cut a b | a: two | pass 100 | b: three | pass 100 | a: four | pass 20000 | heal | settle",
        &["one", "two", "three", "four"],
    );
}

#[test]
fn three_in_a_line_pass_everything_on() {
    check(
        "cut a c | a: hi | settle | c: I hear you | settle | b: so do I | settle",
        &["hi", "I hear you", "so do I"],
    );
}

#[test]
fn a_crash_while_writing_much_loses_nothing_that_was_acknowledged() {
    check_kept(
        "a: hi | b: hi | settle | a writes 60 | b writes 60 | pass 2 | crash a | pass 3 | a: again | settle",
    );
    check_kept(
        "a: hi | b: hi | settle | a: x | crash a | a: y | pass 1 | crash a | a: z | b: w | crash b | settle",
    );
    check_kept(
        "a: hi | b: hi | settle | a writes 40 | pass 7 | stop a | b writes 9 | settle | start a | settle",
    );
}

#[test]
fn a_broken_store_turns_read_only_and_what_was_acknowledged_is_there_after_a_restart() {
    for calls in 1..9 {
        check_kept(&format!(
            "a: hi | b: hi | settle | fail a {calls} | a: x | b: y | pass 30 | a: z | pass 500 | mend | settle"
        ));
    }
}

#[test]
fn newcomers_admitted_in_parallel_understand_each_other_alone() {
    let apart = "a: hi | b: ho | settle | cut a b | c joins a | cut c b | settle | d joins b | cut d a | cut d c | settle";
    let alone = "cut a c | cut b d | heal c d | settle | c: I am c | settle | d: I am d | settle";
    for seed in seeds() {
        let mut world = run(seed, &format!("{apart} | {alone}")).unwrap();
        for name in ["c", "d"] {
            let index = world.find(name).unwrap();
            assert_eq!(said(&mut world, index), ["hi", "ho", "I am c", "I am d"], "seed {seed}: {name}");
        }
    }
    check(&format!("{apart} | {alone} | heal | settle"), &["hi", "ho", "I am c", "I am d"]);
}

#[test]
fn two_homes_of_one_person_write_side_by_side() {
    check(
        "a: hi | b: ho | settle | a2 is a | settle | cut a a2 | a: one | pass 90 | a2: two | pass 90 | heal | settle",
        &["hi", "ho", "one", "two"],
    );
}

#[test]
fn clocks_that_jump_change_no_cause_and_effect() {
    check(
        "clock a 31536000 | a: from the future | settle | b: now | settle | clock a 0 | a: back | settle | \
         clock b -1795357800 | b: 1970 | settle | a: fine | settle",
        &["from the future", "now", "back", "1970", "fine"],
    );
}

#[test]
fn silence_ends_a_connection_that_carries_nothing() {
    check(
        "a: hi | settle | b: ho | settle | hang a b | a: still there | settle",
        &["hi", "ho", "still there"],
    );
    check(
        "a: hi | settle | b: ho | settle | mute a b | a: still there | settle",
        &["hi", "ho", "still there"],
    );
    // Nothing is lost that was said while nobody noticed, nor does the other side wait.
    check(
        "a: hi | settle | b: ho | settle | mute a b | b: still there | settle",
        &["hi", "ho", "still there"],
    );
}

#[test]
fn what_is_lost_on_a_standing_connection_is_asked_for_again() {
    let script = "a: hi | settle | b: ho | settle | pass 6000 | lose a b | a: lost | pass 1000";
    for seed in seeds() {
        let mut world = run(seed, script).unwrap();
        assert_eq!(said(&mut world, 1), ["hi", "ho"], "seed {seed}: nothing was lost");
        let greetings = |world: &World| world.traffic().values().map(|traffic| traffic.greeting).sum::<u64>();
        let before = greetings(&world);
        assert!(world.settle(), "seed {seed}");
        assert_eq!(said(&mut world, 1), ["hi", "ho", "lost"], "seed {seed}");
        assert_eq!(greetings(&world), before, "seed {seed}: it took a new connection");
        world.pass(10_000);
        assert_eq!(standings(&world, "a"), [("b".to_owned(), Standing::Agreed)], "seed {seed}");
    }
}

#[test]
fn connections_beyond_the_first_end_and_those_to_oneself_too() {
    let script =
        "a: hi | b: ho | settle | dial a b | dial b a | dial a a | settle | a: well | settle | pass 40000";
    check(script, &["hi", "ho", "well"]);
    for seed in seeds() {
        let world = run(seed, script).unwrap();
        assert_eq!(standings(&world, "a"), [("b".to_owned(), Standing::Agreed)], "seed {seed}");
        assert_eq!(standings(&world, "b"), [("a".to_owned(), Standing::Agreed)], "seed {seed}");
    }
}

#[test]
fn altered_entries_end_the_connection_and_the_real_ones_come() {
    check("a: hi | settle | b: ho | settle | garble a b | a: real | settle", &["hi", "ho", "real"]);
    for seed in seeds() {
        let world = run(seed, "a: hi | settle | b: ho | settle | garble a b | a: real | settle").unwrap();
        let told = &world.replicas()[1].told;
        assert!(told.iter().any(|event| matches!(event, Event::Offence { .. })), "seed {seed}");
    }
}

#[test]
fn a_year_of_weekly_talk_holds_few_documents_and_takes_late_entries() {
    let mut world = begin(7, "a: in the first week | b: yes | c: me too");
    for step in steps("settle | a: in the first week | settle | cut c | c: old words | settle") {
        world.step(step).unwrap();
    }
    for week in 0..52 {
        world.sleep(7 * 24 * 60 * 60 * 1000);
        world.command(week % 2, Command::Say(format!("week {week}")));
        assert!(world.settle(), "week {week}");
        for replica in [0, 1] {
            assert!(world.replica_mut(replica).archive_mut().unwrap().documents_in_use() <= 4);
        }
    }
    world.heal();
    assert!(world.settle());
    for index in 0..3 {
        let said = said(&mut world, index);
        assert_eq!(said[..3], ["in the first week", "old words", "week 0"]);
        assert_eq!(said.len(), 54);
        let archive = world.replica_mut(index).archive_mut().unwrap();
        assert!(archive.documents_in_use() <= 4);
        assert!(archive.verify().unwrap().documents >= 52);
    }
}

#[test]
fn who_leaves_hears_nothing_more_and_who_is_let_in_again_hears_all() {
    let script = "a: hi | b: ho | c: hey | settle | c leaves | settle | a: without c | settle";
    for seed in seeds() {
        let mut world = run(seed, script).unwrap();
        assert!(!said(&mut world, 2).contains(&"without c".to_owned()), "seed {seed}");
        for step in steps("b admits c | settle | c: here again | settle") {
            world.step(step).unwrap();
        }
        let all = said(&mut world, 2);
        assert!(all.ends_with(&["without c".to_owned(), "here again".to_owned()]), "seed {seed}: {all:?}");
    }
}

#[test]
fn how_a_peer_stands_can_be_asked_at_any_moment() {
    // The first has not heard that the one who left was let in again: that is handed over before anything is served.
    let script = "a: hi | b: ho | c: hey | settle | c leaves | settle | cut a b | cut a c | b admits c | settle | \
                  c: back | settle | cut b c | heal a c";
    for seed in seeds() {
        let mut world = run(seed, script).unwrap();
        while !said(&mut world, 0).contains(&"back".to_owned()) {
            assert!(world.wall_ms() < START_MS + 300_000, "seed {seed}");
            world.pass(1);
            let peers = ["a", "c"].iter().flat_map(|name| {
                world.replicas()[world.find(name).unwrap()].engine.as_ref().unwrap().peers()
            });
            peers.for_each(|peer| assert!(peer.missing_there < 100, "seed {seed}: {peer:?}"));
        }
    }
}

#[test]
fn a_backup_put_back_forks_its_chain_for_all_alike_and_goes_on_under_another() {
    let script = "a: hi | b: ho | settle | backup a | a: gone | settle | cut a | restore a | a: instead | heal | settle | \
                  a: on | settle";
    for seed in seeds() {
        let mut world = run(seed, script).unwrap();
        for index in 0..2 {
            let mut said = said(&mut world, index);
            assert_eq!(said.pop().unwrap(), "on", "seed {seed}");
            said.sort_unstable();
            assert_eq!(said, ["gone", "hi", "ho", "instead"], "seed {seed}");
            let graph = world.replicas()[index].engine.as_ref().unwrap().conversation().graph();
            assert_eq!(graph.forked().len(), 1, "seed {seed}");
        }
    }
}

#[test]
fn what_depends_on_a_forks_other_branch_comes_in_one_piece_with_it() {
    // The second's name stands between two entries of the branch that the first lost, and depends on one of them.
    let script =
        "b: one | backup b | pass 20000 | b: two | pass 60000 | hang b a | restore b | b: instead | settle";
    for seed in 0..200 {
        run(seed, script).unwrap_or_else(|error| panic!("seed {seed}: {error}"));
    }
}

#[test]
fn the_same_seed_and_script_are_the_same_run() {
    let script =
        "a: hi | b: ho | pass 20 | cut a b | a writes 9 | crash b | c joins a | pass 900 | heal | settle";
    let run = || {
        let mut world = run(5, script).unwrap();
        let rows: Vec<_> = (0..3).map(|index| world.replica_mut(index).rows()).collect();
        (world.wall_ms(), world.traffic().clone(), rows)
    };
    assert_eq!(run(), run());
}

#[test]
fn a_script_names_who_is_there_and_refuses_what_is_no_step() {
    let names = |script: &str| -> Vec<String> {
        begin(0, script).replicas().iter().map(|replica| replica.name.clone()).collect()
    };
    assert_eq!(names("b: joins a | cut a c | d joins e | a2 is a | settle"), ["b", "a", "c", "e"]);
    assert_eq!(names("clock a 5 | sleep 3 | b admits c | mend"), ["a", "b", "c"]);
    assert_eq!(begin(0, "").wall_ms(), START_MS + 50);
    for wrong in ["a: hi | dance", "a: hi | pass long", "a: hi | clock a", "a: hi | start"] {
        assert!(matches!(run(0, wrong), Err(ScriptError::Step(_))), "{wrong}");
    }
    assert!(matches!(
        run(0, "a: hi | b: ho | fail a 1 | a: x | pass 50 | settle"),
        Err(ScriptError::Unsettled(_))
    ));
}

#[test]
fn that_all_is_known_is_told_before_the_next_heartbeat() {
    for seed in seeds() {
        let world = run(seed, "a: hi | settle | b joins | pass 1500 | b: there | pass 1500").unwrap();
        for replica in world.replicas() {
            let last = |wanted: fn(&Event) -> bool| replica.told.iter().rposition(wanted);
            let row = last(|event| matches!(event, Event::Row(_)));
            let agreed = last(|event| matches!(event, Event::Agreed { .. }));
            assert!(agreed > row, "seed {seed}: {} was told {:?}", replica.name, replica.told);
        }
    }
}
