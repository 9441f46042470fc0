use replica::id::AuthorKey;

use super::*;
use crate::book::Trouble;
use crate::engine::bench::{Bench, address, closed, dials, person, pings, sent, told, wants};
use crate::engine::{Command, Input, Settings};
use crate::wire::{Ack, Want};

/// Ann, with bob (2) and carol (3) in her room.
fn bench() -> Bench {
    Bench::new(Settings::default(), 2)
}

/// Who was pinged, and whether we rested.
fn pinged(outputs: &[Output]) -> Vec<(u64, bool)> {
    pings(outputs).into_iter().map(|(number, ping)| (number, ping.at_rest)).collect()
}

/// Who was asked for how much.
fn asked(outputs: &[Output]) -> Vec<(u64, usize)> {
    wants(outputs).into_iter().map(|(number, want)| (number, want.chains.len())).collect()
}

/// With whom it was agreed, what was sent and received, and for how long they were connected.
fn agreements(outputs: &[Output]) -> Vec<(AuthorKey, u64, u64, u64)> {
    let agreements = told(outputs).into_iter().filter_map(|event| match event {
        Event::Agreed { author, sent, received, millis, .. } => Some((*author, *sent, *received, *millis)),
        _ => None,
    });
    agreements.collect()
}

#[test]
fn a_connection_over_which_nothing_comes_for_three_heartbeats_ends() {
    let mut bench = bench();
    bench.meet(2, &person(2));
    bench.pass_in_silence(9_000);
    bench.meet(3, &person(3));
    assert_eq!(closed(&bench.pass_in_silence(5_999)), []);
    assert_eq!(closed(&bench.pass_in_silence(1)), [(2, Some(ByeReason::Silent))]);
    assert_eq!(closed(&bench.pass_in_silence(9_000)), [(3, Some(ByeReason::Silent))]);
    // Also between two heartbeats.
    bench.meet(4, &person(2));
    bench.pass(1_000);
    assert_eq!(closed(&bench.pass_in_silence(14_999)), []);
    assert_eq!(bench.engine.deadline(), Some(bench.now.monotonic_ms + 1));
    assert_eq!(closed(&bench.pass_in_silence(1)), [(4, Some(ByeReason::Silent))]);
}

#[test]
fn everyone_who_said_hello_is_pinged_at_each_heartbeat() {
    let mut bench = bench();
    bench.come(2, &person(2));
    bench.connect(3, &person(3));
    assert_eq!(pinged(&bench.pass(4_999)), []);
    assert_eq!(pinged(&bench.pass(1)), [(3, false)], "it was told our tips, and did not say what it lacks");
    assert_eq!(pinged(&bench.pass(9_999)), [(3, false)]);
    bench.close(3);
    bench.meet(4, &person(3));
    assert_eq!(pinged(&bench.pass(5_000)), [(4, true)]);
}

#[test]
fn agreement_is_told_when_it_is_reached() {
    let mut bench = bench();
    let outputs = bench.meet(2, &person(2));
    assert_eq!(agreements(&outputs), [(person(2).key(), 0, 0, 0)]);
    assert_eq!(pinged(&outputs), [], "it knows: both said so in their hello");
    bench.pass(3_000);
    assert_eq!(agreements(&bench.command(Command::Say("hi".to_owned()))), [], "it is on its way");
    let outputs = bench.frame(2, Frame::Ack(Ack { frames: 1 }));
    assert_eq!(agreements(&outputs), [(person(2).key(), 1, 0, 3_000)]);
    assert_eq!(pinged(&outputs), [], "what it confirmed says it all");
    let yo = bench.written(&person(2), "yo");
    let outputs = bench.hear(2, &[yo]);
    assert_eq!(agreements(&outputs), [(person(2).key(), 1, 1, 3_000)]);
    assert_eq!(agreements(&bench.pass(20_000)), []);
}

#[test]
fn who_lacks_nothing_is_told_so_as_soon_as_nothing_is_under_way() {
    let mut bench = bench();
    bench.connect(2, &person(2));
    let digest = bench.hello().digest;
    assert_eq!(agreements(&bench.frame(2, Frame::Ping(Ping { digest, at_rest: true }))), []);
    let want = Want { chains: Vec::new(), last: true };
    let outputs = bench.frame(2, Frame::Want(want));
    assert_eq!((agreements(&outputs).len(), pinged(&outputs)), (1, vec![]));
    // Where it is not known whether it has all: at once, and then each heartbeat.
    bench.connect(3, &person(3));
    let want = Want { chains: Vec::new(), last: true };
    let outputs = bench.frame(3, Frame::Want(want));
    assert_eq!((agreements(&outputs), pinged(&outputs)), (vec![], vec![(3, true)]));
    assert_eq!(pinged(&bench.pass(4_999)), []);
    assert_eq!(pinged(&bench.pass(1)).len(), 2);
}

#[test]
fn it_slept_if_one_clock_went_on_without_the_other_or_what_was_due_is_long_past() {
    let mut bench = bench();
    let (monotonic_ms, wall_ms) = (bench.engine.now.monotonic_ms, bench.engine.now.wall_ms);
    let after = |monotonic, wall| Now { monotonic_ms: monotonic_ms + monotonic, wall_ms: wall_ms + wall };
    assert!(!bench.engine.has_slept(after(1_000, 11_000)) && bench.engine.has_slept(after(1_000, 11_001)));
    assert!(!bench.engine.has_slept(after(100_000, 100_000)), "nothing was due");
    assert!(!bench.engine.has_slept(Now { monotonic_ms, wall_ms: 0 }));
    bench.engine.waits_until_ms = Some(monotonic_ms + 5_000);
    assert!(!bench.engine.has_slept(after(15_000, 0)) && bench.engine.has_slept(after(15_001, 0)));
}

