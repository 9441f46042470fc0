use super::*;
use crate::tui::tests::{HOME, Story, key_of};

const ANN: u8 = 1;
const BOB: u8 = 2;
const CAROL: u8 = 3;

/// Rows as `who: the numbers of the rows it follows`; answers a sign for each.
#[track_caller]
fn check(rows: &[(u8, &[usize])], signs: &str) {
    let mut story = Story::new();
    for (minute, (person, deps)) in rows.iter().enumerate() {
        let deps: Vec<EntryId> = deps.iter().map(|dep| story.rows[*dep].id).collect();
        story.row(*person, minute as u64, "x", &deps);
    }
    let causes = read(story.rows.iter(), &key_of(ANN));
    let sign = |row: &Row| match causes.brackets.get(&row.key) {
        Some(Bracket::First) => '┌',
        Some(Bracket::Inner) => '│',
        Some(Bracket::Last) => '└',
        None => '.',
    };
    assert_eq!(story.rows.iter().map(sign).collect::<String>(), signs);
}

#[test]
fn what_was_written_in_turn_has_no_bracket() {
    check(&[(ANN, &[]), (BOB, &[0]), (ANN, &[1]), (BOB, &[1, 2])], "....");
}

#[test]
fn both_sides_of_a_partition_stand_in_one_bracket() {
    check(&[(ANN, &[]), (BOB, &[0]), (CAROL, &[0]), (BOB, &[1]), (CAROL, &[2]), (ANN, &[3, 4])], ".┌││└.");
}

#[test]
fn a_message_that_had_seen_nothing_of_the_rest_is_parallel_to_all_of_it() {
    check(&[(ANN, &[]), (BOB, &[0]), (ANN, &[1]), (CAROL, &[0])], ".┌│└");
}

#[test]
fn two_devices_of_one_person_make_no_bracket() {
    check(&[(ANN, &[]), (BOB, &[0]), (BOB, &[0]), (ANN, &[1, 2])], "....");
}

#[test]
fn more_rows_than_fit_one_word_are_read_alike() {
    let mut rows: Vec<(u8, Vec<usize>)> = vec![(ANN, vec![])];
    rows.extend((0..150).map(|at| (BOB, vec![at])));
    rows.push((CAROL, vec![148]));
    let rows: Vec<(u8, &[usize])> = rows.iter().map(|(who, deps)| (*who, deps.as_slice())).collect();
    check(&rows, &format!("{}┌│└", ".".repeat(149)));
}

#[test]
fn who_wrote_after_a_row_of_ours_has_it_and_all_before() {
    let mut story = Story::new();
    let first = story.says(ANN, 0, "one");
    let second = story.row(ANN, 1, "two", &[first.id]);
    story.row(BOB, 2, "had seen one", &[first.id]);
    let carol = story.row(CAROL, 3, "had seen two", &[second.id]);
    story.row(BOB, 4, "had seen carol", &[carol.id]);
    let seen = |rows: usize| read(story.rows.iter().take(rows), &key_of(ANN)).seen;
    assert_eq!(seen(3).get(&(key_of(BOB), HOME)), Some(&first.position));
    assert_eq!(seen(3).get(&(key_of(CAROL), HOME)), None);
    assert_eq!(seen(5).get(&(key_of(BOB), HOME)), Some(&second.position));
}

#[test]
fn who_saw_a_row_of_one_home_has_not_seen_what_stands_before_it_from_another() {
    let mut story = Story::new();
    let first = story.says(ANN, 0, "one");
    story.row(ANN, 1, "from the other home", &[first.id]);
    story.rows[1].incarnation = Some(HOME + 1);
    let third = story.row(ANN, 2, "three", &[first.id]);
    story.row(BOB, 3, "had seen three", &[third.id]);
    // Of a chain with branches nothing follows.
    let fourth = story.row(ANN, 4, "four", &[third.id]);
    story.rows[4].incarnation = None;
    story.row(CAROL, 5, "had seen four", &[fourth.id]);
    let seen = read(story.rows.iter(), &key_of(ANN)).seen;
    let bob = ((key_of(BOB), HOME), third.position);
    let carol = ((key_of(CAROL), HOME), third.position);
    assert_eq!(seen, [bob, carol].into());
}
