use std::path::Path;
use std::time::Duration;

use replica::home::Home;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{UnixListener, UnixStream};

use super::asks::FromGuest;
use super::{Attach, AttachError, Hello, encode, greet, read_frame, write_frame};
use crate::engine::{Command, Event};
use crate::limits::{GUEST_QUEUE_BYTES_MAX, LOCAL_FRAME_BYTES_MAX, LOCAL_HELLO_BYTES_MAX};
use crate::node::{Events, Listen, Node, NodeEvent, Options};

fn options() -> Options {
    Options {
        nick: None,
        listen: Listen::Nowhere,
        peers: Vec::new(),
        ticket: None,
        room: None,
        all_rooms: true,
        makes_room: true,
        dials: false,
        discovery: crate::discovery::Settings::default(),
        attended: false,
        open: false,
        maintains: false,
        shares: true,
    }
}

async fn hold(folder: &Path) -> (Node, Events) {
    Node::start(Home::open(folder).unwrap(), options()).await.unwrap()
}

/// Reads a node's events until a message with this text is durable.
async fn reads(events: &mut Events, wanted: &str) {
    let found = async {
        while let Some(event) = events.recv().await {
            if matches!(&event, NodeEvent::Engine(Event::Row(row)) if row.text == wanted) {
                return;
            }
        }
        panic!("the node ended");
    };
    tokio::time::timeout(Duration::from_secs(60), found).await.unwrap();
}

fn say(text: &str) -> Command {
    Command::Say(text.to_owned())
}

#[tokio::test]
async fn what_a_guest_says_both_hear_and_only_the_guest_hears_of_its_tag() {
    let folder = tempfile::tempdir().unwrap();
    let (mut node, mut events) = hold(folder.path()).await;
    let (mut guest, mut told, attached) = Node::attach(folder.path(), &options()).await.unwrap();
    assert_eq!(attached.pid, std::process::id());
    let tag = guest.command(say("of the guest")).await.unwrap();
    let mut is_answered = false;
    while let Some(event) = told.recv().await {
        match event {
            NodeEvent::Engine(Event::Written { tag: done, .. }) => is_answered = done == tag,
            NodeEvent::Engine(Event::Row(row)) if row.text == "of the guest" => break,
            _ => {}
        }
    }
    assert!(is_answered, "the guest was not told what it waits for");
    node.command(say("of the holder")).await.unwrap();
    let mut outcomes = 0;
    while let Some(event) = events.recv().await {
        match event {
            NodeEvent::Engine(Event::Written { .. }) => outcomes += 1,
            NodeEvent::Engine(Event::Row(row)) if row.text == "of the holder" => break,
            _ => {}
        }
    }
    assert_eq!(outcomes, 1, "the guest's tag is the same number as the holder's");
    reads(&mut told, "of the holder").await;
    assert_eq!(guest.status().await.unwrap().messages, 2);
    guest.stop().await;
    node.stop().await;
}

#[tokio::test]
async fn a_guest_is_in_the_room_that_it_names_and_nobody_else_is_moved() {
    let folder = tempfile::tempdir().unwrap();
    let (mut node, mut events) = hold(folder.path()).await;
    let home = node.status().await.unwrap().room.unwrap().0;
    node.make_room("work".to_owned()).await.unwrap();
    let work = node.status().await.unwrap().room.unwrap().0;
    let named = Options { room: Some(home.to_string()[..8].to_owned()), ..options() };
    let (mut guest, mut told, attached) = Node::attach(folder.path(), &named).await.unwrap();
    assert_eq!((attached.room, attached.rooms.len()), (Some(home), 2));
    guest.command(say("at home")).await.unwrap();
    reads(&mut told, "at home").await;
    node.command(say("at work")).await.unwrap();
    reads(&mut events, "at work").await;
    assert_eq!(node.status().await.unwrap().room.unwrap().0, work);
    assert_eq!((node.status().await.unwrap().messages, guest.status().await.unwrap().messages), (1, 1));
    assert_eq!(guest.page(None, 1).await.unwrap()[0].text, "at home");
    // Then it goes where the handle is, and hears what is said there.
    guest.switch(work).await.unwrap();
    node.command(say("welcome")).await.unwrap();
    reads(&mut told, "welcome").await;
    let nowhere = Options { room: Some("nowhere".to_owned()), ..options() };
    let refused = Node::attach(folder.path(), &nowhere).await;
    assert!(matches!(refused, Err(AttachError::NoSuchRoom { rooms }) if rooms.len() == 2));
    guest.stop().await;
    node.stop().await;
}

