//! What a person at the full screen waits for: the real program in a pty, with everything on this machine.
//!
//! `cargo bench --bench screen`; with `-- --all` on a million messages too, which takes minutes. Prints one figure a
//! line: name, value, unit.

#![allow(missing_docs, reason = "a program, not a library")]
#![expect(clippy::unwrap_used, clippy::print_stdout, reason = "figures for people; a failure is one to see")]
#![expect(clippy::disallowed_methods, reason = "a benchmark measures time")]

use std::fs;
use std::io::{Read as _, Write};
use std::num::NonZeroU16;
use std::path::Path;
use std::sync::mpsc::{Receiver, sync_channel};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use portable_pty::{Child, CommandBuilder, MasterPty, PtySize, native_pty_system};
use replica::archive::Archive;
use replica::home::{Home, RoomState, Secret};
use replica::id::{ChainId, RoomId, StoreId};
use replica::store::SledStore;
use replica_sync::conversation::{Conversation, first_entry};

fn main() {
    let words: Vec<String> = std::env::args().skip(1).filter(|word| !word.starts_with("--")).collect();
    if !words.is_empty() && !words.iter().any(|word| "screen".contains(word.as_str())) {
        return;
    }
    let all = std::env::args().any(|argument| argument == "--all");
    for messages in [1_000, 100_000, 1_000_000] {
        if messages > LONG && !all {
            println!("left out: {messages} messages; run `cargo bench --bench screen -- --all`");
            continue;
        }
        let home = tempfile::tempdir().unwrap();
        fill(home.path(), messages);
        let tell =
            |name: &str, value: f64, unit: &str| println!("{messages} messages, {name}\t{value:.1}\t{unit}");
        let mut opened: Vec<f64> = (0..RUNS).map(|_| first_screen(home.path(), "F1 help")).collect();
        tell("start to first screen, median", percentile(&mut opened, 50), "ms");
        let mut whole: Vec<f64> = (0..RUNS).map(|_| first_screen(home.path(), OPEN)).collect();
        tell("start to open room, median", percentile(&mut whole, 50), "ms");
        let mut screen = Screen::start(home.path());
        screen.shows(OPEN);
        let mut rows: Vec<f64> = (0..ROWS).map(|number| screen.say(number)).collect();
        tell("Enter to own row, median", percentile(&mut rows, 50), "ms");
        tell("Enter to own row, 99 %", percentile(&mut rows, 99), "ms");
        tell("at rest, of a core", screen.idle(), "%");
        screen.leave();
    }
}

/// Writes a history of the last three years with its documents, so that no program that opens it is busy making them.
fn fill(folder: &Path, messages: u64) {
    let mut home = Home::open(folder).unwrap();
    let identity = home.identity().clone();
    let start_ms = now_ms() - YEARS_MS;
    let chain = ChainId { author: identity.key(), incarnation: NAMES.1 };
    let first = first_entry(&identity, chain, ROOM, WEEK_S, start_ms).unwrap();
    let room = RoomId(first.id().0);
    let store = SledStore::open(&home.store_dir(&room)).unwrap();
    let (mut archive, opened) = Archive::open(Box::new(store), room, NAMES, false).unwrap();
    let mut conversation = Conversation::new(opened, identity, "ann".to_owned());
    conversation.found(ROOM, WEEK_S, start_ms).unwrap();
    for number in 0..messages {
        let text =
            format!("message number {number} of a long talk among people who like to write a lot of text");
        conversation.say(&text, start_ms + YEARS_MS / messages * number, None).unwrap();
        if number % BATCH == 0 || number + 1 == messages {
            while let Some(batch) = conversation.poll_batch() {
                archive.commit(&batch).unwrap();
                conversation.persisted();
            }
        }
    }
    while archive.maintain(4_096, true).unwrap() {}
    archive.close().unwrap();
    home.change(|state| {
        let (name, secret, invite_secret) = (ROOM.to_owned(), Secret([7; 32]), None);
        state.rooms.push(RoomState {
            id: room,
            name,
            secret,
            invite_secret,
            renew: false,
            peers: Vec::new(),
        });
        state.current_room = Some(room);
        state.nick = Some("ann".to_owned());
    })
    .unwrap();
}

fn now_ms() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    u64::try_from(since.as_millis()).unwrap()
}

/// Milliseconds until a screen shows something. The one before was left in good order.
fn first_screen(home: &Path, words: &str) -> f64 {
    let start = Instant::now();
    let mut screen = Screen::start(home);
    screen.shows(words);
    let time = start.elapsed();
    screen.shows(OPEN);
    screen.leave();
    millis(time)
}

/// The program on a terminal.
struct Screen {
    child: Box<dyn Child + Send + Sync>,
    keys: Box<dyn Write + Send>,
    output: Receiver<Vec<u8>>,
    parser: vt100::Parser,
    /// Nothing is read of a terminal that is gone.
    _terminal: Box<dyn MasterPty + Send>,
}

