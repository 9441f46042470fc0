//! What the hot paths cost, each beside its floor measured in the same run: `cargo bench`.
//!
//! A table on stdout, then one line of JSON. Times on shared machines swing, so read the ratios.

#![expect(clippy::print_stdout, reason = "a benchmark prints its table")]
#![expect(clippy::disallowed_methods, reason = "a benchmark measures time")]
#![expect(clippy::unwrap_used, reason = "a benchmark that cannot run has nothing to report")]

use std::fs::File;
use std::io::{Read as _, Seek as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::time::{Duration, Instant};

use replica::home::Home;
use replica::identity::{Identity, Purpose, verify};
use replica_sync::engine::{Command, Event};
use replica_sync::node::{Listen, Node, NodeEvent, Options};
use tempfile::TempDir;
use tokio::sync::mpsc::Receiver;

#[path = "figures/history.rs"]
mod history;

/// Entries of the history that a newcomer is sent.
const HISTORY: usize = 100_000;

/// Messages of the measurements one by one.
const MESSAGES: usize = 1_000;

struct Figure {
    name: &'static str,
    unit: &'static str,
    value: f64,
    floor: Option<(&'static str, f64)>,
}

fn main() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let mut figures = Vec::new();
    let sync = runtime.block_on(append(&mut figures));
    runtime.block_on(message(&mut figures, sync));
    runtime.block_on(late_join(&mut figures));
    report(&figures);
}

fn report(figures: &[Figure]) {
    println!("{:<42} {:>11} {:>11} {:>6}  floor", "scenario", "value", "floor", "ratio");
    for Figure { name, unit, value, floor } in figures {
        match floor {
            Some((what, floor)) => {
                let ratio = value / floor;
                println!("{name:<42} {value:>8.3} {unit:<2} {floor:>8.3} {unit:<2} {ratio:>5.1}x  {what}");
            }
            None => println!("{name:<42} {value:>8.3} {unit}"),
        }
    }
    let object = |figure: &Figure| {
        let Figure { name, unit, value, floor } = figure;
        serde_json::json!({ "name": name, "unit": unit, "value": value, "floor": floor.map(|(_, it)| it) })
    };
    println!("{}", serde_json::Value::from(figures.iter().map(object).collect::<Vec<_>>()));
}

/// From a command to its entry being durable, one after the other. Answers the floor: one write and fdatasync.
async fn append(figures: &mut Vec<Figure>) -> f64 {
    let folder = tempfile::tempdir().unwrap();
    let (mut node, mut events) = start(&folder, options()).await;
    let mut times = Vec::new();
    for number in 0..MESSAGES {
        let start = Instant::now();
        node.command(Command::Say(text(number))).await.unwrap();
        wait(&mut events, |event| matches!(event, Event::Written { .. })).await;
        times.push(start.elapsed());
    }
    node.stop().await;
    // A file that does not grow, as the database's does not for most commits.
    let mut file = File::create(folder.path().join("floor")).unwrap();
    file.write_all(&vec![0; 300 * MESSAGES]).unwrap();
    file.sync_all().unwrap();
    file.rewind().unwrap();
    let mut once = |_| {
        let start = Instant::now();
        file.write_all(&[7; 300]).unwrap();
        file.sync_data().unwrap();
        start.elapsed()
    };
    let floor = median((0..MESSAGES).map(&mut once).collect());
    let value = median(times);
    let name = "own durable append, p50";
    figures.push(Figure { name, unit: "ms", value, floor: Some(("write + fdatasync", floor)) });
    floor
}

/// From a command on one node to the durable row on another, both in this process; and what that costs both in CPU.
async fn message(figures: &mut Vec<Figure>, sync: f64) {
    let (folder, other) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let (mut ann, mut from_ann) = start(&folder, Options { open: true, ..options() }).await;
    let peers = vec![listening(&mut from_ann).await.to_string()];
    let (bob, mut from_bob) = start(&other, Options { peers, ..options() }).await;
    wait(&mut from_bob, |event| matches!(event, Event::Agreed { .. })).await;
    let mut times = Vec::new();
    let cpu = cpu_time();
    for number in 0..MESSAGES {
        let said = text(number);
        let start = Instant::now();
        ann.command(Command::Say(said.clone())).await.unwrap();
        wait(&mut from_bob, |event| matches!(event, Event::Row(row) if row.text == said)).await;
        times.push(start.elapsed());
        while from_ann.try_recv().is_ok() {}
    }
    let cpu = (cpu_time() - cpu).as_secs_f64() * 1e6 / MESSAGES as f64;
    ann.stop().await;
    bob.stop().await;
    let floor = median(round_trips(300)) / 2.0 + 2.0 * sync;
    let what = "two fdatasyncs, half a loopback round trip";
    let name = "message to the other's durable row, p50";
    figures.push(Figure { name, unit: "ms", value: median(times), floor: Some((what, floor)) });
    figures.push(Figure { name: "the same, CPU of both together", unit: "us", value: cpu, floor: None });
}

/// A newcomer with a ticket: from start until all of a long history is verified, ordered and durable.
async fn late_join(figures: &mut Vec<Figure>) {
    let (folder, other) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let made = history::make(folder.path(), HISTORY);
    let opening = Instant::now();
    let (mut ann, mut from_ann) = start(&folder, options()).await;
    let opening = opening.elapsed().as_secs_f64();
    listening(&mut from_ann).await;
    ann.command(Command::Invite { expires_ms: None, uses: None }).await.unwrap();
    let mut secret = None;
    wait(&mut from_ann, |event| {
        if let Event::Invited { secret: made, .. } = event {
            secret = Some(*made);
        }
        secret.is_some()
    })
    .await;
    let ticket = Some(ann.ticket(secret).await.unwrap());
    let mut listeners = tokio::task::JoinSet::new();
    listeners.spawn(async move { while from_ann.recv().await.is_some() {} });
    let begin = Instant::now();
    let (bob, mut from_bob) = start(&other, Options { ticket, maintains: false, ..options() }).await;
    let mut rows = 0;
    wait(&mut from_bob, |event| {
        rows += usize::from(matches!(event, Event::Row(_)));
        rows > HISTORY
    })
    .await;
    let value = begin.elapsed().as_secs_f64();
    bob.stop().await;
    ann.stop().await;
    let floor = bulk_floor(other.path(), &made);
    let what = "the same bytes over loopback and synced, the same signatures";
    let name = "late join of 100k entries, all durable";
    figures.push(Figure { name, unit: "s", value, floor: Some((what, floor)) });
    let bytes = made.block_bytes as f64 / HISTORY as f64;
    figures.push(Figure { name: "the same, bytes of blocks an entry", unit: "B", value: bytes, floor: None });
    figures.push(Figure { name: "opening a home with 100k entries", unit: "s", value: opening, floor: None });
}

fn bulk_floor(folder: &Path, made: &history::Made) -> f64 {
    let start = Instant::now();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let chunks = made.block_bytes / CHUNK + 1;
    let sender = std::thread::spawn(move || {
        let mut stream = TcpStream::connect(address).unwrap();
        (0..chunks).for_each(|_| stream.write_all(&[7; CHUNK]).unwrap());
    });
    let (mut stream, _) = listener.accept().unwrap();
    let mut file = File::create(folder.join("floor")).unwrap();
    let mut chunk = vec![0; CHUNK];
    for _ in 0..chunks {
        stream.read_exact(&mut chunk).unwrap();
        file.write_all(&chunk).unwrap();
        file.sync_data().unwrap();
    }
    sender.join().unwrap();
    let identity = Identity::from_secret(&[1; 32]);
    let purpose = Purpose::Addresses(b"figures");
    let signature = identity.sign(purpose);
    assert!((0..made.signatures).all(|_| verify(&identity.key(), purpose, &signature)));
    start.elapsed().as_secs_f64()
}

/// About a full block.
const CHUNK: usize = 60_000;

fn round_trips(bytes: usize) -> Vec<Duration> {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let echo = std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        stream.set_nodelay(true).unwrap();
        let mut buffer = vec![0; bytes];
        while stream.read_exact(&mut buffer).is_ok() {
            stream.write_all(&buffer).unwrap();
        }
    });
    let mut stream = TcpStream::connect(address).unwrap();
    stream.set_nodelay(true).unwrap();
    let mut buffer = vec![7; bytes];
    let once = |_| {
        let start = Instant::now();
        stream.write_all(&buffer).unwrap();
        stream.read_exact(&mut buffer).unwrap();
        start.elapsed()
    };
    let times = (0..MESSAGES).map(once).collect();
    drop(stream);
    echo.join().unwrap();
    times
}

