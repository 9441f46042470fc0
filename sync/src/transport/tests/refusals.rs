//! What is refused is counted, and whoever causes it is met otherwise.

use tokio::net::TcpSocket;

use super::*;

/// What a listener has counted once so much was refused.
async fn refused(transport: &mut Transport, total: u64) -> Vec<(&'static str, u64)> {
    let counted = async {
        while transport.refusals().total() < total {
            transport.next_event().await;
        }
    };
    timeout(PATIENCE, counted).await.expect("refusals in time");
    transport.refusals().iter().map(|(refused, count)| (refused.name(), count)).collect()
}

async fn write_and_leave(address: SocketAddr, bytes: &[u8]) {
    TcpStream::connect(address).await.unwrap().write_all(bytes).await.unwrap();
}

#[tokio::test]
async fn whoever_gets_no_connection_is_counted_with_the_reason() {
    let limits = TransportLimits { handshake_time: Duration::from_millis(100), ..TransportLimits::default() };
    let (mut transport, address) = listening(limits);
    write_and_leave(address, &[]).await;
    write_and_leave(address, &[0, 48, 1, 2]).await;
    write_and_leave(address, &[0xff; 100]).await;
    write_and_leave(address, &[&[0, 48], &[7; 48][..]].concat()).await;
    let silent = TcpStream::connect(address).await.unwrap();
    let expected = [("no_room", 1), ("unfinished", 2), ("silent", 1), ("too_long", 1)];
    assert_eq!(refused(&mut transport, 5).await, expected);
    drop(silent);
}

#[tokio::test]
async fn a_handshake_that_was_recorded_is_refused() {
    let (mut transport, address) = listening(TransportLimits::default());
    let recorded = async {
        let (initiator, first) = Initiator::new(offer(1)).unwrap();
        let mut socket = TcpStream::connect(address).await.unwrap();
        write_pieces(&mut socket, &first, 100).await;
        let mut deframer = Deframer::new(STRANGER_MESSAGE_BYTES_MAX);
        let answer = read_message(&mut socket, &mut deframer).await.unwrap();
        let (last, _) = initiator.finish(&answer).unwrap();
        write_pieces(&mut socket, &last, 100).await;
        (first, last)
    };
    let ((first, last), _) = tokio::join!(recorded, connected(&mut transport));
    let mut socket = TcpStream::connect(address).await.unwrap();
    write_pieces(&mut socket, &first, 100).await;
    write_pieces(&mut socket, &last, 100).await;
    assert_eq!(refused(&mut transport, 1).await, [("handshake", 1)]);
}

#[tokio::test]
async fn what_came_over_a_connection_and_was_refused_is_counted() {
    let (mut transport, address) = listening(TransportLimits::default());
    let (mut raw, _) = tokio::join!(Raw::connect(address, offer(1), 100), connected(&mut transport));
    raw.send(&[9; 50], 100).await;
    assert_eq!(refused(&mut transport, 1).await, [("no_frame", 1)]);
    let (mut raw, _) = tokio::join!(Raw::connect(address, offer(1), 100), connected(&mut transport));
    write_pieces(&mut raw.socket, &[1; 60], 100).await;
    assert_eq!(refused(&mut transport, 2).await, [("altered", 1), ("no_frame", 1)]);
}

#[tokio::test]
async fn an_address_that_is_refused_again_and_again_is_not_answered_any_more() {
    let (mut transport, address) = listening(TransportLimits::default());
    let garbage = async {
        for _ in 0..1_000 {
            let mut socket = TcpStream::connect(address).await.unwrap();
            // Banned, it may be closed before this is written.
            socket.write_all(&[0xff; 100]).await.ok();
            socket.read_to_end(&mut Vec::new()).await.ok();
        }
    };
    let limits = TransportLimits::default();
    let error = tokio::select! {
        error = async { garbage.await; dial_error(offer(1), address, limits).await } => error,
        event = next_but_refusals(&mut transport) => panic!("{event:?}"),
    };
    assert_eq!(error, DialError::RoomRefused);
    assert!(transport.refusals().count(Refused::Banned) > 100, "{:?}", transport.refusals());
}

#[tokio::test]
async fn an_author_who_offends_again_and_again_is_sent_away_and_others_are_not() {
    let (mut transport, address) = listening(TransportLimits::default());
    let (_raw, id) = tokio::join!(Raw::connect(address, offer(1), 100), connected(&mut transport));
    (0..6).for_each(|_| transport.charge(id, Refused::NotValid));
    transport.close(id, None);
    let heard = async { Raw::connect(address, offer(1), 100).await.receive().await };
    let heard = tokio::select! {
        heard = heard => heard,
        () = async { while !matches!(next(&mut transport).await, TransportEvent::Connected { .. }) {} } => panic!("let in"),
    };
    assert!(matches!(heard, Some(Frame::Bye(Bye { reason: ByeReason::Protocol, .. }))), "{heard:?}");
    let comes = async { while !matches!(next(&mut transport).await, TransportEvent::Connected { .. }) {} };
    tokio::join!(Raw::connect(address, offer(3), 100), comes);
}

#[tokio::test]
async fn a_crowd_makes_place_for_itself() {
    let (mut transport, address) = listening(TransportLimits { handshakes: 4, ..TransportLimits::default() });
    let early = TcpSocket::new_v4().unwrap();
    early.bind("127.0.0.2:0".parse().unwrap()).unwrap();
    let slow = async {
        let mut socket = early.connect(address).await.unwrap();
        let (initiator, first) = Initiator::new(offer(1)).unwrap();
        write_pieces(&mut socket, &first, 100).await;
        let mut deframer = Deframer::new(STRANGER_MESSAGE_BYTES_MAX);
        let answer = read_message(&mut socket, &mut deframer).await.unwrap();
        let mut crowd = Vec::new();
        for _ in 0..50 {
            crowd.push(TcpStream::connect(address).await.unwrap());
        }
        // All of them were there before it went on.
        crowd[0].read_to_end(&mut Vec::new()).await.ok();
        let (last, _) = initiator.finish(&answer).unwrap();
        write_pieces(&mut socket, &last, 100).await;
        crowd
    };
    tokio::join!(slow, connected(&mut transport));
}

#[tokio::test]
async fn a_server_between_is_not_charged_for_whom_it_joins() {
    let (mut transport, address) = listening(TransportLimits::default());
    let charge = |transport: &mut Transport, relayed| {
        (0..1_000).for_each(|_| transport.door.refuse(Refused::Handshake, (address, relayed), None));
    };
    charge(&mut transport, true);
    let _raw = tokio::join!(Raw::connect(address, offer(1), 100), connected(&mut transport));
    charge(&mut transport, false);
    let error = tokio::select! {
        error = dial_error(offer(2), address, TransportLimits::default()) => error,
        event = next_but_refusals(&mut transport) => panic!("{event:?}"),
    };
    assert_eq!(error, DialError::RoomRefused);
}
