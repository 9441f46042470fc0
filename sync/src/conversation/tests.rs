use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng as _, SeedableRng as _};
use replica::archive::{Notes, Opened};
use replica::block;
use replica::entry::Entry;
use replica::graph::Graph;
use replica::id::{RoomId, StoreId};
use replica::identity::{Identity, Signature};
use replica::members::Members;

use super::{BlockKind, ConnectionId, Conversation, Origin, SayError, first_entry, live_frames};
use crate::limits::{BATCH_BYTES_MAX, BATCH_WEIGHT_MAX};
use crate::wire::Frame;

const PEER: ConnectionId = ConnectionId(1);

fn conversation(secret: u8, room: RoomId) -> Conversation {
    let notes = Notes {
        whereabouts: std::collections::BTreeMap::new(),
        store: StoreId([secret; 16]),
        incarnation: u64::from(secret),
        drafts: std::collections::BTreeMap::new(),
        home_drafts_taken: 0,
        met: std::collections::BTreeMap::new(),
    };
    let opened = Opened { graph: Graph::new(room), members: Members::default(), notes };
    Conversation::new(opened, Identity::from_secret(&[secret; 32]), format!("person {secret}"))
}

/// Ann, who made a room and wrote her name, all of it durable; and bob, who has nothing of it yet.
fn ann_and_bob() -> (Conversation, Conversation) {
    let identity = Identity::from_secret(&[1; 32]);
    let chain = replica::id::ChainId { author: identity.key(), incarnation: 1 };
    let first = first_entry(&identity, chain, "home", 3600, 1_000).unwrap();
    let room = RoomId(first.id().0);
    let mut ann = conversation(1, room);
    ann.found("home", 3600, 1_000).unwrap();
    ann.introduce(1_000);
    settle(&mut ann);
    (ann, conversation(2, room))
}

/// Makes everything durable, and answers the entries that were.
fn settle(conversation: &mut Conversation) -> Vec<Entry> {
    let mut entries = Vec::new();
    while conversation.poll_batch().is_some() {
        entries.extend(conversation.persisted().units.into_iter().flat_map(|unit| unit.entries));
    }
    entries
}

fn live(entries: &[Entry], of: &Conversation) -> Vec<u8> {
    match live_frames(entries, of.graph()).remove(0).0 {
        Frame::Live(block) => block,
        other => panic!("not a LIVE frame: {other:?}"),
    }
}

/// Everything ann has, as one LIVE block.
fn all_of(ann: &mut Conversation) -> Vec<u8> {
    let (mut again, _) = ann_and_bob();
    let mut twin = conversation(1, ann.graph().room());
    twin.found("home", 3600, 1_000).unwrap();
    twin.introduce(1_000);
    let entries = settle(&mut twin);
    let block = live(&entries, &again);
    settle(&mut again);
    block
}

#[test]
fn what_is_said_is_told_to_nobody_before_it_is_durable() {
    let (mut ann, _) = ann_and_bob();
    let before = (ann.graph().digest(), ann.graph().tips());
    ann.say("hi", 2_000, Some(7)).unwrap();
    assert!(ann.poll_batch().is_some());
    assert_eq!((ann.graph().digest(), ann.graph().tips()), before);
    ann.say("while the disk is busy", 2_001, None).unwrap();
    assert!(ann.poll_batch().is_none(), "one batch at a time");
    let landed = ann.persisted();
    assert_eq!(landed.units.len(), 1);
    assert_eq!(landed.units[0].origin, Origin::Own(Some(7)));
    assert_ne!(ann.graph().digest(), before.0);
    assert!(!ann.is_settled());
    settle(&mut ann);
    assert!(ann.is_settled());
}

#[test]
fn a_garbage_copy_does_not_keep_the_real_entry_out() {
    let (mut ann, mut bob) = ann_and_bob();
    let history = all_of(&mut ann);
    bob.receive(PEER, 0, BlockKind::Live, history);
    ann.say("the real one", 2_000, None).unwrap();
    let real = settle(&mut ann);
    let record = real[0].record().clone();
    let forged = Entry::new(record, &ann.graph().room(), Some(Signature([7; 64]))).unwrap();
    let received = bob.receive(PEER, 1, BlockKind::Live, live(&[forged], &ann));
    assert_eq!((received.taken.len(), received.offences.len()), (0, 1));
    let received = bob.receive(ConnectionId(2), 0, BlockKind::Live, live(&real, &ann));
    assert_eq!(received.taken, [(ConnectionId(2), 0, 1)]);
    assert!(bob.graph().position(&real[0].id()).is_some());
}

#[test]
fn what_comes_before_its_cause_waits_for_it() {
    let (mut ann, mut bob) = ann_and_bob();
    let history = all_of(&mut ann);
    ann.say("later", 2_000, None).unwrap();
    let later = settle(&mut ann);
    let received = bob.receive(PEER, 0, BlockKind::Live, live(&later, &ann));
    assert!(received.taken.is_empty() && received.offences.is_empty());
    assert!(bob.graph().is_empty());
    let received = bob.receive(PEER, 1, BlockKind::Live, history);
    assert_eq!(received.taken.len(), 2);
    assert!(bob.graph().position(&later[0].id()).is_some());
}

