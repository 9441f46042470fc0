use super::*;

fn parsed(words: &str) -> String {
    Key::parse(words).map_or_else(|error| error.to_string(), |key| key.to_string())
}

#[test]
fn a_key_is_read_as_it_is_shown_whatever_the_case() {
    for it in &BINDABLE {
        let key = Bindings::default().key(it.act);
        assert_eq!(Key::parse(&key.to_string()), Ok(key), "{}", it.name);
        assert_eq!(Key::parse(&key.setting()), Ok(key), "{}", it.name);
    }
    assert_eq!(parsed(" CTRL+Alt+q "), "Ctrl+Alt+Q");
    assert_eq!(parsed("alt++"), "Alt++");
    assert_eq!(parsed("f12"), "F12");
}

#[test]
fn what_is_no_key_or_has_its_meaning_is_refused() {
    for unknown in ["", "f13", "f0", "shift+a", "hyper+x", "alt+", "alt+ab", "alt+ "] {
        assert!(matches!(Key::parse(unknown), Err(KeyError::Unknown { .. })), "{unknown:?}");
    }
    assert_eq!(Key::parse("pgpu"), Err(KeyError::Unknown { near: Some("PgUp") }));
    assert_eq!(Key::parse("x"), Err(KeyError::Typed));
    for fixed in ["enter", "alt+enter", "tab", "esc", "ctrl+c", "ctrl+i", "ctrl+m", "backspace"] {
        assert_eq!(Key::parse(fixed), Err(KeyError::Fixed), "{fixed}");
    }
}

#[test]
fn each_act_stands_at_its_place_with_a_key_of_its_own() {
    let usual = Bindings::default();
    for (at, it) in BINDABLE.iter().enumerate() {
        assert_eq!(it.act as usize, at);
        assert_eq!(usual.other(it.act), None, "{}", it.name);
        let is_known = |other: &&Bindable| HELP.contains(&format!("{{{}}}", other.name));
        let is_beside = matches!(it.act, Act::Help | Act::Redraw);
        assert_eq!(BINDABLE.iter().filter(is_known).any(|other| other.act == it.act), !is_beside);
    }
}

#[test]
fn the_help_has_the_keys_that_hold() {
    let mut bindings = Bindings::default();
    bindings.set(Act::Late, Key::parse("f5").unwrap());
    let help = bindings.help();
    assert!(help.contains("\nF5               to what arrived late"), "{help}");
    assert!(!help.contains("Alt+l") && !help.contains('{'), "{help}");
}

#[test]
fn the_guide_lists_what_may_be_set_with_its_usual_key() {
    let guide = include_str!("../../../docs/guide.md");
    let table = guide.split("| in `[keys]` |").nth(1).unwrap();
    let rows: Vec<&str> = table.lines().skip(2).take_while(|line| line.starts_with('|')).collect();
    assert_eq!(rows.len(), BINDABLE.len(), "{rows:#?}");
    for (row, it) in rows.iter().zip(&BINDABLE) {
        let begin = format!("| `{}` | {} |", it.name, it.usual);
        assert!(row.starts_with(&begin), "{row} is not {begin}");
    }
}
