//! What a hostile member can do, in a form that any bytes have.

use arbitrary::Arbitrary;
use replica::entry::{Admit, Body, Entry, Invite, Kind, Remove, Room};
use replica::graph::Graph;
use replica::id::{EntryId, RoomId};
use replica::identity::{Identity, Purpose};
use replica::limits::DEPENDENCIES_MAX;

/// One thing it does.
#[derive(Debug, Arbitrary)]
pub(super) enum Move {
    /// Sends entries made for it.
    Entries { drafts: Vec<Draft>, is_live: bool, keeps_signatures: bool, remaining: u64 },
    /// Sends some of them again, in any order.
    Again { picks: Vec<u8>, is_live: bool, keeps_signatures: bool },
    /// Sends the last block with a byte changed.
    Torn { at: u16, flip: u8, is_live: bool },
    /// Tells tips: which entry, which seq, and whether it signs them.
    Have { tips: Vec<(u8, u8, bool)>, last: bool },
    /// Asks for entries, from others on.
    Want { chains: Vec<(u8, Vec<u8>)>, last: bool },
    /// Asks for locators.
    Locate { tips: Vec<u8> },
    /// Confirms frames.
    Ack(u64),
    /// Grants bytes.
    Credit(u32),
    /// Gives a sign of life.
    Ping { is_equal: bool, at_rest: bool },
    /// Says who it is, perhaps again.
    Hello { store: u8, is_equal: bool },
    /// Says goodbye.
    Bye,
    /// Sends any frame at all.
    Raw(Vec<u8>),
    /// Connects anew.
    Connect { as_stranger: bool },
    /// Hangs up.
    Closed,
    /// Lets the victim say something.
    Say,
    /// Waits.
    Pass(u16),
}

/// An entry to be made.
#[derive(Debug, Arbitrary)]
pub(crate) struct Draft {
    pub(crate) chain: u8,
    pub(crate) seq: Seq,
    pub(crate) dependencies: Vec<u8>,
    /// Whether it also depends on everything the victim has.
    pub(crate) sees_all: bool,
    pub(crate) content: Content,
    /// In hours from the start of the world.
    pub(crate) claimed: i16,
    pub(crate) seal: Seal,
}

/// Where in its chain an entry says it stands.
#[derive(Debug, Arbitrary)]
pub(crate) enum Seq {
    /// Where it should.
    Next,
    /// Beside the last one.
    Twin,
    /// Anywhere.
    Any { seq: u8, previous: u8 },
}

/// What an entry says.
#[derive(Debug, Arbitrary)]
pub(crate) enum Content {
    Text(u8),
    Long,
    Name,
    Leave,
    Invite,
    Room,
    Admit { is_real: bool },
    Promote { is_puppet: bool },
    Remove { is_puppet: bool },
    Revoke { invite: u8 },
    Raw { kind: u8, body: Vec<u8> },
}

/// What it is signed with.
#[derive(Debug, Arbitrary)]
pub(crate) enum Seal {
    Real,
    False,
    None,
}

impl Seq {
    /// The seq and the `previous` of an entry whose chain has this last one.
    pub(crate) fn place(
        &self,
        last: Option<&Entry>,
        pick: impl Fn(u8) -> EntryId,
    ) -> Option<(u32, Option<EntryId>)> {
        Some(match *self {
            Self::Next => (last.map_or(1, |last| last.record().seq + 1), last.map(Entry::id)),
            Self::Twin => (last?.record().seq, last?.record().previous),
            Self::Any { seq, previous } => (u32::from(seq), (seq > 1).then(|| pick(previous))),
        })
    }
}

/// Dependencies in the form they have beside a `previous`.
pub(crate) fn dependencies(
    picks: impl Iterator<Item = EntryId>,
    seen: Option<&Graph>,
    previous: Option<EntryId>,
) -> Vec<EntryId> {
    let mut all: Vec<EntryId> = picks.take(DEPENDENCIES_MAX + 6).collect();
    all.extend(seen.into_iter().flat_map(|graph| graph.heads().map(|head| graph.id(head))));
    all.retain(|id| Some(*id) != previous);
    all.sort_unstable();
    all.dedup();
    all
}

impl Content {
    /// Its kind's number and its bytes.
    pub(crate) fn body(&self, room: &RoomId, author: &Identity) -> (u16, Vec<u8>) {
        let puppet = Identity::from_secret(&[11; 32]).key();
        let body = match self {
            Self::Text(byte) => Body::Message(char::from(byte % 128).to_string()),
            Self::Long => Body::Message("x".repeat(16 * 1024)),
            Self::Name => Body::Nickname("\u{1b}[31mh".to_owned()),
            Self::Leave => Body::Leave,
            Self::Invite => Body::Invite(Invite { key: puppet, expires_ms: None, uses: None }),
            Self::Room => Body::Room(Room { period_s: 1, name: "mine".to_owned() }),
            Self::Admit { is_real } => {
                let key = if *is_real { puppet } else { author.key() };
                let card = author.sign(Purpose::Card { room, key: &puppet });
                Body::Admit(Box::new(Admit { key, card, proof: None }))
            }
            Self::Promote { is_puppet } => Body::Promote(if *is_puppet { puppet } else { author.key() }),
            Self::Remove { is_puppet } => {
                let key = if *is_puppet { puppet } else { author.key() };
                Body::Remove(Box::new(Remove { key, seen: vec![EntryId(room.0)] }))
            }
            Self::Revoke { invite } => Body::Revoke(EntryId([*invite; 32])),
            Self::Raw { kind, body } => {
                return (u16::from(*kind), body.iter().copied().take(20_000).collect());
            }
        };
        body.encode().map_or((Kind::Message.number(), Vec::new()), |(kind, body)| (kind.number(), body))
    }
}
