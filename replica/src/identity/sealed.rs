//! A secret key under a passphrase, as bytes for a file.
//!
//! ```text
//! 02 · memory in KiB u32 · passes u32 · salt (16) · nonce (24) · public key (32) · sealed secret (32 + 16) · CRC-32
//! ```
//! The passphrase becomes a key by Argon2id (RFC 9106; version 13 hex, one lane), which seals the secret by
//! XChaCha20-Poly1305 with all before it as associated data. The checksum tells a damaged file from a wrong passphrase.

use argon2::{Algorithm, Argon2, Params, Version};
use chacha20poly1305::aead::{Aead as _, Payload};
use chacha20poly1305::{KeyInit as _, XChaCha20Poly1305};
use zeroize::Zeroizing;

use crate::id::AuthorKey;
use crate::identity::Identity;
use crate::limits::{
    PASSPHRASE_BYTES_MAX, SEALING_MEMORY_KIB, SEALING_MEMORY_KIB_MAX, SEALING_PASSES, SEALING_PASSES_MAX,
};

#[cfg(test)]
mod tests;

/// What a secret key is sealed with. Wiped from memory when dropped, and not shown by mistake.
#[derive(Clone)]
pub struct Passphrase(Zeroizing<String>);

/// Why text is no passphrase.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a passphrase has 1 to {PASSPHRASE_BYTES_MAX} bytes")]
pub struct PassphraseError;

impl Passphrase {
    /// Takes text as it was typed.
    ///
    /// # Errors
    /// When it is empty or too long.
    pub fn new(text: String) -> Result<Self, PassphraseError> {
        let text = Zeroizing::new(text);
        if text.is_empty() || text.len() > PASSPHRASE_BYTES_MAX {
            Err(PassphraseError)
        } else {
            Ok(Self(text))
        }
    }

    /// Whether two are the same, as when one was typed twice.
    #[must_use]
    pub fn is(&self, other: &Self) -> bool {
        *self.0 == *other.0
    }
}

impl std::fmt::Debug for Passphrase {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Passphrase(..)")
    }
}

/// How much work a guess costs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cost {
    /// Memory that is filled, in KiB.
    pub memory_kib: u32,
    /// How often.
    pub passes: u32,
}

impl Default for Cost {
    fn default() -> Self {
        Self { memory_kib: SEALING_MEMORY_KIB, passes: SEALING_PASSES }
    }
}

/// Why bytes are not a secret key that this passphrase opens.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum UnsealError {
    /// They are not what was written.
    #[error("this is no sealed key, or it is damaged")]
    Damaged,
    /// It asks for more memory or time than any key made here; nothing was allocated for it.
    #[error("the sealed key asks for {} MiB of memory and {} passes: that is over the limit", .0.memory_kib / 1024, .0.passes)]
    TooCostly(Cost),
    /// The passphrase is another one.
    #[error("the passphrase is not the one")]
    WrongPassphrase,
}

/// Seals a secret key. The random bytes must be fresh: none may be used twice.
///
/// # Errors
/// [`UnsealError::TooCostly`] when the cost is beyond what would be opened again.
pub fn seal(
    identity: &Identity,
    passphrase: &Passphrase,
    random: &[u8; RANDOM_BYTES],
    cost: Cost,
) -> Result<Vec<u8>, UnsealError> {
    let mut bytes = vec![SEALED_VERSION];
    bytes.extend_from_slice(&cost.memory_kib.to_be_bytes());
    bytes.extend_from_slice(&cost.passes.to_be_bytes());
    bytes.extend_from_slice(random);
    bytes.extend_from_slice(&identity.key().0);
    let cipher = cipher(passphrase, &random[..SALT_BYTES], cost)?;
    let secret = Zeroizing::new(identity.secret());
    let (msg, aad) = (&secret[..], &bytes[..]);
    let sealed = cipher.encrypt(&nonce(&bytes), Payload { msg, aad }).map_err(|_| UnsealError::Damaged)?;
    bytes.extend_from_slice(&sealed);
    bytes.extend_from_slice(&crc32fast::hash(&bytes).to_be_bytes());
    Ok(bytes)
}

