use replica::identity::Identity;

use super::*;

fn key(n: u8) -> AuthorKey {
    Identity::from_secret(&[n; 32]).key()
}

fn people(names: &[&str]) -> People {
    let mut people = People::default();
    for (name, n) in names.iter().zip(1..) {
        people.learn(key(n), name);
    }
    people
}

#[test]
fn a_name_of_ones_own_is_shown_alone() {
    let people = people(&["ann", "bob"]);
    assert_eq!(people.name(&key(1)), "ann");
    assert_eq!(people.name(&key(2)), "bob");
}

#[test]
fn who_has_no_name_is_shown_by_words_of_the_key() {
    for none in ["", " \u{200b} "] {
        assert_eq!(people(&[none]).name(&key(1)), two_words(&key(1)));
    }
    assert_eq!(People::default().name(&key(9)), two_words(&key(9)));
}

#[test]
fn names_that_look_alike_are_told_apart() {
    for stolen in ["bob", "BOB", "b0b", "bo\u{200b}b ", "bоb"] {
        let people = people(&["bob", stolen]);
        for n in [1, 2] {
            assert!(people.name(&key(n)).ends_with(&format!("({})", two_words(&key(n)))), "{stolen:?}");
        }
    }
}

#[test]
fn words_of_a_key_cannot_be_taken_as_a_name() {
    let people = people(&["", &two_words(&key(1))]);
    assert_eq!(people.name(&key(2)), format!("{}({})", two_words(&key(1)), two_words(&key(2))));
}

#[test]
fn a_name_given_up_is_free_again() {
    let mut people = people(&["bob", "bob"]);
    people.learn(key(2), "rob");
    assert_eq!(people.name(&key(1)), "bob");
    assert_eq!(people.name(&key(2)), "rob");
}

#[test]
fn an_old_name_that_is_somebody_elses_now_is_marked() {
    let people = people(&["bob", "ann"]);
    assert_eq!(people.shown(&key(2), Some("Bob")), format!("Bob({})", two_words(&key(2))));
}

#[test]
fn who_is_meant_is_found_by_name_words_or_key() {
    let people = people(&["ann", "bob", "ann"]);
    assert_eq!(people.meant("bob"), [key(2)]);
    assert_eq!(people.meant(" @bob "), [key(2)]);
    assert_eq!(people.meant(&two_words(&key(2))), [key(2)]);
    assert_eq!(people.meant(&key(2).to_string()[..8]), [key(2)]);
    assert_eq!(people.meant(&key(2).to_string()[..3]), []);
    assert_eq!(people.meant("ann").len(), 2, "two are called so");
    assert_eq!(people.meant(&people.name(&key(3))), [key(3)], "as they are shown");
    assert_eq!(people.meant("nobody"), []);
}