impl Screen {
    fn start(home: &Path) -> Self {
        let mut program = CommandBuilder::new(PROGRAM);
        program.arg("--home");
        program.arg(home);
        program.args(["--listen", "127.0.0.1:0", "--no-lan", "--no-port-mapping"]);
        program.env("TERM", "xterm-256color");
        let size = PtySize { rows: 24, cols: 80, pixel_width: 0, pixel_height: 0 };
        let pair = native_pty_system().openpty(size).unwrap();
        let child = pair.slave.spawn_command(program).unwrap();
        let mut reader = pair.master.try_clone_reader().unwrap();
        let (bytes, output) = sync_channel(1_000);
        std::thread::spawn(move || {
            let mut buffer = [0; 65_536];
            while let Ok(count @ 1..) = reader.read(&mut buffer) {
                if bytes.send(buffer[..count].to_vec()).is_err() {
                    return;
                }
            }
        });
        let keys = pair.master.take_writer().unwrap();
        let above_zero = |number| NonZeroU16::new(number).unwrap();
        let parser = vt100::Parser::new(above_zero(24), above_zero(80), 0);
        Self { child, keys, output, parser, _terminal: pair.master }
    }

    /// Waits until something stands on the screen.
    fn shows(&mut self, words: &str) {
        self.until(|line| line.contains(words));
    }

    fn until(&mut self, is_there: impl Fn(&str) -> bool) {
        while !self.parser.screen().contents().lines().any(&is_there) {
            let bytes = self.output.recv_timeout(PATIENCE).unwrap();
            self.parser.process(&bytes);
        }
    }

    fn press(&mut self, keys: &[u8]) {
        self.keys.write_all(keys).unwrap();
        self.keys.flush().unwrap();
    }

    /// Types a word that nothing else on the screen has, presses Enter, and waits for its row: milliseconds.
    fn say(&mut self, number: usize) -> f64 {
        let letter = |power| char::from(b'A' + u8::try_from(number / power % 26).unwrap());
        let word = format!("{0}{1}{0}{1}{0}{1}", letter(26), letter(1));
        word.bytes().for_each(|key| self.press(&[key]));
        std::thread::sleep(PAUSE);
        self.shows(&word);
        let start = Instant::now();
        self.press(b"\r");
        self.until(|line| line.contains(&word) && !line.starts_with('>'));
        millis(start.elapsed())
    }

    /// How much of a core it takes when nothing happens, in per cent.
    fn idle(&mut self) -> f64 {
        std::thread::sleep(PUT_OFF);
        let before = self.cpu_ticks();
        std::thread::sleep(REST);
        (self.cpu_ticks() - before) / TICKS_PER_SECOND / REST.as_secs_f64() * 100.0
    }

    fn cpu_ticks(&self) -> f64 {
        let id = self.child.process_id().unwrap();
        let stat = fs::read_to_string(format!("/proc/{id}/stat")).unwrap();
        let fields: Vec<&str> = stat.rsplit_once(')').unwrap().1.split_whitespace().collect();
        fields[11].parse::<f64>().unwrap() + fields[12].parse::<f64>().unwrap()
    }

    fn leave(mut self) {
        self.press(b"\x04");
        while self.output.recv_timeout(PATIENCE).is_ok() {}
        assert!(self.child.wait().unwrap().success());
    }
}

fn millis(time: Duration) -> f64 {
    time.as_secs_f64() * 1000.0
}

fn percentile(values: &mut [f64], percent: usize) -> f64 {
    values.sort_unstable_by(f64::total_cmp);
    values[(values.len() - 1) * percent / 100]
}

/// What an open room says where nobody else is.
const OPEN: &str = "nobody else is in";

const PROGRAM: &str = env!("CARGO_BIN_EXE_replica");

/// Histories above this take minutes.
const LONG: u64 = 100_000;

const YEARS_MS: u64 = 3 * 365 * 24 * 60 * 60 * 1000;
const WEEK_S: u32 = 7 * 24 * 60 * 60;
const BATCH: u64 = 1_000;
const ROOM: &str = "home";
const NAMES: (StoreId, u64) = (StoreId([1; 16]), 1);

const RUNS: usize = 7;
const ROWS: usize = 100;

/// Until everything typed is on the screen.
const PAUSE: Duration = Duration::from_millis(50);

/// What is put off while somebody types is done by then.
const PUT_OFF: Duration = Duration::from_secs(10);

const REST: Duration = Duration::from_secs(5);

/// Linux counts so, whatever the kernel's own clock.
const TICKS_PER_SECOND: f64 = 100.0;

/// Longest wait for anything.
const PATIENCE: Duration = Duration::from_secs(60);
