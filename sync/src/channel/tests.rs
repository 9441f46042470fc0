use super::handshake::{hash, key_pair, public, read, start, write};
use super::proof::{self, Place};
use super::*;
use crate::limits::STRANGER_MESSAGE_BYTES_MAX;

const ROOM: RoomId = RoomId([7; 32]);

fn identity(number: u8) -> Identity {
    Identity::from_secret(&[number; 32])
}

fn credentials(number: u8) -> Credentials {
    let key = RoomKey::from_secret(b"the room's secret");
    Credentials { room: ROOM, key, identity: identity(number), cards: Vec::new(), invite: None }
}

fn offer(number: u8) -> Offer {
    Offer::Member(Box::new(credentials(number)))
}

fn answers(rooms: Vec<Credentials>) -> Answers {
    Answers { rooms, knocks: true, ..Answers::default() }
}

/// Runs a handshake; the initiator's result, then the responder's.
fn connect(offer: Offer, answers: &Answers) -> Result<(Established, Established), HandshakeError> {
    let (initiator, first) = Initiator::new(offer)?;
    let (responder, second) = Responder::answer(answers, &first)?;
    let (third, ours) = initiator.finish(&second)?;
    assert!([&first, &second, &third].iter().all(|message| message.len() <= STRANGER_MESSAGE_BYTES_MAX));
    Ok((ours, responder.finish(&third)?))
}

fn proof_of(peer: &Peer) -> &PeerProof {
    match peer {
        Peer::Member(_, proof) | Peer::Knocking(proof) => proof,
        Peer::Answered => panic!("nobody proved anything"),
    }
}

/// A chain of cards from author 100 over 101, 102, … to `last`.
fn cards(count: u8, last: AuthorKey) -> Vec<Card> {
    let keys = (0..count).map(|n| identity(100 + n).key()).skip(1).chain([last]);
    let card = |(n, key): (u8, AuthorKey)| {
        let admitter = identity(100 + n);
        Card { admitter: admitter.key(), signature: admitter.sign(Purpose::Card { room: &ROOM, key: &key }) }
    };
    (0..count).zip(keys).map(card).collect()
}

#[test]
fn both_ends_learn_who_the_other_is_and_agree_on_the_channel() {
    let other_room =
        Credentials { room: RoomId([8; 32]), key: RoomKey::from_secret(b"another"), ..credentials(9) };
    let (a, b) = connect(offer(1), &answers(vec![other_room, credentials(2)])).unwrap();
    let Peer::Member(room, proof) = &a.peer else { panic!("{:?}", a.peer) };
    assert_eq!((*room, proof.author), (ROOM, identity(2).key()));
    let Peer::Member(room, proof) = &b.peer else { panic!("{:?}", b.peer) };
    assert_eq!((*room, proof.author), (ROOM, identity(1).key()));
    let (a_binding, b_binding) = (a.channel.binding(), b.channel.binding());
    assert_eq!(a_binding.channel, b_binding.channel);
    assert_eq!([proof_of(&a.peer).channel, proof_of(&b.peer).channel], [a_binding.channel; 2]);
    assert_eq!((a_binding.own_key, a_binding.peer_key), (b_binding.peer_key, b_binding.own_key));
    assert_ne!(a_binding.initiator, b_binding.initiator);
}

#[test]
fn frames_pass_both_ways_in_order() {
    let (a, b) = connect(offer(1), &answers(vec![credentials(2)])).unwrap();
    let (mut a, mut b) = (a.channel, b.channel);
    for frame in [&b"one"[..], b"", &[5; FRAME_BYTES_MAX]] {
        let mut sealed = vec![9];
        a.seal(frame, &mut sealed).unwrap();
        assert_eq!(sealed.len(), 1 + frame.len() + 16);
        assert_eq!(b.open(&sealed[1..]).unwrap(), frame);
        let mut sealed = Vec::new();
        b.seal(frame, &mut sealed).unwrap();
        assert_eq!(a.open(&sealed).unwrap(), frame);
    }
    let mut sealed = vec![9];
    assert_eq!(
        a.seal(&[0; FRAME_BYTES_MAX + 1], &mut sealed),
        Err(TooLongToSeal { bytes: FRAME_BYTES_MAX + 1 })
    );
    assert_eq!(sealed, [9]);
}

