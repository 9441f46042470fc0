use replica::identity::Identity;

use super::*;
use replica_sync::wire::Bye;

fn bob() -> AuthorKey {
    Identity::from_secret(&[2; 32]).key()
}

fn here(n: u64) -> Event {
    Event::PeerHere { connection: ConnectionId(n), author: bob() }
}

fn gone(n: u64) -> Event {
    Event::PeerGone { connection: ConnectionId(n), author: bob() }
}

fn doubled(n: u64) -> Event {
    Event::Doubled(ConnectionId(n))
}

fn bye(reason: ByeReason) -> Event {
    Event::Bye { address: "a:1".to_owned(), bye: Bye::new(reason, "") }
}

#[track_caller]
fn check(events: &[Event], changes: &[Change]) {
    let mut presence = Presence::default();
    let told: Vec<Change> = events.iter().filter_map(|event| presence.note(event)).collect();
    assert_eq!(told, changes);
}

#[test]
fn a_person_comes_once_and_leaves_once() {
    let (came, left) = (Change::Came(bob()), Change::Left(bob()));
    check(&[here(1), here(2), gone(1), gone(2)], &[came, left]);
    check(&[here(1), gone(1), here(2)], &[came, left, came]);
}

#[test]
fn of_two_connections_to_one_replica_either_may_end_unnoticed() {
    let came = Change::Came(bob());
    check(&[here(1), doubled(1), gone(1), here(2)], &[came]);
    check(&[here(1), doubled(2), gone(2)], &[came]);
    check(&[here(1), bye(ByeReason::Duplicate), gone(1), here(2)], &[came]);
    check(&[here(1), doubled(1), gone(1), here(2), gone(2)], &[came, Change::Left(bob())]);
}

#[test]
fn who_leaves_came_before() {
    check(&[gone(1)], &[]);
    let (came, left) = (Change::Came(bob()), Change::Left(bob()));
    check(&[here(1), bye(ByeReason::Leaving), gone(1)], &[came, left]);
}
