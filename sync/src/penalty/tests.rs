use std::net::{IpAddr, Ipv4Addr};

use super::*;

const HOST: IpAddr = IpAddr::V4(Ipv4Addr::new(192, 0, 2, 7));
const OTHER: IpAddr = IpAddr::V4(Ipv4Addr::new(192, 0, 2, 8));
const AUTHOR: AuthorKey = AuthorKey([7; 32]);

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap()
}

/// How an address is met after so many refusals at once, and how its author.
fn check(refused: Refused, ip: IpAddr, times: u32) -> (Verdict, bool) {
    let mut penalties = Penalties::default();
    for _ in 0..times {
        penalties.charge(refused, Some(ip), Some(&AUTHOR), 1_000);
    }
    assert_eq!(penalties.refusals().count(refused), u64::from(times));
    assert_eq!(penalties.of_address(OTHER, 1_000), Verdict::Welcome);
    (penalties.of_address(ip, 1_000), penalties.is_banned(&AUTHOR, 1_000))
}

#[test]
fn a_peer_is_warned_then_slowed_then_banned_with_its_author() {
    assert_eq!(check(Refused::NotValid, HOST, 1), (Verdict::Welcome, false));
    let (Verdict::Slowed(short), false) = check(Refused::NotValid, HOST, 2) else { panic!("not slowed") };
    let (Verdict::Slowed(long), false) = check(Refused::NotValid, HOST, 4) else { panic!("not slowed") };
    assert!(short < long && long < ANSWER_DELAY_MAX);
    assert_eq!(check(Refused::NotValid, HOST, 5), (Verdict::Banned, true));
}

#[test]
fn strangers_have_more_patience_and_the_machine_itself_even_more() {
    assert_eq!(check(Refused::NoRoom, HOST, 12), (Verdict::Welcome, false));
    assert!(matches!(check(Refused::NoRoom, HOST, 59), (Verdict::Slowed(_), false)));
    assert_eq!(check(Refused::NoRoom, HOST, 60), (Verdict::Banned, false));
    let here = IpAddr::V4(Ipv4Addr::LOCALHOST);
    assert_eq!(check(Refused::NoRoom, here, 12 * 8), (Verdict::Welcome, false));
    assert_eq!(check(Refused::NoRoom, here, 60 * 8), (Verdict::Banned, false));
    assert!(matches!(check(Refused::NotValid, here, 10), (Verdict::Slowed(_), true)));
}

#[test]
fn what_anyone_on_the_way_can_cause_is_not_held_against_the_author() {
    for refused in [Refused::Altered, Refused::TooLong] {
        assert_eq!(check(refused, HOST, 100), (Verdict::Banned, false));
    }
}

#[test]
fn a_crowd_is_counted_and_not_charged() {
    for refused in [Refused::Crowded, Refused::Banned] {
        assert_eq!(check(refused, HOST, 10_000), (Verdict::Welcome, false));
    }
}

#[test]
fn a_ban_ends_by_itself_and_is_not_made_longer_by_trying() {
    let mut penalties = Penalties::default();
    let mut bans = 0;
    for _ in 0..10_000 {
        bans += u32::from(penalties.charge(Refused::NoRoom, Some(HOST), None, 0));
    }
    assert_eq!(bans, 1);
    let end = millis(DEBT_BANNED - DEBT_FORGIVEN);
    assert_eq!(penalties.of_address(HOST, end - 1), Verdict::Banned);
    assert_eq!(penalties.of_address(HOST, end), Verdict::Welcome);
    // It has had its warning, and goes on from there.
    penalties.charge(Refused::NoRoom, Some(HOST), None, end);
    assert!(matches!(penalties.of_address(HOST, end), Verdict::Slowed(_)));
}

#[test]
fn who_dials_the_wrong_room_with_pauses_is_never_slowed() {
    let mut penalties = Penalties::default();
    let mut now = 0;
    for attempt in 0..1_000u32 {
        assert_eq!(penalties.of_address(HOST, now), Verdict::Welcome, "attempt {attempt}");
        // Once for the room, once to knock.
        penalties.charge(Refused::NoRoom, Some(HOST), None, now);
        penalties.charge(Refused::NoRoom, Some(HOST), None, now);
        now += 250 << attempt.min(7);
    }
}

#[test]
fn of_too_many_sources_those_that_owe_least_are_forgotten() {
    let mut penalties = Penalties::default();
    for _ in 0..5 {
        penalties.charge(Refused::NotValid, Some(HOST), Some(&AUTHOR), 0);
    }
    for number in 0..3 * u32::try_from(SOURCES_MAX).unwrap() {
        let ip = IpAddr::V4(Ipv4Addr::from(0x0a00_0000 + number));
        let mut author = [0; 32];
        author[..4].copy_from_slice(&number.to_be_bytes());
        penalties.charge(Refused::NotValid, Some(ip), Some(&AuthorKey(author)), u64::from(number));
    }
    assert_eq!((penalties.addresses.len(), penalties.authors.len()), (SOURCES_MAX, SOURCES_MAX));
    assert_eq!(penalties.of_address(HOST, 10_000), Verdict::Banned);
    assert!(penalties.is_banned(&AUTHOR, 10_000));
}

#[test]
fn a_subscriber_is_an_ipv4_address_or_an_ipv6_network() {
    let same = |a: &str, b: &str| subscriber(a.parse().unwrap()) == subscriber(b.parse().unwrap());
    assert!(same("192.0.2.1", "::ffff:192.0.2.1"));
    assert!(!same("192.0.2.1", "192.0.2.2"));
    assert!(same("2001:db8::1", "2001:db8::ffff:1"));
    assert!(!same("2001:db8::1", "2001:db8:0:1::1"));
}

#[test]
fn every_reason_has_its_own_count_and_name() {
    for (index, refused) in Refused::ALL.into_iter().enumerate() {
        assert_eq!(refused as usize, index);
        assert_eq!(Refused::ALL.iter().filter(|other| other.name() == refused.name()).count(), 1);
    }
}
