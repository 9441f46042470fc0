use std::collections::BTreeSet;

use super::*;
use crate::entry::Body;
use crate::id::{ChainId, EntryId};
use crate::testing::{Dice, World, person};

const PEOPLE: u8 = 4;

/// All that whoever has an entry has.
fn past(graph: &Graph, at: Position) -> BTreeSet<Position> {
    let mut past = BTreeSet::new();
    let mut work = vec![at];
    while let Some(at) = work.pop() {
        if past.insert(at) {
            work.extend(graph.parents(at));
        }
    }
    past
}

/// Holds what is said of one author's rows against the pasts themselves. Answers how many are held by whom.
fn check(graph: &Graph, reach: &Reach, author: AuthorKey) -> usize {
    let own: Vec<Position> = (0..graph.len()).filter(|at| graph.chain(*at).author == author).collect();
    let own: Vec<Position> = own.into_iter().filter(|at| !graph.is_forked(&graph.chain(*at))).collect();
    let mut held = 0;
    for at in 0..graph.durable() {
        let past = past(graph, at);
        for row in &own {
            let incarnation = graph.chain(*row).incarnation;
            let mut of_chain = reach.of(at).iter().filter(|it| it.incarnation == incarnation);
            let is_said = of_chain.any(|reached| *row <= reached.position);
            assert_eq!(is_said, past.contains(row), "whether {row} is in the past of {at}");
            held += usize::from(is_said);
        }
    }
    held
}

#[test]
fn how_far_a_past_reaches_is_what_walking_it_finds() {
    let mut held = 0;
    for seed in 0..40 {
        for forks in [false, true] {
            let world = World::random(&mut Dice(seed), PEOPLE, 60, forks);
            let mut graph = Graph::new(world.room);
            let author = person(1).key();
            let mut reach = Reach::new(author);
            for (count, entry) in (0..).zip(&world.log) {
                graph.admit(entry).unwrap();
                if count % 7 == 0 {
                    graph.settle(graph.len());
                    reach.extend(&graph);
                    // What was said of a chain before it was forked was true, and says nothing of what came later.
                    held += if forks { 0 } else { check(&graph, &reach, author) };
                }
            }
            graph.settle(graph.len());
            let mut late = Reach::new(author);
            late.extend(&graph);
            held += check(&graph, &late, author);
            let of_fork = |it: &Reached| graph.is_forked(&ChainId { author, incarnation: it.incarnation });
            assert!(!(0..graph.len()).any(|at| late.of(at).iter().any(of_fork)), "seed {seed}");
        }
    }
    assert!(held > 10_000, "{held}");
}

#[test]
fn two_chains_of_one_author_are_told_apart() {
    let mut world = World::new();
    let admitted = world.say(0, &world.admit(0, 1));
    let text = |text: &str| Body::Message(text.to_owned());
    let one = world.message(0, "one");
    let mut other = world.write(0, None, &[&admitted], &text("other"));
    let mut record = other.record().clone();
    record.chain = ChainId { incarnation: 9, ..record.chain };
    other = world.sign(record, 0);
    world.put(&other);
    let saw_other = world.write(1, None, &[&other], &text("saw the other"));
    world.put(&saw_other);
    world.graph.settle(world.graph.len());
    let mut reach = Reach::new(person(0).key());
    reach.extend(&world.graph);
    let at = |id: EntryId| world.graph.position(&id).unwrap();
    let first = Reached { incarnation: 1, position: at(admitted.id()) };
    let second = Reached { incarnation: 9, position: at(other.id()) };
    assert_eq!(reach.of(at(saw_other.id())), [first, second]);
    assert!(at(one.id()) > first.position);
}

#[test]
fn heads_are_those_of_what_is_durable() {
    for seed in 0..20 {
        let world = World::random(&mut Dice(seed), PEOPLE, 60, false);
        let mut graph = Graph::new(world.room);
        for (count, entry) in (0..).zip(&world.log) {
            graph.admit(entry).unwrap();
            if count == world.log.len() / 2 {
                graph.settle(graph.len() - 9);
            }
        }
        let parents: BTreeSet<Position> = (0..graph.durable()).flat_map(|at| graph.parents(at)).collect();
        let heads = (0..graph.durable()).filter(|at| !parents.contains(at));
        let mut expected: Vec<EntryId> = heads.map(|at| graph.id(at)).collect();
        expected.sort_unstable();
        assert_eq!(graph.durable_heads(64), expected, "seed {seed}");
        let newest = expected.iter().max_by_key(|id| graph.key(graph.position(id).unwrap())).unwrap();
        assert_eq!(graph.durable_heads(1), [*newest], "seed {seed}");
    }
}
