//! What the screen does, whatever it looks like.

use super::*;

/// Ten screens of talk.
fn long() -> Story {
    let mut story = Story::new();
    for minute in 0..200 {
        story.says(if minute % 2 == 0 { BOB } else { CAROL }, minute, &format!("line {minute}"));
    }
    story
}

fn log_lines(shown: &mut Shown) -> Vec<String> {
    let areas = shown.app.areas();
    let (from, count) = (usize::from(areas.log.y), usize::from(areas.log.height));
    shown.screen().lines().skip(from).take(count).map(str::to_owned).collect()
}

#[test]
fn nothing_that_arrives_moves_what_is_being_read() {
    let mut story = long();
    let mut shown = story.open(80, 24);
    shown.press(&["<pgup>", "<pgup>"]);
    // But for the bracket, which tells that something was written in parallel.
    let text = |lines: Vec<String>| -> Vec<String> {
        lines.iter().map(|line| line.chars().filter(|c| !"┌│└ ".contains(*c)).collect()).collect()
    };
    let before = text(log_lines(&mut shown));
    let below = story.says(BOB, 300, "below");
    let above = story.row(CAROL, 3, "far above", &[]);
    for row in [below, above] {
        shown.comes(row);
    }
    // A line of news stands below now; what is above it has not moved.
    let after = text(log_lines(&mut shown));
    assert_eq!(before[..after.len()], after);
    assert!(after.len() >= before.len() - 1);
}

#[test]
fn who_reads_the_end_sees_what_comes() {
    let mut story = long();
    let mut shown = story.open(80, 24);
    let row = story.says(BOB, 300, "the newest");
    shown.comes(row);
    assert!(log_lines(&mut shown).last().unwrap().contains("the newest"));
}

#[test]
fn reading_back_and_forth_comes_back_to_where_it_began() {
    let story = long();
    let mut shown = story.open(80, 24);
    let end = shown.screen();
    shown.press(&["<pgup>"; 20]);
    assert!(log_lines(&mut shown)[1].contains("line 0"), "{}", shown.screen());
    shown.press(&["<pgdn>"; 20]);
    assert_eq!(shown.screen(), end);
}

#[test]
fn a_long_history_is_read_from_end_to_end_in_constant_memory() {
    let mut story = Story::new();
    for number in 0..5_000 {
        story.says(BOB, number / 10, &format!("line {number}."));
    }
    let mut shown = story.open(80, 24);
    let end = shown.screen();
    for _ in 0..400 {
        shown.press(&["<pgup>"]);
        assert!(shown.app.window.rows().count() <= crate::tui::window::ROWS_MAX);
    }
    assert!(shown.screen().contains("line 0."), "{}", shown.screen());
    let mut seen = String::new();
    for _ in 0..400 {
        shown.press(&["<pgdn>"]);
        seen.push_str(&shown.screen());
    }
    for number in 20..5_000 {
        assert!(seen.contains(&format!("line {number}.")), "{number} was passed over");
    }
    assert_eq!(shown.screen(), end);
}

#[test]
fn the_end_is_one_key_away_from_anywhere() {
    let mut story = Story::new();
    for number in 0..5_000 {
        story.says(BOB, number / 10, &format!("line {number}."));
    }
    let mut shown = story.open(80, 24);
    let end = shown.screen();
    shown.press(&["<pgup>"; 300]);
    let row = story.rows.last().unwrap().clone();
    shown.press(&["<end>"]);
    assert!(shown.app.window.has(&row.key));
    assert_eq!(shown.screen(), end);
}

#[test]
fn a_late_row_is_announced_and_gone_to() {
    let mut story = long();
    let mut shown = story.open(80, 24);
    let late = story.row(CAROL, 20, "written on a train", &[]);
    shown.comes(late);
    assert!(shown.screen().contains("1 earlier message arrived above"));
    shown.press(&["<a-l>"]);
    let screen = shown.screen();
    assert!(screen.contains("written on a train") && screen.contains("↷ late"), "{screen}");
    assert!(!screen.contains("earlier message"), "{screen}");
}