#[test]
fn who_is_no_member_yet_keeps_drafts() {
    let (_, mut bob) = ann_and_bob();
    bob.say("before", 2_000, Some(1)).unwrap();
    let batch = bob.poll_batch().unwrap();
    assert_eq!(batch.drafts.len(), 1);
    let landed = bob.persisted();
    assert_eq!(landed.drafts[0].0, Some(1));
    assert_eq!(bob.drafts().count(), 1);
    assert_eq!(bob.say("", 2_000, None), Err(SayError::Form));
    assert_eq!(bob.say(&"x".repeat(16 * 1024 + 1), 2_000, None), Err(SayError::Form));
}

#[test]
fn a_failed_store_takes_nothing_more() {
    let (mut ann, _) = ann_and_bob();
    ann.store_failed();
    assert_eq!(ann.say("lost?", 2_000, None), Err(SayError::ReadOnly));
    assert!(ann.poll_batch().is_none());
}

#[test]
fn a_twin_that_moves_others_to_a_branch_becomes_durable_with_them() {
    let (mut ann, mut bob) = ann_and_bob();
    let history = all_of(&mut ann);
    bob.receive(PEER, 0, BlockKind::Live, history);
    settle(&mut bob);
    // More than one batch usually takes, packed as well as it may be.
    let mut rng = ChaCha8Rng::seed_from_u64(1);
    for number in 0..100 {
        let noise: String = (0..16_000).map(|_| char::from(b' ' + (rng.next_u32() % 94) as u8)).collect();
        ann.say(&noise, 2_000 + number, None).unwrap();
    }
    let line = settle(&mut ann);
    let twin = (0..)
        .find_map(|number| {
            let (mut copy, _) = ann_and_bob();
            copy.say(&format!("from a copy, {number}"), 2_000, None).unwrap();
            settle(&mut copy).pop().filter(|twin| twin.id() < line[0].id())
        })
        .unwrap();
    for (number, entry) in (1..).zip(line.iter().chain([&twin])) {
        let received = bob.receive(PEER, number, BlockKind::Live, live(std::slice::from_ref(entry), &ann));
        assert_eq!(received.taken.len(), 1);
    }
    let batch = bob.poll_batch().unwrap();
    assert!(batch.blocks.iter().map(|block| block.bytes.len()).sum::<usize>() > BATCH_BYTES_MAX);
    assert_eq!(batch.blocks.iter().map(|block| block.rows.len()).sum::<usize>(), line.len() + 1);
}

#[test]
fn a_draft_goes_in_the_batch_in_which_its_entry_comes() {
    let (mut ann, mut bob) = ann_and_bob();
    bob.say("before", 2_000, None).unwrap();
    settle(&mut bob);
    let history = all_of(&mut ann);
    bob.receive(PEER, 0, BlockKind::Live, history);
    ann.admit(bob.me(), None, 2_000, None).unwrap();
    let admission = settle(&mut ann);
    bob.receive(PEER, 1, BlockKind::Live, live(&admission, &ann));
    settle(&mut bob);
    bob.introduce(3_000);
    let batch = bob.poll_batch().unwrap();
    assert_eq!(batch.drafts_done, [0]);
    let written = bob.persisted().units.into_iter().flat_map(|unit| unit.entries);
    assert!(written.into_iter().any(|entry| entry.record().body == b"before"));
}

#[test]
fn what_others_claim_is_no_clock_of_ours() {
    let (mut ann, _) = ann_and_bob();
    ann.say("from a clock a year ahead", 2_000 + 366 * 86_400_000, None).unwrap();
    settle(&mut ann);
    ann.say("from one that is right", 3_000, None).unwrap();
    assert_eq!(settle(&mut ann)[0].record().claimed_ms, 3_000);
}

#[test]
fn a_batch_is_bounded_by_what_it_takes_in_memory_too() {
    let (mut ann, mut bob) = ann_and_bob();
    let history = all_of(&mut ann);
    bob.receive(PEER, 0, BlockKind::Live, history);
    settle(&mut bob);
    let blocks = 2 * BATCH_WEIGHT_MAX / 64_000;
    for number in 0..blocks {
        (0..4).for_each(|_| ann.say(&"a".repeat(16_000), 2_000, None).map(drop).unwrap());
        let block = block::encode(&settle(&mut ann), false, ann.graph()).unwrap();
        assert!(block.len() * blocks < BATCH_BYTES_MAX);
        let received = bob.receive(PEER, number as u64 + 1, BlockKind::Data, block);
        assert_eq!(received.taken.len(), 1);
    }
    let batch = bob.poll_batch().unwrap();
    assert!((blocks / 3..blocks).contains(&batch.blocks.len()), "{} of {blocks}", batch.blocks.len());
}
