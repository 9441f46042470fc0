//! Who someone is: an ed25519 key, and words for people to compare.

use ed25519_dalek::{Signer as _, SigningKey, VerifyingKey};
use sha2::{Digest as _, Sha256};

use crate::id::{AuthorKey, EntryId, RoomId};

pub mod sealed;
#[cfg(test)]
mod tests;

/// An ed25519 signature.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Signature(pub [u8; 64]);

impl std::fmt::Debug for Signature {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Signature({:02x}{:02x}…)", self.0[0], self.0[1])
    }
}

/// What a signature is about. Each purpose signs under a domain of its own, so that a signature made for one can
/// never be shown for another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose<'a> {
    /// An author vouches for an entry, and so for its chain below it.
    Entry(&'a EntryId),
    /// A member lets a key into a room.
    Card {
        /// The room entered.
        room: &'a RoomId,
        /// Who may enter.
        key: &'a AuthorKey,
    },
    /// An invite's key lets the author at the other end of one channel in.
    Invite {
        /// The room entered.
        room: &'a RoomId,
        /// Who asks to enter.
        key: &'a AuthorKey,
        /// Hash of the channel's handshake.
        channel: &'a [u8; 32],
    },
    /// An author speaks on one channel, in one role.
    Channel {
        /// Whether the signer opened the connection.
        initiator: bool,
        /// Hash of the channel's handshake so far.
        channel: &'a [u8; 32],
        /// The signer's Noise key on this channel.
        noise_key: &'a [u8; 32],
    },
    /// An author tells where it can be reached: the canonical bytes of an address record.
    Addresses(&'a [u8]),
    /// An author tells how much of a room one of its stores has: the canonical bytes of a seen record.
    Seen {
        /// The room it is about.
        room: &'a RoomId,
        /// The record's fields, fixed widths one after the other.
        record: &'a [u8],
    },
    /// Somebody made a bundle: the hash of all of it but the signature.
    Bundle(&'a [u8; 32]),
}

impl Purpose<'_> {
    /// The bytes that are signed: a domain that ends in zero, then fields of fixed length (the last may vary).
    fn to_bytes(self) -> Vec<u8> {
        let parts: (&[u8], &[&[u8]]) = match &self {
            Purpose::Entry(id) => (b"replica/1/entry-signature\0", &[&id.0]),
            Purpose::Card { room, key } => (b"replica/1/card\0", &[&room.0, &key.0]),
            Purpose::Invite { room, key, channel } => (b"replica/1/invite\0", &[&room.0, &key.0, *channel]),
            Purpose::Channel { initiator, channel, noise_key } => {
                (b"replica/1/channel\0", &[&[u8::from(*initiator)], *channel, *noise_key])
            }
            Purpose::Addresses(record) => (b"replica/1/addresses\0", &[record]),
            Purpose::Seen { room, record } => (b"replica/1/seen\0", &[&room.0, record]),
            Purpose::Bundle(hash) => (b"replica/1/bundle\0", &[*hash]),
        };
        let mut bytes = parts.0.to_vec();
        parts.1.iter().for_each(|part| bytes.extend_from_slice(part));
        bytes
    }
}

/// A secret key that signs: an author's, or an invite's.
#[derive(Clone)]
pub struct Identity(SigningKey);

impl Identity {
    /// The identity of a 32-byte secret.
    #[must_use]
    pub fn from_secret(secret: &[u8; 32]) -> Self {
        Self(SigningKey::from_bytes(secret))
    }

    /// The secret, for keeping it in a file.
    #[must_use]
    pub fn secret(&self) -> [u8; 32] {
        self.0.to_bytes()
    }

    /// The public key.
    #[must_use]
    pub fn key(&self) -> AuthorKey {
        AuthorKey(self.0.verifying_key().to_bytes())
    }

    /// Signs for one purpose.
    #[must_use]
    pub fn sign(&self, purpose: Purpose<'_>) -> Signature {
        Signature(self.0.sign(&purpose.to_bytes()).to_bytes())
    }
}

impl std::fmt::Debug for Identity {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Identity({:?})", self.key())
    }
}

/// Whether a signature is strictly valid: canonical, by a key that is not weak. Replicas must agree on this for
/// ever, so there is no laxer form.
#[must_use]
pub fn verify(key: &AuthorKey, purpose: Purpose<'_>, signature: &Signature) -> bool {
    let Ok(key) = VerifyingKey::from_bytes(&key.0) else { return false };
    let signature = ed25519_dalek::Signature::from_bytes(&signature.0);
    !key.is_weak() && key.verify_strict(&purpose.to_bytes(), &signature).is_ok()
}

/// Whether bytes are a public key that can be somebody: on the curve and not weak.
#[must_use]
pub fn is_sound(key: &AuthorKey) -> bool {
    VerifyingKey::from_bytes(&key.0).is_ok_and(|key| !key.is_weak())
}

/// Six words that stand for a key, for people to read to each other: 66 bits of its hash, in BIP-39's English list.
#[must_use]
pub fn words(key: &AuthorKey) -> String {
    let hash = Sha256::new().chain_update(b"replica/1/words\0").chain_update(key.0).finalize();
    let list = bip39::Language::English.word_list();
    let bit = |n: usize| usize::from(hash[n / 8] >> (7 - n % 8) & 1);
    let word = |n: usize| list[(n * 11..(n + 1) * 11).fold(0, |index, n| index << 1 | bit(n))];
    (0..6).map(word).collect::<Vec<_>>().join(" ")
}
