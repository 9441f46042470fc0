use std::net::IpAddr;
use std::time::Duration;

use replica::id::{EntryId, RoomId};
use replica::identity::Identity;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;
use tokio::time::timeout;

use super::*;
use crate::channel::{Channel, Credentials, HandshakeError, Initiator, RoomKey};
use crate::limits::{BYE_TEXT_BYTES_MAX, OUTBOUND_BYTES_MAX, STRANGER_MESSAGE_BYTES_MAX};
use crate::wire::{Ack, Deframer, Locate, decode};

mod refusals;

const LOCALHOST: SocketAddr = SocketAddr::new(IpAddr::V4(std::net::Ipv4Addr::LOCALHOST), 0);

/// What a test waits at most; only a failing one does.
const PATIENCE: Duration = Duration::from_secs(20);

fn credentials(number: u8, secret: &[u8]) -> Credentials {
    let key = RoomKey::from_secret(secret);
    let identity = Identity::from_secret(&[number; 32]);
    Credentials { room: RoomId([7; 32]), key, identity, cards: Vec::new(), invite: None }
}

fn answers(number: u8) -> Answers {
    Answers { rooms: vec![credentials(number, b"secret")], knocks: true, ..Answers::default() }
}

fn offer(number: u8) -> Offer {
    Offer::Member(Box::new(credentials(number, b"secret")))
}

fn knock(number: u8) -> Offer {
    Offer::Knock(Box::new(Identity::from_secret(&[number; 32])))
}

/// A transport that listens, and where.
fn listening(limits: TransportLimits) -> (Transport, SocketAddr) {
    let mut transport = Transport::new(limits, answers(2));
    let address = transport.listen(LOCALHOST).unwrap();
    (transport, address)
}

async fn next(transport: &mut Transport) -> TransportEvent {
    timeout(PATIENCE, next_but_refusals(transport)).await.expect("an event in time")
}

async fn next_but_refusals(transport: &mut Transport) -> TransportEvent {
    loop {
        match transport.next_event().await {
            TransportEvent::Refused => {}
            event => return event,
        }
    }
}

async fn connected(transport: &mut Transport) -> ConnectionId {
    match next(transport).await {
        TransportEvent::Connected { id, .. } => id,
        other => panic!("{other:?}"),
    }
}

async fn closed(transport: &mut Transport) -> CloseReason {
    match next(transport).await {
        TransportEvent::Closed { reason, .. } => reason,
        other => panic!("{other:?}"),
    }
}

async fn received(transport: &mut Transport) -> Frame {
    match next(transport).await {
        TransportEvent::Frame { frame, .. } => frame,
        other => panic!("{other:?}"),
    }
}

async fn dial_error(offer: Offer, address: SocketAddr, limits: TransportLimits) -> DialError {
    let mut transport = Transport::new(limits, Answers::default());
    let dialed = transport.dial(address, offer);
    match next(&mut transport).await {
        TransportEvent::DialFailed { id, address: at, error } => {
            assert_eq!((id, at), (dialed, address));
            error
        }
        other => panic!("{other:?}"),
    }
}

/// Two transports with one connection: the one that dialled first.
async fn connected_pair() -> ((Transport, ConnectionId), (Transport, ConnectionId)) {
    let (mut b, address) = listening(TransportLimits::default());
    let mut a = Transport::new(TransportLimits::default(), Answers::default());
    a.dial(address, offer(1));
    let (a_id, b_id) = tokio::join!(connected(&mut a), connected(&mut b));
    ((a, a_id), (b, b_id))
}

fn ack(frames: u64) -> Frame {
    Frame::Ack(Ack { frames })
}

fn bye(reason: ByeReason) -> Bye {
    Bye::new(reason, "so long")
}

/// A peer by hand: whatever it does is up to the test.
struct Raw {
    socket: TcpStream,
    channel: Channel,
    deframer: Deframer,
}

