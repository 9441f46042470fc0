//! What to do about a damaged folder: keep it aside as it is, and read of it what can be read.

use std::fs::{self, DirBuilder, File};
use std::io;
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};

use rustix::fs::{CWD, RenameFlags, renameat_with};

use super::{DATABASE_FILE, SledStore, remove_snapshots};
use crate::files::{parent, sync_folder};
use crate::store::StoreError;

/// Opens a copy of a store's folder. If it does not open, once more without sled's snapshot, which is made anew from
/// the rest.
///
/// # Errors
/// When the copy does not open either, or is behind what was committed.
pub(crate) fn open_copy(folder: &Path, copy: &Path) -> Result<SledStore, StoreError> {
    let copied = || -> Result<(), StoreError> {
        remove(copy)?;
        DirBuilder::new().mode(0o700).create(copy)?;
        Ok(copy_files(folder, copy)?)
    };
    copied()?;
    match SledStore::open(copy) {
        Err(StoreError::Damaged(_)) => {
            copied()?;
            remove_snapshots(copy, |_| true)?;
            SledStore::open(copy)
        }
        opened => opened,
    }
}

/// The bytes of the database's file, once nobody has it open; none where there is no such file.
pub(crate) fn read_database(folder: &Path) -> io::Result<Vec<u8>> {
    super::await_lock(folder).map_err(io::Error::other)?;
    read_own_database(folder)
}

/// The same while we have it open. Of what is being written it may have a part.
pub(crate) fn read_own_database(folder: &Path) -> io::Result<Vec<u8>> {
    match fs::read(folder.join(DATABASE_FILE)) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Vec::new()),
        read => read,
    }
}

/// Puts `new` in the place of `folder`, which is kept aside, and tells where. A crash leaves the one or the other there,
/// except on file systems that cannot exchange two names: there it may leave neither.
pub(crate) fn exchange(folder: &Path, new: &Path) -> io::Result<PathBuf> {
    let aside = new_place(folder)?;
    // A folder may be renamed over an empty one.
    if renameat_with(CWD, folder, CWD, new, RenameFlags::EXCHANGE).is_ok() {
        fs::rename(new, &aside)?;
    } else {
        fs::rename(folder, &aside)?;
        fs::rename(new, folder)?;
    }
    sync_folder(parent(folder))?;
    Ok(aside)
}

/// Removes a folder of ours, if it is there.
pub(crate) fn remove(folder: &Path) -> io::Result<()> {
    match fs::remove_dir_all(folder) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

/// An empty folder beside a damaged one.
fn new_place(folder: &Path) -> io::Result<PathBuf> {
    let mut number = 1_u32;
    loop {
        let mut name = folder.as_os_str().to_owned();
        name.push(format!(".damaged-{number}"));
        match DirBuilder::new().mode(0o700).create(&name) {
            Ok(()) => return Ok(PathBuf::from(name)),
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => number += 1,
            Err(error) => return Err(error),
        }
    }
}

pub(super) fn copy_files(from: &Path, to: &Path) -> io::Result<()> {
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
