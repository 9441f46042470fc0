use replica::id::{AuthorKey, RoomId};
use replica::identity::Identity;

use super::{Lobby, Me, Output, Situation};
use crate::channel::Binding;
use crate::conversation::ConnectionId;
use crate::ticket::Ticket;
use crate::wire::{Frame, Knock, KnockNonce};

const ALONE: Situation = Situation { is_alone: true, is_open: false, now_ms: 0 };

/// Two people, the first with the lower key, and their lobbies.
fn pair() -> [(Identity, Lobby); 2] {
    let mut people = [Identity::from_secret(&[1; 32]), Identity::from_secret(&[2; 32])];
    people.sort_by_key(Identity::key);
    let [low, high] = people;
    [(low.clone(), lobby(low, 1)), (high.clone(), lobby(high, 2))]
}

fn lobby(identity: Identity, nonce: u8) -> Lobby {
    let name = format!("person {nonce}");
    Lobby::new(Me { identity, name, nonce: KnockNonce([nonce; 16]) })
}

/// Both ends of one channel: of who dialled, of who listens.
fn channel() -> [Binding; 2] {
    let (mine, theirs, channel) = ([3; 32], [4; 32], [5; 32]);
    [
        Binding { initiator: true, channel, own_key: mine, peer_key: theirs },
        Binding { initiator: false, channel, own_key: theirs, peer_key: mine },
    ]
}

fn ticket() -> Ticket {
    Ticket { room: RoomId([9; 32]), secret: [8; 32], invite: None, addresses: Vec::new() }
}

fn outputs(lobby: &mut Lobby) -> Vec<Output> {
    std::iter::from_fn(|| lobby.poll_output()).collect()
}

fn frames(outputs: &[Output]) -> Vec<Frame> {
    let frame = |output: &Output| match output {
        Output::Send(_, frame) => Some(frame.clone()),
        _ => None,
    };
    outputs.iter().filter_map(frame).collect()
}

const AT: ConnectionId = ConnectionId(1);

/// `guest` knocks at `host`, who is told; nobody has said yes.
fn knock(host: &mut Lobby, guest: &mut Lobby, guest_key: AuthorKey, situation: Situation) -> Vec<Output> {
    let [dialled, listening] = channel();
    guest.on_answered(AT, "host:7400".to_owned(), dialled, ALONE);
    host.on_knocker(AT, guest_key, "guest:5000".to_owned(), listening, situation);
    for frame in frames(&outputs(guest)) {
        host.on_frame(AT, frame, situation);
    }
    outputs(host)
}

#[test]
fn a_knock_waits_for_a_person_and_the_lower_key_keeps_its_room() {
    let [(_, mut host), (guest_id, mut guest)] = pair();
    let told = knock(&mut host, &mut guest, guest_id.key(), ALONE);
    assert!(
        matches!(told.as_slice(), [Output::Tell(knocker)] if knocker.author == guest_id.key()),
        "{told:?}"
    );
    assert_eq!(host.accept("nobody", ALONE), None);
    assert_eq!(host.accept("person 2", ALONE).as_deref(), Some("person 2"));
    assert_eq!(outputs(&mut host), [Output::Admit(AT, guest_id.key())]);
    host.admitted(AT, &ticket());
    for frame in frames(&outputs(&mut host)) {
        guest.on_frame(AT, frame, ALONE);
    }
    assert!(outputs(&mut guest).contains(&Output::Move(ticket())));
    assert!(guest.is_moving());
}

#[test]
fn a_host_with_the_higher_key_comes_into_the_guests_room() {
    let [(guest_id, mut guest), (host_id, mut host)] = pair();
    knock(&mut host, &mut guest, guest_id.key(), ALONE);
    host.accept("person 1", ALONE).unwrap();
    for frame in frames(&outputs(&mut host)) {
        guest.on_frame(AT, frame, ALONE);
    }
    assert_eq!(outputs(&mut guest), [Output::Admit(AT, host_id.key())]);
    guest.admitted(AT, &ticket());
    for frame in frames(&outputs(&mut guest)) {
        host.on_frame(AT, frame, ALONE);
    }
    assert!(outputs(&mut host).contains(&Output::Move(ticket())));
}