#[test]
fn after_a_sleep_everyone_is_asked_whether_they_are_there_and_addresses_are_tried_anew() {
    let mut bench = bench();
    bench.meet(2, &person(2));
    bench.command(Command::Dial("198.51.100.1:1".to_owned()));
    for _ in 0..12 {
        bench.handle(Input::DialFailed("198.51.100.1:1".to_owned(), Trouble::Unreachable));
        while dials(&bench.pass(1)).is_empty() {}
    }
    bench.handle(Input::DialFailed("198.51.100.1:1".to_owned(), Trouble::Unreachable));
    bench.now.wall_ms += 3_600_000;
    bench.now.monotonic_ms += 1;
    let outputs = bench.handle(Input::Tick);
    assert_eq!(pinged(&outputs), [(2, true)]);
    assert_eq!(dials(&outputs), ["198.51.100.1:1"]);
    assert_eq!(closed(&bench.pass_in_silence(5_999)), []);
    assert_eq!(closed(&bench.pass_in_silence(1)), [(2, Some(ByeReason::Silent))]);
}

#[test]
fn who_brings_nothing_of_what_it_told_is_asked_no_more_and_the_next_one_is() {
    let mut bench = bench();
    bench.connect(2, &person(2));
    bench.connect(3, &person(3));
    assert_eq!(asked(&bench.promise(2, &person(3), 5_000)), [(2, 1)]);
    assert_eq!(asked(&bench.promise(3, &person(2), 5_000)), [(3, 0)], "one is asked at a time");
    assert_eq!(asked(&bench.pass(9_999)), []);
    assert_eq!(asked(&bench.pass(1)), [(3, 1)]);
    assert_eq!(asked(&bench.pass(60_000)), [], "nobody else told of anything");
    assert!(bench.engine.sessions.values().all(|session| session.incoming.is_at_rest()));
}

#[test]
fn who_brings_little_is_borne_with_unless_another_one_might_bring_more() {
    for has_other in [false, true] {
        let mut bench = bench();
        bench.connect(2, &person(2));
        bench.connect(3, &person(3));
        bench.promise(2, &person(3), 5_000);
        bench.pass(9_000);
        let little = bench.written(&person(2), "little");
        bench.hear(2, &[little]);
        if has_other {
            bench.promise(3, &person(2), 5_000);
        }
        let is_source = |bench: &Bench| !bench.engine.sessions[&ConnectionId(2)].incoming.is_at_rest();
        assert_eq!(asked(&bench.pass(1_000)).len(), usize::from(has_other));
        assert_eq!(is_source(&bench), !has_other);
        bench.pass(8_999);
        assert_eq!(is_source(&bench), !has_other);
        bench.pass(1);
        assert!(!is_source(&bench), "it has brought nothing for ten seconds");
    }
}

#[test]
fn who_floods_while_others_speak_is_granted_more_when_its_time_comes() {
    let mut bench = bench();
    bench.meet(2, &person(2));
    bench.meet(3, &person(3));
    let yo = bench.written(&person(3), "yo");
    bench.hear(3, &[yo]);
    let credits = |outputs: &[Output]| {
        sent(outputs).iter().filter(|(to, frame)| *to == 2 && matches!(frame, Frame::Credit(_))).count()
    };
    for _ in 0..110 {
        let much = bench.written(&person(2), &"much ".repeat(40));
        bench.hear(2, &[much]);
    }
    let until_ms = bench.engine.sessions[&ConnectionId(2)].incoming.paced_until_ms.unwrap();
    let wait_ms = until_ms - bench.now.monotonic_ms;
    assert!((1..1_000).contains(&wait_ms), "{wait_ms}");
    assert_eq!(credits(&bench.pass(wait_ms - 1)), 0);
    assert_eq!(credits(&bench.pass(1)), 1);
    assert_eq!(bench.engine.sessions[&ConnectionId(2)].incoming.paced_until_ms, None);
}

#[test]
fn an_address_that_failed_is_dialled_again_in_time() {
    let mut bench = bench();
    assert_eq!(dials(&bench.command(Command::Dial(address(1)))), [address(1)]);
    bench.handle(Input::DialFailed(address(1), Trouble::Unreachable));
    let due = bench.engine.deadline().unwrap();
    assert!(due > bench.now.monotonic_ms && due <= bench.now.monotonic_ms + 250);
    assert_eq!(dials(&bench.pass(due - bench.now.monotonic_ms)), [address(1)]);
}

#[test]
fn with_who_is_not_served_nothing_is_agreed_whatever_they_say() {
    let mut bench = bench();
    let mut outputs = bench.meet(9, &person(9));
    let digest = bench.hello().digest;
    outputs.extend(bench.frame(9, Frame::Ping(Ping { digest, at_rest: true })));
    outputs.extend(bench.close(9));
    assert_eq!(agreements(&outputs), []);
    let store = bench.hello().store;
    assert!(bench.engine.conversation.met(&(person(9).key(), store), 5).is_none());
}
