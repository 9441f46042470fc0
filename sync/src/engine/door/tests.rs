use replica::entry::{Admit, Body, Entry};
use replica::id::StoreId;
use replica::identity::Identity;

use super::*;
use crate::engine::bench::{
    Bench, START_MS, address, ann, closed, founding, person, proof, reads, sent, told,
};
use crate::engine::{Command, Input, Output, Settings};

fn bench() -> Bench {
    Bench::new(Settings::default(), 2)
}

/// Whether somebody who came is there, is served, or why not.
#[derive(Debug, PartialEq, Eq)]
enum Came {
    Served,
    TakenFrom,
    Refused(ByeReason, String),
}

fn came(bench: &mut Bench, proof: PeerProof) -> Came {
    let number = 50;
    let outputs = bench.prove(number, proof);
    let refused = outputs.iter().find_map(|output| match output {
        Output::Close(_, Some(bye)) => Some(Came::Refused(bye.reason, bye.text.clone())),
        _ => None,
    });
    let greets = sent(&outputs).iter().any(|(_, frame)| matches!(frame, Frame::Hello(_)));
    assert_eq!(greets, refused.is_none());
    let is_served = bench.engine.sessions.get(&ConnectionId(number)).map(|session| session.is_served);
    bench.close(number);
    refused.unwrap_or_else(|| if is_served.unwrap() { Came::Served } else { Came::TakenFrom })
}

#[test]
fn members_are_served_and_of_strangers_something_is_taken() {
    let mut bench = bench();
    assert_eq!(came(&mut bench, proof(50, &person(2))), Came::Served);
    assert_eq!(came(&mut bench, proof(50, &person(9))), Came::TakenFrom);
}

#[test]
fn who_was_removed_is_told_by_whom() {
    let mut bench = bench();
    bench.command(Command::SetNick("Ann".to_owned()));
    bench.meet(2, &person(2));
    let outputs = bench.command(Command::Remove(person(2).key()));
    assert_eq!(closed(&outputs), [(2, Some(ByeReason::Removed))]);
    let text = "Ann removed you from this room".to_owned();
    assert_eq!(came(&mut bench, proof(50, &person(2))), Came::Refused(ByeReason::Removed, text));
}

#[test]
fn who_leaves_is_served_no_more_and_our_other_homes_are() {
    let mut bench = bench();
    bench.meet(2, &person(2));
    let leave = {
        let graph = bench.engine.conversation().graph();
        let chain = replica::id::ChainId { author: person(2).key(), incarnation: 9 };
        let record = graph.compose(chain, START_MS, &Body::Leave).unwrap();
        Entry::sign(record, &graph.room(), &person(2)).unwrap()
    };
    assert_eq!(closed(&bench.hear(2, &[leave])), [(2, Some(ByeReason::NotMember))]);
    bench.connect_from(4, &ann(), 8);
    assert_eq!(closed(&bench.command(Command::Leave)), []);
    assert_eq!(came(&mut bench, proof(50, &ann())), Came::Served);
}

#[test]
fn a_failed_store_takes_nobody_in() {
    let mut bench = bench();
    bench.handle(Input::StoreFailed);
    let text = "the store failed".to_owned();
    assert_eq!(came(&mut bench, proof(50, &person(2))), Came::Refused(ByeReason::StoreFailed, text));
}

/// The secret of a new invite of ann's.
fn invited(bench: &mut Bench, expires_ms: Option<u64>, uses: Option<u32>) -> (EntryId, [u8; 32]) {
    let outputs = bench.command(Command::Invite { expires_ms, uses });
    let invited = told(&outputs).into_iter().find_map(|event| match event {
        Event::Invited { invite, secret, .. } => Some((*invite, *secret)),
        _ => None,
    });
    invited.unwrap()
}

