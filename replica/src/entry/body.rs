//! What entries say: the kinds and the layout of their bodies.

use crate::entry::{RecordError, take};
use crate::id::{AuthorKey, EntryId};
use crate::identity::{Signature, is_sound};
use crate::limits::{MESSAGE_BYTES_MAX, NAME_BYTES_MAX, REMOVAL_SEEN_MAX, TIME_MS_MAX, TOPIC_BYTES_MAX};

/// The kinds of entries. Numbers are for ever; those of the reserved kinds are carried as unknown until they are built.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u16)]
#[non_exhaustive]
pub enum Kind {
    /// The room's first entry.
    Room = 0,
    /// Publishes an invite's key.
    Invite = 1,
    /// Lets a key in.
    Admit = 2,
    /// The author leaves.
    Leave = 3,
    /// The author's name from here on.
    Nickname = 4,
    /// Text.
    Message = 5,
    /// Reserved: replaces an own message's text.
    Edit = 6,
    /// Reserved: takes an own message back.
    Retract = 7,
    /// Reserved: a mark on a message.
    Reaction = 8,
    /// What the room is about from here on.
    Topic = 9,
    /// Makes an admin.
    Promote = 10,
    /// Ends another's membership.
    Remove = 11,
    /// Reserved: what its author has read.
    Seen = 12,
    /// Takes an invite back.
    Revoke = 13,
}

impl Kind {
    /// The number in the record.
    #[must_use]
    pub const fn number(self) -> u16 {
        self as u16
    }

    /// Whether entries of this number say who may be here: memberships, roles, invites.
    #[must_use]
    pub const fn is_roster(number: u16) -> bool {
        const PROMOTE: u16 = Kind::Promote.number();
        const REMOVE: u16 = Kind::Remove.number();
        const REVOKE: u16 = Kind::Revoke.number();
        number <= Self::Leave.number() || matches!(number, PROMOTE | REMOVE | REVOKE)
    }
}

/// Why a body is not one of its kind.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[non_exhaustive]
pub enum BodyError {
    /// Bytes missing or left over, or a length outside the limits.
    #[error("the body has the wrong length")]
    Length,
    /// Text that is not UTF-8.
    #[error("the body's text is not UTF-8")]
    Text,
    /// A field in a form other than its only one.
    #[error("the body's {0} is not canonical")]
    NotCanonical(&'static str),
}

impl From<RecordError> for BodyError {
    fn from(_: RecordError) -> Self {
        Self::Length
    }
}

/// The body of a room's first entry.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Room {
    /// How much time one document spans, in seconds; never 0.
    pub period_s: u32,
    /// What the creator called it.
    pub name: String,
}

/// The body of an invite.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Invite {
    /// The public key whose secret travels in tickets.
    pub key: AuthorKey,
    /// Not accepted from this time on, by the admitting member's clock. In milliseconds since 1970, from 1, 48 bits.
    pub expires_ms: Option<u64>,
    /// How many may use it, from 1.
    pub uses: Option<u32>,
}

/// An admitted key's proof that it held an invite.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct InviteProof {
    /// The invite's entry.
    pub invite: EntryId,
    /// Hash of the handshake in which it was shown.
    pub channel: [u8; 32],
    /// The invite key's signature over room, admitted key and channel.
    pub signature: Signature,
}

/// The body of an admission.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Admit {
    /// Who is let in.
    pub key: AuthorKey,
    /// The admitting author's signature over room and key: what the newcomer shows to members who were elsewhere.
    pub card: Signature,
    /// How it was earned, unless a person decided.
    pub proof: Option<InviteProof>,
}

/// The body of a removal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Remove {
    /// Who is removed.
    pub key: AuthorKey,
    /// How far what they did still counts: these entries of theirs and what stands before them in their chains.
    /// Ascending, at most [`REMOVAL_SEEN_MAX`].
    pub seen: Vec<EntryId>,
}

