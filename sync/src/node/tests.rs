use std::net::SocketAddr;
use std::time::Duration;

use replica::home::Home;
use replica::identity::Identity;
use tempfile::TempDir;
use tokio::sync::mpsc;

use super::driver::Driver;
use super::{Events, Listen, Node, NodeEvent, Options, Request, Status};
use crate::engine::{Command, Event};
use crate::limits::INVITES_TOLD_MAX;
use crate::ticket::Ticket;

mod rooms;

/// A node in a home of its own, with what it told.
struct Person {
    node: Node,
    events: Events,
    address: SocketAddr,
    folder: TempDir,
}

fn options() -> Options {
    Options {
        nick: None,
        listen: Listen::At("127.0.0.1:0".parse().unwrap()),
        peers: Vec::new(),
        ticket: None,
        room: None,
        all_rooms: true,
        makes_room: true,
        dials: true,
        discovery: crate::discovery::Settings::default(),
        attended: true,
        open: false,
        maintains: true,
        shares: false,
    }
}

impl Person {
    async fn start(nick: &str, options: Options) -> Self {
        Self::start_in(tempfile::tempdir().unwrap(), nick, options).await
    }

    async fn start_in(folder: TempDir, nick: &str, mut options: Options) -> Self {
        options.nick = Some(nick.to_owned());
        let home = Home::open(folder.path()).unwrap();
        let (node, mut events) = Node::start(home, options).await.unwrap();
        let address = wait(&mut events, |event| match event {
            NodeEvent::Listening(address) => Some(address),
            _ => None,
        })
        .await;
        Self { node, events, address, folder }
    }

    /// A ticket to the room that the person is in, for anyone.
    async fn invites(&mut self) -> Ticket {
        self.invites_until(None).await
    }

    async fn invites_until(&mut self, expires_ms: Option<u64>) -> Ticket {
        self.node.command(Command::Invite { expires_ms, uses: None }).await.unwrap();
        let invited = |event| match event {
            NodeEvent::Engine(Event::Invited { secret, .. }) => Some(secret),
            _ => None,
        };
        let secret = self.until(invited).await;
        self.node.ticket(Some(secret)).await.unwrap()
    }

    async fn until<T>(&mut self, wanted: impl FnMut(NodeEvent) -> Option<T>) -> T {
        wait(&mut self.events, wanted).await
    }

    async fn reads(&mut self, text: &str) {
        self.until(|event| match event {
            NodeEvent::Engine(Event::Row(row)) if row.text == text => Some(()),
            _ => None,
        })
        .await;
    }

    async fn says(&mut self, text: &str) {
        self.node.command(Command::Say(text.to_owned())).await.unwrap();
    }
}

async fn wait<T>(events: &mut Events, mut wanted: impl FnMut(NodeEvent) -> Option<T>) -> T {
    let mut told = Vec::new();
    let found = async {
        loop {
            let event = events.recv().await.expect("the node stopped");
            told.push(format!("{event:?}"));
            if let Some(found) = wanted(event) {
                return found;
            }
        }
    };
    match tokio::time::timeout(Duration::from_secs(20), found).await {
        Ok(found) => found,
        Err(_) => panic!("it did not happen; this did: {told:#?}"),
    }
}

#[tokio::test]
async fn who_knocks_at_an_open_door_comes_in_and_both_talk() {
    let mut ann = Person::start("ann", Options { open: true, ..options() }).await;
    ann.says("anyone here?").await;
    let peers = vec![ann.address.to_string()];
    let mut bob = Person::start("bob", Options { peers, makes_room: false, ..options() }).await;
    // Whose room it is depends on their keys; what bob writes comes through either way.
    bob.says("me").await;
    ann.reads("me").await;
    ann.says("welcome").await;
    bob.reads("welcome").await;
    let (ann_stands, bob_stands) = (ann.node.status().await.unwrap(), bob.node.status().await.unwrap());
    assert_eq!(ann_stands.room.map(|(id, _)| id), bob_stands.room.map(|(id, _)| id));
    ann.node.stop().await;
    bob.node.stop().await;
}

#[tokio::test]
async fn two_who_each_were_alone_meet_after_one_accepts() {
    let mut ann = Person::start("ann", options()).await;
    let mut bob = Person::start("bob", options()).await;
    bob.says("bob alone").await;
    bob.reads("bob alone").await;
    bob.node.command(Command::Dial(ann.address.to_string())).await.unwrap();
    let name = ann
        .until(|event| match event {
            NodeEvent::Knocking { name, .. } => Some(name),
            _ => None,
        })
        .await;
    assert_eq!(name, "bob");
    assert_eq!(ann.node.accept(name).await.unwrap(), "bob");
    for person in [&mut ann, &mut bob] {
        person.until(|event| matches!(event, NodeEvent::Engine(Event::PeerHere { .. })).then_some(())).await;
    }
    ann.says("hello bob").await;
    bob.reads("hello bob").await;
    bob.says("hello ann").await;
    ann.reads("hello ann").await;
}

