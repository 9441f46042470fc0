use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng as _, SeedableRng as _};
use replica::entry::Remove;
use replica::id::{ChainId, EntryId};

use super::*;
use crate::engine::bench::{Bench, closed, person, reads, sent};
use crate::engine::{Command, Input, Settings};
use crate::limits::{WINDOW_FIRST_BYTES, WINDOW_OVERSHOOT_BYTES};
use crate::session::{Outgoing, Session};
use crate::wire::{ByeReason, Have, Tip, Want, WantChain};

/// Ann, with bob (2) and carol (3) in her room, both there and with all there is.
fn bench() -> Bench {
    let mut bench = Bench::new(Settings::default(), 2);
    bench.meet(2, &person(2));
    bench.meet(3, &person(3));
    bench
}

fn session(bench: &mut Bench, number: u64) -> &mut Session {
    bench.engine.sessions.get_mut(&ConnectionId(number)).unwrap()
}

/// Who was sent entries, in blocks of how many bytes.
fn blocks(outputs: &[Output]) -> Vec<(u64, usize)> {
    let blocks = sent(outputs).into_iter().map(|(number, frame)| (number, block_bytes(frame)));
    blocks.filter(|(_, bytes)| *bytes > 0).collect()
}

/// The blocks of DATA that were sent, and how many entries were said to follow.
fn data(outputs: &[Output]) -> Vec<(&[u8], u64)> {
    let data = sent(outputs).into_iter().filter_map(|(_, frame)| match frame {
        Frame::Data(data) => Some((data.block.as_slice(), data.remaining)),
        _ => None,
    });
    data.collect()
}

/// A text that hardly gets smaller.
fn noise(seed: u64, bytes: usize) -> String {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    (0..bytes).filter_map(|_| char::from_digit(rng.next_u32() % 16, 16)).collect()
}

#[test]
fn what_one_says_goes_to_all_others_at_once() {
    let mut bench = bench();
    let outputs = bench.command(Command::Say("hi".to_owned()));
    let [(2, bytes), (3, same)] = blocks(&outputs)[..] else { panic!("{outputs:?}") };
    assert_eq!(bytes, same);
    let rest = WINDOW_FIRST_BYTES - bytes;
    let outgoing = &session(&mut bench, 2).outgoing;
    assert!(outgoing.takes(rest) && !outgoing.takes(rest + 1) && outgoing.sent == 1);
    let yo = bench.written(&person(2), "yo");
    let outputs = bench.hear(2, &[yo]);
    assert_eq!(blocks(&outputs).iter().map(|(to, _)| *to).collect::<Vec<_>>(), [3], "bob has it");
    let acks = sent(&outputs).into_iter().filter(|(_, frame)| matches!(frame, Frame::Ack(Ack { frames: 1 })));
    assert_eq!(acks.map(|(to, _)| to).collect::<Vec<_>>(), [2]);
}

#[test]
fn who_is_not_served_or_has_not_told_what_it_lacks_is_sent_nothing() {
    let mut bench = bench();
    bench.connect(4, &person(4));
    let durable = bench.engine.conversation().graph().durable();
    session(&mut bench, 4).outgoing.resume(durable);
    session(&mut bench, 3).outgoing = Outgoing::new(durable);
    let outputs = bench.command(Command::Say("hi".to_owned()));
    assert_eq!(blocks(&outputs).iter().map(|(to, _)| *to).collect::<Vec<_>>(), [2]);
    assert_eq!(reads(&outputs), []);
}

#[test]
fn who_takes_less_than_there_is_reads_it_from_the_log() {
    let mut bench = bench();
    session(&mut bench, 2).outgoing.sent(WINDOW_FIRST_BYTES - 10, 1);
    let outputs = bench.command(Command::Say("hi".to_owned()));
    let new = bench.engine.conversation().graph().durable() - 1;
    assert_eq!(blocks(&outputs).iter().map(|(to, _)| *to).collect::<Vec<_>>(), [3]);
    assert_eq!(reads(&outputs), [(2, &[new][..])]);
}

