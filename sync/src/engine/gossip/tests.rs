use std::net::SocketAddr;

use replica::identity::Identity;

use super::*;
use crate::engine::bench::{Bench, START_MS, ann, closed, person, sent};
use crate::engine::{Command, Output, Settings};
use crate::wire::ByeReason;

const LIFE_MS: u64 = 24 * 3_600_000;

fn address(number: u16) -> Address {
    SocketAddr::from(([192, 0, 2, 7], number)).into()
}

/// Ann, at these addresses, with bob (2) and carol (3) in her room.
fn bench(listening: &[Address]) -> Bench {
    let settings = Settings { seed: [5; 32], listening: listening.to_vec(), learns_addresses: true };
    Bench::new(settings, 2)
}

/// The records that were told, with the numbers of the connections.
fn records(outputs: &[Output]) -> Vec<(u64, AddressRecord)> {
    let peers = sent(outputs).into_iter().filter_map(|(number, frame)| match frame {
        Frame::Peers(peers) => Some((number, peers.records.clone())),
        _ => None,
    });
    peers.flat_map(|(number, records)| records.into_iter().map(move |record| (number, record))).collect()
}

fn record(by: &Identity, store: u8, expires_ms: u64, addresses: &[Address]) -> AddressRecord {
    AddressRecord::signed(by, StoreId([store; 16]), expires_ms, addresses.to_vec())
}

/// What is passed on of a record that connection 2 brings.
fn pass_on(bench: &mut Bench, record: &AddressRecord) -> Vec<(u64, AddressRecord)> {
    records(&bench.frame(2, Frame::Peers(Peers { records: vec![record.clone()] })))
}

fn is_dialed(bench: &Bench, address: Address) -> bool {
    let address = SocketAddr::from(address).to_string();
    bench.engine.book().addresses().any(|(known, _)| known == address)
}

#[test]
fn a_member_is_told_where_we_are_for_a_day_and_where_the_others_are() {
    let many: Vec<Address> = (1..=20).map(address).collect();
    let mut bench = bench(&many);
    let told = records(&bench.connect(2, &person(2)));
    let own = AddressRecord::signed(&ann(), StoreId([1; 16]), START_MS + LIFE_MS, many[..16].to_vec());
    assert_eq!(told, [(2, own.clone())]);
    // Bob's goes to carol, and not to himself when he comes back.
    let bobs = record(&person(2), 9, START_MS + LIFE_MS, &[address(80)]);
    assert_eq!(pass_on(&mut bench, &bobs), []);
    assert_eq!(records(&bench.connect(3, &person(3))), [(3, own.clone()), (3, bobs)]);
    bench.close(2);
    assert_eq!(records(&bench.connect(4, &person(2))), [(4, own)]);
}

#[test]
fn who_is_met_again_is_told_where_members_are_if_that_is_news() {
    let mut bench = bench(&[address(1)]);
    assert_eq!(records(&bench.meet(2, &person(2))).len(), 1);
    bench.close(2);
    assert_eq!(records(&bench.meet(3, &person(2))), []);
    bench.command(Command::Reachable(vec![address(2)]));
    bench.close(3);
    assert_eq!(records(&bench.meet(4, &person(2))), [], "it was told when we moved");
    bench.close(4);
    bench.command(Command::Reachable(vec![address(3)]));
    assert_eq!(records(&bench.meet(5, &person(2))).len(), 1);
}

#[test]
fn what_was_kept_is_taken_up_unless_it_has_expired_or_addresses_are_not_wanted() {
    let kept = |store: u8, expires_ms: u64, addresses: &[Address]| {
        let record = record(&ann(), store, expires_ms, addresses);
        ((record.author, record.store), to_bytes(&record))
    };
    let whereabouts: BTreeMap<Endpoint, Vec<u8>> = [
        kept(2, START_MS + 1, &[address(2)]),
        kept(3, START_MS, &[address(3)]),
        ((ann().key(), StoreId([4; 16])), vec![1, 2, 3]),
    ]
    .into();
    for learns_addresses in [true, false] {
        let settings = Settings { learns_addresses, ..Settings::default() };
        let bench = Bench::recalling(settings, whereabouts.clone());
        assert_eq!(bench.engine.records.len(), usize::from(learns_addresses));
        assert_eq!([2, 3].map(|port| is_dialed(&bench, address(port))), [learns_addresses, false]);
    }
}

#[test]
fn who_may_not_be_served_is_told_of_no_address() {
    let mut bench = bench(&[address(1)]);
    assert_eq!(records(&bench.connect(4, &person(4))), []);
    bench.connect(2, &person(2));
    let bobs = record(&person(2), 9, START_MS + LIFE_MS, &[address(80)]);
    assert_eq!(pass_on(&mut bench, &bobs), []);
    assert_eq!(records(&bench.admit(&person(4))).iter().map(|(to, _)| *to).collect::<Vec<_>>(), [4, 4]);
}

