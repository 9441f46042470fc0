use replica::archive::StoredBlock;
use replica::entry::{Body, Entry};
use replica::id::{ChainId, Digest, EntryId, Position};
use replica::preview;

use super::bench::{Bench, address, closed, dials, person, sent, told};
use super::*;
use crate::book::Trouble;
use crate::limits::{OPEN_FRAMES_MAX, PREVIEW_LACK_MIN};
use crate::wire::{Ack, Data, Hello};

/// Ann, with bob (2) and carol (3) in her room.
fn bench() -> Bench {
    Bench::new(Settings::default(), 2)
}

fn refused(outputs: &[Output]) -> Vec<&SayError> {
    let refused = told(outputs).into_iter().filter_map(|event| match event {
        Event::Refused { error, .. } => Some(error),
        _ => None,
    });
    refused.collect()
}

#[test]
fn named_addresses_are_dialled_at_once() {
    let mut bench = bench();
    bench.engine.dial_all(&[address(2), address(3)]);
    let mut outputs = Vec::new();
    while let output @ Output::Dial(_) = bench.engine.poll_output() {
        outputs.push(output);
    }
    let mut dialed = dials(&outputs);
    dialed.sort_unstable();
    assert_eq!(dialed, [address(2), address(3)]);
}

#[test]
fn a_connection_that_lasted_a_heartbeat_was_of_use() {
    for (lasted_ms, failures) in [(4_999, 4), (5_000, 1)] {
        let mut bench = bench();
        bench.command(Command::Dial(address(2)));
        for _ in 0..3 {
            bench.handle(Input::DialFailed(address(2), Trouble::Unreachable));
            while dials(&bench.pass(10)).is_empty() {}
        }
        bench.reach(2, &person(2));
        bench.pass(lasted_ms);
        bench.close(2);
        let known = bench.engine.book().addresses().next().unwrap().1;
        assert_eq!(known.failures, failures, "{lasted_ms}");
    }
}

#[test]
fn all_connections_end_where_we_go_offline_or_the_store_failed() {
    for (input, reason) in [
        (Input::Command(7, Command::SetOnline(false)), ByeReason::Leaving),
        (Input::Command(7, Command::HangUp), ByeReason::Leaving),
        (Input::StoreFailed, ByeReason::StoreFailed),
    ] {
        let mut bench = bench();
        bench.meet(2, &person(2));
        bench.meet(3, &person(3));
        let outputs = bench.handle(input);
        assert_eq!(closed(&outputs), [(2, Some(reason)), (3, Some(reason))]);
        assert_eq!(told(&outputs).contains(&&Event::ReadOnly), reason == ByeReason::StoreFailed);
        let gone = told(&outputs).into_iter().filter(|event| matches!(event, Event::PeerGone { .. }));
        assert_eq!(gone.count(), 2);
    }
}

#[test]
fn a_fork_is_told_once() {
    let mut bench = bench();
    bench.meet(2, &person(2));
    let chain = ChainId { author: person(2).key(), incarnation: 9 };
    let [one, other] = ["one", "other"].map(|text| bench.written(&person(2), text));
    let forks = |outputs: &[Output]| {
        told(outputs).into_iter().filter(|event| **event == Event::Forked(chain)).count()
    };
    assert_eq!(forks(&bench.hear(2, &[one])), 0);
    assert_eq!(forks(&bench.hear(2, &[other])), 1);
    let more = bench.written(&person(3), "more");
    assert_eq!(forks(&bench.hear(2, &[more])), 0);
}

