//! What the hot paths cost, each beside its floor measured in the same run: `cargo bench`.
//!
//! `cargo bench -- NAME` runs the scenarios whose name contains one of the words; `--all` also those that take
//! minutes. A table on stdout, then one line of JSON. Times on shared machines swing, so read the ratios.

#![expect(clippy::print_stdout, reason = "a benchmark prints its table")]
#![expect(clippy::print_stderr, reason = "progress is no part of the table")]
#![expect(clippy::disallowed_methods, reason = "a benchmark measures time")]
#![expect(clippy::unwrap_used, reason = "a benchmark that cannot run has nothing to report")]

use std::cell::OnceCell;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::process::ExitCode;
use std::time::Instant;

use tokio::runtime::Runtime;

mod attacked;
mod cuts;
mod deaf;
mod figure;
mod floors;
mod heal;
mod history;
mod late_join;
mod live;
mod measure;
mod missing;
mod pair;
mod proxy;
mod reconnect;
mod rendezvous;
mod running;
mod stock;
mod sustained;
mod talk;

use figure::Figure;
use floors::Floors;
use history::History;

/// What every scenario has.
pub(crate) struct Bench {
    pub(crate) runtime: Runtime,
    pub(crate) floors: Floors,
    /// Whether what takes minutes is run too.
    pub(crate) all: bool,
    pub(crate) figures: Vec<Figure>,
    long: OnceCell<History>,
    short: OnceCell<History>,
    empty: OnceCell<History>,
    /// The long history as one Automerge document.
    exported: OnceCell<Vec<u8>>,
}

type Scenario = fn(&mut Bench);

/// A name, what measures it, and whether it is left out unless asked for.
const SCENARIOS: [(&str, Scenario, bool); 11] = [
    // First, while this process is small: it looks at memory.
    ("rendezvous", rendezvous::run, false),
    ("sustained", sustained::run, false),
    ("deaf", deaf::run, false),
    ("live", live::run, false),
    ("attacked", attacked::run, false),
    ("late-join-100k", late_join::hundred_thousand, false),
    ("late-join-1m", late_join::million, true),
    ("cuts", cuts::run, false),
    ("reconnect", reconnect::run, false),
    ("missing-one", missing::run, false),
    ("heal", heal::run, false),
];

fn main() -> ExitCode {
    if late_join::is_joiner() {
        late_join::join();
        return ExitCode::SUCCESS;
    }
    let words: Vec<String> = std::env::args().skip(1).filter(|word| word != "--bench").collect();
    let all = words.iter().any(|word| word == "--all");
    let names: Vec<&String> = words.iter().filter(|word| !word.starts_with('-')).collect();
    let mut bench = Bench::new(all);
    let mut has_failed = false;
    for (name, run, is_long) in SCENARIOS {
        let is_named = names.iter().any(|word| name.contains(word.as_str()));
        if !is_named && !names.is_empty() {
            continue;
        }
        if is_long && !is_named && !all {
            println!("left out: {name}, which takes minutes; run `cargo bench -- {name}` or `-- --all`");
            continue;
        }
        let start = Instant::now();
        bench.floors = Floors::measure();
        if catch_unwind(AssertUnwindSafe(|| run(&mut bench))).is_err() {
            println!("FAILED: {name}");
            has_failed = true;
        }
        eprintln!("{name}: {:.1} s", start.elapsed().as_secs_f64());
    }
    figure::report(&bench.figures);
    if has_failed { ExitCode::FAILURE } else { ExitCode::SUCCESS }
}

impl Bench {
    fn new(all: bool) -> Self {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let floors = Floors::measure();
        let (long, short, empty) = (OnceCell::new(), OnceCell::new(), OnceCell::new());
        let figures = floors.figures();
        Self { runtime, floors, all, figures, long, short, empty, exported: OnceCell::new() }
    }

    /// 100,000 messages, one a minute.
    pub(crate) fn long(&self) -> &History {
        self.long.get_or_init(|| History::new(5, 100_000, 60_000).with_documents())
    }

    /// A thousand.
    pub(crate) fn short(&self) -> &History {
        self.short.get_or_init(|| History::new(5, 1_000, 60_000).with_documents())
    }

    /// None, in a room of more people.
    pub(crate) fn empty(&self) -> &History {
        self.empty.get_or_init(|| History::new(12, 0, 60_000).with_documents())
    }

    pub(crate) fn exported(&self) -> &[u8] {
        self.exported.get_or_init(|| self.long().export())
    }
}
