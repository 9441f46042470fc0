use replica::id::{ChainId, Digest, EntryId};
use replica::identity::Signature;

use super::*;
use crate::engine::bench::{Bench, address, closed, dials, person, pings, reads, sent, told, wants};
use crate::engine::{Command, Settings, Standing};
use crate::wire::{Ack, Bye, Tip as SignedTip};

mod want;

/// Ann, with bob (2) and carol (3) in her room.
fn bench() -> Bench {
    Bench::new(Settings::default(), 2)
}

/// The same after bob said something.
fn spoken() -> Bench {
    let mut bench = bench();
    bench.meet(2, &person(2));
    let hi = bench.written(&person(2), "hi");
    bench.hear(2, &[hi]);
    bench
}

/// Whose tips were told, and whether these were the last.
fn haves(outputs: &[Output]) -> Vec<(u64, Vec<ChainId>, bool)> {
    let haves = sent(outputs).into_iter().filter_map(|(number, frame)| match frame {
        Frame::Have(have) => Some((number, have.tips.iter().map(|tip| tip.chain).collect(), have.last)),
        _ => None,
    });
    haves.collect()
}

fn of(who: u8, incarnation: u64) -> ChainId {
    ChainId { author: person(who).key(), incarnation }
}

#[test]
fn before_hello_there_is_nothing_but_goodbye() {
    let mut bench = bench();
    bench.come(2, &person(2));
    let ping = Ping { digest: Digest([9; 32]), at_rest: false };
    assert_eq!(closed(&bench.frame(2, Frame::Ping(ping))), [(2, Some(ByeReason::Protocol))]);
    bench.come(3, &person(3));
    let outputs = bench.frame(3, Frame::Bye(Bye::new(ByeReason::Leaving, "")));
    assert_eq!(closed(&outputs), [(3, None)]);
    assert!(told(&outputs).iter().any(|event| matches!(event, Event::Bye { .. })));
}

#[test]
fn a_hello_is_said_once_in_our_protocol() {
    let mut bench = bench();
    let hello = Hello { protocol: PROTOCOL + 1, ..bench.hello() };
    assert_eq!(closed(&bench.greet(2, &person(2), hello)), [(2, Some(ByeReason::Version))]);
    let outputs = bench.meet(3, &person(2));
    let is_here = |event: &&Event| matches!(event, Event::PeerHere { .. });
    assert_eq!((closed(&outputs), told(&outputs).into_iter().filter(is_here).count()), (vec![], 1));
    let hello = Frame::Hello(bench.hello());
    let outputs = bench.frame(3, hello);
    assert_eq!(closed(&outputs), [(3, Some(ByeReason::Protocol))]);
    let is_offence = |event: &&Event| matches!(event, Event::Offence { refused: Refused::Protocol, .. });
    assert_eq!(told(&outputs).into_iter().filter(is_offence).count(), 1);
}

#[test]
fn a_stranger_may_stay_if_it_could_hand_something_over() {
    let mut bench = bench();
    for (number, who, entries, stays) in [(2, 4, 0, false), (3, 4, 1, true), (4, 2, 0, true)] {
        let hello = Hello { entries, digest: Digest([9; 32]), ..bench.hello() };
        let expected: &[_] = if stays { &[] } else { &[(number, Some(ByeReason::NotMember))] };
        assert_eq!(closed(&bench.greet(number, &person(who), hello)), expected);
    }
}

#[test]
fn what_a_goodbye_says_tells_whether_and_when_to_dial_again() {
    for (reason, earliest_ms, latest_ms) in [
        (ByeReason::Leaving, 125, 250),
        (ByeReason::Renewed, 0, 0),
        (ByeReason::EnoughLinks, 30_000, 60_000),
        (ByeReason::SelfConnection, u64::MAX, u64::MAX),
    ] {
        let mut bench = bench();
        bench.reach(2, &person(2));
        let mut outputs = bench.frame(2, Frame::Bye(Bye::new(reason, "")));
        let began_ms = bench.now.monotonic_ms;
        while dials(&outputs).is_empty() && bench.now.monotonic_ms < began_ms + 100_000 {
            outputs = bench.pass(1);
        }
        let after_ms = match dials(&outputs)[..] {
            [] => u64::MAX,
            [dialed] => {
                assert_eq!(dialed, address(2));
                bench.now.monotonic_ms - began_ms
            }
            _ => panic!("{outputs:?}"),
        };
        assert!((earliest_ms..=latest_ms).contains(&after_ms), "{reason:?}: {after_ms}");
    }
}

