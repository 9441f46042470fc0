//! The frames two replicas exchange, as types. [`encode`] and [`decode`] turn them into bytes and back; the channel below
//! seals those bytes, the [`Deframer`] finds them in a stream.
//!
//! A frame is dropped with its connection at any moment without harm: whatever it asked for is asked for again.

use std::net::{IpAddr, Ipv6Addr, SocketAddr};

use replica::id::{AuthorKey, ChainId, Digest, EntryId, StoreId};
use replica::identity::{Identity, Purpose, Signature, verify};
use serde::{Deserialize, Serialize};

use crate::limits::BYE_TEXT_BYTES_MAX;

mod codec;
mod deframer;
mod seen;
#[cfg(test)]
mod tests;

pub use codec::{DecodeError, decode, encode};
pub use deframer::{Deframer, TooLong};
pub use seen::{Seen, SeenRecord};

/// The protocol this version speaks, sent in [`Hello`].
pub const PROTOCOL: u16 = 1;

/// One message between two replicas.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Frame {
    /// First on a connection between members: who this is and what it has.
    Hello(Hello),
    /// All tips of the sender.
    Have(Have),
    /// Asks for entries.
    Want(Want),
    /// Asks for locators, because a WANT went on from ids that are not known here.
    Locate(Locate),
    /// A block of chain tails, to be shown while DATA is on its way; never admitted.
    Preview(Vec<u8>),
    /// A block of entries in the sender's log order.
    Data(Data),
    /// A block of entries just written or just received, each with its signature.
    Live(Vec<u8>),
    /// What became durable.
    Ack(Ack),
    /// Room for more DATA.
    Credit(Credit),
    /// Where members can be reached.
    Peers(Peers),
    /// How far members hold the history.
    Seen(Seen),
    /// A sign of life, with what the sender has.
    Ping(Ping),
    /// Last on a connection: why it ends.
    Bye(Bye),
    /// First of who is no member and has no ticket: asks to be let in, or to let in.
    Knock(Knock),
    /// The answer to a knock: the text of a ticket.
    Ticket(String),
    /// The other answer: "your room, then".
    Yield(Yield),
}

/// See [`Frame::Hello`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Hello {
    /// The sender's protocol; see [`PROTOCOL`].
    pub protocol: u16,
    /// Which of its author's stores this is. Equal author and store: a connection to oneself.
    pub store: StoreId,
    /// Digest of the tips; equal ones need no sync.
    pub digest: Digest,
    /// How many entries it stands for: all that are durable in this store.
    pub entries: u64,
}

/// The newest entry of a chain, with the signature that vouches for the chain up to it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Tip {
    /// The chain.
    pub chain: ChainId,
    /// The entry's place in it, from 1.
    pub seq: u32,
    /// The entry.
    pub id: EntryId,
    /// The chain's author's, over the entry.
    pub signature: Signature,
}

/// See [`Frame::Have`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Have {
    /// At most [`TIPS_PER_FRAME_MAX`](crate::limits::TIPS_PER_FRAME_MAX). A forked chain has several.
    pub tips: Vec<Tip>,
    /// Whether this round of HAVE ends here.
    pub last: bool,
}

/// One chain in a WANT.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WantChain {
    /// Up to which entry.
    pub tip: EntryId,
    /// From which on: ids of that chain the sender has, newest first. None: all of it. More than one is a locator, after
    /// a LOCATE or where the chain is forked; at most [`LOCATOR_IDS_MAX`](crate::limits::LOCATOR_IDS_MAX).
    pub from: Vec<EntryId>,
}

/// See [`Frame::Want`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Want {
    /// At most [`WANTS_PER_FRAME_MAX`](crate::limits::WANTS_PER_FRAME_MAX).
    pub chains: Vec<WantChain>,
    /// Whether this request ends here.
    pub last: bool,
}

