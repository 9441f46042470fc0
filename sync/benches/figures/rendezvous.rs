//! A rendezvous with ten thousand members in its memory, and what goes through it beside what goes straight.

use std::io::{Read as _, Write as _};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::time::{Duration, Instant};

use replica_sync::rendezvous::Server;

use crate::Bench;
use crate::figure::Figure;
use crate::measure::{median, memory, millis, percentile};

/// Members, of as many rooms as there are connections.
const RECORDS: usize = 10_000;
const CONNECTIONS: usize = 500;
const ASKED: usize = 2_000;

/// Bytes carried one way.
const CARRIED: usize = 256 << 20;

pub(crate) fn run(bench: &mut Bench) {
    let before = memory("VmRSS");
    let listening = bench.runtime.block_on(async { Server::bind((Ipv4Addr::LOCALHOST, 0).into(), true) });
    let server = listening.unwrap();
    let address = server.address().unwrap();
    let times = bench.runtime.block_on(async {
        tokio::select! {
            () = server.run() => unreachable!("it serves until it is dropped"),
            times = tokio::task::spawn_blocking(move || measure(address, before)) => times.unwrap(),
        }
    });
    let Times { looks, megabytes, direct, relayed } = times;
    let look = median(looks.clone());
    bench.figures.extend([
        Figure::new("rendezvous, 10,000 records: a look-up, 99 %", percentile(looks, 99), "ms")
            .at_most(5.0)
            .floor("the median", look),
        Figure::new("rendezvous, 10,000 records: memory", megabytes, "MB").at_most(50.0),
        Figure::new("256 MB through a rendezvous", millis(relayed), "ms")
            .at_most(2.0 * millis(direct))
            .floor("straight", millis(direct)),
    ]);
}

struct Times {
    looks: Vec<Duration>,
    megabytes: f64,
    direct: Duration,
    relayed: Duration,
}

fn measure(server: SocketAddr, before: f64) -> Times {
    let mut members = Vec::new();
    for number in 0..CONNECTIONS {
        let mut member = connect(server);
        for record in 0..RECORDS / CONNECTIONS {
            let tag = tag(number * (RECORDS / CONNECTIONS) + record);
            member.write_all(&message(&[&[1], &tag, &slot(number), &[7; 185]])).unwrap();
            assert_eq!(answer(&mut member)[0], SEEN);
        }
        members.push(member);
    }
    let megabytes = memory("VmRSS") - before;
    let mut looks = Vec::new();
    let mut asking = connect(server);
    for number in 0..ASKED {
        if number % 30 == 29 {
            // A connection may watch so many tags.
            asking = connect(server);
        }
        let start = Instant::now();
        asking.write_all(&message(&[&[2], &tag(number * 37 % RECORDS)])).unwrap();
        assert_eq!(answer(&mut asking)[0], SEEN);
        assert_eq!(answer(&mut asking)[0], RECORD);
        looks.push(start.elapsed());
    }
    let mut caller = connect(server);
    caller.write_all(&message(&[&[3], &slot(0)])).unwrap();
    let ring = answer(&mut members[0]);
    let mut callee = connect(server);
    callee.write_all(&message(&[&[4], &ring[17..33]])).unwrap();
    assert_eq!([answer(&mut caller)[0], answer(&mut callee)[0]], [JOINED, JOINED]);
    let relayed = carry(caller, callee);
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let straight = connect(listener.local_addr().unwrap());
    let direct = carry(straight, listener.accept().unwrap().0);
    Times { looks, megabytes, direct, relayed }
}

/// How long so many bytes take from one end to the other.
fn carry(mut from: TcpStream, mut to: TcpStream) -> Duration {
    let start = Instant::now();
    std::thread::scope(|scope| {
        scope.spawn(move || {
            let part = vec![5; 64 * 1024];
            (0..CARRIED / part.len()).for_each(|_| from.write_all(&part).unwrap());
        });
        let mut part = vec![0; 64 * 1024];
        let mut rest = CARRIED;
        while rest > 0 {
            rest -= to.read(&mut part).unwrap();
        }
    });
    start.elapsed()
}

fn connect(to: SocketAddr) -> TcpStream {
    let socket = TcpStream::connect(to).unwrap();
    socket.set_nodelay(true).unwrap();
    socket
}

fn message(fields: &[&[u8]]) -> Vec<u8> {
    let fields = fields.concat();
    [&u16::try_from(fields.len()).unwrap().to_be_bytes()[..], &fields].concat()
}

fn answer(from: &mut TcpStream) -> Vec<u8> {
    let mut length = [0; 2];
    from.read_exact(&mut length).unwrap();
    let mut message = vec![0; usize::from(u16::from_be_bytes(length))];
    from.read_exact(&mut message).unwrap();
    message
}

fn tag(number: usize) -> [u8; 20] {
    let mut tag = [0; 20];
    tag[..8].copy_from_slice(&number.to_be_bytes());
    tag
}

fn slot(number: usize) -> [u8; 16] {
    let mut slot = [1; 16];
    slot[..8].copy_from_slice(&number.to_be_bytes());
    slot
}

const SEEN: u8 = 17;
const RECORD: u8 = 18;
const JOINED: u8 = 20;
