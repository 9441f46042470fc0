//! Automerge actors.

use sha2::{Digest as _, Sha256};

use crate::id::{ChainId, EntryId};

/// Whose changes: a chain's or, where a chain was forked, a branch's. The bytes' length tells which.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Actor {
    /// The chain's own line.
    Chain([u8; ChainId::BYTES]),
    /// A second line of a forked chain: a hash of the chain and the branch's first entry.
    Branch([u8; 32]),
}

impl Actor {
    /// The actor of a branch, named by its first entry.
    #[must_use]
    pub fn branch(chain: ChainId, first: &EntryId) -> Self {
        let hash = Sha256::new().chain_update(b"replica/1/branch\0").chain_update(chain.to_bytes());
        Self::Branch(hash.chain_update(first.0).finalize().into())
    }

    /// 40 bytes for a chain, 32 for a branch.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        match self {
            Self::Chain(bytes) => bytes,
            Self::Branch(bytes) => bytes,
        }
    }

    /// Inverse of [`Actor::as_bytes`].
    #[must_use]
    pub fn from_bytes(bytes: &[u8]) -> Option<Self> {
        bytes.try_into().map(Self::Chain).or_else(|_| bytes.try_into().map(Self::Branch)).ok()
    }
}

impl From<ChainId> for Actor {
    fn from(chain: ChainId) -> Self {
        Self::Chain(chain.to_bytes())
    }
}
