use super::*;

const ANN: AuthorKey = AuthorKey([1; 32]);
const BOB: AuthorKey = AuthorKey([2; 32]);

/// Ann said so much at once; Bob said one thing so long after.
fn after(entries: u64, bob_ms: u64) -> Pace {
    let mut pace = Pace::default();
    pace.note(ANN, entries, 1_000);
    pace.note(BOB, 1, 1_000 + bob_ms);
    pace
}

#[test]
fn who_speaks_alone_is_not_held_back() {
    let mut pace = Pace::default();
    pace.note(ANN, 1_000_000, 1_000);
    assert_eq!(pace.allowance(&ANN, false, 1_000), Allowance::All);
}

#[test]
fn who_floods_waits_while_others_speak_and_they_do_not() {
    let pace = after(100_000, 0);
    assert_eq!(pace.allowance(&ANN, false, 1_000), Allowance::Nothing(1_000 + SPEAKING_MS));
    assert_eq!(pace.allowance(&BOB, false, 1_000), Allowance::All);
    let later = 1_000 + SPEAKING_MS;
    assert_eq!(pace.allowance(&ANN, false, later), Allowance::All, "nobody else speaks any more");
}

#[test]
fn half_a_burst_is_free_and_time_makes_up_for_more() {
    assert_eq!(after(ENTRIES_BURST / 2, 0).allowance(&ANN, false, 1_000), Allowance::All);
    let pace = after(ENTRIES_BURST + ENTRIES_PER_SECOND / 10, 0);
    let free = 1_100 + ENTRIES_BURST * 500 / ENTRIES_PER_SECOND;
    assert_eq!(pace.allowance(&ANN, false, 1_099), Allowance::Nothing(free));
    assert_eq!(pace.allowance(&ANN, false, 1_100), Allowance::Little);
    assert_eq!(pace.allowance(&ANN, false, free), Allowance::All);
}

#[test]
fn who_passes_on_a_flood_is_not_silenced() {
    assert_eq!(after(100_000, 0).allowance(&ANN, true, 1_000), Allowance::Little);
}

#[test]
fn of_too_many_authors_those_that_owe_something_are_kept() {
    let mut pace = after(100_000, 0);
    for number in 0..2 * PACED_AUTHORS_MAX {
        let mut key = [3; 32];
        key[..8].copy_from_slice(&(number as u64).to_be_bytes());
        pace.note(AuthorKey(key), 1, 2_000 + number as u64);
    }
    assert!(pace.authors.len() <= PACED_AUTHORS_MAX);
    assert!(pace.authors.contains_key(&ANN));
}
