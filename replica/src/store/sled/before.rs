//! A store's files as they were before they were opened.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use crate::files;
use crate::limits::STORE_UNDO_BYTES_MAX;

/// What a folder held. sled writes while it opens: behind the first thing that it cannot read it clears the rest, which
/// may have been sound. So what was there is kept in memory until it is known to be sound.
#[derive(Debug)]
pub(crate) struct Before {
    folder: PathBuf,
    /// None when the folder holds too much.
    files: Option<BTreeMap<OsString, Vec<u8>>>,
}

impl Before {
    /// Reads the folder's files, unless they are too large to be kept.
    pub(crate) fn read(folder: &Path) -> io::Result<Self> {
        let mut files = BTreeMap::new();
        let mut left = STORE_UNDO_BYTES_MAX;
        for (name, path) in names(folder)? {
            let length = fs::metadata(&path)?.len();
            let Some(rest) = left.checked_sub(length) else {
                return Ok(Self { folder: folder.to_owned(), files: None });
            };
            left = rest;
            files.insert(name, fs::read(path)?);
        }
        Ok(Self { folder: folder.to_owned(), files: Some(files) })
    }

    /// Makes the files what they were. Nobody may have the store open.
    pub(crate) fn put_back(self) -> io::Result<()> {
        let Some(files) = self.files else { return Ok(()) };
        for (name, path) in names(&self.folder)? {
            if !files.contains_key(&name) {
                fs::remove_file(path)?;
            }
        }
        for (name, bytes) in files {
            let path = self.folder.join(name);
            if !fs::read(&path).is_ok_and(|now| now == bytes) {
                files::replace(&path, &bytes)?;
            }
        }
        Ok(())
    }
}

/// The files in a folder; none where there is no folder.
fn names(folder: &Path) -> io::Result<Vec<(OsString, PathBuf)>> {
    let listed = match fs::read_dir(folder) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        listed => listed?,
    };
    let mut names = Vec::new();
    for entry in listed {
        let entry = entry?;
        if entry.file_type()?.is_file() {
            names.push((entry.file_name(), entry.path()));
        }
    }
    Ok(names)
}
