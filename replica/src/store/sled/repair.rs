//! What to do about a damaged folder: copy it aside, then let sled rebuild what it can.

use std::fs::{self, DirBuilder, File};
use std::io;
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};

use super::{SledStore, WITNESS_FILE, remove_snapshots};
use crate::files::{sync_folder, sync_names};
use crate::store::StoreError;

/// Copies a store's folder to `<folder>.damaged-1` beside it (or `-2` and so on), durably, and tells where. Nobody
/// may have the store open.
///
/// # Errors
/// When the copy cannot be made in full; what there is of it stays.
pub fn set_aside(folder: &Path) -> Result<PathBuf, StoreError> {
    let mut number = 1_u32;
    let copy = loop {
        let mut name = folder.as_os_str().to_owned();
        name.push(format!(".damaged-{number}"));
        match DirBuilder::new().mode(0o700).create(&name) {
            Ok(()) => break PathBuf::from(name),
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => number += 1,
            Err(error) => return Err(error.into()),
        }
    };
    copy_files(folder, &copy)?;
    sync_names(&copy, 0)?;
    Ok(copy)
}

/// Copies the folder aside, removes sled's snapshots and tries once more, accepting that commits may be lost: the
/// rows that are left must be checked, and the home must go on in chains of a new incarnation. Tells where the copy
/// is.
///
/// # Errors
/// [`StoreError::Damaged`] when that does not help either; the way on is then an empty store, filled by peers.
pub fn repair(folder: &Path) -> Result<(SledStore, PathBuf), StoreError> {
    super::await_lock(folder)?;
    let copy = set_aside(folder)?;
    remove_snapshots(folder, |_| true)?;
    match fs::remove_file(folder.join(WITNESS_FILE)) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error.into()),
        _ => {}
    }
    Ok((SledStore::open(folder)?, copy))
}

fn copy_files(from: &Path, to: &Path) -> io::Result<()> {
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        let copy = to.join(entry.file_name());
        if entry.file_type()?.is_dir() {
            DirBuilder::new().mode(0o700).create(&copy)?;
            copy_files(&entry.path(), &copy)?;
        } else {
            fs::copy(entry.path(), &copy)?;
            File::open(&copy)?.sync_all()?;
        }
    }
    sync_folder(to)
}
