//! Files for the owner's eyes only.

use std::fs::{self, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

#[cfg(test)]
mod tests;

/// Makes a file or empties it, and writes it.
///
/// # Errors
/// When the file cannot be written.
pub(crate) fn write(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut options = OpenOptions::new();
    options.write(true).create(true).truncate(true).mode(0o600).open(path)?.write_all(bytes)
}

/// Makes a file, and the folder it lies in, or replaces it: a reader sees the old bytes or the new ones. After a power
/// cut it may be empty.
///
/// # Errors
/// When the file cannot be written.
pub(crate) fn replace(path: &Path, bytes: &[u8]) -> io::Result<()> {
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder)?;
    }
    let new = path.with_extension("new");
    write(&new, bytes)?;
    fs::rename(new, path)
}

/// Writes what somebody named, as a shell would: devices and pipes are written to, links are followed. A file is made
/// aside and moved to its place, so that whoever reads it sees all of it or what was there before.
///
/// # Errors
/// When it cannot be written; what was there before then still is.
pub(crate) fn put(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let there = fs::metadata(path).ok();
    let is_stream = there.as_ref().is_some_and(|there| !there.is_file());
    if is_stream || OPEN_ALREADY.iter().any(|folder| path.starts_with(folder)) {
        return OpenOptions::new().append(true).open(path)?.write_all(bytes);
    }
    let place = fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
    if place.is_symlink() {
        // It leads to where nothing is yet.
        return write(path, bytes);
    }
    let aside = aside(&place);
    fs::remove_file(&aside).or_else(none_is_fine)?;
    let mut options = OpenOptions::new();
    let made = options.write(true).create_new(true).mode(0o600).open(&aside)?;
    let permissions = there.map(|there| there.permissions());
    let written = (&made)
        .write_all(bytes)
        .and_then(|()| permissions.map_or(Ok(()), |permissions| made.set_permissions(permissions)))
        .and_then(|()| fs::rename(&aside, &place));
    if written.is_err() {
        fs::remove_file(&aside).ok();
    }
    written
}

/// Where what is open already has a name, even if it is a file.
const OPEN_ALREADY: [&str; 4] = ["/dev/stdout", "/dev/stderr", "/dev/fd", "/proc"];

fn aside(path: &Path) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(".part");
    name.into()
}

fn none_is_fine(error: io::Error) -> io::Result<()> {
    if error.kind() == io::ErrorKind::NotFound { Ok(()) } else { Err(error) }
}
