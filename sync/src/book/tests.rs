use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::SeedableRng as _;
use replica::id::{AuthorKey, StoreId};

use super::{Book, Source, Trouble};
use crate::limits::{LEARNED_ADDRESSES_MAX, REDIAL_MAX};

const HERE: &str = "127.0.0.1:7400";

fn book() -> (Book, ChaCha8Rng) {
    let mut book = Book::new();
    book.add(HERE.to_owned(), Source::Named, 0);
    (book, ChaCha8Rng::seed_from_u64(7))
}

#[test]
fn an_address_is_dialled_at_once_and_not_twice() {
    let (mut book, _) = book();
    assert_eq!(book.poll_dials(0, |_| false), [HERE]);
    assert!(book.poll_dials(1_000_000, |_| false).is_empty());
    assert_eq!(book.next_due(), None);
}

#[test]
fn pauses_grow_to_half_a_minute_and_never_end() {
    let (mut book, mut rng) = book();
    let (mut now, mut last) = (0, 0);
    for attempt in 0..200 {
        assert_eq!(book.poll_dials(now, |_| false), [HERE], "attempt {attempt}");
        book.ended(HERE, Some(Trouble::Unreachable), now, &mut rng);
        let due = book.next_due().unwrap();
        assert!(book.poll_dials(due - 1, |_| false).is_empty());
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
fn who_turns_us_away_at_once_is_asked_less_and_less() {
    let (mut book, mut rng) = book();
    let mut now = 0;
    for _ in 0..12 {
        book.poll_dials(now, |_| false);
        book.connected(HERE);
        book.ended(HERE, None, now, &mut rng);
        now = book.next_due().unwrap();
    }
    book.connected(HERE);
    book.ended(HERE, None, now, &mut rng);
    assert!(book.next_due().unwrap() - now >= 15_000);
}

#[test]
fn who_is_connected_otherwise_and_we_ourselves_are_not_dialled() {
    let (mut book, mut rng) = book();
    let endpoint = (AuthorKey([1; 32]), StoreId([2; 16]));
    book.answered(HERE, endpoint);
    assert!(book.poll_dials(0, |other| *other == endpoint).is_empty());
    let later = book.next_due().unwrap();
    assert_eq!(book.poll_dials(later, |_| false), [HERE]);
    book.is_ourselves(HERE);
    book.ended(HERE, None, later, &mut rng);
    assert_eq!(book.next_due(), None);
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
