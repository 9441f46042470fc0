//! Whatever bytes come, reading them ends in a value or an error, and a value says the same once written and read again.

use replica::block::{self, References};
use replica::entry::{Entry, Record};
use replica::id::{ChainId, EntryId, RoomId};
use replica::limits::{BLOCK_ENTRIES_MAX, BLOCK_INFLATED_BYTES_MAX};
use replica_sync::limits::FRAME_BYTES_MAX;
use replica_sync::ticket::Ticket;
use replica_sync::wire::{self, Deframer, Frame};

#[cfg(test)]
mod tests;

/// Shows bytes to every parser that sees bytes of strangers.
///
/// # Panics
/// When a value does not survive being written and read again, or is larger than its limits.
pub fn check(bytes: &[u8]) {
    check_frame(bytes);
    check_stream(bytes);
    check_block(bytes);
    check_record(bytes);
    if let Some(ticket) = str::from_utf8(bytes).ok().and_then(|text| text.parse::<Ticket>().ok()) {
        assert!(ticket.to_string().parse::<Ticket>().is_ok_and(|again| again == ticket));
    }
}

fn check_frame(bytes: &[u8]) {
    let Ok(frame) = wire::decode(bytes) else { return };
    let again = wire::encode(&frame);
    assert!(again.len() <= FRAME_BYTES_MAX, "a frame that was read is too long to be written");
    assert!(
        wire::decode(&again).is_ok_and(|again| again == frame),
        "a frame reads otherwise the second time"
    );
    if let Frame::Data(wire::Data { block, .. }) | Frame::Live(block) | Frame::Preview(block) = &frame {
        check_block(block);
    }
}

/// A stream is cut into the same messages however it arrives.
fn check_stream(bytes: &[u8]) {
    let whole = messages(&[bytes]);
    let (head, tail) = bytes.split_at(bytes.len() / 3);
    assert_eq!(messages(&[head, tail]), whole);
}

/// The lengths of a stream's messages, until one is too long.
fn messages(parts: &[&[u8]]) -> Vec<usize> {
    let mut deframer = Deframer::new(FRAME_BYTES_MAX);
    let mut lengths = Vec::new();
    for part in parts {
        deframer.push(part);
        while let Ok(Some(message)) = deframer.poll_message() {
            lengths.push(message.len());
        }
    }
    lengths
}

fn check_block(bytes: &[u8]) {
    let room = RoomId([7; 32]);
    let Ok(entries) = block::decode(bytes, &room, &Anything) else { return };
    assert!(entries.len() <= BLOCK_ENTRIES_MAX);
    assert!(entries.iter().map(|entry| entry.record().body.len()).sum::<usize>() <= BLOCK_INFLATED_BYTES_MAX);
    entries.iter().for_each(|entry| check_record(&entry.record().to_bytes()));
    // What names entries that were never there cannot be written; nor can what only fitted by being packed otherwise.
    let Ok(again) = block::encode(&entries, true, &Anything) else { return };
    let again = block::decode(&again, &room, &Anything);
    assert!(again.is_ok_and(|again| again == entries), "a block reads otherwise the second time");
}

fn check_record(bytes: &[u8]) {
    let Ok(record) = Record::from_bytes(bytes) else { return };
    assert_eq!(record.to_bytes(), bytes, "a record has two forms");
    let entry = Entry::new(record, &RoomId([7; 32]), None);
    // Reads the body as its kind.
    entry.map(|entry| drop(entry.body())).expect("what was read is in its only form");
}

/// Stands for a graph that has every entry there can be: its id says where it stands.
struct Anything;

impl References for Anything {
    fn place(&self, id: &EntryId) -> Option<(ChainId, u32)> {
        let mut author = [0; 32];
        author[..12].copy_from_slice(&id.0[16..28]);
        let chain = ChainId { author: replica::id::AuthorKey(author), incarnation: u64::from(id.0[28]) };
        Some((chain, u32::from_be_bytes([0, id.0[29], id.0[30], id.0[31]])))
    }

    fn find(&self, chain: &ChainId, seq: u32, prefix: &[u8; 16]) -> Option<EntryId> {
        let mut id = [0; 32];
        id[..16].copy_from_slice(prefix);
        id[16..28].copy_from_slice(&chain.author.0[..12]);
        id[28] = u8::try_from(chain.incarnation).ok()?;
        id[29..].copy_from_slice(&seq.to_be_bytes()[1..]);
        let id = EntryId(id);
        (self.place(&id) == Some((*chain, seq))).then_some(id)
    }
}