fn options() -> Options {
    Options {
        nick: Some("figures".to_owned()),
        listen: Listen::At("127.0.0.1:0".parse().unwrap()),
        peers: Vec::new(),
        ticket: None,
        makes_room: true,
        dials: true,
        attended: false,
        open: false,
        maintains: true,
    }
}

async fn start(folder: &TempDir, options: Options) -> (Node, Receiver<NodeEvent>) {
    let makes_room = options.peers.is_empty();
    let options = Options { makes_room, ..options };
    Node::start(Home::open(folder.path()).unwrap(), options).await.unwrap()
}

async fn listening(events: &mut Receiver<NodeEvent>) -> SocketAddr {
    loop {
        if let NodeEvent::Listening(address) = events.recv().await.unwrap() {
            return address;
        }
    }
}

async fn wait(events: &mut Receiver<NodeEvent>, mut wanted: impl FnMut(&Event) -> bool) {
    loop {
        if let NodeEvent::Engine(event) = events.recv().await.unwrap()
            && wanted(&event)
        {
            return;
        }
    }
}

fn text(number: usize) -> String {
    format!("message {number}: the quick brown fox jumps over the lazy dog, and rests a while")
}

fn median(mut times: Vec<Duration>) -> f64 {
    times.sort_unstable();
    times[times.len() / 2].as_secs_f64() * 1000.0
}

fn cpu_time() -> Duration {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::ProcessCPUTime);
    Duration::new(u64::try_from(time.tv_sec).unwrap(), u32::try_from(time.tv_nsec).unwrap())
}
