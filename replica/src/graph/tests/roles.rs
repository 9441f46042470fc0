use super::*;
use crate::entry::Remove;
use crate::testing::remove;

/// A room in which person 0 let these in, who all have seen everything.
fn room_of(people: &[u8]) -> World {
    let mut world = World::new();
    people.iter().for_each(|&who| drop(world.say(0, &world.admit(0, who))));
    world
}

fn key(who: u8) -> AuthorKey {
    person(who).key()
}

fn promote(who: u8) -> Body {
    Body::Promote(key(who))
}

/// A removal by what is here now.
fn kick(world: &World, who: u8) -> Body {
    remove(&world.graph, who)
}

fn last(world: &World) -> Entry {
    world.log.last().unwrap().clone()
}

fn counts(world: &World, entry: &Entry) -> bool {
    world.graph.counts(world.graph.position(&entry.id()).unwrap())
}

#[test]
fn the_creator_is_the_first_admin_and_makes_others() {
    let mut world = room_of(&[1, 2]);
    assert_eq!(world.graph.admins(), [key(0)]);
    world.say(1, &promote(2));
    assert_eq!(world.graph.admins(), [key(0)], "only an admin makes admins");
    world.say(0, &promote(2));
    world.say(2, &promote(1));
    assert_eq!(world.graph.admins(), [key(0), key(2), key(1)], "by the time of their promotion");
    assert!(world.graph.may_remove(&key(2), &key(1)) && !world.graph.may_remove(&key(1), &key(2)));
    assert!(!world.graph.may_remove(&key(0), &key(0)) && !world.graph.may_remove(&key(2), &key(0)));
}

#[test]
fn a_removed_member_is_out_and_what_they_said_before_counts() {
    let mut world = room_of(&[1, 2]);
    let before = world.message(1, "hi");
    let base = last(&world);
    let removal = world.say(0, &kick(&world, 1));
    assert!(!world.graph.is_member(&key(1)) && world.graph.is_out(&key(1)));
    assert_eq!(world.graph.removed_by(&key(1)), Some(key(0)));
    // Written without having seen the removal: kept, and of no account.
    let after = world.write(1, Some(&base), &[], &Body::Message("still here".to_owned()));
    world.put(&after);
    assert!(counts(&world, &before) && !counts(&world, &after));
    assert!(counts(&world, &removal));
    assert!(world.graph.compose(chain(1, 1), world.now_ms, &Body::Leave).is_none(), "they write no more");
}

#[test]
fn only_an_admin_removes_and_only_who_is_below() {
    let mut world = room_of(&[1, 2, 3]);
    world.say(1, &kick(&world, 2));
    assert!(world.graph.is_member(&key(2)), "a member removes nobody");
    world.say(0, &promote(1));
    world.say(0, &promote(2));
    world.say(2, &kick(&world, 1));
    assert!(world.graph.is_member(&key(1)), "a later admin does not remove an earlier one");
    world.say(2, &kick(&world, 0));
    assert!(world.graph.is_member(&key(0)), "nobody removes the creator");
    world.say(1, &kick(&world, 2));
    assert!(!world.graph.is_member(&key(2)));
    world.say(1, &kick(&world, 3));
    assert_eq!(world.graph.removed_by(&key(3)), Some(key(1)));
}

#[test]
fn of_two_admins_who_remove_each_other_the_higher_one_stays() {
    for low_first in [false, true] {
        let mut world = room_of(&[1, 2]);
        world.say(0, &promote(1));
        world.say(0, &promote(2));
        let base = last(&world);
        let by_high = world.write(1, None, &[&base], &kick(&world, 2));
        let by_low = world.write(2, None, &[&base], &kick(&world, 1));
        let order = if low_first { [&by_low, &by_high] } else { [&by_high, &by_low] };
        order.into_iter().for_each(|entry| world.put(entry));
        assert!(world.graph.is_member(&key(1)) && !world.graph.is_member(&key(2)));
    }
}

#[test]
fn what_a_removed_admin_did_unseen_does_not_count() {
    let mut world = room_of(&[1, 2]);
    world.say(0, &promote(1));
    world.say(1, &world.admit(1, 3));
    let base = last(&world);
    let removal = world.write(0, Some(&world.log[3].clone()), &[&base], &kick(&world, 1));
    world.put(&removal);
    // In parallel they let a friend in, make an admin and remove a member.
    let friend = world.write(1, Some(&base), &[], &world.admit(1, 4));
    world.put(&friend);
    let admin = world.write(1, Some(&friend), &[], &promote(4));
    world.put(&admin);
    let victim = world.write(1, Some(&admin), &[], &kick(&world, 2));
    world.put(&victim);
    assert!(world.graph.is_member(&key(3)), "let in before, and seen");
    assert!(!world.graph.is_member(&key(4)) && world.graph.is_out(&key(4)));
    assert!(world.graph.is_member(&key(2)));
    assert_eq!(world.graph.admins(), [key(0)]);
    // Nor does what comes of it: the friend's friend.
    let further = world.write(4, None, &[&friend], &world.admit(4, 5));
    world.put(&further);
    assert!(!world.graph.is_member(&key(5)) && !counts(&world, &further));
}