#[test]
fn what_somebody_told_of_is_not_sent_to_them_unless_it_was_forked() {
    let tell = |bench: &mut Bench, entry: &Entry| {
        let chain = ChainId { author: person(2).key(), incarnation: 9 };
        let tip = Tip { chain, seq: 1, id: entry.id(), signature: *entry.signature().unwrap() };
        bench.frame(3, Frame::Have(Have { tips: vec![tip], last: true }));
    };
    let mut bench = bench();
    let (one, other) = (bench.written(&person(2), "one"), bench.written(&person(2), "other"));
    tell(&mut bench, &one);
    assert_eq!(blocks(&bench.hear(2, std::slice::from_ref(&one))), []);
    // She may have either branch.
    tell(&mut bench, &other);
    assert_eq!(blocks(&bench.hear(2, &[other])).len(), 1);
}

#[test]
fn who_passes_on_a_flood_is_slowed_and_not_silenced() {
    for (over, is_silenced) in [(2, true), (3, false)] {
        let mut bench = bench();
        bench.command(Command::Say("I speak too".to_owned()));
        for _ in 0..101 {
            let much = bench.written(&person(2), "much");
            bench.hear(over, &[much]);
        }
        assert_eq!(session(&mut bench, over).incoming.paced_until_ms.is_some(), is_silenced);
    }
}

/// A log that ends in so many texts of carol's, of so many bytes each, as blocks that are stored; of all of them bob, who
/// is there alone, has none. Where they begin.
fn stored(texts: &[&[usize]]) -> (Bench, Vec<StoredBlock>, Position) {
    let mut bench = Bench::new(Settings::default(), 2);
    let first = bench.engine.conversation().graph().durable();
    let mut blocks = Vec::new();
    for texts in texts {
        let at = bench.engine.conversation().graph().durable();
        let mut entries = Vec::new();
        for (bytes, seed) in texts.iter().zip(at..) {
            entries.push(bench.written(&person(3), &noise(u64::from(seed), *bytes)));
            let block = bench.block(&entries[entries.len() - 1..]);
            bench.command(Command::Import(block));
        }
        let bytes = bench.block(&entries);
        blocks.push(StoredBlock { first: at, count: u32::try_from(texts.len()).unwrap(), bytes });
    }
    bench.connect(2, &person(2));
    (bench, blocks, first)
}

/// Bob, who takes all of it, asks for what carol wrote from a position on, and the store answers with these blocks.
fn serve(bench: &mut Bench, from: Position, blocks: Vec<StoredBlock>) -> Vec<Output> {
    let graph = bench.engine.conversation().graph();
    let is_carols = graph.chain(from - 1).author == person(3).key();
    let below = is_carols.then(|| graph.id(from - 1)).into_iter().collect();
    let want = WantChain { tip: graph.id(graph.durable() - 1), from: below };
    session(bench, 2).outgoing.grant(u32::MAX);
    let outputs = bench.frame(2, Frame::Want(Want { chains: vec![want], last: true }));
    assert_eq!(reads(&outputs).len(), 1);
    bench.handle(Input::Blocks(ConnectionId(2), blocks))
}

fn decoded(bench: &Bench, data: &[u8]) -> Vec<EntryId> {
    let graph = bench.engine.conversation().graph();
    block::decode(data, &graph.room(), graph).unwrap().iter().map(Entry::id).collect()
}

fn ids(bench: &Bench, positions: std::ops::Range<Position>) -> Vec<EntryId> {
    positions.map(|at| bench.engine.conversation().graph().id(at)).collect()
}

#[test]
fn small_blocks_are_put_together_as_far_as_they_fit() {
    let large: &[usize] = &[4_000; 3];
    let (mut bench, blocks, first) = stored(&[&[10], &[10, 20], large, large, large, large, large]);
    let outputs = serve(&mut bench, first, blocks);
    let frames = data(&outputs);
    assert_eq!(frames.iter().map(|(_, remaining)| *remaining).collect::<Vec<_>>(), [3, 0]);
    let all: Vec<EntryId> = frames.iter().flat_map(|(block, _)| decoded(&bench, block)).collect();
    assert_eq!(all, ids(&bench, first..first + 18));
}

