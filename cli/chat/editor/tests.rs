use super::*;

/// Types words such as `hi <left> x`: what stands in angle brackets is a key.
fn typed(keys: &[&str]) -> (Editor, Edit) {
    let mut editor = Editor::default();
    let edit = keys.iter().map(|key| press(&mut editor, key)).last().unwrap_or(Edit::Nothing);
    (editor, edit)
}

fn press(editor: &mut Editor, key: &str) -> Edit {
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
        "<alt-enter>" => KeyEvent::new(KeyCode::Enter, KeyModifiers::ALT),
        control if control.starts_with("<c-") => {
            KeyEvent::new(KeyCode::Char(control.chars().nth(3).unwrap()), KeyModifiers::CONTROL)
        }
        text => {
            text.chars().for_each(|c| drop(editor.key(&plain(KeyCode::Char(c)))));
            return Edit::Changed;
        }
    };
    editor.key(&key)
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
fn the_end_is_told_by_control_d_on_an_empty_line_or_control_c() {
    assert_eq!(typed(&["<c-d>"]).1, Edit::End);
    assert_eq!(typed(&["a", "<c-d>"]).1, Edit::Changed);
    assert_eq!(typed(&["a", "<c-c>"]).1, Edit::End);
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
fn pasted_line_ends_are_line_ends_and_escape_codes_are_not_taken() {
    let mut editor = Editor::default();
    editor.paste("a\rb\r\nc\x1b[2J\u{9b}d\r");
    assert_eq!(editor.text, "a\nb\nc[2Jd");
}

#[test]
fn the_window_follows_the_cursor() {
    let (mut editor, _) = typed(&["abcdefgh"]);
    assert_eq!(editor.window(20), ("abcdefgh".to_owned(), 8));
    assert_eq!(editor.window(5), ("efgh".to_owned(), 4));
    press(&mut editor, "<home>");
    assert_eq!(editor.window(5), ("abcd".to_owned(), 0));
    let (wide, _) = typed(&["漢字漢字"]);
    assert_eq!(wide.window(6), ("漢字".to_owned(), 4));
    assert_eq!(typed(&["a", "<alt-enter>", "b"]).0.window(9), ("a⏎b".to_owned(), 3));
    assert_eq!(editor.window(0).1, 0);
}
