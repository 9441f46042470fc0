//! Rooms of more than a few: who is connected with whom, who knows of whom, and what that carries.

use std::collections::{BTreeMap, BTreeSet};

use super::{World, said, standings};
use crate::engine::{Command, Engine, Event, Standing};
use crate::limits::{LINKS, LINKS_MAX, REDIAL_MAX, SILENCE, WAKE_PATIENCE};
use crate::sim::people::text_of;

fn people(count: usize) -> Vec<String> {
    (0..count).map(|number| format!("p{number}")).collect()
}

fn strangers(seed: u64, count: usize) -> World {
    let people = people(count);
    World::of_strangers(seed, &people.iter().map(String::as_str).collect::<Vec<_>>())
}

fn room_of(seed: u64, count: usize) -> World {
    let people = people(count);
    World::new(seed, &people.iter().map(String::as_str).collect::<Vec<_>>())
}

fn engine(world: &World, index: usize) -> &Engine {
    world.replicas()[index].engine.as_ref().unwrap()
}

/// Whom everyone who is there is connected with.
fn neighbours(world: &World) -> BTreeMap<usize, BTreeSet<usize>> {
    let mut neighbours: BTreeMap<usize, BTreeSet<usize>> =
        (0..world.replicas().len()).map(|index| (index, BTreeSet::new())).collect();
    for (one, other) in world.links() {
        neighbours.get_mut(&one).unwrap().insert(other);
        neighbours.get_mut(&other).unwrap().insert(one);
    }
    neighbours
}

fn is_connected(neighbours: &BTreeMap<usize, BTreeSet<usize>>) -> bool {
    let mut reached = BTreeSet::from([0]);
    let mut work = vec![0];
    while let Some(at) = work.pop() {
        work.extend(neighbours[&at].iter().filter(|other| reached.insert(**other)));
    }
    reached.len() == neighbours.len()
}

/// How many others a replica knows an address of.
fn knows(world: &World, index: usize) -> usize {
    let known = engine(world, index).book().addresses().filter_map(|(_, known)| known.endpoint());
    known.filter(|(author, _)| *author != world.author(index)).collect::<BTreeSet<_>>().len()
}

/// How many connections ended so far.
fn gone(world: &World, index: usize) -> usize {
    let is_end = |event: &&Event| matches!(event, Event::PeerGone { .. });
    world.replicas()[index].told.iter().filter(is_end).count()
}

fn pass_minutes(world: &mut World, minutes: u64) {
    world.pass(minutes * 60_000);
}

#[test]
fn to_know_one_of_eleven_is_to_know_all_ten_also_after_a_restart_without_that_one() {
    for seed in 0..3 {
        let mut world = strangers(seed, 11);
        assert!(world.settle(), "seed {seed}");
        world.pass(1_000);
        for index in 0..11 {
            assert_eq!(knows(&world, index), 10, "seed {seed}: {index}");
        }
        world.stop(0);
        world.stop(7);
        world.pass(20_000);
        world.start(7);
        world.command(7, Command::Say("back".to_owned()));
        world.pass(5_000);
        assert!(engine(&world, 7).peers().len() >= 5, "seed {seed}");
        for index in 1..11 {
            assert!(said(&mut world, index).contains(&"back".to_owned()), "seed {seed}: {index}");
        }
    }
}

#[test]
fn a_member_is_known_for_as_long_as_it_renews_its_record_and_no_longer() {
    let mut world = strangers(4, 3);
    assert!(world.settle());
    world.pass(1_000);
    world.cut(0, 2);
    pass_minutes(&mut world, 60 * 30);
    let record = |world: &World, author| engine(world, 2).record(&author).cloned();
    let first = record(&world, world.author(0)).expect("it was renewed, and passed on by the one between");
    assert!(first.expires_ms > world.wall_ms());
    world.stop(0);
    pass_minutes(&mut world, 60 * 25);
    world.crash(2);
    world.pass(5_000);
    assert_eq!(record(&world, world.author(0)), None);
    assert!(record(&world, world.author(1)).is_some());
}

#[test]
fn who_moves_tells_everyone() {
    let mut world = strangers(4, 3);
    assert!(world.settle());
    world.pass(1_000);
    world.cut(0, 2);
    let moved: std::net::SocketAddr = "192.0.2.7:9".parse().unwrap();
    world.command(0, Command::Reachable(vec![moved.into()]));
    world.pass(1_000);
    let author = world.author(0);
    assert_eq!(engine(&world, 2).record(&author).unwrap().addresses, [moved.into()]);
    assert!(engine(&world, 2).book().addresses().any(|(address, _)| address == "192.0.2.7:9"));
}

