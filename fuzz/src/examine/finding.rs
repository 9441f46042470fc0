//! What can be found wrong with a world.

use replica::archive::VerifyError;
use replica::id::{AuthorKey, EntryId};
use replica_sync::engine::Standing;

/// Something that must not be.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Finding {
    /// The script is wrong, not the world.
    #[error("`{0}` is not a step")]
    Step(String),
    /// No agreement, though nothing keeps anyone apart any more.
    #[error("no agreement, though nothing keeps anyone apart any more")]
    Unsettled,
    /// Frames of the exchange are sent though all agree, or the same two connect again and again.
    #[error("at rest {by} sent {to} {frames} frames and {greetings} greetings")]
    Restless {
        /// Who.
        by: String,
        /// To whom.
        to: String,
        /// How many of the exchange.
        frames: u64,
        /// How many first frames of a connection.
        greetings: u64,
    },
    /// A replica does not run although it should.
    #[error("{by} does not run")]
    Off {
        /// Which.
        by: String,
    },
    /// A replica has no connection to another, or does not say that they agree.
    #[error("{by} says of {of}: {standing:?}")]
    Standing {
        /// Who says.
        by: String,
        /// Of whom.
        of: String,
        /// What; none without a connection.
        standing: Option<Standing>,
    },
    /// No chain of connections leads to a replica.
    #[error("no chain of connections leads to {of}")]
    Apart {
        /// Which.
        of: String,
    },
    /// A peer heard of an entry that its sender could still lose.
    #[error("{by} told of {id} before it was durable")]
    ToldTooEarly {
        /// Who told.
        by: String,
        /// Of what.
        id: EntryId,
    },
    /// A replica ended a connection for what came over it, and nobody had altered anything.
    #[error("{by} accused {of}: {text}")]
    Accused {
        /// Who.
        by: String,
        /// Whom.
        of: String,
        /// Of what.
        text: String,
    },
    /// A log that cannot be read back.
    #[error("the log of {by} cannot be read")]
    Unreadable {
        /// Whose.
        by: String,
    },
    /// An entry was admitted whose author was no member by its past.
    #[error("{by} admitted {id}, whose author was no member")]
    Intruder {
        /// Who.
        by: String,
        /// What.
        id: EntryId,
    },
    /// Two replicas have different entries.
    #[error("{one} and {other} do not both have {id}")]
    Entries {
        /// One.
        one: String,
        /// The other.
        other: String,
        /// One entry of the difference.
        id: EntryId,
    },
    /// An entry was told to be durable, and is gone.
    #[error("{id} is lost, which {by} had told to be durable")]
    Lost {
        /// Who told.
        by: String,
        /// Which.
        id: EntryId,
    },
    /// A draft was told to be durable, its author is a member, and it is no entry.
    #[error("{by}'s draft is lost: {text}")]
    DraftLost {
        /// Whose.
        by: String,
        /// What it said.
        text: String,
    },
    /// Two entries for one thing said.
    #[error("said twice: {text}")]
    SaidTwice {
        /// What.
        text: String,
    },
    /// A chain forked in an honest run.
    #[error("{by} sees a fork")]
    Forked {
        /// Who.
        by: String,
    },
    /// A replica knows other members or names than the entries make.
    #[error("{by} is wrong about {author}")]
    People {
        /// Which.
        by: String,
        /// About whom.
        author: AuthorKey,
    },
    /// Rows do not stand in the order that the rule says.
    #[error("the rows of {by} are not in order, first at {at}")]
    Order {
        /// Whose.
        by: String,
        /// Index of the first wrong row, oldest first.
        at: usize,
    },
    /// A row stands before one that its author had seen.
    #[error("the rule puts {effect} before its cause")]
    EffectFirst {
        /// Which.
        effect: EntryId,
    },
    /// Two rows swapped places after they had been read, or one vanished.
    #[error("rows that {by} had shown changed places")]
    Swapped {
        /// Whose.
        by: String,
    },
    /// A row was announced with the wrong number of rows behind it.
    #[error("{by} announced {id} with {told} rows behind it; there were {counted}")]
    RowsAfter {
        /// Who.
        by: String,
        /// Which row.
        id: EntryId,
        /// The number told.
        told: u32,
        /// The right one.
        counted: usize,
    },
    /// A message is read with another text than its author signed.
    #[error("{by} reads another text for {id}")]
    Text {
        /// Who.
        by: String,
        /// Which.
        id: EntryId,
    },
    /// A replica's own check of everything found something.
    #[error("{by} verifies: {error}")]
    Verify {
        /// Which.
        by: String,
        /// What it found.
        error: VerifyError,
    },
    /// A replica cannot write its documents as one, or no other program can open that.
    #[error("the export of {by} is no document")]
    Export {
        /// Whose.
        by: String,
    },
    /// Documents of two replicas that agree differ.
    #[error("the documents of {one} and {other} differ")]
    Documents {
        /// One.
        one: String,
        /// The other.
        other: String,
    },
}
