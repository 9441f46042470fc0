use std::collections::BTreeMap;

use data_encoding::HEXLOWER;
use proptest::prelude::*;

use super::*;
use crate::limits::{MESSAGE_BYTES_MAX, NAME_BYTES_MAX, TOPIC_BYTES_MAX};
use crate::testing::{START_MS, chain, person};

const ROOM: RoomId = RoomId([9; 32]);
const PREVIOUS: EntryId = EntryId([0x11; 32]);
const SEEN: [EntryId; 2] = [EntryId([0x22; 32]), EntryId([0x33; 32])];

/// A record of person 0 that has seen `seen`.
fn record(kind: u16, seq: u32, seen: &[EntryId], claimed_ms: u64, body: Vec<u8>) -> Record {
    let previous = (seq > 1).then_some(PREVIOUS);
    Record { kind, chain: chain(0, 1), seq, previous, dependencies: seen.to_vec(), claimed_ms, body }
}

fn of(body: &Body, seq: u32, seen: &[EntryId], claimed_ms: u64) -> Record {
    let (kind, bytes) = body.encode().unwrap();
    record(kind.number(), seq, seen, claimed_ms, bytes)
}

fn message(text: &str) -> Record {
    of(&Body::Message(text.to_owned()), 2, &SEEN, START_MS)
}

fn admission(proof: bool) -> Body {
    let key = person(1).key();
    let card = person(0).sign(Purpose::Card { room: &ROOM, key: &key });
    let shown = Purpose::Invite { room: &ROOM, key: &key, channel: &[5; 32] };
    let invite =
        InviteProof { invite: EntryId([0x44; 32]), channel: [5; 32], signature: person(2).sign(shown) };
    Body::Admit(Box::new(Admit { key, card, proof: proof.then_some(invite) }))
}

fn removal() -> Body {
    Body::Remove(Box::new(Remove { key: person(1).key(), seen: SEEN.to_vec() }))
}

/// One of each kind, as in `tests/entry/records.txt`.
fn one_of_each() -> Vec<(&'static str, Record)> {
    let invite = Invite { key: person(2).key(), expires_ms: Some(START_MS + 5), uses: Some(3) };
    let open = Invite { expires_ms: None, uses: None, ..invite };
    vec![
        ("room", of(&Body::Room(Room { period_s: 604_800, name: "den".to_owned() }), 1, &[], START_MS)),
        ("invite", of(&Body::Invite(invite), 2, &[], START_MS + 1)),
        ("open invite", of(&Body::Invite(open), 2, &[], START_MS + 1)),
        ("admit", of(&admission(false), 3, &SEEN[..1], START_MS + 2)),
        ("admit by invite", of(&admission(true), 3, &SEEN[..1], START_MS + 2)),
        ("leave", of(&Body::Leave, 4, &SEEN, START_MS + 3)),
        ("nickname", of(&Body::Nickname("Ann é".to_owned()), 1, &SEEN[..1], START_MS + 4)),
        ("message", of(&Body::Message("hi 👋\n".to_owned()), u32::MAX, &SEEN, TIME_MS_MAX)),
        ("promote", of(&Body::Promote(person(1).key()), 3, &SEEN[..1], START_MS + 2)),
        ("remove", of(&removal(), 3, &SEEN[..1], START_MS + 2)),
        ("revoke", of(&Body::Revoke(SEEN[0]), 3, &SEEN[..1], START_MS + 2)),
        ("topic", of(&Body::Topic("lunch é".to_owned()), 3, &SEEN[..1], START_MS + 2)),
        ("unknown", record(0xffff, 1, &SEEN[..1], 0, vec![0, 0xff])),
    ]
}

#[test]
fn records_and_ids_of_every_kind_never_change() {
    let golden = include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/../tests/entry/records.txt"));
    let lines = golden.lines().filter_map(|line| line.split_once(": "));
    let golden: BTreeMap<&str, &str> = lines.collect();
    let records = one_of_each();
    assert_eq!(golden.len(), records.len());
    for (name, record) in records {
        let is = format!("{} {}", HEXLOWER.encode(&record.to_bytes()), record.id(&ROOM));
        assert_eq!(is, golden[name], "{name}");
        check(&record);
    }
}