#[test]
fn the_first_history_is_not_late() {
    let story = long();
    let mut shown = Story::new().open(80, 24);
    for row in story.rows.iter().rev() {
        shown.app.on_row(row.clone(), MORNING);
    }
    assert!(!shown.screen().contains("↷"), "{}", shown.screen());
    assert!(shown.app.reading.late.is_empty());
}

#[test]
fn what_came_while_nobody_looked_is_marked_and_gone_to() {
    let mut story = long();
    let mut shown = story.open(80, 24);
    shown.app.on_focus(false);
    for minute in 300..360 {
        let row = story.says(BOB, minute, &format!("new {minute}"));
        shown.comes(row);
    }
    shown.app.on_focus(true);
    shown.press(&["<a-a>"]);
    let screen = shown.screen();
    assert!(screen.contains("── new ─") && screen.contains("new 300"), "{screen}");
    shown.press(&["<esc>"]);
    assert!(!shown.screen().contains("── new ─"));
}

#[test]
fn where_a_room_was_left_is_remembered() {
    let story = long();
    let read = Read { key: story.rows[99].key, messages: 100 };
    let mut shown = story.open_with(story.status(), Some(read), 80, 24);
    assert!(shown.screen().contains("100 new messages since you were here"), "{}", shown.screen());
    shown.press(&["<a-a>"]);
    assert!(shown.screen().contains("── new ─") && shown.screen().contains("line 100"));
    shown.press(&["<esc>"]);
    assert_eq!(shown.app.read(), Some(Read { key: story.rows[199].key, messages: 200 }));
}

#[test]
fn what_came_late_while_the_room_was_closed_is_not_below_what_was_read() {
    let mut story = long();
    let read = Read { key: story.rows[199].key, messages: 199 };
    story.says(ANN, 300, "from another terminal");
    let mut shown = story.open_with(story.status(), Some(read), 80, 24);
    let screen = shown.screen();
    assert!(screen.contains("from another terminal") && !screen.contains("new"), "{screen}");
}

#[test]
fn a_search_goes_through_everything_there_is() {
    let mut story = Story::new();
    for number in 0..4_000 {
        let text = if number % 1_000 == 7 { "A Needle here" } else { "hay" };
        story.says(BOB, number / 10, text);
    }
    let mut shown = story.open(80, 24);
    shown.press(&["<c-f>", "needle", "<enter>"]);
    assert!(shown.screen().contains("1 of 1+"), "{}", shown.screen());
    shown.press(&["<enter>", "<enter>", "<enter>", "<enter>", "<enter>"]);
    assert!(shown.screen().contains("4 of 4"), "{}", shown.screen());
    assert!(shown.screen().contains("A Needle here"));
    shown.press(&["<down>"]);
    assert!(shown.screen().contains("3 of 4") && shown.screen().contains("A Needle here"));
    shown.press(&["<esc>", "<esc>"]);
    assert!(shown.app.is_at_end());
}

#[test]
fn whoever_names_us_is_gone_to_and_told_of() {
    let mut story = long();
    let first = story.says(BOB, 210, "hey @ann");
    let mut shown = story.open(80, 24);
    for minute in 220..280 {
        let row = story.says(CAROL, minute, "banner, annual");
        assert!(shown.comes(row).settle().is_empty());
    }
    shown.press(&["<a-p>"]);
    assert!(shown.app.window.has(&first.key) && shown.screen().contains("hey @ann"));
    let row = story.says(BOB, 290, "Ann: lunch?");
    shown.now_ms += MINUTE;
    shown.app.on_row(row, shown.now_ms);
    assert_eq!(shown.settle(), [Action::Notify { words: "bob: Ann: lunch?".to_owned(), is_away: false }]);
}