#[test]
fn whoever_wrote_something_is_answered_once_it_is_durable() {
    let mut bench = bench();
    let outputs = bench.command(Command::SetTopic("tea".to_owned()));
    let id = bench.last();
    assert!(told(&outputs).contains(&&Event::Written { tag: 7, id }));
    assert_eq!(refused(&bench.command(Command::Say(String::new()))).len(), 1);
    let outputs = bench.command(Command::Invite { expires_ms: None, uses: None });
    let invited = told(&outputs).into_iter().find_map(|event| match event {
        Event::Invited { tag: 7, invite, secret } => Some((*invite, *secret)),
        _ => None,
    });
    let (invite, secret) = invited.unwrap();
    assert_eq!(invite, bench.last());
    let key = Identity::from_secret(&secret).key();
    assert_eq!(bench.engine.conversation().graph().invites_by(&key).len(), 1);
    assert_ne!(secret, [0; 32]);
}

#[test]
fn a_row_says_how_many_stood_behind_it() {
    let mut bench = bench();
    bench.engine.handle(Input::Command(7, Command::Say("hi".to_owned())), bench.now);
    while !matches!(bench.engine.poll_output(), Output::Wait(_)) {}
    let outputs = bench.handle(Input::Persisted(vec![3]));
    let rows = told(&outputs).into_iter().filter_map(|event| match event {
        Event::Row(row) => Some((row.text.as_str(), row.rows_after)),
        _ => None,
    });
    assert_eq!(rows.collect::<Vec<_>>(), [("hi", 3)]);
}

#[test]
fn all_is_handed_over_once_everyone_who_may_have_it_confirmed_it() {
    let mut bench = bench();
    assert!(bench.engine.is_handed_over(), "nobody is there");
    bench.meet(2, &person(2));
    bench.meet(3, &person(3));
    assert!(bench.engine.is_handed_over());
    bench.command(Command::Say("hi".to_owned()));
    bench.frame(2, Frame::Ack(Ack { frames: 1 }));
    assert!(!bench.engine.is_handed_over());
    bench.frame(3, Frame::Ack(Ack { frames: 1 }));
    assert!(bench.engine.is_handed_over());
    bench.engine.handle(Input::Command(7, Command::Say("ho".to_owned())), bench.now);
    bench.engine.sessions.clear();
    assert!(!bench.engine.is_handed_over(), "it is not durable");
    bench.engine.handle(Input::StoreFailed, bench.now);
    assert!(bench.engine.is_handed_over(), "there is no more to wait for");
}

#[test]
fn who_listens_from_here_on_is_told_who_is_there() {
    let mut bench = bench();
    bench.meet(2, &person(2));
    bench.connect(3, &person(3));
    bench.come(4, &person(2));
    bench.pass(1_000);
    let so_far = bench.engine.so_far(bench.now.monotonic_ms + 500);
    let here = so_far.iter().filter(|event| matches!(event, Event::PeerHere { .. })).count();
    let agreed = so_far.iter().filter_map(|event| match event {
        Event::Agreed { author, millis, .. } => Some((*author, *millis)),
        _ => None,
    });
    assert_eq!((here, agreed.collect::<Vec<_>>()), (2, vec![(person(2).key(), 1_500)]));
    assert_eq!(bench.engine.peers().len(), 3);
}

// What comes in.

#[test]
fn of_a_file_it_is_told_what_was_new_or_what_is_wrong() {
    let mut bench = bench();
    let one = bench.written(&person(2), "one");
    let block = bench.block(std::slice::from_ref(&one));
    let imported = |outputs: &[Output]| {
        told(outputs).into_iter().find_map(|event| match event {
            Event::Imported { tag: 7, new } => Some(*new),
            _ => None,
        })
    };
    let mut elsewhere = self::bench();
    elsewhere.command(Command::Import(block.clone()));
    let two = elsewhere.written(&person(2), "two");
    let later = elsewhere.block(&[two]);
    assert_eq!(refused(&bench.command(Command::Import(later.clone()))), [&SayError::Incomplete]);
    assert_eq!(imported(&bench.command(Command::Import(block.clone()))), Some(1));
    assert_eq!(imported(&bench.command(Command::Import(block.clone()))), Some(0));
    assert_eq!(imported(&bench.command(Command::Import(later))), Some(1));
    assert_eq!(refused(&bench.command(Command::Import(vec![1, 2, 3]))), [&SayError::NotSound]);
    bench.handle(Input::StoreFailed);
    assert_eq!(refused(&bench.command(Command::Import(block))), [&SayError::ReadOnly]);
}