/// That a record has one form: it is read back as it is, and bytes that differ are refused or another record.
fn check(record: &Record) {
    let bytes = record.to_bytes();
    assert!(bytes.len() <= RECORD_BYTES_MAX);
    assert_eq!(Record::from_bytes(&bytes).as_ref(), Ok(record));
    for index in 0..bytes.len().min(400) {
        let mut other = bytes.clone();
        other[index] ^= 0x81;
        if let Ok(read) = Record::from_bytes(&other) {
            assert_eq!(read.to_bytes(), other, "byte {index}");
            assert_ne!(read.id(&ROOM), record.id(&ROOM));
        }
    }
}

#[test]
fn a_record_cut_short_is_refused_or_says_less() {
    for (name, record) in one_of_each() {
        let bytes = record.to_bytes();
        for length in 0..bytes.len() {
            match Record::from_bytes(&bytes[..length]) {
                Ok(read) => {
                    assert!(
                        matches!(
                            name,
                            "room"
                                | "nickname"
                                | "message"
                                | "topic"
                                | "unknown"
                                | "admit by invite"
                                | "remove"
                        ),
                        "{name}"
                    );
                    assert_eq!(read.to_bytes(), bytes[..length], "{name} cut to {length}");
                }
                Err(error) => assert!(
                    matches!(
                        error,
                        RecordError::Length | RecordError::Body(BodyError::Length | BodyError::Text)
                    ),
                    "{name} cut to {length}: {error}"
                ),
            }
        }
    }
}

#[test]
fn bytes_behind_a_body_of_fixed_form_are_refused() {
    for name in ["invite", "open invite", "admit", "admit by invite", "leave", "promote", "revoke"] {
        let (_, record) = one_of_each().into_iter().find(|(of, _)| *of == name).unwrap();
        for extra in [vec![0], vec![0; 32], vec![7; 127], vec![7; 129]] {
            let bytes = [record.to_bytes(), extra].concat();
            assert_eq!(Record::from_bytes(&bytes), Err(RecordError::Body(BodyError::Length)), "{name}");
        }
    }
}

fn refuse(record: Record, why: RecordError) {
    assert_eq!(record.check_form().as_ref(), Err(&why), "{record:?}");
    assert_eq!(Entry::new(record, &ROOM, None).as_ref(), Err(&why));
}

#[test]
fn fields_in_another_form_than_their_only_one_are_refused() {
    let base = message("hi");
    base.check_form().unwrap();
    let wrong = RecordError::NotCanonical;
    refuse(Record { dependencies: vec![SEEN[1], SEEN[0]], ..base.clone() }, wrong("dependencies"));
    refuse(Record { dependencies: vec![SEEN[0], SEEN[0]], ..base.clone() }, wrong("dependencies"));
    refuse(Record { dependencies: vec![PREVIOUS, SEEN[0]], ..base.clone() }, wrong("dependencies"));
    refuse(Record { seq: 0, ..base.clone() }, wrong("seq"));
    refuse(Record { seq: 0, previous: None, ..base.clone() }, wrong("seq"));
    refuse(Record { seq: 1, ..base.clone() }, wrong("seq"));
    refuse(Record { previous: None, ..base.clone() }, wrong("seq"));
    refuse(Record { claimed_ms: TIME_MS_MAX + 1, ..base.clone() }, wrong("claimed time"));
    refuse(Record { body: vec![b'x'; BODY_BYTES_MAX + 1], kind: 99, ..base.clone() }, wrong("body"));
    let room = of(&Body::Room(Room { period_s: 1, name: "den".to_owned() }), 1, &[], 0);
    room.check_form().unwrap();
    refuse(Record { dependencies: SEEN.to_vec(), ..room.clone() }, wrong("kind"));
    refuse(Record { seq: 2, previous: Some(PREVIOUS), ..room }, wrong("kind"));
    refuse(Record { seq: 1, previous: None, dependencies: Vec::new(), ..base.clone() }, wrong("kind"));
    let numbered = |n: u8| EntryId([n; 32]);
    let ids = |count: u8| (0x80..0x80 + count).map(numbered).collect::<Vec<_>>();
    Record { dependencies: ids(64), ..base.clone() }.check_form().unwrap();
    refuse(Record { dependencies: ids(65), ..base.clone() }, wrong("dependencies"));
    let longest = Record { dependencies: ids(64), body: vec![b'x'; BODY_BYTES_MAX], kind: 99, ..base };
    assert_eq!(longest.to_bytes().len(), RECORD_BYTES_MAX);
    check(&longest);
}