#[test]
fn who_neither_learns_nor_listens_tells_nothing() {
    assert_eq!(records(&bench(&[]).connect(2, &person(2))), []);
    let mut bench = Bench::new(Settings { listening: vec![address(1)], ..Settings::default() }, 1);
    assert_eq!(records(&bench.connect(2, &person(2))), []);
    let bobs = record(&person(2), 8, START_MS + LIFE_MS, &[address(80)]);
    assert_eq!(pass_on(&mut bench, &bobs), []);
    assert_eq!(records(&bench.command(Command::Reachable(vec![address(2)]))), []);
    assert!(bench.engine.records.is_empty() && !is_dialed(&bench, address(80)));
}

#[test]
fn who_moves_says_so_and_of_two_moves_at_once_the_later_wins() {
    let mut bench = bench(&[address(1)]);
    bench.connect(2, &person(2));
    for (port, expires_ms) in [(2, START_MS + LIFE_MS + 1), (3, START_MS + LIFE_MS + 2)] {
        let told = records(&bench.command(Command::Reachable(vec![address(port)])));
        assert_eq!(told, [(2, record(&ann(), 1, expires_ms, &[address(port)]))]);
        bench.now.wall_ms += 1;
    }
    assert_eq!(records(&bench.command(Command::Reachable(vec![address(3)]))), [], "that is known");
    bench.command(Command::Reachable(Vec::new()));
    assert_eq!(bench.engine.own_record, None);
}

#[test]
fn our_record_is_told_anew_before_it_expires_and_when_the_clock_was_wrong() {
    let mut bench = bench(&[address(1)]);
    bench.connect(2, &person(2));
    let half_ms = LIFE_MS / 2;
    assert_eq!(bench.engine.own_record_due(), Some(bench.now.monotonic_ms + half_ms));
    bench.now.wall_ms += half_ms - 1;
    bench.now.monotonic_ms += half_ms - 1;
    bench.engine.now = bench.now;
    bench.engine.renew_own_record();
    assert_eq!(bench.engine.own_record.as_ref().unwrap().expires_ms, START_MS + LIFE_MS);
    bench.engine.now.wall_ms += 1;
    bench.engine.renew_own_record();
    let renewed = bench.engine.own_record.clone().unwrap();
    assert_eq!(renewed.expires_ms, START_MS + half_ms + LIFE_MS);
    assert!(
        matches!(bench.engine.poll_output(), Output::Send(ConnectionId(2), Frame::Peers(told)) if told.records == [renewed])
    );
    // Of the year 2100, and then back.
    bench.engine.now.wall_ms -= 1_000;
    bench.engine.renew_own_record();
    assert_eq!(bench.engine.own_record.as_ref().unwrap().expires_ms, START_MS + half_ms + LIFE_MS - 1_000);
}

#[test]
fn a_record_is_believed_if_its_author_signed_it_and_it_holds_and_is_newer() {
    let mut bench = bench(&[]);
    bench.connect(2, &person(2));
    bench.connect(3, &person(3));
    let carols = |expires_ms, port| record(&person(3), 9, expires_ms, &[address(port)]);
    let later = START_MS + LIFE_MS;
    let own = record(&ann(), 1, later, &[address(1)]);
    for (nothing, why) in [
        (own, "what others say of us"),
        (carols(START_MS, 1), "expired"),
        (carols(START_MS + 2 * LIFE_MS, 1), "from the future"),
        (carols(u64::MAX, 1), "from the end of time"),
    ] {
        assert_eq!(pass_on(&mut bench, &nothing), [], "{why}");
        assert!(bench.engine.records.is_empty(), "{why}");
    }
    for (record, is_news) in [
        (carols(START_MS + 1, 1), true),
        (carols(later, 1), true),
        (carols(later, 2), false),
        (carols(later - 1, 2), false),
        (carols(later + 1, 2), true),
        // The same again is news once it holds for an hour longer.
        (carols(later + 3_600_000, 2), false),
        (carols(later + 3_600_001, 2), true),
        (carols(START_MS + 2 * LIFE_MS - 1, 3), true),
    ] {
        let expected: Vec<_> = is_news.then(|| (3, record.clone())).into_iter().collect();
        assert_eq!(pass_on(&mut bench, &record), expected, "{record:?}");
        assert_eq!(bench.engine.record(&person(3).key()) == Some(&record), is_news);
    }
    assert!([1, 2, 3].into_iter().all(|port| is_dialed(&bench, address(port))));
    // Of ourselves, another home.
    let home = record(&ann(), 2, later, &[address(5)]);
    assert_eq!(pass_on(&mut bench, &home), [(3, home)]);
}

