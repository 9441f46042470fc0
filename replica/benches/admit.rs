//! What one entry costs on its way from a block into memory, in CPU and in bytes: `cargo bench -p replica -- 100000`.
//! With `roster`, of invites, which change what is known of who may be here, by one who floods. With `forks`, of one
//! chain, and of 500 lower twins of its first entries: each has all that follows go on elsewhere.
//!
//! Of CPU the least of some rounds, as this thread used it: a machine with other work to do swings less by that.

#![expect(clippy::print_stdout, reason = "a benchmark prints its table")]
#![expect(clippy::unwrap_used, reason = "a benchmark that cannot run has nothing to report")]

use std::io::Write;
use std::process::Command;

use replica::archive::PERIOD_MS;
use replica::block;
use replica::entry::{Admit, Body, Entry, Invite, Record, Room};
use replica::graph::Graph;
use replica::id::{ChainId, RoomId};
use replica::identity::{Identity, Purpose};
use replica::members::Members;
use replica::timeline::Timeline;

const AUTHORS: u8 = 8;
const BLOCK_ENTRIES: usize = 480;
const START_MS: u64 = 1_760_000_000_000;
const ROUNDS: usize = 5;

fn main() {
    let entries = std::env::args().find_map(|argument| argument.parse().ok()).unwrap_or(100_000);
    let has = |word: &str| std::env::args().any(|argument| argument == word);
    let what = ["roster", "forks"].into_iter().find(|what| has(what)).unwrap_or("messages");
    if has("history") {
        return write(&history(entries, what));
    }
    // Made by another process, so that nothing of the making is in this one's memory.
    let made = Command::new(std::env::current_exe().unwrap())
        .args(["history", &entries.to_string(), what])
        .output()
        .unwrap();
    let (room, blocks) = parse(&made.stdout);
    let empty = resident_bytes();
    let (graph, timeline, mut least) = read(room, &blocks);
    let both = resident_bytes();
    drop(timeline);
    println!("{} entries in {} blocks", graph.len(), blocks.len());
    drop(graph);
    for _ in 1..ROUNDS {
        let (_, _, round) = read(room, &blocks);
        least.iter_mut().zip(round).for_each(|(least, time)| *least = (*least).min(time));
    }
    let per_entry = |total: f64| total / entries as f64;
    for (what, time) in STEPS.iter().zip(least) {
        println!("{what:9} {:7.0} ns an entry", per_entry(time));
    }
    println!("{:9} {:7.0} ns an entry", "together", per_entry(least.iter().sum()));
    println!("{:9} {:7.0} bytes an entry, graph and timeline", "resident", per_entry(both - empty));
}

const STEPS: [&str; 5] = ["decode", "admit", "names", "settle", "insert"];

/// Takes all blocks in as a late joiner does, with the nanoseconds each step took.
fn read(room: RoomId, blocks: &[&[u8]]) -> (Graph, Timeline, [f64; 5]) {
    let (mut graph, mut members, mut timeline) =
        (Graph::new(room), Members::default(), Timeline::new(PERIOD_MS));
    let mut spent = [0.0; 5];
    let mut last = cpu_ns();
    let mut lap = |step: usize| {
        let now = cpu_ns();
        spent[step] += now - last;
        last = now;
    };
    for block in blocks {
        let entries = block::decode(block, &room, &graph).unwrap();
        lap(0);
        let first = graph.len();
        entries.iter().for_each(|entry| _ = graph.admit(entry).unwrap());
        lap(1);
        entries.iter().zip(first..).for_each(|(entry, at)| members.apply(entry, graph.key(at)));
        assert!(graph.is_member(&graph.creator().unwrap()));
        lap(2);
        graph.settle(graph.len());
        lap(3);
        (first..graph.len()).for_each(|at| _ = timeline.insert(graph.key(at)));
        lap(4);
    }
    (graph, timeline, spent)
}

