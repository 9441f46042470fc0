//! A second reader of every format that lasts, written from the text of PROTOCOL.md alone and calling none of the
//! program's own decoders: that text and code say the same is tested, not hoped.

pub(crate) mod block;
pub(crate) mod bundle;
pub(crate) mod bytes;
pub(crate) mod conversation;
pub(crate) mod entry;
pub(crate) mod frame;
pub(crate) mod ticket;

use bytes::{hex, unhex};
use conversation::Conversation;
use entry::Entry;
use replica::entry::{Entry as Written, Record};
use replica::id::{ChainId, EntryId, RoomId};
use replica::identity::Identity;

/// The conversation that PROTOCOL.md's examples come from: its four entries, as the program writes them.
fn examples() -> (RoomId, Vec<Written>) {
    let text = std::fs::read_to_string(crate::program::repository().join("PROTOCOL.md")).unwrap();
    let records = text.split("\nrecord ").skip(1).map(|rest| {
        let end = rest.find("\nid").unwrap();
        Record::from_bytes(&unhex(&rest[..end])).unwrap()
    });
    let people = [Identity::from_secret(&[1; 32]), Identity::from_secret(&[2; 32])];
    let mut room = RoomId([0; 32]);
    let entries: Vec<Written> = records
        .map(|record| {
            let by = people.iter().find(|one| one.key() == record.chain.author).unwrap();
            let entry = Written::sign(record, &room, by).unwrap();
            if room == RoomId([0; 32]) {
                room = RoomId(entry.id().0);
            }
            entry
        })
        .collect();
    assert_eq!(entries.len(), 4, "the examples are not found any more");
    (room, entries)
}

/// Entries that a block may refer to, for the program's own encoder and decoder.
pub(crate) struct Known<'a>(pub(crate) &'a [Written]);

impl replica::block::References for Known<'_> {
    fn place(&self, id: &EntryId) -> Option<(ChainId, u32)> {
        let entry = self.0.iter().find(|entry| entry.id() == *id)?;
        Some((entry.record().chain, entry.record().seq))
    }

    fn find(&self, chain: &ChainId, seq: u32, half: &[u8; 16]) -> Option<EntryId> {
        let is_it = |entry: &&Written| {
            (entry.record().chain, entry.record().seq) == (*chain, seq) && entry.id().0.starts_with(half)
        };
        self.0.iter().find(is_it).map(Written::id)
    }
}

#[test]
fn the_examples_of_the_text_read_as_it_says() {
    let text = std::fs::read_to_string(crate::program::repository().join("PROTOCOL.md")).unwrap();
    let (room, written) = examples();
    for entry in &written {
        let read =
            Entry::read(&entry.record().to_bytes(), &room.0, entry.signature().map(|it| it.0)).unwrap();
        assert!(text.contains(&hex(&read.id)), "an id is another: {}", hex(&read.id));
        assert!(read.is_signed());
    }

    let three = replica::block::encode(&written[..3], false, &Known(&[])).unwrap();
    let mut conversation = Conversation::new(room.0);
    assert_eq!(conversation.take(&three).unwrap().len(), 3);
    let block = replica::block::encode(&written[3..], false, &Known(&written)).unwrap();
    let mut early = Conversation::new(room.0);
    assert_eq!(early.take(&block).err(), Some("an entry outside that is not here"));
    let hello = conversation.take(&block).unwrap();
    assert_eq!(hello[0].body, b"hello");
    assert!(text.contains(&hex(&conversation.digest())));
    let clocks = conversation
        .in_order()
        .into_iter()
        .map(|((era, time, count), _)| format!("{era:08x} {time:012x} {count:08x}"));
    clocks.for_each(|clock| assert!(text.contains(&clock), "a clock is another: {clock}"));

    let ticket = text.split_whitespace().find(|word| word.starts_with("replica1a4dq")).unwrap();
    let ticket = ticket::read(ticket).unwrap();
    assert_eq!((ticket.room, ticket.secret), ([7; 32], [9; 32]));
    assert_eq!((ticket.invite, ticket.addresses.len()), (None, 0));
    let from = text.find("\n7265706c").unwrap();
    let file = unhex(text[from..].split("```").next().unwrap());
    let (room, blocks) = bundle::read(&file).unwrap();
    assert_eq!((room, blocks.len()), ([7; 32], 0));
}

#[test]
fn one_altered_byte_anywhere_in_a_block_is_noticed() {
    let (room, written) = examples();
    let block = replica::block::encode(&written[..3], false, &Known(&[])).unwrap();
    for at in 0..block.len() {
        let mut altered = block.clone();
        altered[at] ^= 1;
        let mut conversation = Conversation::new(room.0);
        assert!(conversation.take(&altered).is_err(), "byte {at} may be anything");
    }
}