/// What somebody proves who holds the secret of an invite.
fn with_invite(bench: &Bench, who: &Identity, secret: &[u8; 32]) -> PeerProof {
    let (invite, room) = (Identity::from_secret(secret), bench.engine.conversation().graph().room());
    let channel = [50; 32];
    let signature = invite.sign(Purpose::Invite { room: &room, key: &who.key(), channel: &channel });
    let shown = Shown { key: invite.key(), channel, signature };
    PeerProof { invite: Some(shown), ..proof(50, who) }
}

fn comes_with(bench: &mut Bench, who: u8, secret: &[u8; 32]) -> Came {
    let proof = with_invite(bench, &person(who), secret);
    came(bench, proof)
}

fn why(came: Came) -> ByeReason {
    match came {
        Came::Refused(reason, _) => reason,
        other => panic!("{other:?}"),
    }
}

#[test]
fn an_invite_lets_in_until_it_expires() {
    let mut bench = bench();
    let (_, secret) = invited(&mut bench, Some(START_MS + 1_000), None);
    bench.pass(999);
    assert_eq!(comes_with(&mut bench, 10, &secret), Came::Served);
    bench.pass(1);
    assert_eq!(why(comes_with(&mut bench, 11, &secret)), ByeReason::InviteExpired);
    assert_eq!(comes_with(&mut bench, 10, &secret), Came::Served, "who is a member needs none");
}

#[test]
fn an_invite_lets_in_as_many_as_it_may() {
    let mut bench = bench();
    let (_, secret) = invited(&mut bench, None, Some(2));
    assert_eq!(comes_with(&mut bench, 10, &secret), Came::Served);
    assert_eq!(comes_with(&mut bench, 11, &secret), Came::Served);
    assert_eq!(why(comes_with(&mut bench, 12, &secret)), ByeReason::InviteUsedUp);
}

#[test]
fn an_invite_lets_nobody_in_once_it_was_taken_back_or_where_it_is_not_known_or_is_not_theirs() {
    let mut bench = bench();
    let (invite, secret) = invited(&mut bench, None, None);
    assert_eq!(why(comes_with(&mut bench, 10, &[99; 32])), ByeReason::InviteUnknown);
    let stolen = PeerProof { author: person(11).key(), ..with_invite(&bench, &person(10), &secret) };
    assert_eq!(why(came(&mut bench, stolen)), ByeReason::InviteUnknown);
    assert!(!bench.engine.conversation().graph().is_member(&person(11).key()));
    bench.command(Command::Revoke(invite));
    assert_eq!(why(comes_with(&mut bench, 10, &secret)), ByeReason::InviteRevoked);
}

#[test]
fn who_is_vouched_for_from_the_creator_on_is_served_before_its_admission_has_come() {
    let mut bench = bench();
    let room = bench.engine.conversation().graph().room();
    let card = |admitter: &Identity, who: &Identity| crate::channel::Card {
        admitter: admitter.key(),
        signature: admitter.sign(Purpose::Card { room: &room, key: &who.key() }),
    };
    let vouched = |cards: Vec<crate::channel::Card>| PeerProof { cards, ..proof(50, &person(9)) };
    let by_bob = vec![card(&ann(), &person(2)), card(&person(2), &person(9))];
    assert_eq!(came(&mut bench, vouched(by_bob.clone())), Came::Served);
    assert_eq!(came(&mut bench, vouched(Vec::new())), Came::TakenFrom);
    assert_eq!(came(&mut bench, vouched(by_bob[1..].to_vec())), Came::TakenFrom, "not from the creator on");
    let broken = vec![card(&ann(), &person(3)), card(&person(2), &person(9))];
    assert_eq!(came(&mut bench, vouched(broken)), Came::TakenFrom, "not to the next one");
    bench.command(Command::Remove(person(2).key()));
    assert_eq!(came(&mut bench, vouched(by_bob)), Came::TakenFrom, "past somebody who is out");
}