#[test]
fn what_is_typed_is_said_and_escape_codes_cannot_be() {
    let mut shown = long().open(80, 24);
    assert_eq!(
        shown.press(&["hi", "<alt-enter>", "there", "<enter>"]),
        [Action::Say("hi\nthere".to_owned())]
    );
    shown.app.on_paste(&"x".repeat(40_000));
    assert!(shown.app.hint.take().is_some_and(|hint| hint.contains("Not pasted")));
    shown.app.on_paste("a\rb\x1b[2J\u{9b}");
    assert_eq!(shown.press(&["<enter>"]), [Action::Say("a\nb[2J".to_owned())]);
}

#[test]
fn much_that_is_pasted_is_asked_about() {
    let mut shown = long().open(80, 24);
    let many = "one\rtwo\rthree\rfour\rfive\rsix\r";
    shown.app.on_paste(many);
    assert!(shown.screen().contains("6 lines were pasted"), "{}", shown.screen());
    assert!(shown.press(&["<esc>", "<enter>"]).is_empty());
    shown.app.on_paste(many);
    assert_eq!(
        shown.press(&["<enter>", "<enter>"]),
        [Action::Say("one\ntwo\nthree\nfour\nfive\nsix".to_owned())]
    );
}

#[test]
fn control_c_takes_the_text_first_and_then_the_program() {
    let mut shown = long().open(80, 24);
    assert!(shown.press(&["abc", "<c-c>"]).is_empty());
    assert_eq!(shown.app.input.text(), "");
    shown.press(&["<c-y>"]);
    assert_eq!(shown.app.input.text(), "abc");
    assert_eq!(shown.press(&["<c-c>", "<c-c>"]), [Action::Quit]);
    assert_eq!(long().open(80, 24).press(&["<c-d>"]), [Action::Quit]);
    assert!(long().open(80, 24).press(&["a", "<c-d>"]).is_empty());
}

#[test]
fn no_size_and_no_key_is_too_much() {
    let mut story = long();
    story.says(BOB, 400, &"漢字👩‍👩‍👧 ".repeat(500));
    story.says(BOB, 400, &"e\u{301}".repeat(3_000));
    let keys = [
        "<pgup>", "<pgdn>", "<alt-up>", "<f1>", "<down>", "<f2>", "<tab>", "<a-a>", "<a-l>", "x", "<c-f>",
        "line", "<enter>",
    ];
    for (columns, lines) in [(1, 1), (2, 2), (5, 3), (20, 6), (48, 7), (59, 8), (60, 9), (300, 100), (0, 0)] {
        let mut shown = story.open(columns, lines);
        for key in keys {
            shown.press(&[key]);
            shown.screen();
        }
        shown.app.show_ticket("replica1abc".to_owned());
        shown.app.on_paste("1\n2\n3\n4\n5\n6\n7");
        shown.screen();
        shown.app.on_resize(lines, columns);
        shown.screen();
        // A terminal that has changed its size, and has not told of it yet.
        let mut terminal = Terminal::new(TestBackend::new(10, 4)).unwrap();
        terminal.draw(|frame| view::draw(&shown.app, frame)).unwrap();
    }
}

#[test]
fn a_key_of_somebodys_choice_does_what_the_usual_one_did_and_is_named_on_the_screen() {
    use crate::tui::bindings::{Act, Key};
    let mut shown = long().open(80, 40);
    shown.app.bindings.set(Act::Search, Key::parse("alt+s").unwrap());
    shown.app.bindings.set(Act::Newest, Key::parse("home").unwrap());
    shown.press(&["<pgup>"]);
    assert!(shown.screen().contains("▼ Home goes to the newest"), "{}", shown.screen());
    shown.press(&["<c-f>"]);
    assert!(shown.app.prompt.is_none(), "the usual key means nothing any more");
    shown.press(&["<a-s>"]);
    assert!(shown.app.prompt.is_some());
    shown.press(&["<esc>", "<f1>"]);
    let help = shown.screen();
    assert!(help.contains("Alt+s            search") && help.contains("Alt+s search"), "{help}");
    // Ctrl+D leaves only where there is nothing to remove.
    shown.press(&["<f1>", "x", "<c-d>"]);
    assert_eq!(shown.app.input.text(), "x");
    assert_eq!(shown.press(&["<c-c>", "<c-d>"]), [Action::Quit]);
}
