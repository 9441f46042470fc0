use super::*;
use crate::tui::tests::{Shown, Story};

fn shown() -> Shown {
    let mut story = Story::new();
    story.says(1, 0, "before the lid was closed");
    story.says(2, 1, "still here?");
    story.open(60, 12)
}

#[test]
fn what_is_kept_is_what_was_on_the_screen() {
    let home = tempfile::tempdir().unwrap();
    let shown = shown();
    let screen = LastScreen::of(&shown.app).unwrap();
    let (room, _) = screen.status.room.clone().unwrap();
    assert!(LastScreen::load(home.path(), &room).is_none());
    screen.save(home.path()).unwrap();
    let again = LastScreen::load(home.path(), &room).unwrap();
    let texts: Vec<&str> = again.rows.iter().map(|row| row.text.as_str()).collect();
    assert_eq!(texts, ["still here?", "before the lid was closed"]);
    assert!(again.status.peers.is_empty(), "who was connected is not any more");
    assert!(LastScreen::load(home.path(), &RoomId([9; 32])).is_none());
}

#[test]
fn a_damaged_file_is_as_good_as_none() {
    let home = tempfile::tempdir().unwrap();
    let screen = LastScreen::of(&shown().app).unwrap();
    let (room, _) = screen.status.room.clone().unwrap();
    screen.save(home.path()).unwrap();
    let file = path(home.path(), &room);
    let whole = fs::read(&file).unwrap();
    fs::write(&file, &whole[..whole.len() / 2]).unwrap();
    assert!(LastScreen::load(home.path(), &room).is_none());
    // That of another room.
    fs::write(path(home.path(), &RoomId([9; 32])), whole).unwrap();
    assert!(LastScreen::load(home.path(), &RoomId([9; 32])).is_none());
}

#[test]
fn what_is_shown_while_opening_is_not_kept_again() {
    let mut shown = shown();
    let last = LastScreen::of(&shown.app).unwrap();
    shown.app.foreshow(last);
    assert!(LastScreen::of(&shown.app).is_none());
}
