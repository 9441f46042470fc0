use super::*;
use crate::limits::DEPENDENCIES_MAX;

fn text(text: &str) -> Body {
    Body::Message(text.to_owned())
}

/// A room where person 0 has let these people in, one after the other.
fn room_of(people: &[u8]) -> World {
    let mut world = World::new();
    for &number in people {
        world.say(0, &world.admit(0, number));
    }
    world
}

fn last(world: &World) -> Entry {
    world.log.last().unwrap().clone()
}

#[test]
fn an_entry_whose_past_is_not_here_waits_for_it() {
    let mut world = room_of(&[1]);
    let base = last(&world);
    let one = world.write(1, None, &[&base], &text("one"));
    let two = world.write(1, Some(&one), &[], &text("two"));
    let other = world.write(0, Some(&base), &[&one], &text("seen"));
    assert_eq!(world.refused(&two), Refusal::Missing(one.id()));
    assert_eq!(world.refused(&other), Refusal::Missing(one.id()));
    [one, two, other].iter().for_each(|entry| world.put(entry));
}

#[test]
fn a_first_entry_of_another_room_is_a_stranger() {
    let mut world = World::new();
    let body = Body::Room(crate::entry::Room { period_s: 1, name: "other".to_owned() });
    let other = world.sign(record(chain(0, 1), None, &[], START_MS, &body), 0);
    assert_eq!(world.refused(&other), Refusal::Stranger);
    assert_eq!(Graph::new(RoomId([1; 32])).admit(&world.log[0]), Err(Refusal::Stranger));
}

#[test]
fn a_place_in_a_chain_follows_the_one_before_it_there() {
    let mut world = room_of(&[1]);
    let base = last(&world);
    let one = world.write(1, None, &[&base], &text("one"));
    world.put(&one);
    let good = world.write(1, Some(&one), &[], &text("two"));
    let refuse = |world: &mut World, record: Record, number| {
        let entry = world.sign(record, number);
        assert_eq!(world.refused(&entry), Refusal::WrongPrevious);
    };
    for seq in [2 + 1, u32::MAX] {
        refuse(&mut world, Record { seq, ..good.record().clone() }, 1);
    }
    // After another author's entry, and after one of the same author's other chain.
    refuse(&mut world, Record { seq: 3, previous: Some(base.id()), ..good.record().clone() }, 1);
    refuse(&mut world, Record { chain: chain(1, 2), ..good.record().clone() }, 1);
    refuse(&mut world, Record { chain: chain(0, 1), ..good.record().clone() }, 0);
    world.put(&good);
}

#[test]
fn a_member_is_who_was_let_in_by_what_they_had_seen() {
    let mut world = World::new();
    let base = world.log[0].clone();
    let early = world.write(1, None, &[&base], &text("let me in"));
    assert_eq!(world.refused(&early), Refusal::NotMember);
    world.say(0, &world.admit(0, 1));
    assert_eq!(world.refused(&early), Refusal::NotMember, "it had not seen the admission");
    let admission = last(&world);
    let late = world.write(1, None, &[&admission], &text("thanks"));
    world.put(&late);
    let stranger = world.write(2, None, &[&late], &text("me too"));
    assert_eq!(world.refused(&stranger), Refusal::NotMember);
    let body = world.admit(2, 2);
    let themselves = world.write(2, None, &[&late], &body);
    assert_eq!(world.refused(&themselves), Refusal::NotMember);
    assert!(world.graph.is_member(&person(1).key()));
    assert!(!world.graph.is_member(&person(2).key()));
}

#[test]
fn an_admission_needs_the_card_of_its_author_for_this_room_and_key() {
    let mut world = room_of(&[1]);
    let base = last(&world);
    let Body::Admit(good) = world.admit(0, 2) else { unreachable!() };
    let key = person(2).key();
    let elsewhere = RoomId([1; 32]);
    let cards = [
        person(1).sign(Purpose::Card { room: &world.room, key: &key }),
        person(0).sign(Purpose::Card { room: &elsewhere, key: &key }),
        person(0).sign(Purpose::Card { room: &world.room, key: &person(3).key() }),
        person(0).sign(Purpose::Addresses(&key.0)),
        Signature([0; 64]),
    ];
    for card in cards {
        let mut admit = good.clone();
        admit.card = card;
        let entry = world.write(0, Some(&base), &[], &Body::Admit(admit));
        assert_eq!(world.refused(&entry), Refusal::BadAdmission);
    }
    let entry = world.write(0, Some(&base), &[], &Body::Admit(good));
    world.put(&entry);
}