#[test]
fn who_turns_out_to_be_ourselves_is_not_dialled_again() {
    let mut bench = bench();
    bench.command(Command::Dial(address(2)));
    bench.connected(2, address(2), true, proof(2, &ann()));
    let hello = Hello { store: StoreId([1; 16]), ..bench.hello() };
    assert_eq!(closed(&bench.frame(2, Frame::Hello(hello))), [(2, Some(ByeReason::SelfConnection))]);
    assert!(!bench.pass(60_000).iter().any(|output| matches!(output, Output::Dial(_))));
    // Another home of ours is somebody else.
    assert_eq!(closed(&bench.connect_from(3, &ann(), 8)), []);
}

/// Somebody's connections by these numbers, one after the other: which were ended.
fn doubled(numbers: [u64; 2], is_relayed: [bool; 2]) -> Vec<u64> {
    let mut bench = bench();
    let mut ended = Vec::new();
    for (number, is_relayed) in numbers.into_iter().zip(is_relayed) {
        let direct = address(number);
        let address = if is_relayed { format!("via/{direct}/{}", "00".repeat(16)) } else { direct };
        bench.connected(number, address, false, proof(number, &person(2)));
        let hello = bench.hello();
        let outputs = bench.frame(number, Frame::Hello(hello));
        for (number, reason) in closed(&outputs) {
            assert_eq!(reason, Some(ByeReason::Duplicate));
            assert!(told(&outputs).contains(&&Event::Doubled(ConnectionId(number))));
            assert!(!bench.engine.sessions.contains_key(&ConnectionId(number)));
            ended.push(number);
        }
        let here = told(&outputs).into_iter().filter(|event| matches!(event, Event::PeerHere { .. })).count();
        assert_eq!(here, usize::from(bench.engine.sessions.contains_key(&ConnectionId(number))));
    }
    ended
}

#[test]
fn of_two_connections_both_sides_keep_the_same_one() {
    assert_eq!(doubled([3, 5], [false; 2]), [5]);
    assert_eq!(doubled([5, 3], [false; 2]), [5]);
    assert_eq!(doubled([3, 5], [true, false]), [3], "the one without a server");
    assert_eq!(doubled([3, 5], [false, true]), [5]);
    assert_eq!(doubled([5, 3], [true, true]), [5]);
}

#[test]
fn from_two_homes_of_one_person_two_connections_are_kept() {
    let mut bench = bench();
    assert_eq!(closed(&bench.connect_from(2, &person(2), 8)), []);
    assert_eq!(closed(&bench.connect_from(3, &person(2), 9)), []);
    assert_eq!(closed(&bench.connect_from(4, &person(3), 9)), []);
}

#[test]
fn what_came_over_the_connection_that_is_ended_is_not_sent_back_over_the_other() {
    let mut bench = bench();
    bench.meet(5, &person(2));
    bench.come(3, &person(2));
    let hello = bench.hello();
    let yo = bench.written(&person(2), "yo");
    // It is not read for the one either, and so known to be there.
    bench.engine.sessions.get_mut(&ConnectionId(5)).unwrap().outgoing.is_reading = true;
    bench.hear(5, &[yo]);
    let outputs = bench.frame(3, Frame::Hello(hello));
    assert_eq!((closed(&outputs), reads(&outputs)), (vec![(5, Some(ByeReason::Duplicate))], vec![]));
    let more = bench.command(Command::Say("more".to_owned()));
    assert_eq!(sent(&more).into_iter().filter(|(_, frame)| matches!(frame, Frame::Live(_))).count(), 1);
}

#[test]
fn who_comes_before_anything_is_here_is_judged_by_what_comes_first() {
    let room = bench();
    let card = crate::channel::Card {
        admitter: ann().key(),
        signature: ann()
            .sign(Purpose::Card { room: &room.engine.conversation().graph().room(), key: &person(2).key() }),
    };
    let mut newcomer = Bench::newcomer(&person(8));
    newcomer.prove(2, PeerProof { cards: vec![card], ..proof(2, &person(2)) });
    newcomer.come(9, &person(9));
    [2, 9].into_iter().for_each(|number| drop(newcomer.frame(number, Frame::Hello(room.hello()))));
    let served = |bench: &Bench| [2, 9].map(|number| bench.engine.sessions[&ConnectionId(number)].is_served);
    assert_eq!(served(&newcomer), [true, true], "nothing is here to be kept from anybody");
    let outputs = newcomer.hear(2, &[founding()]);
    assert_eq!(served(&newcomer), [true, false]);
    let is_entry = |frame: &Frame| matches!(frame, Frame::Live(_) | Frame::Data(_));
    assert!(!sent(&outputs).into_iter().any(|(to, frame)| to == 9 && is_entry(frame)));
}

