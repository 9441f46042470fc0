use super::Outgoing;
use crate::limits::WINDOW_FIRST_BYTES;

#[test]
fn nothing_is_read_or_told_live_beyond_what_the_peer_takes() {
    let mut outgoing = Outgoing::new(0);
    outgoing.release();
    assert!(outgoing.is_live(0) && outgoing.takes(WINDOW_FIRST_BYTES));
    outgoing.sent(WINDOW_FIRST_BYTES, 1);
    assert!(!outgoing.is_live(0) && !outgoing.takes(1));
    assert_eq!(outgoing.next_read(10), None);
    outgoing.grant(100);
    assert!(outgoing.takes(100) && !outgoing.takes(101));
    assert!(outgoing.next_read(10).is_some());
}
