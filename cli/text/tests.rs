use super::clean::MARKS_MAX;
use super::*;

#[track_caller]
fn check(text: &str, shown: &str) {
    assert_eq!(line(text), shown);
}

#[test]
fn escape_codes_become_signs() {
    check("\x1b[2J\x1b]0;owned\x07", "␛[2J␛]0;owned␇");
    check("a\0b\x08c\x7fd", "a␀b␈c␡d");
    check("\u{9b}31mred", "\u{fffd}31mred");
    check("a\tb", "a    b");
}

#[test]
fn nothing_reverses_what_follows() {
    check("pay \u{202e}001\u{202c} now", "pay 001 now");
    check("\u{2066}a\u{2069}\u{200e}b\u{200f}\u{61c}c", "abc");
    check("\u{202a}\u{202b}\u{202d}\u{2067}\u{2068}x", "x");
}

#[test]
fn what_cannot_be_seen_is_dropped() {
    check("a\u{200b}d\u{feff}m\u{2060}i\u{ad}n", "admin");
    check("a\u{200c}b\u{200d}c", "abc");
    check("\u{e0041}x\u{3164}", "x");
    check("\u{200d}👩", "👩");
    check("a\u{1bca0}b\u{13430}c\u{fff5}d", "abcd");
}

#[test]
fn what_no_font_knows_is_replaced() {
    check("\u{e000}a\u{f8ff}b\u{10fffd}", "\u{fffd}a\u{fffd}b\u{fffd}");
    check("\u{378}\u{ffff}\u{3fffe}", "\u{fffd}\u{fffd}\u{fffd}");
}

#[test]
fn nothing_that_is_left_is_hidden_or_obeyed() {
    for c in (0..=0x10_ffff).filter_map(char::from_u32) {
        let shown = line(&format!("a{c}b"));
        let inner: Vec<char> = shown.chars().filter(|c| !matches!(c, 'a' | 'b')).collect();
        for left in inner {
            assert!(!left.is_control(), "{c:?}");
            assert!(!matches!(left, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}'), "{c:?}");
            assert!(
                !matches!(left, '\u{2066}'..='\u{2069}' | '\u{e000}'..='\u{f8ff}' | '\u{e0000}'..),
                "{c:?}"
            );
        }
    }
}

#[test]
fn cleaning_twice_changes_nothing() {
    for c in (0..=0x10_ffff).filter_map(char::from_u32) {
        let once = line(&format!("a{c}\u{200d}{c}\u{301}"));
        assert_eq!(line(&once), once, "{c:?}");
    }
}

#[test]
fn emoji_and_joining_scripts_stay_whole() {
    check("👩‍👩‍👧 ❤️‍🔥", "👩‍👩‍👧 ❤️‍🔥");
    check("می‌خواهم", "می‌خواهم");
    check("é ñ 漢字 🇩🇪", "é ñ 漢字 🇩🇪");
}

#[test]
fn every_kind_of_line_end_starts_a_line() {
    assert_eq!(
        lines("a\nb\r\nc\rd\u{2028}e\u{2029}f\u{85}g\x0bh\x0ci"),
        "a b c d e f g h i".split(' ').collect::<Vec<_>>()
    );
    assert_eq!(lines(""), [""]);
    check("a\nb", "a⏎b");
}

#[test]
fn marks_do_not_pile_up() {
    let shown = line(&format!("a{}b", "\u{301}".repeat(200)));
    assert_eq!(shown.chars().count(), 2 + MARKS_MAX);
    // Nor where something that is dropped, or a joiner, stands between them.
    for between in ["\u{200b}", "\u{200d}", "\u{200c}", "\u{e0001}"] {
        let stacked = format!("م{}", format!("\u{64e}{between}").repeat(200));
        let marks = line(&stacked).chars().filter(|c| *c == '\u{64e}').count();
        assert_eq!(marks, MARKS_MAX, "{between:?}");
    }
}

#[test]
fn only_colours_pass_what_guards_the_screen() {
    let row = "\x1b[2m13:10 ann\x1b[0m │ \x1b[1;31mhi\x1b[0m";
    assert_eq!(guarded(row), row);
    for (hostile, harmless) in [
        ("\x1b[2J\x1b[3;4H", "␛[2J␛[3;4H"),
        ("\x1b]0;t\x07\x1b[", "␛]0;t␇␛["),
        ("\x1b[31", "␛[31"),
        ("\x1b\x1b[0m\u{9b}2J", "␛\x1b[0m\u{fffd}2J"),
        ("\x1b[?25lm", "␛[?25lm"),
        ("a\nb\rc\u{202e}d", "a␊b␍cd"),
    ] {
        assert_eq!(guarded(hostile), harmless);
    }
}

#[test]
fn names_are_short_and_on_one_line() {
    assert_eq!(name("  ann \n lee\t"), "ann lee");
    assert_eq!(name(&"x".repeat(32)), "x".repeat(32));
    assert_eq!(name(&"x".repeat(33)), format!("{}…", "x".repeat(31)));
    assert_eq!(name("👩‍👩‍👧").graphemes(true).count(), 1);
    assert_eq!(name("\u{200b}\u{202e} \u{301}"), "");
}

#[test]
fn names_cannot_wear_the_signs_set_around_names() {
    assert_eq!(name("bob(amber-tiger)"), "bob[amber-tiger]");
    assert_eq!(name("a │ b"), "a | b");
    assert_eq!(name("bob（amber-tiger）"), "bob[amber-tiger]");
}

#[test]
fn names_that_look_alike_have_one_skeleton() {
    for alike in [
        "bob",
        "BOB",
        "B o b",
        "b0b",
        "bоb",
        "ＢＯＢ",
        "bo\u{200b}b",
        "bob\u{202e}",
        "𝐛𝐨𝐛",
        "ВОВ",
        "bọb",
        "bób",
        "b\u{2800}ob",
    ] {
        assert_eq!(skeleton(alike), skeleton("bob"), "{alike:?}");
    }
    assert_eq!(skeleton("Iılia"), skeleton("lilia"));
    assert_eq!(skeleton("rn"), skeleton("m"));
    for (one, other) in [("bob", "rob"), ("राम", "रमा"), ("王", "玉"), ("ann", "anna")] {
        assert_ne!(skeleton(one), skeleton(other));
    }
}

#[test]
fn lines_are_broken_between_words() {
    assert_eq!(wrap("one two three four five", 16), ["one two three", "four five"]);
    assert_eq!(wrap("", 16), [""]);
    assert_eq!(wrap(&"x".repeat(40), 16), ["x".repeat(16), "x".repeat(16), "x".repeat(8)]);
    assert_eq!(wrap("漢字漢字漢字漢字漢字", 16), ["漢字漢字漢字漢字", "漢字"]);
    let text = "a line of words, and an address: 127.0.0.1:7400 (with a bracket)";
    for columns in 1..80 {
        let parts = wrap(text, columns);
        assert!(parts.iter().all(|part| part.width() <= columns.max(COLUMNS_MIN)), "{parts:?}");
        assert_eq!(parts.concat().replace(' ', ""), text.replace(' ', ""));
    }
}