#[test]
fn eight_members_form_a_full_mesh() {
    for seed in 0..3 {
        let mut world = strangers(seed, 8);
        assert!(world.settle(), "seed {seed}");
        pass_minutes(&mut world, 3);
        let neighbours = neighbours(&world);
        assert!(neighbours.values().all(|others| others.len() == 7), "seed {seed}: {neighbours:?}");
    }
}

#[test]
fn forty_members_have_few_links_each_and_a_message_reaches_all() {
    for mut world in [room_of(1, 40), strangers(2, 40)] {
        assert!(world.settle());
        for minutes in [1, 10, 60] {
            pass_minutes(&mut world, minutes);
            let neighbours = neighbours(&world);
            let counts: Vec<usize> = neighbours.values().map(BTreeSet::len).collect();
            assert!(counts.iter().all(|count| (3..=LINKS_MAX).contains(count)), "{minutes}: {counts:?}");
            assert!(is_connected(&neighbours), "{minutes}: {neighbours:?}");
        }
        let sum: usize = neighbours(&world).values().map(BTreeSet::len).sum();
        assert!(sum <= 40 * LINKS + 40, "{sum} ends of links");
        world.command(17, Command::Say("all of you".to_owned()));
        world.pass(2_000);
        (0..40).for_each(|index| assert_eq!(said(&mut world, index), ["all of you"], "{index}"));
    }
}

#[test]
fn the_graph_changes_in_time_though_half_of_the_links_are_old() {
    let mut world = room_of(3, 30);
    assert!(world.settle());
    pass_minutes(&mut world, 10);
    let before = neighbours(&world);
    pass_minutes(&mut world, 90);
    let after = neighbours(&world);
    let kept: usize = before.iter().map(|(index, others)| others.intersection(&after[index]).count()).sum();
    let all: usize = before.values().map(BTreeSet::len).sum();
    assert!((all / 5..all * 9 / 10).contains(&kept), "{kept} of {all} were kept");
}

#[test]
fn two_halves_that_were_apart_for_long_find_each_other_though_each_has_links_enough() {
    let mut world = room_of(5, 30);
    assert!(world.settle());
    (0..15).for_each(|one| (15..30).for_each(|other| world.cut(one, other)));
    pass_minutes(&mut world, 60);
    world.command(3, Command::Say("here".to_owned()));
    world.pass(100);
    world.command(20, Command::Say("there".to_owned()));
    world.pass(5_000);
    world.heal();
    world.pass(40_000);
    for index in 0..30 {
        assert_eq!(said(&mut world, index), ["here", "there"], "{index}");
    }
}

#[test]
fn two_hundred_converge_under_random_cuts_and_heals() {
    use rand_chacha::rand_core::{Rng as _, SeedableRng as _};
    let mut dice = rand_chacha::ChaCha8Rng::seed_from_u64(200);
    let mut world = room_of(6, 20);
    // More homes of the first one's: what costs time is checking what hundreds of people write on coming in.
    (20..200).for_each(|number| _ = world.copy_home(&format!("p{number}")));
    let mut below = |count: u32| dice.next_u32() % count;
    for round in 0..6 {
        let part: Vec<bool> = (0..200).map(|_| below(4) < round % 4).collect();
        for one in 0..200 {
            for other in one + 1..200 {
                if part[one] != part[other] || below(10) == 0 {
                    world.cut(one, other);
                }
            }
        }
        for _ in 0..5 {
            let who = below(200) as usize;
            world.command(who, Command::Say(format!("{round} by {who}")));
        }
        world.pass(5_000);
        world.heal();
        world.pass(u64::from(below(5_000)));
    }
    world.pass(45_000);
    assert!(world.is_quiet(), "not all agree 45 s after the last heal");
    assert_eq!(said(&mut world, 123).len(), 30);
    assert!(is_connected(&neighbours(&world)));
}

#[test]
fn a_connection_that_carries_nothing_is_ended_within_fifteen_seconds() {
    let silence = u64::try_from(SILENCE.as_millis()).unwrap();
    for seed in 0..10 {
        let mut world = room_of(seed, 2);
        assert!(world.settle());
        world.pass(seed * 1_700);
        world.cut(0, 1);
        world.pass(silence + 50);
        for index in 0..2 {
            assert!(engine(&world, index).peers().is_empty(), "seed {seed}");
        }
    }
}

