//! Bundles: a room's entries in a file, to be carried by hand. The blocks are those of the log, so that whoever takes
//! one in checks them as if a peer had sent them; the signature at the end says who made it, and that all of it is there.
//!
//! ```text
//! "replica bundle 1\n", room (32), for each block its length (u32) and the block, length 0, author (32), signature (64)
//! ```

use std::ops::Range;

use sha2::{Digest as _, Sha256};

use crate::id::{AuthorKey, RoomId};
use crate::identity::{Identity, Purpose, Signature, verify};
use crate::limits::{BLOCK_BYTES_MAX, BUNDLE_BYTES_MAX};

#[cfg(test)]
mod tests;

/// Why bytes are not a bundle. Nothing of them is to be used.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[non_exhaustive]
pub enum BundleError {
    /// They do not begin like one.
    #[error("this is no bundle of replica, or one of another version")]
    NotOne,
    /// More than a bundle may have.
    #[error("a bundle has at most {BUNDLE_BYTES_MAX} bytes")]
    TooLarge,
    /// The end is missing, or there is more behind it.
    #[error("the bundle is cut off, or something was added to it")]
    Length,
    /// Some byte is not what its maker signed.
    #[error("the bundle is damaged: it is not what its maker signed")]
    Signature,
}

/// A bundle that is whole. Its blocks are still to be checked, each by itself.
#[derive(Debug)]
pub struct Bundle {
    /// Of which room.
    pub room: RoomId,
    /// Who made it. That says nothing of who wrote what is in it.
    pub author: AuthorKey,
    /// Where its blocks lie, causes first.
    pub blocks: Vec<Range<usize>>,
}

impl Bundle {
    /// Reads a bundle.
    ///
    /// # Errors
    /// When it is not one, or not whole.
    pub fn read(bytes: &[u8]) -> Result<Self, BundleError> {
        if bytes.len() > BUNDLE_BYTES_MAX {
            return Err(BundleError::TooLarge);
        }
        if !bytes.starts_with(MAGIC) {
            return Err(BundleError::NotOne);
        }
        let mut at = MAGIC.len();
        let room = RoomId(take(bytes, &mut at)?);
        let mut blocks = Vec::new();
        loop {
            let length = u32::from_be_bytes(take(bytes, &mut at)?) as usize;
            if length == 0 {
                break;
            }
            if length > BLOCK_BYTES_MAX || length > bytes.len() - at {
                return Err(BundleError::Length);
            }
            blocks.push(at..at + length);
            at += length;
        }
        let author = AuthorKey(take(bytes, &mut at)?);
        let signed = at;
        let signature = Signature(take(bytes, &mut at)?);
        if at != bytes.len() {
            return Err(BundleError::Length);
        }
        if !verify(&author, Purpose::Bundle(&hash(&bytes[..signed])), &signature) {
            return Err(BundleError::Signature);
        }
        Ok(Self { room, author, blocks })
    }
}

/// Writes a bundle.
#[derive(Debug)]
pub struct Writer(Vec<u8>);

impl Writer {
    /// An empty one of a room.
    #[must_use]
    pub fn new(room: &RoomId) -> Self {
        Self([MAGIC, &room.0].concat())
    }

    /// Adds a block. Causes come first.
    pub fn add(&mut self, block: &[u8]) {
        let length = u32::try_from(block.len()).unwrap_or(u32::MAX);
        self.0.extend(length.to_be_bytes());
        self.0.extend(block);
    }

    /// The whole bundle, signed.
    #[must_use]
    pub fn finish(mut self, identity: &Identity) -> Vec<u8> {
        self.0.extend([0; 4]);
        self.0.extend(identity.key().0);
        let signature = identity.sign(Purpose::Bundle(&hash(&self.0)));
        self.0.extend(signature.0);
        self.0
    }
}

const MAGIC: &[u8] = b"replica bundle 1\n";

fn hash(bytes: &[u8]) -> [u8; 32] {
    Sha256::digest(bytes).into()
}

fn take<const N: usize>(bytes: &[u8], at: &mut usize) -> Result<[u8; N], BundleError> {
    let (taken, _) = bytes[*at..].split_first_chunk().ok_or(BundleError::Length)?;
    *at += N;
    Ok(*taken)
}
