//! Where a home lies: what a copy of it cannot have in common with it.

use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _};
use std::path::Path;

use data_encoding::HEXLOWER;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

/// Machine, path, and one file's own data. Only good for comparing; a place that changed without cause (a file system
/// that renumbers its devices) costs a new incarnation, one that did not change though the home did costs a fork.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Place {
    /// Hash of the machine's id, where it has one.
    machine: Option<String>,
    /// The canonical path; what is not Unicode in it is replaced.
    path: String,
    /// Device and inode of the marker file.
    device: u64,
    inode: u64,
    /// When the marker's inode last changed, as the file system says: it was never touched since it was made. A
    /// restored home may well get the old inode number back, but not this.
    changed: (i64, i64),
}

impl Place {
    /// The place of a folder, whose marker is made if there is none.
    pub(super) fn of(folder: &Path) -> io::Result<Self> {
        let marker = open_marker(&folder.join("marker"))?.metadata()?;
        let machine_id = fs::read("/etc/machine-id").ok().filter(|id| !id.is_empty());
        let machine = |id| Sha256::new().chain_update(b"replica/1/machine\0").chain_update(id).finalize();
        Ok(Self {
            machine: machine_id.map(|id| HEXLOWER.encode(&machine(id))),
            path: fs::canonicalize(folder)?.to_string_lossy().into_owned(),
            device: marker.dev(),
            inode: marker.ino(),
            changed: (marker.ctime(), marker.ctime_nsec()),
        })
    }
}

fn open_marker(path: &Path) -> io::Result<File> {
    match OpenOptions::new().write(true).create_new(true).mode(0o600).open(path) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => File::open(path),
        made => made,
    }
}