#[test]
fn an_invite_counts_only_in_the_past_of_the_admission_and_with_its_proof() {
    let mut world = room_of(&[1]);
    let base = last(&world);
    let invite = Body::Invite(Invite { key: person(9).key(), expires_ms: Some(1), uses: Some(1) });
    let invite = world.write(0, Some(&base), &[], &invite);
    world.put(&invite);
    let body = world.admit_by_invite(1, 2, 9, invite.id());
    let unseen = world.write(1, None, &[&base], &body);
    assert_eq!(world.refused(&unseen), Refusal::BadAdmission);
    let refuse = |world: &mut World, body: &Body| {
        let entry = world.write(1, None, &[&invite], body);
        assert_eq!(world.refused(&entry), Refusal::BadAdmission);
    };
    let wrong_secret = world.admit_by_invite(1, 2, 8, invite.id());
    refuse(&mut world, &wrong_secret);
    let no_invite = world.admit_by_invite(1, 2, 9, base.id());
    refuse(&mut world, &no_invite);
    let Body::Admit(mut other_channel) = body.clone() else { unreachable!() };
    other_channel.proof =
        other_channel.proof.map(|proof| crate::entry::InviteProof { channel: [6; 32], ..proof });
    refuse(&mut world, &Body::Admit(other_channel));
    // Whether it had expired or was used up was for the admitting member to say, and is not part of validity.
    assert_eq!(world.graph.invite_uses(&invite.id()), 0);
    let first = world.write(1, None, &[&invite], &body);
    world.put(&first);
    let more = world.admit_by_invite(1, 3, 9, invite.id());
    let second = world.write(1, Some(&first), &[], &more);
    world.put(&second);
    assert_eq!(world.graph.invite_uses(&invite.id()), 2);
    assert_eq!(world.graph.invites_by(&person(9).key())[0].0, invite.id());
    assert!(world.graph.invites_by(&person(8).key()).is_empty());
}

#[test]
fn leaving_ends_a_membership_until_someone_who_knows_lets_them_in_again() {
    let mut world = room_of(&[1]);
    let base = last(&world);
    let (one, zero) = (person(1).key(), person(0).key());
    let leave = world.write(1, None, &[&base], &Body::Leave);
    world.put(&leave);
    assert!(!world.graph.is_member(&one) && world.graph.is_out(&one));
    assert!(!world.graph.is_out(&zero));
    let after = world.write(1, Some(&leave), &[], &text("still here?"));
    assert_eq!(world.refused(&after), Refusal::NotMember);
    // Elsewhere someone lets them in once more without having seen that they left.
    let body = world.admit(0, 1);
    let parallel = world.write(0, Some(&base), &[], &body);
    world.put(&parallel);
    assert!(!world.graph.is_member(&one));
    let both = world.write(1, Some(&leave), &[&parallel], &text("hello?"));
    assert_eq!(world.refused(&both), Refusal::NotMember);
    // In a past without the departure they are a member all the same.
    let mut elsewhere =
        record(chain(1, 7), None, &[parallel.id()], world.now_ms, &text("from my other home"));
    elsewhere.claimed_ms += 1;
    let elsewhere = world.sign(elsewhere, 1);
    world.put(&elsewhere);
    assert!(!world.graph.is_member(&one));
    let again = world.write(0, Some(&parallel), &[&leave], &body);
    world.put(&again);
    assert!(world.graph.is_member(&one) && !world.graph.is_out(&one));
    let back = world.write(1, Some(&leave), &[&again], &text("thanks"));
    world.put(&back);
}

#[test]
fn two_members_may_admit_one_key_in_parallel() {
    let mut world = room_of(&[1]);
    let base = last(&world);
    let by_zero = world.admit(0, 2);
    let by_one = world.admit(1, 2);
    let zero = world.write(0, Some(&base), &[], &by_zero);
    let one = world.write(1, None, &[&base], &by_one);
    world.put(&zero);
    world.put(&one);
    // Who has seen either is right, and so is who has seen both.
    for (incarnation, seen) in [(1, vec![zero.id()]), (2, vec![one.id()]), (3, vec![zero.id(), one.id()])] {
        let entry = record(chain(2, incarnation), None, &seen, world.now_ms, &text("hi"));
        let entry = world.sign(entry, 2);
        world.put(&entry);
    }
    assert!(world.graph.is_member(&person(2).key()));
}

