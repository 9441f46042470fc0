use super::*;

fn read() -> Read {
    let clock = Clock { era: 1, time_ms: 1_795_338_843_120, count: 2 };
    Read { key: OrderKey { clock, id: EntryId([3; 32]) }, messages: 12 }
}

#[test]
fn what_is_kept_is_what_was_read() {
    let home = tempfile::tempdir().unwrap();
    let room = RoomId([5; 32]);
    assert_eq!(load(home.path(), &room), None);
    save(home.path(), &room, &read()).unwrap();
    assert_eq!(load(home.path(), &room), Some(read()));
    assert_eq!(load(home.path(), &RoomId([6; 32])), None);
}

#[test]
fn a_damaged_file_is_as_good_as_none() {
    for text in ["", "1 2", "1 2 3 zz 4", "1 2 3 03 4", "x 2 3 03 4"] {
        assert_eq!(parse(text), None, "{text}");
    }
}
