//! One message at a time between two that are connected: from the command to the durable row on the other side.

use std::time::{Duration, Instant};

use replica_sync::engine::Event;

use crate::Bench;
use crate::figure::Figure;
use crate::history::History;
use crate::measure::{cpu_time, median, millis, percentile};
use crate::pair::Pair;
use crate::stock::Stock;
use crate::talk::talk;

const MESSAGES: usize = 1_000;

/// Fewer where each takes long.
const STOCK_MESSAGES: usize = 100;

pub(crate) fn run(bench: &mut Bench) {
    for (name, is_long) in [("0", false), ("100k", true)] {
        let history = if is_long { bench.long() } else { bench.empty() };
        let ours = bench.runtime.block_on(measure(history));
        let stock = stock(if is_long { bench.exported() } else { &[] });
        let floors = bench.floors.again();
        let floor = 2.0 * floors.fdatasync + floors.round_trip / 2.0 + floors.sign + floors.verify;
        let what = "two fdatasyncs, one way, one signature";
        let figure = |label: &str, value, unit| Figure::new(format!("live on {name}: {label}"), value, unit);
        bench.figures.extend([
            figure("command to the other's durable row, p50", ours.p50, "ms")
                .at_most(floors.fdatasync + 0.3)
                .floor(what, floor)
                .stock(stock.p50),
            figure("the same, p99", ours.p99, "ms").at_most(10.0 * ours.p50).stock(stock.p99),
            figure("CPU a message, both ends", ours.cpu, "ms")
                .at_most(0.2)
                .floor("a signature made and verified", floors.sign + floors.verify)
                .stock(stock.cpu),
            figure("bytes a message, both ways", ours.bytes, "B").stock(stock.bytes),
        ]);
    }
}

/// Milliseconds and bytes.
struct Cost {
    p50: f64,
    p99: f64,
    cpu: f64,
    bytes: f64,
}

async fn measure(history: &History) -> Cost {
    let mut pair = Pair::agreed(history).await;
    let mut times = Vec::new();
    let (before, carried) = (cpu_time(), pair.bob.carried().await.unwrap());
    for number in 0..MESSAGES {
        let said = talk(number as u64);
        let start = Instant::now();
        pair.ann.say(said.clone()).await;
        pair.bob.wait(|event| matches!(event, Event::Row(row) if row.text == said)).await;
        times.push(start.elapsed());
        while pair.ann.events.try_recv().is_some() {}
    }
    let cpu = cpu_time() - before;
    let after = pair.bob.carried().await.unwrap();
    pair.stop().await;
    let bytes = after.sent + after.received - carried.sent - carried.received;
    Cost {
        p50: median(times.clone()),
        p99: percentile(times, 99),
        cpu: millis(cpu) / MESSAGES as f64,
        bytes: bytes / MESSAGES as f64,
    }
}

/// Without disk, signature or cipher: what it is to beat by far.
fn stock(saved: &[u8]) -> Cost {
    let mut pair = Stock::agreed(saved);
    let before = cpu_time();
    let times: Vec<Duration> = (0..STOCK_MESSAGES).map(|_| pair.say()).collect();
    let cpu = cpu_time() - before;
    let bytes = pair.sent() as f64 / STOCK_MESSAGES as f64;
    let cpu = millis(cpu) / STOCK_MESSAGES as f64;
    Cost { p50: median(times.clone()), p99: percentile(times, 99), cpu, bytes }
}
