//! Several rooms of one home, in one node.

use std::collections::BTreeMap;

use replica::entry::Kind;
use replica::id::RoomId;
use replica::store::StoreError;
use tokio::sync::oneshot;

use super::*;
use crate::channel::{Answers, Credentials, Offer, RoomKey};
use crate::node::keeper::Kept;
use crate::node::listeners::HANDLE;
use crate::node::{NodeError, Request, RoomStatus};
use crate::penalty::Refused;
use crate::transport::{Transport, TransportEvent, TransportLimits};

impl Person {
    async fn room(&self) -> RoomId {
        self.node.status().await.unwrap().room.unwrap().0
    }

    async fn rooms(&self) -> BTreeMap<RoomId, RoomStatus> {
        self.node.status().await.unwrap().rooms.into_iter().map(|room| (room.id, room)).collect()
    }

    /// Until so many messages came in a room that the person is not in. Says in how many tellings.
    async fn hears_of(&mut self, room: RoomId, wanted: u64) -> (usize, bool) {
        let mut tellings = 0;
        self.until(|event| match event {
            NodeEvent::Elsewhere { id, new, names_us, .. } if id == room => {
                tellings += 1;
                (new == wanted).then_some((tellings, names_us))
            }
            _ => None,
        })
        .await
    }
}

/// Ann in a room of her own, which is told too, and in bob's beside it, which she is in now.
async fn ann_beside_bob() -> (Person, Person, RoomId) {
    let mut ann = Person::start("ann", quiet()).await;
    let home = ann.room().await;
    let mut bob = Person::start("bob", quiet()).await;
    let me = ann.node.status().await.unwrap().me;
    ann.node.join(bob.invites().await).await.unwrap();
    // What was there before she was let in may be agreed on first.
    let (mut has_agreed, mut is_named) = (false, false);
    let settled = |event| {
        match event {
            NodeEvent::Engine(Event::Agreed { .. }) => has_agreed = true,
            NodeEvent::Engine(Event::Row(row)) => {
                is_named |= row.author == me && row.kind == Kind::Nickname.number();
            }
            _ => {}
        }
        (has_agreed && is_named).then_some(())
    };
    ann.until(settled).await;
    (ann, bob, home)
}

fn quiet() -> Options {
    Options { attended: false, ..options() }
}

/// Somebody in a room of whoever made the ticket, with everything that is there.
async fn guest(nick: &str, ticket: Ticket) -> Person {
    let mut guest = Person::start(nick, Options { ticket: Some(ticket), makes_room: false, ..quiet() }).await;
    guest.until(|event| matches!(event, NodeEvent::Engine(Event::Agreed { .. })).then_some(())).await;
    guest
}

#[tokio::test]
async fn two_rooms_of_one_home_are_synced_with_different_peers_over_one_listener() {
    let mut ann = Person::start("ann", quiet()).await;
    let home = ann.room().await;
    let to_home = ann.invites().await;
    let mut bob = Person::start("bob", quiet()).await;
    ann.node.join(bob.invites().await).await.unwrap();
    let work = bob.room().await;
    assert_eq!(ann.room().await, work);
    // Carol comes by ann's only listener into the room that ann is not in.
    let mut carol = guest("carol", to_home).await;
    carol.says("to home").await;
    assert_eq!(ann.hears_of(home, 1).await, (1, false));
    bob.says("to work").await;
    ann.reads("to work").await;
    ann.says("heard at work").await;
    bob.reads("heard at work").await;
    let rooms = ann.rooms().await;
    assert_eq!((rooms[&home].peers, rooms[&work].peers), (1, 1), "{rooms:?}");
    assert_eq!((rooms[&home].new, rooms[&work].new), (1, 0), "{rooms:?}");
    let (at_home, at_work) = (carol.node.status().await.unwrap(), bob.node.status().await.unwrap());
    assert_eq!((at_home.messages, at_work.messages), (1, 2));
    ann.node.switch(home).await.unwrap();
    assert_eq!(ann.node.page(None, 1).await.unwrap()[0].text, "to home");
    ann.says("heard at home").await;
    carol.reads("heard at home").await;
}

