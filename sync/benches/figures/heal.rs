//! A partition heals: each side wrote while they were apart.

use std::time::Instant;

use replica_sync::engine::Event;

use crate::Bench;
use crate::figure::Figure;
use crate::history::History;
use crate::measure::{median, middle};
use crate::pair::Pair;
use crate::running::Running;
use crate::stock::Stock;
use crate::talk::talk;

/// Messages of each side.
const APART: usize = 500;

const RUNS: usize = 3;

pub(crate) fn run(bench: &mut Bench) {
    let [time, bytes] = bench.runtime.block_on(measure(bench.long()));
    let [stock_time, stock_bytes] = stock(bench.exported());
    let floors = bench.floors.again();
    let floor =
        floors.connect + 3.0 * floors.round_trip + 2.0 * (floors.sign + floors.verify) + floors.fdatasync;
    let what = "TCP, three round trips, two signatures, one fdatasync";
    bench.figures.extend([
        Figure::new("heal 500 + 500 on 100k: dial to equal digests", time, "ms")
            .at_most(30.0)
            .floor(what, floor)
            .stock(stock_time),
        Figure::new("heal 500 + 500 on 100k: bytes, both ways", bytes / 1000.0, "kB")
            .at_most(45.0)
            .stock(stock_bytes / 1000.0),
    ]);
}

async fn measure(history: &History) -> [f64; 2] {
    let (mut times, mut bytes) = (Vec::new(), Vec::new());
    for _ in 0..RUNS {
        let mut pair = Pair::start(history).await;
        tokio::join!(write(&mut pair.ann, 0), write(&mut pair.bob, 1));
        let start = Instant::now();
        pair.bob.dial(pair.ann.port).await;
        tokio::join!(pair.ann.rows(APART), pair.bob.rows(APART));
        times.push(start.elapsed());
        let (ann, bob) = (pair.ann.status().await, pair.bob.status().await);
        assert_eq!((ann.digest, ann.entries), (bob.digest, (history.entries + 2 * APART) as u64));
        let carried = pair.bob.carried().await.unwrap();
        bytes.push(carried.sent + carried.received);
        pair.stop().await;
    }
    [median(times), middle(bytes)]
}

async fn write(running: &mut Running, who: u64) {
    for number in 0..APART as u64 {
        running.say(talk(2 * number + who)).await;
    }
    let mut left = APART;
    running
        .wait(|event| {
            left -= usize::from(matches!(event, Event::Written { .. }));
            left == 0
        })
        .await;
}

fn stock(saved: &[u8]) -> [f64; 2] {
    let (mut times, mut bytes) = (Vec::new(), Vec::new());
    let mut pair = Stock::agreed(saved);
    for _ in 0..RUNS {
        (0..APART).for_each(|_| pair.write(false));
        (0..APART).for_each(|_| pair.write(true));
        let start = Instant::now();
        pair.reconnect();
        let cost = pair.sync();
        times.push(start.elapsed());
        bytes.push(cost.bytes.iter().sum());
        assert!(pair.is_agreed());
    }
    [median(times), middle(bytes)]
}
