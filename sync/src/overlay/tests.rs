use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::SeedableRng as _;

use super::{Link, Overlay, Plan};
use crate::book::Place;
use crate::conversation::ConnectionId;
use crate::limits::{LINKS, LINKS_MAX, LONG_LINKS, PROBE, REDRAW, TRIM};

/// An overlay with its dice, and the time.
struct Case {
    overlay: Overlay,
    rng: ChaCha8Rng,
    now_ms: u64,
}

impl Case {
    fn new() -> Self {
        Self { overlay: Overlay::default(), rng: ChaCha8Rng::seed_from_u64(5), now_ms: 1_000_000 }
    }

    fn plan(&mut self, links: &[Link], places: &[Place<'_>]) -> Plan {
        self.overlay.plan(links, places, self.now_ms, &mut self.rng)
    }

    /// Plans whenever it is time to, until there is something to do; answers after how many milliseconds.
    fn wait(&mut self, links: &[Link], places: &[Place<'_>]) -> (u64, Plan) {
        let start_ms = self.now_ms;
        loop {
            let plan = self.plan(links, places);
            if !plan.dial.is_empty() || plan.release.is_some() {
                return (self.now_ms - start_ms, plan);
            }
            self.now_ms = plan.again_ms.expect("something is to be done some time");
        }
    }
}

/// So many links at rest, the oldest first.
fn links(count: u64) -> Vec<Link> {
    let link = |number| Link { connection: ConnectionId(number), since_ms: number, is_at_rest: true };
    (0..count).map(link).collect()
}

/// So many connected members, and others that may be dialled, after so many failures each.
fn places<'a>(names: &'a [String], linked: usize, failures: &[u32]) -> Vec<Place<'a>> {
    let failures = std::iter::repeat_n(&0, linked).chain(failures);
    let place = |(index, (name, failures)): (usize, (&'a String, &u32))| Place {
        address: name,
        is_held: true,
        due_ms: 0,
        failures: *failures,
        is_named: false,
        is_linked: index < linked,
        is_dialing: false,
    };
    names.iter().zip(failures).enumerate().map(place).collect()
}

fn names(count: usize) -> Vec<String> {
    (0..count).map(|number| format!("m{number}")).collect()
}

#[test]
fn eight_members_all_connect_to_all() {
    let names = names(7);
    let plan = Case::new().plan(&[], &places(&names, 0, &[0; 7]));
    assert_eq!(plan.dial.len(), 7);
    let plan = Case::new().plan(&links(6), &places(&names, 6, &[0]));
    assert_eq!(plan.dial, ["m6"]);
}

#[test]
fn an_address_of_nobody_known_is_no_further_member() {
    let names = names(9);
    let mut places = places(&names, 6, &[0, 0]);
    places[7].is_held = false;
    let mut dialed = Case::new().plan(&links(6), &places).dial;
    dialed.sort();
    assert_eq!(dialed, ["m6", "m7"]);
}

#[test]
fn in_a_larger_room_so_many_are_dialled_as_links_are_missing() {
    let names = names(30);
    for links_there in 0..=LINKS {
        let mut case = Case::new();
        let others = vec![0; 30 - links_there];
        let plan = case.plan(&links(links_there as u64), &places(&names, links_there, &others));
        assert_eq!(plan.dial.len(), LINKS - links_there);
        assert!(case.overlay.has_enough());
    }
}

#[test]
fn everyone_is_drawn_equally_often_and_who_was_named_first() {
    let names = names(40);
    let mut drawn = vec![0_u32; 40];
    let mut case = Case::new();
    for _ in 0..2_000 {
        for address in case.plan(&[], &places(&names, 0, &[0; 40])).dial {
            drawn[names.iter().position(|name| *name == address).unwrap()] += 1;
        }
    }
    assert!(drawn.iter().all(|times| (220..380).contains(times)), "{drawn:?}");
    let mut places = places(&names, 0, &[0; 40]);
    places[33].is_named = true;
    assert!((0..50).all(|_| case.plan(&[], &places).dial[0] == "m33"));
}

#[test]
fn who_did_not_answer_is_tried_when_too_few_others_are_left_and_not_all_at_once() {
    let names = names(100);
    let failed = places(&names, 0, &[9; 100]);
    let mut case = Case::new();
    let mut dialed = 0;
    let end_ms = case.now_ms + 10_000;
    while case.now_ms < end_ms {
        let plan = case.plan(&[], &failed);
        dialed += plan.dial.len();
        case.now_ms = plan.again_ms.unwrap();
    }
    assert!((90..=101).contains(&dialed), "{dialed} in ten seconds");
}

#[test]
fn who_did_not_answer_is_probed_now_and_then_though_there_are_links_enough() {
    let names = names(12);
    let mut failures = [0; 6];
    failures[4] = 3;
    let (after_ms, plan) = Case::new().wait(&links(6), &places(&names, 6, &failures));
    assert!(u128::from(after_ms) <= PROBE.as_millis());
    assert_eq!(plan, Plan { dial: vec!["m10".to_owned()], ..plan.clone() });
}

#[test]
fn the_graph_is_redrawn_now_and_then() {
    let names = names(12);
    let (after_ms, plan) = Case::new().wait(&links(6), &places(&names, 6, &[0; 6]));
    assert!((REDRAW.as_millis() / 2..=REDRAW.as_millis()).contains(&u128::from(after_ms)));
    assert_eq!((plan.dial.len(), plan.release), (1, None));
}

#[test]
fn one_link_too_many_is_let_go_after_a_while_and_never_one_of_the_oldest() {
    let names = names(12);
    for seed in 0..50 {
        let mut case = Case { rng: ChaCha8Rng::seed_from_u64(seed), ..Case::new() };
        let (after_ms, plan) = case.wait(&links(7), &places(&names, 7, &[0; 5]));
        assert!((TRIM.as_millis() / 2..=TRIM.as_millis()).contains(&u128::from(after_ms)));
        assert!(plan.release.unwrap().0 >= LONG_LINKS as u64, "{plan:?}");
    }
    let (after_ms, plan) = Case::new().wait(&links(6), &places(&names, 6, &[0; 6]));
    assert!(plan.release.is_none() && u128::from(after_ms) > TRIM.as_millis(), "no link is to spare");
}

#[test]
fn beyond_twelve_one_is_let_go_at_once_if_it_rests() {
    let names = names(20);
    let full = LINKS_MAX as u64;
    let plan = Case::new().plan(&links(full), &places(&names, LINKS_MAX, &[0; 8]));
    assert_eq!(plan.release, None);
    let mut crowd = links(full + 1);
    let plan = Case::new().plan(&crowd, &places(&names, LINKS_MAX + 1, &[0; 7]));
    assert!(plan.release.is_some());
    crowd.iter_mut().for_each(|link| link.is_at_rest = link.connection.0 == 12);
    let plan = Case::new().plan(&crowd, &places(&names, LINKS_MAX + 1, &[0; 7]));
    assert_eq!(plan.release, Some(ConnectionId(12)));
    crowd[12].is_at_rest = false;
    let plan = Case::new().plan(&crowd, &places(&names, LINKS_MAX + 1, &[0; 7]));
    assert_eq!(plan.release, None, "what is under way is not broken off");
    assert!(plan.again_ms.is_some());
}

#[test]
fn who_is_not_due_is_waited_for() {
    let names = names(3);
    let mut places = places(&names, 0, &[0; 3]);
    places.iter_mut().for_each(|place| place.due_ms = 1_000_500);
    let plan = Case::new().plan(&[], &places);
    assert_eq!((plan.dial, plan.again_ms), (Vec::new(), Some(1_000_500)));
}
