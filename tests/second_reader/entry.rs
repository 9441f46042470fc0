//! PROTOCOL.md, "Record".

use ed25519_dalek::{Signature, VerifyingKey};

use super::bytes::{Bytes, Read, hash};

pub(crate) type Id = [u8; 32];

#[derive(Clone, Debug)]
pub(crate) struct Entry {
    pub(crate) id: Id,
    pub(crate) kind: u16,
    /// Author key and incarnation.
    pub(crate) chain: [u8; 40],
    pub(crate) seq: u32,
    pub(crate) previous: Option<Id>,
    pub(crate) dependencies: Vec<Id>,
    pub(crate) claimed_ms: u64,
    pub(crate) body: Vec<u8>,
    pub(crate) signature: Option<[u8; 64]>,
}

impl Entry {
    /// An entry of its record.
    pub(crate) fn read(record: &[u8], room: &Id, signature: Option<[u8; 64]>) -> Read<Self> {
        let mut bytes = Bytes(record);
        if bytes.number(1)? != 1 {
            return Err("a record of another version");
        }
        let kind = u16::try_from(bytes.number(2)?).unwrap();
        let chain = bytes.array()?;
        let seq = u32::try_from(bytes.number(4)?).unwrap();
        let previous = if seq > 1 { Some(bytes.array()?) } else { None };
        let dependencies: Vec<Id> = (0..bytes.number(1)?).map(|_| bytes.array()).collect::<Result<_, _>>()?;
        let claimed_ms = bytes.number(6)?;
        let body = bytes.0.to_vec();
        if seq == 0
            || dependencies.len() > 64
            || !dependencies.is_sorted_by(|one, next| one < next)
            || previous.is_some_and(|previous| dependencies.contains(&previous))
            || body.len() > 16_896
        {
            return Err("a record that is not canonical");
        }
        let is_first = previous.is_none() && dependencies.is_empty();
        if is_first != (kind == 0) {
            return Err("a first entry that makes no room, or a room in the middle");
        }
        let room = if is_first { [0; 32] } else { *room };
        let id = hash(&[b"replica/1/entry\0", &room, record]);
        Ok(Self { id, kind, chain, seq, previous, dependencies, claimed_ms, body, signature })
    }

    pub(crate) fn author(&self) -> &[u8] {
        &self.chain[..32]
    }

    pub(crate) fn parents(&self) -> impl Iterator<Item = &Id> {
        self.previous.iter().chain(&self.dependencies)
    }

    /// Whether its author signed it.
    pub(crate) fn is_signed(&self) -> bool {
        let message = [b"replica/1/entry-signature\0".as_slice(), &self.id].concat();
        self.signature.is_some_and(|signature| verify(self.author(), &message, &signature))
    }
}

/// A record's bytes.
pub(crate) fn record(
    kind: u16,
    chain: &[u8; 40],
    previous: Option<(u32, Id)>,
    dependencies: &[Id],
    claimed_ms: u64,
    body: &[u8],
) -> Vec<u8> {
    let seq = previous.map_or(1, |(seq, _)| seq + 1);
    let mut bytes = vec![1];
    bytes.extend(kind.to_be_bytes());
    bytes.extend(chain);
    bytes.extend(seq.to_be_bytes());
    bytes.extend(previous.map(|(_, id)| id).into_iter().flatten());
    bytes.push(u8::try_from(dependencies.len()).unwrap());
    bytes.extend(dependencies.iter().flatten());
    bytes.extend(&claimed_ms.to_be_bytes()[2..]);
    bytes.extend(body);
    bytes
}

/// A strict check of a signature.
pub(crate) fn verify(key: &[u8], message: &[u8], signature: &[u8; 64]) -> bool {
    let key = VerifyingKey::from_bytes(key.try_into().unwrap());
    key.is_ok_and(|key| key.verify_strict(message, &Signature::from_bytes(signature)).is_ok())
}