#[tokio::test]
async fn a_guest_that_does_not_read_is_let_go_and_the_others_notice_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let (mut node, mut events) = hold(folder.path()).await;
    let mut deaf = UnixStream::connect(folder.path().join("socket")).await.unwrap();
    assert_eq!(greet(&mut deaf).await.unwrap(), None);
    write_frame(&mut deaf, &FromGuest::Attach(Attach::default())).await.unwrap();
    let (guest, mut told, _) = Node::attach(folder.path(), &options()).await.unwrap();
    // More than waits for anybody, and than the socket itself holds.
    let text = "x".repeat(16_000);
    let count = GUEST_QUEUE_BYTES_MAX / text.len() + 100;
    for _ in 0..count {
        node.command(say(&text)).await.unwrap();
        reads(&mut events, &text).await;
        reads(&mut told, &text).await;
    }
    // What was on its way to it ends: it was not kept waiting for.
    let mut rest = Vec::new();
    tokio::time::timeout(Duration::from_secs(20), deaf.read_to_end(&mut rest)).await.unwrap().unwrap();
    assert!(rest.len() < count * text.len() / 2, "{} bytes had been sent", rest.len());
    guest.stop().await;
    node.stop().await;
}

#[tokio::test]
async fn another_version_is_told_apart_by_both_sides() {
    let folder = tempfile::tempdir().unwrap();
    let (node, _events) = hold(folder.path()).await;
    let mut older = UnixStream::connect(folder.path().join("socket")).await.unwrap();
    write_frame(&mut older, &Hello { replica: "0.0.1".to_owned() }).await.unwrap();
    let hello: Hello = read_frame(&mut older, LOCAL_HELLO_BYTES_MAX).await.unwrap();
    assert_ne!(hello.replica, "0.0.1");
    assert_eq!(older.read(&mut [0; 1]).await.unwrap(), 0, "it is not let in");
    node.stop().await;

    let listener = UnixListener::bind(folder.path().join("socket")).unwrap();
    let options = options();
    let (attached, ()) = tokio::join!(Node::attach(folder.path(), &options), async {
        let (mut stream, _) = listener.accept().await.unwrap();
        let _: Hello = read_frame(&mut stream, LOCAL_HELLO_BYTES_MAX).await.unwrap();
        write_frame(&mut stream, &Hello { replica: "9.9.9".to_owned() }).await.unwrap();
    });
    assert!(matches!(attached, Err(AttachError::Version { theirs }) if theirs == "9.9.9"));
}

#[tokio::test]
async fn nonsense_on_the_socket_ends_that_connection_alone() {
    let folder = tempfile::tempdir().unwrap();
    let (node, _events) = hold(folder.path()).await;
    let too_long = u32::try_from(LOCAL_FRAME_BYTES_MAX + 1).unwrap().to_be_bytes().to_vec();
    let no_json = [vec![0, 0, 0, 3], b"{]}".to_vec()].concat();
    let no_attach = encode(&FromGuest::Command(1, say("too soon"))).unwrap();
    for nonsense in [too_long, no_json, no_attach] {
        let mut stream = UnixStream::connect(folder.path().join("socket")).await.unwrap();
        assert_eq!(greet(&mut stream).await.unwrap(), None);
        stream.write_all(&nonsense).await.unwrap();
        let ended = tokio::time::timeout(Duration::from_secs(4), stream.read(&mut [0; 1])).await.unwrap();
        assert!(matches!(ended, Ok(0) | Err(_)), "{ended:?}");
    }
    let (guest, _told, _) = Node::attach(folder.path(), &options()).await.unwrap();
    assert_eq!(guest.status().await.unwrap().messages, 0);
    guest.stop().await;
    node.stop().await;
}
