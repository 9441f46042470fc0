use replica::id::{ChainId, EntryId};

use super::{AuthorKey, Incoming, Tip};
use crate::limits::{
    BULK_ENTRIES_MIN, BULK_PATIENCE, OPEN_FRAMES_MAX, TIPS_KEPT_MAX, TIPS_TOLD_MAX, WINDOW_BYTES,
    WINDOW_FIRST_BYTES, WINDOW_OPENS_ENTRIES, WINDOW_OVERSHOOT_BYTES, WINDOW_PACED_BYTES,
    WINDOW_UNASKED_BYTES, millis,
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
    assert_eq!(
        incoming.want(WINDOW_OPENS_ENTRIES, true, 0),
        u32::try_from(WINDOW_BYTES - WINDOW_FIRST_BYTES).ok()
    );
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
    assert_eq!(incoming.want(WINDOW_OPENS_ENTRIES - 1, true, 0), None);
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

fn tip(number: u8) -> Tip {
    let chain = ChainId { author: AuthorKey([number; 32]), incarnation: 1 };
    Tip { chain, seq: 1, id: EntryId([number; 32]) }
}

#[test]
fn who_promises_again_what_did_not_come_wins_no_time() {
    let mut incoming = Incoming::default();
    incoming.want(10, true, 1_000);
    incoming.want(10, true, 5_000);
    assert_eq!(incoming.bulk_since_ms, Some(1_000));
    incoming.give_up_bulk();
    incoming.want(10, true, 9_000);
    assert_eq!(incoming.bulk_since_ms, Some(9_000));
}

#[test]
fn tips_are_asked_for_as_they_come_each_once() {
    let mut incoming = Incoming::default();
    assert_eq!(incoming.hear(vec![tip(2), tip(1), tip(2)], false, true), Some(vec![tip(1), tip(2)]));
    // Whatever others do meanwhile: what is told at once is asked for at once.
    assert_eq!(incoming.hear(vec![tip(3)], true, false), Some(vec![tip(3)]));
    assert_eq!(incoming.told, None);
}

#[test]
fn tips_are_kept_while_another_peer_is_asked_until_it_is_their_turn() {
    let mut incoming = Incoming::default();
    assert_eq!(incoming.hear(vec![tip(2), tip(1), tip(2)], false, false), Some(Vec::new()));
    assert_eq!(incoming.hear(vec![tip(1)], true, true), Some(Vec::new()));
    assert_eq!(incoming.turn(), Some(vec![tip(1), tip(2)]));
    assert_eq!(incoming.turn(), None);
}

#[test]
fn more_tips_than_are_kept_are_forgotten_and_more_than_anybody_has_refused() {
    let mut incoming = Incoming::default();
    let many = |count: usize| (0..count).map(|_| tip(1)).collect::<Vec<Tip>>();
    incoming.hear(many(TIPS_KEPT_MAX / 2), false, false);
    incoming.hear(many(TIPS_KEPT_MAX / 2), true, false);
    assert_eq!(incoming.turn(), Some(vec![tip(1)]));
    incoming.hear(many(TIPS_KEPT_MAX), false, false);
    assert_eq!(incoming.hear(many(1), false, false), Some(Vec::new()));
    assert_eq!(incoming.hear(many(1), true, false), Some(Vec::new()));
    assert_eq!(incoming.turn(), None);
    assert_eq!(incoming.hear(many(TIPS_TOLD_MAX), false, true), Some(vec![tip(1)]));
    assert_eq!(incoming.hear(many(1), true, true), None);
}

#[test]
fn a_request_of_several_frames_is_one() {
    let mut incoming = Incoming::default();
    incoming.hear(vec![tip(1)], false, true);
    incoming.want(2, false, 0);
    incoming.hear(vec![tip(2)], true, true);
    incoming.want(3, true, 5);
    assert_eq!((incoming.missing(), incoming.bulk_since_ms), (5, Some(0)));
    // The next one begins anew; that it asks for nothing is known at its end.
    incoming.hear(Vec::new(), false, true);
    incoming.want(0, false, 9);
    assert_eq!((incoming.missing(), incoming.bulk_since_ms), (0, Some(0)));
    incoming.hear(Vec::new(), true, true);
    incoming.want(0, true, 9);
    assert_eq!(incoming.bulk_since_ms, None);
}

#[test]
fn more_frames_that_wait_for_causes_than_may_are_noticed() {
    let mut incoming = Incoming::default();
    for _ in 0..OPEN_FRAMES_MAX {
        let number = incoming.frame(10).unwrap();
        assert!(incoming.waits(number));
    }
    let number = incoming.frame(10).unwrap();
    assert!(!incoming.waits(number));
}

#[test]
fn how_far_a_peer_reaches_is_kept_of_so_many_chains_until_nothing_of_it_is_new() {
    let mut incoming = Incoming::default();
    let numbered = |incarnation| Tip { chain: ChainId { incarnation, ..tip(1).chain }, seq: 5, ..tip(1) };
    let most = TIPS_KEPT_MAX as u64;
    incoming.hear((0..=most).map(numbered).collect(), true, true);
    let reaches = |incoming: &Incoming, number, seq| incoming.reaches(&numbered(number).chain, seq);
    assert_eq!([5, 6].map(|seq| reaches(&incoming, 0, seq)), [true, false]);
    assert_eq!([most - 1, most].map(|number| reaches(&incoming, number, 1)), [true, false]);
    incoming.forget_reaches();
    assert!(!reaches(&incoming, 0, 1));
}

/// Takes in one frame that is durable at once.
fn take_in(incoming: &mut Incoming, bytes: usize, new: usize, now_ms: u64) {
    let number = incoming.frame(bytes).unwrap();
    incoming.taken(number, new, 0, now_ms);
    incoming.durable(0);
}

#[test]
fn a_source_of_bulk_is_given_up_by_what_it_brings_and_not_by_what_it_sends() {
    let patience = millis(BULK_PATIENCE);
    let mut incoming = Incoming::default();
    assert_eq!((incoming.bulk_due_ms(), incoming.is_stalled(u64::MAX)), (None, false));
    incoming.want(0, true, 50);
    assert_eq!(incoming.bulk_due_ms(), None, "nothing was asked for");
    incoming.want(5_000, true, 100);
    assert_eq!(incoming.bulk_due_ms(), Some(100 + patience));
    take_in(&mut incoming, 1, 0, 300);
    assert!(!incoming.is_stalled(99 + patience) && incoming.is_stalled(100 + patience));
    take_in(&mut incoming, 1, 1, 400);
    assert_eq!(incoming.received, 1);
    assert!(!incoming.is_stalled(399 + patience) && incoming.is_stalled(400 + patience));
    assert_eq!(incoming.bulk_due_ms(), Some(100 + patience), "one entry is little");
    take_in(&mut incoming, 1, BULK_ENTRIES_MIN - 2, 500);
    assert_eq!(incoming.bulk_due_ms(), Some(100 + patience));
    take_in(&mut incoming, 1, 1, 600);
    assert_eq!(incoming.bulk_due_ms(), Some(600 + patience));
    take_in(&mut incoming, 1, BULK_ENTRIES_MIN - 1, 700);
    incoming.bear_with(800);
    take_in(&mut incoming, 1, 1, 900);
    assert_eq!(incoming.bulk_due_ms(), Some(800 + patience), "it is counted anew");
    assert_eq!(incoming.received, 2 * BULK_ENTRIES_MIN as u64);
}

#[test]
fn bulk_is_over_when_nothing_is_behind_a_frame() {
    let mut incoming = Incoming::default();
    incoming.want(10, true, 0);
    incoming.bulk(4);
    assert_eq!((incoming.missing(), incoming.is_at_rest()), (4, false));
    incoming.bulk(0);
    assert_eq!((incoming.missing(), incoming.is_at_rest()), (0, true));
}

#[test]
fn a_backlog_brought_unasked_widens_the_window_and_makes_no_source_of_bulk() {
    let mut incoming = Incoming::default();
    incoming.bulk(WINDOW_OPENS_ENTRIES - 1);
    assert_eq!(incoming.next_credit(WINDOW_BYTES), None);
    incoming.bulk(WINDOW_OPENS_ENTRIES);
    let wider = u32::try_from(WINDOW_UNASKED_BYTES - WINDOW_FIRST_BYTES).ok();
    assert_eq!((incoming.next_credit(WINDOW_BYTES), incoming.missing()), (wider, 0));
    assert!(incoming.is_at_rest());
    incoming.bulk(0);
    assert_eq!(incoming.next_credit(WINDOW_BYTES), None, "it has more than it may now");
    assert!(incoming.frame(WINDOW_UNASKED_BYTES + WINDOW_OVERSHOOT_BYTES).is_some(), "as was granted");
    assert!(incoming.frame(1).is_none());
}

#[test]
fn credit_is_granted_once_it_is_a_quarter_of_the_window() {
    let mut incoming = Incoming::default();
    let quarter = WINDOW_FIRST_BYTES / 4;
    take_in(&mut incoming, quarter - 1, 1, 0);
    assert_eq!(incoming.next_credit(WINDOW_BYTES), None);
    take_in(&mut incoming, 1, 1, 0);
    assert_eq!(incoming.next_credit(WINDOW_BYTES), u32::try_from(quarter).ok());
    assert_eq!(incoming.next_credit(0), None);
}

#[test]
fn what_waits_for_its_causes_is_granted_for_once_and_acknowledged_when_it_is_durable() {
    let mut incoming = Incoming::default();
    let (waits, taken) =
        (incoming.frame(WINDOW_FIRST_BYTES / 2).unwrap(), incoming.frame(WINDOW_FIRST_BYTES / 2).unwrap());
    incoming.taken(taken, 1, 5, 0);
    assert!(incoming.waits(taken));
    assert_eq!(
        incoming.next_credit(WINDOW_BYTES),
        None,
        "it was taken in: what it takes up is freed once durable"
    );
    assert!(incoming.waits(waits));
    assert_eq!(incoming.next_credit(WINDOW_BYTES), u32::try_from(WINDOW_FIRST_BYTES / 2).ok());
    incoming.taken(waits, 1, 6, 0);
    incoming.durable(6);
    assert_eq!(incoming.next_credit(WINDOW_BYTES), u32::try_from(WINDOW_FIRST_BYTES / 2).ok());
    assert_eq!(incoming.next_credit(WINDOW_BYTES), None);
    assert_eq!(incoming.next_acknowledgement(), Some(2));
}

#[test]
fn of_tips_that_may_be_asked_back_about_only_so_many_are_kept() {
    let mut incoming = Incoming::default();
    let tip = |number: u32| {
        let mut id = [0; 32];
        id[..4].copy_from_slice(&number.to_be_bytes());
        let chain = ChainId { author: AuthorKey([1; 32]), incarnation: 1 };
        Tip { chain, seq: number, id: EntryId(id) }
    };
    let most = u32::try_from(TIPS_KEPT_MAX).unwrap();
    assert!((0..most).all(|number| incoming.keep_asked(tip(number))));
    assert!(!incoming.keep_asked(tip(most)));
    assert_eq!(incoming.asked_back(&tip(7).id), Some(tip(7)));
    assert_eq!(incoming.asked_back(&tip(7).id), None, "once");
    assert_eq!(incoming.asked_back(&tip(most).id), None);
    assert!(incoming.keep_asked(tip(most)));
}
