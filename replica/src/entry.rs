//! Entries: one signed act of one author, as canonical bytes.
//!
//! A [`Record`] is the fields; its canonical bytes are hashed (with a domain and the room) into the entry's id. The id
//! covers `previous` and the dependencies, so one signature vouches for the author's whole chain below it. PROTOCOL.md
//! has the layout byte by byte.

use sha2::{Digest as _, Sha256};

use crate::id::{AuthorKey, ChainId, EntryId, RoomId};
use crate::identity::{Identity, Purpose, Signature, verify};
use crate::limits::{BODY_BYTES_MAX, DEPENDENCIES_MAX, RECORD_BYTES_MAX, TIME_MS_MAX};

mod body;
#[cfg(test)]
mod tests;

pub use body::{Admit, Body, BodyError, Invite, InviteProof, Kind, Remove, Room};

/// Version of the record's layout.
const VERSION: u8 = 1;

/// The fields of an entry, as its author wrote them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record {
    /// The kind's number; see [`Kind`]. Unknown ones are carried.
    pub kind: u16,
    /// Whose entry, and in which of their chains.
    pub chain: ChainId,
    /// Place in the chain, from 1.
    pub seq: u32,
    /// The entry before in the chain; none exactly when `seq` is 1.
    pub previous: Option<EntryId>,
    /// The other heads the author had seen, ascending, without `previous`.
    pub dependencies: Vec<EntryId>,
    /// The author's clock, in milliseconds since 1970; at most 48 bits.
    pub claimed_ms: u64,
    /// What it says, in a form its kind defines.
    pub body: Vec<u8>,
}

/// Why bytes are not a record.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[non_exhaustive]
pub enum RecordError {
    /// It ends early, or has bytes left over.
    #[error("a record is cut short or too long")]
    Length,
    /// A later layout.
    #[error("record version {0} is not known")]
    Version(u8),
    /// A field outside its limits, or not in its only form.
    #[error("a record's {0} is not canonical")]
    NotCanonical(&'static str),
    /// A known kind with a body that is none.
    #[error(transparent)]
    Body(#[from] BodyError),
}

impl Record {
    /// The canonical bytes.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(128 + self.dependencies.len() * 32 + self.body.len());
        bytes.push(VERSION);
        bytes.extend_from_slice(&self.kind.to_be_bytes());
        bytes.extend_from_slice(&self.chain.to_bytes());
        bytes.extend_from_slice(&self.seq.to_be_bytes());
        if let Some(previous) = &self.previous {
            bytes.extend_from_slice(&previous.0);
        }
        bytes.push(u8::try_from(self.dependencies.len()).unwrap_or(u8::MAX));
        self.dependencies.iter().for_each(|id| bytes.extend_from_slice(&id.0));
        bytes.extend_from_slice(&self.claimed_ms.to_be_bytes()[2..]);
        bytes.extend_from_slice(&self.body);
        bytes
    }

    /// Reads canonical bytes; the inverse of [`Record::to_bytes`] for every record it accepts.
    ///
    /// # Errors
    /// When the bytes are not the canonical form of a record within the limits.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, RecordError> {
        if bytes.len() > RECORD_BYTES_MAX {
            return Err(RecordError::Length);
        }
        let mut rest = bytes;
        let [version] = take(&mut rest)?;
        if version != VERSION {
            return Err(RecordError::Version(version));
        }
        let kind = u16::from_be_bytes(take(&mut rest)?);
        let chain = ChainId::from_bytes(&take(&mut rest)?);
        let seq = u32::from_be_bytes(take(&mut rest)?);
        let previous = if seq > 1 { Some(EntryId(take(&mut rest)?)) } else { None };
        let [count] = take(&mut rest)?;
        let dependencies =
            (0..count).map(|_| take(&mut rest).map(EntryId)).collect::<Result<Vec<_>, RecordError>>()?;
        let mut time = [0; 8];
        time[2..].copy_from_slice(&take::<6>(&mut rest)?);
        let claimed_ms = u64::from_be_bytes(time);
        let record = Self { kind, chain, seq, previous, dependencies, claimed_ms, body: rest.to_vec() };
        record.check_form()?;
        Ok(record)
    }

