//! What a hostile peer can do to the real program: nothing. Whatever it sends ends in a refusal that is counted, logged
//! and says why; memory stays bounded; honest people go on talking through the same node.

use std::io::Write as _;
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use replica::entry::{Body, Entry, Invite};
use replica::id::{Digest, StoreId};
use replica::identity::Identity;
use replica_sync::channel::{Initiator, Offer};
use replica_sync::limits::{LIVE_ENTRIES_MAX, TIPS_KEPT_MAX};
use replica_sync::ticket::Ticket;
use replica_sync::wire::{self, ByeReason, Data, Frame, Hello, PROTOCOL};

use serde_json::Value;

use crate::program::{Home, Running};

mod mallory;

use mallory::{DRIP, Line, Mallory, connect, credentials, framed, read_to_end};

/// Most memory an attack may cost beyond what the node needs at rest.
const MEMORY_BYTES_MAX: u64 = 64 * 1024 * 1024;

/// A node that serves, whose ticket has leaked, and a friend who has to get through.
struct Victim {
    serving: Running,
    home: Home,
    friend: Home,
    at: SocketAddr,
    ticket: Ticket,
    idle_bytes: u64,
    said: usize,
}

impl Victim {
    fn start(args: &[&str]) -> Self {
        let (home, friend) = (Home::new("ann"), Home::new("bob"));
        home.send("before the attack");
        let ticket: Ticket = home.invite().parse().unwrap();
        let log = home.path().join("log");
        let log = ["--json", "-vv", "--log-file", log.to_str().unwrap(), "--listen", "127.0.0.1:0"];
        let mut serving = home.start(&[&log[..], args, &["serve"]].concat());
        let line = serving.wait("listening", |line| line["type"] == "listening");
        let at = line["addr"].as_str().unwrap().parse().unwrap();
        let mut victim = Self { serving, home, friend, at, ticket, idle_bytes: 0, said: 0 };
        victim.converges();
        victim.idle_bytes = victim.resident_bytes();
        victim
    }

    /// An honest member says something, which is durable at the node before this ends.
    fn converges(&mut self) {
        self.said += 1;
        let ticket = Ticket { addresses: vec![self.at.to_string()], ..self.ticket.clone() };
        if self.said == 1 {
            self.friend.ok(&["join", &ticket.to_string()]);
        }
        let text = format!("said through it {}", self.said);
        self.friend.ok(&["--peer", &self.at.to_string(), "send", "--wait", "1", "--timeout", "30", &text]);
    }

    fn connect(&self) -> TcpStream {
        connect(self.at, STRANGER)
    }

    fn mallory(&self, secret: u8) -> Mallory {
        Mallory::join(self.at, &self.ticket, secret, secret)
    }

    /// Waits until so many refusals for a reason were counted.
    fn refuses(&mut self, reason: &str, times: u64) {
        let counted = |line: &Value| line["counts"][reason].as_u64() >= Some(times);
        self.serving.wait(reason, |line| line["type"] == "refused" && counted(line));
        let reason = format!("reason=\"{reason}\"");
        assert!(self.log().contains(&reason), "{reason} is not in the log");
    }

    fn log(&self) -> String {
        std::fs::read_to_string(self.home.path().join("log")).unwrap()
    }

    fn resident_bytes(&self) -> u64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.serving.id())).unwrap();
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
        line.trim().trim_end_matches(" kB").parse::<u64>().unwrap() * 1024
    }

    /// After whatever was tried: nothing was lost, nothing is too large, and both have the same. Answers what was said.
    fn survives(mut self) -> Vec<String> {
        let grown = self.resident_bytes().saturating_sub(self.idle_bytes);
        assert!(grown <= MEMORY_BYTES_MAX, "{} MiB more than at rest", grown / 1024 / 1024);
        self.converges();
        assert_eq!(self.serving.terminate(), Some(0));
        assert_eq!(self.home.digest(), self.friend.digest());
        let texts = self.home.texts();
        assert_eq!(texts.iter().filter(|text| text.starts_with("said through it")).count(), self.said);
        self.home.verify();
        texts
    }
}

/// The last byte of the address that strangers come from.
const STRANGER: u8 = 66;