/// See [`Frame::Locate`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Locate {
    /// The tips of the wants in question; at most [`WANTS_PER_FRAME_MAX`](crate::limits::WANTS_PER_FRAME_MAX).
    pub tips: Vec<EntryId>,
}

/// See [`Frame::Data`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Data {
    /// A block as the store keeps it.
    pub block: Vec<u8>,
    /// Entries still to come after this frame.
    pub remaining: u64,
}

/// See [`Frame::Ack`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ack {
    /// DATA and LIVE frames of this connection that are durable at the sender of this, counted from its start.
    pub frames: u64,
}

/// See [`Frame::Credit`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Credit {
    /// Bytes of DATA frames that may be sent beyond what was granted before.
    pub bytes: u32,
}

/// A place to dial: an address, IPv4 in its mapped form, and a port.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Address {
    /// The address; IPv4 as `::ffff:a.b.c.d`.
    pub ip: [u8; 16],
    /// The TCP port.
    pub port: u16,
}

impl From<SocketAddr> for Address {
    fn from(address: SocketAddr) -> Self {
        let ip = match address.ip() {
            IpAddr::V4(ip) => ip.to_ipv6_mapped(),
            IpAddr::V6(ip) => ip,
        };
        Self { ip: ip.octets(), port: address.port() }
    }
}

impl From<Address> for SocketAddr {
    fn from(address: Address) -> Self {
        Self::new(IpAddr::V6(Ipv6Addr::from(address.ip)).to_canonical(), address.port)
    }
}

/// Where one store of one author listens, in that author's word.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AddressRecord {
    /// Whose.
    pub author: AuthorKey,
    /// Which of its stores.
    pub store: StoreId,
    /// Not to be used or passed on from this time on. In milliseconds since 1970.
    pub expires_ms: u64,
    /// At most [`ADDRESSES_PER_RECORD_MAX`](crate::limits::ADDRESSES_PER_RECORD_MAX).
    pub addresses: Vec<Address>,
    /// The author's, over all of the above.
    pub signature: Signature,
}

impl AddressRecord {
    /// A record signed by its author.
    #[must_use]
    pub fn signed(identity: &Identity, store: StoreId, expires_ms: u64, addresses: Vec<Address>) -> Self {
        let unsigned = Signature([0; 64]);
        let mut record = Self { author: identity.key(), store, expires_ms, addresses, signature: unsigned };
        record.signature = identity.sign(Purpose::Addresses(&record.signed_bytes()));
        record
    }

    /// Whether the author signed exactly this.
    #[must_use]
    pub fn is_authentic(&self) -> bool {
        verify(&self.author, Purpose::Addresses(&self.signed_bytes()), &self.signature)
    }

    /// Author, store, expiry, then the addresses with their ports; numbers big-endian.
    fn signed_bytes(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(56 + self.addresses.len() * 18);
        bytes.extend_from_slice(&self.author.0);
        bytes.extend_from_slice(&self.store.0);
        bytes.extend_from_slice(&self.expires_ms.to_be_bytes());
        for address in &self.addresses {
            bytes.extend_from_slice(&address.ip);
            bytes.extend_from_slice(&address.port.to_be_bytes());
        }
        bytes
    }
}

/// See [`Frame::Peers`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Peers {
    /// At most [`ADDRESS_RECORDS_PER_FRAME_MAX`](crate::limits::ADDRESS_RECORDS_PER_FRAME_MAX).
    pub records: Vec<AddressRecord>,
}

/// See [`Frame::Ping`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ping {
    /// Digest of the tips.
    pub digest: Digest,
    /// Whether the sender has nothing under way with the receiver. Unequal digests while both rest start a HAVE.
    pub at_rest: bool,
}

/// See [`Frame::Bye`].
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
pub struct Bye {
    /// For the program.
    pub reason: ByeReason,
    /// For people; at most [`BYE_TEXT_BYTES_MAX`] bytes.
    pub text: String,
}

