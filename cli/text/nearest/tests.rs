use super::*;

#[test]
fn distance_counts_changes() {
    for (a, b, n) in [("", "abc", 3), ("who", "who", 0), ("hwo", "who", 2), ("wh", "who", 1), ("x", "who", 3)]
    {
        assert_eq!(distance(a, b), n, "{a} {b}");
    }
}

#[test]
fn only_a_slip_is_taken_for_another_word() {
    let known = ["late", "leave", "PgUp"];
    assert_eq!(nearest("lete", known), Some("late"));
    assert_eq!(nearest("pgpu", known), Some("PgUp"));
    assert_eq!(nearest("search", known), None);
}
