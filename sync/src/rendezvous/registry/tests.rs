use std::net::{IpAddr, Ipv4Addr};

use super::{Client, Full, Registry};
use crate::limits::millis;
use crate::limits::{
    RECORD_LIFE, RENDEZVOUS_PER_SOURCE_MAX, RENDEZVOUS_PER_TAG_MAX, RENDEZVOUS_SLOTS_PER_CLIENT_MAX,
    RENDEZVOUS_TAGS_PER_CLIENT_MAX,
};
use crate::rendezvous::Slot;

fn source(number: u8) -> IpAddr {
    Ipv4Addr::new(192, 0, 2, number).into()
}

fn slot(number: usize) -> Slot {
    let mut bytes = [0; 16];
    bytes[..8].copy_from_slice(&number.to_be_bytes());
    Slot(bytes)
}

fn tag(number: usize) -> [u8; 20] {
    let mut bytes = [0; 20];
    bytes[..8].copy_from_slice(&number.to_be_bytes());
    bytes
}

/// Everyone leaves its own number.
fn announce(registry: &mut Registry, who: u8, at: [u8; 20], now_ms: u64) -> Result<bool, Full> {
    let by = (Client(u64::from(who)), source(who));
    registry.announce(by, (at, slot(usize::from(who))), vec![who], now_ms)
}

fn found(registry: &Registry, who: u64, at: [u8; 20]) -> Vec<u8> {
    registry.others(Client(who), &at).flat_map(|(_, sealed)| sealed.to_vec()).collect()
}

#[test]
fn those_at_one_tag_find_each_other_and_not_themselves_or_those_elsewhere() {
    let mut registry = Registry::default();
    assert_eq!(announce(&mut registry, 1, tag(1), 0), Ok(true));
    assert_eq!(announce(&mut registry, 2, tag(1), 0), Ok(true));
    assert_eq!(announce(&mut registry, 3, tag(2), 0), Ok(true));
    assert_eq!(found(&registry, 1, tag(1)), [2]);
    assert_eq!(found(&registry, 2, tag(1)), [1]);
    assert_eq!(found(&registry, 9, tag(1)), [1, 2]);
    assert!(registry.watchers(Client(2), &tag(1)).eq([Client(1)]));
    assert_eq!(announce(&mut registry, 1, tag(1), 0), Ok(false), "said again it is no news");
    assert_eq!(registry.len(), 3);
}

#[test]
fn what_is_not_said_again_is_forgotten_and_counts_no_more() {
    let mut registry = Registry::default();
    let life = millis(RECORD_LIFE);
    announce(&mut registry, 1, tag(1), 0).unwrap();
    announce(&mut registry, 2, tag(1), 0).unwrap();
    announce(&mut registry, 1, tag(1), life - 1).unwrap();
    registry.leave(Client(2));
    registry.expire(life - 1);
    assert_eq!(found(&registry, 9, tag(1)), [1, 2], "who left is remembered for its time");
    registry.expire(life);
    assert_eq!(found(&registry, 9, tag(1)), [1]);
    registry.expire(10 * life);
    assert_eq!(registry.len(), 0);
    assert!(registry.by_source.is_empty() && registry.records.is_empty());
}

#[test]
fn nobody_takes_the_place_of_another_whose_connection_stands() {
    let mut registry = Registry::default();
    announce(&mut registry, 1, tag(1), 0).unwrap();
    let thief = (Client(2), source(2));
    assert_eq!(registry.announce(thief, (tag(1), slot(1)), vec![66], 0), Err(Full));
    assert_eq!(registry.client(&slot(1)), Some(Client(1)));
    // It comes back by another connection, before and after the end of the first one is noticed.
    assert_eq!(registry.announce((Client(7), source(1)), (tag(1), slot(1)), vec![1], 0), Ok(false));
    registry.leave(Client(1));
    assert_eq!(registry.client(&slot(1)), Some(Client(7)));
    registry.leave(Client(7));
    assert_eq!(registry.client(&slot(1)), None);
    assert_eq!(registry.announce((Client(8), source(1)), (tag(1), slot(1)), vec![1], 0), Ok(false));
}

#[test]
fn whoever_fills_a_tag_crowds_out_itself() {
    let mut registry = Registry::default();
    announce(&mut registry, 1, tag(1), 0).unwrap();
    announce(&mut registry, 2, tag(1), 0).unwrap();
    for number in 0..3 * RENDEZVOUS_PER_TAG_MAX {
        let (client, at) = (Client(1_000 + number as u64), (tag(1), slot(1_000 + number)));
        registry.announce((client, source(3)), at, vec![3], 1).unwrap();
    }
    assert_eq!(registry.len(), RENDEZVOUS_PER_TAG_MAX);
    let found = found(&registry, 9, tag(1));
    assert!(found.contains(&1) && found.contains(&2));
}

#[test]
fn one_source_and_one_connection_have_so_much_and_no_more() {
    let mut registry = Registry::default();
    let mut leave = |client: u64, number: usize| {
        registry.announce((Client(client), source(1)), (tag(number), slot(number)), vec![1], 0)
    };
    for number in 0..RENDEZVOUS_PER_SOURCE_MAX {
        leave((number / RENDEZVOUS_SLOTS_PER_CLIENT_MAX) as u64, number).unwrap();
    }
    assert_eq!(leave(900, 100_000), Err(Full));
    let mut registry = Registry::default();
    for number in 0..RENDEZVOUS_TAGS_PER_CLIENT_MAX {
        registry.watch(Client(1), tag(number)).unwrap();
    }
    assert_eq!(registry.watch(Client(1), tag(RENDEZVOUS_TAGS_PER_CLIENT_MAX)), Err(Full));
    registry.watch(Client(1), tag(0)).unwrap();
}

#[test]
fn one_connection_takes_only_so_many_slots_and_gives_them_back() {
    let mut registry = Registry::default();
    let by = (Client(1), source(1));
    for number in 0..RENDEZVOUS_SLOTS_PER_CLIENT_MAX {
        assert_eq!(registry.announce(by, (tag(1), slot(number)), vec![1], 0), Ok(true));
    }
    let more = slot(RENDEZVOUS_SLOTS_PER_CLIENT_MAX);
    assert_eq!(registry.announce(by, (tag(1), more), vec![1], 0), Err(Full));
    assert_eq!(registry.announce(by, (tag(2), slot(0)), vec![1], 0), Ok(true), "one it has");
    assert_eq!(registry.slots.len(), RENDEZVOUS_SLOTS_PER_CLIENT_MAX);
    // Another connection from there has taken one of them over.
    registry.announce((Client(2), source(1)), (tag(1), slot(3)), vec![1], 0).unwrap();
    registry.leave(Client(1));
    assert_eq!(registry.slots.keys().collect::<Vec<_>>(), [&slot(3)]);
}