#[test]
fn strangers_are_refused_with_the_reason_whatever_they_send() {
    let mut victim = Victim::start(&[]);
    // Slow ones first: they take their time beside all the others.
    let silent: Vec<TcpStream> = (0..20).map(|_| victim.connect()).collect();
    let mut slow = victim.connect();
    let dripping = std::thread::spawn(move || {
        let first = framed(&[7; 96]);
        first
            .iter()
            .take_while(|byte| slow.write_all(&[**byte]).map(|()| std::thread::sleep(DRIP)).is_ok())
            .count()
    });

    for garbage in
        [&b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"[..], &framed(&[7; 48]), &framed(&[0; 4_096]), &[0, 0]]
    {
        let mut stream = victim.connect();
        stream.write_all(garbage).unwrap();
        assert_eq!(read_to_end(&mut stream), 0, "a stranger was answered");
    }
    victim.refuses("no_room", 3);
    let mut stream = victim.connect();
    stream.write_all(&[0xff; 70_000]).ok();
    assert_eq!(read_to_end(&mut stream), 0);
    victim.refuses("too_long", 2);

    let wrong = Ticket { secret: [1; 32], ..victim.ticket.clone() };
    let offer = Offer::Member(Box::new(credentials(&wrong, 10)));
    assert!(Line::open(victim.connect(), offer).is_err());
    victim.refuses("no_room", 4);

    let recorded = victim.mallory(11).line.handshake;
    let mut stream = victim.connect();
    stream.write_all(&[framed(&recorded.first), framed(&recorded.last)].concat()).unwrap();
    assert!(read_to_end(&mut stream) > 0, "the first message alone is that of somebody with the secret");
    victim.refuses("handshake", 1);

    let halves: Vec<TcpStream> = (0..HALF_HANDSHAKES)
        .map(|_| {
            let (_, first) =
                Initiator::new(Offer::Member(Box::new(credentials(&victim.ticket, 12)))).unwrap();
            let mut stream = victim.connect();
            stream.write_all(&framed(&first)).ok();
            stream
        })
        .collect();
    victim.converges();
    victim.refuses("crowded", 1);
    drop((silent, halves));
    victim.refuses("unfinished", 1);

    let silent = victim.connect();
    victim.refuses("silent", 1);
    drop(silent);
    let taken = dripping.join().unwrap();
    assert!(taken < 40, "whoever sends a byte at a time is waited for: {taken}");
    victim.survives();
}

/// Handshakes that are begun and not ended, at once.
const HALF_HANDSHAKES: usize = 200;

/// A member tries something over a connection, and is sent away for it.
fn check(victim: &mut Victim, secret: u8, reason: &str, attempt: impl FnOnce(&mut Mallory)) {
    let mut mallory = victim.mallory(secret);
    attempt(&mut mallory);
    let bye = mallory.line.bye().expect("a goodbye");
    assert_eq!(bye.reason, ByeReason::Protocol, "{bye:?}");
    victim.refuses(reason, 1);
}

#[test]
fn members_who_forge_or_alter_are_sent_away_with_the_reason() {
    let mut victim = Victim::start(&[]);
    let author = victim.friend.author();
    check(&mut victim, 20, "not_authentic", |mallory| {
        // Under somebody else's name, with a signature of its own.
        let mut record = mallory.record("bob says he owes me money");
        record.chain.author = author;
        let forged = mallory.sign(record);
        mallory.send_live(&[forged]);
    });
    check(&mut victim, 21, "not_valid", |mallory| {
        // In the name of a key that nobody let in.
        let stranger = Identity::from_secret(&[99; 32]);
        let mut record = mallory.record("I belong here");
        record.chain.author = stranger.key();
        let entry = Entry::sign(record, &mallory.graph.room(), &stranger).unwrap();
        mallory.send_live(&[entry]);
    });
    check(&mut victim, 22, "altered", |mallory| {
        // What a relay that has no key can do.
        let entry = mallory.write("as it was written");
        let block = mallory.block(&[entry]);
        let mut sealed = mallory.line.seal(&wire::encode(&Frame::Live(block)));
        let middle = sealed.len() / 2;
        sealed[middle] ^= 1;
        mallory.line.stream.write_all(&sealed).unwrap();
    });
    check(&mut victim, 23, "not_authentic", |mallory| {
        // What one that is a member can do.
        let entry = mallory.write("as it was written");
        let mut block = mallory.block(&[entry]);
        let text = block.windows(7).position(|bytes| bytes == b"written").unwrap();
        block[text] ^= 1;
        mallory.line.send(&Frame::Live(block));
    });
    check(&mut victim, 24, "bad_block", |mallory| {
        let bomb = [&[0x11][..], &bomb(512 * 1024 * 1024)].concat();
        assert!(bomb.len() < 20_000, "{}", bomb.len());
        mallory.line.send(&Frame::Data(Data { block: bomb, remaining: 0 }));
    });
    check(&mut victim, 27, "bad_block", |mallory| {
        let entries: Vec<Entry> = (0..=LIVE_ENTRIES_MAX).map(|_| mallory.write("la")).collect();
        mallory.send_live(&entries);
    });
    check(&mut victim, 25, "no_frame", |mallory| mallory.line.send_bytes(&[0xff; 4_000]));
    check(&mut victim, 26, "protocol", |mallory| {
        let hello =
            Hello { protocol: PROTOCOL, store: StoreId([1; 16]), digest: Digest([0; 32]), entries: 0 };
        mallory.line.send(&Frame::Hello(hello));
    });
    victim.converges();
    victim.survives();
}

/// Zeros as zstd packs them: some bytes for every 128 KiB.
fn bomb(bytes: usize) -> Vec<u8> {
    // A frame of run-length blocks, by RFC 8878: magic, a window of 128 KiB, then blocks of one repeated byte.
    let mut frame = vec![0x28, 0xb5, 0x2f, 0xfd, 0x00, 0x38];
    let blocks = bytes / (128 * 1024);
    for number in 1..=blocks {
        let header = u32::try_from(128 * 1024).unwrap() << 3 | 1 << 1 | u32::from(number == blocks);
        frame.extend_from_slice(&header.to_le_bytes()[..3]);
        frame.push(0);
    }
    frame
}

#[test]
fn who_comes_again_after_each_offence_is_kept_out() {
    let mut victim = Victim::start(&[]);
    let offer = || Offer::Member(Box::new(credentials(&victim.ticket, 30)));
    // Each time from elsewhere: it is the author who is known for it.
    let offences = (0..20u8).take_while(|number| {
        let Ok(mut line) = Line::open(connect(victim.at, 100 + number), offer()) else { return false };
        line.send_bytes(&[0xff; 100]);
        line.bye().is_some_and(|bye| !bye.text.contains("too often"))
    });
    let offences = offences.count();
    assert!((4..=8).contains(&offences), "{offences} offences were borne");
    victim.refuses("no_frame", 4);
    victim.refuses("banned", 1);
    victim.survives();
}

#[test]
fn withheld_causes_forks_and_floods_cost_a_member_and_nobody_else() {
    let mut victim = Victim::start(&[]);
    // What everything else builds on never comes. 16 KiB each, well over what may wait of one peer.
    let mut withholding = victim.mallory(40);
    withholding.write("never sent");
    let text = noise(12 * 1024);
    for _ in 0..600 {
        let entry = withholding.write(&text);
        withholding.send_live(&[entry]);
    }
    victim.converges();

    // One chain, twice.
    let mut forking = victim.mallory(41);
    let (left, right) = (forking.record("left"), forking.record("right"));
    let (left, right) = (forking.sign(left), forking.sign(right));
    forking.send_live(&[left]);
    forking.send_live(&[right]);
    forking.is_acknowledged(2);
    victim.converges();

    // Small valid ones, as fast as they are taken.
    let mut flooding = victim.mallory(42);
    for number in 1..=FLOOD_FRAMES {
        let entries: Vec<Entry> = (0..LIVE_ENTRIES_MAX).map(|_| flooding.write("la")).collect();
        flooding.has_window();
        flooding.send_live(&entries);
        if number % 20 == 0 {
            flooding.is_acknowledged(number - 10);
        }
        if number == FLOOD_FRAMES / 2 {
            victim.converges();
        }
    }
    flooding.is_acknowledged(FLOOD_FRAMES);
    drop((withholding, forking, flooding));
    // All of it was valid: nobody was accused.
    let log = victim.log();
    assert!(!log.contains("refused"), "{log}");
    let texts = victim.survives();
    assert_eq!(
        texts.iter().filter(|text| *text == "la").count(),
        usize::try_from(FLOOD_FRAMES).unwrap() * LIVE_ENTRIES_MAX
    );
    assert!(texts.contains(&"left".to_owned()) && texts.contains(&"right".to_owned()));
    assert!(!texts.contains(&"never sent".to_owned()));
}

/// Full frames.
const FLOOD_FRAMES: u64 = 300;

/// Text that does not compress.
fn noise(bytes: usize) -> String {
    let mut state = 1u64;
    let letter = |_| {
        state = state.wrapping_mul(0x5851_f42d_4c95_7f2d).wrapping_add(0x1405_7b7e_f767_814f);
        char::from(33 + u8::try_from(state >> 33 & 63).unwrap())
    };
    (0..bytes).map(letter).collect()
}

#[test]
fn ten_thousand_knocks_let_nobody_in_who_is_not_meant_and_cost_little() {
    let mut victim = Victim::start(&["--open"]);
    // Open to all, it answers knocks, each with a whole handshake, until there were too many.
    let knock = |from: u8| {
        let stream = connect(victim.at, from);
        // Who is made to wait gives up and comes again.
        stream.set_read_timeout(Some(IMPATIENCE)).unwrap();
        Line::open(stream, Offer::Knock(Box::new(Identity::from_secret(&[50; 32])))).is_ok()
    };
    let knocks = |from: u8| (0..KNOCKS / 4).filter(|_| knock(from)).count();
    let answered: usize = std::thread::scope(|scope| {
        let knocks = &knocks;
        let crowd: Vec<_> = (200..204).map(|from| scope.spawn(move || knocks(from))).collect();
        crowd.into_iter().map(|one| one.join().unwrap()).sum()
    });
    assert!(answered < 2_500, "{answered} knocks were answered");
    victim.refuses("knocks", 10);
    let all = |line: &Value| {
        line["counts"].as_object().into_iter().flatten().filter_map(|count| count.1.as_u64()).sum()
    };
    victim.serving.wait("nearly all", |line| {
        let total: u64 = all(line);
        total + 100 >= u64::from(KNOCKS)
    });
    victim.survives();
}

const KNOCKS: u32 = 10_000;

const IMPATIENCE: Duration = Duration::from_millis(4);

#[test]
fn a_members_copy_of_an_invite_spoils_no_ticket() {
    let mut victim = Victim::start(&[]);
    let mut mallory = victim.mallory(66);
    let key = Identity::from_secret(&victim.ticket.invite.unwrap()).key();
    let expired = mallory.compose(&Body::Invite(Invite { key, expires_ms: Some(1), uses: None }));
    let expired = mallory.sign(expired);
    mallory.send_live(&[expired]);
    mallory.is_acknowledged(1);
    // The ticket still lets in who comes by it.
    let carol = victim.mallory(67);
    assert!(carol.graph.is_member(&carol.identity.key()));
    victim.converges();
}

#[test]
fn who_begins_very_many_chains_keeps_nobody_from_the_whole_history() {
    let mut victim = Victim::start(&[]);
    let mut mallory = victim.mallory(68);
    let frames = u64::try_from(2 * TIPS_KEPT_MAX / LIVE_ENTRIES_MAX).unwrap();
    for number in 1..=frames {
        let entries: Vec<Entry> = (0..LIVE_ENTRIES_MAX).map(|_| mallory.begin()).collect();
        mallory.has_window();
        mallory.send_live(&entries);
        mallory.is_acknowledged(number);
    }
    drop(mallory);
    victim.converges();
    let ticket = Ticket { addresses: vec![victim.at.to_string()], ..victim.ticket.clone() };
    let late = Home::new("dave");
    late.run(&["join", &ticket.to_string()]);
    late.ok(&["sync", "--timeout", "60"]);
    assert_eq!(late.digest(), victim.home.digest());
    victim.friend.ok(&["sync", "--timeout", "60"]);
    victim.survives();
}
