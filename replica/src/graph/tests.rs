use std::collections::BTreeMap;

use sha2::{Digest as _, Sha256};

use super::*;
use crate::document::Actor;
use crate::entry::{Body, Entry, Invite, Kind, Record};
use crate::identity::{Purpose, verify};
use crate::testing::{Dice, START_MS, World, chain, person, record, signed_tips};

mod admission;
mod difference;
mod fork;
mod roles;

const PEOPLE: u8 = 5;

/// An entry's place in the order, its actor, parents, place in its chain, kind, claimed time, and whether it counts.
type Row = (OrderKey, Actor, Vec<EntryId>, Tip, u16, u64, bool);

/// Everything a graph says that must not depend on the order of arrival.
#[derive(Debug, PartialEq)]
struct Face {
    digest: Digest,
    tips: Vec<Tip>,
    heads: BTreeSet<EntryId>,
    rows: BTreeMap<EntryId, Row>,
    /// Of each person: whether they are in, whether out, and who removed them.
    members: Vec<(bool, bool, Option<AuthorKey>)>,
    admins: Vec<AuthorKey>,
    forked: BTreeSet<ChainId>,
    /// How often each was used, and whether it was taken back.
    invites: Vec<(u32, bool)>,
}

/// All of it is to be durable.
fn face(graph: &Graph) -> Face {
    let row = |at: Position| {
        let parents = graph.parents(at).map(|parent| graph.id(parent)).collect();
        let place = Tip { chain: graph.chain(at), seq: graph.seq(at), id: graph.id(at) };
        let (kind, claimed_ms) = (graph.kind(at), graph.claimed_ms(at));
        (graph.id(at), (graph.key(at), graph.actor(at), parents, place, kind, claimed_ms, graph.counts(at)))
    };
    let rows: BTreeMap<_, _> = (0..graph.len()).map(row).collect();
    let invites = rows.iter().filter(|(_, row)| row.4 == Kind::Invite.number());
    let people = (0..PEOPLE).map(|number| person(number).key());
    Face {
        digest: graph.digest(),
        tips: graph.tips(),
        heads: graph.heads().map(|head| graph.id(head)).collect(),
        members: people
            .map(|key| (graph.is_member(&key), graph.is_out(&key), graph.removed_by(&key)))
            .collect(),
        forked: graph.forked().into_iter().map(|(chain, _)| chain).collect(),
        invites: invites.map(|(id, _)| (graph.invite_uses(id), graph.is_revoked(id))).collect(),
        admins: graph.admins(),
        rows,
    }
}

/// And what depends on it, so that only graphs with one order of arrival are alike.
fn shape(graph: &Graph) -> impl PartialEq + std::fmt::Debug + use<> {
    let chains: BTreeSet<ChainId> = (0..graph.len()).map(|at| graph.chain(at)).collect();
    let of_chain =
        |chain: &ChainId| (*chain, graph.chain_entries(chain), graph.last_of(chain), graph.locator(chain));
    let people = (0..PEOPLE).map(|number| person(number).key());
    (
        graph.heads().collect::<Vec<_>>(),
        graph.forked(),
        chains.iter().map(of_chain).collect::<Vec<_>>(),
        people.map(|key| graph.cards(&key)).collect::<Vec<_>>(),
        graph.invites_by(&person(200).key()),
        signed_tips(graph).into_iter().map(|(tip, signature)| (tip, signature.0)).collect::<Vec<_>>(),
        (graph.len(), graph.durable()),
    )
}

fn graph_of(room: RoomId, arrivals: &[Entry]) -> Graph {
    let mut graph = Graph::new(room);
    for entry in arrivals {
        assert!(matches!(graph.admit(entry), Ok(Admission::New(_))));
        assert_eq!(graph.admit(entry), Ok(Admission::Known));
    }
    graph.settle(graph.len());
    graph
}

#[test]
fn every_order_of_arrival_makes_the_same_graph() {
    for seed in 0..60 {
        let mut dice = Dice(seed);
        let world = World::random(&mut dice, PEOPLE, 60, true);
        let expected = face(&graph_of(world.room, &world.log));
        for _ in 0..3 {
            let graph = graph_of(world.room, &world.shuffled(&mut dice));
            assert_eq!(face(&graph), expected, "seed {seed}");
        }
    }
}