#[test]
fn who_is_not_alone_keeps_their_room_whatever_the_keys() {
    let [(guest_id, mut guest), (_, mut host)] = pair();
    let busy = Situation { is_alone: false, ..ALONE };
    knock(&mut host, &mut guest, guest_id.key(), busy);
    host.accept("person 1", busy).unwrap();
    assert_eq!(outputs(&mut host), [Output::Admit(AT, guest_id.key())]);
}

#[test]
fn a_guest_cannot_pull_a_host_into_its_room() {
    // The host let the guest in, and did not offer to move.
    let [(_, mut host), (guest_id, mut guest)] = pair();
    knock(&mut host, &mut guest, guest_id.key(), ALONE);
    host.accept("person 2", ALONE).unwrap();
    outputs(&mut host);
    host.on_frame(AT, Frame::Ticket(ticket().to_string()), ALONE);
    let answered = outputs(&mut host);
    assert!(matches!(answered.as_slice(), [Output::Close(..)]), "{answered:?}");
    assert!(!host.is_moving());
}

#[test]
fn a_forged_offer_to_come_is_refused() {
    let [(_, mut guest), (host_id, _)] = pair();
    let [dialled, _] = channel();
    guest.on_answered(AT, "host:7400".to_owned(), dialled, ALONE);
    outputs(&mut guest);
    // Signed in the wrong role: what the guest itself would sign.
    let signature = dialled.sign(&host_id);
    guest.on_frame(AT, Frame::Yield(crate::wire::Yield { author: host_id.key(), signature }), ALONE);
    assert!(matches!(outputs(&mut guest).as_slice(), [Output::Close(..)]));
}

#[test]
fn two_who_knock_at_each_other_need_no_yes() {
    let [(_, mut low), (high_id, _)] = pair();
    let [dialled, listening] = channel();
    low.on_answered(ConnectionId(7), "high:7400".to_owned(), dialled, ALONE);
    outputs(&mut low);
    low.on_knocker(AT, high_id.key(), "high:5000".to_owned(), listening, ALONE);
    let said = |heard: Vec<KnockNonce>| {
        Frame::Knock(Knock { nick: "high".to_owned(), alone: true, nonce: KnockNonce([2; 16]), heard })
    };
    low.on_frame(AT, said(Vec::new()), ALONE);
    let told = outputs(&mut low);
    assert!(told.iter().any(|output| matches!(output, Output::Tell(_))));
    // Who we knock at hears that somebody with that number knocks here.
    let heard = frames(&told)
        .into_iter()
        .any(|frame| matches!(frame, Frame::Knock(knock) if knock.heard == [KnockNonce([2; 16])]));
    assert!(heard, "{told:?}");
    low.on_frame(AT, said(vec![KnockNonce([1; 16])]), ALONE);
    assert_eq!(outputs(&mut low), [Output::Admit(AT, high_id.key())]);
}

#[test]
fn knocks_are_few_for_one_address_and_end_in_time() {
    let [(_, mut host), (guest_id, _)] = pair();
    let [_, listening] = channel();
    for number in 0..10 {
        host.on_knocker(ConnectionId(number), guest_id.key(), format!("10.0.0.9:{number}"), listening, ALONE);
    }
    let refused = outputs(&mut host).iter().filter(|output| matches!(output, Output::Close(..))).count();
    assert_eq!(refused, 7);
    let until = host.deadline().unwrap();
    host.keep_up(until - 1);
    assert!(outputs(&mut host).is_empty());
    host.keep_up(until);
    assert_eq!(outputs(&mut host).len(), 3);
    assert_eq!(host.deadline(), None);
}
