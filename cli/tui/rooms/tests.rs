use replica::id::RoomId;

use crate::tui::app::Action;
use crate::tui::tests::{Shown, Story, room};

const HOME: RoomId = RoomId([7; 32]);
const WORK: RoomId = RoomId([2; 32]);

/// Ann at home, with two rooms beside it.
fn shown() -> Shown {
    let story = Story::new();
    let mut status = story.status();
    status.rooms = vec![room(7, "home", 0, false), room(2, "work", 0, false), room(3, "family", 0, false)];
    story.open_with(status, None, 80, 12)
}

/// Goes into another of them.
fn goes(shown: &mut Shown, room: RoomId, name: &str) {
    let mut status = shown.app.status.clone().unwrap();
    status.room = Some((room, name.to_owned()));
    shown.app.open(status, Vec::new(), crate::tui::PAGE_ROWS, None);
}

#[test]
fn keys_lead_to_the_other_rooms_and_on_a_written_line_they_move_by_words() {
    let mut shown = shown();
    let switch = |number: u8| vec![Action::Switch(RoomId([number; 32]))];
    assert_eq!(shown.press(&["<a-2>"]), switch(2));
    assert_eq!(shown.press(&["<a-1>"]), [], "it is there");
    assert_eq!(shown.press(&["<a-9>"]), [], "there is none");
    assert_eq!(shown.press(&["<alt-right>"]), switch(2));
    assert_eq!(shown.press(&["<alt-left>"]), switch(3));
    assert_eq!(shown.press(&["two words", "<alt-left>"]), []);
    assert_eq!(shown.app.input.head(), "two ");
}

#[test]
fn what_is_being_typed_stays_with_its_room() {
    let mut shown = shown();
    shown.press(&["half a thou"]);
    goes(&mut shown, WORK, "work");
    assert!(shown.app.input.is_empty());
    shown.press(&["to work"]);
    goes(&mut shown, HOME, "home");
    assert_eq!(shown.app.input.text(), "half a thou");
    goes(&mut shown, WORK, "work");
    assert_eq!(shown.app.input.text(), "to work");
}

#[test]
fn what_waits_is_counted_until_one_goes_there() {
    let mut shown = shown();
    shown.app.rooms.waits(WORK, 2);
    shown.app.on_elsewhere(WORK, 3, true);
    assert!(shown.screen().contains("#home  work 5!  family"), "{}", shown.screen());
    goes(&mut shown, WORK, "work");
    shown.app.on_elsewhere(WORK, 0, false);
    goes(&mut shown, HOME, "home");
    assert!(shown.screen().contains("#home  work  family"), "{}", shown.screen());
}

#[test]
fn how_another_room_stands_is_not_taken_for_how_this_one_does() {
    let mut shown = shown();
    let mut status = shown.app.status.clone().unwrap();
    (status.room, status.messages) = (Some((WORK, "work".to_owned())), 99);
    shown.app.on_status(status);
    assert!(!shown.screen().contains("99 messages"), "{}", shown.screen());
}

#[test]
fn rooms_of_one_name_are_told_apart_by_their_ids() {
    let story = Story::new();
    let mut status = story.status();
    status.rooms = vec![room(7, "home", 0, false), room(2, "home", 4, false), room(3, "family", 0, false)];
    let mut shown = story.open_with(status, None, 80, 12);
    assert!(shown.screen().contains("#home(0707)  home(0202) 4  family"), "{}", shown.screen());
}