#[test]
fn a_removal_may_leave_out_what_it_has_seen() {
    let mut world = room_of(&[1]);
    let good = world.message(1, "good");
    let bad = world.say(1, &world.admit(1, 2));
    world.say(0, &Body::Remove(Box::new(Remove { key: key(1), seen: vec![good.id()] })));
    assert!(counts(&world, &good) && !counts(&world, &bad));
    assert!(!world.graph.is_member(&key(2)));
}

#[test]
fn after_a_removal_only_an_admins_admission_counts() {
    let mut world = room_of(&[1, 2]);
    world.say(0, &promote(1));
    world.say(0, &kick(&world, 1));
    world.say(2, &world.admit(2, 1));
    assert!(!world.graph.is_member(&key(1)), "a member does not undo what an admin did");
    world.say(0, &world.admit(0, 1));
    assert!(world.graph.is_member(&key(1)) && world.graph.removed_by(&key(1)).is_none());
    assert!(!world.graph.is_admin(&key(1)), "the role went with the membership");
    let back = world.message(1, "thanks");
    assert!(counts(&world, &back));
    world.say(0, &promote(1));
    assert!(world.graph.is_admin(&key(1)));
}

#[test]
fn an_admission_that_had_not_seen_the_removal_does_not_undo_it() {
    let mut world = room_of(&[1, 2]);
    world.say(0, &promote(2));
    let base = last(&world);
    world.say(0, &kick(&world, 1));
    let parallel = world.write(2, None, &[&base], &world.admit(2, 1));
    world.put(&parallel);
    assert!(!world.graph.is_member(&key(1)));
}

#[test]
fn an_invite_is_taken_back_by_who_published_it_or_an_admin() {
    let mut world = room_of(&[1, 2]);
    let invite = |number| Body::Invite(Invite { key: person(number).key(), expires_ms: None, uses: None });
    let first = world.say(1, &invite(20));
    let second = world.say(1, &invite(21));
    world.say(2, &Body::Revoke(first.id()));
    assert!(!world.graph.is_revoked(&first.id()));
    world.say(1, &Body::Revoke(first.id()));
    world.say(0, &Body::Revoke(second.id()));
    assert!(world.graph.is_revoked(&first.id()) && world.graph.is_revoked(&second.id()));
}

#[test]
fn a_forked_chain_counts_on_the_branch_that_was_seen() {
    let mut world = room_of(&[1]);
    let first = world.message(1, "first");
    let seen = world.write(1, Some(&first), &[], &Body::Message("seen".to_owned()));
    let unseen = world.write(1, Some(&first), &[], &Body::Message("unseen".to_owned()));
    world.put(&seen);
    world.put(&unseen);
    world.say(0, &Body::Remove(Box::new(Remove { key: key(1), seen: vec![seen.id()] })));
    assert!(counts(&world, &first) && counts(&world, &seen) && !counts(&world, &unseen));
}

#[test]
fn taking_a_removal_back_brings_its_subject_back() {
    let mut world = room_of(&[1]);
    world.graph.settle(world.graph.len());
    let len = world.graph.len();
    let removal = world.write(0, Some(&last(&world)), &[], &kick(&world, 1));
    world.put(&removal);
    assert!(!world.graph.is_member(&key(1)));
    world.graph.truncate(len);
    assert!(world.graph.is_member(&key(1)) && !world.graph.is_out(&key(1)));
}

#[test]
fn what_a_removal_names_as_seen_counts_whenever_it_comes() {
    let mut world = room_of(&[1]);
    let base = last(&world);
    let friend = world.write(1, None, &[&base], &world.admit(1, 2));
    let after = world.write(1, Some(&friend), &[], &Body::Message("after".to_owned()));
    let removal = Body::Remove(Box::new(Remove { key: key(1), seen: vec![after.id()] }));
    let removal = world.write(0, Some(&base), &[], &removal);
    for entry in [&removal, &friend] {
        world.put(entry);
    }
    assert!(!world.graph.is_member(&key(2)), "nothing shows yet that it was seen");
    world.put(&after);
    assert!(world.graph.is_member(&key(2)));
    world.graph.truncate(world.graph.len() - 1);
    assert!(!world.graph.is_member(&key(2)));
}

#[test]
fn roles_that_were_asked_for_all_along_are_those_of_the_whole() {
    let people = || (0..PEOPLE).map(|number| person(number).key());
    for seed in 0..60 {
        let world = World::random(&mut Dice(seed), PEOPLE, 60, true);
        let mut graph = Graph::new(world.room);
        for entry in &world.log {
            graph.admit(entry).unwrap();
            people().for_each(|who| _ = graph.is_member(&who));
        }
        graph.settle(graph.len());
        assert_eq!(face(&graph), face(&graph_of(world.room, &world.log)), "seed {seed}");
    }
}

#[test]
fn who_begins_very_many_chains_takes_nobody_they_let_in_along() {
    let mut world = room_of(&[1]);
    let base = last(&world);
    let friend = world.write(1, None, &[&base], &world.admit(1, 2));
    world.put(&friend);
    for incarnation in 10..10 + 2 * crate::limits::REMOVAL_SEEN_MAX as u64 {
        let message = Body::Message("junk".to_owned());
        let first = record(chain(1, incarnation), None, &[friend.id()], START_MS, &message);
        let first = world.sign(first, 1);
        world.put(&first);
    }
    world.say(0, &kick(&world, 1));
    assert!(!world.graph.is_member(&key(1)) && world.graph.is_member(&key(2)));
}