#[tokio::test]
async fn whoever_has_the_secret_of_none_of_the_rooms_gets_nothing() {
    let (mut ann, _bob, _) = ann_beside_bob().await;
    let before = ann.rooms().await;
    let peers = vec![ann.address.to_string()];
    let mut mallory = Person::start("mallory", Options { peers, ..quiet() }).await;
    mallory.until(|event| matches!(event, NodeEvent::OtherRoom { .. }).then_some(())).await;
    let refused = |event| match event {
        NodeEvent::Refused(refusals) => Some(refusals),
        _ => None,
    };
    let refusals = ann.until(refused).await;
    assert!(refusals.iter().all(|(refused, _)| refused == Refused::NoRoom), "{refusals:?}");
    let status = mallory.node.status().await.unwrap();
    assert_eq!((status.rooms.len(), status.members.len()), (1, 1));
    let entries = |rooms: &BTreeMap<RoomId, RoomStatus>| {
        rooms.values().map(|room| (room.id, room.entries)).collect::<Vec<_>>()
    };
    assert_eq!(entries(&ann.rooms().await), entries(&before));
}

#[tokio::test]
async fn much_that_comes_elsewhere_is_told_together_and_who_is_named_is_told() {
    let (mut ann, mut bob, home) = ann_beside_bob().await;
    let work = bob.room().await;
    ann.node.switch(home).await.unwrap();
    for number in 0..60 {
        bob.says(&format!("number {number}")).await;
    }
    let (tellings, names_us) = ann.hears_of(work, 60).await;
    assert!(tellings < 20 && !names_us, "{tellings} tellings, {names_us}");
    bob.says("ann, are you there?").await;
    assert_eq!(ann.hears_of(work, 61).await, (1, true));
    // What one says oneself is not new to one.
    ann.node.switch(work).await.unwrap();
    ann.says("yes").await;
    ann.reads("yes").await;
    ann.node.switch(home).await.unwrap();
    assert_eq!(ann.rooms().await[&work].new, 0);
}

#[tokio::test]
async fn a_home_is_opened_again_with_all_its_rooms_and_in_the_one_that_was_current() {
    let (ann, mut bob, home) = ann_beside_bob().await;
    let work = bob.room().await;
    ann.node.switch(home).await.unwrap();
    let folder = ann.folder;
    ann.node.stop().await;
    let mut ann = Person::start_in(folder, "ann", quiet()).await;
    assert_eq!(ann.room().await, home);
    bob.says("still here?").await;
    ann.hears_of(work, 1).await;
    let folder = ann.folder;
    ann.node.stop().await;
    // Whoever wants one room opens no other.
    let one = Options { all_rooms: false, ..quiet() };
    let ann = Person::start_in(folder, "ann", one).await;
    let rooms = ann.rooms().await;
    assert_eq!((rooms[&home].is_open, rooms[&work].is_open), (true, false));
}

#[tokio::test]
async fn a_room_that_cannot_be_opened_keeps_no_other_from_it() {
    let ann = Person::start("ann", quiet()).await;
    let mut bob = Person::start("bob", quiet()).await;
    let home = ann.room().await;
    ann.node.join(bob.invites().await).await.unwrap();
    let work = bob.room().await;
    let folder = ann.folder;
    ann.node.stop().await;
    let mut at = Home::open(folder.path()).unwrap();
    at.change(|state| state.current_room = Some(home)).unwrap();
    let store = at.store_dir(&work);
    drop(at);
    for file in ["db", "conf"] {
        std::fs::write(store.join(file), "nonsense").unwrap();
    }
    let mut ann = Person::start_in(folder, "ann", quiet()).await;
    let failed = ann
        .until(|event| match event {
            NodeEvent::RoomFailed { id, .. } => Some(id),
            _ => None,
        })
        .await;
    assert_eq!(failed, work);
    assert!(matches!(ann.node.switch(work).await, Err(NodeError::Store { .. })));
    ann.says("still at home").await;
    ann.reads("still at home").await;
    let rooms = ann.rooms().await;
    assert!(!rooms[&work].is_open && rooms[&work].trouble.is_some(), "{rooms:?}");
}

