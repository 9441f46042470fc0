//! One message at a time between two, while strangers and a hostile member are at the one who says it: what that costs
//! the honest, against the same pair left alone.

use std::io::{Read as _, Write as _};
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use replica_sync::engine::{Command, Event};

use crate::Bench;
use crate::figure::Figure;
use crate::measure::{median, percentile};
use crate::pair::Pair;
use crate::running::{Running, options};
use crate::talk::talk;

/// Messages measured in each state.
const MESSAGES: usize = 200;

/// Pause between two of them: faster than anybody types, and slower than what counts as a flood itself.
const BETWEEN: Duration = Duration::from_millis(10);

/// How many times longer the slowest of a hundred may take for an attack.
const RATIO_MAX: f64 = 3.0;

pub(crate) fn run(bench: &mut Bench) {
    let history = bench.empty();
    let (alone, garbage, flood, counts) = bench.runtime.block_on(async {
        let mut pair = Pair::agreed(history).await;
        let alone = measure(&mut pair).await;
        let strangers = Strangers::start(pair.ann.port);
        tokio::time::sleep(SETTLING).await;
        let garbage = measure(&mut pair).await;
        let attempts = strangers.stop();
        let folder = history.home(2);
        let mut member = Running::start_humbly(folder.path(), options()).await;
        member.dial(pair.ann.port).await;
        member.wait(|event| matches!(event, Event::Agreed { .. })).await;
        let stop = Arc::new(AtomicBool::new(false));
        let flood = tokio::join!(
            async {
                let times = measure(&mut pair).await;
                stop.store(true, Ordering::Relaxed);
                times
            },
            flood(&mut member, &stop)
        );
        tokio::join!(pair.stop(), member.stop());
        (alone, garbage, flood.0, (attempts, flood.1))
    });
    let p99 = percentile(alone.clone(), 99);
    for (name, times) in [("strangers", garbage), ("a flooding member", flood)] {
        let figure =
            |label: &str, value, unit| Figure::new(format!("attacked by {name}: {label}"), value, unit);
        bench.figures.extend([
            figure("live p50", median(times.clone()), "ms").floor("left alone", median(alone.clone())),
            figure("live p99", percentile(times, 99), "ms").at_most(RATIO_MAX * p99).floor("left alone", p99),
        ]);
    }
    bench.figures.extend([
        Figure::new("attacked by strangers: connections made", counts.0 as f64, ""),
        Figure::new("attacked by a flooding member: entries said", counts.1 as f64, ""),
    ]);
}

/// How long the attack has been on when it is measured: the first of it is borne more patiently.
const SETTLING: Duration = Duration::from_millis(500);

async fn measure(pair: &mut Pair) -> Vec<Duration> {
    let mut times = Vec::new();
    for number in 0..MESSAGES {
        let said = format!("{} {number}", talk(number as u64));
        let start = Instant::now();
        pair.ann.say(said.clone()).await;
        // Who says it must be listened to as well, or it stops listening to its peers.
        tokio::select! {
            () = pair.bob.wait(|event| matches!(event, Event::Row(row) if row.text == said)) => {}
            () = async { while pair.ann.events.recv().await.is_some() {} } => {}
        }
        times.push(start.elapsed());
        tokio::time::sleep(BETWEEN).await;
    }
    times
}

/// Says small things, far more than are taken, until told to stop; how many.
async fn flood(member: &mut Running, stop: &AtomicBool) -> usize {
    let mut said = 0;
    while !stop.load(Ordering::Relaxed) {
        for _ in 0..FLOOD_BURST {
            member.node.command(Command::Say("la".to_owned())).await.unwrap();
        }
        said += FLOOD_BURST;
        member.rows(FLOOD_BURST).await;
        tokio::time::sleep(FLOOD_PAUSE).await;
    }
    said
}

/// Entries said at once.
const FLOOD_BURST: usize = 100;

/// Pause between two bursts. To sign and store them takes the flooder longer than anybody else to hear of them, and here
/// it does so on the same cores: without a pause that is what would be measured. So it is some twenty times what it may.
const FLOOD_PAUSE: Duration = Duration::from_millis(20);

/// Those who connect again and again and send noise, from one address each.
struct Strangers {
    stop: Arc<AtomicBool>,
    attempts: Arc<AtomicU64>,
    threads: Vec<std::thread::JoinHandle<()>>,
}

impl Strangers {
    fn start(port: u16) -> Self {
        let (stop, attempts) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU64::new(0)));
        let attack = |_| {
            let (stop, attempts) = (Arc::clone(&stop), Arc::clone(&attempts));
            std::thread::spawn(move || {
                while !stop.load(Ordering::Relaxed) {
                    attempts.fetch_add(1, Ordering::Relaxed);
                    // However it ends, it comes again.
                    drop(bother(SocketAddr::from((Ipv4Addr::LOCALHOST, port))));
                }
            })
        };
        let threads = (0..STRANGERS).map(attack).collect();
        Self { stop, attempts, threads }
    }

    fn stop(self) -> u64 {
        self.stop.store(true, Ordering::Relaxed);
        self.threads.into_iter().for_each(|thread| thread.join().unwrap());
        self.attempts.load(Ordering::Relaxed)
    }
}

/// At once. They run on the same machine, so each takes a part of it by itself.
const STRANGERS: usize = 2;

/// Pause of each between two attempts: some thousands a second in all.
const PAUSE: Duration = Duration::from_micros(500);

fn bother(at: SocketAddr) -> std::io::Result<()> {
    let mut stream = TcpStream::connect(at)?;
    stream.write_all(&[&[0, 48][..], &[7; 48]].concat())?;
    stream.set_read_timeout(Some(PAUSE))?;
    stream.read_exact(&mut [0])?;
    Ok(())
}
