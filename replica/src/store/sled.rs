//! The store on disk: one sled database per room, default tree only.
//!
//! sled 0.34 is used within what it was measured to keep: append-mostly, values of at most 4 KiB (larger pages go to
//! files that are never synced), and a sync of our own, since its `flush` ends in `sync_file_range`, which a power
//! cut undoes. It panics on some damaged files, so every call runs under `catch_unwind` and a panic counts as damage.
//! The panic's message still reaches the panic hook, and so by default stderr: the hook is the program's to set.
//!
//! After a write that failed, sled also fails to read pages that it could not write and has no longer in memory, with all
//! rows on them, old ones too. They are in the file all the same: [`Archive::read_on`] finds them.
//!
//! What sled cannot tell is that its file lost its end: it then opens as it was some commits ago. So every batch
//! carries its number, and after each sync the number is noted in a file of its own, the witness. The note is not
//! synced: it is never ahead of the database after a power cut, and it notices any other loss.
//!
//! [`Archive::read_on`]: crate::archive::Archive::read_on

use std::cell::Cell;
use std::fs::{self, DirBuilder, File, OpenOptions, TryLockError};
use std::io;
use std::os::unix::fs::{DirBuilderExt as _, FileExt as _, OpenOptionsExt as _};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::thread;
use std::time::Duration;

use super::{Damage, Rows, Store, StoreError, Write, check_sizes, row};
use crate::files::{sync_folder, sync_names};

mod before;
mod repair;
#[cfg(test)]
mod tests;

pub(crate) use before::Before;
pub(crate) use repair::{exchange, open_copy, read_database, read_own_database, remove};

/// A store in a folder. Dropping it loses nothing that was committed.
pub struct SledStore {
    database: sled::Db,
    /// The database's file on a handle of our own, to sync it.
    file: File,
    /// Notes the number of the last synced commit.
    witness: File,
    commits: u64,
    latched: Cell<bool>,
}

impl SledStore {
    /// Opens the folder's store, or makes one. The caller holds the home's lock; a second opener is refused here too.
    ///
    /// # Errors
    /// [`StoreError::Locked`] while another process has it open; [`StoreError::Damaged`] when it does not hold what
    /// was put there. Opening damaged files may alter them further; [`Archive::open_in`] puts them back.
    ///
    /// [`Archive::open_in`]: crate::archive::Archive::open_in
    pub fn open(folder: &Path) -> Result<Self, StoreError> {
        DirBuilder::new().recursive(true).mode(0o700).create(folder)?;
        await_lock(folder)?;
        remove_snapshots(folder, |name| name.ends_with(".generating"))?;
        check_segments(folder)?;
        let database = guard(|| open_database(folder))?;
        let file = OpenOptions::new().read(true).write(true).open(folder.join(DATABASE_FILE))?;
        if !folder.join(WITNESS_FILE).try_exists()? {
            // It is made last, so without it nobody knows how far the making of the store came.
            sync_new(folder, &file)?;
        }
        let (witness, witnessed) = open_witness(folder)?;
        let commits = guard(|| read_commits(&database))?;
        let store = Self { database, file, witness, commits, latched: Cell::new(false) };
        match witnessed.saturating_sub(commits) {
            0 => Ok(store),
            lost => Err(Damage::Behind { lost }.into()),
        }
    }

    /// Hands the batch to sled, which writes it to the database's file by the time [`SledStore::sync`] is done.
    fn apply(&self, writes: &[Write], number: u64) -> Result<(), StoreError> {
        let mut batch = sled::Batch::default();
        for write in writes {
            match write {
                Write::Put { key, value } => batch.insert(key.as_slice(), value.as_slice()),
                Write::Delete { key } => batch.remove(key.as_slice()),
            }
        }
        batch.insert(COMMITS_KEY, row::seal(COMMITS_KEY, &[&number.to_be_bytes()]));
        guard(|| self.database.apply_batch(batch).map_err(refused))
    }

