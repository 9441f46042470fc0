use replica::identity::Identity;

use super::*;
use replica_sync::conversation::ConnectionId;

fn bob() -> AuthorKey {
    Identity::from_secret(&[2; 32]).key()
}

fn connected() -> BTreeSet<AuthorKey> {
    BTreeSet::from([bob()])
}

fn summary(delivery: &Delivery, connected: &BTreeSet<AuthorKey>) -> Option<String> {
    let mut people = People::default();
    people.learn(bob(), "bob");
    delivery.summary(connected, &people)
}

#[test]
fn nothing_written_is_done() {
    assert!(Delivery::default().is_done());
    assert_eq!(summary(&Delivery::default(), &connected()), None);
}

#[test]
fn what_was_written_after_the_last_confirmation_is_not_held() {
    let mut delivery = Delivery::default();
    delivery.wrote();
    delivery.note(&Event::Held { author: bob() });
    assert!(delivery.is_done());
    delivery.wrote();
    assert!(!delivery.is_done());
    assert_eq!(summary(&delivery, &connected()).unwrap(), "2 messages: kept here; not confirmed yet by bob");
    delivery.note(&Event::Held { author: bob() });
    assert!(delivery.is_done());
    assert_eq!(summary(&delivery, &connected()).unwrap(), "2 messages: held by bob");
}

#[test]
fn a_draft_is_held_by_nobody_until_we_agree() {
    let mut delivery = Delivery::default();
    delivery.drafted();
    delivery.note(&Event::Held { author: bob() });
    assert!(!delivery.is_done());
    assert_eq!(summary(&delivery, &connected()).unwrap(), "1 message: kept here until you are let in");
}

#[test]
fn without_a_peer_it_is_kept_here() {
    let mut delivery = Delivery::default();
    delivery.wrote();
    assert!(!delivery.is_done());
    assert_eq!(summary(&delivery, &BTreeSet::new()).unwrap(), "1 message: kept here; no peer was connected");
}

#[test]
fn what_stays_in_another_room_is_held_by_nobody_in_this_one() {
    let mut delivery = Delivery::default();
    delivery.wrote();
    delivery.moved();
    delivery.note(&Event::Agreed {
        connection: ConnectionId(1),
        author: bob(),
        address: "a:1".to_owned(),
        sent: 0,
        received: 0,
        millis: 0,
    });
    assert!(delivery.is_done());
    assert_eq!(summary(&delivery, &connected()).unwrap(), "1 message stayed in the room you were in before");
    delivery.drafted();
    delivery.moved();
    assert!(!delivery.is_done());
}
