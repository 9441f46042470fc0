use crate::tui::layout::View;
use crate::tui::tests::Story;

const BOB: u8 = 2;

#[test]
fn a_look_at_an_item_holds_it_on_its_line() {
    let mut story = Story::new();
    (0..100).for_each(|minute| drop(story.says(BOB, minute, "a text")));
    let mut shown = story.open(80, 24);
    shown.press(&["<pgup>"]);
    let View::At { place, top } = shown.app.view else { panic!("the end is looked at") };
    shown.press(&["<alt-up>", "<alt-up>"]);
    assert_ne!(shown.app.view, View::At { place, top });
    shown.app.scroll(2);
    shown.settle();
    assert_eq!(shown.app.view, View::At { place, top });
    shown.app.on_resize(30, 12);
    shown.settle();
    let View::At { place: held, .. } = shown.app.view else { panic!("the end is looked at") };
    assert_eq!(held, place, "another item was held when the size changed");
}

#[test]
fn a_message_longer_than_the_screen_is_read_line_by_line() {
    let mut story = Story::new();
    story.says(BOB, 0, "before");
    let long: Vec<String> = (0..100).map(|line| format!("part {line}.")).collect();
    story.says(BOB, 1, &long.join("\n"));
    let mut shown = story.open(80, 24);
    assert!(shown.screen().contains("part 99."));
    for line in (0..79).rev() {
        shown.press(&["<alt-up>"]);
        assert!(shown.screen().contains(&format!("part {line}.")), "{line}\n{}", shown.screen());
    }
}