    /// Makes durable what was applied.
    fn sync(&self) -> Result<(), StoreError> {
        guard(|| self.database.flush().map(drop).map_err(refused))?;
        self.file.sync_data()?;
        Ok(())
    }

    /// Runs a call that may fail or panic. After any failure the store takes no more writes.
    fn latching<T>(&self, call: impl FnOnce() -> Result<T, StoreError>) -> Result<T, StoreError> {
        guard(call).inspect_err(|_| self.latched.set(true))
    }
}

impl Store for SledStore {
    fn commit(&mut self, writes: &[Write]) -> Result<(), StoreError> {
        if self.latched.get() {
            return Err(StoreError::Failed);
        }
        check_sizes(writes)?;
        if writes.is_empty() {
            return Ok(());
        }
        let number = self.commits + 1;
        self.latching(|| self.apply(writes, number).and_then(|()| self.sync()))?;
        self.commits = number;
        if let Err(error) = write_witness(&self.witness, number) {
            // The commit is durable whether or not it was noted.
            tracing::warn!(%error, "a commit could not be noted beside the store");
        }
        Ok(())
    }

    fn get(&self, key: &[u8]) -> Result<Option<Vec<u8>>, StoreError> {
        self.latching(|| Ok(self.database.get(key).map_err(refused)?.map(|value| value.to_vec())))
    }

    fn scan<'a>(&'a self, prefix: &[u8]) -> Rows<'a> {
        let mut rows = self.database.scan_prefix(prefix);
        let mut is_over = false;
        let next = move || {
            let row = self.latching(|| rows.next().transpose().map_err(refused)).transpose()?;
            Some(row.map(|(key, value)| (key.to_vec(), value.to_vec())))
        };
        // After an error sled may answer the same row for ever, so the first one is the last row.
        let fused =
            std::iter::from_fn(next).take_while(move |row| !std::mem::replace(&mut is_over, row.is_err()));
        Box::new(fused.filter(|row| !row.as_ref().is_ok_and(|(key, _)| key == COMMITS_KEY)))
    }

    fn close(self: Box<Self>) -> Result<(), StoreError> {
        let synced = if self.latched.get() { Err(StoreError::Failed) } else { self.sync() };
        guard(|| {
            drop(self);
            Ok(())
        })?;
        synced
    }
}

/// sled's segments, and what each begins with: a checksum over the rest, and two positions.
const SEGMENT_BYTES: usize = 512 * 1024;
const SEGMENT_HEADER_BYTES: usize = 20;

/// sled's name for its file, inside the folder.
const DATABASE_FILE: &str = "db";

/// Holds the number of the last synced commit.
const WITNESS_FILE: &str = "witness";

/// The row that holds the number of its commit.
const COMMITS_KEY: &[u8] = b"\0commits";

/// sled's setting, which is no bound: its default of 1 GiB took 554 MiB where this one takes 17.
const CACHE_BYTES: u64 = 1024 * 1024;

/// Folders between the home and a store's own that are made with the store: `rooms` and the room's.
const FOLDERS_ABOVE: usize = 2;

/// How often, and how long, a held lock is waited for: threads of a database closed just now may still hold it.
const LOCK_TRIES: u32 = 50;
const LOCK_PAUSE: Duration = Duration::from_millis(4);

/// Checks what sled trusts: that its file is there if the store was ever used, and the header of each of its segments,
/// which it reads only if it has lost its snapshot. A damaged one it would take for free, and write over.
fn check_segments(folder: &Path) -> Result<(), StoreError> {
    let file = match File::open(folder.join(DATABASE_FILE)) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            // The witness is made after the database, and never empty once something was committed.
            let was_used = fs::metadata(folder.join(WITNESS_FILE)).is_ok_and(|witness| witness.len() > 0);
            return if was_used { Err(Damage::Gone(DATABASE_FILE).into()) } else { Ok(()) };
        }
        opened => opened?,
    };
    let length = file.metadata()?.len();
    for at in (0..length).step_by(SEGMENT_BYTES) {
        let mut header = [0; SEGMENT_HEADER_BYTES];
        if length - at >= header.len() as u64 {
            file.read_exact_at(&mut header, at)?;
        }
        let [a, b, c, d, fields @ ..] = header;
        let is_sound = u32::from_le_bytes([a, b, c, d]) == !crc32fast::hash(&fields);
        if !is_sound && header.iter().any(|byte| *byte != 0) {
            return Err(Damage::Files.into());
        }
    }
    Ok(())
}

