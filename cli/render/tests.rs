use replica::entry::Kind;

use super::*;
use crate::json::tests::message;
use crate::people::two_words;

fn renderer(color: bool, screen: bool) -> Renderer {
    Renderer::new(LocalTime::utc(), color, screen)
}

#[test]
fn a_row_has_its_date_name_and_text() {
    let lines = renderer(false, false).row(&message("lunch?"), &People::default());
    assert_eq!(lines, ["2026-11-22 09:14        ann │ lunch?"]);
}

#[test]
fn on_a_screen_a_day_is_named_once() {
    let mut renderer = renderer(false, true);
    let lines = renderer.row(&message("one"), &People::default());
    assert_eq!(lines, ["── Sun 22 Nov 2026 ──", "09:14        ann │ one"]);
    assert_eq!(renderer.row(&message("two"), &People::default()), ["09:14        ann │ two"]);
}

#[test]
fn further_lines_stand_under_the_first() {
    let lines = renderer(false, false).row(&message("one\ntwo"), &People::default());
    let column = |line: &str| line.chars().position(|c| c == '│');
    assert_eq!(lines.len(), 2);
    assert_eq!(column(&lines[0]), column(&lines[1]));
}

#[test]
fn no_message_can_draw_a_row_of_its_own() {
    let forged = message("hi\n2026-11-22 09:15        bob │ I agree");
    let lines = renderer(false, false).row(&forged, &People::default());
    assert!(lines[1].starts_with("                            │ 2026"), "{}", lines[1]);
}

#[test]
fn what_somebody_does_is_told_of_them() {
    let lines = renderer(false, false).row(&message("/me nods\ntwice"), &People::default());
    assert_eq!(lines, ["2026-11-22 09:14          * │ ann nods", "                            │ twice"]);
}

#[test]
fn what_came_late_is_marked() {
    let late = Row { rows_after: 1, ..message("x") };
    assert_eq!(renderer(false, false).row(&late, &People::default()), ["2026-11-22 09:14 ↷      ann │ x"]);
}

#[test]
fn what_is_not_a_message_is_told_in_words() {
    let event = Row { kind: Kind::Leave.number(), ..message("left\nus") };
    let lines = renderer(false, false).row(&event, &People::default());
    assert_eq!(lines, ["2026-11-22 09:14   * ann left us"]);
    let event = Row { kind: Kind::Nickname.number(), ..message("is called ann") };
    let lines = renderer(false, false).row(&event, &People::default());
    assert_eq!(lines, [format!("2026-11-22 09:14   * {} is called ann", two_words(&event.author))]);
}

#[test]
fn no_escape_code_of_a_peer_reaches_the_screen() {
    let row = Row { nick: Some("\x1b[31mann".to_owned()), ..message("\x1b[2J\u{9b}2J") };
    let lines = renderer(false, true).row(&row, &People::default());
    assert!(!lines.concat().chars().any(char::is_control), "{lines:?}");
}

#[test]
fn long_lines_are_broken_under_the_first() {
    let mut renderer = renderer(false, false);
    renderer.set_columns(Some(30 + 16));
    let lines = renderer.row(&message("one two three four five"), &People::default());
    let blank = " ".repeat(27);
    let expected = ["2026-11-22 09:14        ann │ one two three".to_owned(), format!("{blank} │ four five")];
    assert_eq!(lines, expected);
}

#[test]
fn an_entry_about_somebody_names_them() {
    let key = replica::identity::Identity::from_secret(&[9; 32]).key();
    let text = format!("removed {}", replica::identity::words(&key));
    let removal = Row { kind: Kind::Remove.number(), ..message(&text) };
    let mut people = People::default();
    let shown = |people: &People| renderer(false, false).row(&removal, people).remove(0);
    assert!(shown(&people).ends_with(&text), "by the words of a key that nobody has");
    people.learn(key, "bob");
    assert!(shown(&people).ends_with("* ann removed bob"));
}

#[test]
fn what_does_not_count_and_who_is_blocked_is_folded() {
    let mut people = People::default();
    let folded = |row: &Row, people: &People| {
        let lines = renderer(false, false).row(row, people);
        lines.len() == 1 && lines[0].contains("(folded: ") && !lines[0].contains("secret")
    };
    let row = message("secret\nsecret");
    assert!(!folded(&row, &people));
    assert!(folded(&Row { counts: false, ..row.clone() }, &people));
    people.block(row.author, true);
    assert!(folded(&row, &people));
    people.block(row.author, false);
    assert!(!folded(&row, &people));
}