/// What an entry says.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Body {
    /// [`Kind::Room`].
    Room(Room),
    /// [`Kind::Invite`].
    Invite(Invite),
    /// [`Kind::Admit`].
    Admit(Box<Admit>),
    /// [`Kind::Leave`].
    Leave,
    /// [`Kind::Nickname`].
    Nickname(String),
    /// [`Kind::Message`].
    Message(String),
    /// [`Kind::Topic`]; empty takes it away.
    Topic(String),
    /// [`Kind::Promote`]: whom.
    Promote(AuthorKey),
    /// [`Kind::Remove`].
    Remove(Box<Remove>),
    /// [`Kind::Revoke`]: the invite's entry.
    Revoke(EntryId),
    /// A kind this version does not know, or a body it cannot read of one that earlier versions took with any.
    Unknown {
        /// Its number.
        kind: u16,
    },
}

impl Body {
    /// The kind's number and the body's bytes; none for a kind that is not ours to write, and for what has no form: an
    /// invite with such a limit, a removal with its entries in another order or too many, a topic that is too long.
    #[must_use]
    pub fn encode(&self) -> Option<(Kind, Vec<u8>)> {
        Some(match self {
            Self::Room(room) => {
                let mut bytes = room.period_s.to_be_bytes().to_vec();
                bytes.extend_from_slice(room.name.as_bytes());
                (Kind::Room, bytes)
            }
            Self::Invite(invite) => {
                // 0 says "without a limit", so a limit of 0 has no form, nor has a time beyond 48 bits.
                let has_form = invite.expires_ms.is_none_or(|ms| (1..=TIME_MS_MAX).contains(&ms));
                if !has_form || invite.uses == Some(0) {
                    return None;
                }
                let mut bytes = invite.key.0.to_vec();
                bytes.extend_from_slice(&invite.expires_ms.unwrap_or(0).to_be_bytes()[2..]);
                bytes.extend_from_slice(&invite.uses.unwrap_or(0).to_be_bytes());
                (Kind::Invite, bytes)
            }
            Self::Admit(admit) => {
                let mut bytes = admit.key.0.to_vec();
                bytes.extend_from_slice(&admit.card.0);
                if let Some(proof) = &admit.proof {
                    bytes.extend_from_slice(&proof.invite.0);
                    bytes.extend_from_slice(&proof.channel);
                    bytes.extend_from_slice(&proof.signature.0);
                }
                (Kind::Admit, bytes)
            }
            Self::Leave => (Kind::Leave, Vec::new()),
            Self::Nickname(name) => (Kind::Nickname, name.clone().into_bytes()),
            Self::Message(text) => (Kind::Message, text.clone().into_bytes()),
            Self::Topic(topic) if topic.len() > TOPIC_BYTES_MAX => return None,
            Self::Topic(topic) => (Kind::Topic, topic.clone().into_bytes()),
            Self::Promote(key) => (Kind::Promote, key.0.to_vec()),
            Self::Remove(remove) => {
                let is_ascending = remove.seen.windows(2).all(|pair| pair[0] < pair[1]);
                if !is_ascending || remove.seen.len() > REMOVAL_SEEN_MAX {
                    return None;
                }
                let ids = remove.seen.iter().map(|id| id.0);
                (Kind::Remove, std::iter::once(remove.key.0).chain(ids).flatten().collect())
            }
            Self::Revoke(invite) => (Kind::Revoke, invite.0.to_vec()),
            Self::Unknown { .. } => return None,
        })
    }

    /// Whether bytes are the body of a kind, without taking its text.
    ///
    /// # Errors
    /// Those of [`Body::decode`].
    pub fn check(kind: u16, bytes: &[u8]) -> Result<(), BodyError> {
        match kind {
            k if k == Kind::Message.number() => text(bytes, MESSAGE_BYTES_MAX).map(drop),
            _ => Self::decode(kind, bytes).map(drop),
        }
    }

