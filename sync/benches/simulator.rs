//! How much faster than real time the simulator is: five replicas, each connected to all, for a virtual day in which
//! somebody says something every so often, and somebody's line is cut every hour, for some minutes. All agree at the end.
//! Prints one figure a line: name, value, unit.
//!
//! `cargo bench -p replica-sync --features sim --bench simulator -- [seed]`

#![allow(missing_docs, reason = "a program, not a library")]
#![expect(clippy::unwrap_used, clippy::print_stdout, reason = "figures for people; a failure is one to see")]
#![expect(clippy::disallowed_methods, reason = "real time is what is measured")]

use std::time::Instant;

use replica_sync::engine::Command;
use replica_sync::sim::World;

fn main() {
    let seed = std::env::args().find_map(|argument| argument.parse().ok()).unwrap_or(7);
    for pause_ms in [60_000, 5_000] {
        let (times, entries) = day(seed, pause_ms);
        println!(
            "five replicas, a message every {} s ({entries} entries): {times:.0} times real time",
            pause_ms / 1000
        );
    }
}

const DAY_MS: u64 = 24 * 3_600_000;
const HOUR_MS: u64 = 3_600_000;

/// How long a line is cut.
const CUT_MS: u64 = 10 * 60_000;

/// A day with a message every so often: how many times faster it was than the day, and how many entries there were.
fn day(seed: u64, pause_ms: u64) -> (f64, u32) {
    let began = Instant::now();
    let mut world = World::new(seed, &["a", "b", "c", "d", "e"]);
    for number in 0..DAY_MS / pause_ms {
        let (at_ms, speaker) = (number * pause_ms, usize::try_from(number % 5).unwrap());
        if at_ms % HOUR_MS < pause_ms {
            (0..5).filter(|other| *other != speaker).for_each(|other| world.cut(speaker, other));
        } else if at_ms % HOUR_MS >= CUT_MS {
            world.heal();
        }
        world.command(speaker, Command::Say(format!("message {number}")));
        world.pass(pause_ms);
    }
    assert!(world.settle());
    let graphs =
        world.replicas().iter().map(|replica| replica.engine.as_ref().unwrap().conversation().graph());
    let graphs: Vec<_> = graphs.collect();
    assert!(graphs.iter().all(|graph| graph.digest() == graphs[0].digest()));
    let seconds = u32::try_from(DAY_MS / 1000).unwrap();
    (f64::from(seconds) / began.elapsed().as_secs_f64(), graphs[0].durable())
}