fn open_database(folder: &Path) -> Result<sled::Db, StoreError> {
    let config = sled::Config::new().path(folder).cache_capacity(CACHE_BYTES).flush_every_ms(None);
    config.open().map_err(refused)
}

/// Runs a call into sled; a panic there is damage.
fn guard<T>(call: impl FnOnce() -> Result<T, StoreError>) -> Result<T, StoreError> {
    catch_unwind(AssertUnwindSafe(call)).unwrap_or(Err(Damage::Files.into()))
}

fn refused(error: sled::Error) -> StoreError {
    match error {
        sled::Error::Io(error) if error.kind() != io::ErrorKind::UnexpectedEof => StoreError::Io(error),
        _ => Damage::Files.into(),
    }
}

/// Waits until nobody holds the lock that sled takes on its file: sled itself tells this from other errors by a text
/// only.
fn await_lock(folder: &Path) -> Result<(), StoreError> {
    let file = match File::open(folder.join(DATABASE_FILE)) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        opened => opened?,
    };
    for _ in 0..LOCK_TRIES {
        match file.try_lock() {
            Ok(()) => return Ok(file.unlock()?),
            Err(TryLockError::WouldBlock) => thread::sleep(LOCK_PAUSE),
            Err(TryLockError::Error(error)) => return Err(error.into()),
        }
    }
    Err(StoreError::Locked)
}

/// Removes snapshots, which sled makes anew from its file. One that was being written when the process ended
/// (`snap.*.generating`) would make the database unreadable.
fn remove_snapshots(folder: &Path, chosen: impl Fn(&str) -> bool) -> io::Result<()> {
    for file in fs::read_dir(folder)? {
        let file = file?;
        if file.file_name().to_str().is_some_and(|name| name.starts_with("snap.") && chosen(name)) {
            fs::remove_file(file.path())?;
        }
    }
    Ok(())
}

/// Makes a new database's files and their names durable.
fn sync_new(folder: &Path, database: &File) -> io::Result<()> {
    database.sync_all()?;
    File::open(folder.join("conf"))?.sync_all()?;
    sync_folder(folder)?;
    sync_names(folder, FOLDERS_ABOVE)
}

/// The number of the last commit in the database; 0 before the first.
fn read_commits(database: &sled::Db) -> Result<u64, StoreError> {
    let Some(value) = database.get(COMMITS_KEY).map_err(refused)? else { return Ok(0) };
    let fields = row::unseal(COMMITS_KEY, &value, "store")?;
    Ok(u64::from_be_bytes(fields.try_into().map_err(|_| Damage::Row("store"))?))
}

/// The witness and the number it notes; 0 when it is new, or does not hold a note in full.
fn open_witness(folder: &Path) -> io::Result<(File, u64)> {
    let mut options = OpenOptions::new();
    let file = options
        .read(true)
        .write(true)
        .create(true)
        .truncate(false)
        .mode(0o600)
        .open(folder.join(WITNESS_FILE))?;
    let mut note = [0; row::SEAL_BYTES + 8];
    let noted = match file.read_exact_at(&mut note, 0) {
        Ok(()) => row::unseal(COMMITS_KEY, &note, "store").ok().and_then(|number| number.try_into().ok()),
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => None,
        Err(error) => return Err(error),
    };
    Ok((file, noted.map_or(0, u64::from_be_bytes)))
}

fn write_witness(witness: &File, number: u64) -> io::Result<()> {
    witness.write_all_at(&row::seal(COMMITS_KEY, &[&number.to_be_bytes()]), 0)
}