#[test]
fn after_a_sleep_a_dead_connection_is_found_and_replaced_within_seconds() {
    let patience = u64::try_from(WAKE_PATIENCE.as_millis()).unwrap();
    for seed in 0..10 {
        let mut world = room_of(seed, 2);
        assert!(world.settle());
        let before = gone(&world, 0);
        world.hang(0, 1);
        world.sleep(60_000);
        world.pass(patience + 1_000);
        let all = standings(&world, "p0");
        assert_eq!(all, [("p1".to_owned(), Standing::Agreed)], "seed {seed}");
        assert_eq!(gone(&world, 0), before + 1, "seed {seed}");
    }
}

#[test]
fn a_connection_that_survives_a_sleep_is_kept() {
    let mut world = room_of(7, 2);
    assert!(world.settle());
    let before = gone(&world, 0);
    world.sleep(3_600_000);
    world.pass(10_000);
    assert_eq!(gone(&world, 0), before);
}

#[test]
fn a_clock_that_went_ahead_alone_says_that_the_machine_slept() {
    let mut world = room_of(8, 2);
    assert!(world.settle());
    world.cut(0, 1);
    pass_minutes(&mut world, 30);
    let before = world.dials(0, "p1");
    world.heal();
    world.replica_mut(0).skew_ms = 11_000;
    world.command(0, Command::Say("awake".to_owned()));
    world.pass(300);
    assert_eq!(world.dials(0, "p1"), before + 1, "the pause is over at once");
    assert_eq!(standings(&world, "p0").len(), 1);
}

#[test]
fn a_dead_address_is_dialled_for_ever_and_seldom_and_who_comes_back_is_met() {
    let redial = u64::try_from(REDIAL_MAX.as_millis()).unwrap();
    let mut world = strangers(9, 2);
    assert!(world.settle());
    world.stop(0);
    pass_minutes(&mut world, 24 * 60);
    let dials = world.dials(1, &text_of(0));
    let (least, most) = (86_400_000 / redial, 2 * 86_400_000 / redial + 20);
    assert!((least..=most).contains(&dials), "{dials} in a day");
    world.start(0);
    world.pass(redial + 200);
    assert_eq!(engine(&world, 0).peers().len(), 1);
}

#[test]
fn who_is_let_go_dials_others_and_not_the_same_at_once() {
    let mut world = room_of(10, 40);
    assert!(world.settle());
    pass_minutes(&mut world, 5);
    let byes: usize = world.replicas().iter().map(let_goes).sum();
    assert!(byes > 0, "nobody was let go");
    let failures = |world: &World, index: usize| -> u32 {
        engine(world, index).book().addresses().map(|(_, known)| known.failures).sum()
    };
    // Two dials that cross are one connection in the end, and the other one counts as failed.
    let most = (0..40).map(|index| failures(&world, index)).max();
    assert!(most <= Some(3), "{most:?}");
}

fn let_goes(replica: &crate::sim::Replica) -> usize {
    let is_one = |event: &&Event| matches!(event, Event::Bye { bye, .. } if bye.reason == crate::wire::ByeReason::EnoughLinks);
    replica.told.iter().filter(is_one).count()
}

#[test]
fn who_is_reached_through_a_server_is_reached_without_it_once_that_works() {
    for seed in 0..20 {
        let mut world = room_of(seed, 2);
        assert!(world.settle(), "seed {seed}");
        world.cut(0, 1);
        pass_minutes(&mut world, 1);
        assert_eq!(standings(&world, "p0"), [], "seed {seed}");
        let through = format!("via/p1/{}", "0".repeat(32));
        world.command(0, Command::Found(through.clone()));
        pass_minutes(&mut world, 2);
        for name in ["p0", "p1"] {
            assert_eq!(standings(&world, name), [(through.clone(), Standing::Agreed)], "seed {seed}");
        }
        let ended = [gone(&world, 0), gone(&world, 1)];
        world.heal();
        pass_minutes(&mut world, 1);
        for (index, name) in ["p0", "p1"].into_iter().enumerate() {
            let standings = standings(&world, name);
            assert!(
                matches!(&standings[..], [(address, Standing::Agreed)] if *address != through),
                "seed {seed}: {standings:?}"
            );
            assert_eq!(gone(&world, index), ended[index] + 1, "seed {seed}: one end for one connection");
        }
    }
}
