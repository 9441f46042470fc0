//! What was on the screen last, to be shown again at once while the history is opened: a small file for each room in the
//! home. Losing one loses nothing else.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use replica::id::RoomId;
use replica_sync::engine::Row;
use replica_sync::node::Status;
use serde::{Deserialize, Serialize};

use crate::files;
use crate::tui::app::App;

#[cfg(test)]
mod tests;

/// How the node stood, and the newest rows, newest first.
#[derive(Debug, Deserialize, Serialize)]
pub(crate) struct LastScreen {
    pub(super) status: Box<Status>,
    pub(super) rows: Vec<Row>,
}

impl LastScreen {
    /// What is to be shown next time, unless the newest rows are not at hand.
    pub(crate) fn of(app: &App) -> Option<Self> {
        if app.is_opening || app.window.has_newer || app.window.rows().next().is_none() {
            return None;
        }
        let mut status = app.status.clone()?;
        // Of the network nothing will be as it was.
        (status.peers, status.listening, status.discovery) = (Vec::new(), Vec::new(), Vec::new());
        status.outside = None;
        Some(Self { status, rows: app.window.rows().rev().take(ROWS).cloned().collect() })
    }

    /// What was kept of a room, if anything was.
    pub(crate) fn load(home: &Path, room: &RoomId) -> Option<Self> {
        let screen: Self = serde_json::from_slice(&fs::read(path(home, room)).ok()?).ok()?;
        screen.status.room.as_ref().is_some_and(|(of, _)| of == room).then_some(screen)
    }

    /// Keeps it.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub(crate) fn save(&self, home: &Path) -> io::Result<()> {
        let Some((room, _)) = &self.status.room else { return Ok(()) };
        files::replace(&path(home, room), &serde_json::to_vec(self)?)
    }
}

fn path(home: &Path, room: &RoomId) -> PathBuf {
    home.join("screens").join(room.to_string())
}

/// As many as a tall screen has lines.
const ROWS: usize = 100;
