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
}

#[test]
fn names_that_look_alike_have_one_skeleton() {
    for alike in ["bob", "BOB", "B o b", "b0b", "bоb", "ＢＯＢ", "bo\u{200b}b", "bob\u{202e}"] {
        assert_eq!(skeleton(alike), "bob", "{alike:?}");
    }
    assert_eq!(skeleton("Iılia"), skeleton("lilia"));
    assert_ne!(skeleton("bob"), skeleton("rob"));
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