#[test]
fn cards_lead_from_the_creator_down_to_every_member() {
    let mut world = room_of(&[1]);
    for (by, who) in [(1, 2), (2, 3), (0, 3), (3, 1)] {
        world.say(by, &world.admit(by, who));
    }
    assert_eq!(world.graph.cards(&person(0).key()), Some(Vec::new()));
    assert_eq!(world.graph.cards(&person(7).key()), None);
    let cards = world.graph.cards(&person(3).key()).unwrap();
    let expected: Vec<AuthorKey> = [0, 1, 2].map(|number| person(number).key()).to_vec();
    assert_eq!(cards.iter().map(|card| card.admitter).collect::<Vec<_>>(), expected);
    let admitted = [1, 2, 3].map(|number| person(number).key());
    for (card, key) in cards.iter().zip(&admitted) {
        assert!(verify(&card.admitter, Purpose::Card { room: &world.room, key }, &card.signature));
    }
}

/// Writes a message for each of these people that follows only `base`, so that each is a head.
fn heads_over(world: &mut World, base: &Entry, people: std::ops::Range<u8>) {
    for number in people {
        let entry = world.write(number, None, &[base], &text("hi"));
        world.put(&entry);
    }
}

#[test]
fn with_too_many_heads_an_entry_names_the_greatest() {
    let mut world = room_of(&(1..=70).collect::<Vec<_>>());
    let base = last(&world);
    heads_over(&mut world, &base, 1..71);
    let mut heads: Vec<Position> = world.graph.heads().collect();
    assert_eq!(heads.len(), 70);
    heads.sort_unstable_by_key(|&at| std::cmp::Reverse(world.graph.key(at)));
    let mut expected: Vec<EntryId> = heads[..64].iter().map(|&at| world.graph.id(at)).collect();
    expected.sort_unstable();
    let entry = world.message(0, "many of you");
    assert_eq!(entry.record().previous, Some(base.id()));
    assert_eq!(entry.record().dependencies, expected);
    assert_eq!(world.graph.heads().count(), 7, "the rest stay heads");
    assert!(
        matches!(world.graph.compose(chain(0, 1), 0, &Body::Leave), Some(record) if record.dependencies.len() == 6)
    );
}

#[test]
fn with_too_many_heads_an_entry_still_names_one_that_lets_its_author_in() {
    let mut world = room_of(&(1..=70).collect::<Vec<_>>());
    let base = last(&world);
    let body = world.admit(0, 99);
    let admission = world.write(0, Some(&base), &[], &body);
    world.put(&admission);
    heads_over(&mut world, &base, 1..71);
    let entry = world.message(99, "late");
    assert_eq!(entry.record().dependencies.len(), DEPENDENCIES_MAX);
    assert!(entry.record().dependencies.contains(&admission.id()));
}

#[test]
fn with_too_many_heads_who_left_and_came_back_names_what_let_them_in_again() {
    let mut world = room_of(&(1..=99).collect::<Vec<_>>());
    let base = last(&world);
    // Two homes of one person: one goes on, the other leaves.
    let first = world.write(99, None, &[&base], &text("hi"));
    world.put(&first);
    let leave = record(chain(99, 2), None, &[base.id()], world.now_ms, &Body::Leave);
    let leave = world.sign(leave, 99);
    world.put(&leave);
    let body = world.admit(0, 99);
    let again = world.write(0, Some(&base), &[&leave], &body);
    world.put(&again);
    heads_over(&mut world, &base, 1..70);
    // A late head that has seen the departure, and not the way back.
    let seen = world.write(70, None, &[&leave], &text("bye"));
    world.put(&seen);
    let entry = world.message(99, "back");
    assert_eq!(entry.record().previous, Some(first.id()));
    assert!(entry.record().dependencies.contains(&again.id()));
    assert!(entry.record().dependencies.contains(&seen.id()));
}

#[test]
fn nothing_is_composed_for_who_is_no_member_or_in_kinds_not_ours() {
    let world = room_of(&[1]);
    assert!(world.graph.compose(chain(2, 1), 0, &text("hi")).is_none());
    assert!(world.graph.compose(chain(1, 1), 0, &Body::Unknown { kind: 77 }).is_none());
    assert!(Graph::new(world.room).compose(chain(0, 1), 0, &text("hi")).is_none());
    let record = world.graph.compose(chain(1, 1), u64::MAX, &text("hi")).unwrap();
    record.check_form().unwrap();
}
