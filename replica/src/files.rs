//! Files that are whole or absent, also after a power cut.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

/// Makes a new file; fails if there is one. Durable when it returns.
pub(crate) fn create(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let draft = write_draft(path, bytes)?;
    // Unlike renaming, linking never replaces what is there.
    fs::hard_link(&draft, path)?;
    fs::remove_file(&draft)?;
    sync_folder(parent(path))
}

/// Makes a file or replaces it. Durable when it returns; a reader sees the old bytes or the new ones.
pub(crate) fn replace(path: &Path, bytes: &[u8]) -> io::Result<()> {
    fs::rename(write_draft(path, bytes)?, path)?;
    sync_folder(parent(path))
}

/// Makes the names in a folder durable.
pub(crate) fn sync_folder(path: &Path) -> io::Result<()> {
    File::open(path)?.sync_all()
}

/// Makes a folder's own name durable, and those of `above` folders it lies in, which may be new as well. Folders that
/// we may not read are not ours, so not new.
pub(crate) fn sync_names(folder: &Path, above: usize) -> io::Result<()> {
    let mut folder = folder;
    for _ in 0..=above {
        folder = parent(folder);
        match sync_folder(folder) {
            Err(error) if error.kind() != io::ErrorKind::PermissionDenied => return Err(error),
            _ => {}
        }
    }
    Ok(())
}

/// The folder that holds `path`.
pub(crate) fn parent(path: &Path) -> &Path {
    match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    }
}

/// Writes the bytes beside their place, for the owner's eyes only. What a crash left of an earlier draft goes.
fn write_draft(path: &Path, bytes: &[u8]) -> io::Result<PathBuf> {
    let mut draft = path.as_os_str().to_owned();
    draft.push(".new");
    let draft = PathBuf::from(draft);
    match fs::remove_file(&draft) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&draft)?;
    file.write_all(bytes)?;
    file.sync_all()?;
    Ok(draft)
}
