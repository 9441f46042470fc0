//! Replicas of a conversation kept in agreement: what they say to each other, over which channel, and when.
//!
//! - [`wire`]: the frames, as types and as bytes
//! - [`channel`]: who is at the other end, and that nobody else reads or alters what is said
//!
//! The core (`wire` and what decides) reads no clock, rolls no dice and touches no socket; the shell around it does
//! nothing else.

pub mod channel;
pub mod limits;
pub mod wire;
