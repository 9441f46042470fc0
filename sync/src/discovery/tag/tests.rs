use super::{DAY_MS, Means, days, open, seal, tag, until_next};
use crate::limits::SIGHTING_BYTES;

const SECRET: [u8; 32] = [7; 32];
const HOUR_MS: u64 = 3_600_000;

#[test]
fn two_clocks_that_differ_by_hours_share_a_tag_at_any_time() {
    for hour in 0..48 {
        let mine: Vec<u64> = days(1_000 * DAY_MS + hour * HOUR_MS).collect();
        assert!(mine.len() <= 2);
        for other in hour..=hour + 6 {
            let mut theirs = days(1_000 * DAY_MS + other * HOUR_MS);
            assert!(theirs.any(|day| mine.contains(&day)), "{hour} and {other}");
        }
    }
}

#[test]
fn tags_change_when_they_say_they_do_and_not_before() {
    let mut now = 1_000 * DAY_MS;
    for _ in 0..10 {
        let before: Vec<u64> = days(now).collect();
        let change = now + until_next(now);
        assert!(days(change - 1).eq(before.iter().copied()));
        assert!(!days(change).eq(before));
        now = change;
    }
}

#[test]
fn a_tag_differs_by_room_day_and_means() {
    let all = [
        tag(&SECRET, Means::Lan, 1),
        tag(&SECRET, Means::Lan, 2),
        tag(&SECRET, Means::Dht, 1),
        tag(&SECRET, Means::Rendezvous, 1),
        tag(&[8; 32], Means::Lan, 1),
    ];
    let different: std::collections::BTreeSet<_> = all.iter().collect();
    assert_eq!(different.len(), all.len());
}

#[test]
fn addresses_come_back_for_who_has_the_secret_and_all_look_alike_to_others() {
    let some = ["192.0.2.7:7400".parse().unwrap(), "[2001:db8::1]:7400".parse().unwrap()];
    for addresses in [&some[..], &[]] {
        let sealed = seal(&SECRET, 5, [3; 24], addresses);
        assert_eq!(sealed.len(), SIGHTING_BYTES);
        assert_eq!(open(&SECRET, 5, &sealed).unwrap(), addresses);
        assert_eq!(open(&SECRET, 6, &sealed), None);
        assert_eq!(open(&[8; 32], 5, &sealed), None);
        assert_eq!(open(&SECRET, 5, &sealed[1..]), None);
    }
}
