use super::*;

/// Types words such as `hi <left> x`: what stands in angle brackets is a key.
fn typed(keys: &[&str]) -> (Input, Edit) {
    let mut input = Input::default();
    let edit = keys.iter().map(|key| press(&mut input, key)).last().unwrap_or(Edit::Nothing);
    (input, edit)
}

fn press(input: &mut Input, key: &str) -> Edit {
    let plain = |code| KeyEvent::new(code, KeyModifiers::NONE);
    let key = match key {
        "<left>" => plain(KeyCode::Left),
        "<right>" => plain(KeyCode::Right),
        "<home>" => plain(KeyCode::Home),
        "<end>" => plain(KeyCode::End),
        "<up>" => plain(KeyCode::Up),
        "<down>" => plain(KeyCode::Down),
        "<bs>" => plain(KeyCode::Backspace),
        "<del>" => plain(KeyCode::Delete),
        "<enter>" => plain(KeyCode::Enter),
        "<alt-y>" => KeyEvent::new(KeyCode::Char('y'), KeyModifiers::ALT),
        "<alt-enter>" => KeyEvent::new(KeyCode::Enter, KeyModifiers::ALT),
        control if control.starts_with("<c-") => {
            KeyEvent::new(KeyCode::Char(control.chars().nth(3).unwrap()), KeyModifiers::CONTROL)
        }
        text => {
            text.chars().for_each(|c| drop(input.key(&plain(KeyCode::Char(c)))));
            return Edit::Changed;
        }
    };
    input.key(&key)
}

#[track_caller]
fn check(keys: &[&str], text: &str) {
    assert_eq!(typed(keys).0.text, text, "{keys:?}");
}

#[test]
fn keys_edit_the_line() {
    check(&["abc", "<left>", "<left>", "x"], "axbc");
    check(&["abc", "<home>", "x", "<end>", "y"], "xabcy");
    check(&["abc", "<left>", "<bs>"], "ac");
    check(&["abc", "<home>", "<del>", "<right>", "<del>"], "b");
    check(&["one two  ", "<c-w>"], "one ");
    check(&["one two", "<left>", "<c-k>"], "one tw");
    check(&["one two", "<left>", "<c-u>"], "o");
    check(&["b", "<c-a>", "a", "<c-e>", "c"], "abc");
    check(&["<bs>", "<del>", "<left>", "<right>", "<c-w>", "<up>", "<down>"], "");
}

#[test]
fn a_character_is_what_people_count() {
    check(&["a👩‍👩‍👧b", "<left>", "<bs>"], "ab");
    check(&["e\u{301}x", "<left>", "<left>", "<del>"], "x");
}

#[test]
fn enter_ends_the_line_and_alt_enter_does_not() {
    assert_eq!(typed(&["a", "<alt-enter>", "b", "<enter>"]).1, Edit::Done("a\nb".to_owned()));
}

#[test]
fn earlier_lines_come_back_and_what_was_typed_is_not_lost() {
    let lines = ["one", "<enter>", "two", "<enter>", "thr"];
    let and = |more: &[&'static str]| [&lines[..], more].concat();
    check(&and(&["<up>"]), "two");
    check(&and(&["<up>", "<up>", "<up>"]), "one");
    check(&and(&["<up>", "<up>", "<down>", "<down>"]), "thr");
    check(&and(&["<down>"]), "thr");
}

#[test]
fn what_was_made_of_an_earlier_text_is_not_lost_by_an_arrow() {
    let lines = ["one", "<alt-enter>", "two", "<enter>", "typed"];
    let and = |more: &[&'static str]| [&lines[..], more].concat();
    check(&and(&["<up>", "<bs>", "<up>", "_"]), "on_e\ntw");
    check(&and(&["<up>", "!", "<up>", "<down>", "<end>", "_"]), "one\ntwo!_");
    check(&and(&["<up>", "!", "<down>"]), "one\ntwo!");
    check(&and(&["<up>", "!", "<up>", "<up>", "<down>"]), "one\ntwo!");
    // What was being typed before is reached as what was said last.
    check(&and(&["<up>", "!", "<c-p>"]), "typed");
    check(&and(&["<up>", "!", "<enter>", "<up>", "<up>"]), "typed");
    check(&and(&["<up>", "<enter>", "<up>", "<up>"]), "typed");
    // A key that changes nothing is no edit.
    check(&and(&["<up>", "<del>", "<down>"]), "typed");
}

#[test]
fn pasted_line_ends_are_line_ends_and_escape_codes_are_not_taken() {
    let mut input = Input::default();
    input.paste("a\rb\r\nc\x1b[2J\u{9b}d\r");
    assert_eq!(input.text, "a\nb\nc[2Jd");
}

#[test]
fn what_does_not_fit_leaves_all_as_it_was() {
    let (mut input, _) = typed(&["abc", "<left>"]);
    let over = "x".repeat(TEXT_BYTES_MAX + 1);
    assert!(!input.set(&over) && !input.paste(&over));
    assert_eq!((input.text(), input.head()), ("abc", "ab"));
    assert!(input.set(&over[1..]) && !input.paste("x"));
}

#[test]
fn a_text_of_several_lines_is_gone_through_by_line() {
    let lines = ["one", "<alt-enter>", "three", "<alt-enter>", "x"];
    let and = |more: &[&'static str]| [&lines[..], more].concat();
    check(&and(&["<up>", "_"]), "one\nt_hree\nx");
    check(&and(&["<up>", "<up>", "_"]), "o_ne\nthree\nx");
    check(&and(&["<up>", "<up>", "<down>", "<end>", "_"]), "one\nthree_\nx");
    check(&and(&["<home>", "_"]), "one\nthree\n_x");
}

#[test]
fn what_was_removed_comes_back_and_what_is_removed_in_a_row_comes_back_together() {
    check(&["one two three", "<c-w>", "<c-w>", "<c-y>"], "one two three");
    check(&["one two", "<c-w>", "<left>", "<end>", "<c-w>", "<c-y>"], "one ");
    check(&["one two", "<home>", "<c-k>", "<c-y>", "<c-y>"], "one twoone two");
    check(&["a", "<c-u>", "b", "<c-u>", "<c-y>", "<alt-y>"], "a");
    check(&["<c-y>", "<alt-y>"], "");
}

#[test]
fn the_text_is_broken_where_the_screen_ends_and_the_cursor_stands_in_it() {
    let (mut input, _) = typed(&["abcdefgh"]);
    assert_eq!(input.lines(20), (vec!["abcdefgh".to_owned()], 0, 8));
    assert_eq!(input.lines(5), (vec!["abcd".to_owned(), "efgh".to_owned()], 1, 4));
    press(&mut input, "<home>");
    assert_eq!(input.lines(5).1, 0);
    let (wide, _) = typed(&["漢字漢字"]);
    assert_eq!(wide.lines(6), (vec!["漢字".to_owned(), "漢字".to_owned()], 1, 4));
    let (two, _) = typed(&["a", "<alt-enter>"]);
    assert_eq!(two.lines(9), (vec!["a".to_owned(), String::new()], 1, 0));
    assert_eq!(input.lines(0).1, 0);
}