#[test]
fn what_holds_no_longer_is_forgotten_and_what_is_of_somebody_who_is_out() {
    let mut bench = bench(&[]);
    bench.connect(2, &person(2));
    let (bobs, carols) =
        (record(&person(2), 9, START_MS + 5_000, &[]), record(&person(3), 9, START_MS + 5_001, &[]));
    pass_on(&mut bench, &bobs);
    pass_on(&mut bench, &carols);
    bench.now.wall_ms += 5_000;
    bench.frame(2, Frame::Peers(Peers { records: Vec::new() }));
    assert_eq!(bench.engine.records.keys().map(|(author, _)| *author).collect::<Vec<_>>(), [person(3).key()]);
    bench.command(Command::Remove(person(3).key()));
    bench.frame(2, Frame::Peers(Peers { records: Vec::new() }));
    assert!(bench.engine.records.is_empty());
}

#[test]
fn of_one_author_few_stores_are_remembered_and_of_all_not_too_many() {
    let records = |count: u16| -> BTreeMap<Endpoint, AddressRecord> {
        let endpoint = |number: u16| {
            let [high, low] = number.to_be_bytes();
            let mut author = AuthorKey([low; 32]);
            author.0[0] = high;
            (author, StoreId([1; 16]))
        };
        (0..count).map(|number| (endpoint(number), record(&ann(), 1, 0, &[]))).collect()
    };
    let most = u16::try_from(RECORDS_MAX).unwrap();
    assert!(has_room_for(&records(most - 1), &ann().key()) && !has_room_for(&records(most), &ann().key()));
    let mut bench = bench(&[]);
    bench.connect(2, &person(2));
    bench.connect(3, &person(3));
    for store in [0, 1, 2, 3, 4, 5, 6, 255] {
        assert_eq!(pass_on(&mut bench, &record(&person(3), store, START_MS + 9, &[])).len(), 1, "{store}");
    }
    let another = record(&person(3), 77, START_MS + 9, &[address(1)]);
    assert_eq!(pass_on(&mut bench, &another), []);
    let known = record(&person(3), 255, START_MS + 10, &[address(1)]);
    assert_eq!(pass_on(&mut bench, &known).len(), 1, "that one has a place");
}

#[test]
fn what_is_told_of_somebody_unknown_counts_once_they_are_a_member() {
    let mut bench = bench(&[]);
    bench.connect(2, &person(2));
    for store in 0..10 {
        let early = record(&person(4), store, START_MS + LIFE_MS, &[address(4)]);
        assert_eq!(pass_on(&mut bench, &early), []);
    }
    assert_eq!((bench.engine.records.len(), bench.engine.early_records.len()), (0, RECORDS_PER_AUTHOR_MAX));
    assert!(!is_dialed(&bench, address(4)));
    assert_eq!(records(&bench.admit(&person(4))).len(), RECORDS_PER_AUTHOR_MAX);
    assert_eq!((bench.engine.records.len(), bench.engine.early_records.len()), (RECORDS_PER_AUTHOR_MAX, 0));
    assert!(is_dialed(&bench, address(4)));
}

#[test]
fn many_records_go_into_several_frames() {
    let mut bench = bench(&[]);
    bench.connect(2, &person(2));
    for number in 10..80 {
        bench.admit(&person(number));
        pass_on(&mut bench, &record(&person(number), 1, START_MS + LIFE_MS, &[]));
    }
    let outputs = bench.connect(3, &person(3));
    let counts = sent(&outputs).into_iter().filter_map(|(_, frame)| match frame {
        Frame::Peers(peers) => Some(peers.records.len()),
        _ => None,
    });
    assert_eq!(
        counts.collect::<Vec<_>>(),
        [ADDRESS_RECORDS_PER_FRAME_MAX, 70 - ADDRESS_RECORDS_PER_FRAME_MAX]
    );
}

#[test]
fn anything_that_a_peer_is_to_know_makes_another_mark() {
    let mark = |told: &[AddressRecord]| {
        let mut bench = bench(&[]);
        bench.connect(3, &person(3));
        for record in told {
            bench.frame(3, Frame::Peers(Peers { records: vec![record.clone()] }));
        }
        bench.engine.addresses_mark((person(2).key(), StoreId([9; 16])))
    };
    let later = START_MS + LIFE_MS;
    let carols = record(&person(3), 9, later, &[address(1)]);
    let (other_ip, other_port) = (SocketAddr::from(([192, 0, 2, 8], 1)).into(), address(2));
    let marks = [
        mark(&[]),
        mark(std::slice::from_ref(&carols)),
        mark(&[record(&person(3), 8, later, &[address(1)])]),
        mark(&[record(&ann(), 9, later, &[address(1)])]),
        mark(&[record(&person(3), 9, later, &[other_ip])]),
        mark(&[record(&person(3), 9, later, &[other_port])]),
        mark(&[record(&person(3), 9, later + LIFE_MS / 4, &[address(1)])]),
    ];
    assert_eq!(marks.iter().collect::<std::collections::BTreeSet<_>>().len(), marks.len());
    let window_ms = LIFE_MS / 4;
    let within = later - later % window_ms;
    let [early, late] =
        [within, within + window_ms - 1].map(|expires| mark(&[record(&person(3), 9, expires, &[])]));
    assert_eq!(early, late, "a little longer is no news");
    assert_eq!(
        mark(&[carols.clone(), record(&person(2), 9, later, &[])]),
        mark(&[carols]),
        "of itself it knows"
    );
}

