//! Two real programs with a line between them that is slow, breaks, or goes dead in one direction.

use std::io::{Read as _, Write as _};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use crate::program::{Home, Running};

/// What a line does to the bytes that come from the one who dialled it, and to those that go there.
#[derive(Clone, Copy, Default)]
struct Habits {
    /// Most bytes passed on at once; none is as they come.
    piece: Option<usize>,
    /// What each piece waits.
    delay: Duration,
    /// A connection is cut when so many bytes have passed on it.
    cut: Option<u64>,
}

/// Listens until the test ends.
struct Proxy {
    at: String,
    shared: Arc<Shared>,
}

#[derive(Default)]
struct Shared {
    cuts: AtomicU64,
    /// What goes to the one who dialled vanishes, and nobody is told.
    is_dead: AtomicBool,
}

impl Proxy {
    fn new(to: &str, habits: Habits) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let at = listener.local_addr().unwrap().to_string();
        let shared = Arc::new(Shared::default());
        let (here, to) = (Arc::clone(&shared), to.to_owned());
        std::thread::spawn(move || {
            for dialler in listener.incoming().map_while(Result::ok) {
                let Ok(node) = TcpStream::connect(&to) else { continue };
                let passed = Arc::new(AtomicU64::new(0));
                for (from, to, comes_back) in [(&dialler, &node, false), (&node, &dialler, true)] {
                    from.set_nodelay(true).unwrap();
                    let ends = (from.try_clone().unwrap(), to.try_clone().unwrap());
                    let (here, passed) = (Arc::clone(&here), Arc::clone(&passed));
                    std::thread::spawn(move || here.pass(ends, comes_back, &passed, habits));
                }
            }
        });
        Self { at, shared }
    }

    fn cuts(&self) -> u64 {
        self.shared.cuts.load(Ordering::Relaxed)
    }

    /// From now on nothing comes back, or everything does again.
    fn set_dead(&self, is_dead: bool) {
        self.shared.is_dead.store(is_dead, Ordering::Relaxed);
    }
}

impl Shared {
    fn pass(&self, ends: (TcpStream, TcpStream), comes_back: bool, passed: &AtomicU64, habits: Habits) {
        let (mut from, mut to) = ends;
        let mut piece = vec![0; habits.piece.unwrap_or(16 * 1024)];
        // What was swallowed is missing: nothing that follows it would be understood.
        let mut is_swallowed = false;
        while let Ok(bytes @ 1..) = from.read(&mut piece) {
            std::thread::sleep(habits.delay);
            is_swallowed |= comes_back && self.is_dead.load(Ordering::Relaxed);
            if is_swallowed {
                continue;
            }
            if to.write_all(&piece[..bytes]).is_err() {
                break;
            }
            let passed = passed.fetch_add(bytes as u64, Ordering::Relaxed) + bytes as u64;
            if habits.cut.is_some_and(|cut| passed >= cut) {
                self.cuts.fetch_add(1, Ordering::Relaxed);
                break;
            }
        }
        from.shutdown(Shutdown::Both).ok();
        to.shutdown(Shutdown::Both).ok();
    }
}

/// A line that breaks carries some frames each time.
const SYNCS_MAX: usize = 8;

/// Someone whose home has some hundred messages, serving; and a ticket to their room.
fn host(messages: usize) -> (Home, Running, String, String) {
    let ann = Home::new("ann");
    let ticket = ann.invite();
    // Text that does not compress much, so that it takes its time.
    let noise =
        |number: usize, part: u64| (number as u64 + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15 ^ (part << 32));
    let line =
        |number| format!("{number} {:x}{:x}{:x}\n", noise(number, 1), noise(number, 2), noise(number, 3));
    let lines: String = (0..messages).map(line).collect();
    assert!(ann.run_with(&["--offline", "--plain"], &lines).status.success());
    let mut serving = ann.start(&["--json", "--listen", "127.0.0.1:0", "serve"]);
    let line = serving.wait("listening", |line| line["type"] == "listening");
    let at = line["addr"].as_str().unwrap().to_owned();
    (ann, serving, ticket, at)
}

/// Someone joins late through such a line, and has everything in the end.
#[track_caller]
fn check_late_join(messages: usize, habits: Habits) -> Proxy {
    let (ann, mut serving, ticket, at) = host(messages);
    let proxy = Proxy::new(&at, habits);
    let bob = Home::new("bob");
    bob.ok(&["--offline", "join", &ticket]);
    let sync = || bob.run(&["--json", "--peer", &proxy.at, "sync", "--timeout", "10"]);
    let syncs = (1..=SYNCS_MAX).find(|_| sync().status.success());
    assert!(syncs.is_some(), "they do not agree; the line was cut {} times", proxy.cuts());
    // Once more: that bob has a name is what he wrote last.
    assert!(sync().status.success());
    assert_eq!(serving.terminate(), Some(0));
    assert_eq!(bob.texts().len(), messages);
    assert_eq!(ann.log(), bob.log());
    assert_eq!(ann.digest(), bob.digest());
    proxy
}

#[test]
fn a_late_joiner_gets_everything_byte_by_byte() {
    check_late_join(300, Habits { piece: Some(1), ..Habits::default() });
}

#[test]
fn a_late_joiner_gets_everything_over_a_slow_line_that_splits_frames() {
    let delay = Duration::from_millis(5);
    check_late_join(300, Habits { piece: Some(333), delay, ..Habits::default() });
}

#[test]
fn a_late_joiner_gets_everything_though_the_line_breaks() {
    // Enough for the greetings, a preview and a frame or two: what has not come as a whole is sent again.
    let proxy = check_late_join(4_000, Habits { piece: Some(500), cut: Some(70_000), ..Habits::default() });
    // The next one may go around it: where the others are was told by then.
    assert!(proxy.cuts() >= 1, "the line was never cut");
}

#[test]
fn a_line_that_goes_dead_in_one_direction_is_noticed_and_replaced() {
    let (ann, bob) = (Home::new("ann"), Home::new("bob"));
    let ticket = ann.invite();
    let at = crate::program::free_address();
    let mut in_ann = ann.chat(&at, &[]);
    in_ann.say("first");
    in_ann.reads("first");
    let proxy = Proxy::new(&at, Habits::default());
    let mut in_bob = bob.chat("127.0.0.1:0", &["--peer", &ticket, "--peer", &proxy.at]);
    in_bob.reads("first");
    proxy.set_dead(true);
    in_ann.say("into the void");
    assert!(!in_bob.hears("into the void", Duration::from_secs(2)), "the line is not dead");
    // It heals for new connections only: the old one stays dead, so somebody must notice that it is.
    proxy.set_dead(false);
    assert!(in_bob.hears("into the void", Duration::from_secs(30)), "nobody noticed that the line is dead");
    in_bob.say("here again");
    in_ann.reads("here again");
    assert_eq!(in_bob.finish(), Some(0));
    assert_eq!(in_ann.finish(), Some(0));
    assert_eq!(ann.log(), bob.log());
}