#[test]
fn of_a_block_a_peer_gets_what_it_lacks() {
    let (mut bench, blocks, first) = stored(&[&[10; 5]]);
    let outputs = serve(&mut bench, first + 3, blocks);
    let [(block, 0)] = data(&outputs)[..] else { panic!("{outputs:?}") };
    assert_eq!(decoded(&bench, block), ids(&bench, first + 3..first + 5));
    assert_eq!(session(&mut bench, 2).outgoing.sent, 2);
}

#[test]
fn a_large_block_that_is_lacked_goes_as_it_is_and_is_not_opened() {
    let opaque =
        |count: u32, bytes: usize, first: Position| StoredBlock { first, count, bytes: vec![7; bytes] };
    for (above, bytes, is_sent) in [(0, 8_192, true), (0, 8_191, false), (1, 8_192, false)] {
        let (mut bench, _, first) = stored(&[&[10; 4]]);
        let outputs = serve(&mut bench, first + above, vec![opaque(4, bytes, first)]);
        assert_eq!(data(&outputs).len(), usize::from(is_sent), "{above} {bytes}");
    }
    // How many are behind each: those that were read, and those that were not.
    let (mut bench, mut blocks, first) = stored(&[&[10; 4], &[10; 3], &[10; 2], &[10; 6]]);
    blocks.truncate(3);
    let large = blocks.iter().map(|block| opaque(block.count, 9_000, block.first)).collect();
    let outputs = serve(&mut bench, first, large);
    assert_eq!(data(&outputs).iter().map(|(_, remaining)| *remaining).collect::<Vec<_>>(), [11, 8, 6]);
    assert_eq!(session(&mut bench, 2).outgoing.sent, 9);
}

#[test]
fn of_a_block_whose_signature_is_behind_what_is_lacked_all_is_sent_once() {
    let (mut bench, blocks, first) = stored(&[&[10; 5]]);
    // It was told of the third as of a tip, when that was one.
    let positions = [first + 1, first + 2];
    let outgoing = &mut session(&mut bench, 2).outgoing;
    outgoing.request(positions);
    outgoing.end_request();
    outgoing.resume(first + 5);
    bench.handle(Input::Tick);
    let outputs = bench.handle(Input::Blocks(ConnectionId(2), blocks.clone()));
    assert_eq!(data(&outputs), [(&blocks[0].bytes[..], 0)]);
    assert_eq!(session(&mut bench, 2).outgoing.sent, 5);
}

#[test]
fn blocks_that_were_read_for_nobody_are_not_sent() {
    let (mut bench, blocks, first) = stored(&[&[10; 5]]);
    assert_eq!(data(&bench.handle(Input::Blocks(ConnectionId(77), blocks.clone()))).len(), 0);
    let outputs = serve(&mut bench, first + 4, blocks.clone());
    assert_eq!(data(&outputs).len(), 1);
    assert_eq!(data(&bench.handle(Input::Blocks(ConnectionId(2), blocks))).len(), 0, "it has them");
    assert!(!session(&mut bench, 2).outgoing.is_reading);
}

#[test]
fn what_came_in_one_block_is_passed_on_in_one_unless_it_is_known() {
    let bench = bench();
    let texts = ["one", "two"];
    let graph = bench.engine.conversation().graph();
    let entries: Vec<Entry> =
        [2, 3].iter().zip(texts).map(|(who, text)| bench.written(&person(*who), text)).collect();
    let bytes = bench.block(&entries);
    let first = graph.len();
    let unit = |block: Option<Vec<u8>>| Unit {
        entries: entries.clone(),
        first,
        block,
        origin: crate::conversation::Origin::Peer(ConnectionId(2), 0),
    };
    let frames = |held: &[Position], units: &[Unit]| {
        let made = frames_without(&held.iter().copied().collect(), units, graph);
        made.into_iter()
            .map(|(frame, entries)| (matches!(frame, Frame::Data(_)), entries))
            .collect::<Vec<_>>()
    };
    let (whole, apart) = (unit(Some(bytes)), unit(None));
    assert_eq!(frames(&[], &[unit(None), unit(whole.block.clone())]), [(false, 2), (true, 2)]);
    assert_eq!(frames(&[first], std::slice::from_ref(&whole)), [(true, 2)]);
    assert_eq!(frames(&[first, first + 1], &[whole]), []);
    assert_eq!(frames(&[first], std::slice::from_ref(&apart)), [(false, 1)]);
    assert_eq!(frames(&[first, first + 1], &[apart]), []);
}

