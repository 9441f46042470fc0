use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::task::JoinSet;
use tokio::time::timeout;

use super::Server;
use crate::limits::{RENDEZVOUS_ANSWERS_MAX, RENDEZVOUS_PER_TAG_MAX, SIGHTING_BYTES};
use crate::rendezvous::{Answer, Cookie, Refusal, Request, Slot, read_message, write_message};

const TAG: [u8; 20] = [7; 20];
const PATIENCE: Duration = Duration::from_secs(30);

struct World {
    address: SocketAddr,
    _server: JoinSet<()>,
}

impl World {
    fn new(relays: bool) -> Self {
        let server = Server::bind((Ipv4Addr::LOCALHOST, 0).into(), relays).unwrap();
        let address = server.address().unwrap();
        let mut tasks = JoinSet::new();
        tasks.spawn(server.run());
        Self { address, _server: tasks }
    }

    async fn ask(&self, request: &Request) -> TcpStream {
        let mut socket = TcpStream::connect(self.address).await.unwrap();
        write_message(&mut socket, request).await.unwrap();
        socket
    }

    /// Somebody who has announced itself.
    async fn member(&self, number: u8) -> TcpStream {
        let mut socket = self.ask(&announcement(number)).await;
        assert!(matches!(answer(&mut socket).await, Answer::Seen(_)));
        socket
    }
}

fn announcement(number: u8) -> Request {
    Request::Announce { tag: TAG, slot: Slot([number; 16]), sealed: vec![number; SIGHTING_BYTES] }
}

async fn answer(socket: &mut TcpStream) -> Answer {
    timeout(PATIENCE, read_message(socket)).await.unwrap().unwrap()
}

async fn ends(mut socket: TcpStream) -> bool {
    timeout(PATIENCE, socket.read_u8()).await.unwrap().is_err()
}

#[tokio::test]
async fn members_learn_of_each_other_whoever_came_first() {
    let world = World::new(false);
    let mut ann = world.member(1).await;
    let mut bob = world.member(2).await;
    let of = |number: u8| Answer::Record {
        tag: TAG,
        slot: Slot([number; 16]),
        sealed: vec![number; SIGHTING_BYTES],
    };
    assert_eq!(answer(&mut bob).await, of(1));
    assert_eq!(answer(&mut ann).await, of(2));
    let mut carol = world.ask(&Request::Watch(TAG)).await;
    let seen = Answer::seen(carol.local_addr().unwrap());
    assert_eq!(answer(&mut carol).await, seen, "everyone is told where it is seen");
    assert_eq!(answer(&mut carol).await, of(1));
    assert_eq!(answer(&mut carol).await, of(2));
    // Who left is remembered for a while.
    drop(bob);
    let mut dave = world.ask(&Request::Watch(TAG)).await;
    answer(&mut dave).await;
    assert_eq!([answer(&mut dave).await, answer(&mut dave).await], [of(1), of(2)]);
}

#[tokio::test]
async fn a_call_joins_two_connections_byte_for_byte() {
    let world = World::new(true);
    let mut ann = world.member(1).await;
    let mut caller = world.ask(&Request::Call(Slot([1; 16]))).await;
    let Answer::Ring { slot, cookie } = answer(&mut ann).await else { panic!("no ring") };
    assert_eq!(slot, Slot([1; 16]));
    let mut callee = world.ask(&Request::PickUp(cookie)).await;
    let from = |socket: &TcpStream| Answer::Joined(socket.local_addr().unwrap().into());
    assert_eq!(answer(&mut callee).await, from(&caller), "each is told where the other one is seen");
    assert_eq!(answer(&mut caller).await, from(&callee));
    let long: Vec<u8> = (0..100_000u32).flat_map(u32::to_le_bytes).collect();
    let mut received = vec![0; long.len()];
    let (sent, read) = tokio::join!(caller.write_all(&long), callee.read_exact(&mut received));
    sent.unwrap();
    read.unwrap();
    assert_eq!(received, long);
    callee.write_all(b"heard").await.unwrap();
    let mut heard = [0; 5];
    caller.read_exact(&mut heard).await.unwrap();
    assert_eq!(&heard, b"heard");
    drop(callee);
    assert!(ends(caller).await);
}

#[tokio::test]
async fn nobody_is_joined_who_is_not_there_or_where_nothing_is_relayed() {
    let world = World::new(true);
    let mut caller = world.ask(&Request::Call(Slot([1; 16]))).await;
    assert_eq!(answer(&mut caller).await, Answer::No(Refusal::NobodyThere));
    let mut late = world.ask(&Request::PickUp(Cookie([1; 16]))).await;
    assert_eq!(answer(&mut late).await, Answer::No(Refusal::NobodyThere));
    let world = World::new(false);
    let _ann = world.member(1).await;
    let mut caller = world.ask(&Request::Call(Slot([1; 16]))).await;
    assert_eq!(answer(&mut caller).await, Answer::No(Refusal::NoRelay));
}

#[tokio::test]
async fn nonsense_ends_its_connection_and_no_other() {
    let world = World::new(true);
    let mut ann = world.member(1).await;
    for nonsense in [&[0, 0][..], &[0, 1, 99], &[255, 255], &[0, 5, 1, 2, 3, 4, 5]] {
        let mut socket = TcpStream::connect(world.address).await.unwrap();
        socket.write_all(nonsense).await.unwrap();
        assert!(ends(socket).await);
    }
    let mut calls_late = world.member(2).await;
    answer(&mut calls_late).await;
    write_message(&mut calls_late, &Request::Call(Slot([1; 16]))).await.unwrap();
    assert_eq!(answer(&mut calls_late).await, Answer::No(Refusal::Malformed));
    assert!(ends(calls_late).await);
    write_message(&mut ann, &announcement(1)).await.unwrap();
    assert!(matches!(answer(&mut ann).await, Answer::Record { .. }));
    assert!(matches!(answer(&mut ann).await, Answer::Seen(_)));
}

#[tokio::test]
async fn who_does_not_read_is_dropped_and_holds_up_nobody() {
    let world = World::new(false);
    for number in 0..u8::try_from(RENDEZVOUS_PER_TAG_MAX).unwrap() {
        world.member(number).await;
    }
    // Each time it asks, it is told of all of them, and it reads nothing.
    let mut deaf = world.ask(&Request::Watch(TAG)).await;
    let asks = async { while write_message(&mut deaf, &Request::Watch(TAG)).await.is_ok() {} };
    let talks = async {
        for _ in 0..2 * RENDEZVOUS_ANSWERS_MAX / 64 {
            world.member(255).await;
        }
    };
    let (dropped, ()) = tokio::join!(timeout(2 * PATIENCE, asks), talks);
    dropped.expect("its connection ends");
}
