//! Ten replicas, one of which never reads what it is sent: the others must not notice.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use replica::id::StoreId;
use replica_sync::channel::{Channel, Credentials, Initiator, Offer, RoomKey};
use replica_sync::engine::Event;
use replica_sync::node::{NodeEvent, Options};
use replica_sync::wire::{Frame, Hello, PROTOCOL, encode};
use tempfile::TempDir;

use crate::Bench;
use crate::figure::Figure;
use crate::history::{History, SECRET, person};
use crate::measure::median;
use crate::running::{PATIENCE, Running, options};
use crate::talk::talk;

/// Replicas that read.
const GOOD: u8 = 9;

const MESSAGES: usize = 200;

pub(crate) fn run(bench: &mut Bench) {
    let [without, _] = bench.runtime.block_on(measure(bench.empty(), false));
    let [with, dropped] = bench.runtime.block_on(measure(bench.empty(), true));
    bench.figures.extend([
        Figure::new("10 replicas, one deaf: p50 to all others", with, "ms")
            .at_most(1.25 * without)
            .floor("nine without it", without),
        Figure::new("10 replicas, one deaf: dropped after", dropped, "s").at_most(16.0),
    ]);
}

/// The median from a command until the row is durable at all others, in milliseconds; and after how many seconds the
/// deaf one was dropped by the one that talks.
async fn measure(history: &History, has_deaf: bool) -> [f64; 2] {
    let folders: Vec<TempDir> = (0..GOOD).map(|number| history.home(number)).collect();
    let mut all: Vec<Running> = Vec::new();
    for folder in &folders {
        let peers = all.iter().map(|other| format!("127.0.0.1:{}", other.port)).collect();
        all.push(Running::start(folder.path(), Options { peers, ..options() }).await);
    }
    for (number, running) in all.iter_mut().enumerate() {
        let mut agreed = 0;
        running
            .wait(|event| {
                agreed += usize::from(matches!(event, Event::Agreed { .. }));
                // Of two that dialled each other one connection may end, so not all are waited for.
                agreed >= if number == 0 { usize::from(GOOD) - 1 } else { 1 }
            })
            .await;
    }
    let digest = all[0].status().await.digest;
    let deaf: Vec<Deaf> = (0..usize::from(GOOD) * usize::from(has_deaf))
        .map(|number| Deaf::connect(all[number].port, history, digest))
        .collect();
    let start = Instant::now();
    let (first, others) = all.split_first_mut().unwrap();
    let mut times = Vec::new();
    let mut dropped = None;
    for number in 0..MESSAGES {
        let said = talk(number as u64);
        let start_one = Instant::now();
        first.say(said.clone()).await;
        for other in others.iter_mut() {
            other.wait(|event| matches!(event, Event::Row(row) if row.text == said)).await;
        }
        times.push(start_one.elapsed());
        while let Some(event) = first.events.try_recv() {
            note(&event, start, &mut dropped);
        }
    }
    let until = async {
        while !deaf.is_empty() && dropped.is_none() {
            note(&first.events.recv().await.unwrap(), start, &mut dropped);
        }
    };
    tokio::time::timeout(PATIENCE, until).await.expect("the deaf one is not dropped");
    drop(deaf);
    for running in all {
        running.stop().await;
    }
    [median(times), dropped.unwrap_or_default().as_secs_f64()]
}

fn note(event: &NodeEvent, start: Instant, dropped: &mut Option<Duration>) {
    let deaf = person(GOOD).key();
    if matches!(event, NodeEvent::Engine(Event::PeerGone { author, .. }) if *author == deaf) {
        dropped.get_or_insert(start.elapsed());
    }
}

/// A member that greets, and then neither reads nor says anything more: a program that hangs.
struct Deaf {
    _socket: TcpStream,
}

impl Deaf {
    fn connect(port: u16, history: &History, digest: replica::id::Digest) -> Self {
        let mut socket = TcpStream::connect(("127.0.0.1", port)).unwrap();
        let identity = person(GOOD);
        let key = RoomKey::from_secret(&SECRET);
        let credentials = Credentials { room: history.room, key, identity, cards: Vec::new(), invite: None };
        let (initiator, first) = Initiator::new(Offer::Member(Box::new(credentials))).unwrap();
        write(&mut socket, &first);
        let mut length = [0; 2];
        socket.read_exact(&mut length).unwrap();
        let mut answer = vec![0; usize::from(u16::from_be_bytes(length))];
        socket.read_exact(&mut answer).unwrap();
        let (last, established) = initiator.finish(&answer).unwrap();
        write(&mut socket, &last);
        let mut channel: Channel = established.channel;
        let entries = history.entries as u64;
        let store = StoreId([GOOD; 16]);
        let hello = Hello { protocol: PROTOCOL, store, digest, entries };
        let mut sealed = Vec::new();
        channel.seal(&encode(&Frame::Hello(hello)), &mut sealed).unwrap();
        write(&mut socket, &sealed);
        Self { _socket: socket }
    }
}

fn write(socket: &mut TcpStream, message: &[u8]) {
    let length = u16::try_from(message.len()).unwrap().to_be_bytes();
    socket.write_all(&[&length, message].concat()).unwrap();
}
