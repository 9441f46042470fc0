use super::*;
use crate::graph::{Admission, Graph};
use crate::testing::{Dice, World, person};

/// What a replica that got the entries in this order knows.
fn members(world: &World, arrivals: &[Entry]) -> (Members, Graph) {
    let mut graph = Graph::new(world.room);
    let mut members = Members::default();
    for entry in arrivals {
        let Admission::New(at) = graph.admit(entry).unwrap() else { unreachable!() };
        members.apply(entry, graph.key(at));
    }
    (members, graph)
}

fn nickname(name: &str) -> Body {
    Body::Nickname(name.to_owned())
}

#[test]
fn a_name_holds_from_where_it_was_taken_until_the_next() {
    let mut world = World::new();
    let first = world.message(0, "nameless yet");
    let ann = world.say(0, &nickname("ann"));
    let between = world.message(0, "hi");
    let anna = world.say(0, &nickname("anna"));
    let (members, graph) = members(&world, &world.log);
    let key = |entry: &Entry| graph.key(graph.position(&entry.id()).unwrap());
    let author = person(0).key();
    let at = |entry: &Entry| members.name_at(&author, &key(entry)).unwrap();
    assert_eq!(at(&first), "ann", "before the first name, that");
    assert_eq!(at(&ann), "ann");
    assert_eq!(at(&between), "ann");
    assert_eq!(at(&anna), "anna");
    assert_eq!(members.name(&author), Some("anna"));
    assert_eq!(members.name(&person(9).key()), None);
    assert_eq!(members.name_at(&person(9).key(), &key(&first)), None);
}

#[test]
fn a_nickname_that_comes_late_is_put_where_it_stands() {
    let mut world = World::new();
    let root = world.log[0].clone();
    // Two homes of one person, in parallel: the older name comes last.
    let older = crate::testing::record(
        crate::testing::chain(0, 2),
        None,
        &[root.id()],
        crate::testing::START_MS + 10,
        &nickname("older"),
    );
    let older = world.sign(older, 0);
    let newer = world.write(0, Some(&root), &[], &nickname("newer"));
    world.put(&newer);
    world.put(&older);
    let (late, graph) = members(&world, &world.log);
    let author = person(0).key();
    assert_eq!(late.name(&author), Some("newer"));
    let key = |entry: &Entry| graph.key(graph.position(&entry.id()).unwrap());
    assert_eq!(late.name_at(&author, &key(&older)), Some("older"));
    assert_eq!(late.name_at(&author, &key(&newer)), Some("newer"));
}

#[test]
fn who_let_whom_in_is_told_by_the_first_admission_in_order() {
    let mut world = World::new();
    world.say(0, &world.admit(0, 1));
    let base = world.log.last().unwrap().clone();
    let second = world.write(1, None, &[&base], &world.admit(1, 2));
    let third = world.write(0, Some(&base), &[], &world.admit(0, 2));
    world.put(&third);
    world.put(&second);
    let (members, _) = members(&world, &world.log);
    assert_eq!(members.admitted_by(&person(2).key()), Some(&person(1).key()));
    assert_eq!(members.admitted_by(&person(0).key()), None);
    let mut people: Vec<AuthorKey> = (0..3).map(|number| person(number).key()).collect();
    people.sort_unstable();
    assert_eq!(members.people().copied().collect::<Vec<_>>(), people);
}

#[test]
fn the_same_names_come_out_of_every_order_of_arrival() {
    for seed in 0..20 {
        let mut dice = Dice(seed);
        let world = World::random(&mut dice, 4, 40, true);
        let (expected, all) = members(&world, &world.log);
        let (other, _) = members(&world, &world.shuffled(&mut dice));
        for author in expected.people() {
            assert_eq!(other.admitted_by(author), expected.admitted_by(author), "seed {seed}");
            for at in 0..all.len() {
                let key = all.key(at);
                assert_eq!(other.name_at(author, &key), expected.name_at(author, &key), "seed {seed}");
            }
        }
        assert!(other.people().eq(expected.people()), "seed {seed}");
    }
}

#[test]
fn the_topic_is_the_last_in_order_that_counts_whatever_came_last() {
    let topic = |text: &str| Body::Topic(text.to_owned());
    let mut world = World::new();
    world.say(0, &world.admit(0, 1));
    let base = world.log.last().unwrap().clone();
    let first = world.write(1, None, &[&base], &topic("lunch"));
    let later = world.write(1, Some(&first), &[], &topic("dinner"));
    let own = world.write(0, Some(&base), &[&later], &topic("bugs"));
    world.put(&first);
    world.put(&later);
    world.put(&own);
    let (known, _) = members(&world, &world.log);
    assert_eq!(known.topic(|_| true), Some("bugs"));
    assert_eq!(known.topic(|id| *id != own.id()), Some("dinner"));
    assert_eq!(known.topic(|_| false), None);
    let shuffled = world.shuffled(&mut Dice(7));
    assert_eq!(members(&world, &shuffled).0.topic(|_| true), Some("bugs"));
    world.say(0, &topic(""));
    assert_eq!(members(&world, &world.log).0.topic(|_| true), None, "an empty one takes it away");
}