impl Raw {
    /// Connects, writing `piece` bytes at a time.
    async fn connect(address: SocketAddr, offer: Offer, piece: usize) -> Self {
        let mut socket = TcpStream::connect(address).await.unwrap();
        socket.set_nodelay(true).unwrap();
        let mut deframer = Deframer::new(STRANGER_MESSAGE_BYTES_MAX);
        let (initiator, first) = Initiator::new(offer).unwrap();
        write_pieces(&mut socket, &first, piece).await;
        let answer = read_message(&mut socket, &mut deframer).await.expect("message 2");
        let (last, established) = initiator.finish(&answer).unwrap();
        write_pieces(&mut socket, &last, piece).await;
        deframer.set_max(limits::NOISE_MESSAGE_BYTES_MAX);
        Self { socket, channel: established.channel, deframer }
    }

    async fn send(&mut self, frame: &[u8], piece: usize) {
        let mut sealed = Vec::new();
        self.channel.seal(frame, &mut sealed).unwrap();
        write_pieces(&mut self.socket, &sealed, piece).await;
    }

    /// The next frame, or none at the end.
    async fn receive(&mut self) -> Option<Frame> {
        let message = read_message(&mut self.socket, &mut self.deframer).await?;
        Some(decode(&self.channel.open(&message).unwrap()).unwrap())
    }
}

async fn write_pieces(socket: &mut TcpStream, message: &[u8], piece: usize) {
    let length = u16::try_from(message.len()).unwrap().to_be_bytes();
    for piece in [&length, message].concat().chunks(piece) {
        socket.write_all(piece).await.unwrap();
        tokio::task::yield_now().await;
    }
}

async fn read_message(socket: &mut TcpStream, deframer: &mut Deframer) -> Option<Vec<u8>> {
    loop {
        if let Some(message) = deframer.poll_message().unwrap() {
            return Some(message.to_vec());
        }
        let mut piece = [0; 1_000];
        let read = timeout(PATIENCE, socket.read(&mut piece)).await.expect("bytes in time");
        match read {
            Ok(bytes @ 1..) => deframer.push(&piece[..bytes]),
            _ => return None,
        }
    }
}

#[tokio::test]
async fn a_thousand_frames_pass_both_ways_in_order() {
    let ((mut a, a_id), (mut b, b_id)) = connected_pair().await;
    let frame =
        |n: u8, side: u8| Frame::Locate(Locate { tips: vec![EntryId([n ^ side; 32]); usize::from(n) % 20] });
    for n in 0..1_000_u16 {
        let n = n.to_be_bytes()[1];
        a.send(a_id, encode(&frame(n, 0))).unwrap();
        b.send(b_id, encode(&frame(n, 1))).unwrap();
    }
    async fn check(transport: &mut Transport, expected: impl Fn(u8) -> Frame) {
        for n in 0..1_000_u16 {
            assert_eq!(received(transport).await, expected(n.to_be_bytes()[1]), "frame {n}");
        }
    }
    tokio::join!(check(&mut a, |n| frame(n, 1)), check(&mut b, |n| frame(n, 0)));
    assert_eq!((a.queued_bytes(a_id), b.queued_bytes(b_id)), (0, 0), "all room is free again");
}

#[tokio::test]
async fn each_end_counts_the_same_bytes_of_frames_and_their_tags() {
    let ((mut a, a_id), (mut b, b_id)) = connected_pair().await;
    let (large, small) = (encode(&bulk()), encode(&ack(1)));
    let expected = |frame: &Vec<u8>| (frame.len() + limits::TAG_BYTES) as u64;
    let (there, back) = (2 * expected(&large), expected(&small));
    a.send(a_id, large.clone()).unwrap();
    a.send(a_id, large).unwrap();
    b.send(b_id, small).unwrap();
    received(&mut b).await;
    received(&mut b).await;
    received(&mut a).await;
    assert_eq!(a.traffic(a_id), Traffic { sent_bytes: there, received_bytes: back });
    assert_eq!(b.traffic(b_id), Traffic { sent_bytes: back, received_bytes: there });
    a.close(a_id, None);
    closed(&mut a).await;
    assert_eq!(a.traffic(a_id), Traffic::default());
}

