use super::*;

/// A message after `previous` whose id stands on this side of another's.
fn twin(world: &mut World, previous: &Entry, than: &Entry, is_lower: bool) -> Entry {
    for n in 0.. {
        let entry = world.write(0, Some(previous), &[], &Body::Message(format!("twin {n}")));
        if (entry.id() < than.id()) == is_lower {
            return entry;
        }
    }
    unreachable!("half of all ids are lower")
}

fn actor(world: &World, entry: &Entry) -> Actor {
    world.graph.actor(world.graph.position(&entry.id()).unwrap())
}

fn moved(world: &World, entry: &Entry) -> Vec<EntryId> {
    let moved = world.graph.moved_by(world.graph.position(&entry.id()).unwrap());
    moved.iter().map(|moved| world.graph.id(moved.position)).collect()
}

#[test]
fn the_lowest_twin_keeps_the_chains_actor_and_moves_the_others() {
    let mut world = World::new();
    let root = world.log[0].clone();
    let b = world.message(0, "b");
    let c = world.message(0, "c");
    let own = Actor::from(chain(0, 1));
    assert!([&root, &b, &c].iter().all(|entry| actor(&world, entry) == own));
    assert!(world.graph.forked().is_empty());

    let higher = twin(&mut world, &root, &b, false);
    world.put(&higher);
    assert_eq!(actor(&world, &higher), Actor::branch(chain(0, 1), &higher.id()));
    assert_eq!(moved(&world, &higher), []);
    assert_eq!(world.graph.forked(), [(chain(0, 1), [1, 3])]);

    // A twin of c's child, so that the branch that is to move has a branch of its own.
    let d = world.write(0, Some(&c), &[], &Body::Message("d".to_owned()));
    world.put(&d);
    let d_higher = twin(&mut world, &c, &d, false);
    world.put(&d_higher);

    let lower = twin(&mut world, &root, &b, true);
    world.put(&lower);
    let branch = Actor::branch(chain(0, 1), &b.id());
    assert_eq!(actor(&world, &lower), own);
    assert!([&b, &c, &d].iter().all(|entry| actor(&world, entry) == branch));
    assert_eq!(actor(&world, &d_higher), Actor::branch(chain(0, 1), &d_higher.id()));
    assert_eq!(actor(&world, &higher), Actor::branch(chain(0, 1), &higher.id()));
    assert_eq!(moved(&world, &lower), [b.id(), c.id(), d.id()]);
    assert_eq!(actor(&world, &root), own);

    // What follows a moved entry is on its branch, and a later lowest twin moves the one before it only.
    let e = world.write(0, Some(&d), &[], &Body::Message("e".to_owned()));
    world.put(&e);
    assert_eq!(actor(&world, &e), branch);
    let lowest = twin(&mut world, &root, &lower, true);
    world.put(&lowest);
    assert_eq!(moved(&world, &lowest), [lower.id()]);
    assert_eq!(actor(&world, &lowest), own);
    assert_eq!(actor(&world, &e), branch);

    assert_eq!(world.graph.tips(), []);
    world.graph.settle(world.graph.len());
    let mut tips: Vec<EntryId> = [&higher, &d_higher, &e, &lower, &lowest].map(Entry::id).to_vec();
    tips.sort_unstable();
    let mut told: Vec<EntryId> = world.graph.tips().iter().map(|tip| tip.id).collect();
    told.sort_unstable();
    assert_eq!(told, tips, "every branch is told by its tip");
    assert_eq!(moved(&world, &lowest), [], "what is durable has been reported");
}

#[test]
fn two_first_entries_of_one_chain_are_twins_too() {
    let mut world = World::new();
    world.say(0, &world.admit(0, 1));
    let base = world.log[1].clone();
    let mut firsts: Vec<Entry> =
        (0..6).map(|n| world.write(1, None, &[&base], &Body::Message(format!("first {n}")))).collect();
    firsts.iter().for_each(|entry| world.put(entry));
    firsts.sort_unstable_by_key(Entry::id);
    assert_eq!(actor(&world, &firsts[0]), Actor::from(chain(1, 1)));
    for first in &firsts[1..] {
        assert_eq!(actor(&world, first), Actor::branch(chain(1, 1), &first.id()));
    }
}

#[test]
fn actors_are_a_function_of_the_set_by_the_rule_in_words() {
    for seed in 100..140 {
        let mut dice = Dice(seed);
        let world = World::random(&mut dice, 3, 60, true);
        // The rule, without any bookkeeping: who is not the lowest child of its parent begins a branch.
        let children = |previous: Option<EntryId>, chain: ChainId| {
            let all = world.log.iter().map(Entry::record).zip(&world.log);
            all.filter(move |(record, _)| record.previous == previous && record.chain == chain)
                .map(|(_, entry)| entry.id())
                .min()
                .unwrap()
        };
        let mut expected: BTreeMap<EntryId, Actor> = BTreeMap::new();
        for entry in &world.log {
            let record = entry.record();
            let actor = if children(record.previous, record.chain) == entry.id() {
                record.previous.map_or(Actor::from(record.chain), |previous| expected[&previous])
            } else {
                Actor::branch(record.chain, &entry.id())
            };
            expected.insert(entry.id(), actor);
        }
        let graph = graph_of(world.room, &world.shuffled(&mut dice));
        for at in 0..graph.len() {
            assert_eq!(graph.actor(at), expected[&graph.id(at)], "seed {seed}");
        }
    }
}

#[test]
fn what_moves_is_reported_exactly() {
    for seed in 0..40 {
        let mut dice = Dice(seed);
        let world = World::random(&mut dice, 3, 60, true);
        let mut graph = Graph::new(world.room);
        for entry in world.shuffled(&mut dice) {
            let before: Vec<Actor> = (0..graph.len()).map(|at| graph.actor(at)).collect();
            let Ok(Admission::New(at)) = graph.admit(&entry) else { unreachable!() };
            let now = (0..at).filter(|&at| graph.actor(at) != before[at as usize]).collect::<Vec<_>>();
            let reported: Vec<Position> = graph.moved_by(at).iter().map(|moved| moved.position).collect();
            assert_eq!(reported, now, "seed {seed}");
        }
    }
}
