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

/// Admits an entry, and answers which others have another actor by it.
fn put(world: &mut World, entry: &Entry) -> Vec<EntryId> {
    let before: Vec<Actor> = (0..world.graph.len()).map(|at| world.graph.actor(at)).collect();
    world.put(entry);
    let moved = (0..).zip(before).filter(|(at, actor)| world.graph.actor(*at) != *actor);
    moved.map(|(at, _)| world.graph.id(at)).collect()
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
    assert_eq!(put(&mut world, &higher), []);
    assert_eq!(actor(&world, &higher), Actor::branch(chain(0, 1), &higher.id()));
    assert_eq!(world.graph.forked(), [(chain(0, 1), [1, 3])]);

    // A twin of c's child, so that the branch that is to move has a branch of its own.
    let d = world.write(0, Some(&c), &[], &Body::Message("d".to_owned()));
    world.put(&d);
    let d_higher = twin(&mut world, &c, &d, false);
    world.put(&d_higher);

    let lower = twin(&mut world, &root, &b, true);
    assert_eq!(put(&mut world, &lower), [b.id(), c.id(), d.id()]);
    let branch = Actor::branch(chain(0, 1), &b.id());
    assert_eq!(actor(&world, &lower), own);
    assert!([&b, &c, &d].iter().all(|entry| actor(&world, entry) == branch));
    assert_eq!(actor(&world, &d_higher), Actor::branch(chain(0, 1), &d_higher.id()));
    assert_eq!(actor(&world, &higher), Actor::branch(chain(0, 1), &higher.id()));
    assert_eq!(actor(&world, &root), own);

    // What follows a moved entry is on its branch, and a later lowest twin moves the one before it only.
    let e = world.write(0, Some(&d), &[], &Body::Message("e".to_owned()));
    world.put(&e);
    assert_eq!(actor(&world, &e), branch);
    let lowest = twin(&mut world, &root, &lower, true);
    assert_eq!(put(&mut world, &lowest), [lower.id()]);
    assert_eq!(actor(&world, &lowest), own);
    assert_eq!(actor(&world, &e), branch);

    assert_eq!(world.graph.tips(), []);
    world.graph.settle(world.graph.len());
    let mut tips: Vec<EntryId> = [&higher, &d_higher, &e, &lower, &lowest].map(Entry::id).to_vec();
    tips.sort_unstable();
    let mut told: Vec<EntryId> = world.graph.tips().iter().map(|tip| tip.id).collect();
    told.sort_unstable();
    assert_eq!(told, tips, "every branch is told by its tip");
    let at = world.graph.position(&lowest.id()).unwrap();
    assert_eq!(world.graph.relined(at..at + 1), Relined::default(), "what is durable has been reported");
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
fn whoever_is_told_what_becomes_of_lines_knows_every_actor() {
    for seed in 0..60 {
        let mut dice = Dice(seed);
        let world = World::random(&mut dice, 3, 60, true);
        let mut graph = Graph::new(world.room);
        let mut told: Pieces<Actor> = Pieces::default();
        for entry in world.shuffled(&mut dice) {
            let before: Vec<Actor> = (0..graph.len()).map(|at| graph.actor(at)).collect();
            let Ok(Admission::New(at)) = graph.admit(&entry) else { unreachable!() };
            if dice.one_in(3) {
                // Taken back and admitted again it does the same.
                graph.truncate(at);
                assert_eq!((0..at).map(|at| graph.actor(at)).collect::<Vec<_>>(), before);
                graph.admit(&entry).unwrap();
            }
            if dice.one_in(3) {
                continue;
            }
            let first = graph.durable();
            let relined = graph.relined(first..graph.len());
            (first..graph.len()).for_each(|at| told.put(at, graph.run(at)));
            relined.actors.iter().for_each(|(&piece, &actor)| told.set(piece, actor));
            for at in 0..graph.len() {
                let noted = told.value(told.run(at, graph.chain(at)), graph.seq(at));
                assert_eq!(noted.unwrap_or(Actor::from(graph.chain(at))), graph.actor(at), "seed {seed}");
            }
            graph.settle(graph.len());
        }
    }
}

#[test]
fn documents_are_stale_from_the_first_entry_on_that_moved() {
    for seed in 0..40 {
        let mut dice = Dice(seed);
        let world = World::random(&mut dice, 3, 60, true);
        let mut graph = Graph::new(world.room);
        for entry in world.shuffled(&mut dice) {
            let before: Vec<Actor> = (0..graph.len()).map(|at| graph.actor(at)).collect();
            let Ok(Admission::New(at)) = graph.admit(&entry) else { unreachable!() };
            let moved = (0..graph.durable()).filter(|&at| graph.actor(at) != before[at as usize]);
            assert_eq!(graph.relined(at..at + 1).from, moved.map(|at| graph.key(at)).min(), "seed {seed}");
            if dice.one_in(2) {
                graph.settle(graph.len());
            }
        }
    }
}

#[test]
fn which_entries_stand_before_another_is_known_without_going_there() {
    for seed in 0..40 {
        let mut dice = Dice(seed);
        let world = World::random(&mut dice, 2, 80, true);
        let graph = graph_of(world.room, &world.shuffled(&mut dice));
        for tip in 0..graph.len() {
            let line: Vec<Position> = std::iter::successors(Some(tip), |&at| graph.previous(at)).collect();
            for at in 0..graph.len() {
                assert_eq!(graph.is_on_line(at, tip), line.contains(&at), "seed {seed}: {at} to {tip}");
            }
        }
    }
}

#[test]
fn a_chain_that_is_forked_at_every_entry_is_known_by_few_steps() {
    let mut world = World::new();
    let root = world.log[0].clone();
    let mut last = root.clone();
    for n in 0..600 {
        // One that leads nowhere comes first each time.
        let ends = world.write(0, Some(&last), &[], &Body::Message(format!("ends {n}")));
        let goes_on = world.write(0, Some(&last), &[], &Body::Message(format!("goes on {n}")));
        world.put(&ends);
        world.put(&goes_on);
        last = goes_on;
    }
    let graph = &world.graph;
    let tip = graph.position(&last.id()).unwrap();
    assert!((0..=tip).all(|at| graph.is_on_line(at, tip) == (at % 2 == 0)));
}

#[test]
fn whoever_forks_a_long_chain_over_and_over_moves_few_pieces() {
    let mut world = World::new();
    let mut line = vec![world.log[0].clone()];
    for n in 0..400 {
        let entry = world.message(0, &format!("message {n}"));
        line.push(entry);
    }
    // From the first on, each is the parent of a lower twin: all below moves each time.
    let twins: Vec<Entry> = line.windows(2).map(|pair| twin(&mut world, &pair[0], &pair[1], true)).collect();
    let first = world.graph.len();
    for (pair, twin) in line.windows(2).zip(&twins) {
        let moved = put(&mut world, twin);
        assert_eq!(
            moved.len(),
            line.len() - world.graph.seq(world.graph.position(&pair[0].id()).unwrap()) as usize
        );
    }
    let relined = world.graph.relined(first..world.graph.len());
    assert_eq!(
        relined.actors.len(),
        2 * twins.len(),
        "a piece for each twin, and one for what it took the place of"
    );
}
