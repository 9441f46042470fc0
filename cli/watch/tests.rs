use replica::id::Digest;
use replica::identity::Identity;
use replica_sync::node::PeerStatus;
use replica_sync::penalty::Refusals;

use super::*;

pub(crate) fn status(peers: Vec<PeerStatus>) -> Status {
    Status {
        room: None,
        rooms: Vec::new(),
        me: Identity::from_secret(&[1; 32]).key(),
        nick: String::new(),
        topic: None,
        is_member: true,
        entries: 0,
        messages: 0,
        heads: Vec::new(),
        digest: Digest([0; 32]),
        is_settled: true,
        drafts: Vec::new(),
        members: Vec::new(),
        blocked: Vec::new(),
        invites: Vec::new(),
        forked: Vec::new(),
        peers,
        behind: 0,
        documents_in_use: 0,
        listening: Vec::new(),
        is_offline: false,
        outside: None,
        discovery: Vec::new(),
        refused: Refusals::default(),
        is_read_only: false,
    }
}

pub(crate) fn peer(standing: Option<Standing>, failures: u32) -> PeerStatus {
    PeerStatus {
        author: None,
        nick: None,
        address: "a:1".to_owned(),
        standing,
        failures,
        retry_ms: None,
        is_spare: false,
        is_other_room: false,
        missing_here: 0,
        missing_there: 0,
        sent_bytes: 0,
        received_bytes: 0,
    }
}

fn refused() -> NodeEvent {
    NodeEvent::Engine(Event::DialFailed { address: "a:1".to_owned(), trouble: Trouble::RoomRefused })
}

fn agreed(address: &str) -> NodeEvent {
    let author = Identity::from_secret(&[2; 32]).key();
    let (connection, address) = (ConnectionId(1), address.to_owned());
    NodeEvent::Engine(Event::Agreed { connection, author, address, sent: 3, received: 4, millis: 5 })
}

#[test]
fn it_is_over_when_everyone_agreed_or_failed_once() {
    let mut watch = Watch::new(&[]);
    let settled = |watch: &Watch, peers| watch.is_settled(&status(peers));
    assert!(settled(&watch, vec![]));
    assert!(settled(&watch, vec![peer(None, 1)]));
    assert!(!settled(&watch, vec![peer(None, 0)]));
    let agrees = peer(Some(Standing::Agreed), 0);
    assert!(!settled(&watch, vec![agrees.clone()]), "it was not told yet");
    watch.note(&agreed("a:1"));
    assert!(settled(&watch, vec![agrees.clone(), peer(None, 1)]));
    assert!(!settled(&watch, vec![agrees, peer(Some(Standing::Behind), 0)]));
}

#[test]
fn it_is_not_over_while_we_knock() {
    let mut watch = Watch::new(&["a:1".to_owned()]);
    let address = "a:1".to_owned();
    for (event, settled) in [
        (refused(), false),
        (NodeEvent::KnockSent { address: address.clone() }, false),
        (NodeEvent::KnockAnswered { address: address.clone() }, true),
        (refused(), false),
        (NodeEvent::OtherRoom { address }, true),
    ] {
        assert!(watch.note(&event));
        assert_eq!(watch.is_settled(&status(vec![peer(None, 1)])), settled, "{event:?}");
    }
    assert!(watch.refusal().is_some());
}

#[test]
fn a_stranger_at_an_address_nobody_named_is_no_failure() {
    let mut watch = Watch::new(&[]);
    watch.note(&refused());
    watch.note(&NodeEvent::OtherRoom { address: "a:1".to_owned() });
    assert!(watch.refusal().is_none());
    assert!(watch.is_settled(&status(vec![peer(None, 1)])));
}

#[test]
fn every_address_has_an_outcome() {
    let mut watch = Watch::new(&[]);
    watch.note(&agreed("b:2"));
    let outcomes = watch.outcomes(&status(vec![peer(None, 2)]));
    let told: Vec<_> = outcomes.iter().map(|it| (it.address.as_str(), it.agreed, it.received)).collect();
    assert_eq!(told, [("b:2", true, 4), ("a:1", false, 0)]);
}

#[test]
fn an_address_that_need_not_be_dialled_is_not_waited_for() {
    let watch = Watch::new(&[]);
    let spare = PeerStatus { is_spare: true, ..peer(None, 0) };
    assert!(watch.is_settled(&status(vec![spare.clone()])));
    assert!(watch.outcomes(&status(vec![spare])).is_empty());
}

#[test]
fn that_another_room_is_there_counts_once_it_was_told() {
    let mut watch = Watch::new(&["a:1".to_owned()]);
    let elsewhere = PeerStatus { is_other_room: true, ..peer(None, 1) };
    assert!(!watch.is_settled(&status(vec![elsewhere.clone()])));
    watch.note(&refused());
    watch.note(&NodeEvent::OtherRoom { address: "a:1".to_owned() });
    assert!(watch.is_settled(&status(vec![elsewhere])));
    assert!(watch.refusal().is_some());
}

#[test]
fn what_waits_to_be_said_is_waited_for_where_somebody_is_met() {
    let mut watch = Watch::default();
    watch.note(&agreed("a:1"));
    let at_rest = status(vec![peer(Some(Standing::Agreed), 0)]);
    assert!(watch.is_settled(&at_rest));
    let drafts = vec![(1, "waits for an admission".to_owned())];
    assert!(!watch.is_settled(&Status { drafts: drafts.clone(), ..at_rest.clone() }));
    assert!(!watch.is_settled(&Status { is_settled: false, ..at_rest }));
    // Where nobody is there, nobody can admit us.
    assert!(watch.is_settled(&Status { drafts, ..status(vec![peer(None, 1)]) }));
}
