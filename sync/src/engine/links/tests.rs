use replica::id::StoreId;

use super::*;
use crate::book::Trouble;
use crate::conversation::ConnectionId;
use crate::engine::bench::{Bench, address, closed, dials, person, proof};
use crate::engine::{Command, Input, Settings};
use crate::limits::LINKS_MAX;
use crate::wire::{Bye, Frame, Hello};

fn bench(others: u8) -> Bench {
    Bench::new(Settings::default(), others)
}

fn known<'a>(bench: &'a Bench, address: &str) -> &'a Known {
    bench.engine.book().addresses().find(|(known, _)| *known == address).unwrap().1
}

fn is_spare(bench: &Bench, address: &str) -> bool {
    bench.engine.is_spare(known(bench, address))
}

#[test]
fn an_address_is_spare_where_its_owner_is_connected_otherwise_or_asked_us_to_stay_away() {
    let mut bench = bench(3);
    assert_eq!(dials(&bench.command(Command::Dial(address(2)))), [address(2)]);
    assert!(!is_spare(&bench, &address(2)), "it is being dialled");
    bench.handle(Input::DialFailed(address(2), Trouble::Unreachable));
    assert!(!is_spare(&bench, &address(2)), "it failed");
    // Bob is reached there, and let go of again.
    let mut bench = self::bench(3);
    bench.reach(2, &person(2));
    bench.frame(2, Frame::Bye(Bye::new(ByeReason::EnoughLinks, "")));
    assert!(is_spare(&bench, &address(2)), "it rests");
    // Somebody tells of another address of bob's while he is there, and of one of carol's.
    bench.meet(3, &person(2));
    let now_ms = bench.now.monotonic_ms;
    bench.engine.book.learn(address(7), (person(2).key(), StoreId([9; 16])), now_ms);
    bench.engine.book.learn(address(8), (person(3).key(), StoreId([9; 16])), now_ms);
    assert_eq!([7, 8].map(|number| is_spare(&bench, &address(number))), [true, false]);
}

#[test]
fn where_there_are_links_enough_all_others_are_spare() {
    let mut bench = bench(20);
    for number in 2..20 {
        bench.meet(number, &person(u8::try_from(number).unwrap()));
    }
    bench.pass(1);
    assert_eq!(dials(&bench.command(Command::Dial(address(99)))), [""; 0]);
    assert!(is_spare(&bench, &address(99)));
}

#[test]
fn who_is_offline_dials_nobody() {
    let mut bench = bench(1);
    bench.command(Command::SetOnline(false));
    assert_eq!(dials(&bench.command(Command::Dial(address(2)))), [""; 0]);
    assert_eq!(dials(&bench.pass(60_000)), [""; 0]);
    assert_eq!(dials(&bench.command(Command::SetOnline(true))), [address(2)]);
}

#[test]
fn addresses_are_dialled_when_they_are_due_and_not_before() {
    let mut bench = bench(1);
    bench.command(Command::Dial(address(2)));
    bench.handle(Input::DialFailed(address(2), Trouble::Unreachable));
    let wait_ms = known(&bench, &address(2)).retry_ms(bench.now.monotonic_ms).unwrap();
    assert!(wait_ms >= 125);
    assert_eq!(dials(&bench.pass(wait_ms - 1)), [""; 0]);
    assert_eq!(dials(&bench.pass(1)), [address(2)]);
    // Also where nobody looked just then.
    bench.handle(Input::DialFailed(address(2), Trouble::Unreachable));
    bench.now.monotonic_ms += 5_000;
    assert_eq!(dials(&bench.handle(Input::Tick)), [address(2)]);
}

#[test]
fn one_of_too_many_links_is_let_go_once_it_rests_and_not_dialled_for_a_while() {
    let mut bench = bench(20);
    let count = u64::try_from(LINKS_MAX).unwrap() + 1;
    for number in 2..2 + count {
        bench.connect(number, &person(u8::try_from(number).unwrap()));
    }
    assert_eq!(closed(&bench.pass(120_000)), [], "none of them rests");
    let mut outputs = Vec::new();
    for number in 2..2 + count {
        bench.close(number);
        outputs.extend(bench.meet(number, &person(u8::try_from(number).unwrap())));
    }
    outputs.extend(bench.pass(1_000));
    let ended = closed(&outputs);
    assert!(matches!(ended[..], [(_, Some(ByeReason::EnoughLinks))]), "{ended:?}");
}

#[test]
fn links_rest_when_all_is_handed_over_and_agreed_on() {
    let is_resting = |alter: fn(&mut Session)| {
        let mut bench = bench(2);
        bench.meet(2, &person(2));
        alter(bench.engine.sessions.get_mut(&ConnectionId(2)).unwrap());
        let links = bench.engine.links();
        links.first().map(|link| (link.connection, link.since_ms == bench.now.monotonic_ms, link.is_at_rest))
    };
    let number = ConnectionId(2);
    assert_eq!(is_resting(|_| ()), Some((number, true, true)));
    assert_eq!(is_resting(|session| session.agreed = None), Some((number, true, false)));
    assert_eq!(is_resting(|session| session.incoming.bulk_since_ms = Some(0)), Some((number, true, false)));
    assert_eq!(is_resting(|session| session.outgoing.sent(1, 1)), Some((number, true, false)));
    // Who only hands us something is no link; who has not said who it is may be one.
    assert_eq!(is_resting(|session| session.is_served = false), None);
    let unknown = is_resting(|session| (session.is_served, session.hello) = (false, None));
    assert_eq!(unknown, Some((number, true, false)));
}

#[test]
fn who_let_go_of_each_other_stay_apart_for_half_a_minute_to_a_whole_one() {
    let mut pauses = BTreeSet::new();
    for seed in 0..40 {
        let mut bench = Bench::new(Settings { seed: [seed; 32], ..Settings::default() }, 1);
        bench.reach(2, &person(2));
        bench.frame(2, Frame::Bye(Bye::new(ByeReason::EnoughLinks, "")));
        pauses.insert(known(&bench, &address(2)).retry_ms(bench.now.monotonic_ms).unwrap());
    }
    assert!(pauses.iter().all(|pause| (30_000..=60_000).contains(pause)), "{pauses:?}");
    assert!(
        pauses.len() > 30 && pauses.first() < Some(&35_000) && pauses.last() > Some(&55_000),
        "{pauses:?}"
    );
}

#[test]
fn who_is_connected_through_a_server_is_dialled_where_it_is() {
    let mut bench = bench(2);
    let relayed = format!("via/{}/{}", address(9), "00".repeat(16));
    bench.reach(2, &person(2));
    bench.close(2);
    bench.connected(3, relayed, false, proof(3, &person(2)));
    let hello = bench.hello();
    let mut outputs = bench.frame(3, Frame::Hello(hello));
    let wait_ms = known(&bench, &address(2)).retry_ms(bench.now.monotonic_ms).unwrap();
    assert_eq!(dials(&outputs), [""; 0], "its pause is not over");
    outputs = bench.pass(wait_ms - 1);
    assert_eq!(dials(&outputs), [""; 0]);
    assert_eq!(dials(&bench.pass(1)), [address(2)]);
    // Who is connected without one is not.
    let hello = Hello { store: StoreId([9; 16]), ..bench.hello() };
    bench.handle(Input::DialFailed(address(2), Trouble::Unreachable));
    bench.close(3);
    bench.greet(4, &person(2), hello);
    assert_eq!(dials(&bench.pass(60_000)), [""; 0]);
}