#[test]
fn bytes_in_another_form_than_the_only_one_are_refused() {
    let bytes = message("hi").to_bytes();
    let with = |at: usize, byte: u8| {
        let mut other = bytes.clone();
        other[at] = byte;
        Record::from_bytes(&other)
    };
    const SEQ: usize = 1 + 2 + 40;
    const COUNT: usize = SEQ + 4 + 32;
    assert_eq!(with(0, 0), Err(RecordError::Version(0)));
    assert_eq!(with(0, 2), Err(RecordError::Version(2)));
    // With seq 0 or 1 there is no previous, so its first byte counts the dependencies.
    assert_eq!(with(SEQ + 3, 0), Err(RecordError::Length));
    assert_eq!(with(SEQ + 3, 1), Err(RecordError::Length));
    let mut never = of(&Body::Leave, 1, &SEEN, 0).to_bytes();
    never[SEQ + 3] = 0;
    assert_eq!(Record::from_bytes(&never), Err(RecordError::NotCanonical("seq")));
    assert_eq!(with(COUNT, 255), Err(RecordError::Length));
    assert_eq!(with(COUNT + 1, 0x34), Err(RecordError::NotCanonical("dependencies")));
    assert_eq!(Record::from_bytes(&vec![VERSION; RECORD_BYTES_MAX + 1]), Err(RecordError::Length));
    assert_eq!(Record::from_bytes(&[]), Err(RecordError::Length));
}

#[test]
fn texts_are_utf8_and_within_their_limits() {
    let with = |kind: Kind, body: Vec<u8>| record(kind.number(), 2, &SEEN, 0, body);
    for (kind, max) in [(Kind::Message, MESSAGE_BYTES_MAX), (Kind::Nickname, NAME_BYTES_MAX)] {
        check(&with(kind, vec![b'x'; max]));
        check(&with(kind, b"\0".to_vec()));
        refuse(with(kind, vec![b'x'; max + 1]), BodyError::Length.into());
        refuse(with(kind, Vec::new()), BodyError::Length.into());
        refuse(with(kind, vec![b'a', 0xff]), BodyError::Text.into());
        refuse(with(kind, "é".as_bytes()[..1].to_vec()), BodyError::Text.into());
        // An overlong form of '/', and half a surrogate pair.
        refuse(with(kind, vec![0xc0, 0xaf]), BodyError::Text.into());
        refuse(with(kind, vec![0xed, 0xa0, 0x80]), BodyError::Text.into());
    }
    let room = |body: Vec<u8>| record(0, 1, &[], 0, body);
    check(&room([&[0, 0, 0, 1][..], &[b'x'; NAME_BYTES_MAX]].concat()));
    refuse(room(vec![0, 0, 0, 1]), BodyError::Length.into());
    refuse(room(vec![0, 0, 1]), BodyError::Length.into());
    refuse(room([&[0, 0, 0, 1][..], &[b'x'; NAME_BYTES_MAX + 1]].concat()), BodyError::Length.into());
    refuse(room(b"\0\0\0\0den".to_vec()), BodyError::NotCanonical("period").into());
}

#[test]
fn keys_that_can_be_nobody_are_neither_invited_nor_admitted() {
    let mut off_curve = [0; 32];
    off_curve[0] = 2;
    let mut neutral = [0; 32];
    neutral[0] = 1;
    for key in [off_curve, neutral, [0; 32]] {
        for rest in [10, 64, 192] {
            let kind = if rest == 10 { Kind::Invite } else { Kind::Admit };
            let body = [&key[..], &vec![0; rest]].concat();
            refuse(record(kind.number(), 2, &SEEN, 0, body), BodyError::NotCanonical("key").into());
        }
    }
}

