//! The home folder: a person's key, their rooms, and each room's store. One process at a time has it open.
//!
//! ```text
//! lock         held while open; the holder's process id inside
//! identity     the secret key: version, 32 bytes, CRC-32
//! state.json   nickname, rooms and their secrets, and where the home lay (see below)
//! marker       an empty file that stays where it is
//! rooms/<first 16 hex digits of the room's id>/store
//! ```
//! Two homes that go on from one state would give out the same places in their author's chain twice. So the state
//! holds the [`Place`] of its home; when that is another one now, the home was copied, moved or restored, and every
//! room needs a new incarnation and store id before anything is written or sent.

use std::fs::{self, DirBuilder, File, OpenOptions, TryLockError};
use std::io;
use std::os::unix::fs::{DirBuilderExt as _, FileExt as _, MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use crate::files;
use crate::id::RoomId;
use crate::identity::Identity;

mod place;
mod state;
#[cfg(test)]
mod tests;

pub use place::Place;
pub use state::{HomeDraft, RoomState, Secret, State};

/// A home folder, open and locked until dropped.
#[derive(Debug)]
pub struct Home {
    folder: PathBuf,
    identity: Identity,
    state: State,
    place: Place,
    /// Holds the lock; it goes with the handle, however the process ends.
    _lock: File,
}

/// Why a home folder cannot be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum HomeError {
    /// Another process has it open.
    #[error("the home is in use by {}", pid.map_or("another process".to_owned(), |pid| format!("process {pid}")))]
    Locked {
        /// Which one, if it says so.
        pid: Option<u32>,
    },
    /// The system refused.
    #[error("{} cannot be read or written", path.display())]
    Io {
        /// What was touched.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// Others could have read the secret key.
    #[error("{path} can be read by others: run `chmod 600 {path}`", path = path.display())]
    Exposed {
        /// The file.
        path: PathBuf,
    },
    /// There are rooms but no key. A new key would be a stranger in all of them.
    #[error("{} is missing, though the home has been used: put it back from a backup", path.display())]
    IdentityLost {
        /// Where it should be.
        path: PathBuf,
    },
    /// A file that is not what was written.
    #[error("{} is damaged: put it back from a backup", path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
    },
    /// A file that a later version of the program wrote.
    #[error("{} was written by a newer version", path.display())]
    Newer {
        /// The file.
        path: PathBuf,
    },
    /// The system gave no random bytes.
    #[error("the system gives no random bytes")]
    Randomness,
}

impl Home {
    /// Opens a home, making what is missing: the folder for its owner's eyes only, a new key, an empty state.
    ///
    /// # Errors
    /// [`HomeError::Locked`] while another process has it open; otherwise when a file cannot be used as it is.
    pub fn open(folder: &Path) -> Result<Self, HomeError> {
        let made = DirBuilder::new().recursive(true).mode(0o700).create(folder);
        made.and_then(|()| files::sync_names(folder, 0)).map_err(at(folder))?;
        let lock = take_lock(&folder.join("lock"))?;
        let state_path = folder.join(STATE_FILE);
        let state = State::read(&state_path)?;
        let identity = open_identity(&folder.join("identity"), state.is_some())?;
        let place = Place::of(folder).map_err(at(folder))?;
        let state = match state {
            Some(state) => state,
            None => State::new(place.clone()).write(&state_path)?,
        };
        Ok(Self { folder: folder.to_owned(), identity, state, place, _lock: lock })
    }

    /// Who the owner is.
    #[must_use]
    pub fn identity(&self) -> &Identity {
        &self.identity
    }

    /// What the home keeps beside the stores.
    #[must_use]
    pub fn state(&self) -> &State {
        &self.state
    }

    /// Changes the state, durably.
    ///
    /// # Errors
    /// When it cannot be written; the state is then as it was.
    pub fn change(&mut self, change: impl FnOnce(&mut State)) -> Result<(), HomeError> {
        let mut state = self.state.clone();
        change(&mut state);
        if state != self.state {
            self.state = state.write(&self.folder.join(STATE_FILE))?;
        }
        Ok(())
    }

