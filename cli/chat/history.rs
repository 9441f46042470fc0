//! What is said while a long history comes.

use std::io;
use std::pin::Pin;
use std::time::Duration;

use replica_sync::engine::Glimpse;
use tokio::time::{Sleep, sleep};

use crate::chat::Chat;
use crate::progress::{Part, Progress};
use crate::text;

/// Follows how much has come.
#[derive(Debug, Default)]
pub(crate) struct History {
    pub(super) progress: Progress,
    /// The newest there is elsewhere, until it is known whether the rest is there in a moment anyway.
    newest: Vec<Glimpse>,
    /// Whether it was shown: once is enough.
    was_shown: bool,
    due: Option<Pin<Box<Sleep>>>,
}

impl History {
    /// Somebody came: much may follow.
    pub(crate) fn expect(&mut self) {
        self.due.get_or_insert_with(|| Box::pin(sleep(FIRST_LOOK)));
    }

    /// The newest there is came ahead of the rest.
    pub(crate) fn foresee(&mut self, newest: Vec<Glimpse>) {
        self.newest = newest;
        self.due = Some(Box::pin(sleep(A_MOMENT)));
    }

    /// Until it is time to say how much has come.
    ///
    /// # Cancel safety
    /// The time goes on where it was.
    pub(crate) async fn due(&mut self) {
        match &mut self.due {
            Some(due) => due.await,
            None => std::future::pending().await,
        }
    }
}

impl Chat<'_> {
    /// Says how much has come, and looks again as long as more does.
    pub(super) async fn on_history_due(&mut self) -> anyhow::Result<()> {
        self.history.due = None;
        let status = self.client.status().await?;
        let newest = std::mem::take(&mut self.history.newest);
        if !newest.is_empty() {
            self.history.expect();
            let is_of_use = status.peers.iter().any(|peer| peer.missing_here > 0);
            if is_of_use && !std::mem::replace(&mut self.history.was_shown, true) {
                self.show_newest(&newest)?;
            }
        }
        if let Some(Part { done, total }) = self.history.progress.of(&status) {
            self.history.due = Some(Box::pin(sleep(NEXT_LOOK)));
            if self.on_screen {
                self.note(&format!("{} of {} entries have come", text::grouped(done), text::grouped(total)))?;
            }
        }
        Ok(())
    }

    /// Shows what is newest elsewhere, dimmed: it has no past here yet.
    fn show_newest(&mut self, glimpses: &[Glimpse]) -> io::Result<()> {
        if !self.on_screen || self.config.quiet {
            return Ok(());
        }
        self.note("The newest there is; what came before it is on its way, and checked as it comes:")?;
        self.renderer.set_columns(self.on_screen.then(super::columns));
        let newest = &glimpses[glimpses.len().saturating_sub(SHOWN)..];
        let lines: Vec<String> =
            newest.iter().flat_map(|glimpse| self.renderer.glimpse(glimpse, &self.people)).collect();
        self.print(&lines)
    }
}

/// Soon enough to be of use, late enough that a short history needs no words.
const FIRST_LOOK: Duration = Duration::from_secs(1);

const NEXT_LOOK: Duration = Duration::from_secs(3);

/// What comes sooner than this needs no announcement.
const A_MOMENT: Duration = Duration::from_millis(400);

/// Half a screen.
const SHOWN: usize = 12;