#[test]
fn what_is_passed_on_as_it_came_takes_up_what_the_others_grant() {
    let mut bench = bench();
    let yo = bench.written(&person(2), "yo");
    let data = Data { block: bench.block(&[yo]), remaining: 0 };
    let outputs = bench.frame(2, Frame::Data(data.clone()));
    assert_eq!(blocks(&outputs), [(3, data.block.len())]);
    let rest = WINDOW_FIRST_BYTES - data.block.len();
    let outgoing = &session(&mut bench, 3).outgoing;
    assert!(outgoing.takes(rest) && !outgoing.takes(rest + 1));
}

#[test]
fn more_than_may_be_on_its_way_ends_the_connection() {
    let mut bench = bench();
    let much =
        Frame::Data(Data { block: vec![0; WINDOW_FIRST_BYTES + WINDOW_OVERSHOOT_BYTES + 1], remaining: 0 });
    let outputs = bench.frame(2, much);
    assert!(!bench.engine.sessions.contains_key(&ConnectionId(2)), "{outputs:?}");
}

/// An entry of somebody's, composed on what is here, behind another one that is not.
fn behind(bench: &Bench, who: u8, before: Option<&Entry>, body: &Body) -> Entry {
    let graph = bench.engine.conversation().graph();
    let chain = ChainId { author: person(who).key(), incarnation: 9 };
    let mut record = graph.compose(chain, bench.now.wall_ms, body).unwrap();
    if let Some(before) = before {
        (record.seq, record.previous) = (before.record().seq + 1, Some(before.id()));
        record.dependencies.clear();
    }
    Entry::sign(record, &graph.room(), &person(who)).unwrap()
}

#[test]
fn who_is_put_out_gets_what_puts_them_out_and_nothing_written_after_it() {
    let said = || Body::Message("among us".to_owned());
    let removal = || Body::Remove(Box::new(Remove { key: person(2).key(), seen: Vec::new() }));
    let two = |bench: &Bench, first: &Body, second: &Body| {
        let first = behind(bench, 3, None, first);
        let second = behind(bench, 3, Some(&first), second);
        [first, second]
    };
    // How carol brings them, whether they are in one block, how many of them bob gets, and why he is sent away.
    type Brings<'a> = &'a dyn Fn(&Bench) -> [Entry; 2];
    let cases: [(Brings<'_>, bool, usize, ByeReason); 4] = [
        (&|bench| two(bench, &removal(), &said()), false, 1, ByeReason::Removed),
        (&|bench| two(bench, &removal(), &said()), true, 0, ByeReason::Removed),
        (&|bench| two(bench, &said(), &removal()), true, 2, ByeReason::Removed),
        (
            &|bench| [behind(bench, 3, None, &said()), behind(bench, 2, None, &Body::Leave)],
            false,
            2,
            ByeReason::NotMember,
        ),
    ];
    for (number, (brings, in_one_block, count, reason)) in cases.into_iter().enumerate() {
        let mut bench = bench();
        bench.command(Command::Promote(person(3).key()));
        let entries = brings(&bench);
        let outputs = if in_one_block {
            let data = Data { block: bench.block(&entries), remaining: 0 };
            bench.frame(3, Frame::Data(data))
        } else {
            bench.hear(3, &entries)
        };
        assert_eq!(closed(&outputs), [(2, Some(reason))], "case {number}");
        let to_bob = sent(&outputs).into_iter().filter(|(to, _)| *to == 2);
        let told = to_bob.flat_map(|(_, frame)| match frame {
            Frame::Live(block) | Frame::Data(Data { block, .. }) => {
                let graph = bench.engine.conversation().graph();
                block::decode(block, &graph.room(), graph).unwrap()
            }
            _ => Vec::new(),
        });
        let ids = |entries: &[Entry]| entries.iter().map(Entry::id).collect::<Vec<_>>();
        assert_eq!(ids(&told.collect::<Vec<_>>()), ids(&entries[..count]), "case {number}");
    }
}