#[test]
fn what_comes_of_our_own_chain_makes_us_go_on_under_another() {
    let mut bench = bench();
    bench.connect(2, &person(2));
    let chain = bench.engine.conversation().chain();
    let graph = bench.engine.conversation().graph();
    let record = graph.compose(chain, bench.now.wall_ms, &Body::Message("a copy's".to_owned())).unwrap();
    let copys = Entry::sign(record, &graph.room(), &bench::ann()).unwrap();
    let others = bench.written(&person(2), "bob's");
    let is_renewed = |outputs: &[Output]| told(outputs).contains(&&Event::Renewed);
    assert!(!is_renewed(&bench.hear(2, &[others])));
    assert!(is_renewed(&bench.hear(2, &[copys])));
    assert_ne!(bench.engine.conversation().chain(), chain);
}

#[test]
fn a_connection_counts_for_who_said_most_over_it_unasked() {
    let mut bench = bench();
    bench.connect(2, &person(2));
    bench.connect(3, &person(3));
    let said_by = |bench: &Bench| bench.engine.sessions[&ConnectionId(2)].incoming.said_by;
    let bobs = bench.written(&person(2), "one");
    let mut carols = Vec::new();
    let mut elsewhere = self::bench();
    for text in ["two", "three"] {
        carols.push(elsewhere.written(&person(3), text));
        let block = elsewhere.block(&carols[carols.len() - 1..]);
        elsewhere.command(Command::Import(block));
    }
    bench.hear(2, &[vec![bobs], carols].concat());
    assert_eq!(said_by(&bench), Some(person(3).key()));
    bench.hear(2, &[]);
    let asked = bench.written(&person(2), "asked for");
    bench.promise(2, &person(2), 5_000);
    let data = Data { block: bench.block(&[asked]), remaining: 9 };
    bench.frame(2, Frame::Data(data));
    assert_eq!(said_by(&bench), Some(person(3).key()), "what we asked for is no speech");
    let fourth = bench.written(&person(2), "four");
    bench.hear(2, &[fourth]);
    assert_eq!(said_by(&bench), Some(person(2).key()));
}

#[test]
fn who_sends_more_that_waits_than_may_is_let_go() {
    let mut bench = bench();
    bench.connect(2, &person(2));
    let mut elsewhere = self::bench();
    let cause = elsewhere.written(&person(2), "one");
    elsewhere.command(Command::Import(elsewhere.block(&[cause])));
    let waits = elsewhere.written(&person(2), "two");
    let frame = Frame::Live(elsewhere.block(&[waits]));
    for (others, reason) in [(OPEN_FRAMES_MAX - 1, None), (1, Some(ByeReason::TooSlow))] {
        let incoming = &mut bench.engine.sessions.get_mut(&ConnectionId(2)).unwrap().incoming;
        for _ in 0..others - usize::from(reason.is_some()) {
            incoming.frame(1).unwrap();
        }
        let outputs = bench.frame(2, frame.clone());
        assert_eq!(closed(&outputs), reason.map(|reason| (2, Some(reason))).into_iter().collect::<Vec<_>>());
    }
}

// What a newcomer sees first.

