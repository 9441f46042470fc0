//! A conversation without a server, at rest: what is said, by whom, in which order, and how it is kept.
//!
//! - [`identity`]: who someone is, and what their signatures mean
//! - [`entry`]: one signed act of one author, in canonical bytes
//! - [`block`]: many entries in near-minimal bytes, as stored and as sent
//! - [`bundle`]: a room's blocks in a file, to be carried by hand
//! - [`preview`]: the newest entries, to be read before their past is here
//! - [`graph`]: which entries there are, how they hang together, and whether another one belongs with them
//! - [`members`]: what people are called
//! - [`order`]: where an entry stands, the same on every replica
//! - [`timeline`]: which document holds an entry, and the rows in order
//! - [`document`]: one Automerge document; the only module that knows Automerge
//! - [`documents`]: the documents of a room, brought up to date behind what is shown
//! - [`store`]: rows that survive a power cut; the log of entries and the saved documents over them
//! - [`archive`]: a room at rest: log, documents and notes in one store
//! - [`home`]: the folder that holds a person's key, rooms and stores
//!
//! Nothing here reads a clock, opens a socket or knows an async runtime.

pub mod archive;
pub mod block;
pub mod bundle;
pub mod document;
pub mod documents;
pub mod entry;
mod files;
pub mod graph;
pub mod home;
pub mod id;
pub mod identity;
pub mod limits;
pub mod members;
pub mod order;
pub mod preview;
pub mod store;
#[cfg(test)]
mod testing;
pub mod timeline;