#[test]
fn limits_of_an_invite_that_have_no_form_are_not_written() {
    let base = Invite { key: person(2).key(), expires_ms: Some(1), uses: Some(1) };
    let encode = |invite: Invite| Body::Invite(invite).encode();
    assert!(encode(base).is_some());
    assert!(encode(Invite { expires_ms: Some(TIME_MS_MAX), uses: Some(u32::MAX), ..base }).is_some());
    // Each of these would be read as "without a limit", or as another one.
    assert_eq!(encode(Invite { expires_ms: Some(0), ..base }), None);
    assert_eq!(encode(Invite { expires_ms: Some(TIME_MS_MAX + 1), ..base }), None);
    assert_eq!(encode(Invite { uses: Some(0), ..base }), None);
}

#[test]
fn a_removal_names_entries_in_one_order_and_not_too_many() {
    let of = |ids: &[[u8; 32]]| {
        let body = [&[person(1).key().0][..], ids].concat().concat();
        record(Kind::Remove.number(), 2, &SEEN, 0, body)
    };
    let numbered = |count: u8| (0..count).map(|number| [number; 32]).collect::<Vec<_>>();
    for count in [0, 1, 64] {
        check(&of(&numbered(count)));
    }
    refuse(of(&numbered(65)), BodyError::Length.into());
    refuse(of(&[[2; 32], [1; 32]]), BodyError::NotCanonical("entries").into());
    refuse(of(&[[1; 32], [1; 32]]), BodyError::NotCanonical("entries").into());
    let remove = |seen: Vec<EntryId>| Body::Remove(Box::new(Remove { key: person(1).key(), seen }));
    assert_eq!(remove(vec![SEEN[1], SEEN[0]]).encode(), None);
    assert_eq!(remove(vec![SEEN[0], SEEN[0]]).encode(), None);
    assert!(remove((0..64).map(|number| EntryId([number; 32])).collect()).encode().is_some());
    assert_eq!(remove((0..65).map(|number| EntryId([number; 32])).collect()).encode(), None);
}

#[test]
fn a_topic_that_cannot_be_read_is_carried_as_before_there_were_topics() {
    let topic = |length| Body::Topic("a".repeat(length));
    assert_eq!(topic(TOPIC_BYTES_MAX + 1).encode(), None);
    assert!(topic(TOPIC_BYTES_MAX).encode().is_some());
    let unreadable = [vec![0xff, 0xfe], vec![b'a'; TOPIC_BYTES_MAX + 1], vec![0; BODY_BYTES_MAX]];
    for body in unreadable {
        let kind = Kind::Topic.number();
        let entry = Entry::sign(record(kind, 2, &SEEN, 0, body), &ROOM, &person(0)).unwrap();
        assert_eq!(entry.body(), Body::Unknown { kind });
    }
}

#[test]
fn what_says_who_may_be_here_is_told_from_what_is_said() {
    let of_roster: Vec<u16> = (0..0x200).filter(|number| Kind::is_roster(*number)).collect();
    let known =
        [Kind::Room, Kind::Invite, Kind::Admit, Kind::Leave, Kind::Promote, Kind::Remove, Kind::Revoke];
    assert_eq!(of_roster, known.map(Kind::number));
}

#[test]
fn kinds_nobody_knows_are_carried_with_any_body_within_the_limits() {
    for kind in (6..=8).chain([12, 14, 0x100, 0x105, 0x10b, u16::MAX]) {
        for body in [Vec::new(), vec![0xff, 0xfe], vec![0; BODY_BYTES_MAX]] {
            let record = record(kind, 2, &SEEN, 0, body);
            check(&record);
            let entry = Entry::sign(record, &ROOM, &person(0)).unwrap();
            assert_eq!(entry.body(), Body::Unknown { kind });
            assert_eq!(entry.body().encode(), None);
            assert!(entry.is_signed());
        }
    }
}

#[test]
fn a_signature_vouches_for_one_entry_of_one_room_by_its_author() {
    let entry = Entry::sign(message("hi"), &ROOM, &person(0)).unwrap();
    assert!(entry.is_signed());
    let signature = entry.signature().copied();
    assert!(!entry.clone().without_signature().is_signed());
    let again = |record: Record, room: &RoomId| Entry::new(record, room, signature).unwrap();
    assert_eq!(again(message("hi"), &ROOM), entry);
    assert!(!again(message("ho"), &ROOM).is_signed());
    assert!(!again(message("hi"), &RoomId([8; 32])).is_signed());
    assert!(!again(Record { chain: chain(1, 1), ..message("hi") }, &ROOM).is_signed());
    assert!(!Entry::sign(message("hi"), &ROOM, &person(1)).unwrap().is_signed(), "signed by another key");
}