#[test]
fn who_has_the_same_is_told_no_tips_and_who_has_others_all() {
    let mut bench = spoken();
    assert_eq!(haves(&bench.meet(3, &person(3))), []);
    bench.close(3);
    bench.pass(1);
    assert_eq!(haves(&bench.connect_from(3, &person(3), 8)), [(3, vec![of(1, 1), of(2, 9)], true)]);
}

#[test]
fn tips_of_the_longest_chains_come_first() {
    let mut bench = spoken();
    for number in 0..9 {
        let more = bench.written(&person(2), &number.to_string());
        bench.hear(2, &[more]);
    }
    assert_eq!(haves(&bench.connect(3, &person(3))), [(3, vec![of(2, 9), of(1, 1)], true)]);
}

#[test]
fn who_is_met_again_with_what_we_agreed_on_is_sent_what_is_new_here() {
    let mut bench = spoken();
    let hello = bench.hello();
    bench.close(2);
    bench.command(Command::Say("while you were away".to_owned()));
    let outputs = bench.greet(3, &person(2), hello);
    assert_eq!(haves(&outputs), []);
    let new = bench.engine.conversation().graph().durable() - 1;
    assert_eq!(reads(&outputs), [(3, &[new][..])]);
    let session = &bench.engine.sessions[&ConnectionId(3)];
    assert!(session.is_exact && session.is_resumed);
}

#[test]
fn who_is_met_again_with_more_sends_it_and_is_told_nothing() {
    let mut bench = spoken();
    let hello = Hello { entries: bench.hello().entries + 1, digest: Digest([9; 32]), ..bench.hello() };
    bench.close(2);
    let outputs = bench.greet(3, &person(2), hello);
    assert_eq!((haves(&outputs), reads(&outputs)), (vec![], vec![]));
    let session = &bench.engine.sessions[&ConnectionId(3)];
    assert!(
        !session.ping_at_rest && session.is_resumed && !session.is_exact && session.outgoing.is_released()
    );
}

#[test]
fn who_is_met_again_where_both_have_more_is_told_the_new_tips() {
    let mut bench = spoken();
    let hello = Hello { entries: bench.hello().entries + 1, digest: Digest([9; 32]), ..bench.hello() };
    bench.close(2);
    bench.command(Command::Say("while you were away".to_owned()));
    assert_eq!(haves(&bench.greet(3, &person(2), hello)), [(3, vec![of(1, 1)], true)]);
    assert!(bench.engine.sessions[&ConnectionId(3)].is_resumed);
}

#[test]
fn who_has_less_than_when_we_agreed_is_told_all_tips() {
    let mut bench = spoken();
    let hello = Hello { entries: bench.hello().entries - 1, digest: Digest([9; 32]), ..bench.hello() };
    bench.close(2);
    bench.command(Command::Say("while you were away".to_owned()));
    assert_eq!(haves(&bench.greet(3, &person(2), hello)), [(3, vec![of(1, 1), of(2, 9)], true)]);
    assert!(!bench.engine.sessions[&ConnectionId(3)].is_resumed);
}

#[test]
fn who_is_not_served_is_told_no_tips_until_it_is_a_member() {
    let mut bench = spoken();
    assert_eq!(haves(&bench.connect(4, &person(4))), []);
    assert_eq!(haves(&bench.admit(&person(4))), [(4, vec![of(1, 1), of(2, 9)], true)]);
    bench.come(5, &person(5));
    assert_eq!(haves(&bench.admit(&person(5))), [], "it did not say what it has");
}

fn signed(chain: ChainId, seq: u32, id: EntryId, by: u8) -> SignedTip {
    SignedTip { chain, seq, id, signature: person(by).sign(Purpose::Entry(&id)) }
}

fn have(tips: Vec<SignedTip>) -> Frame {
    Frame::Have(Have { tips, last: true })
}

#[test]
fn a_tip_is_signed_by_its_author_unless_it_is_known() {
    let mut bench = bench();
    bench.connect(2, &person(2));
    let graph = bench.engine.conversation().graph();
    let known = SignedTip { chain: of(1, 1), seq: 1, id: graph.id(0), signature: Signature([0; 64]) };
    assert_eq!(closed(&bench.frame(2, have(vec![known]))), []);
    let unknown = signed(of(3, 9), 1, EntryId([5; 32]), 3);
    assert_eq!(closed(&bench.frame(2, have(vec![unknown]))), []);
    let forged = signed(of(3, 9), 1, EntryId([6; 32]), 2);
    assert_eq!(closed(&bench.frame(2, have(vec![unknown, forged]))), [(2, Some(ByeReason::Protocol))]);
}

