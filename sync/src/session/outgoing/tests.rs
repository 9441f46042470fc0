use replica::archive::StoredBlock;

use super::{Outgoing, READ_POSITIONS_MAX};
use crate::limits::{WINDOW_BYTES, WINDOW_FIRST_BYTES};

/// To a peer that has all below a position.
fn outgoing(from: u32) -> Outgoing {
    let mut outgoing = Outgoing::new(0);
    outgoing.resume(from);
    outgoing
}

fn block(first: u32, count: u32) -> StoredBlock {
    StoredBlock { first, count, bytes: Vec::new() }
}

#[test]
fn nothing_is_read_or_told_live_beyond_what_the_peer_takes() {
    let mut outgoing = outgoing(0);
    assert!(outgoing.is_live(0) && outgoing.takes(WINDOW_FIRST_BYTES));
    outgoing.sent(WINDOW_FIRST_BYTES, 1);
    assert!(outgoing.is_starved() && !outgoing.is_live(0) && !outgoing.takes(1));
    assert_eq!(outgoing.next_read(10), None);
    outgoing.grant(100);
    assert!(!outgoing.is_starved() && outgoing.takes(100) && !outgoing.takes(101));
    assert!(outgoing.next_read(10).is_some());
}

#[test]
fn no_more_is_taken_than_a_window() {
    let mut outgoing = outgoing(0);
    outgoing.grant(u32::MAX);
    assert!(outgoing.takes(WINDOW_BYTES) && !outgoing.takes(WINDOW_BYTES + 1));
}

#[test]
fn what_is_asked_for_is_sent_in_order_once_the_request_is_complete() {
    let mut outgoing = Outgoing::new(10);
    outgoing.request([3, 1]);
    outgoing.ask_back();
    assert!(!outgoing.end_request() && !outgoing.is_released());
    assert_eq!((outgoing.next_read(10), outgoing.remaining()), (None, 0));
    outgoing.request([7]);
    assert_eq!([7, 8].map(|at| outgoing.is_requested(at)), [true, false]);
    assert!(outgoing.end_request() && outgoing.is_released());
    assert!(!outgoing.is_requested(7), "the next request is another one");
    assert_eq!((outgoing.next_read(10), outgoing.remaining()), (Some(vec![1, 3, 7]), 3));
    assert_eq!(outgoing.next_read(10), None, "one read at a time");
    outgoing.is_reading = false;
    outgoing.request([2, 3]);
    assert!(outgoing.end_request());
    assert_eq!(outgoing.next_read(10), Some(vec![1, 2, 3, 7]));
}

#[test]
fn after_what_was_asked_for_comes_what_is_new_without_what_the_peer_has() {
    let mut outgoing = Outgoing::new(10);
    [9, 12, 16].into_iter().for_each(|at| outgoing.has(at));
    assert_eq!(outgoing.held().iter().copied().collect::<Vec<_>>(), [12, 16], "9 was told of");
    outgoing.request([4]);
    outgoing.end_request();
    assert_eq!(outgoing.missing(14), 1 + 4 - 2);
    assert_eq!(outgoing.next_read(14), Some(vec![4]));
    outgoing.is_reading = false;
    assert_eq!(outgoing.take(&block(4, 1)), [0]);
    assert_eq!(outgoing.next_read(14), Some(vec![10, 11, 13]));
    assert_eq!(outgoing.held().iter().copied().collect::<Vec<_>>(), [16]);
    assert_eq!(outgoing.take_held().len(), 1);
    assert!(outgoing.held().is_empty());
}

#[test]
fn one_read_names_so_many_positions_at_most() {
    let most = u32::try_from(READ_POSITIONS_MAX).unwrap();
    assert_eq!(outgoing(0).next_read(most + 5), Some((0..most).collect()));
}

