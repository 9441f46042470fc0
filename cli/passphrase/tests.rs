use super::*;

/// What is kept of these keys, and whether the line is done.
fn typing(keys: &[(KeyCode, KeyModifiers)]) -> (String, Key) {
    let mut line = String::new();
    let mut last = Key::More;
    for (code, modifiers) in keys {
        last = typed(&KeyEvent::new(*code, *modifiers), &mut line);
    }
    (line, last)
}

fn plain(text: &str) -> Vec<(KeyCode, KeyModifiers)> {
    text.chars().map(|c| (KeyCode::Char(c), KeyModifiers::NONE)).collect()
}

#[test]
fn a_line_is_typed_mended_and_ended() {
    let control = |c| (KeyCode::Char(c), KeyModifiers::CONTROL);
    let back = (KeyCode::Backspace, KeyModifiers::NONE);
    let enter = (KeyCode::Enter, KeyModifiers::NONE);
    assert_eq!(
        typing(&[plain("pass wörx"), vec![back], plain("d")].concat()),
        ("pass wörd".to_owned(), Key::More)
    );
    assert_eq!(
        typing(&[plain("x"), vec![control('u')], plain("y"), vec![enter]].concat()),
        ("y".to_owned(), Key::Done)
    );
    for away in ['c', 'd'] {
        assert_eq!(typing(&[plain("x"), vec![control(away)]].concat()).1, Key::Away);
    }
    assert_eq!(
        typing(&[back, (KeyCode::Left, KeyModifiers::NONE), control('x')]),
        (String::new(), Key::More)
    );
}

#[test]
fn what_is_typed_does_not_grow_without_end() {
    assert!(typing(&plain(&"é".repeat(5_000))).0.len() <= 2 * PASSPHRASE_BYTES_MAX);
}