#[test]
fn who_lacks_much_is_shown_what_is_newest() {
    let mut bench = bench();
    for number in 0..PREVIEW_LACK_MIN {
        bench.command(Command::Say(number.to_string()));
    }
    let durable = u64::from(bench.engine.conversation().graph().durable());
    let mut is_shown = |who: u8, entries: u64| {
        let hello = Hello { entries, digest: Digest([9; 32]), ..bench.hello() };
        let outputs = bench.greet(4, &person(who), hello);
        bench.close(4);
        outputs.iter().any(|output| matches!(output, Output::ReadNewest(ConnectionId(4), 64)))
    };
    assert!(is_shown(2, durable - PREVIEW_LACK_MIN) && is_shown(2, 0));
    assert!(!is_shown(2, durable - PREVIEW_LACK_MIN + 1) && !is_shown(2, u64::MAX));
    assert!(!is_shown(9, 1), "who is no member is shown nothing");
}

#[test]
fn a_preview_has_the_newest_rows_oldest_first() {
    let mut bench = bench();
    bench.connect(2, &person(2));
    let first = bench.engine.conversation().graph().durable();
    let mut entries = Vec::new();
    for (who, text) in [(2, "one"), (3, "two"), (2, "three"), (3, "four")] {
        entries.push(bench.written(&person(who), text));
        let block = bench.block(&entries[entries.len() - 1..]);
        bench.command(Command::Import(block));
    }
    let stored = StoredBlock { first, count: 4, bytes: bench.block(&entries) };
    let newest = |connection| {
        let positions: Vec<Position> = vec![first + 3, first + 2, first, first + 1];
        Input::Newest(ConnectionId(connection), positions, vec![stored.clone()])
    };
    assert_eq!(sent(&bench.handle(newest(77))).len(), 0);
    let outputs = bench.handle(newest(2));
    let [(2, Frame::Preview(bytes))] = sent(&outputs)[..] else { panic!("{outputs:?}") };
    let shown = preview::decode(bytes, &bench.engine.conversation().graph().room()).unwrap();
    let ids: Vec<EntryId> = shown.iter().map(Entry::id).collect();
    assert_eq!(ids, [1, 0, 2, 3].map(|at: usize| entries[at].id()));
}

#[test]
fn of_a_preview_messages_are_shown_that_are_not_here_once() {
    let mut elsewhere = bench();
    let known = elsewhere.written(&person(3), "known");
    elsewhere.command(Command::Import(elsewhere.block(std::slice::from_ref(&known))));
    let name = {
        let graph = elsewhere.engine.conversation().graph();
        let chain = ChainId { author: person(2).key(), incarnation: 9 };
        let record = graph.compose(chain, elsewhere.now.wall_ms, &Body::Nickname("Bob".to_owned())).unwrap();
        Entry::sign(record, &graph.room(), &person(2)).unwrap()
    };
    let new = elsewhere.written(&person(3), "new");
    let frame = Frame::Preview(preview::encode(&[known.clone(), name, new]));
    let shown = |outputs: &[Output]| {
        let previews = told(outputs).into_iter().filter_map(|event| match event {
            Event::Preview(glimpses) => Some(glimpses.iter().map(|it| it.text.clone()).collect::<Vec<_>>()),
            _ => None,
        });
        previews.collect::<Vec<_>>()
    };
    let mut bench = bench();
    bench.connect(3, &person(3));
    bench.hear(3, &[known]);
    let here = u64::from(bench.engine.conversation().graph().len());
    for (entries, expected) in [(here + 1, vec![vec!["new".to_owned()]]), (here, vec![]), (here - 1, vec![])]
    {
        let hello = Hello { entries, digest: Digest([9; 32]), ..bench.hello() };
        bench.greet(2, &person(2), hello);
        assert_eq!(shown(&bench.frame(2, frame.clone())), expected, "{entries}");
        assert_eq!(shown(&bench.frame(2, frame.clone())), Vec::<Vec<String>>::new(), "once");
        bench.close(2);
    }
    // Where nothing of it is new, nothing is told.
    let hello = Hello { entries: here + 1, digest: Digest([9; 32]), ..bench.hello() };
    bench.greet(2, &person(2), hello);
    assert_eq!(shown(&bench.frame(2, Frame::Preview(preview::encode(&[])))), Vec::<Vec<String>>::new());
}