#[test]
fn an_altered_repeated_missing_or_short_message_is_refused() {
    let (a, b) = connect(offer(1), &answers(vec![credentials(2)])).unwrap();
    let (mut a, mut b) = (a.channel, b.channel);
    let mut seal = |frame: &[u8]| {
        let mut sealed = Vec::new();
        a.seal(frame, &mut sealed).unwrap();
        sealed
    };
    let (first, second, third) = (seal(b"1"), seal(b"2"), seal(b"3"));
    let mut altered = first.clone();
    altered[0] ^= 1;
    assert_eq!(b.open(&altered), Err(Altered));
    assert_eq!(b.open(&first), Ok(b"1".to_vec()));
    assert_eq!(b.open(&first), Err(Altered));
    assert_eq!(b.open(&third), Err(Altered));
    assert_eq!(b.open(&second[..15]), Err(Altered));
    assert_eq!(b.open(&[]), Err(Altered));
    assert_eq!(b.open(&second), Ok(b"2".to_vec()));
}

#[test]
fn a_direction_takes_new_keys_now_and_then() {
    let (a, b) = connect(offer(1), &answers(vec![credentials(2)])).unwrap();
    let (mut a, mut b) = (a.channel, b.channel);
    let pass = |from: &mut Channel, to: &mut Channel| {
        let mut sealed = Vec::new();
        from.seal(b"hello", &mut sealed).unwrap();
        to.open(&sealed).map(|frame| assert_eq!(frame, b"hello"))
    };
    for n in 0..2 * REKEY_MESSAGES - 1 {
        assert_eq!(pass(&mut a, &mut b), Ok(()), "message {n}");
    }
    assert_eq!(pass(&mut b, &mut a), Ok(()), "the other direction has a count of its own");
    // A receiver that misses the moment is left with a key that opens nothing.
    b.opened += 1;
    assert_eq!(pass(&mut a, &mut b), Ok(()));
    assert_eq!(pass(&mut a, &mut b), Err(Altered));
}

#[test]
fn a_wrong_secret_fails_at_the_first_message() {
    let stranger = Credentials { key: RoomKey::from_secret(b"a guess"), ..credentials(1) };
    let failed = connect(Offer::Member(Box::new(stranger)), &answers(vec![credentials(2)]));
    assert_eq!(failed.unwrap_err(), HandshakeError::NoRoom);
}

#[test]
fn a_knock_shows_who_knocks_and_not_who_listens() {
    let (a, b) = connect(Offer::Knock(Box::new(identity(1))), &answers(vec![credentials(2)])).unwrap();
    assert_eq!(a.peer, Peer::Answered);
    let Peer::Knocking(proof) = &b.peer else { panic!("{:?}", b.peer) };
    assert_eq!(proof.author, identity(1).key());
    let deaf = Answers { rooms: vec![credentials(2)], ..Answers::default() };
    assert_eq!(connect(Offer::Knock(Box::new(identity(1))), &deaf).unwrap_err(), HandshakeError::NoRoom);
}

#[test]
fn the_knock_key_is_the_one_derived_from_its_published_words() {
    assert_eq!(RoomKey::KNOCK, RoomKey::from_secret(b"anybody may knock"));
}

#[test]
fn who_answered_a_knock_can_sign_the_channel_later() {
    let (a, b) = connect(Offer::Knock(Box::new(identity(1))), &answers(Vec::new())).unwrap();
    let (_, other) = connect(Offer::Knock(Box::new(identity(1))), &answers(Vec::new())).unwrap();
    let (ours, theirs) = (a.channel.binding(), b.channel.binding());
    let key = identity(2).key();
    assert!(ours.is_signed_by(&key, &theirs.sign(&identity(2))));
    assert!(!ours.is_signed_by(&key, &theirs.sign(&identity(3))));
    assert!(!ours.is_signed_by(&key, &other.channel.binding().sign(&identity(2))), "another channel's");
    assert!(!theirs.is_signed_by(&key, &theirs.sign(&identity(2))), "sent back");
}

#[test]
fn an_invite_is_shown_from_either_end() {
    let invited = |number| Credentials { invite: Some(identity(50)), ..credentials(number) };
    let (a, b) = connect(Offer::Member(Box::new(invited(1))), &answers(vec![invited(2)])).unwrap();
    for (end, author) in [(&b, 1), (&a, 2)] {
        let proof = proof_of(&end.peer);
        let shown = proof.invite.unwrap();
        assert_eq!((shown.key, proof.author), (identity(50).key(), identity(author).key()));
        let purpose = Purpose::Invite { room: &ROOM, key: &proof.author, channel: &shown.channel };
        assert!(verify(&shown.key, purpose, &shown.signature));
    }
}

