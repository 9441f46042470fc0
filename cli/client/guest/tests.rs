use replica::identity::Identity;

use super::*;
use crate::json::tests::message;

fn me() -> AuthorKey {
    Identity::from_secret(&[7; 32]).key()
}

fn say(text: &str) -> Command {
    Command::Say(text.to_owned())
}

#[test]
fn a_message_that_was_written_and_not_told_is_not_written_again() {
    let mut rows = vec![message("another"), message("mine")];
    let told = outcome(&mut rows, &me(), &[], 5, &say("mine")).unwrap();
    assert!(matches!(told[0], Event::Written { tag: 5, .. }), "{told:?}");
    assert!(matches!(&told[1], Event::Row(row) if row.text == "mine"), "{told:?}");
    assert_eq!(rows, [message("another")], "its row is told once");
    // Said twice and written once: the other is still to be written.
    assert_eq!(outcome(&mut rows, &me(), &[], 6, &say("mine")), None);
}

#[test]
fn what_somebody_else_said_in_the_same_words_is_no_outcome() {
    let other = Identity::from_secret(&[8; 32]).key();
    assert_eq!(outcome(&mut vec![message("mine")], &other, &[], 5, &say("mine")), None);
}

#[test]
fn a_draft_that_was_kept_and_not_told_is_not_kept_again() {
    let drafts = [(1, "mine".to_owned())];
    let told = outcome(&mut Vec::new(), &me(), &drafts, 5, &say("mine")).unwrap();
    assert!(matches!(&told[..], [Event::Draft { tag: Some(5), .. }]), "{told:?}");
}

#[test]
fn what_is_not_a_message_is_asked_for_again() {
    let mut rows = vec![message("leave")];
    assert_eq!(outcome(&mut rows, &me(), &[], 5, &Command::Leave), None);
}
