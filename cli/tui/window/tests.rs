use super::*;
use crate::tui::tests::Story;

const BOB: u8 = 2;

fn story(rows: u64) -> Story {
    let mut story = Story::new();
    (0..rows).for_each(|minute| drop(story.says(BOB, minute, "x")));
    story
}

fn texts(window: &Window) -> Vec<String> {
    let text = |(_, item): (Place, &Item)| match item {
        Item::Note(words) => words.clone(),
        Item::Row { row, .. } => format!("row {}", row.position),
        _ => "tail".to_owned(),
    };
    window.from(Place::Log(None, 0)).map(text).collect()
}

#[test]
fn notes_stay_where_they_were_told() {
    let story = story(3);
    let mut window = Window::default();
    window.note("before".to_owned());
    window.arrive(story.rows[0].clone(), false);
    window.arrive(story.rows[2].clone(), false);
    window.note("then".to_owned());
    window.arrive(story.rows[1].clone(), true);
    assert_eq!(texts(&window), ["before", "row 1", "row 2", "row 3", "then"]);
}

#[test]
fn what_is_told_while_the_end_is_not_here_is_told_there() {
    let story = story(2_000);
    let mut window = Window::default();
    for row in &story.rows[..1_500] {
        window.arrive(row.clone(), false);
    }
    window.trim(Some(Place::Log(Some(story.rows[0].key), 0)));
    assert!(window.has_newer);
    window.note("told".to_owned());
    assert!(!texts(&window).contains(&"told".to_owned()));
    let mut newest: Vec<Row> = story.rows[1_900..].to_vec();
    newest.reverse();
    window.replace(newest, 100, true);
    assert_eq!(texts(&window).last().unwrap(), "told");
}

#[test]
fn memory_is_bounded_whatever_comes() {
    let story = story(5_000);
    for read in [0, 4_999] {
        let mut window = Window::default();
        for row in &story.rows {
            window.arrive(row.clone(), false);
            window.trim(Some(Place::Log(Some(story.rows[read].key), 0)));
            window.note("x".to_owned());
        }
        assert!(window.rows().count() <= ROWS_MAX);
        assert!(window.items.len() <= ROWS_MAX + NOTES_MAX + 1, "{}", window.items.len());
        assert!(window.waypoints.len() < 100, "{}", window.waypoints.len());
    }
}