/// A room of some people who talk by turns, and sometimes at the same time. Nothing is signed but the cards, which
/// alone the graph looks at.
fn history(entries: usize, what: &str) -> (RoomId, Vec<Vec<u8>>) {
    let person = |number: u8| Identity::from_secret(&[number + 1; 32]);
    let chain = |number: u8| ChainId { author: person(number).key(), incarnation: 7 };
    let chains: Vec<ChainId> = (0..AUTHORS).map(chain).collect();
    let (kind, body) = Body::Room(Room { period_s: 604_800, name: "den".to_owned() }).encode().unwrap();
    let first = Record {
        kind: kind.number(),
        chain: chains[0],
        seq: 1,
        previous: None,
        dependencies: Vec::new(),
        claimed_ms: START_MS,
        body,
    };
    let room = RoomId(first.id(&RoomId([0; 32])).0);
    let mut graph = Graph::new(room);
    let mut blocks = Vec::new();
    let mut open = vec![Entry::new(first, &room, None).unwrap()];
    graph.admit(&open[0]).unwrap();
    for number in 1..AUTHORS {
        let key = chains[usize::from(number)].author;
        let card = person(0).sign(Purpose::Card { room: &room, key: &key });
        let admit = Body::Admit(Box::new(Admit { key, card, proof: None }));
        let record = graph.compose(chains[0], START_MS, &admit).unwrap();
        open.push(Entry::new(record, &room, None).unwrap());
        graph.admit(open.last().unwrap()).unwrap();
    }
    let mut twins = Vec::new();
    let mut dice = 1_u64;
    while graph.len() as usize + 1 < entries {
        dice = dice.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        let roll = usize::try_from(dice >> 40).unwrap();
        let time = START_MS + u64::from(graph.len()) * 20_000;
        let say = |chain: ChainId| {
            let text =
                format!("{dice:016x} what people say to one another is some eighty bytes long, {roll:010}");
            let invite = || Body::Invite(Invite { key: person(9).key(), expires_ms: None, uses: None });
            let body = if what == "roster" { invite() } else { Body::Message(text) };
            let record = graph.compose(chain, time, &body).unwrap();
            Entry::new(record, &room, None).unwrap()
        };
        let who = if what == "messages" { roll % chains.len() } else { 0 };
        let mut said = vec![say(chains[who])];
        // Two who do not see each other's.
        if what != "forks" && roll.is_multiple_of(5) {
            said.push(say(chains[(who + 1) % chains.len()]));
        }
        for entry in said {
            graph.admit(&entry).unwrap();
            if what == "forks" && twins.len() < FORKS {
                twins.push(lower_twin(&entry, &room));
            }
            open.push(entry);
        }
        if open.len() >= BLOCK_ENTRIES {
            blocks.push(block::encode(&open, false, &graph).unwrap());
            open.clear();
            graph.settle(graph.len());
        }
    }
    for twin in twins {
        graph.admit(&twin).unwrap();
        open.push(twin);
    }
    for part in open.chunks(BLOCK_ENTRIES) {
        blocks.push(block::encode(part, false, &graph).unwrap());
    }
    (room, blocks)
}

/// Another entry in the place of one, with a lower id.
fn lower_twin(entry: &Entry, room: &RoomId) -> Entry {
    let twin = |number: u32| {
        let record = Record { body: format!("twin {number}").into_bytes(), ..entry.record().clone() };
        Entry::new(record, room, None).unwrap()
    };
    (0..).map(twin).find(|twin| twin.id() < entry.id()).unwrap()
}

const FORKS: usize = 500;

/// The room, then each block after its length.
fn write((room, blocks): &(RoomId, Vec<Vec<u8>>)) {
    let mut out = std::io::stdout().lock();
    out.write_all(&room.0).unwrap();
    for block in blocks {
        out.write_all(&u32::try_from(block.len()).unwrap().to_be_bytes()).unwrap();
        out.write_all(block).unwrap();
    }
}

fn parse(bytes: &[u8]) -> (RoomId, Vec<&[u8]>) {
    let (room, mut rest) = bytes.split_first_chunk().unwrap();
    let mut blocks = Vec::new();
    while let Some((length, after)) = rest.split_first_chunk() {
        let (block, after) = after.split_at(u32::from_be_bytes(*length) as usize);
        blocks.push(block);
        rest = after;
    }
    (RoomId(*room), blocks)
}

/// What this thread used of the processor.
fn cpu_ns() -> f64 {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::ThreadCPUTime);
    time.tv_sec as f64 * 1e9 + time.tv_nsec as f64
}

fn resident_bytes() -> f64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|line| line.starts_with("VmRSS")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse::<f64>().unwrap() * 1024.0
}