/// Opens a sealed secret key.
///
/// # Errors
/// When the bytes are damaged or ask for too much, or the passphrase is another one.
pub fn unseal(bytes: &[u8], passphrase: &Passphrase) -> Result<Identity, UnsealError> {
    let key = sealed_key(bytes)?;
    let (aad, sealed) = bytes.split_at(HEADER_BYTES);
    let msg = &sealed[..SEALED_SECRET_BYTES];
    let number = |at: usize| u32::from_be_bytes([aad[at], aad[at + 1], aad[at + 2], aad[at + 3]]);
    let cost = Cost { memory_kib: number(1), passes: number(5) };
    let cipher = cipher(passphrase, &aad[9..9 + SALT_BYTES], cost)?;
    let secret = cipher.decrypt(&nonce(aad), Payload { msg, aad }).map(Zeroizing::new);
    let secret = secret.map_err(|_| UnsealError::WrongPassphrase)?;
    let identity = secret.first_chunk().map(Identity::from_secret);
    identity.filter(|identity| identity.key() == key).ok_or(UnsealError::Damaged)
}

/// Whose a sealed key is. Anybody with the file can tell.
///
/// # Errors
/// [`UnsealError::Damaged`] when the bytes are not what was written.
pub fn sealed_key(bytes: &[u8]) -> Result<AuthorKey, UnsealError> {
    let (fields, sum) = bytes.split_last_chunk::<4>().ok_or(UnsealError::Damaged)?;
    let is_whole = bytes.len() == HEADER_BYTES + SEALED_SECRET_BYTES + 4
        && is_sealed(bytes)
        && crc32fast::hash(fields).to_be_bytes() == *sum;
    let key = fields.get(HEADER_BYTES - 32..HEADER_BYTES).and_then(|key| key.try_into().ok());
    key.filter(|_| is_whole).map(AuthorKey).ok_or(UnsealError::Damaged)
}

/// Whether bytes begin as a sealed key does.
#[must_use]
pub fn is_sealed(bytes: &[u8]) -> bool {
    bytes.first() == Some(&SEALED_VERSION)
}

fn cipher(passphrase: &Passphrase, salt: &[u8], cost: Cost) -> Result<XChaCha20Poly1305, UnsealError> {
    let Cost { memory_kib, passes } = cost;
    if memory_kib > SEALING_MEMORY_KIB_MAX || passes > SEALING_PASSES_MAX {
        return Err(UnsealError::TooCostly(cost));
    }
    let params = Params::new(memory_kib, passes, 1, Some(32)).map_err(|_| UnsealError::Damaged)?;
    let mut key = Zeroizing::new([0; 32]);
    let hash = Argon2::new(Algorithm::Argon2id, Version::V0x13, params);
    hash.hash_password_into(passphrase.0.as_bytes(), salt, &mut key[..]).map_err(|_| UnsealError::Damaged)?;
    Ok(XChaCha20Poly1305::new((&*key).into()))
}

/// The nonce of a header.
fn nonce(header: &[u8]) -> chacha20poly1305::XNonce {
    let mut nonce = chacha20poly1305::XNonce::default();
    nonce.copy_from_slice(&header[9 + SALT_BYTES..9 + RANDOM_BYTES]);
    nonce
}

/// How many random bytes a sealing needs: salt and nonce.
pub const RANDOM_BYTES: usize = SALT_BYTES + 24;

const SALT_BYTES: usize = 16;

const SEALED_VERSION: u8 = 2;

/// Version, cost, salt, nonce and public key.
const HEADER_BYTES: usize = 1 + 4 + 4 + RANDOM_BYTES + 32;

/// The secret and its tag.
const SEALED_SECRET_BYTES: usize = 32 + 16;
