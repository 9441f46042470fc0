//! Tests of the whole: the real program, end to end, and rules that the source keeps.
//!
//! Only these tests run processes. They listen on 127.0.0.1 alone and are bounded in time and count.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod bad_input;
mod bundles;
mod chat;
mod crash;
mod damage;
mod disk;
mod docs;
mod doctor;
mod documents;
mod finding;
mod fixtures;
mod homes;
mod hostile;
mod members;
mod network;
mod offline;
mod partitions;
mod program;
mod proxy;
mod scripts;
mod second_reader;
mod service;
mod sharing;
mod strace;
mod sync_oracle;
mod tidy;
mod tui;
mod unsafe_text;
