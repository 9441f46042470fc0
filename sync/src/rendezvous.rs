//! A server that introduces: it keeps, for minutes and in memory, what members of rooms left for each other under tags
//! that say nothing to it.
//!
//! It sees who asks (their IP address), tags that change daily, and bytes sealed for members. It knows no room, name or
//! text, and if it lies it costs a member one failed dial. Where it is asked to, it also joins two members that cannot
//! reach each other: bytes of their own encrypted channel, within quotas.

mod registry;
mod server;
mod wire;

pub use server::Server;
#[cfg(feature = "sim")]
pub use wire::rewritten;
pub(crate) use wire::{Answer, Refusal, Request, read_message, write_message};

/// Under what one replica is known at a server. It draws it anew at each start.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Slot(pub(crate) [u8; 16]);

/// Names one call that waits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Cookie(pub(crate) [u8; 16]);