    /// Whether the home lies elsewhere than when its state was written: it may be a copy, with the original still in
    /// use. Every room then needs a new incarnation and store id, before anything else; [`Home::settle_place`] ends it.
    #[must_use]
    pub fn was_copied(&self) -> bool {
        self.state.place != self.place
    }

    /// Notes that the home lies here from now on, and in the same write that every room's store needs a new chain.
    ///
    /// # Errors
    /// When it cannot be written; the home then still counts as copied.
    pub fn settle_place(&mut self) -> Result<(), HomeError> {
        let place = self.place.clone();
        self.change(|state| {
            state.rooms.iter_mut().for_each(|room| room.renew = true);
            state.place = place;
        })
    }

    /// The folder.
    #[must_use]
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// Where a room's store lies. The folder above it is made when the store is.
    #[must_use]
    pub fn store_dir(&self, room: &RoomId) -> PathBuf {
        let mut name = room.to_string();
        name.truncate(16);
        self.folder.join("rooms").join(name).join("store")
    }
}

/// Thirty-two random bytes from the system: for keys, for secrets and as a seed of all other randomness.
///
/// # Errors
/// [`HomeError::Randomness`] when the system has none to give.
pub fn draw_seed() -> Result<[u8; 32], HomeError> {
    let mut seed = [0; 32];
    #[expect(clippy::disallowed_methods, reason = "the one place where randomness enters")]
    getrandom::fill(&mut seed).map_err(|_| HomeError::Randomness)?;
    Ok(seed)
}

const STATE_FILE: &str = "state.json";

/// Version of the identity file.
const IDENTITY_VERSION: u8 = 1;

/// Says which path an I/O error is about.
fn at(path: &Path) -> impl Fn(io::Error) -> HomeError + '_ {
    |source| HomeError::Io { path: path.to_owned(), source }
}

fn take_lock(path: &Path) -> Result<File, HomeError> {
    let mut options = OpenOptions::new();
    let options = options.read(true).write(true).create(true).truncate(false).mode(0o600);
    let lock = options.open(path).map_err(at(path))?;
    match lock.try_lock() {
        Ok(()) => {}
        Err(TryLockError::WouldBlock) => {
            let holder = fs::read_to_string(path).map_err(at(path))?;
            return Err(HomeError::Locked { pid: holder.trim().parse().ok() });
        }
        Err(TryLockError::Error(error)) => return Err(at(path)(error)),
    }
    // Of fixed width and never truncated, so that who reads it meanwhile reads one number or the other.
    let pid = format!("{:10}\n", std::process::id());
    lock.write_all_at(pid.as_bytes(), 0).map_err(at(path))?;
    Ok(lock)
}

/// Reads the key, or draws one where there is none and never was.
fn open_identity(path: &Path, was_used: bool) -> Result<Identity, HomeError> {
    let file = match File::open(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound && was_used => {
            return Err(HomeError::IdentityLost { path: path.to_owned() });
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            let secret = draw_seed()?;
            files::create(path, &identity_bytes(&secret)).map_err(at(path))?;
            return Ok(Identity::from_secret(&secret));
        }
        opened => opened.map_err(at(path))?,
    };
    if file.metadata().map_err(at(path))?.mode() & 0o077 != 0 {
        return Err(HomeError::Exposed { path: path.to_owned() });
    }
    let bytes = fs::read(path).map_err(at(path))?;
    match bytes.split_first() {
        Some((&version, _)) if version > IDENTITY_VERSION => Err(HomeError::Newer { path: path.to_owned() }),
        Some((_, rest)) => match rest.first_chunk::<32>() {
            Some(secret) if bytes == identity_bytes(secret) => Ok(Identity::from_secret(secret)),
            _ => Err(HomeError::Damaged { path: path.to_owned() }),
        },
        None => Err(HomeError::Damaged { path: path.to_owned() }),
    }
}

fn identity_bytes(secret: &[u8; 32]) -> Vec<u8> {
    let mut bytes = vec![IDENTITY_VERSION];
    bytes.extend_from_slice(secret);
    bytes.extend_from_slice(&crc32fast::hash(&bytes).to_be_bytes());
    bytes
}
