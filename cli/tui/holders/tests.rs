use replica::graph::Reached;
use replica_sync::engine::Event;

use super::*;
use crate::tui::tests::{HOME, Story, key_of};

const ANN: u8 = 1;
const BOB: u8 = 2;
const CAROL: u8 = 3;

fn two_others() -> Holders {
    let mut holders = Holders::default();
    holders.set_others([BOB, CAROL].map(key_of).into());
    holders
}

#[test]
fn a_row_is_here_then_with_some_then_with_all() {
    let mut story = Story::new();
    let row = story.says(ANN, 0, "x");
    let mut holders = two_others();
    holders.note(&Event::Row(Box::new(row.clone())));
    assert_eq!(holders.sign(&row), "○");
    holders.note(&Event::Held { author: key_of(BOB) });
    assert_eq!(holders.sign(&row), "◐");
    holders.note(&Event::Held { author: key_of(CAROL) });
    assert_eq!(holders.sign(&row), "●");
}

#[test]
fn what_was_confirmed_says_nothing_of_what_came_later() {
    let mut story = Story::new();
    let (first, second) = (story.says(ANN, 0, "x"), story.says(ANN, 1, "y"));
    let mut holders = two_others();
    holders.reach(&first);
    holders.note(&Event::Held { author: key_of(BOB) });
    holders.reach(&second);
    assert_eq!((holders.count(&first), holders.count(&second)), ((1, 2), (0, 2)));
}

#[test]
fn whoever_wrote_having_seen_a_row_holds_it_though_they_never_confirmed() {
    let mut story = Story::new();
    let (first, second) = (story.says(ANN, 0, "x"), story.says(ANN, 1, "y"));
    let mut holders = two_others();
    holders.saw(&[((key_of(BOB), HOME), first.position)].into());
    assert_eq!((holders.count(&first), holders.count(&second)), ((1, 2), (0, 2)));
    holders.saw(&[((key_of(BOB), HOME), second.position)].into());
    holders.saw(&[((key_of(BOB), HOME), first.position)].into());
    assert_eq!(holders.count(&second), (1, 2));
}

/// Somebody told how far they hold one of our chains.
fn told(person: u8, incarnation: u64, row: &Row) -> Event {
    let up_to = vec![Reached { incarnation, position: row.position }];
    Event::Seen { author: key_of(person), up_to }
}

#[test]
fn whoever_told_through_others_that_they_hold_a_row_holds_it_and_all_before_it() {
    let mut story = Story::new();
    let rows = [0, 1, 2].map(|minute| story.says(ANN, minute, "x"));
    let mut holders = two_others();
    holders.note(&told(CAROL, HOME, &rows[1]));
    assert_eq!(rows.each_ref().map(|row| holders.sign(row)), ["◐", "◐", "○"]);
    holders.note(&told(BOB, HOME, &rows[0]));
    assert_eq!(rows.each_ref().map(|row| holders.sign(row)), ["●", "◐", "○"]);
    // What was told before comes late, and changes nothing.
    holders.note(&told(CAROL, HOME, &rows[0]));
    assert_eq!(rows.each_ref().map(|row| holders.sign(row)), ["●", "◐", "○"]);
}

#[test]
fn a_row_of_one_home_says_nothing_of_what_another_home_wrote_before() {
    let mut story = Story::new();
    let mut of_other = story.says(ANN, 0, "from the other home");
    of_other.incarnation = Some(HOME + 1);
    let mut of_fork = story.says(ANN, 1, "from a chain with branches");
    of_fork.incarnation = None;
    let row = story.says(ANN, 2, "from here");
    let mut holders = two_others();
    holders.note(&told(BOB, HOME, &row));
    holders.note(&told(CAROL, HOME, &row));
    let signs = [&of_other, &of_fork, &row].map(|row| holders.sign(row));
    assert_eq!(signs, ["○", "○", "●"]);
}

#[test]
fn who_is_alone_has_it_only_here_and_who_left_is_not_waited_for() {
    let mut story = Story::new();
    let row = story.says(ANN, 0, "x");
    let mut holders = Holders::default();
    holders.reach(&row);
    assert_eq!(holders.sign(&row), "○");
    holders.set_others([BOB, CAROL].map(key_of).into());
    holders.note(&Event::Held { author: key_of(BOB) });
    holders.set_others([BOB].map(key_of).into());
    assert_eq!(holders.sign(&row), "●");
}
