//! The file that holds a person's key: as it is, or under a passphrase.

use std::fs::File;
use std::io::{self, Read as _};
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;

use zeroize::Zeroizing;

use super::{HomeError, at, draw_seed};
use crate::files;
use crate::identity::Identity;
use crate::identity::sealed::{self, Cost, Passphrase, RANDOM_BYTES};

/// A key as a file has it.
pub(super) enum StoredKey {
    /// Whoever reads the file has it.
    Plain(Identity),
    /// Under a passphrase.
    Sealed(Vec<u8>),
}

impl StoredKey {
    /// Reads a home's file; none where there is none.
    pub(super) fn of_home(path: &Path) -> Result<Option<Self>, HomeError> {
        let file = match File::open(path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            opened => opened.map_err(at(path))?,
        };
        if file.metadata().map_err(at(path))?.mode() & 0o077 != 0 {
            return Err(HomeError::Exposed { path: path.to_owned() });
        }
        Self::read(file, path).map(Some)
    }

    fn read(file: File, path: &Path) -> Result<Self, HomeError> {
        // More than a key has, and little: a file from elsewhere may be anything.
        let mut bytes = Zeroizing::new(Vec::with_capacity(FILE_BYTES_MAX));
        file.take(FILE_BYTES_MAX as u64).read_to_end(&mut bytes).map_err(at(path))?;
        if sealed::is_sealed(&bytes) {
            sealed::sealed_key(&bytes).map_err(|_| HomeError::Damaged { path: path.to_owned() })?;
            return Ok(Self::Sealed(bytes.to_vec()));
        }
        match bytes.split_first() {
            Some((&version, _)) if version > NEWEST_VERSION => {
                Err(HomeError::Newer { path: path.to_owned() })
            }
            Some((_, rest)) => match rest.first_chunk::<32>() {
                Some(secret) if *bytes == *plain(secret) => Ok(Self::Plain(Identity::from_secret(secret))),
                _ => Err(HomeError::Damaged { path: path.to_owned() }),
            },
            None => Err(HomeError::Damaged { path: path.to_owned() }),
        }
    }

    /// Whether it is this one: that can be told without a passphrase.
    pub(super) fn is_of(&self, identity: &Identity) -> bool {
        match self {
            Self::Plain(plain) => plain.key() == identity.key(),
            Self::Sealed(_) => self.is_sealed_of(identity),
        }
    }

    /// Whether it is this one under a passphrase.
    pub(super) fn is_sealed_of(&self, identity: &Identity) -> bool {
        matches!(self, Self::Sealed(bytes) if sealed::sealed_key(bytes) == Ok(identity.key()))
    }

    /// The identity itself.
    pub(super) fn open(self, path: &Path, passphrase: Option<&Passphrase>) -> Result<Identity, HomeError> {
        match (self, passphrase) {
            (Self::Plain(identity), _) => Ok(identity),
            (Self::Sealed(_), None) => Err(HomeError::Sealed { path: path.to_owned() }),
            (Self::Sealed(bytes), Some(passphrase)) => {
                let path = path.to_owned();
                sealed::unseal(&bytes, passphrase).map_err(|source| HomeError::Unseal { path, source })
            }
        }
    }
}

/// The bytes of a key's file.
pub(super) fn bytes_of(
    identity: &Identity,
    passphrase: Option<&Passphrase>,
    path: &Path,
) -> Result<Zeroizing<Vec<u8>>, HomeError> {
    let Some(passphrase) = passphrase else {
        return Ok(plain(&Zeroizing::new(identity.secret())));
    };
    let drawn = [draw_seed()?, draw_seed()?].concat();
    let random = drawn.first_chunk::<RANDOM_BYTES>().ok_or(HomeError::Randomness)?;
    let path = path.to_owned();
    let sealed = sealed::seal(identity, passphrase, random, Cost::default());
    sealed.map(Zeroizing::new).map_err(|source| HomeError::Unseal { path, source })
}

/// Writes a key into a file of its own, under a passphrase: to be carried elsewhere, or kept as a backup. A file that
/// is there already is not touched.
///
/// # Errors
/// When the file cannot be made.
pub fn export_key(path: &Path, identity: &Identity, passphrase: &Passphrase) -> Result<(), HomeError> {
    let bytes = bytes_of(identity, Some(passphrase), path)?;
    files::create(path, &bytes).map_err(at(path))
}

/// Reads a key that was exported, or a home's own file.
///
/// # Errors
/// [`HomeError::Sealed`] when it takes a passphrase and there is none; otherwise when it is no key or does not open.
pub fn read_key(path: &Path, passphrase: Option<&Passphrase>) -> Result<Identity, HomeError> {
    let file = File::open(path).map_err(at(path))?;
    StoredKey::read(file, path)?.open(path, passphrase)
}

/// A secret that anybody reads who reads the file.
fn plain(secret: &[u8; 32]) -> Zeroizing<Vec<u8>> {
    let mut bytes = Zeroizing::new(Vec::with_capacity(1 + 32 + 4));
    bytes.push(PLAIN_VERSION);
    bytes.extend_from_slice(secret);
    let sum = crc32fast::hash(&bytes).to_be_bytes();
    bytes.extend_from_slice(&sum);
    bytes
}

const PLAIN_VERSION: u8 = 1;

/// That of a sealed key.
const NEWEST_VERSION: u8 = 2;

/// No key's file is as long.
const FILE_BYTES_MAX: usize = 1_024;