#[test]
fn of_a_block_what_is_next_is_taken() {
    let mut outgoing = Outgoing::new(30);
    outgoing.request([10, 12, 13, 20]);
    outgoing.end_request();
    assert_eq!(outgoing.take(&block(9, 1)), [0; 0]);
    assert_eq!(outgoing.take(&block(10, 3)), [0, 2]);
    assert_eq!(outgoing.take(&block(20, 5)), [0; 0], "13 comes first");
    assert_eq!(outgoing.take(&block(11, 10)), [2, 9]);
    assert_eq!(outgoing.remaining(), 0);
    outgoing.took(&block(28, 4));
    assert_eq!(outgoing.next_read(34), Some(vec![32, 33]));
}

#[test]
fn what_is_new_goes_out_at_once_where_nothing_is_before_it() {
    assert!(outgoing(5).is_live(5) && !outgoing(5).is_live(6));
    assert!(!Outgoing::new(5).is_live(5), "it is not known what the peer lacks");
    let mut reading = outgoing(5);
    reading.is_reading = true;
    assert!(!reading.is_live(5));
    let mut asked = outgoing(5);
    asked.request([1]);
    asked.end_request();
    assert!(!asked.is_live(5));
    let mut advanced = outgoing(5);
    advanced.has(6);
    advanced.has(8);
    advanced.advance(7);
    assert!(advanced.is_live(7) && advanced.held().iter().eq(&[8]));
}

#[test]
fn tips_told_later_move_where_the_peer_is_sent_on_from_until_that_is_known() {
    let mut outgoing = Outgoing::new(5);
    [6, 9].into_iter().for_each(|at| outgoing.has(at));
    outgoing.tell(8);
    assert!(outgoing.held().iter().eq(&[9]));
    outgoing.release();
    outgoing.tell(20);
    assert_eq!(outgoing.next_read(10), Some(vec![8]));
}

#[test]
fn frames_are_confirmed_in_order_each_once() {
    let mut outgoing = outgoing(0);
    outgoing.advance(6);
    (1..=3).for_each(|entries| outgoing.sent(10, entries));
    assert_eq!((outgoing.sent, outgoing.missing(6)), (6, 6));
    outgoing.acknowledge(2);
    outgoing.acknowledge(1);
    assert_eq!((outgoing.missing(6), outgoing.is_confirmed()), (3, false));
    outgoing.acknowledge(9);
    assert_eq!((outgoing.missing(6), outgoing.is_confirmed()), (0, true));
}

#[test]
fn an_equal_digest_confirms_all_that_is_durable() {
    let mut outgoing = Outgoing::new(3);
    outgoing.sent(10, 1);
    assert!(outgoing.confirm(5) && !outgoing.is_released());
    assert!(!outgoing.confirm(5), "nothing was sent since");
    outgoing.request([1]);
    outgoing.end_request();
    outgoing.sent(10, 1);
    assert!(outgoing.confirm(7));
    assert_eq!((outgoing.remaining(), outgoing.missing(7)), (0, 0));
    assert!(outgoing.is_live(7));
    // The three before count as confirmed: their acknowledgements may still come.
    outgoing.sent(10, 1);
    outgoing.acknowledge(2);
    assert!(!outgoing.is_confirmed());
    outgoing.acknowledge(3);
    assert!(outgoing.is_confirmed());
}

#[test]
fn what_is_being_read_is_sent_although_the_digests_are_equal() {
    let mut outgoing = outgoing(0);
    assert_eq!(outgoing.next_read(3), Some(vec![0, 1, 2]));
    outgoing.confirm(5);
    assert_eq!(outgoing.remaining(), 3);
    outgoing.is_reading = false;
    outgoing.confirm(5);
    assert_eq!((outgoing.remaining(), outgoing.missing(5)), (0, 0));
}

#[test]
fn it_rests_when_the_peer_was_sent_all_it_may_have() {
    assert!(outgoing(5).is_at_rest(5, true) && !outgoing(5).is_at_rest(6, true));
    assert!(outgoing(5).is_at_rest(6, false), "it gets nothing");
    let mut busy = outgoing(5);
    busy.next_read(6);
    assert!(!busy.is_at_rest(6, true), "what is read is to be sent");
    busy.is_reading = false;
    assert!(!busy.is_at_rest(6, true));
    busy.take(&block(5, 1));
    assert!(busy.is_at_rest(6, true));
    busy.is_reading = true;
    assert!(!busy.is_at_rest(6, true));
}
