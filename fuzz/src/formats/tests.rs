use replica::entry::{Body, Entry, Record};
use replica::id::{AuthorKey, ChainId, Digest, EntryId, RoomId, StoreId};
use replica::identity::Signature;
use replica_sync::wire::{
    self, Ack, Bye, ByeReason, Credit, Data, Frame, Have, Hello, Locate, PROTOCOL, Ping, Seen, SeenRecord,
};
use replica_sync::wire::{Want, WantChain};

use super::{Anything, block, check_chunks, check_decode, check_rendezvous};

/// Entries of two chains, with dependencies in the block and outside of it.
fn entries(count: u8) -> Vec<Entry> {
    let room = RoomId([7; 32]);
    let mut author = [0; 32];
    author[..4].copy_from_slice(b"anna");
    let mut entries: Vec<Entry> = Vec::new();
    for number in 0..count {
        let chain = ChainId { author: AuthorKey(author), incarnation: u64::from(number % 2) };
        let before = entries.iter().rev().find(|entry| entry.record().chain == chain);
        let outside = Anything.find_any(number);
        let mut dependencies: Vec<EntryId> =
            entries.last().map(Entry::id).into_iter().chain([outside]).collect();
        dependencies.sort_unstable();
        let record = Record {
            kind: 5,
            chain,
            seq: before.map_or(1, |before| before.record().seq + 1),
            previous: before.map(Entry::id),
            dependencies,
            claimed_ms: 1_795_000_000_000 + u64::from(number) * 999,
            body: Body::Message("words ".repeat(usize::from(number) + 1)).encode().unwrap().1,
        };
        entries.push(Entry::new(record, &room, Some(Signature([number; 64]))).unwrap());
    }
    entries
}

impl Anything {
    fn find_any(&self, number: u8) -> EntryId {
        use replica::block::References as _;
        let mut author = [0; 32];
        author[..4].copy_from_slice(b"otto");
        let chain = ChainId { author: AuthorKey(author), incarnation: 3 };
        self.find(&chain, u32::from(number) + 5, &[number; 16]).unwrap()
    }
}

/// Small honest bytes of every kind that the parsers read.
fn examples() -> Vec<Vec<u8>> {
    let blocks: Vec<Vec<u8>> = [(0, true), (1, true), (3, false), (12, true), (12, false)]
        .into_iter()
        .map(|(count, keeps)| block::encode(&entries(count), keeps, &Anything).unwrap())
        .collect();
    let id = EntryId([4; 32]);
    let tip = wire::Tip {
        chain: ChainId { author: AuthorKey([1; 32]), incarnation: 9 },
        seq: 300,
        id,
        signature: Signature([6; 64]),
    };
    let seen = SeenRecord {
        author: AuthorKey([1; 32]),
        store: StoreId([1; 16]),
        number: 1_795_000_000_000,
        heads: vec![id, id],
        signature: Signature([6; 64]),
    };
    let hello =
        Hello { protocol: PROTOCOL, store: StoreId([1; 16]), digest: Digest([2; 32]), entries: 70_000 };
    let frames = [
        Frame::Hello(hello),
        Frame::Have(Have { tips: vec![tip; 2], last: true }),
        Frame::Want(Want { chains: vec![WantChain { tip: id, from: vec![id, id] }], last: false }),
        Frame::Locate(Locate { tips: vec![id] }),
        Frame::Data(Data { block: blocks[2].clone(), remaining: 9 }),
        Frame::Live(blocks[1].clone()),
        Frame::Ack(Ack { frames: 7 }),
        Frame::Credit(Credit { bytes: 65_536 }),
        Frame::Ping(Ping { digest: Digest([2; 32]), at_rest: true }),
        Frame::Bye(Bye::new(ByeReason::Leaving, "bye")),
        Frame::Seen(Seen { mark: 5, records: vec![seen] }),
    ];
    let records = entries(2).into_iter().map(|entry| entry.record().to_bytes());
    blocks.into_iter().chain(frames.iter().map(wire::encode)).chain(records).collect()
}

#[test]
fn honest_bytes_and_all_that_differ_in_one_bit_are_read_or_refused() {
    for bytes in examples() {
        check_decode(&bytes);
        for bit in 0..bytes.len() * 8 {
            let mut flipped = bytes.clone();
            flipped[bit / 8] ^= 1 << (bit % 8);
            check_decode(&flipped);
        }
        (0..bytes.len()).for_each(|end| check_decode(&bytes[..end]));
    }
}

#[test]
fn what_a_rendezvous_reads_differs_in_one_bit_or_ends_early_and_is_read_or_refused() {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/seeds/rendezvous_decode");
    let seeds = std::fs::read_dir(folder).unwrap().map(|file| std::fs::read(file.unwrap().path()).unwrap());
    let mut read = 0;
    for bytes in seeds {
        for bit in 0..bytes.len() * 8 {
            let mut flipped = bytes.clone();
            flipped[bit / 8] ^= 1 << (bit % 8);
            check_rendezvous(&flipped);
        }
        (0..=bytes.len()).for_each(|end| check_rendezvous(&bytes[..end]));
        let length = u16::try_from(bytes.len()).unwrap().to_be_bytes();
        let message = [&length, bytes.as_slice()].concat();
        let is_one = |to_server| replica_sync::rendezvous::rewritten(&message, to_server).is_some();
        read += usize::from(is_one(true) || is_one(false));
    }
    assert_eq!(read, 10, "the seeds are messages of every kind");
}

#[test]
fn a_stream_is_the_same_in_any_pieces() {
    for max in [0, 7, 4_096, u16::MAX] {
        let stream: Vec<u8> = examples()
            .iter()
            .flat_map(|bytes| [&u16::try_from(bytes.len()).unwrap().to_be_bytes(), &bytes[..]].concat())
            .chain([0xff; 40])
            .collect();
        check_chunks(max, &[0, 1, 2, 3, 50, 200, 0, 7], &stream);
    }
}

#[test]
fn the_examples_are_read_to_their_end() {
    let room = RoomId([7; 32]);
    let read =
        |bytes: &Vec<u8>| block::decode(bytes, &room, &Anything).is_ok_and(|entries| entries.len() == 12);
    assert_eq!(examples().iter().filter(|bytes| read(bytes)).count(), 2);
    assert_eq!(examples().iter().filter(|bytes| wire::decode(bytes).is_ok()).count(), 11);
    // `SEEDS=DIR cargo test -p replica-fuzz examples` writes them as seeds.
    if let Ok(folder) = std::env::var("SEEDS") {
        for (number, bytes) in examples().iter().enumerate() {
            std::fs::write(format!("{folder}/{number:02}"), bytes).unwrap();
        }
    }
}
