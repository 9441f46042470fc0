//! How fast what one says reaches a large room, and how often it is carried: whole engines on the simulated network,
//! 1,000 homes of one author that all begin with the same tiny room, some 40 ms apart, six links each as the overlay
//! makes them. Prints one figure a line: name, value, unit.
//!
//! `cargo bench -p replica-sync --features sim --bench overlay -- [homes] [seed]`

#![allow(missing_docs, reason = "a program, not a library")]
#![expect(clippy::unwrap_used, clippy::print_stdout, reason = "figures for people; a failure is one to see")]

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet, BinaryHeap};

use replica_sync::engine::Command;
use replica_sync::sim::World;

fn main() {
    let numbers: Vec<u64> = std::env::args().filter_map(|argument| argument.parse().ok()).collect();
    let homes = usize::try_from(numbers.first().copied().unwrap_or(1_000)).unwrap();
    let mut room = Room::new(numbers.get(1).copied().unwrap_or(7), homes);
    room.print_links();
    for author in 0..SAMPLES {
        room.say(author * homes / SAMPLES);
    }
    room.print("all there");
    for index in (0..homes).filter(|index| index % 5 == 3) {
        room.die(index);
    }
    // Said at that moment, by who is left.
    for author in 0..SAMPLES {
        room.say(author * homes / SAMPLES / 5 * 5);
    }
    room.print("a fifth died");
}

/// How many messages each figure is of.
const SAMPLES: usize = 5;

/// How long the room has to find its links, in virtual milliseconds: several times what one too many takes to be let go.
const SETTLING_MS: u64 = 10 * 60_000;

/// How long a message may travel.
const TRAVEL_MS_MAX: u64 = 5_000;

struct Room {
    world: World,
    dead: BTreeSet<usize>,
    /// Of each message: the median and the last delivery, the bound of the last, copies a home, and how many lack it.
    samples: Vec<Sample>,
}

#[derive(Clone, Copy)]
struct Sample {
    half_ms: u64,
    last_ms: u64,
    bound_ms: u64,
    copies: f64,
    lost: usize,
}

impl Room {
    fn new(seed: u64, homes: usize) -> Self {
        let mut world = World::new(seed, &["h0"]);
        world.pass(1_000);
        world.spread_out();
        for number in 1..homes {
            world.copy_home(&format!("h{number}"));
        }
        world.pass(SETTLING_MS);
        Self { world, dead: BTreeSet::new(), samples: Vec::new() }
    }

    fn print_links(&self) {
        let mut counts: BTreeMap<usize, usize> = BTreeMap::new();
        for (one, other) in self.world.links() {
            *counts.entry(one).or_default() += 1;
            *counts.entry(other).or_default() += 1;
        }
        let homes = self.world.replicas().len();
        let sum: usize = counts.values().sum();
        println!("overlay links a home, mean\t{:.2}\tlinks", sum as f64 / homes as f64);
        println!("overlay links a home, least\t{}\tlinks", counts.values().min().unwrap());
        println!("overlay links a home, most\t{}\tlinks", counts.values().max().unwrap());
    }

    fn die(&mut self, index: usize) {
        self.world.stop(index);
        self.dead.insert(index);
    }

    /// One says something; takes note of when it came to everyone who lives.
    fn say(&mut self, author: usize) {
        let living: Vec<usize> =
            (0..self.world.replicas().len()).filter(|index| !self.dead.contains(index)).collect();
        let bound_ms = self.bound(author);
        let (start_ms, before) = (self.world.wall_ms(), self.frames());
        let entries: Vec<u32> = living.iter().map(|index| self.durable(*index)).collect();
        self.world.command(author, Command::Say("what one says to a large room".to_owned()));
        let mut waiting: Vec<(usize, u32)> = living.iter().copied().zip(entries).collect();
        let mut arrivals = Vec::new();
        while !waiting.is_empty() && self.world.wall_ms() < start_ms + TRAVEL_MS_MAX {
            self.world.pass(1);
            waiting.retain(|(index, before)| self.durable(*index) <= *before);
            arrivals.resize(living.len() - waiting.len(), self.world.wall_ms() - start_ms);
        }
        self.world.pass(1_000);
        self.samples.push(Sample {
            half_ms: arrivals[arrivals.len() / 2],
            last_ms: *arrivals.last().unwrap(),
            bound_ms,
            copies: (self.frames() - before) as f64 / living.len() as f64,
            lost: waiting.len(),
        });
    }

    fn durable(&self, index: usize) -> u32 {
        self.world.replicas()[index].engine.as_ref().unwrap().conversation().graph().durable()
    }

    fn frames(&self) -> u64 {
        self.world.traffic().values().map(|traffic| traffic.telling).sum()
    }

    /// When the last could have it at the earliest, over the links there are: the longest of the shortest ways.
    fn bound(&mut self, author: usize) -> u64 {
        let mut neighbours: BTreeMap<usize, Vec<usize>> = BTreeMap::new();
        let links: Vec<(usize, usize)> = self.world.links().collect();
        for (one, other) in links {
            neighbours.entry(one).or_default().push(other);
            neighbours.entry(other).or_default().push(one);
        }
        let mut nearest = BTreeMap::new();
        let mut work = BinaryHeap::from([Reverse((0, author))]);
        while let Some(Reverse((at_ms, index))) = work.pop() {
            if nearest.contains_key(&index) || self.dead.contains(&index) {
                continue;
            }
            nearest.insert(index, at_ms);
            for other in neighbours.get(&index).into_iter().flatten() {
                work.push(Reverse((at_ms + self.world.distance(index, *other).unwrap(), *other)));
            }
        }
        nearest.values().copied().max().unwrap()
    }

    /// The means of all messages since the last figures.
    fn print(&mut self, what: &str) {
        let samples = std::mem::take(&mut self.samples);
        let mean = |of: fn(&Sample) -> f64| samples.iter().map(of).sum::<f64>() / samples.len() as f64;
        let (last, bound) = (mean(|it| it.last_ms as f64), mean(|it| it.bound_ms as f64));
        println!("overlay {what}, half have it\t{:.0}\tms", mean(|it| it.half_ms as f64));
        println!("overlay {what}, the last has it\t{last:.0}\tms");
        println!("overlay {what}, shortest ways\t{bound:.0}\tms");
        println!("overlay {what}, last to shortest\t{:.2}\tratio", last / bound);
        println!("overlay {what}, copies a home\t{:.2}\tframes", mean(|it| it.copies));
        println!("overlay {what}, lost\t{}\thomes", samples.iter().map(|it| it.lost).sum::<usize>());
    }
}
