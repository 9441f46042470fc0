//! The home folder: a person's key, their rooms, and each room's store. One process at a time has it open.
//!
//! ```text
//! lock         held while open; the holder's process id inside
//! identity     the secret key: as it is, or under a passphrase
//! state.json   nickname, rooms and their secrets, and where the home lay (see below)
//! marker       an empty file that stays where it is
//! rooms/<first 16 hex digits of the room's id>/store
//! ```
//! Two homes that go on from one state would give out the same places in their author's chain twice. So the state
//! holds the [`Place`] of its home; when that is another one now, the home was copied, moved or restored, and every
//! room needs a new incarnation and store id before anything is written or sent.

use std::fs::{self, DirBuilder, File, OpenOptions, TryLockError};
use std::io;
use std::os::unix::fs::{
    DirBuilderExt as _, FileExt as _, MetadataExt as _, OpenOptionsExt as _, PermissionsExt as _,
};
use std::path::{Path, PathBuf};

use zeroize::Zeroizing;

use crate::files;
use crate::home::key::StoredKey;
use crate::id::RoomId;
use crate::identity::Identity;
use crate::identity::sealed::{Passphrase, UnsealError};

mod key;
mod place;
mod state;
#[cfg(test)]
mod tests;

pub use key::{export_key, read_key};
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
    /// The key is under a passphrase, and none was given.
    #[error("the key in {} is under a passphrase", path.display())]
    Sealed {
        /// The file.
        path: PathBuf,
    },
    /// The key does not open, or does not become sealed.
    #[error("the key in {} does not open", path.display())]
    Unseal {
        /// The file.
        path: PathBuf,
        /// Why.
        source: UnsealError,
    },
    /// A home keeps the key it has: its rooms know it by that.
    #[error("{} holds the key of somebody else", path.display())]
    OtherIdentity {
        /// The home's key.
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
    /// [`HomeError::Locked`] while another process has it open; [`HomeError::Sealed`] if its key is under a passphrase;
    /// otherwise when a file cannot be used as it is.
    pub fn open(folder: &Path) -> Result<Self, HomeError> {
        Self::open_with(folder, None)
    }

    /// Opens a home whose key may be under a passphrase, with the key that [`read_key`] took from under it.
    ///
    /// # Errors
    /// Those of [`Home::open`]; [`HomeError::Sealed`] also when the key is another one.
    pub fn open_with(folder: &Path, unsealed: Option<&Identity>) -> Result<Self, HomeError> {
        let lock = make_folder(folder)?;
        let state_path = folder.join(STATE_FILE);
        let state = State::read(&state_path)?;
        let identity_path = folder.join(IDENTITY_FILE);
        let identity = match StoredKey::of_home(&identity_path)? {
            Some(stored) => match unsealed.filter(|key| stored.is_sealed_of(key)) {
                Some(identity) => identity.clone(),
                None => stored.open(&identity_path, None)?,
            },
            None if state.is_some() => return Err(HomeError::IdentityLost { path: identity_path }),
            None => new_identity(&identity_path)?,
        };
        let place = Place::of(folder).map_err(at(folder))?;
        let state = match state {
            Some(state) => state,
            None => State::new(place.clone()).write(&state_path)?,
        };
        Ok(Self { folder: folder.to_owned(), identity, state, place, _lock: lock })
    }

    /// Puts a key into a home that has none, so that it is another home of the same person. Says whether it was not
    /// there before.
    ///
    /// # Errors
    /// [`HomeError::OtherIdentity`] when the home has another key.
    pub fn import(folder: &Path, identity: &Identity) -> Result<bool, HomeError> {
        let _lock = make_folder(folder)?;
        let path = folder.join(IDENTITY_FILE);
        match StoredKey::of_home(&path)? {
            None => {
                let bytes = key::bytes_of(identity, None, &path)?;
                files::create(&path, &bytes).map_err(at(&path))?;
                Ok(true)
            }
            Some(stored) if stored.is_of(identity) => Ok(false),
            Some(_) => Err(HomeError::OtherIdentity { path }),
        }
    }

    /// Puts the home's key under a passphrase, under another one, or under none.
    ///
    /// # Errors
    /// When the file cannot be written; the key is then kept as it was.
    pub fn set_passphrase(&mut self, passphrase: Option<&Passphrase>) -> Result<(), HomeError> {
        let path = self.folder.join(IDENTITY_FILE);
        let bytes = key::bytes_of(&self.identity, passphrase, &path)?;
        files::replace(&path, &bytes).map_err(at(&path))
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

/// Whether a folder is a home that others may look into: what is said in its rooms is not encrypted there.
#[must_use]
pub fn is_exposed(folder: &Path) -> bool {
    let is_open = fs::metadata(folder).is_ok_and(|folder| folder.mode() & 0o077 != 0);
    is_open && folder.join(IDENTITY_FILE).exists()
}

/// The rooms with a name; if there is none, those whose id begins so.
#[must_use]
pub fn rooms_called(rooms: &[(RoomId, String)], wanted: &str) -> Vec<RoomId> {
    let named = rooms.iter().filter(|(_, name)| name == wanted);
    let found: Vec<RoomId> = named.map(|(id, _)| *id).collect();
    if !found.is_empty() || wanted.len() < ID_DIGITS_MIN {
        return found;
    }
    rooms.iter().map(|(id, _)| *id).filter(|id| id.to_string().starts_with(wanted)).collect()
}

/// From so many digits on a word is read as the beginning of an id.
const ID_DIGITS_MIN: usize = 4;

/// Whether another process has a home open just now.
#[must_use]
pub fn is_open_elsewhere(folder: &Path) -> bool {
    File::open(folder.join(LOCK_FILE))
        .is_ok_and(|lock| matches!(lock.try_lock(), Err(TryLockError::WouldBlock)))
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

const LOCK_FILE: &str = "lock";

/// What the key's file is called in a home.
pub const IDENTITY_FILE: &str = "identity";

/// Says which path an I/O error is about.
fn at(path: &Path) -> impl Fn(io::Error) -> HomeError + '_ {
    |source| HomeError::Io { path: path.to_owned(), source }
}

/// Makes the folder of a home, if there is none, and takes its lock.
fn make_folder(folder: &Path) -> Result<File, HomeError> {
    let made = DirBuilder::new().recursive(true).mode(0o700).create(folder);
    made.and_then(|()| files::sync_names(folder, 0)).map_err(at(folder))?;
    if fs::read_dir(folder).is_ok_and(|mut files| files.next().is_none()) {
        // Somebody made it for us. If it cannot be closed to others, every start says so.
        fs::set_permissions(folder, fs::Permissions::from_mode(0o700)).ok();
    }
    take_lock(&folder.join(LOCK_FILE))
}

/// Draws a new key.
fn new_identity(path: &Path) -> Result<Identity, HomeError> {
    let identity = Identity::from_secret(&Zeroizing::new(draw_seed()?));
    let bytes = key::bytes_of(&identity, None, path)?;
    files::create(path, &bytes).map_err(at(path))?;
    Ok(identity)
}

fn take_lock(path: &Path) -> Result<File, HomeError> {
    let mut options = OpenOptions::new();
    let options = options.read(true).write(true).create(true).truncate(false).mode(0o600);
    let (opened, tells_who) = match options.open(path) {
        // What cannot be written can be read all the same.
        Err(error) if error.kind() == io::ErrorKind::ReadOnlyFilesystem => (File::open(path), false),
        opened => (opened, true),
    };
    let lock = opened.map_err(at(path))?;
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
    if tells_who {
        lock.write_all_at(pid.as_bytes(), 0).map_err(at(path))?;
    }
    Ok(lock)
}
