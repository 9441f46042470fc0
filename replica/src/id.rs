//! Identifiers: newtypes over fixed-size bytes, printed as lower-case hex.

use std::fmt;
use std::str::FromStr;

use data_encoding::HEXLOWER;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

/// Why text is not an identifier.
#[derive(Debug, thiserror::Error)]
#[error("not {expected} lower-case hex digits")]
pub struct ParseIdError {
    expected: usize,
}

macro_rules! id {
    ($(#[$doc:meta])* $name:ident, $bytes:literal) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(pub [u8; $bytes]);

        impl $name {
            /// Length in bytes.
            pub const BYTES: usize = $bytes;
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&HEXLOWER.encode(&self.0))
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{}({})", stringify!($name), HEXLOWER.encode(&self.0[..4]))
            }
        }

        impl FromStr for $name {
            type Err = ParseIdError;

            fn from_str(text: &str) -> Result<Self, ParseIdError> {
                let wrong = ParseIdError { expected: $bytes * 2 };
                let Ok(bytes) = HEXLOWER.decode(text.as_bytes()) else { return Err(wrong) };
                bytes.try_into().map(Self).map_err(|_| wrong)
            }
        }

        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
                to.collect_str(self)
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
                String::deserialize(from)?.parse().map_err(de::Error::custom)
            }
        }
    };
}

id!(
    /// Hash of an entry's canonical record.
    EntryId,
    32
);
id!(
    /// One conversation: the id of its first entry.
    RoomId,
    32
);
id!(
    /// A person's ed25519 public key. Nicknames are labels; this is who someone is.
    AuthorKey,
    32
);
id!(
    /// One store on one machine, random. With the author key it names an endpoint of connections.
    StoreId,
    16
);
id!(
    /// SHA-256 over the sorted tips: equal digests mean equal sets of entries.
    Digest,
    32
);

/// One author's entries from one home, in sequence: the author and a random number drawn by the home.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Deserialize, Serialize)]
pub struct ChainId {
    /// Whose entries.
    pub author: AuthorKey,
    /// Drawn at random by the home, and anew whenever it may have been copied.
    pub incarnation: u64,
}

impl ChainId {
    /// Length in bytes.
    pub const BYTES: usize = 40;

    /// Author key, then the incarnation big-endian.
    #[must_use]
    pub fn to_bytes(self) -> [u8; Self::BYTES] {
        let mut bytes = [0; Self::BYTES];
        bytes[..32].copy_from_slice(&self.author.0);
        bytes[32..].copy_from_slice(&self.incarnation.to_be_bytes());
        bytes
    }

    /// Inverse of [`ChainId::to_bytes`].
    #[must_use]
    pub fn from_bytes(bytes: &[u8; Self::BYTES]) -> Self {
        let (author, incarnation) = bytes.split_at(32);
        Self {
            author: AuthorKey(author.try_into().expect("the first 32 of 40 bytes")),
            incarnation: u64::from_be_bytes(incarnation.try_into().expect("the last 8 of 40 bytes")),
        }
    }
}

impl fmt::Debug for ChainId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ChainId({}.{:x})", HEXLOWER.encode(&self.author.0[..4]), self.incarnation)
    }
}

/// Place of an admitted entry in this replica's log, from 0. Causes have lower positions than effects.
pub type Position = u32;
