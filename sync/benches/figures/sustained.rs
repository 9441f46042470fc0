//! Many messages: how fast they become durable, and what a long evening does to memory.

use std::time::{Duration, Instant};

use replica_sync::engine::Event;
use tokio::time::{sleep_until, timeout};

use crate::Bench;
use crate::figure::Figure;
use crate::history::History;
use crate::measure::memory;
use crate::pair::Pair;
use crate::running::{PATIENCE, Running};
use crate::talk::talk;

const BURST: usize = 20_000;

/// Messages a second in the soak, said a few at a time.
const SOAK_RATE: u64 = 500;
const AT_ONCE: u64 = 10;

pub(crate) fn run(bench: &mut Bench) {
    let seconds = if bench.all { 60 } else { 6 };
    let [start, end, messages] = bench.runtime.block_on(soak(bench.empty(), seconds));
    bench.figures.extend([
        Figure::new(format!("soak of {seconds} s: memory of both at the start"), start, "MB"),
        Figure::new(format!("soak of {seconds} s: memory of both at the end"), end, "MB")
            .floor("at the start", start),
        Figure::new(
            format!("soak of {seconds} s: growth a message"),
            (end - start) * 1024.0 * 1024.0 / messages,
            "B",
        ),
    ]);
    let [own, both] = bench.runtime.block_on(burst(bench.empty()));
    let per_second = |each_ms: f64| 1000.0 / each_ms;
    let floors = bench.floors.again();
    let (signs, verifies) = (per_second(floors.sign), per_second(floors.verify));
    bench.figures.extend([
        Figure::new("burst of 20k: durable here, a second", own, "/s")
            .at_least(10_000.0)
            .floor("signatures made", signs),
        Figure::new("burst of 20k: durable at both, a second", both, "/s")
            .floor("signatures verified", verifies),
    ]);
}

/// Messages a second until the last is durable here, and at both.
async fn burst(history: &History) -> [f64; 2] {
    let mut pair = Pair::agreed(history).await;
    let Running { node, events, .. } = &mut pair.ann;
    let start = Instant::now();
    let saying = async {
        for number in 0..BURST {
            let said = replica_sync::engine::Command::Say(talk(number as u64));
            node.command(said).await.unwrap();
        }
    };
    let written = async {
        let mut left = BURST;
        while left > 0 {
            let event = events.recv().await.unwrap();
            left -=
                usize::from(matches!(event, replica_sync::node::NodeEvent::Engine(Event::Written { .. })));
        }
        start.elapsed()
    };
    let bob = &mut pair.bob;
    let arrived = async {
        bob.rows(BURST).await;
        start.elapsed()
    };
    let all = async { tokio::join!(saying, written, arrived) };
    let ((), own, both) = timeout(PATIENCE, all).await.expect("the burst does not end");
    pair.stop().await;
    [own, both].map(|time| BURST as f64 / time.as_secs_f64())
}

/// Memory in MB after a third of the time and at the end, and the messages in between.
async fn soak(history: &History, seconds: u64) -> [f64; 3] {
    let mut pair = Pair::agreed(history).await;
    let rounds = seconds * SOAK_RATE / AT_ONCE;
    let pause = Duration::from_millis(1000 * AT_ONCE / SOAK_RATE);
    let begin = tokio::time::Instant::now();
    let mut start = 0.0;
    for round in 0..rounds {
        if round == rounds / 3 {
            start = memory("VmRSS");
        }
        for number in 0..AT_ONCE {
            pair.ann.say(talk(round * AT_ONCE + number)).await;
        }
        let least = usize::try_from(AT_ONCE).unwrap();
        pair.bob.rows(least).await;
        while pair.ann.events.try_recv().is_some() {}
        sleep_until(begin + pause * u32::try_from(round).unwrap()).await;
    }
    let end = memory("VmRSS");
    pair.stop().await;
    [start, end, (rounds - rounds / 3) as f64 * AT_ONCE as f64]
}
