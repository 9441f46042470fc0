use replica::id::AuthorKey;
use replica::order::{Clock, OrderKey};

use super::*;

/// A row of somebody's, who had seen these.
fn row(number: u8, (era, time_ms, count): (u32, u64, u32), claimed_ms: u64, seen: &[u8]) -> Row {
    let id = |number: u8| EntryId([number; 32]);
    Row {
        id: id(number),
        position: number.into(),
        key: OrderKey { clock: Clock { era, time_ms, count }, id: id(number) },
        author: AuthorKey([number; 32]),
        nick: None,
        claimed_ms,
        kind: 8,
        text: format!("number {number}"),
        deps: seen.iter().map(|seen| id(*seen)).collect(),
        counts: true,
        incarnation: Some(1),
        rows_after: 0,
    }
}

const DAY_MS: u64 = 24 * 3_600_000;

#[test]
fn the_line_of_the_rule_is_the_one_that_derived_the_clock() {
    let far = 1_000 * DAY_MS;
    let early = row(1, (0, DAY_MS, 0), DAY_MS, &[]);
    let ahead = row(2, (0, far, 0), far, &[1]);
    let of = |row: Row, seen: &[&Row]| {
        Place { row, seen: seen.iter().map(|seen| (*seen).clone()).collect(), above: None, below: None }
            .rule()
    };
    assert_eq!(of(early.clone(), &[]), Rule::First);
    assert_eq!(of(row(3, (0, DAY_MS + 1, 0), DAY_MS + 1, &[1]), &[&early]), Rule::OwnClock);
    assert_eq!(of(row(3, (0, DAY_MS, 1), DAY_MS, &[1]), &[&early]), Rule::AfterSeen);
    assert_eq!(of(row(3, (0, far, 1), DAY_MS + 1, &[1, 2]), &[&early, &ahead]), Rule::AfterSeen);
    assert_eq!(of(row(3, (1, DAY_MS + 1, 0), DAY_MS + 1, &[1, 2]), &[&early, &ahead]), Rule::NewEra);
}

#[test]
fn between_neighbours_the_first_difference_decides_unless_one_had_seen_the_other() {
    let upper = row(1, (0, 5, 0), 5, &[]);
    for (lower, by) in [
        (row(2, (0, 5, 1), 1, &[1]), Decided::Seen),
        (row(2, (1, 1, 0), 1, &[]), Decided::Era),
        (row(2, (0, 6, 0), 6, &[]), Decided::Clock),
        (row(2, (0, 5, 1), 1, &[]), Decided::Count),
        (row(2, (0, 5, 0), 5, &[]), Decided::Id),
    ] {
        assert_eq!(decided(&upper, &lower), by);
    }
}

#[test]
fn an_id_is_named_by_its_beginning() {
    assert_eq!(checked("00AAff99").unwrap(), "00aaff99");
    for wrong in ["", "00aaff9", "00aaff9g", &"a".repeat(65)] {
        assert!(checked(wrong).is_err(), "{wrong}");
    }
}

#[test]
fn what_is_told_is_one_line_each_whatever_was_written() {
    let place = Place {
        row: Row {
            text: "two\nlines \u{1b}[31m".to_owned() + &"x".repeat(200),
            ..row(3, (0, 7, 0), 7, &[1])
        },
        seen: vec![row(1, (0, 5, 0), 5, &[])],
        above: Some(row(2, (0, 6, 0), 6, &[])),
        below: Some(row(4, (0, 7, 1), 7, &[3])),
    };
    let teller = Teller { people: People::default(), local: LocalTime::utc() };
    let lines = teller.lines(&place);
    assert!(
        lines.iter().all(|line| line.chars().count() < 160 && !line.contains(char::is_control)),
        "{lines:#?}"
    );
    let starts = ["id", "after", "time", "above", "below"]
        .map(|label| lines.iter().filter(|line| line.starts_with(label)).count());
    assert_eq!(starts, [1; 5], "{lines:#?}");
}