#[test]
fn who_was_on_the_way_in_while_we_went_offline_is_sent_away() {
    let mut bench = bench();
    bench.command(Command::SetOnline(false));
    let text = "going offline".to_owned();
    assert_eq!(came(&mut bench, proof(50, &person(2))), Came::Refused(ByeReason::Leaving, text));
    bench.command(Command::SetOnline(true));
    assert_eq!(came(&mut bench, proof(50, &person(2))), Came::Served);
}

#[test]
fn who_comes_with_an_invite_before_anything_is_here_is_let_in_once_we_are() {
    let (ticket, another) = (Identity::from_secret(&[99; 32]), [98; 32]);
    let mut newcomer = Bench::newcomer(&person(8));
    let room = newcomer.engine.conversation().graph().room();
    for (number, secret) in [(50, [99; 32]), (51, another), (52, another)] {
        let proof = with_invite(&newcomer, &person(u8::try_from(number).unwrap()), &secret);
        newcomer.prove(number, PeerProof { channel: [u8::try_from(number).unwrap(); 32], ..proof });
        let hello = Hello { entries: 1, ..newcomer.hello() };
        newcomer.frame(number, Frame::Hello(hello));
    }
    newcomer.come(2, &ann());
    let hello = Hello { entries: 3, ..newcomer.hello() };
    newcomer.frame(2, Frame::Hello(hello));
    // Who is vouched for needs none, whatever it shows.
    let card = ann().sign(Purpose::Card { room: &room, key: &person(3).key() });
    let card = crate::channel::Card { admitter: ann().key(), signature: card };
    let needless = with_invite(&newcomer, &person(3), &another);
    newcomer.prove(3, PeerProof { channel: [3; 32], cards: vec![card], ..needless });
    let written = |bench: &Bench, body: &Body| {
        let graph = bench.engine.conversation().graph();
        let chain = founding().record().chain;
        let record = graph.compose(chain, START_MS, body).unwrap();
        Entry::sign(record, &room, &ann()).unwrap()
    };
    newcomer.hear(2, &[founding()]);
    let served =
        |bench: &Bench| [2, 3, 50].map(|number| bench.engine.sessions[&ConnectionId(number)].is_served);
    assert_eq!(served(&newcomer), [true, true, false]);
    let invite =
        written(&newcomer, &Body::Invite(Invite { key: ticket.key(), expires_ms: None, uses: None }));
    newcomer.hear(2, &[invite]);
    let is_in = |bench: &Bench| bench.engine.conversation().graph().is_member(&person(50).key());
    assert!(!is_in(&newcomer), "we are nobody ourselves");
    let admit = |bench: &mut Bench, who: u8| {
        let key = person(who).key();
        let card = ann().sign(Purpose::Card { room: &room, key: &key });
        let admit = written(bench, &Body::Admit(Box::new(Admit { key, card, proof: None })));
        bench.hear(2, &[admit])
    };
    let greeted = |outputs: &[Output], who: u64| {
        sent(outputs).into_iter().any(|(to, frame)| to == who && matches!(frame, Frame::Have(_)))
    };
    assert!(greeted(&admit(&mut newcomer, 51), 51), "another one let them in");
    let outputs = admit(&mut newcomer, 8);
    assert!(is_in(&newcomer) && greeted(&outputs, 50));
    assert_eq!(
        (served(&newcomer), closed(&outputs)),
        ([true; 3], vec![(52, Some(ByeReason::InviteUnknown))])
    );
}
