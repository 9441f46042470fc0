//! How far each room has been read: a small file of each in the home. Losing one loses nothing else.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use replica::id::{EntryId, RoomId};
use replica::order::{Clock, OrderKey};

use crate::files;
use crate::tui::app::Read;

#[cfg(test)]
mod tests;

fn path(home: &Path, room: &RoomId) -> PathBuf {
    home.join("read").join(room.to_string())
}

/// How far the room was read, if that is known.
pub(crate) fn load(home: &Path, room: &RoomId) -> Option<Read> {
    parse(&fs::read_to_string(path(home, room)).ok()?)
}

/// Keeps how far the room was read.
///
/// # Errors
/// When the file cannot be written.
pub(crate) fn save(home: &Path, room: &RoomId, read: &Read) -> io::Result<()> {
    files::replace(&path(home, room), format(read).as_bytes())
}

fn format(read: &Read) -> String {
    let Clock { era, time_ms, count } = read.key.clock;
    format!("{era} {time_ms} {count} {} {}\n", read.key.id, read.messages)
}

fn parse(text: &str) -> Option<Read> {
    let mut words = text.split_whitespace();
    let clock = Clock {
        era: words.next()?.parse().ok()?,
        time_ms: words.next()?.parse().ok()?,
        count: words.next()?.parse().ok()?,
    };
    let id: EntryId = words.next()?.parse().ok()?;
    let messages = words.next()?.parse().ok()?;
    Some(Read { key: OrderKey { clock, id }, messages })
}