    /// Whether the fields are in their only form and within the limits, and a known kind's body is one.
    ///
    /// # Errors
    /// Names the first field that is not.
    pub fn check_form(&self) -> Result<(), RecordError> {
        let wrong = |field| Err(RecordError::NotCanonical(field));
        if self.seq == 0 || (self.seq == 1) != self.previous.is_none() {
            return wrong("seq");
        }
        let ascending = self.dependencies.windows(2).all(|pair| pair[0] < pair[1]);
        let repeats_previous = self.previous.is_some_and(|id| self.dependencies.binary_search(&id).is_ok());
        if self.dependencies.len() > DEPENDENCIES_MAX || !ascending || repeats_previous {
            return wrong("dependencies");
        }
        if self.claimed_ms > TIME_MS_MAX {
            return wrong("claimed time");
        }
        if self.body.len() > BODY_BYTES_MAX {
            return wrong("body");
        }
        let is_first = self.previous.is_none() && self.dependencies.is_empty();
        if is_first != (self.kind == Kind::Room.number()) {
            return wrong("kind");
        }
        Ok(Body::check(self.kind, &self.body)?)
    }

    /// Hash of domain, room and record. The room is all zero for a room's first entry, whose id names the room.
    #[must_use]
    pub fn id(&self, room: &RoomId) -> EntryId {
        let is_first = self.previous.is_none() && self.dependencies.is_empty();
        let room = if is_first { [0; 32] } else { room.0 };
        let hash =
            Sha256::new().chain_update(b"replica/1/entry\0").chain_update(room).chain_update(self.to_bytes());
        EntryId(hash.finalize().into())
    }

    /// Everything the entry directly follows: `previous` and the dependencies.
    pub fn parents(&self) -> impl Iterator<Item = &EntryId> {
        self.previous.iter().chain(&self.dependencies)
    }
}

/// A record with its id, and its signature unless a later entry of its chain vouches for it. The form is checked;
/// whether it belongs in the conversation is for the graph to say.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    record: Record,
    id: EntryId,
    signature: Option<Signature>,
}

impl Entry {
    /// Takes a record from anywhere: checks its form and computes its id.
    ///
    /// # Errors
    /// When the record is not in canonical form.
    pub fn new(record: Record, room: &RoomId, signature: Option<Signature>) -> Result<Self, RecordError> {
        record.check_form()?;
        Ok(Self { id: record.id(room), record, signature })
    }

    /// An entry that is known under its id, with a record that need not give that id: some of what it follows may be
    /// there by half its name only.
    pub(crate) fn known(record: Record, id: EntryId, signature: Option<Signature>) -> Self {
        Self { record, id, signature }
    }

    /// Signs a record of one's own.
    ///
    /// # Errors
    /// When the record is not in canonical form.
    pub fn sign(record: Record, room: &RoomId, identity: &Identity) -> Result<Self, RecordError> {
        let mut entry = Self::new(record, room, None)?;
        entry.signature = Some(identity.sign(Purpose::Entry(&entry.id)));
        Ok(entry)
    }

    /// The fields.
    #[must_use]
    pub fn record(&self) -> &Record {
        &self.record
    }

    /// The hash.
    #[must_use]
    pub fn id(&self) -> EntryId {
        self.id
    }

    /// Who wrote it.
    #[must_use]
    pub fn author(&self) -> AuthorKey {
        self.record.chain.author
    }

    /// The author's signature, if it travels with the entry.
    #[must_use]
    pub fn signature(&self) -> Option<&Signature> {
        self.signature.as_ref()
    }

    /// What it says.
    #[must_use]
    pub fn body(&self) -> Body {
        Body::decode(self.record.kind, &self.record.body)
            .expect("the form was checked when the entry was made")
    }

    /// Whether it carries a signature, and a strictly valid one.
    #[must_use]
    pub fn is_signed(&self) -> bool {
        let signed = |signature| verify(&self.record.chain.author, Purpose::Entry(&self.id), signature);
        self.signature.as_ref().is_some_and(signed)
    }

    /// The same entry without its signature, for a block in which a later one vouches for it.
    #[must_use]
    pub fn without_signature(mut self) -> Self {
        self.signature = None;
        self
    }
}

/// Takes the first `N` bytes off `rest`.
pub(crate) fn take<const N: usize>(rest: &mut &[u8]) -> Result<[u8; N], RecordError> {
    let (head, tail) = rest.split_first_chunk::<N>().ok_or(RecordError::Length)?;
    *rest = tail;
    Ok(*head)
}
