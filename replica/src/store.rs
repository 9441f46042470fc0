//! Rows of bytes that survive a power cut, and the forms laid over them.
//!
//! [`Store`] is the narrow part: atomic batches of rows, sorted by key. [`SledStore`] keeps them on disk,
//! [`MemoryStore`] in memory with faults on demand. Over either lie the [`Log`] (entries as they were admitted, in
//! immutable blocks) and the [`saved`] documents. One thread owns a store; batching requests into one commit is its
//! owner's business.
//!
//! Row keys begin with a letter that says whose they are: `b`, `i` and `t` the log's, `d` and `p` the saved
//! documents', `m` for other modules' metadata. Keys that begin with a zero byte are the store's own.

pub(crate) mod log;
mod memory;
pub(crate) mod row;
pub mod saved;
mod sled;
#[cfg(test)]
mod tests;

pub use log::{BlockNumber, Log};
pub use memory::MemoryStore;
pub(crate) use sled::Before;
pub use sled::SledStore;
pub(crate) use sled::{exchange, open_copy, read_database, read_own_database, remove};

use crate::limits::{STORE_KEY_BYTES_MAX, STORE_VALUE_BYTES_MAX};

/// One change to one row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Write {
    /// Adds the row, or replaces its value.
    Put {
        /// Which row; at most [`STORE_KEY_BYTES_MAX`].
        key: Vec<u8>,
        /// What it holds; at most [`STORE_VALUE_BYTES_MAX`].
        value: Vec<u8>,
    },
    /// Removes the row, if it is there.
    Delete {
        /// Which row.
        key: Vec<u8>,
    },
}

/// A row read back: key and value.
pub type Row = (Vec<u8>, Vec<u8>);

/// Rows read in the order of their keys. One error may be followed by further rows.
pub type Rows<'a> = Box<dyn Iterator<Item = Result<Row, StoreError>> + 'a>;

/// Rows of bytes with atomic durable batches; rows sort by key.
///
/// A commit that fails latches: what is on disk is then not known, so every later commit is refused with
/// [`StoreError::Failed`]. A read that meets damage may latch too. Reading goes on as well as it can.
pub trait Store: Send {
    /// Applies a batch, all or nothing. When it answers `Ok`, the batch survives a power cut. One batch, one flush,
    /// one sync; an empty batch costs nothing.
    ///
    /// # Errors
    /// [`StoreError::TooLarge`] changes nothing and does not latch; all others latch.
    fn commit(&mut self, writes: &[Write]) -> Result<(), StoreError>;

    /// The value of one row.
    ///
    /// # Errors
    /// When the row cannot be read.
    fn get(&self, key: &[u8]) -> Result<Option<Vec<u8>>, StoreError>;

    /// All rows whose key begins with `prefix`, ascending.
    fn scan<'a>(&'a self, prefix: &[u8]) -> Rows<'a>;

    /// Leaves the store in order. Not needed for durability: a store that is never closed has lost nothing.
    ///
    /// # Errors
    /// When something could not be written.
    fn close(self: Box<Self>) -> Result<(), StoreError>;
}

/// Why the store did not do it.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StoreError {
    /// The system refused: no space, no permission, a failing disk.
    #[error("the store cannot be read or written")]
    Io(#[from] std::io::Error),
    /// Another process has the same folder open.
    #[error("the store is in use by another process")]
    Locked,
    /// What is on disk is not what was put there. The folder is left as it is; see
    /// [`archive::mend`](crate::archive::mend).
    #[error("the store is damaged: {0}")]
    Damaged(#[from] Damage),
    /// A key, value, block or name over its limit. Nothing was changed.
    #[error("{bytes} bytes are over the store's limit")]
    TooLarge {
        /// How many were given.
        bytes: usize,
    },
    /// An earlier commit failed; the store takes no more until it is opened anew.
    #[error("an earlier write failed, so the store takes no more")]
    Failed,
}

/// What is wrong with a store's rows or files.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Damage {
    /// One of the database's files is gone.
    #[error("its file `{0}` is missing")]
    Gone(&'static str),
    /// The database itself cannot be opened or read.
    #[error("its files do not hold together")]
    Files,
    /// The database opens, but as it was before commits that were acknowledged.
    #[error("its last {lost} commits are lost")]
    Behind {
        /// How many.
        lost: u64,
    },
    /// A row is missing, or is not what was written.
    #[error("a row of the {0} is missing or altered")]
    Row(&'static str),
    /// The log's rows are sound one by one, but are not the log that was written.
    #[error("the log's blocks do not add up")]
    Log,
}

/// Refuses a batch with a key or value that is over the limits.
fn check_sizes(writes: &[Write]) -> Result<(), StoreError> {
    for write in writes {
        let (key, value) = match write {
            Write::Put { key, value } => (key, value.len()),
            Write::Delete { key } => (key, 0),
        };
        for (bytes, max) in [(key.len(), STORE_KEY_BYTES_MAX), (value, STORE_VALUE_BYTES_MAX)] {
            if bytes > max {
                return Err(StoreError::TooLarge { bytes });
            }
        }
    }
    Ok(())
}