#[test]
fn a_kept_record_is_read_back_and_what_is_no_record_is_not() {
    let record = record(&person(3), 9, START_MS, &[address(1), address(2)]);
    let (endpoint, bytes) = ((person(3).key(), StoreId([9; 16])), to_bytes(&record));
    assert_eq!(from_bytes(endpoint, &bytes), Some(record));
    assert_eq!(from_bytes(endpoint, &bytes[1..]), None);
    assert_eq!(from_bytes(endpoint, &bytes[..71]), None);
    assert_eq!(from_bytes(endpoint, &[]), None);
}

#[test]
fn of_two_records_of_somebody_not_known_yet_the_newer_one_is_kept() {
    let mut bench = bench(&[]);
    bench.connect(2, &person(2));
    let newer = record(&person(9), 9, START_MS + LIFE_MS, &[address(81)]);
    let older = record(&person(9), 9, START_MS + LIFE_MS - 1, &[address(80)]);
    pass_on(&mut bench, &newer);
    pass_on(&mut bench, &older);
    bench.admit(&person(9));
    assert_eq!([80, 81].map(|port| is_dialed(&bench, address(port))), [false, true]);
}

#[test]
fn what_is_not_to_be_told_is_not_due_to_be_renewed() {
    let settings = Settings { listening: vec![address(1)], ..Settings::default() };
    let mut bench = Bench::new(settings, 1);
    bench.meet(2, &person(2));
    bench.close(2);
    assert_eq!(bench.engine.own_record_due(), None);
}

#[test]
fn who_moves_on_and_on_is_followed_by_steps_and_where_they_stay_is_told() {
    let mut bench = bench(&[]);
    bench.connect(2, &person(2));
    bench.connect(3, &person(3));
    let moved = |port| record(&person(2), 9, START_MS + LIFE_MS + u64::from(port), &[address(port)]);
    let told = (0..100).filter(|port| !pass_on(&mut bench, &moved(*port)).is_empty()).count();
    assert_eq!(told as u64, ADDRESS_BURST);
    let pause_ms = millis(ADDRESS_PAUSE);
    assert_eq!(records(&bench.pass(pause_ms - 1)), []);
    assert_eq!(records(&bench.pass(1)), [(2, moved(99)), (3, moved(99))]);
    assert_eq!(records(&bench.pass(10 * pause_ms)), []);
    // Others are heard meanwhile.
    let other = record(&person(3), 9, START_MS + LIFE_MS, &[address(80)]);
    assert_eq!(pass_on(&mut bench, &other), [(3, other)]);
}

#[test]
fn who_tells_a_record_that_its_author_did_not_sign_is_sent_away() {
    let mut bench = bench(&[]);
    bench.connect(2, &person(2));
    bench.connect(3, &person(3));
    for who in [3, 9] {
        let true_one = record(&person(who), 9, START_MS + LIFE_MS, &[address(1)]);
        let forged = AddressRecord { expires_ms: true_one.expires_ms - 1, ..true_one };
        let outputs = bench.frame(2, Frame::Peers(Peers { records: vec![forged] }));
        assert_eq!((closed(&outputs), records(&outputs)), (vec![(2, Some(ByeReason::Protocol))], vec![]));
        assert!(bench.engine.records.is_empty() && bench.engine.early_records.is_empty());
        bench.connect(2, &person(2));
    }
}

#[test]
fn who_moves_on_and_on_from_ever_new_stores_fills_no_memory() {
    let mut bench = bench(&[]);
    bench.connect(2, &person(2));
    let moved =
        |store, port| record(&person(2), store, START_MS + LIFE_MS + u64::from(port), &[address(port)]);
    (0..100).for_each(|port| drop(pass_on(&mut bench, &moved(9, port))));
    (10..100).for_each(|store| drop(pass_on(&mut bench, &moved(store, 1))));
    assert_eq!((bench.engine.records.len(), bench.engine.early_records.len()), (1, RECORDS_PER_AUTHOR_MAX));
    // Of one that waits the latest counts, also when there is no more room.
    pass_on(&mut bench, &moved(9, 200));
    bench.pass(millis(ADDRESS_PAUSE));
    assert!(is_dialed(&bench, address(200)));
}
