//! Two replicas meet again, and one lacks a single message of a long history.

use std::time::Instant;

use replica_sync::engine::Event;

use crate::Bench;
use crate::figure::Figure;
use crate::history::History;
use crate::measure::{median, middle};
use crate::pair::Pair;
use crate::stock::Stock;
use crate::talk::talk;

const RUNS: usize = 21;

pub(crate) fn run(bench: &mut Bench) {
    let [connect, time, bytes] = bench.runtime.block_on(measure(bench.long()));
    let [stock_connect, stock_time, stock_bytes] = stock(bench.exported());
    let floors = bench.floors.again();
    let floor = 1.5 * floors.round_trip + floors.verify + floors.fdatasync;
    let what = "three ways, one signature, one fdatasync";
    bench.figures.extend([
        Figure::new("connect: address kept, TCP, Noise, greeting", connect, "ms")
            .floor("a TCP connection", floors.connect)
            .stock(stock_connect),
        Figure::new("1 missing of 100k: greeting to durable row", time, "ms")
            .at_most(2.0)
            .floor(what, floor)
            .stock(stock_time),
        Figure::new("1 missing of 100k: bytes, both ways", bytes, "B").at_most(400.0).stock(stock_bytes),
    ]);
}

/// Milliseconds from the dial to the greeting, and from there to the row; bytes.
async fn measure(history: &History) -> [f64; 3] {
    let mut pair = Pair::agreed(history).await;
    let (mut connects, mut times, mut bytes) = (Vec::new(), Vec::new(), Vec::new());
    for number in 0..RUNS {
        pair.part().await;
        pair.ann.say(talk(number as u64)).await;
        pair.ann.wait(|event| matches!(event, Event::Written { .. })).await;
        if !pair.is_apart() {
            continue;
        }
        let start = Instant::now();
        pair.bob.dial(pair.ann.port).await;
        pair.bob.wait(|event| matches!(event, Event::PeerHere { .. })).await;
        let here = start.elapsed();
        pair.bob.rows(1).await;
        times.push(start.elapsed() - here);
        connects.push(here);
        pair.agree().await;
        bytes.extend(pair.bob.carried().await.map(|carried| carried.sent + carried.received));
    }
    pair.stop().await;
    [median(connects), median(times), middle(bytes)]
}

fn stock(saved: &[u8]) -> [f64; 3] {
    let mut pair = Stock::agreed(saved);
    let (mut connects, mut times, mut bytes) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..RUNS {
        pair.write(false);
        let start = Instant::now();
        pair.reconnect();
        connects.push(start.elapsed());
        let cost = pair.sync();
        times.push(cost.time);
        bytes.push(cost.bytes.iter().sum());
    }
    assert!(pair.is_agreed());
    [median(connects), median(times), middle(bytes)]
}
