use super::*;

/// What `theirs` gives to who has `mine`, as sync asks for it: chain by chain, by a locator where needed, else all.
fn given(mine: &Graph, theirs: &Graph) -> Vec<(Wanted, Vec<EntryId>)> {
    let answer = |tip: Tip| {
        let wanted = mine.want(&tip)?;
        let segment = theirs
            .segment(&tip.id, &wanted.from, |_| false)
            .or_else(|| theirs.segment(&tip.id, &mine.locator(&tip.chain), |_| false))
            .or_else(|| theirs.segment(&tip.id, &[], |_| false));
        let ids = segment.unwrap().into_iter().map(|at| theirs.id(at)).collect();
        Some((wanted, ids))
    };
    theirs.tips().into_iter().filter_map(answer).collect()
}

/// A graph of a random part of the history that is closed under causes.
fn part(world: &World, dice: &mut Dice) -> Graph {
    let mut graph = Graph::new(world.room);
    for entry in world.shuffled(dice) {
        if dice.below(10) < 8 {
            drop(graph.admit(&entry));
        }
    }
    graph.settle(graph.len());
    graph
}

fn ids(graph: &Graph) -> BTreeSet<EntryId> {
    (0..graph.len()).map(|at| graph.id(at)).collect()
}

#[test]
fn what_one_lacks_of_another_is_asked_for_exactly() {
    for seed in 0..60 {
        let mut dice = Dice(seed);
        let world = World::random(&mut dice, PEOPLE, 80, false);
        let (mine, theirs) = (part(&world, &mut dice), part(&world, &mut dice));
        let mut expected: Vec<EntryId> = ids(&theirs).difference(&ids(&mine)).copied().collect();
        let given = given(&mine, &theirs);
        for (wanted, ids) in &given {
            assert_eq!(wanted.count, ids.len() as u64, "seed {seed}");
            assert_eq!(ids.last(), Some(&wanted.tip));
        }
        let mut all: Vec<EntryId> = given.into_iter().flat_map(|(_, ids)| ids).collect();
        all.sort_unstable();
        expected.sort_unstable();
        assert_eq!(all, expected, "seed {seed}");
    }
}

#[test]
fn nothing_is_left_out_of_forked_chains() {
    let mut needless = 0;
    let mut needed = 0;
    for seed in 0..120 {
        let mut dice = Dice(seed);
        let world = World::random(&mut dice, PEOPLE, 80, true);
        let (mine, theirs) = (part(&world, &mut dice), part(&world, &mut dice));
        let lacking: BTreeSet<EntryId> = ids(&theirs).difference(&ids(&mine)).copied().collect();
        let all: BTreeSet<EntryId> = given(&mine, &theirs).into_iter().flat_map(|(_, ids)| ids).collect();
        assert!(all.is_superset(&lacking), "seed {seed}");
        needless += all.difference(&lacking).count();
        needed += lacking.len();
        // What is given closes the gap, in one go.
        let mut joined = Graph::new(world.room);
        for entry in &world.log {
            if mine.position(&entry.id()).is_some() || all.contains(&entry.id()) {
                joined.admit(entry).unwrap();
            }
        }
    }
    assert!(needless * 4 < needed, "{needless} of {needed} were given for nothing");
}

#[test]
fn a_chain_that_is_here_or_not_at_all_needs_no_locator() {
    let mut world = World::new();
    (0..20).for_each(|n| drop(world.message(0, &format!("{n}"))));
    world.graph.settle(world.graph.len());
    let tip = world.graph.tips()[0];
    assert_eq!(world.graph.want(&tip), None);
    let nothing = Graph::new(world.room);
    assert_eq!(nothing.want(&tip), Some(Wanted { tip: tip.id, from: Vec::new(), count: 21 }));
    assert_eq!(nothing.locator(&tip.chain), []);
    assert_eq!(nothing.segment(&tip.id, &[], |_| false), None);
    let some = graph_of(world.room, &world.log[..5]);
    let from = vec![world.log[4].id()];
    assert_eq!(some.want(&tip), Some(Wanted { tip: tip.id, from: from.clone(), count: 16 }));
    assert_eq!(world.graph.segment(&tip.id, &from, |_| false), Some((5..21).collect()));
    // An entry above the tip asked for is no place to go on from.
    assert_eq!(world.graph.segment(&world.log[3].id(), &from, |_| false), None);
    assert_eq!(world.graph.segment(&tip.id, &[tip.id], |_| false), Some(Vec::new()));
}

#[test]
fn a_locator_doubles_its_steps_and_ends_at_the_first_entry() {
    let mut world = World::new();
    (0..99).for_each(|n| drop(world.message(0, &format!("{n}"))));
    let positions: Vec<Position> =
        world.graph.locator(&chain(0, 1)).iter().map(|id| world.graph.position(id).unwrap()).collect();
    assert_eq!(positions, [99, 98, 96, 92, 84, 68, 36, 0]);
}

#[test]
fn the_common_way_of_branches_is_walked_once() {
    let mut world = World::new();
    for n in 0..20 {
        world.message(0, &format!("message {n}"));
    }
    let (base, tip) = (world.log[15].clone(), world.log[20].clone());
    let twin = world.write(0, Some(&base), &[], &Body::Message("twin".to_owned()));
    world.put(&twin);
    world.graph.settle(world.graph.len());
    let first = world.graph.segment(&tip.id(), &[world.log[5].id()], |_| false).unwrap();
    assert_eq!(first, (6..21).collect::<Vec<_>>());
    let second = world.graph.segment(&twin.id(), &[world.log[5].id()], |at| first.contains(&at));
    assert_eq!(second, Some(vec![21]));
}

#[test]
fn a_chain_is_gone_down_only_as_far_as_it_was_not_gone_down_before() {
    let mut world = World::new();
    (0..20).for_each(|n| drop(world.message(0, &format!("{n}"))));
    world.graph.settle(world.graph.len());
    let all: Vec<u32> = world.graph.segment(&world.log[20].id(), &[], |_| false).unwrap();
    assert_eq!(all, (0..21).collect::<Vec<_>>());
    let looked_at = std::cell::Cell::new(0);
    let was_walked = |at: u32| {
        looked_at.set(looked_at.get() + 1);
        at <= 15
    };
    assert_eq!(world.graph.segment(&world.log[20].id(), &[], was_walked), Some((16..21).collect()));
    assert_eq!(looked_at.get(), 6);
    assert_eq!(world.graph.segment(&world.log[15].id(), &[], was_walked), Some(Vec::new()));
    // What is known and of another chain is nothing to go on from.
    let admission = world.admit(0, 1);
    world.say(0, &admission);
    let other = world.message(1, "of another chain");
    world.graph.settle(world.graph.len());
    assert_eq!(world.graph.segment(&world.log[20].id(), &[other.id()], |_| false), None);
}