#[test]
fn who_knows_more_of_our_chain_than_we_is_believed_once() {
    let is_renewed = |outputs: &[Output]| told(outputs).contains(&&Event::Renewed);
    let mut bench = bench();
    bench.reach(2, &person(2));
    let own = u32::try_from(bench.engine.conversation().graph().chain_len(&of(1, 1))).unwrap();
    let known = bench.engine.conversation().graph().id(0);
    let unknown = EntryId([5; 32]);
    for nothing in [
        signed(of(1, 1), own, unknown, 1),
        signed(of(1, 1), own + 1, known, 1),
        signed(of(1, 2), own + 1, unknown, 1),
        signed(of(2, 1), own + 1, unknown, 2),
    ] {
        assert!(!is_renewed(&bench.frame(2, have(vec![nothing]))), "{nothing:?}");
    }
    let further = signed(of(1, 1), own + 1, unknown, 1);
    let outputs = bench.frame(2, have(vec![signed(of(2, 1), 9, unknown, 2), further]));
    assert!(is_renewed(&outputs));
    assert_eq!(closed(&outputs), [(2, Some(ByeReason::Renewed))]);
    assert_eq!(dials(&outputs), [address(2)], "it goes on at once, under another name");
    assert_ne!(bench.engine.conversation().chain(), of(1, 1));
    bench.connect(3, &person(3));
    bench.command(Command::Say("on".to_owned()));
    let mine = bench.engine.conversation().chain();
    let again = signed(mine, 99, EntryId([6; 32]), 1);
    assert!(!is_renewed(&bench.frame(3, have(vec![again]))));
}

#[test]
fn what_is_told_is_asked_for_and_counts_as_missing() {
    let mut bench = bench();
    bench.connect(2, &person(2));
    let is_to_ping = |bench: &Bench| bench.engine.sessions[&ConnectionId(2)].ping_at_rest;
    bench.engine.sessions.get_mut(&ConnectionId(2)).unwrap().ping_at_rest = false;
    bench.frame(2, have(Vec::new()));
    assert!(!is_to_ping(&bench) && bench.engine.last_source.is_none(), "nothing was told");
    let outputs = bench.promise(2, &person(3), 5_000);
    assert!(is_to_ping(&bench) && bench.engine.last_source == Some(ConnectionId(2)));
    let chain = WantChain { tip: EntryId([77; 32]), from: Vec::new() };
    assert_eq!(wants(&outputs), [(2, &Want { chains: vec![chain], last: true })]);
    assert!(sent(&outputs).iter().any(|(_, frame)| matches!(frame, Frame::Credit(_))), "much is to come");
    let peer = &bench.engine.peers()[0];
    assert_eq!((peer.missing_here, peer.standing), (5_000, Standing::Behind));
    let data = Data { block: bench.block(&[]), remaining: 7 };
    bench.frame(2, Frame::Data(data.clone()));
    assert_eq!(bench.engine.peers()[0].missing_here, 7);
    bench.frame(2, Frame::Data(Data { remaining: 0, ..data }));
    assert_eq!(bench.engine.peers()[0].missing_here, 0);
}

#[test]
fn once_one_has_brought_what_it_told_the_next_is_asked_if_it_told_of_more() {
    let mut bench = bench();
    bench.connect(2, &person(2));
    bench.connect(3, &person(3));
    bench.promise(2, &person(3), 5_000);
    let known = bench.engine.conversation().graph().id(0);
    let nothing_new = signed(of(1, 1), 1, known, 1);
    let empty = bench.block(&[]);
    let end = Frame::Data(Data { block: empty, remaining: 0 });
    bench.frame(3, have(vec![nothing_new]));
    assert_eq!(wants(&bench.frame(2, end.clone())), [], "that is here");
    bench.promise(2, &person(3), 5_000);
    bench.promise(3, &person(2), 5_000);
    let asked = |outputs: &[Output]| wants(outputs).into_iter().map(|(to, _)| to).collect::<Vec<_>>();
    assert_eq!(asked(&bench.frame(2, end)), [3]);
    // Who is gone is asked for nothing, and the next one is.
    bench.promise(2, &person(3), 5_000);
    assert_eq!(asked(&bench.close(3)), [2]);
}

#[test]
fn who_has_all_that_was_sent_is_said_to_hold_it() {
    let mut bench = bench();
    bench.meet(2, &person(2));
    let held = |outputs: &[Output]| {
        told(outputs).into_iter().filter(|event| matches!(event, Event::Held { .. })).count()
    };
    bench.command(Command::Say("one".to_owned()));
    bench.command(Command::Say("two".to_owned()));
    assert_eq!(held(&bench.frame(2, Frame::Ack(Ack { frames: 1 }))), 0);
    assert_eq!(held(&bench.frame(2, Frame::Ack(Ack { frames: 2 }))), 1);
    // Also where what it confirms with is lost, and it tells what it has.
    bench.command(Command::Say("three".to_owned()));
    let digest = bench.hello().digest;
    assert_eq!(held(&bench.frame(2, Frame::Ping(Ping { digest, at_rest: true }))), 1);
    assert_eq!(held(&bench.frame(2, Frame::Ping(Ping { digest, at_rest: true }))), 0);
}

