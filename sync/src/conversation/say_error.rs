//! Why something is not done that somebody here wants.

use serde::{Deserialize, Serialize};

/// Why something cannot be said.
#[derive(Clone, Copy, Debug, thiserror::Error, PartialEq, Eq, Deserialize, Serialize)]
#[non_exhaustive]
pub enum SayError {
    /// Empty, or over the limit.
    #[error("a message has 1 to 16384 bytes of text, a name 1 to 128")]
    Form,
    /// Only members may do this.
    #[error("only a member of the room can do this")]
    NotMember,
    /// An admin removed this author from the room.
    #[error("an admin removed you from this room")]
    Removed,
    /// Only an admin may do this, and to nobody of the same or a higher rank.
    #[error("only an admin can do this, and not to an admin of higher rank")]
    NotAdmin,
    /// Whom it is about is no member.
    #[error("that is no member of the room")]
    NobodyThere,
    /// Too much waits for an admission.
    #[error("too many drafts wait already")]
    TooManyDrafts,
    /// A block that is none, or whose entries are not authentic or not valid.
    #[error("what is in it does not verify")]
    NotSound,
    /// A block that builds on entries that are not here.
    #[error("what is in it builds on entries that are not here")]
    Incomplete,
    /// The store failed earlier: nothing more is written.
    #[error("the store failed; this replica can only read until it is restarted")]
    ReadOnly,
}
