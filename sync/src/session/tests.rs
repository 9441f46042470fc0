use replica::graph::Graph;
use replica::id::{AuthorKey, Digest, RoomId, StoreId};

use super::{Session, Standing};
use crate::channel::PeerProof;
use crate::conversation::ConnectionId;
use crate::wire::{Hello, PROTOCOL};

const HERE: Digest = Digest([1; 32]);
const ELSEWHERE: Digest = Digest([2; 32]);

/// A connection to a member that said hello and has everything, of a log of ten entries.
fn session() -> Session {
    let proof = PeerProof { author: AuthorKey([7; 32]), cards: Vec::new(), invite: None, channel: [0; 32] };
    let graph = Graph::new(RoomId([0; 32]));
    let mut session = Session::new(ConnectionId(1), &proof, "127.0.0.1:1".to_owned(), false, &graph, 0);
    session.hello = Some(Hello { protocol: PROTOCOL, store: StoreId([0; 16]), digest: HERE, entries: 10 });
    session.is_served = true;
    session.outgoing.resume(10);
    session
}

#[test]
fn a_session_rests_when_nothing_is_under_way_in_either_direction() {
    assert!(session().is_at_rest(10));
    let moved: [fn(&mut Session); 4] = [
        |session| session.hello = None,
        |session| session.untold.push_back(3),
        |session| session.outgoing.is_reading = true,
        |session| session.incoming.bulk_since_ms = Some(0),
    ];
    for (index, moves) in moved.into_iter().enumerate() {
        let mut session = session();
        moves(&mut session);
        assert!(!session.is_at_rest(10), "{index}");
    }
    assert!(!session().is_at_rest(11), "one more is durable here");
}

#[test]
fn all_is_handed_over_once_the_peer_has_confirmed_what_it_may_have() {
    let mut session = session();
    assert!(session.is_handed_over(10));
    assert!(!session.is_handed_over(11));
    session.outgoing.sent(1, 1);
    assert!(!session.is_handed_over(10), "it is on its way");
    session.is_served = false;
    assert!(session.is_handed_over(11), "it gets nothing");
    session.is_served = true;
    session.outgoing = super::Outgoing::new(10);
    assert!(!session.is_handed_over(10), "it is not known what it has");
}

#[test]
fn where_two_stand_follows_from_what_each_lacks() {
    let lacks = |here: u64, durable| {
        let mut session = session();
        session.incoming.want(here, true, 0);
        session.standing(ELSEWHERE, durable)
    };
    assert_eq!(lacks(1, 11), Standing::Diverged);
    assert_eq!(lacks(1, 10), Standing::Behind);
    assert_eq!(lacks(0, 11), Standing::Ahead);
    assert_eq!(lacks(0, 10), Standing::Agreed, "until the next digests are told");
    let mut greeting = session();
    greeting.hello = None;
    greeting.incoming.want(1, true, 0);
    assert_eq!(greeting.standing(HERE, 11), Standing::Connecting);
}

#[test]
fn who_lacks_nothing_agrees_unless_digests_say_otherwise() {
    let mut session = session();
    session.unequal = 1;
    assert_eq!(session.standing(HERE, 10), Standing::Connecting);
    session.peer_digest = Some(HERE);
    assert_eq!(session.standing(HERE, 10), Standing::Agreed);
    assert_eq!(session.standing(ELSEWHERE, 10), Standing::Connecting);
    session.unequal = 0;
    session.outgoing = super::Outgoing::new(10);
    assert_eq!(session.standing(ELSEWHERE, 10), Standing::Connecting, "it is not known what it has");
}
