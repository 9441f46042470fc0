use super::*;

const HOME: RoomId = RoomId([1; 32]);
const WORK: RoomId = RoomId([2; 32]);

#[test]
fn what_comes_elsewhere_is_told_once_until_there_is_more_and_seen_on_going_there() {
    let mut listener = Listener::default();
    listener.go(HOME);
    assert!(!listener.miss(HOME, true), "it is there");
    assert!(listener.miss(WORK, false));
    assert!(listener.miss(WORK, true));
    let [(WORK, told)] = listener.news()[..] else { panic!("one room has news") };
    assert_eq!((told.new, told.names_us), (2, true));
    assert_eq!(listener.news(), []);
    listener.miss(WORK, false);
    let [(WORK, told)] = listener.news()[..] else { panic!("there is more") };
    assert_eq!((told.new, told.names_us), (3, true));
    listener.go(WORK);
    assert_eq!((listener.unread(&WORK).new, listener.news()), (0, Vec::new()));
}

#[test]
fn a_name_is_meant_where_it_is_a_word() {
    for (said, is_meant) in
        [("ann?", true), ("hi @Ann", true), ("annual", false), ("joann", false), ("", false), ("bob", false)]
    {
        assert_eq!(mentions(said, "ann"), is_meant, "{said}");
    }
    assert!(!mentions("anything", ""));
}
