//! Keys of rows.

use data_encoding::HEXLOWER;

use crate::order::{Clock, OrderKey};

/// The part of an order key that names a row in a document: the clock and half of the id. Sorts as the order does;
/// two rows with equal ones would take 2^64 hashes to find.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct KeyPrefix(pub [u8; KeyPrefix::BYTES]);

impl KeyPrefix {
    /// Length in bytes.
    pub const BYTES: usize = Clock::BYTES + 16;

    /// The name in the document's map: lower-case hex of the complement, so that names ascend from new to old.
    #[must_use]
    pub fn to_name(&self) -> String {
        HEXLOWER.encode(&self.0.map(|byte| !byte))
    }

    /// Inverse of [`KeyPrefix::to_name`].
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        let bytes: [u8; Self::BYTES] = HEXLOWER.decode(name.as_bytes()).ok()?.try_into().ok()?;
        Some(Self(bytes.map(|byte| !byte)))
    }
}

impl From<&OrderKey> for KeyPrefix {
    fn from(key: &OrderKey) -> Self {
        let mut bytes = [0; Self::BYTES];
        bytes[..Clock::BYTES].copy_from_slice(&key.clock.to_bytes());
        bytes[Clock::BYTES..].copy_from_slice(&key.id.0[..16]);
        Self(bytes)
    }
}
