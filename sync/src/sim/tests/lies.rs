//! Peers that are not what they were, or not what they say.

use replica::archive::StoredBlock;
use replica::id::Digest;

use super::{STRANGER, World, begin, check_kept, connect_stranger, ids, run, said, seeds, steps};
use crate::engine::{Event, Input};
use crate::wire::{Data, Frame, Have, Ping, Tip, Want};

#[test]
fn who_lost_a_part_of_its_disk_since_we_agreed_is_told_what_it_lacks() {
    let lost = "a: hi | b: yo | settle | backup b | a writes 30 | b writes 30 | settle | pass 100 | cut a b | pass 20000";
    for seed in seeds() {
        // Also where it wrote so much since that it has as many entries as it had.
        for since in ["restore b", "restore b | b writes 80", "restore b | b writes 80 | a writes 80"] {
            let mut world = run(seed, &format!("{lost} | {since} | heal | settle | pass 40000")).unwrap();
            assert_eq!(ids(&mut world, 0), ids(&mut world, 1), "seed {seed}: {since}");
            assert!(said(&mut world, 0).len() >= 62, "seed {seed}: {since}");
        }
    }
}

/// A newcomer whom a stranger tells, before anybody else does, of all there is. Answers the blocks of it.
fn promised(seed: u64) -> (World, Vec<StoredBlock>) {
    let before = format!("a: hi | b: yo{} | c joins | cut c", " | a writes 8 | settle".repeat(20));
    let mut world = begin(seed, &before);
    steps(&before).for_each(|step| world.step(step).unwrap());
    connect_stranger(&mut world, 2, 10_000);
    let graph = world.replicas[1].engine.as_ref().unwrap().conversation().graph();
    let tip = |(tip, signature): (replica::graph::Tip, _)| Tip {
        chain: tip.chain,
        seq: tip.seq,
        id: tip.id,
        signature,
    };
    let tips = graph.tips_since(0).filter_map(|at| graph.signed_tip(at)).map(tip).collect();
    let all: Vec<u32> = (0..graph.durable()).collect();
    world.handle(2, Input::Frame(STRANGER, Frame::Have(Have { tips, last: true })));
    let blocks = world.replicas[1].archive_mut().unwrap().blocks(&all).unwrap();
    (world, blocks)
}

#[test]
fn what_one_peer_withholds_another_one_gives() {
    for seed in seeds() {
        let (mut world, blocks) = promised(seed);
        world.step("heal").unwrap();
        // It is there all the time, and hands nothing over; or a little now and then, so that it seems to go on.
        let mut blocks = blocks.into_iter().map(|block| block.bytes).filter(|_| seed % 2 == 0);
        for second in 0..60 {
            let ping = Ping { digest: Digest([9; 32]), at_rest: false };
            world.handle(2, Input::Frame(STRANGER, Frame::Ping(ping)));
            if second % 8 == 0
                && let Some(block) = blocks.next()
            {
                world.handle(2, Input::Frame(STRANGER, Frame::Data(Data { block, remaining: 150 })));
            }
            world.pass(1_000);
        }
        assert_eq!(ids(&mut world, 2), ids(&mut world, 1), "seed {seed}");
    }
}

#[test]
fn who_rests_and_takes_nothing_more_is_let_go() {
    let mut world = begin(1, "a: hi | b: yo");
    steps("a: hi | b: yo | settle").for_each(|step| world.step(step).unwrap());
    connect_stranger(&mut world, 0, 10_000);
    world.handle(0, Input::Frame(STRANGER, Frame::Want(Want { chains: Vec::new(), last: true })));
    world.step("a writes 300 long").unwrap();
    let is_let_go = |world: &World| {
        let is_end = |event: &Event| matches!(event, Event::PeerGone { connection: STRANGER, .. });
        world.replicas()[0].told.iter().any(is_end)
    };
    for second in 0..=5 {
        world.pass(1_000);
        assert!(!is_let_go(&world), "after {second} s");
        let ping = Ping { digest: Digest([9; 32]), at_rest: true };
        world.handle(0, Input::Frame(STRANGER, Frame::Ping(ping)));
    }
    assert!(is_let_go(&world));
}

#[test]
fn who_relays_what_was_altered_is_sent_away_and_nothing_of_it_kept() {
    check_kept(
        "cut a c | a: one | b: two | c: three | settle | garble b c | a: four | a: five | settle | pass 20000 | settle",
    );
}

#[test]
fn who_floods_while_others_speak_is_held_back_and_heard_in_the_end() {
    let mut world = begin(1, "a: hi | b: yo");
    steps("a: hi | b: yo | settle").for_each(|step| world.step(step).unwrap());
    world.step("b: here").unwrap();
    world.step("a writes 2000 long").unwrap();
    let mut heard = Vec::new();
    for number in 0..12 {
        world.step(&format!("b: {number}")).unwrap();
        world.pass(500);
        heard.push(said(&mut world, 1).len());
    }
    // A burst, and then little more than the rate.
    let rate = (heard[6] - heard[1]) * 1000 / 2500;
    assert!((100..500).contains(&heard[1]) && rate < 250, "{heard:?}");
    steps("settle").for_each(|step| world.step(step).unwrap());
    assert_eq!(said(&mut world, 1).len(), 2 + 1 + 2_000 + 12);
}
