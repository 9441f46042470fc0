//! Replicas of a conversation kept in agreement: what they say to each other, over which channel, and when.
//!
//! - [`wire`]: the frames, as types and as bytes
//! - [`channel`]: who is at the other end, and that nobody else reads or alters what is said
//! - [`conversation`]: one room, what is admitted to it and what waits to be durable
//! - [`engine`]: the node without IO
//! - [`book`]: where members may be, and when to dial them again
//! - [`lobby`]: knocks, until two people are in one room
//! - [`penalty`]: what is held against whom
//! - [`ticket`]: one word that lets its holder into a room
//! - [`discovery`]: finding members without being told an address
//! - [`rendezvous`]: a server that introduces
//! - [`node`]: the one loop in which everything meets
//! - [`transport`]: connections over TCP, as events
//!
//! The core (`wire` and what decides) reads no clock, rolls no dice and touches no socket; the shell around it does
//! nothing else.

pub mod book;
pub mod channel;
mod clock;
pub mod conversation;
pub mod discovery;
pub mod engine;
pub mod limits;
pub mod lobby;
pub mod node;
mod overlay;
mod pace;
pub mod penalty;
pub mod rendezvous;
mod session;
#[cfg(any(test, feature = "sim"))]
pub mod sim;
pub mod ticket;
pub mod transport;
pub mod wire;