impl Bye {
    /// A reason and a text, cut to what a frame carries.
    #[must_use]
    pub fn new(reason: ByeReason, text: &str) -> Self {
        let end = text.floor_char_boundary(BYE_TEXT_BYTES_MAX);
        Self { reason, text: text[..end].to_owned() }
    }
}

/// Why a peer ends a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
pub enum ByeReason {
    /// The program ends or goes offline.
    Leaving,
    /// Another connection between the same two stores is kept.
    Duplicate,
    /// Both ends are one store.
    SelfConnection,
    /// The author key is no member's.
    NotMember,
    /// The invite's time is over.
    InviteExpired,
    /// The invite was used as often as it may be.
    InviteUsedUp,
    /// No such invite is known.
    InviteUnknown,
    /// The receiver of this broke the protocol.
    Protocol,
    /// The receiver of this reads too slowly.
    TooSlow,
    /// Nothing was heard for too long.
    Silent,
    /// Too many connections.
    Busy,
    /// A person, or a rule, declined the knock.
    KnockRefused,
    /// The sender is on its way into another room.
    Moved,
    /// The protocols have no version in common.
    Version,
    /// The sender's store failed; it reads but cannot write.
    StoreFailed,
    /// The sender has links enough; nothing is wrong, and the receiver is not to dial it at once.
    EnoughLinks,
    /// An admin removed the receiver from the room.
    Removed,
    /// The invite was taken back, or who published it is not in the room any more.
    InviteRevoked,
    /// The sender goes on as another store, under another chain: dialling it again finds it.
    Renewed,
    /// A reason this version does not know.
    Unknown(u16),
}

impl ByeReason {
    /// The number in the frame.
    #[must_use]
    pub fn number(self) -> u16 {
        match self {
            Self::Unknown(number) => number,
            known => Self::KNOWN.iter().find(|(_, reason)| *reason == known).map_or(0, |(number, _)| *number),
        }
    }

    /// The reason of a number.
    #[must_use]
    pub fn from_number(number: u16) -> Self {
        let known = Self::KNOWN.iter().find(|(known, _)| *known == number);
        known.map_or(Self::Unknown(number), |(_, reason)| *reason)
    }

    /// Numbers are for ever.
    const KNOWN: [(u16, Self); 19] = [
        (1, Self::Leaving),
        (2, Self::Duplicate),
        (3, Self::SelfConnection),
        (4, Self::NotMember),
        (5, Self::InviteExpired),
        (6, Self::InviteUsedUp),
        (7, Self::InviteUnknown),
        (8, Self::Protocol),
        (9, Self::TooSlow),
        (10, Self::Silent),
        (11, Self::Busy),
        (12, Self::KnockRefused),
        (13, Self::Moved),
        (14, Self::Version),
        (15, Self::StoreFailed),
        (16, Self::EnoughLinks),
        (17, Self::Removed),
        (18, Self::InviteRevoked),
        (19, Self::Renewed),
    ];
}

/// See [`Frame::Knock`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Knock {
    /// What the sender calls itself; at most 128 bytes, and anybody's word.
    pub nick: String,
    /// Whether nobody else is in the sender's room, or it has none.
    pub alone: bool,
    /// The sender's number as a knocker, drawn at random for this run of the program.
    pub nonce: KnockNonce,
    /// The numbers of who knocks at the sender just now; at most
    /// [`KNOCKS_WAITING_MAX`](crate::limits::KNOCKS_WAITING_MAX). Who finds its own among them and knocks there too has
    /// been asked for by both sides.
    pub heard: Vec<KnockNonce>,
}

/// A knocker's number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct KnockNonce(pub [u8; 16]);

/// See [`Frame::Yield`]. Shows the key of the side that answered the knock, so that it can be admitted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Yield {
    /// Who asks to be let in.
    pub author: AuthorKey,
    /// Its signature over this channel.
    pub signature: Signature,
}