#[test]
fn a_first_entry_is_the_same_in_every_room_and_no_other_is() {
    let first = &one_of_each()[0].1;
    assert_eq!(first.id(&ROOM), first.id(&RoomId([8; 32])));
    assert_ne!(message("hi").id(&ROOM), message("hi").id(&RoomId([8; 32])));
}

fn body() -> impl Strategy<Value = Body> {
    let text = |max: usize| proptest::string::string_regex(&format!(".{{1,{}}}", max / 4)).unwrap();
    let key = (0..20_u8).prop_map(|number| person(number).key());
    let signature = || any::<u8>().prop_map(|byte| Signature([byte; 64]));
    let proof = (any::<[u8; 32]>(), any::<[u8; 32]>(), signature())
        .prop_map(|(invite, channel, signature)| InviteProof { invite: EntryId(invite), channel, signature });
    prop_oneof![
        (1_u32.., text(NAME_BYTES_MAX)).prop_map(|(period_s, name)| Body::Room(Room { period_s, name })),
        (key.clone(), proptest::option::of(1..=TIME_MS_MAX), proptest::option::of(1_u32..))
            .prop_map(|(key, expires_ms, uses)| Body::Invite(Invite { key, expires_ms, uses })),
        (key, signature(), proptest::option::of(proof))
            .prop_map(|(key, card, proof)| Body::Admit(Box::new(Admit { key, card, proof }))),
        Just(Body::Leave),
        (0..20_u8).prop_map(|number| Body::Promote(person(number).key())),
        (0..20_u8, prop::collection::btree_set(any::<[u8; 32]>(), 0..4)).prop_map(|(number, seen)| {
            let seen = seen.into_iter().map(EntryId).collect();
            Body::Remove(Box::new(Remove { key: person(number).key(), seen }))
        }),
        any::<[u8; 32]>().prop_map(|invite| Body::Revoke(EntryId(invite))),
        text(NAME_BYTES_MAX).prop_map(Body::Nickname),
        text(400).prop_map(Body::Message),
        text(TOPIC_BYTES_MAX).prop_map(Body::Topic),
        Just(Body::Topic(String::new())),
    ]
}

proptest! {
    #[test]
    fn what_is_said_is_read_as_it_was_written(body in body(), seq in 1..=u32::MAX, claimed in 0..=TIME_MS_MAX) {
        let is_room = matches!(body, Body::Room(_));
        let (seq, seen) = if is_room { (1, &[][..]) } else { (seq, &SEEN[..]) };
        let record = of(&body, seq, seen, claimed);
        prop_assert_eq!(&Body::decode(record.kind, &record.body).unwrap(), &body);
        check(&record);
    }

    #[test]
    fn any_bytes_are_refused_or_the_only_form_of_a_record(
        kind in 0..14_u8, seq in 0..3_u8, count in 0..3_u8, rest in prop::collection::vec(any::<u8>(), 0..300),
    ) {
        let mut bytes = vec![VERSION, 0, kind];
        bytes.extend_from_slice(&[1; 40]);
        bytes.extend_from_slice(&[0, 0, 0, seq]);
        if seq > 1 {
            bytes.extend_from_slice(&[1; 32]);
        }
        bytes.push(count);
        bytes.extend_from_slice(&rest);
        if let Ok(record) = Record::from_bytes(&bytes) {
            prop_assert_eq!(record.to_bytes(), bytes);
            if let Some((number, body)) = Body::decode(record.kind, &record.body).unwrap().encode() {
                prop_assert_eq!((number.number(), body), (record.kind, record.body));
            }
        }
    }
}

#[test]
fn checking_a_body_accepts_what_reading_it_does() {
    let texts = [
        vec![],
        b"hi".to_vec(),
        vec![0xff, 0xfe],
        vec![b'x'; MESSAGE_BYTES_MAX],
        vec![b'x'; MESSAGE_BYTES_MAX + 1],
    ];
    for kind in 0..=Kind::Revoke.number() + 1 {
        for bytes in &texts {
            assert_eq!(Body::check(kind, bytes), Body::decode(kind, bytes).map(drop), "{kind}");
        }
    }
}
