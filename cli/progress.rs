//! How much of a long history has come.

use indicatif::{ProgressBar, ProgressStyle};
use replica_sync::node::Status;

#[cfg(test)]
mod tests;

/// Follows how much is still to come.
#[derive(Debug, Default)]
pub(crate) struct Progress {
    /// How many entries there were when it began.
    start: Option<u64>,
}

/// So much of something.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Part {
    /// Entries that have come.
    pub(crate) done: u64,
    /// Those and the ones that are missing.
    pub(crate) total: u64,
}

impl Progress {
    /// How much has come of what was asked for; none where that is little.
    pub(crate) fn of(&mut self, status: &Status) -> Option<Part> {
        let missing = status.peers.iter().map(|peer| peer.missing_here).max().unwrap_or(0);
        if missing == 0 {
            self.start = None;
            return None;
        }
        let done = status.entries.saturating_sub(*self.start.get_or_insert(status.entries));
        let part = Part { done, total: done + missing };
        (part.total >= WORTH_TELLING).then_some(part)
    }
}

/// A bar on stderr, where that is a terminal, while there is much to come.
pub(crate) struct Bar {
    progress: Progress,
    bar: Option<ProgressBar>,
    is_wanted: bool,
}

impl Bar {
    pub(crate) fn new(is_wanted: bool) -> Self {
        Self { progress: Progress::default(), bar: None, is_wanted }
    }

    /// Draws how a node stands.
    pub(crate) fn draw(&mut self, status: &Status) {
        match self.progress.of(status).filter(|_| self.is_wanted) {
            Some(part) => {
                let bar = self.bar.get_or_insert_with(|| ProgressBar::new(part.total).with_style(style()));
                bar.set_length(part.total);
                bar.set_position(part.done);
            }
            None => self.clear(),
        }
    }

    fn clear(&mut self) {
        if let Some(bar) = self.bar.take() {
            bar.finish_and_clear();
        }
    }
}

impl Drop for Bar {
    fn drop(&mut self) {
        self.clear();
    }
}

fn style() -> ProgressStyle {
    let style = ProgressStyle::with_template("{bar:30} {human_pos} of {human_len} entries, {eta} to go");
    style.unwrap_or_else(|_| ProgressStyle::default_bar())
}

/// Fewer have come before anyone could read that they are coming.
const WORTH_TELLING: u64 = 2_000;
