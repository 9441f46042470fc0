use super::*;
use crate::wire::Frame;

/// Takes in frames, each by whom and how long; answers by whom they come out.
fn order(frames: &[(u64, usize)]) -> Vec<u64> {
    let mut turns = Turns::default();
    for &(id, bytes) in frames {
        turns.push((
            TransportEvent::Frame { id: ConnectionId(id), frame: Frame::Live(Vec::new()), bytes },
            None,
        ));
    }
    assert_eq!(turns.len(), frames.len());
    let popped = std::iter::from_fn(|| turns.pop()).map(|event| event.connection().unwrap().0).collect();
    assert!(turns.is_empty());
    popped
}

#[test]
fn what_is_said_in_passing_overtakes_what_is_sent_in_bulk() {
    let flood = [(1, 60_000); 8];
    let order = order(&[&flood[..], &[(2, 200), (2, 200)]].concat());
    assert!(order[..3].iter().filter(|id| **id == 2).count() == 2, "{order:?}");
}

#[test]
fn of_two_who_send_in_bulk_each_gets_half() {
    let order = order(&[[(1, 60_000); 8], [(2, 60_000); 8]].concat());
    for end in [4, 8, 12] {
        let ones = order[..end].iter().filter(|id| **id == 1).count();
        assert!(ones.abs_diff(end / 2) <= 1, "{order:?}");
    }
}

#[test]
fn many_small_ones_do_not_keep_a_large_one_out() {
    let order = order(&[&[(1, 60_000)][..], &[(2, 1_000); 200]].concat());
    assert!(order.iter().position(|id| *id == 1).unwrap() < 80, "{order:?}");
}

#[test]
fn what_one_peer_says_stays_in_order() {
    let mut turns = Turns::default();
    for bytes in [9_000, 10, 5_000, 1] {
        for id in [1, 2] {
            let frame = TransportEvent::Frame { id: ConnectionId(id), frame: Frame::Live(Vec::new()), bytes };
            turns.push((frame, None));
        }
    }
    let mut seen: BTreeMap<u64, Vec<usize>> = BTreeMap::new();
    while let Some(event) = turns.pop() {
        seen.entry(event.connection().unwrap().0).or_default().push(event.bytes());
    }
    assert!(seen.values().all(|bytes| *bytes == [9_000, 10, 5_000, 1]));
}
