use super::Incoming;
use crate::limits::{
    WINDOW_BYTES, WINDOW_FIRST_BYTES, WINDOW_OPENS_ENTRIES, WINDOW_OVERSHOOT_BYTES, WINDOW_PACED_BYTES,
};

#[test]
fn what_is_taken_in_is_acknowledged_once_it_is_durable() {
    let mut incoming = Incoming::default();
    let number = incoming.frame(100).unwrap();
    incoming.taken(number, 3, 10, 0);
    incoming.durable(9);
    assert_eq!(incoming.next_acknowledgement(), None);
    incoming.durable(10);
    assert_eq!(incoming.next_acknowledgement(), Some(1));
    assert_eq!(incoming.next_acknowledgement(), None);
}

#[test]
fn what_waits_for_its_causes_holds_up_the_count() {
    let mut incoming = Incoming::default();
    let (waits, taken) = (incoming.frame(100).unwrap(), incoming.frame(100).unwrap());
    incoming.waits(waits);
    incoming.taken(taken, 1, 1, 0);
    incoming.durable(1);
    assert_eq!(incoming.next_acknowledgement(), None);
}

#[test]
fn more_than_the_window_and_its_overshoot_is_refused() {
    let mut incoming = Incoming::default();
    assert!(incoming.frame(WINDOW_FIRST_BYTES + WINDOW_OVERSHOOT_BYTES).is_some());
    assert!(incoming.frame(1).is_none());
}

#[test]
fn the_whole_window_is_for_what_was_asked_for() {
    let mut incoming = Incoming::default();
    assert_eq!(incoming.next_credit(WINDOW_BYTES), None);
    assert_eq!(incoming.want(WINDOW_OPENS_ENTRIES, 0), u32::try_from(WINDOW_BYTES - WINDOW_FIRST_BYTES).ok());
    let number = incoming.frame(WINDOW_BYTES).unwrap();
    incoming.bulk(0);
    incoming.taken(number, 1, 1, 0);
    incoming.durable(1);
    assert_eq!(incoming.next_credit(WINDOW_BYTES), u32::try_from(WINDOW_FIRST_BYTES).ok());
    assert_eq!(incoming.next_credit(WINDOW_BYTES), None);
}

#[test]
fn what_nobody_asked_for_is_granted_little_at_a_time() {
    let mut incoming = Incoming::default();
    assert_eq!(incoming.want(WINDOW_OPENS_ENTRIES - 1, 0), None);
    let number = incoming.frame(WINDOW_FIRST_BYTES).unwrap();
    incoming.taken(number, 1, 1, 0);
    incoming.durable(1);
    assert_eq!(incoming.next_credit(WINDOW_BYTES), u32::try_from(WINDOW_FIRST_BYTES).ok());
}

#[test]
fn who_sent_more_than_it_may_is_granted_all_of_it_again_before_it_sends_more() {
    let mut incoming = Incoming::default();
    let sent = WINDOW_FIRST_BYTES + WINDOW_OVERSHOOT_BYTES / 2;
    let number = incoming.frame(sent).unwrap();
    assert_eq!(incoming.next_credit(WINDOW_PACED_BYTES), None, "nothing of it is done with");
    incoming.taken(number, 1, 1, 0);
    incoming.durable(1);
    let narrowed = WINDOW_FIRST_BYTES - WINDOW_PACED_BYTES;
    assert_eq!(incoming.next_credit(0), u32::try_from(sent - WINDOW_FIRST_BYTES).ok(), "it has none left");
    assert_eq!(incoming.next_credit(WINDOW_PACED_BYTES), u32::try_from(WINDOW_PACED_BYTES).ok());
    assert_eq!(incoming.next_credit(WINDOW_PACED_BYTES), None);
    assert_eq!(incoming.next_credit(WINDOW_BYTES), u32::try_from(narrowed).ok());
}
