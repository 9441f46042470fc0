//! How far a member holds the history, in its own word: passed on from member to member.

use replica::id::{AuthorKey, EntryId, RoomId, StoreId};
use replica::identity::{Identity, Purpose, Signature, verify};

/// How far one store of one author holds the history, in that author's word.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SeenRecord {
    /// Whose.
    pub author: AuthorKey,
    /// Which of its stores.
    pub store: StoreId,
    /// Greater than that of every record before: the author's time in milliseconds since 1970, or one more than the last.
    pub number: u64,
    /// Entries that are durable there with everything in their pasts; at most
    /// [`SEEN_HEADS_MAX`](crate::limits::SEEN_HEADS_MAX).
    pub heads: Vec<EntryId>,
    /// The author's, over the room and all of the above.
    pub signature: Signature,
}

impl SeenRecord {
    /// A record signed by its author.
    #[must_use]
    pub fn signed(
        identity: &Identity,
        room: &RoomId,
        store: StoreId,
        number: u64,
        heads: Vec<EntryId>,
    ) -> Self {
        let unsigned = Signature([0; 64]);
        let mut record = Self { author: identity.key(), store, number, heads, signature: unsigned };
        record.signature = identity.sign(Purpose::Seen { room, record: &record.signed_bytes() });
        record
    }

    /// Whether the author signed exactly this, for this room.
    #[must_use]
    pub fn is_authentic(&self, room: &RoomId) -> bool {
        verify(&self.author, Purpose::Seen { room, record: &self.signed_bytes() }, &self.signature)
    }

    /// Author, store, number (big-endian), then the heads.
    fn signed_bytes(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(56 + self.heads.len() * 32);
        bytes.extend_from_slice(&self.author.0);
        bytes.extend_from_slice(&self.store.0);
        bytes.extend_from_slice(&self.number.to_be_bytes());
        self.heads.iter().for_each(|head| bytes.extend_from_slice(&head.0));
        bytes
    }
}

/// See [`Frame::Seen`](crate::wire::Frame::Seen).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Seen {
    /// Without records: names those that the sender knows, so that whoever knows others sends them. Else of no meaning.
    pub mark: u64,
    /// At most [`SEEN_RECORDS_PER_FRAME_MAX`](crate::limits::SEEN_RECORDS_PER_FRAME_MAX).
    pub records: Vec<SeenRecord>,
}