#[test]
fn random_histories_have_all_that_is_to_be_tried() {
    let all: Vec<World> = (0..60).map(|seed| World::random(&mut Dice(seed), PEOPLE, 60, true)).collect();
    let graphs = || all.iter().map(|world| &world.graph);
    assert!(graphs().all(|graph| graph.len() >= 20));
    let root_forks = |graph: &Graph| (1..graph.len()).filter(|&at| graph.previous(at).is_none()).count();
    assert!(graphs().filter(|graph| !graph.forked().is_empty()).count() > 20);
    assert!(graphs().any(|graph| root_forks(graph) > 8));
    let left = |graph: &Graph, number: u8| graph.rosters.departures(&person(number).key()).next().is_some();
    assert!(graphs().filter(|graph| (0..PEOPLE).any(|who| left(graph, who))).count() > 10);
    let back = |graph: &Graph, who: u8| left(graph, who) && graph.is_member(&person(who).key());
    assert!(graphs().any(|graph| (0..PEOPLE).any(|who| back(graph, who))));
    assert!(graphs().any(|graph| graph.heads().count() > 5));
    let removed = |graph: &Graph, who: u8| graph.removed_by(&person(who).key()).is_some();
    assert!(graphs().filter(|graph| (0..PEOPLE).any(|who| removed(graph, who))).count() > 5);
    assert!(graphs().filter(|graph| graph.admins().len() > 1).count() > 5);
    assert!(graphs().filter(|graph| (0..graph.len()).any(|at| !graph.counts(at))).count() > 5);
    assert!(graphs().any(|graph| (0..graph.len()).any(|at| graph.key(at).clock.era > 0)));
}

#[test]
fn taking_back_leaves_no_trace() {
    for seed in 0..20 {
        let mut dice = Dice(seed);
        let world = World::random(&mut dice, PEOPLE, 60, true);
        let mut graph = Graph::new(world.room);
        let mut kept: Vec<Entry> = Vec::new();
        while kept.len() < world.log.len() {
            // Another order each time, so that what was taken back comes again differently.
            let next: Vec<Entry> =
                world.shuffled(&mut dice).into_iter().filter(|entry| !kept.contains(entry)).collect();
            let count = 1 + dice.below(next.len());
            let from = graph.len();
            let coming: Vec<&Entry> =
                next.iter().filter(|entry| graph.admit(entry).is_ok()).take(count).collect();
            assert!(!coming.is_empty());
            let stays = dice.below(coming.len() + 1);
            graph.truncate(from + Position::try_from(stays).unwrap());
            kept.extend(coming[..stays].iter().map(|entry| (*entry).clone()));
            if dice.one_in(2) {
                graph.settle(graph.len());
                let never = graph_of(world.room, &kept);
                assert_eq!(face(&graph), face(&never), "seed {seed}");
                assert_eq!(shape(&graph), shape(&never), "seed {seed}");
            }
        }
        graph.settle(graph.len());
        assert_eq!(face(&graph), face(&graph_of(world.room, &kept)), "seed {seed}");
    }
}

#[test]
fn only_what_is_durable_is_told() {
    let mut world = World::new();
    world.message(0, "one");
    let graph = &mut world.graph;
    assert_eq!((graph.tips(), graph.durable()), (Vec::new(), 0));
    assert_eq!(graph.digest(), Graph::new(world.room).digest());
    graph.settle(1);
    assert_eq!((graph.tips().len(), graph.messages()), (1, 0));
    assert_eq!(graph.segment(&world.log[1].id(), &[], |_| false), None);
    assert_eq!(graph.segment(&world.log[0].id(), &[], |_| false), Some(vec![0]));
    graph.settle(2);
    assert_eq!(graph.messages(), 1);
    let tip = Tip { chain: chain(0, 1), seq: 2, id: world.log[1].id() };
    assert_eq!(graph.tips(), [tip]);
    let hash =
        Sha256::new().chain_update(tip.chain.to_bytes()).chain_update([0, 0, 0, 2]).chain_update(tip.id.0);
    assert_eq!(graph.digest(), Digest(hash.finalize().into()));
}

#[test]
fn every_tip_keeps_the_signature_that_vouches_for_it() {
    for seed in 0..10 {
        let world = World::random(&mut Dice(seed), PEOPLE, 60, true);
        let graph = graph_of(world.room, &world.log);
        let signed = signed_tips(&graph);
        assert_eq!(signed.iter().map(|(tip, _)| *tip).collect::<Vec<_>>(), graph.tips());
        for (tip, signature) in &signed {
            assert!(verify(&tip.chain.author, Purpose::Entry(&tip.id), signature));
        }
        assert_eq!(graph.signatures.len(), signed.len(), "the others are not kept in memory");
    }
}

#[test]
fn a_block_resolves_what_it_names_by_chain_seq_and_half_an_id() {
    let world = World::random(&mut Dice(4), PEOPLE, 60, true);
    assert!(!world.graph.forked().is_empty());
    for entry in &world.log {
        let record = entry.record();
        assert_eq!(world.graph.place(&entry.id()), Some((record.chain, record.seq)));
        let mut prefix = [0; 16];
        prefix.copy_from_slice(&entry.id().0[..16]);
        assert_eq!(world.graph.find(&record.chain, record.seq, &prefix), Some(entry.id()));
        assert_eq!(world.graph.find(&record.chain, record.seq + 1, &prefix), None);
        assert_eq!(world.graph.find(&record.chain, 0, &prefix), None);
        prefix[15] ^= 1;
        assert_eq!(world.graph.find(&record.chain, record.seq, &prefix), None);
    }
    assert_eq!(world.graph.find(&chain(99, 1), 1, &[0; 16]), None);
}
