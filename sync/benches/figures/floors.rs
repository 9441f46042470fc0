//! What nothing that does the same can be faster than, on this machine and in this run.
//!
//! Each is the median of many, before and after a scenario; of syncs the tenth percentile, since many a disk takes 0.2 ms
//! or 4, as it comes. Where a floor stands above what it is the floor of, the machine was busy with something else.

use std::fs::File;
use std::io::{Read as _, Seek as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::time::{Duration, Instant};

use replica::identity::{Identity, Purpose, Signature, verify};

use crate::figure::Figure;
use crate::history::{self, History};
use crate::measure::{median, millis, percentile};

/// All in milliseconds.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Floors {
    pub(crate) fdatasync: f64,
    pub(crate) round_trip: f64,
    pub(crate) connect: f64,
    pub(crate) sign: f64,
    pub(crate) verify: f64,
}

/// How often each is tried.
const TRIES: usize = 100;

impl Floors {
    pub(crate) fn measure() -> Self {
        let round_trip = median(round_trips(300));
        let (sign, verify) = signatures();
        Self { fdatasync: percentile(syncs(), 10), round_trip, connect: median(connects()), sign, verify }
    }

    /// Measured once more now, the lower of both: what else the machine does comes and goes.
    pub(crate) fn again(&self) -> Self {
        let now = Self::measure();
        Self {
            fdatasync: self.fdatasync.min(now.fdatasync),
            round_trip: self.round_trip.min(now.round_trip),
            connect: self.connect.min(now.connect),
            sign: self.sign.min(now.sign),
            verify: self.verify.min(now.verify),
        }
    }

    pub(crate) fn figures(&self) -> Vec<Figure> {
        let Self { fdatasync, round_trip, connect, sign, verify } = *self;
        vec![
            Figure::new("floor: write + fdatasync", fdatasync, "ms"),
            Figure::new("floor: round trip over loopback", round_trip, "ms"),
            Figure::new("floor: TCP connection", connect, "ms"),
            Figure::new("floor: signature made", sign * 1000.0, "us"),
            Figure::new("floor: signature verified", verify * 1000.0, "us"),
        ]
    }
}

/// A connection over loopback, as the transport makes them.
pub(crate) fn tcp_pair() -> (TcpStream, TcpStream) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let here = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    let (there, _) = listener.accept().unwrap();
    here.set_nodelay(true).unwrap();
    there.set_nodelay(true).unwrap();
    (here, there)
}

/// To a file that does not grow, as the database's does not for most commits.
fn syncs() -> Vec<Duration> {
    let folder = tempfile::tempdir().unwrap();
    let mut file = File::create(folder.path().join("floor")).unwrap();
    file.write_all(&vec![0; 300 * TRIES]).unwrap();
    file.sync_all().unwrap();
    file.rewind().unwrap();
    let once = |_| {
        let start = Instant::now();
        file.write_all(&[7; 300]).unwrap();
        file.sync_data().unwrap();
        start.elapsed()
    };
    (0..TRIES).map(once).collect()
}

fn round_trips(bytes: usize) -> Vec<Duration> {
    let (mut here, mut there) = tcp_pair();
    let echo = std::thread::spawn(move || {
        let mut buffer = vec![0; bytes];
        while there.read_exact(&mut buffer).is_ok() {
            there.write_all(&buffer).unwrap();
        }
    });
    let mut buffer = vec![7; bytes];
    let once = |_| {
        let start = Instant::now();
        here.write_all(&buffer).unwrap();
        here.read_exact(&mut buffer).unwrap();
        start.elapsed()
    };
    let times = (0..TRIES).map(once).collect();
    drop(here);
    echo.join().unwrap();
    times
}

fn connects() -> Vec<Duration> {
    let once = |_| {
        let start = Instant::now();
        let pair = tcp_pair();
        let time = start.elapsed();
        drop(pair);
        time
    };
    (0..TRIES).map(once).collect()
}

fn signatures() -> (f64, f64) {
    let identity = history::person(0);
    let sign = |number: usize| identity.sign(Purpose::Addresses(&number.to_be_bytes()));
    let start = Instant::now();
    let made: Vec<Signature> = (0..TRIES).map(sign).collect();
    let signing = millis(start.elapsed()) / TRIES as f64;
    let start = Instant::now();
    let is_valid = |(number, signature): (usize, &Signature)| {
        verify(&identity.key(), Purpose::Addresses(&number.to_be_bytes()), signature)
    };
    assert!(made.iter().enumerate().all(is_valid));
    (signing, millis(start.elapsed()) / TRIES as f64)
}

/// In seconds: as many compressed bytes as a history's over loopback, inflated, written and synced as often as the store
/// commits, and as many signatures verified.
pub(crate) fn bulk(history: &History) -> f64 {
    let chunks = history.block_bytes / CHUNK + 1;
    let text: String = (0..2_000).map(crate::talk::talk).collect();
    let compressed = zstd::bulk::compress(&text.as_bytes()[..INFLATED], 3).unwrap();
    let piece: Vec<u8> = (0..CHUNK).map(|index| compressed[index % compressed.len()]).collect();
    let folder = tempfile::tempdir().unwrap();
    let identity = Identity::from_secret(&[1; 32]);
    let purpose = Purpose::Addresses(b"figures");
    let signature = identity.sign(purpose);
    let (mut sender, mut receiver) = tcp_pair();
    let start = Instant::now();
    let sending = std::thread::spawn(move || {
        (0..chunks).for_each(|_| sender.write_all(&piece).unwrap());
    });
    let mut file = File::create(folder.path().join("floor")).unwrap();
    let mut chunk = vec![0; CHUNK];
    for number in 0..chunks {
        receiver.read_exact(&mut chunk).unwrap();
        assert_eq!(zstd::bulk::decompress(&compressed, INFLATED).unwrap().len(), INFLATED);
        file.write_all(&chunk).unwrap();
        if number % CHUNKS_A_COMMIT == 0 {
            file.sync_data().unwrap();
        }
    }
    sending.join().unwrap();
    file.sync_data().unwrap();
    assert!((0..history.signatures).all(|_| verify(&identity.key(), purpose, &signature)));
    start.elapsed().as_secs_f64()
}

/// A block as it is sent, and inflated.
const CHUNK: usize = 20_000;
const INFLATED: usize = 45_000;

/// A batch of the store is 1 MiB of entries.
const CHUNKS_A_COMMIT: usize = 20;
