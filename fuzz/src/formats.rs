//! Whatever bytes come, reading them ends in a value or an error, and a value says the same once written and read again.

use arbitrary::Arbitrary;
use replica::block::{self, References};
use replica::entry::{Entry, Record};
use replica::id::{ChainId, EntryId, RoomId};
use replica::limits::{BLOCK_ENTRIES_MAX, BLOCK_INFLATED_BYTES_MAX};
use replica_sync::limits::{
    FRAME_BYTES_MAX, TICKET_ADDRESS_BYTES_MAX, TICKET_ADDRESSES_MAX, TICKET_BYTES_MAX,
};
use replica_sync::rendezvous;
use replica_sync::ticket::Ticket;
use replica_sync::wire::{self, Deframer, Frame};

#[cfg(test)]
mod tests;

/// Shows bytes to the parsers of frames, blocks and records.
///
/// # Panics
/// When a value does not survive being written and read again, or is larger than its limits.
pub fn check_decode(bytes: &[u8]) {
    check_frame(bytes);
    check_block(bytes);
    check_record(bytes);
}

/// Shows bytes to the parsers of what a rendezvous is told and tells, as they are and as one message.
///
/// # Panics
/// When a message has two forms, or is longer than any may be.
pub fn check_rendezvous(bytes: &[u8]) {
    let length = u16::try_from(bytes.len()).unwrap_or(u16::MAX).to_be_bytes();
    for stream in [bytes, &[&length, bytes].concat()] {
        for is_to_server in [true, false] {
            let Some(again) = rendezvous::rewritten(stream, is_to_server) else { continue };
            assert!(stream.starts_with(&again), "a message has two forms");
            assert!(again.len() <= 2 + RENDEZVOUS_MESSAGE_BYTES_MAX, "a message over the limit");
        }
    }
}

/// PROTOCOL.md, "Rendezvous".
const RENDEZVOUS_MESSAGE_BYTES_MAX: usize = 222;

/// A stream is cut into the same messages, and ends in the same error, however it arrives.
///
/// # Panics
/// When it is not.
pub fn check_chunks(max: u16, sizes: &[u8], stream: &[u8]) {
    let max = usize::from(max).min(FRAME_BYTES_MAX);
    let whole = messages(max, [stream]);
    assert!(whole.0.iter().all(|message| message.len() <= max), "a message over the limit");
    assert_eq!(messages(max, stream.chunks(1)), whole);
    let mut rest = stream;
    let mut chunks: Vec<&[u8]> = Vec::new();
    for size in sizes {
        let (head, tail) = rest.split_at(usize::from(*size).min(rest.len()));
        chunks.push(head);
        rest = tail;
    }
    chunks.push(rest);
    assert_eq!(messages(max, chunks), whole);
}

/// The messages of a stream and whether it ended in an error.
fn messages<'a>(max: usize, chunks: impl IntoIterator<Item = &'a [u8]>) -> (Vec<Vec<u8>>, bool) {
    let mut deframer = Deframer::new(max);
    let mut messages = Vec::new();
    let mut is_over = false;
    for chunk in chunks {
        deframer.push(chunk);
        loop {
            match deframer.poll_message() {
                Ok(Some(message)) if !is_over => messages.push(message.to_vec()),
                Ok(Some(_)) => panic!("a stream goes on after its error"),
                Ok(None) if is_over => panic!("a stream forgets its error"),
                Ok(None) => break,
                Err(_) => {
                    is_over = true;
                    break;
                }
            }
        }
    }
    (messages, is_over)
}

/// Text that may be a ticket: any, and one that was a ticket until some letters of it were changed.
#[derive(Debug, Arbitrary)]
pub struct Tickets {
    text: String,
    room: [u8; 32],
    secret: [u8; 32],
    invite: Option<[u8; 32]>,
    addresses: Vec<Vec<u8>>,
    changes: Vec<(u16, u8)>,
}

impl Tickets {
    /// Reads all of it.
    ///
    /// # Panics
    /// When a ticket is not read as it was printed, or a text that is one has no form of its own.
    pub fn check(&self) {
        check_ticket(&self.text);
        let letter = |byte: &u8| char::from(ADDRESS_LETTERS[usize::from(*byte) % ADDRESS_LETTERS.len()]);
        let address = |bytes: &Vec<u8>| bytes.iter().take(TICKET_ADDRESS_BYTES_MAX).map(letter).collect();
        let there = self.addresses.iter().filter(|address| !address.is_empty());
        let addresses = there.take(TICKET_ADDRESSES_MAX).map(address).collect();
        let (room, secret, invite) = (RoomId(self.room), self.secret, self.invite);
        let ticket = Ticket { room, secret, invite, addresses };
        let mut printed = ticket.to_string().into_bytes();
        if printed.len() <= TICKET_BYTES_MAX {
            check_ticket(&ticket.to_string());
            assert_eq!(ticket.to_string().parse::<Ticket>(), Ok(ticket));
        }
        for (at, byte) in self.changes.iter().take(4) {
            let length = printed.len();
            printed[usize::from(*at) % length] = *byte;
        }
        check_ticket(&String::from_utf8_lossy(&printed));
    }
}

const ADDRESS_LETTERS: &[u8] = b"az09.:-_[]%";

fn check_ticket(text: &str) {
    if let Ok(ticket) = text.parse::<Ticket>() {
        let again = ticket.to_string().parse::<Ticket>().expect("what is printed can be read");
        assert_eq!(again, ticket);
        assert_eq!(again.to_string(), ticket.to_string());
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
