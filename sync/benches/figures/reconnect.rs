//! Two equal replicas meet again: what agreement costs when there is nothing to say.
//!
//! Whoever is told to dial keeps the address first, durably; that is part of the time.

use std::time::{Duration, Instant};

use crate::Bench;
use crate::figure::Figure;
use crate::history::History;
use crate::measure::{cpu_time, median, middle, millis};
use crate::pair::Pair;
use crate::running::Carried;
use crate::stock::Stock;

const RUNS: u32 = 21;

pub(crate) fn run(bench: &mut Bench) {
    let few = bench.runtime.block_on(measure(bench.short()));
    let many = bench.runtime.block_on(measure(bench.long()));
    let stock = stock(bench.exported());
    let floors = bench.floors.again();
    let handshake = 2.0 * (floors.sign + floors.verify) + 2.0 * floors.round_trip;
    let what = "TCP, four round trips' halves, two signatures each way";
    let connect = floors.connect + handshake;
    let bytes = |figure: Figure| figure.at_most(150.0).stock(stock.bytes);
    bench.figures.extend([
        Figure::new("reconnect, equal, 1k: dial to both agreed", few.time, "ms").floor(what, connect),
        Figure::new("reconnect, equal, 100k: dial to both agreed", many.time, "ms")
            .floor(what, connect)
            .stock(stock.time),
        bytes(Figure::new("reconnect, equal, 100k: bytes one way", many.there, "B")),
        bytes(Figure::new("reconnect, equal, 100k: bytes the other way", many.back, "B")),
        Figure::new("reconnect, equal, 1k: CPU of both", few.cpu, "ms"),
        Figure::new("reconnect, equal, 100k: CPU of both", many.cpu, "ms")
            .at_most(1.5 * few.cpu)
            .floor("the same with 1k", few.cpu)
            .stock(stock.cpu),
    ]);
}

/// Milliseconds and bytes.
#[derive(Debug)]
struct Cost {
    time: f64,
    cpu: f64,
    there: f64,
    back: f64,
}

async fn measure(history: &History) -> Cost {
    let mut pair = Pair::agreed(history).await;
    let (mut times, mut there, mut back) = (Vec::new(), Vec::new(), Vec::new());
    let mut cpu = Duration::ZERO;
    for _ in 0..RUNS {
        pair.part().await;
        let (start, before) = (Instant::now(), cpu_time());
        pair.connect().await;
        times.push(start.elapsed());
        cpu += cpu_time() - before;
        if let Some(Carried { sent, received }) = pair.bob.carried().await {
            there.push(sent);
            back.push(received);
        }
    }
    pair.stop().await;
    Cost { time: median(times), cpu: millis(cpu) / f64::from(RUNS), there: middle(there), back: middle(back) }
}

/// What it had kept of the other is read back first; connecting is TCP alone.
struct StockCost {
    time: f64,
    cpu: f64,
    bytes: f64,
}

fn stock(saved: &[u8]) -> StockCost {
    let mut pair = Stock::agreed(saved);
    let (mut times, mut bytes) = (Vec::new(), Vec::new());
    let mut cpu = Duration::ZERO;
    for _ in 0..RUNS {
        let (start, before) = (Instant::now(), cpu_time());
        pair.reconnect();
        let cost = pair.sync();
        times.push(start.elapsed());
        cpu += cpu_time() - before;
        bytes.push(cost.bytes[0].max(cost.bytes[1]));
    }
    StockCost { time: median(times), cpu: millis(cpu) / f64::from(RUNS), bytes: middle(bytes) }
}