#[test]
fn cards_lead_from_the_creator_to_the_peer_or_they_do_not() {
    let author = identity(1).key();
    for count in [1, 2, 32] {
        let member = Credentials { cards: cards(count, author), ..credentials(1) };
        let (_, b) = connect(Offer::Member(Box::new(member.clone())), &answers(vec![member])).unwrap();
        let proof = proof_of(&b.peer);
        assert_eq!(proof.cards, cards(count, author));
        assert!(proof.are_cards_authentic(&ROOM));
        assert!(!proof.are_cards_authentic(&RoomId([8; 32])));
        assert!(!PeerProof { author: identity(2).key(), ..proof.clone() }.are_cards_authentic(&ROOM));
        let shortened = proof.cards[..usize::from(count) - 1].to_vec();
        assert!(!PeerProof { cards: shortened, ..proof.clone() }.are_cards_authentic(&ROOM));
    }
    let far = Credentials { cards: cards(33, author), ..credentials(1) };
    let (_, b) = connect(Offer::Member(Box::new(far)), &answers(vec![credentials(2)])).unwrap();
    assert_eq!(proof_of(&b.peer).cards, []);
}

/// What an initiator, or a responder, says to a payload of the other end's message that `forge` makes for its place.
fn check_forged(initiator: bool, forge: impl Fn(Place<'_>) -> Vec<u8>) -> Option<HandshakeError> {
    let pair = key_pair().unwrap();
    let noise_key = public(&pair).unwrap();
    if initiator {
        let mut state = start(&credentials(1).key, &pair, true).unwrap();
        let first = write(&mut state, &[]).unwrap();
        let (responder, second) = Responder::answer(&answers(vec![credentials(2)]), &first).unwrap();
        read(&mut state, &second).unwrap();
        let channel = hash(&state).unwrap();
        let payload = forge(Place { initiator, channel: &channel, noise_key: &noise_key });
        responder.finish(&write(&mut state, &payload).unwrap()).err()
    } else {
        let (victim, first) = Initiator::new(offer(2)).unwrap();
        let mut state = start(&credentials(1).key, &pair, false).unwrap();
        read(&mut state, &first).unwrap();
        let channel = hash(&state).unwrap();
        let payload = forge(Place { initiator, channel: &channel, noise_key: &noise_key });
        victim.finish(&write(&mut state, &payload).unwrap()).err()
    }
}

#[test]
fn every_lie_about_who_speaks_is_refused_for_what_it_is() {
    for initiator in [true, false] {
        let check = |forge: &dyn Fn(Place<'_>) -> Vec<u8>| check_forged(initiator, forge);
        assert_eq!(check(&|place| proof::write(&credentials(1), place)), None, "the truth");
        let elsewhere = check(&|place| proof::write(&credentials(1), Place { channel: &[1; 32], ..place }));
        assert_eq!(elsewhere, Some(HandshakeError::OtherChannel));
        let relayed = check(&|place| proof::write(&credentials(1), Place { noise_key: &[1; 32], ..place }));
        assert_eq!(relayed, Some(HandshakeError::OtherChannel));
        let swapped = check(&|place| proof::write(&credentials(1), Place { initiator: !initiator, ..place }));
        assert_eq!(swapped, Some(HandshakeError::WrongRole));
        let posed = check(&|place| {
            let mut bytes = proof::write(&credentials(1), place);
            bytes[1..33].copy_from_slice(&identity(2).key().0);
            bytes
        });
        assert_eq!(posed, Some(HandshakeError::OtherChannel));
        let weak = check(&|place| {
            // The neutral element, a signature under which fits any text for a lax verifier.
            let mut bytes = proof::write(&credentials(1), place);
            bytes[1..97].fill(0);
            bytes[1] = 1;
            bytes[33] = 1;
            bytes
        });
        assert_eq!(weak, Some(HandshakeError::WeakKey));
    }
}

#[test]
fn an_invite_shown_for_somebody_else_or_elsewhere_is_refused() {
    let invited = Credentials { invite: Some(identity(50)), ..credentials(1) };
    for initiator in [true, false] {
        let stolen = check_forged(initiator, |place| {
            let theirs = Credentials { identity: identity(3), ..invited.clone() };
            let (own, theirs) = (proof::write(&credentials(1), place), proof::write(&theirs, place));
            [&own[..98], &theirs[98..]].concat()
        });
        assert_eq!(stolen, Some(HandshakeError::Invite));
        let repeated = check_forged(initiator, |place| {
            let before = proof::write(&invited, Place { channel: &[1; 32], ..place });
            [&proof::write(&invited, place)[..98], &before[98..]].concat()
        });
        assert_eq!(repeated, Some(HandshakeError::Invite));
    }
}

#[test]
fn a_proof_has_one_form() {
    let invited =
        Credentials { cards: cards(2, identity(1).key()), invite: Some(identity(50)), ..credentials(1) };
    let length = 1 + 32 + 64 + 1 + 2 * 96 + 1 + 96;
    for initiator in [true, false] {
        for cut in 0..length {
            let short = check_forged(initiator, |place| proof::write(&invited, place)[..cut].to_vec());
            assert_eq!(short, Some(HandshakeError::Malformed), "{cut} of {length} bytes");
        }
        // With one card more the last byte of a signature would stand where the flag is, and may be one.
        for (at, value) in [(0, 2), (97, 4), (97, 33), (98 + 192, 2)] {
            let wrong = check_forged(initiator, |place| {
                let mut bytes = proof::write(&invited, place);
                assert_eq!(bytes.len(), length);
                bytes[at] = value;
                bytes
            });
            assert_eq!(wrong, Some(HandshakeError::Malformed), "{value} at {at}");
        }
        let long = check_forged(initiator, |place| [proof::write(&invited, place), vec![0]].concat());
        assert_eq!(long, Some(HandshakeError::Malformed));
    }
}

#[test]
fn the_bytes_of_a_proof_are_for_ever() {
    let place = Place { initiator: true, channel: &[1; 32], noise_key: &[2; 32] };
    let member =
        Credentials { cards: cards(1, identity(1).key()), invite: Some(identity(50)), ..credentials(1) };
    let author = identity(1);
    let purpose = Purpose::Channel { initiator: true, channel: &[1; 32], noise_key: &[2; 32] };
    let invite = identity(50);
    let shown = Purpose::Invite { room: &ROOM, key: &author.key(), channel: &[1; 32] };
    let expected = [
        &[1][..],
        &author.key().0,
        &author.sign(purpose).0,
        &[1],
        &member.cards[0].admitter.0,
        &member.cards[0].signature.0,
        &[1],
        &invite.key().0,
        &invite.sign(shown).0,
    ];
    assert_eq!(proof::write(&member, place), expected.concat());
}

#[test]
fn no_change_to_any_handshake_byte_goes_unnoticed() {
    let answers = answers(vec![credentials(2)]);
    let (_, first) = Initiator::new(offer(1)).unwrap();
    for at in 0..first.len() {
        let mut altered = first.clone();
        altered[at] ^= 0x40;
        assert!(Responder::answer(&answers, &altered).is_err(), "message 1, byte {at}");
    }
    let length = connect_altered(&answers, 2, usize::MAX).unwrap();
    for at in 0..length {
        assert_eq!(connect_altered(&answers, 2, at), Err(HandshakeError::Altered), "message 2, byte {at}");
    }
    let length = connect_altered(&answers, 3, usize::MAX).unwrap();
    for at in 0..length {
        assert_eq!(connect_altered(&answers, 3, at), Err(HandshakeError::Altered), "message 3, byte {at}");
    }
}

/// A handshake with one byte of one message altered; that message's length.
fn connect_altered(answers: &Answers, message: u8, at: usize) -> Result<usize, HandshakeError> {
    let alter = |number: u8, bytes: &mut [u8]| {
        if let Some(byte) = bytes.get_mut(at).filter(|_| number == message) {
            *byte ^= 0x40;
        }
    };
    let (initiator, first) = Initiator::new(offer(1))?;
    let (responder, mut second) = Responder::answer(answers, &first)?;
    alter(2, &mut second);
    let (mut third, _) = initiator.finish(&second)?;
    alter(3, &mut third);
    responder.finish(&third)?;
    Ok(if message == 2 { second.len() } else { third.len() })
}

#[test]
fn a_message_longer_than_a_stranger_may_send_is_refused_unread() {
    let long = vec![0; STRANGER_MESSAGE_BYTES_MAX + 1];
    assert!(Responder::answer(&answers(vec![credentials(2)]), &long).is_err());
    let (initiator, _) = Initiator::new(offer(1)).unwrap();
    assert_eq!(initiator.finish(&long).unwrap_err(), HandshakeError::Malformed);
}

#[test]
fn nothing_printed_shows_a_secret() {
    let text = format!("{:?}", credentials(1));
    assert!(text.contains("RoomKey(…)") && !text.contains("[1, 1"), "{text}");
}