#[tokio::test]
async fn a_connection_says_who_is_there_and_how_it_came_about() {
    let (mut b, address) = listening(TransportLimits::default());
    let mut a = Transport::new(TransportLimits::default(), Answers::default());
    for (dialing, is_member) in [(offer(1), true), (knock(1), false)] {
        let dialed_id = a.dial(address, dialing);
        let (at_a, at_b) = tokio::join!(next(&mut a), next(&mut b));
        let TransportEvent::Connected {
            id, address: to, dialed: true, peer: listener, binding: ours, ..
        } = at_a
        else {
            panic!("{at_a:?}")
        };
        let TransportEvent::Connected { dialed: false, peer: dialer, binding: theirs, .. } = at_b else {
            panic!("{at_b:?}")
        };
        assert_eq!((id, to), (dialed_id, address));
        assert_eq!(ours.channel, theirs.channel);
        let key = |number| Identity::from_secret(&[number; 32]).key();
        match (listener, dialer) {
            (Peer::Member(room, listener), Peer::Member(same, dialer)) if is_member => {
                assert_eq!((room, same), (RoomId([7; 32]), RoomId([7; 32])));
                assert_eq!((listener.author, dialer.author), (key(2), key(1)));
            }
            (Peer::Answered, Peer::Knocking(dialer)) if !is_member => assert_eq!(dialer.author, key(1)),
            other => panic!("{other:?}"),
        }
    }
}

#[tokio::test]
async fn a_peer_that_sends_a_byte_at_a_time_is_understood() {
    let (mut transport, address) = listening(TransportLimits::default());
    let peer = async {
        let mut raw = Raw::connect(address, offer(1), 1).await;
        for n in 0..20 {
            raw.send(&encode(&ack(n)), 1).await;
        }
        raw
    };
    let node = async {
        connected(&mut transport).await;
        for n in 0..20 {
            assert_eq!(received(&mut transport).await, ack(n));
        }
    };
    tokio::join!(peer, node);
}

#[tokio::test]
async fn a_peer_that_never_reads_is_dropped_and_nobody_else_waits() {
    let (mut transport, address) = listening(TransportLimits::default());
    let (_mute, mute_id) = tokio::join!(Raw::connect(address, offer(1), 100), connected(&mut transport));
    let (mut other, other_id) = tokio::join!(Raw::connect(address, offer(3), 100), connected(&mut transport));
    let bulk = encode(&Frame::Live(vec![1; 60_000]));
    let mut sent = 0;
    loop {
        match transport.send(mute_id, bulk.clone()) {
            Ok(()) => sent += bulk.len(),
            Err(error) => break assert_eq!(error, SendError::TooSlow),
        }
        assert!(transport.queued_bytes(mute_id) <= OUTBOUND_BYTES_MAX);
        // Meanwhile the other one is answered, every time.
        transport.send(other_id, encode(&ack(7))).unwrap();
        assert_eq!(other.receive().await, Some(ack(7)));
        assert!(sent < 200_000_000, "the system cannot hold so much");
    }
    assert_eq!(transport.send(mute_id, bulk), Err(SendError::Gone));
    assert_eq!(closed(&mut transport).await, CloseReason::TooSlow);
    transport.send(other_id, encode(&ack(8))).unwrap();
    assert_eq!(other.receive().await, Some(ack(8)));
}

#[tokio::test]
async fn tiny_frames_count_too() {
    let (mut transport, address) = listening(TransportLimits::default());
    let (_mute, id) = tokio::join!(Raw::connect(address, offer(1), 100), connected(&mut transport));
    let sent = (0..1_000_000).find(|_| transport.send(id, encode(&ack(0))).is_err());
    assert_eq!(sent, Some(limits::OUTBOUND_FRAMES_MAX));
    assert_eq!(closed(&mut transport).await, CloseReason::TooSlow);
}