#[tokio::test]
async fn who_comes_for_a_room_before_it_is_open_is_not_sent_away() {
    let mut ann = Person::start("ann", quiet()).await;
    let ticket = ann.invites().await;
    ann.node.join(Ticket { room: RoomId([9; 32]), secret: [9; 32], ..ticket.clone() }).await.unwrap();
    let folder = ann.folder;
    ann.node.stop().await;
    let (mut driver, _asking, asked, _events) = driver(&folder, quiet()).await;
    let address = driver.listening[0];
    let mut carol = Transport::new(TransportLimits::default(), Answers::default());
    let credentials = Credentials {
        room: ticket.room,
        key: RoomKey::from_secret(&ticket.secret),
        identity: Identity::from_secret(&[3; 32]),
        cards: Vec::new(),
        invite: None,
    };
    carol.dial(address, Offer::Member(Box::new(credentials)));
    driver.open_next();
    assert!(!driver.rooms.contains_key(&ticket.room), "else this tests nothing");
    let mut running = tokio::task::JoinSet::new();
    running.spawn(driver.run(asked));
    let met = carol.next_event().await;
    assert!(matches!(met, TransportEvent::Connected { .. }), "{met:?}");
}

#[tokio::test]
async fn who_comes_for_a_room_that_cannot_be_opened_waits_no_longer_than_it_is_tried() {
    let (folder, mut bob) = (tempfile::tempdir().unwrap(), Person::start("bob", quiet()).await);
    let ticket = bob.invites().await;
    let (mut driver, ..) = driver(&folder, quiet()).await;
    driver.keep_ticket(&ticket).unwrap();
    let store = driver.home.store_dir(&ticket.room);
    std::fs::create_dir_all(store.parent().unwrap()).unwrap();
    std::fs::write(&store, "no folder").unwrap();
    driver.open_all();
    driver.open_next();
    assert!(driver.transport.awaits_more());
    driver.open_room(ticket.room).await.unwrap_err();
    driver.open_next();
    assert!(!driver.transport.awaits_more());
}

#[tokio::test]
async fn nobody_waits_for_a_room_to_be_opened_but_who_asked_for_it() {
    let (folder, mut bob) = (tempfile::tempdir().unwrap(), Person::start("bob", quiet()).await);
    let ticket = bob.invites().await;
    let (mut driver, ..) = driver(&folder, quiet()).await;
    let home = driver.room().unwrap();
    driver.keep_ticket(&ticket).unwrap();
    let (answer, mut answered) = oneshot::channel();
    driver.on_request(HANDLE, Request::Switch { room: ticket.room, answer }).await;
    assert!(driver.rooms.keys().eq([&home]), "the loop goes on before it is open");
    let (asks, status) = oneshot::channel();
    driver.on_request(HANDLE, Request::Status(asks)).await;
    assert_eq!(status.await.unwrap().unwrap().room.unwrap().0, home);
    assert!(answered.try_recv().is_err());
    driver.open_next();
    let opened = driver.opening.join_next().await.unwrap().unwrap();
    driver.on_opened(opened);
    driver.answer_postponed().await;
    answered.await.unwrap().unwrap();
    assert_eq!(driver.room(), Some(ticket.room));
}

#[tokio::test]
async fn the_store_of_one_room_fails_and_the_other_goes_on() {
    let (folder, mut bob) = (tempfile::tempdir().unwrap(), Person::start("bob", quiet()).await);
    let ticket = bob.invites().await;
    let (mut driver, requests, asked, mut events) = driver(&folder, quiet()).await;
    let home = driver.room().unwrap();
    driver.join(&ticket).await.unwrap();
    driver.on_kept(ticket.room, Kept::Failed(StoreError::Failed));
    let is_read_only = |room: &RoomId| driver.rooms[room].engine.conversation().is_read_only();
    assert!(is_read_only(&ticket.room) && !is_read_only(&home));
    let mut running = tokio::task::JoinSet::new();
    running.spawn(driver.run(asked));
    requests.send(Request::Command(1, Command::Say("still here".to_owned()))).await.unwrap();
    let mut failed = None;
    wait(&mut events, |event| {
        match event {
            NodeEvent::RoomFailed { id, .. } => failed = Some(id),
            NodeEvent::Failed(why) => panic!("our room failed: {why}"),
            NodeEvent::Engine(Event::Row(row)) if row.text == "still here" => return Some(()),
            _ => {}
        }
        None
    })
    .await;
    assert_eq!(failed, Some(ticket.room));
    drop(requests);
    running.join_next().await.unwrap().unwrap();
}
