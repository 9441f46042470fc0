use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::SeedableRng as _;
use replica::id::{AuthorKey, StoreId};

use super::{Book, Endpoint, Source, Trouble};
use crate::limits::{
    FOUND_ADDRESSES_MAX, FOUND_FAILURES_MAX, FOUND_PAUSE, LEARNED_ADDRESSES_MAX, LEARNED_FAILURES_MIN,
    REDIAL_MAX,
};

const HERE: &str = "127.0.0.1:7400";

fn book() -> (Book, ChaCha8Rng) {
    let mut book = Book::new();
    book.add(HERE.to_owned(), Source::Named, 0);
    (book, ChaCha8Rng::seed_from_u64(7))
}

#[test]
fn an_address_is_dialled_at_once_and_not_twice() {
    let (mut book, _) = book();
    assert_eq!(book.poll_dials(0), [HERE]);
    assert!(book.poll_dials(1_000_000).is_empty());
    assert_eq!(book.next_due(), None);
}

#[test]
fn pauses_grow_to_half_a_minute_and_never_end() {
    let (mut book, mut rng) = book();
    let (mut now, mut last) = (0, 0);
    for attempt in 0..200 {
        assert_eq!(book.poll_dials(now), [HERE], "attempt {attempt}");
        book.ended(HERE, Some(Trouble::Unreachable), now, &mut rng);
        let due = book.next_due().unwrap();
        assert!(book.poll_dials(due - 1).is_empty());
        last = due - now;
        assert!(u128::from(last) <= REDIAL_MAX.as_millis(), "attempt {attempt} waits {last} ms");
        now = due;
    }
    assert!(u128::from(last) >= REDIAL_MAX.as_millis() / 2);
}

#[test]
fn what_worked_is_dialled_again_soon_after_it_is_lost() {
    let (mut book, mut rng) = book();
    for now in 0..20 {
        book.ended(HERE, Some(Trouble::Unreachable), now, &mut rng);
    }
    book.connected(HERE);
    book.worked(HERE);
    book.ended(HERE, None, 100, &mut rng);
    assert!(book.next_due().unwrap() <= 100 + 250);
}

#[test]
fn who_goes_on_under_another_name_is_dialled_again_at_once_but_once() {
    let (mut book, mut rng) = book();
    let mut leave = |book: &mut Book, now| {
        book.poll_dials(now);
        book.connected(HERE);
        book.ended(HERE, None, now, &mut rng);
        book.renewed(HERE, now);
    };
    leave(&mut book, 7);
    assert_eq!(book.next_due(), Some(7));
    leave(&mut book, 8);
    assert!(book.next_due() > Some(8));
    book.worked(HERE);
    leave(&mut book, 100_000);
    assert_eq!(book.next_due(), Some(100_000));
}

#[test]
fn who_turns_us_away_at_once_is_asked_less_and_less() {
    let (mut book, mut rng) = book();
    let mut now = 0;
    for _ in 0..12 {
        book.poll_dials(now);
        book.connected(HERE);
        book.ended(HERE, None, now, &mut rng);
        now = book.next_due().unwrap();
    }
    book.connected(HERE);
    book.ended(HERE, None, now, &mut rng);
    assert!(book.next_due().unwrap() - now >= 15_000);
}

const ANN: Endpoint = (AuthorKey([1; 32]), StoreId([2; 16]));
const BOB: Endpoint = (AuthorKey([3; 32]), StoreId([4; 16]));

#[test]
fn we_ourselves_are_no_place_and_not_dialled() {
    let (mut book, mut rng) = book();
    book.is_ourselves(HERE);
    book.ended(HERE, None, 0, &mut rng);
    assert_eq!(book.next_due(), None);
    assert_eq!(book.places(0, |_| false), []);
}

#[test]
fn all_addresses_of_one_member_are_one_place_at_the_one_that_works_best() {
    let (mut book, mut rng) = book();
    book.answered(HERE, ANN);
    book.learn("10.0.0.1:1".to_owned(), ANN, 0);
    book.learn("10.0.0.2:1".to_owned(), BOB, 0);
    book.ended("10.0.0.1:1", Some(Trouble::Unreachable), 0, &mut rng);
    let places = book.places(1_000, |endpoint| *endpoint == BOB);
    let all: Vec<_> = places.iter().map(|place| (place.address, place.failures, place.is_linked)).collect();
    assert_eq!(all, [(HERE, 0, false), ("10.0.0.2:1", 0, true)]);
}

#[test]
fn nobody_makes_another_unreachable_by_claiming_where_it_is() {
    let (mut book, _) = book();
    let of = |book: &Book| book.addresses().map(|(_, known)| known.endpoint()).collect::<Vec<_>>();
    book.learn(HERE.to_owned(), BOB, 0);
    assert_eq!(of(&book), [Some(BOB)]);
    book.learn(HERE.to_owned(), ANN, 0);
    assert_eq!(of(&book), [None]);
    book.answered(HERE, ANN);
    book.learn(HERE.to_owned(), BOB, 0);
    assert_eq!(of(&book), [Some(ANN)]);
}

