//! A newcomer with a ticket: from its start until it has, durably, all of a long history.
//!
//! The newcomer is a process of its own, so that its memory and CPU are its own too.

use std::process::{Command as Process, Stdio};
use std::time::{Duration, Instant};

use automerge::AutoCommit;
use replica_sync::engine::Event;
use replica_sync::node::{NodeEvent, Options};
use serde_json::{Value, json};

use crate::Bench;
use crate::figure::Figure;
use crate::floors;
use crate::history::History;
use crate::measure::{cpu_time, memory, middle};
use crate::running::{Running, options};
use crate::stock::Stock;

/// Its value is the ticket: this process is the newcomer.
const JOINER: &str = "FIGURES_JOIN_BY";

/// Where the newcomer lives, and how many rows it waits for.
const HOME: &str = "FIGURES_JOIN_HOME";
const ROWS: &str = "FIGURES_JOIN_ROWS";

/// Messages that fill a screen.
const SCREEN: usize = 50;

pub(crate) fn hundred_thousand(bench: &mut Bench) {
    let joined = measure(bench, bench.long(), 3);
    let floor = floors::bulk(bench.long());
    let mut stock = Stock::new(AutoCommit::load(bench.exported()).unwrap(), AutoCommit::new());
    let cost = stock.sync();
    assert!(stock.is_agreed());
    let entries = bench.long().entries as f64;
    let stock_time = cost.time.as_secs_f64();
    let what = "the same bytes sent, inflated, synced; as many signatures";
    bench.figures.extend([
        Figure::new("join 100k: all durable, every row told", joined.all, "s")
            .at_most(0.3)
            .floor(what, floor)
            .stock(stock_time),
        Figure::new("join 100k: first 50 rows", joined.screen * 1000.0, "ms").at_most(20.0),
        Figure::new("join 100k: documents caught up", joined.documents, "s").at_most(1.5).stock(stock_time),
        Figure::new("join 100k: bytes an entry, both ways", joined.bytes / entries, "B")
            .at_most(43.0)
            .stock((cost.bytes[0] + cost.bytes[1]) / entries),
        Figure::new("join 100k: CPU of the newcomer", joined.cpu, "s"),
        Figure::new("join 100k: peak memory of the newcomer", joined.peak, "MB"),
    ]);
}

pub(crate) fn million(bench: &mut Bench) {
    // Three years.
    let history = History::new(5, 1_000_000, 94_608);
    let joined = measure(bench, &history, 1);
    let floor = floors::bulk(&history);
    let what = "the same bytes sent, inflated, synced; as many signatures";
    bench.figures.extend([
        Figure::new("join 1M: all durable, every row told", joined.all, "s").at_most(2.5).floor(what, floor),
        Figure::new("join 1M: first 50 rows", joined.screen * 1000.0, "ms"),
        Figure::new("join 1M: documents caught up", joined.documents, "s").at_most(20.0),
        Figure::new("join 1M: bytes an entry, both ways", joined.bytes / history.entries as f64, "B"),
        Figure::new("join 1M: CPU of the newcomer", joined.cpu, "s"),
        Figure::new("join 1M: peak memory of the newcomer", joined.peak, "MB").at_most(160.0),
    ]);
}

/// Seconds, bytes and MB.
#[derive(Debug)]
struct Joined {
    screen: f64,
    all: f64,
    documents: f64,
    bytes: f64,
    cpu: f64,
    peak: f64,
}

fn measure(bench: &Bench, history: &History, runs: usize) -> Joined {
    let joined: Vec<Value> = (0..runs).map(|_| bench.runtime.block_on(once(history))).collect();
    let value = |name: &str| middle(joined.iter().map(|joined| joined[name].as_f64().unwrap()).collect());
    Joined {
        screen: value("screen"),
        all: value("all"),
        documents: value("documents"),
        bytes: value("bytes"),
        cpu: value("cpu"),
        peak: value("peak"),
    }
}

/// One newcomer in a process of its own; what it reports.
async fn once(history: &History) -> Value {
    let (folder, other) = (history.home(0), tempfile::tempdir().unwrap());
    let mut ann = Running::start(folder.path(), Options { maintains: false, ..options() }).await;
    let ticket = ann.ticket(ann.port).await;
    let Running { node, mut events, .. } = ann;
    let newcomer = Process::new(std::env::current_exe().unwrap())
        .env(JOINER, ticket.to_string())
        .env(HOME, other.path())
        .env(ROWS, history.messages.to_string())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let waiting = tokio::task::spawn_blocking(move || newcomer.wait_with_output().unwrap());
    let listening = async { while events.recv().await.is_some() {} };
    let output = tokio::select! {
        output = waiting => output.unwrap(),
        () = listening => panic!("the listener stopped"),
    };
    tokio::join!(node.stop(), async { while events.recv().await.is_some() {} });
    assert!(output.status.success(), "the newcomer failed");
    serde_json::from_slice(&output.stdout).unwrap()
}

/// Whether this process is a newcomer.
pub(crate) fn is_joiner() -> bool {
    std::env::var_os(JOINER).is_some()
}

/// The newcomer's whole life. Prints what it saw.
pub(crate) fn join() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    println!("{}", runtime.block_on(joining()));
}

async fn joining() -> Value {
    let ticket = Some(std::env::var(JOINER).unwrap().parse().unwrap());
    let wanted: usize = std::env::var(ROWS).unwrap().parse().unwrap();
    let folder = std::path::PathBuf::from(std::env::var_os(HOME).unwrap());
    let start = Instant::now();
    let mut bob = Running::start(&folder, Options { ticket, ..options() }).await;
    let (mut shown, mut messages, mut screen) = (0, 0, None);
    bob.wait(|event| {
        shown += messages_shown(event);
        messages += messages_durable(event);
        if shown.max(messages) >= SCREEN {
            screen.get_or_insert(start.elapsed());
        }
        messages >= wanted
    })
    .await;
    let all = start.elapsed();
    let carried = bob.carried().await.unwrap();
    let documents = caught_up(&mut bob, start).await;
    let (cpu, peak) = (cpu_time().as_secs_f64(), memory("VmHWM"));
    bob.stop().await;
    json!({
        "screen": screen.unwrap().as_secs_f64(), "all": all.as_secs_f64(), "documents": documents.as_secs_f64(),
        "bytes": carried.sent + carried.received, "cpu": cpu, "peak": peak,
    })
}

/// Messages that an event shows before their past is here.
fn messages_shown(event: &Event) -> usize {
    if let Event::Preview(glimpses) = event { glimpses.len() } else { 0 }
}

/// Messages that an event tells are durable.
fn messages_durable(event: &Event) -> usize {
    usize::from(matches!(event, Event::Row(row) if row.kind == replica::entry::Kind::Message.number()))
}

/// Waits until all rows are in their documents.
async fn caught_up(bob: &mut Running, start: Instant) -> Duration {
    let begin = Instant::now();
    while bob.status().await.behind > 0 {
        assert!(begin.elapsed() < CATCH_UP_PATIENCE, "the documents do not catch up");
        tokio::time::sleep(POLL).await;
        while matches!(bob.events.try_recv(), Some(NodeEvent::Engine(_))) {}
    }
    start.elapsed()
}

/// Longest wait for the documents of a million messages.
const CATCH_UP_PATIENCE: Duration = Duration::from_secs(600);

/// Between two looks at how far the documents are.
const POLL: Duration = Duration::from_millis(50);