fn rest(bench: &mut Bench, digest: Digest) -> Vec<Output> {
    bench.frame(2, Frame::Ping(Ping { digest, at_rest: true }))
}

#[test]
fn tips_are_told_again_where_both_rest_and_differ_twice() {
    let mut bench = bench();
    bench.meet(2, &person(2));
    let other = Digest([9; 32]);
    bench.frame(2, Frame::Ping(Ping { digest: other, at_rest: false }));
    assert_eq!(bench.engine.sessions[&ConnectionId(2)].unequal, 0, "it is on its way");
    assert_eq!(haves(&rest(&mut bench, other)), []);
    assert!(!bench.engine.sessions[&ConnectionId(2)].is_exact);
    let equal = bench.hello().digest;
    rest(&mut bench, equal);
    assert_eq!(haves(&rest(&mut bench, other)), [], "they agreed meanwhile");
    assert_eq!(haves(&rest(&mut bench, other)).len(), 1);
    assert_eq!(bench.engine.sessions[&ConnectionId(2)].unequal, 0);
    // Not while it is being told, nor while something is to be sent.
    let want = Frame::Want(Want { chains: Vec::new(), last: true });
    bench.frame(2, want);
    bench.engine.sessions.get_mut(&ConnectionId(2)).unwrap().outgoing.is_reading = true;
    rest(&mut bench, other);
    assert_eq!(bench.engine.sessions[&ConnectionId(2)].unequal, 0);
}

#[test]
fn what_was_taken_for_known_is_doubted_at_the_first_difference_once_all_is_confirmed() {
    let mut bench = spoken();
    let hello = bench.hello();
    bench.close(2);
    bench.greet(2, &person(2), hello);
    bench.engine.sessions.get_mut(&ConnectionId(2)).unwrap().is_resumed = true;
    assert_eq!(haves(&rest(&mut bench, Digest([9; 32]))).len(), 1);
    let session = &bench.engine.sessions[&ConnectionId(2)];
    assert!(!session.is_resumed);
    let met = bench.engine.conversation().met(&(person(2).key(), hello.store), 1_000);
    assert_eq!(met, None, "what was noted proved wrong");
    // While something is not confirmed, that may be the difference.
    let mut bench = spoken();
    bench.engine.sessions.get_mut(&ConnectionId(2)).unwrap().is_resumed = true;
    bench.command(Command::Say("on its way".to_owned()));
    assert_eq!(haves(&rest(&mut bench, Digest([9; 32]))), []);
}

#[test]
fn who_does_not_know_that_we_agree_is_told_at_once() {
    let mut bench = bench();
    bench.connect(2, &person(2));
    let digest = bench.hello().digest;
    assert_eq!(pings(&bench.frame(2, Frame::Ping(Ping { digest, at_rest: false }))), [], "as we said");
    bench.command(Command::Say("more".to_owned()));
    let digest = bench.hello().digest;
    assert_eq!(pings(&bench.frame(2, Frame::Ping(Ping { digest: Digest([9; 32]), at_rest: false }))), []);
    assert_eq!(pings(&bench.frame(2, Frame::Ping(Ping { digest, at_rest: false }))).len(), 1);
}

#[test]
fn who_rests_and_grants_nothing_for_a_heartbeat_has_lost_something() {
    let mut bench = bench();
    bench.meet(2, &person(2));
    let (other, equal) = (Digest([9; 32]), bench.hello().digest);
    for _ in 0..3 {
        bench.pass(5_000);
        assert_eq!(closed(&rest(&mut bench, equal)), [], "it would take more");
    }
    bench.engine.sessions.get_mut(&ConnectionId(2)).unwrap().outgoing.sent(1 << 20, 1);
    bench.pass(5_000);
    bench.frame(2, Frame::Ping(Ping { digest: other, at_rest: false }));
    assert_eq!(closed(&rest(&mut bench, other)), []);
    bench.pass(4_999);
    assert_eq!(closed(&rest(&mut bench, other)), []);
    bench.frame(2, Frame::Ping(Ping { digest: other, at_rest: false }));
    assert_eq!(closed(&rest(&mut bench, other)), [], "it was busy");
    bench.pass(4_000);
    bench.frame(2, Frame::Credit(Credit { bytes: 1 }));
    bench.pass(1_000);
    assert_eq!(closed(&rest(&mut bench, other)), [], "it granted something");
    bench.pass(5_000);
    assert_eq!(closed(&rest(&mut bench, other)), [(2, Some(ByeReason::TooSlow))]);
}