#[test]
fn who_lets_go_of_us_is_dialled_later_and_has_not_failed() {
    let (mut book, mut rng) = book();
    book.answered(HERE, ANN);
    book.connected(HERE);
    book.ended(HERE, None, 10, &mut rng);
    book.let_go(&ANN, Some(HERE), 60_000);
    assert_eq!(book.next_due(), Some(60_000));
    assert!(book.addresses().all(|(_, known)| known.failures == 0 && known.is_resting(10)));
}

#[test]
fn after_a_sleep_everything_is_due() {
    let (mut book, mut rng) = book();
    (0..20).for_each(|now| book.ended(HERE, Some(Trouble::Unreachable), now, &mut rng));
    book.wake(30);
    assert_eq!(book.poll_dials(30), [HERE]);
}

#[test]
fn a_learned_address_that_failed_for_long_makes_place_for_a_new_one() {
    let (mut book, mut rng) = book();
    for port in 0..LEARNED_ADDRESSES_MAX {
        book.add(format!("10.0.0.1:{port}"), Source::Learned, 0);
    }
    let has_new = |book: &Book| book.addresses().any(|(address, _)| address == "10.0.0.2:1");
    book.add("10.0.0.2:1".to_owned(), Source::Learned, 0);
    assert!(!has_new(&book));
    for now in 0..u64::from(LEARNED_FAILURES_MIN) {
        book.ended("10.0.0.1:7", Some(Trouble::Unreachable), now, &mut rng);
        book.ended(HERE, Some(Trouble::Unreachable), now, &mut rng);
    }
    book.add("10.0.0.2:1".to_owned(), Source::Learned, 0);
    assert!(has_new(&book));
    assert_eq!(book.addresses().count(), LEARNED_ADDRESSES_MAX + 1);
}

#[test]
fn addresses_that_peers_tell_are_bounded_and_those_people_name_are_not_crowded_out() {
    let (mut book, _) = book();
    for port in 0..2 * LEARNED_ADDRESSES_MAX {
        book.add(format!("10.0.0.1:{port}"), Source::Learned, 0);
    }
    assert_eq!(book.addresses().count(), LEARNED_ADDRESSES_MAX + 1);
    book.add("10.0.0.2:1".to_owned(), Source::Named, 0);
    assert_eq!(book.addresses().count(), LEARNED_ADDRESSES_MAX + 2);
}

#[test]
fn a_wrong_answer_where_something_was_found_costs_one_dial_a_minute_at_most() {
    let mut rng = ChaCha8Rng::seed_from_u64(7);
    let mut book = Book::new();
    let pause = u64::try_from(FOUND_PAUSE.as_millis()).unwrap();
    let mut dials = 0;
    for now in (0..10 * pause).step_by(1_000) {
        book.add(HERE.to_owned(), Source::Found, now);
        for address in book.poll_dials(now) {
            dials += 1;
            book.ended(&address, Some(Trouble::RoomRefused), now, &mut rng);
        }
    }
    assert_eq!(dials, 10);
    book.add(HERE.to_owned(), Source::Named, 10 * pause - 1);
    assert_eq!(book.poll_dials(10 * pause - 1), [HERE], "a person's word counts for more");
}

#[test]
fn silence_where_something_was_found_costs_a_few_dials() {
    let mut rng = ChaCha8Rng::seed_from_u64(7);
    let mut book = Book::new();
    book.add(HERE.to_owned(), Source::Found, 0);
    let mut dials = 0;
    for now in 0..1_000_000 {
        for address in book.poll_dials(now) {
            dials += 1;
            book.ended(&address, Some(Trouble::Unreachable), now, &mut rng);
        }
    }
    assert_eq!(dials, FOUND_FAILURES_MAX);
}

#[test]
fn whoever_fills_a_place_of_discovery_fills_no_memory_and_crowds_out_nobody() {
    let mut rng = ChaCha8Rng::seed_from_u64(7);
    let (mut book, endpoint) = (Book::new(), (AuthorKey([1; 32]), StoreId([1; 16])));
    book.learn(HERE.to_owned(), endpoint, 0);
    for number in 0..10 * FOUND_ADDRESSES_MAX {
        let address = format!("10.0.{}.{}:1", number / 250, number % 250);
        book.add(address.clone(), Source::Found, 0);
        book.ended(&address, Some(Trouble::RoomRefused), 0, &mut rng);
    }
    assert_eq!(book.addresses().count(), FOUND_ADDRESSES_MAX + 1);
    assert_eq!(book.poll_dials(0), [HERE]);
}