    /// Reads the body of a kind.
    ///
    /// # Errors
    /// When a known kind's body is not one. Unknown kinds have any, and so have those that once were unknown.
    pub fn decode(kind: u16, bytes: &[u8]) -> Result<Self, BodyError> {
        let mut rest = bytes;
        let body = match kind {
            k if k == Kind::Room.number() => {
                let period_s = u32::from_be_bytes(take(&mut rest)?);
                if period_s == 0 {
                    return Err(BodyError::NotCanonical("period"));
                }
                let name = text(std::mem::take(&mut rest), NAME_BYTES_MAX)?.to_owned();
                Self::Room(Room { period_s, name })
            }
            k if k == Kind::Invite.number() => Self::Invite(decode_invite(&mut rest)?),
            k if k == Kind::Admit.number() => Self::Admit(Box::new(decode_admit(&mut rest)?)),
            k if k == Kind::Leave.number() => Self::Leave,
            k if k == Kind::Nickname.number() => {
                Self::Nickname(text(std::mem::take(&mut rest), NAME_BYTES_MAX)?.to_owned())
            }
            k if k == Kind::Message.number() => {
                Self::Message(text(std::mem::take(&mut rest), MESSAGE_BYTES_MAX)?.to_owned())
            }
            k if k == Kind::Topic.number() => {
                // Versions before this one take any: what they pass on is not refused here.
                let topic = str::from_utf8(bytes).ok().filter(|topic| topic.len() <= TOPIC_BYTES_MAX);
                return Ok(topic.map_or(Self::Unknown { kind }, |topic| Self::Topic(topic.to_owned())));
            }
            k if k == Kind::Promote.number() => Self::Promote(sound(AuthorKey(take(&mut rest)?))?),
            k if k == Kind::Remove.number() => Self::Remove(Box::new(decode_remove(&mut rest)?)),
            k if k == Kind::Revoke.number() => Self::Revoke(EntryId(take(&mut rest)?)),
            kind => return Ok(Self::Unknown { kind }),
        };
        if rest.is_empty() { Ok(body) } else { Err(BodyError::Length) }
    }
}

fn decode_invite(rest: &mut &[u8]) -> Result<Invite, BodyError> {
    let key = sound(AuthorKey(take(rest)?))?;
    let mut time = [0; 8];
    time[2..].copy_from_slice(&take::<6>(rest)?);
    let expires_ms = u64::from_be_bytes(time);
    let uses = u32::from_be_bytes(take(rest)?);
    Ok(Invite { key, expires_ms: (expires_ms > 0).then_some(expires_ms), uses: (uses > 0).then_some(uses) })
}

fn decode_admit(rest: &mut &[u8]) -> Result<Admit, BodyError> {
    let key = sound(AuthorKey(take(rest)?))?;
    let card = Signature(take(rest)?);
    let proof = if rest.is_empty() {
        None
    } else {
        Some(InviteProof {
            invite: EntryId(take(rest)?),
            channel: take(rest)?,
            signature: Signature(take(rest)?),
        })
    };
    Ok(Admit { key, card, proof })
}

fn decode_remove(rest: &mut &[u8]) -> Result<Remove, BodyError> {
    let key = sound(AuthorKey(take(rest)?))?;
    if rest.len() > REMOVAL_SEEN_MAX * 32 {
        return Err(BodyError::Length);
    }
    let mut seen: Vec<EntryId> = Vec::new();
    while !rest.is_empty() {
        let id = EntryId(take(rest)?);
        if seen.last().is_some_and(|last| *last >= id) {
            return Err(BodyError::NotCanonical("entries"));
        }
        seen.push(id);
    }
    Ok(Remove { key, seen })
}

fn sound(key: AuthorKey) -> Result<AuthorKey, BodyError> {
    if is_sound(&key) { Ok(key) } else { Err(BodyError::NotCanonical("key")) }
}

/// Text of 1 to `max` bytes.
fn text(bytes: &[u8], max: usize) -> Result<&str, BodyError> {
    if bytes.is_empty() || bytes.len() > max {
        return Err(BodyError::Length);
    }
    str::from_utf8(bytes).map_err(|_| BodyError::Text)
}