#[tokio::test]
async fn two_with_empty_homes_that_knock_at_each_other_need_nobodys_yes() {
    let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let peers = vec![free.to_string()];
    let mut ann = Person::start("ann", Options { peers, makes_room: false, ..options() }).await;
    ann.says("is anybody there").await;
    let (peers, listen) = (vec![ann.address.to_string()], Listen::At(free));
    let mut bob = Person::start("bob", Options { peers, listen, makes_room: false, ..options() }).await;
    bob.reads("is anybody there").await;
    bob.says("yes").await;
    ann.reads("yes").await;
}

#[tokio::test]
async fn a_ticket_lets_its_holder_in_and_what_was_written_before_arrives() {
    let mut ann = Person::start("ann", options()).await;
    ann.says("first").await;
    ann.reads("first").await;
    ann.node.command(Command::Invite { expires_ms: None, uses: Some(1) }).await.unwrap();
    let secret = ann
        .until(|event| match event {
            NodeEvent::Engine(Event::Invited { secret, .. }) => Some(secret),
            _ => None,
        })
        .await;
    let ticket = ann.node.ticket(Some(secret)).await.unwrap();
    let mut bob =
        Person::start("bob", Options { ticket: Some(ticket), makes_room: false, ..options() }).await;
    bob.says("written before").await;
    bob.reads("first").await;
    ann.reads("written before").await;
    let folder = bob.folder;
    bob.node.stop().await;
    ann.says("while bob was away").await;
    let mut bob = Person::start_in(folder, "bob", options()).await;
    bob.reads("while bob was away").await;
    let (ann, bob) = (ann.node.status().await.unwrap(), bob.node.status().await.unwrap());
    assert_eq!((ann.entries, ann.digest), (bob.entries, bob.digest));
}

#[tokio::test]
async fn what_was_said_just_before_the_end_reaches_who_is_connected() {
    let mut ann = Person::start("ann", Options { open: true, ..options() }).await;
    ann.says("anyone here?").await;
    ann.reads("anyone here?").await;
    let peers = vec![ann.address.to_string()];
    let mut bob = Person::start("bob", Options { peers, makes_room: false, ..options() }).await;
    bob.until(|event| matches!(event, NodeEvent::Engine(Event::Agreed { .. })).then_some(())).await;
    for number in 0..50 {
        bob.says(&format!("{number}")).await;
    }
    bob.node.stop().await;
    ann.reads("49").await;
}

/// A node's loop that is yet to run, with what it is asked and what it tells.
async fn driver(
    folder: &TempDir,
    options: Options,
) -> (Driver, mpsc::Sender<Request>, mpsc::Receiver<Request>, Events) {
    let (told, events) = mpsc::channel(super::events::BATCHES_MAX);
    let (requests, asked) = mpsc::channel(8);
    let home = Home::open(folder.path()).unwrap();
    let driver = Driver::start(home, options, told, requests.downgrade()).await.unwrap();
    (driver, requests, asked, Events::new(events))
}

#[tokio::test]
async fn a_node_that_nobody_can_ask_any_more_ends_also_if_it_was_busy_when_they_went() {
    let folder = tempfile::tempdir().unwrap();
    let (driver, requests, asked, _events) = driver(&folder, options()).await;
    drop(requests);
    tokio::time::timeout(Duration::from_secs(20), driver.run(asked)).await.unwrap();
}

#[tokio::test]
async fn of_many_invites_of_one_author_the_newest_are_told() {
    let mut ann = Person::start("ann", options()).await;
    let mut last = None;
    for _ in 0..INVITES_TOLD_MAX + 3 {
        last = ann.invites().await.invite.map(|secret| Identity::from_secret(&secret).key());
    }
    // One that is over takes nobody's place.
    ann.invites_until(Some(1)).await;
    let invites = ann.node.status().await.unwrap().invites;
    assert_eq!(invites.len(), INVITES_TOLD_MAX);
    assert_eq!(invites.last().map(|invite| invite.key), last);
}

#[tokio::test]
async fn a_status_says_how_much_each_connection_carried() {
    let mut ann = Person::start("ann", Options { open: true, ..options() }).await;
    let peers = vec![ann.address.to_string()];
    let mut bob = Person::start("bob", Options { peers, makes_room: false, ..options() }).await;
    // So far that whoever moved into the other's room has done so.
    bob.says("before").await;
    ann.reads("before").await;
    let carried = |status: &Status| -> (u64, u64) {
        let peers = status.peers.iter().filter(|peer| peer.standing.is_some());
        peers.map(|peer| (peer.sent_bytes, peer.received_bytes)).next().unwrap()
    };
    let before = [carried(&ann.node.status().await.unwrap()), carried(&bob.node.status().await.unwrap())];
    let long: String = (0..2_000).map(|number| format!("{number} ")).collect();
    ann.says(&long).await;
    bob.reads(&long).await;
    let after = [carried(&ann.node.status().await.unwrap()), carried(&bob.node.status().await.unwrap())];
    // Numbers in a row compress to a third.
    let block = long.len() as u64 / 5;
    assert!(after[0].0 - before[0].0 > block, "{before:?} {after:?}");
    assert!(after[1].1 - before[1].1 > block, "{before:?} {after:?}");
    assert!(after[0].1 - before[0].1 < block, "{before:?} {after:?}");
}