#[tokio::test]
async fn when_all_peers_together_are_too_slow_the_slowest_is_dropped() {
    let (mut transport, address) = listening(TransportLimits::default());
    let mut peers = Vec::new();
    for _ in 0..17 {
        peers.push(tokio::join!(Raw::connect(address, offer(1), 100), connected(&mut transport)));
    }
    // Nothing is written between these: no task runs.
    let frame = encode(&Frame::Live(vec![1; 60_000]));
    transport.send(peers[3].1, frame.clone()).unwrap();
    let mut dropped = 0;
    for (_, id) in &peers {
        for _ in 0..16 {
            dropped += usize::from(transport.send(*id, frame.clone()).is_err());
        }
    }
    assert_eq!(dropped, 0, "each alone keeps to its limit");
    for (_, id) in &peers {
        transport.send(*id, encode(&Frame::Live(vec![1; 25_000]))).unwrap_or_default();
    }
    match next(&mut transport).await {
        TransportEvent::Closed { id, reason } => assert_eq!((id, reason), (peers[3].1, CloseReason::TooSlow)),
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn a_node_that_takes_no_events_stops_its_peers_and_loses_nothing() {
    let ((mut a, a_id), (mut b, _)) = connected_pair().await;
    let sent = fill(&mut a, a_id).await;
    assert_eq!(b.events.len(), limits::INBOUND_EVENTS_PER_CONNECTION_MAX);
    a.send(a_id, encode(&ack(sent))).unwrap();
    for _ in 0..sent {
        assert_eq!(received(&mut b).await, bulk());
    }
    assert_eq!(received(&mut b).await, ack(sent));
}

/// What ends a connection on which a peer does `what`, and the last thing the peer hears.
async fn check_ended(offer: Offer, what: impl AsyncFnOnce(&mut Raw)) -> (CloseReason, Option<ByeReason>) {
    let (mut transport, address) = listening(TransportLimits::default());
    let (mut raw, _) = tokio::join!(Raw::connect(address, offer, 100), connected(&mut transport));
    what(&mut raw).await;
    let listen = async {
        let mut last = None;
        while let Some(frame) = raw.receive().await {
            last = Some(frame);
        }
        drop(raw);
        last
    };
    let (reason, last) = tokio::join!(closed(&mut transport), listen);
    assert!(transport.slots.is_empty());
    let reason_heard = last.map(|frame| match frame {
        Frame::Bye(bye) => bye.reason,
        other => panic!("{other:?}"),
    });
    (reason, reason_heard)
}

#[tokio::test]
async fn garbage_ends_its_connection_with_a_reason_on_both_ends() {
    let protocol = Some(ByeReason::Protocol);
    let noise = check_ended(offer(1), async |raw| write_pieces(&mut raw.socket, &[1; 500], 500).await).await;
    assert_eq!(noise, (CloseReason::Altered, protocol));
    let no_frame = check_ended(offer(1), async |raw| raw.send(&[1, 99], 100).await).await;
    assert_eq!(no_frame, (CloseReason::NoFrame(crate::wire::DecodeError::Kind(99)), protocol));
    let empty = check_ended(offer(1), async |raw| raw.socket.write_all(&[0, 0]).await.unwrap()).await;
    assert_eq!(empty, (CloseReason::Altered, protocol));
}

#[tokio::test]
async fn a_message_too_long_for_a_stranger_ends_the_connection_at_its_length() {
    let length = async |raw: &mut Raw| raw.socket.write_all(&[0x10, 0x01]).await.unwrap();
    let (reason, heard) = check_ended(knock(1), length).await;
    assert_eq!(reason, CloseReason::TooLong(crate::wire::TooLong { announced: 4_097 }));
    assert_eq!(heard, Some(ByeReason::Protocol));
}

#[tokio::test]
async fn a_connection_that_breaks_off_is_closed() {
    let (reason, _) = check_ended(offer(1), async |raw| raw.socket.shutdown().await.unwrap()).await;
    assert_eq!(reason, CloseReason::Ended);
    let half = async |raw: &mut Raw| {
        raw.socket.write_all(&[0x01]).await.unwrap();
        raw.socket.shutdown().await.unwrap();
    };
    assert_eq!(check_ended(offer(1), half).await.0, CloseReason::Ended);
}

#[tokio::test]
async fn what_came_before_a_connection_broke_is_delivered() {
    let (mut transport, address) = listening(TransportLimits::default());
    let (mut raw, id) = tokio::join!(Raw::connect(address, offer(1), 100), connected(&mut transport));
    // More than the node has room for: the rest lies in the socket.
    let frames = 2 * limits::INBOUND_EVENTS_MAX as u64;
    for number in 0..frames {
        raw.send(&encode(&ack(number)), 100).await;
    }
    // It has come before the connection breaks.
    tokio::time::sleep(Duration::from_millis(300)).await;
    socket2::SockRef::from(&raw.socket).set_linger(Some(Duration::ZERO)).unwrap();
    drop(raw);
    for _ in 0..3 {
        transport.send(id, encode(&ack(0))).unwrap();
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    for number in 0..frames {
        assert_eq!(received(&mut transport).await, ack(number));
    }
    assert_eq!(closed(&mut transport).await, CloseReason::Lost);
}

#[tokio::test]
async fn a_wrong_secret_is_refused_and_the_dialler_knows() {
    let (mut transport, address) = listening(TransportLimits::default());
    let wrong = Offer::Member(Box::new(credentials(1, b"a guess")));
    let limits = TransportLimits::default();
    let error = tokio::select! {
        error = dial_error(wrong, address, limits) => error,
        event = next_but_refusals(&mut transport) => panic!("{event:?}"),
    };
    assert_eq!(error, DialError::RoomRefused);
    transport.set_answers(Answers { knocks: false, ..answers(2) });
    let error = tokio::select! {
        error = dial_error(knock(1), address, limits) => error,
        event = next_but_refusals(&mut transport) => panic!("{event:?}"),
    };
    assert_eq!(error, DialError::RoomRefused, "knocks are not answered any more");
}

#[tokio::test]
async fn who_asks_for_a_room_that_is_being_opened_waits_for_it_and_others_are_refused_then() {
    let limits = TransportLimits::default();
    let mut transport = Transport::new(limits, Answers { awaits_more: true, ..Answers::default() });
    let address = transport.listen(LOCALHOST).unwrap();
    let mut dialling = Transport::new(limits, Answers::default());
    dialling.dial(address, offer(1));
    let wrong = Offer::Member(Box::new(credentials(1, b"a guess")));
    let refused = dial_error(wrong, address, limits);
    let mut refused = std::pin::pin!(refused);
    let early = timeout(Duration::from_millis(200), async {
        tokio::select! {
            event = next_but_refusals(&mut transport) => format!("{event:?}"),
            event = next_but_refusals(&mut dialling) => format!("{event:?}"),
            error = &mut refused => format!("{error:?}"),
        }
    });
    assert!(early.await.is_err(), "nobody is answered yet");
    transport.set_answers(Answers { awaits_more: true, ..answers(2) });
    tokio::join!(connected(&mut transport), connected(&mut dialling));
    transport.set_answers(answers(2));
    let error = tokio::select! {
        error = &mut refused => error,
        event = next_but_refusals(&mut transport) => panic!("{event:?}"),
    };
    assert_eq!(error, DialError::RoomRefused);
}

#[tokio::test]
async fn who_does_not_answer_in_time_or_at_all_is_not_waited_for() {
    let silent = TcpListener::bind(LOCALHOST).await.unwrap();
    let address = silent.local_addr().unwrap();
    let limits = TransportLimits { handshake_time: Duration::from_millis(50), ..TransportLimits::default() };
    assert_eq!(dial_error(offer(1), address, limits).await, DialError::Timeout);
    drop(silent);
    assert_eq!(dial_error(offer(1), address, limits).await, DialError::Refused);
}

#[tokio::test]
async fn a_listener_that_answers_nonsense_is_told_from_one_that_refuses() {
    let listener = TcpListener::bind(LOCALHOST).await.unwrap();
    let address = listener.local_addr().unwrap();
    let talk = async {
        let (mut socket, _) = listener.accept().await.unwrap();
        write_pieces(&mut socket, b"220 mail.example.org ready", 100).await;
        socket
    };
    let (_socket, error) = tokio::join!(talk, dial_error(offer(1), address, TransportLimits::default()));
    assert_eq!(error, DialError::Handshake(HandshakeError::Altered));
}

#[tokio::test]
async fn a_client_that_says_nothing_is_dropped_after_the_time_of_a_handshake() {
    let limits = TransportLimits { handshake_time: Duration::from_millis(50), ..TransportLimits::default() };
    let (mut transport, address) = listening(limits);
    for first in [&[][..], &[0, 48, 1, 2, 3], &[0x10, 0x01]] {
        let mut client = TcpStream::connect(address).await.unwrap();
        client.write_all(first).await.unwrap();
        let ended = async { client.read(&mut [0; 10]).await.unwrap_or(0) };
        let bytes = tokio::select! {
            bytes = timeout(PATIENCE, ended) => bytes.expect("an end in time"),
            event = next_but_refusals(&mut transport) => panic!("{event:?}"),
        };
        assert_eq!(bytes, 0);
    }
    // The task has ended before its client sees it, and is forgotten as soon as somebody looks.
    timeout(Duration::from_millis(1), next_but_refusals(&mut transport)).await.unwrap_err();
    assert_eq!((transport.slots.len(), transport.tasks.len()), (0, 0));
}

#[tokio::test]
async fn a_goodbye_comes_after_all_that_was_said() {
    let ((mut a, a_id), (mut b, b_id)) = connected_pair().await;
    // Words under way the other ways must not cost the last ones.
    for n in 0..500 {
        b.send(b_id, encode(&ack(n))).unwrap();
        a.send(a_id, encode(&ack(n))).unwrap();
    }
    a.close(a_id, Some(bye(ByeReason::Leaving)));
    assert_eq!(a.send(a_id, encode(&ack(1))), Err(SendError::Gone));
    let listen = async {
        for n in 0..500 {
            assert_eq!(received(&mut b).await, ack(n));
        }
        assert_eq!(received(&mut b).await, Frame::Bye(bye(ByeReason::Leaving)));
        closed(&mut b).await
    };
    assert_eq!(tokio::join!(closed(&mut a), listen), (CloseReason::Asked, CloseReason::Ended));
    assert!(a.slots.is_empty() && b.slots.is_empty());
}

#[tokio::test]
async fn a_goodbye_reaches_a_slow_peer_whose_own_words_lie_unread() {
    let (mut transport, address) = listening(TransportLimits::default());
    let (mut raw, id) = tokio::join!(Raw::connect(address, offer(1), 100), connected(&mut transport));
    for _ in 0..400 {
        raw.send(&encode(&Frame::Live(vec![1; 1_000])), 2_000).await;
    }
    assert_eq!(transport.events.len(), limits::INBOUND_EVENTS_PER_CONNECTION_MAX);
    fill(&mut transport, id).await;
    transport.close(id, Some(bye(ByeReason::Moved)));
    let listen = async {
        let mut last = None;
        while let Some(frame) = raw.receive().await {
            last = Some(frame);
        }
        drop(raw);
        last
    };
    let (reason, heard) = tokio::join!(closed(&mut transport), listen);
    assert_eq!((reason, heard), (CloseReason::Asked, Some(Frame::Bye(bye(ByeReason::Moved)))));
}

/// Sends as much as the system takes while the peer does not read, and half of what may wait beside.
async fn fill(transport: &mut Transport, id: ConnectionId) -> u64 {
    let mut sent = 0;
    while transport.queued_bytes(id) < OUTBOUND_BYTES_MAX / 2 {
        transport.send(id, encode(&bulk())).unwrap();
        sent += 1;
        for _ in 0..20 {
            tokio::task::yield_now().await;
        }
        assert!(sent < 4_000, "somebody reads on and on");
    }
    sent
}

fn bulk() -> Frame {
    Frame::Live(vec![1; 60_000])
}

#[tokio::test]
async fn nothing_comes_from_a_connection_that_was_closed_but_its_end() {
    let ((mut a, a_id), (mut b, b_id)) = connected_pair().await;
    a.send(a_id, encode(&ack(1))).unwrap();
    while b.events.is_empty() {
        tokio::task::yield_now().await;
    }
    b.close(b_id, None);
    assert_eq!(tokio::join!(closed(&mut a), closed(&mut b)), (CloseReason::Ended, CloseReason::Asked));
}

#[tokio::test]
async fn a_goodbye_to_a_peer_that_does_not_read_takes_its_time_and_no_more() {
    let limits = TransportLimits { flush_time: Duration::from_millis(50), ..TransportLimits::default() };
    let (mut transport, address) = listening(limits);
    let (_mute, id) = tokio::join!(Raw::connect(address, offer(1), 100), connected(&mut transport));
    fill(&mut transport, id).await;
    transport.close(id, Some(bye(ByeReason::Silent)));
    assert_eq!(closed(&mut transport).await, CloseReason::Asked);
}

#[tokio::test]
async fn shutdown_says_goodbye_to_everybody() {
    let (mut transport, address) = listening(TransportLimits::default());
    let mut peers = Vec::new();
    for _ in 0..3 {
        peers.push(tokio::join!(Raw::connect(address, offer(1), 100), connected(&mut transport)).0);
    }
    let listen = async {
        for mut raw in peers {
            assert_eq!(raw.receive().await, Some(Frame::Bye(bye(ByeReason::Leaving))));
            assert_eq!(raw.receive().await, None);
        }
    };
    let shutdown = timeout(PATIENCE, transport.shutdown(Some(bye(ByeReason::Leaving))));
    assert!(tokio::join!(shutdown, listen).0.is_ok());
    assert_eq!(dial_error(offer(1), address, TransportLimits::default()).await, DialError::Refused);
}

#[tokio::test]
async fn a_dropped_wait_for_an_event_loses_none() {
    let ((mut a, a_id), (mut b, _)) = connected_pair().await;
    for n in 0..300 {
        a.send(a_id, encode(&ack(n))).unwrap();
    }
    let mut expected = 0;
    while expected < 300 {
        let event = tokio::select! {
            biased;
            () = tokio::task::yield_now() => continue,
            event = b.next_event() => event,
        };
        let TransportEvent::Frame { frame, .. } = event else { panic!("{event:?}") };
        assert_eq!(frame, ack(expected));
        expected += 1;
    }
}

#[tokio::test]
async fn one_more_connection_than_may_be_is_told_so() {
    let (mut transport, address) =
        listening(TransportLimits { connections: 1, ..TransportLimits::default() });
    let (first, _) = tokio::join!(Raw::connect(address, offer(1), 100), connected(&mut transport));
    let busy = async {
        let mut second = Raw::connect(address, offer(3), 100).await;
        second.receive().await
    };
    let heard = tokio::select! {
        heard = busy => heard,
        event = next_but_refusals(&mut transport) => panic!("{event:?}"),
    };
    assert!(matches!(heard, Some(Frame::Bye(Bye { reason: ByeReason::Busy, .. }))), "{heard:?}");
    drop(first);
    assert_eq!(closed(&mut transport).await, CloseReason::Ended);
    tokio::join!(Raw::connect(address, offer(3), 100), connected(&mut transport));
}

#[tokio::test]
async fn one_address_has_a_share_and_no_more() {
    let (mut transport, address) =
        listening(TransportLimits { per_loopback: 2, ..TransportLimits::default() });
    let mut peers = Vec::new();
    for _ in 0..2 {
        peers.push(tokio::join!(Raw::connect(address, offer(1), 100), connected(&mut transport)));
    }
    let error = tokio::select! {
        error = dial_error(offer(1), address, TransportLimits::default()) => error,
        event = next_but_refusals(&mut transport) => panic!("{event:?}"),
    };
    assert_eq!(error, DialError::RoomRefused);
}

#[tokio::test]
async fn a_crowd_of_silent_strangers_keeps_no_member_out() {
    let (mut transport, address) = listening(TransportLimits { handshakes: 4, ..TransportLimits::default() });
    let mut crowd = Vec::new();
    for _ in 0..20 {
        crowd.push(TcpStream::connect(address).await.unwrap());
    }
    tokio::join!(Raw::connect(address, offer(1), 100), connected(&mut transport));
    assert!(transport.slots.len() <= 5, "{} are waited for", transport.slots.len());
}

#[tokio::test]
async fn dialling_is_bounded_and_can_be_given_up() {
    let silent = TcpListener::bind(LOCALHOST).await.unwrap();
    let address = silent.local_addr().unwrap();
    let limits = TransportLimits { connections: 2, ..TransportLimits::default() };
    let mut transport = Transport::new(limits, Answers::default());
    let (first, _second) = (transport.dial(address, offer(1)), transport.dial(address, offer(1)));
    let third = transport.dial(address, offer(1));
    match next(&mut transport).await {
        TransportEvent::DialFailed { id, error, .. } => assert_eq!((id, error), (third, DialError::TooMany)),
        other => panic!("{other:?}"),
    }
    transport.close(first, None);
    let given_up = timeout(Duration::from_millis(20), transport.next_event()).await;
    assert!(given_up.is_err(), "{given_up:?}");
    assert_eq!(transport.tasks.len(), 1);
}

#[tokio::test]
async fn the_unspecified_address_takes_both_protocols_or_the_one_there_is() {
    let mut transport = Transport::new(TransportLimits::default(), answers(2));
    let address = transport.listen("[::]:0".parse().unwrap()).unwrap();
    let local = SocketAddr::new(LOCALHOST.ip(), address.port());
    let (_raw, event) = tokio::join!(Raw::connect(local, offer(1), 100), next(&mut transport));
    let TransportEvent::Connected { address, .. } = event else { panic!("{event:?}") };
    assert_eq!(address.ip(), LOCALHOST.ip(), "not in its mapped form");
}

#[tokio::test]
async fn an_address_that_is_taken_or_not_ours_says_so() {
    let (_transport, address) = listening(TransportLimits::default());
    let mut second = Transport::new(TransportLimits::default(), answers(2));
    assert!(matches!(second.listen(address), Err(ListenError::Taken)));
    assert!(matches!(second.listen("192.0.2.1:0".parse().unwrap()), Err(ListenError::NotHere)));
}

#[tokio::test]
async fn a_quiet_connection_costs_nothing() {
    let ((mut a, a_id), (mut b, _)) = connected_pair().await;
    a.send(a_id, encode(&ack(1))).unwrap();
    received(&mut b).await;
    let metrics = tokio::runtime::Handle::current().metrics();
    let before = metrics.worker_total_busy_duration(0);
    let quiet = async { tokio::join!(a.next_event(), b.next_event()) };
    assert!(timeout(Duration::from_millis(300), quiet).await.is_err());
    let busy = metrics.worker_total_busy_duration(0) - before;
    assert!(busy < Duration::from_millis(100), "busy for {busy:?} of 300 ms");
}

#[test]
fn every_reason_fits_a_goodbye() {
    let reasons = [CloseReason::Altered, CloseReason::TooLong(crate::wire::TooLong { announced: 65_535 })];
    assert!(reasons.iter().all(|reason| reason.to_string().len() < BYE_TEXT_BYTES_MAX));
}

#[test]
fn each_further_room_makes_place_for_its_links_and_no_handshake_more() {
    let one = TransportLimits::default();
    let (none, three) = (one.for_rooms(0), one.for_rooms(3));
    assert_eq!((none.connections, none.per_address), (one.connections, one.per_address));
    assert_eq!((three.connections, three.per_address), (one.connections + 12, one.per_address + 4));
    assert_eq!((three.handshakes, three.handshake_time), (one.handshakes, one.handshake_time));
}
