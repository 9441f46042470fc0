//! The chat's side of the full screen: what it wants of the node.

use std::time::Duration;

use replica::limits::MESSAGE_BYTES_MAX;
use replica::order::OrderKey;
use replica_sync::engine::Row;
use replica_sync::node::NodeError;

use crate::chat::typed::{Source, Typed};
use crate::chat::{Chat, welcome};
use crate::files;
use crate::time::now_ms;
use crate::tui::last_screen::LastScreen;
use crate::tui::{Action, PAGE_ROWS, Purpose, Tui, read_mark};

impl Chat<'_> {
    /// The full screen, if there is one.
    pub(super) fn full(&mut self) -> Option<&mut Tui> {
        match &mut self.source {
            Source::Full(tui) => Some(tui),
            _ => None,
        }
    }

    /// Does what the screen wants. Says whether that was the end.
    pub(super) async fn on_wanted(&mut self, action: Action) -> anyhow::Result<bool> {
        match action {
            Action::Say(line) => return self.on_typed(Typed::Line(line)).await,
            Action::Page { before, count, purpose } => self.turn_page(before, count, purpose).await?,
            Action::PageDown { after, up_to } => {
                let rows = self.rows_after(after, up_to).await?;
                self.full().into_iter().for_each(|tui| tui.app().on_page_down(rows.clone(), up_to));
            }
            Action::Switch(room) => self.go(room).await?,
            Action::Edit(text) => self.edit(text).await?,
            Action::Quit => return Ok(true),
            Action::Notify { .. } | Action::Redraw | Action::Suspend => {}
        }
        Ok(false)
    }

    async fn turn_page(
        &mut self,
        before: Option<OrderKey>,
        count: usize,
        purpose: Purpose,
    ) -> anyhow::Result<()> {
        let Source::Full(tui) = &mut self.source else { return Ok(()) };
        let rows = match tui.meanwhile(self.client.page(before, count)).await? {
            Some(Ok(rows)) => rows,
            Some(Err(NodeError::NoRoom)) => Vec::new(),
            Some(Err(error)) => return Err(error.into()),
            None => return Ok(()),
        };
        tui.app().on_page(before, rows, count, purpose);
        Ok(())
    }

    /// All rows between two places. The store reads upwards: so do we, from the lower one.
    async fn rows_after(&mut self, after: OrderKey, up_to: Option<OrderKey>) -> anyhow::Result<Vec<Row>> {
        let mut rows: Vec<Row> = Vec::new();
        let mut before = up_to;
        loop {
            let page = self.client.page(before, PAGE_ROWS).await?;
            before = page.last().map(|row| row.key);
            let is_last = page.len() < PAGE_ROWS || before.is_some_and(|oldest| oldest <= after);
            rows.extend(page.into_iter().filter(|row| row.key > after));
            if is_last {
                return Ok(rows);
            }
        }
    }

    /// Asks how the node stands, and again as long as something goes on.
    pub(super) async fn look(&mut self) -> anyhow::Result<()> {
        let Source::Full(tui) = &mut self.source else { return Ok(()) };
        let Some(status) = tui.meanwhile(self.client.status()).await? else { return Ok(()) };
        let status = status?;
        let progress = self.history.progress.of(&status);
        let is_coming = status.peers.iter().any(|peer| peer.missing_here > 0);
        let counts_down = status.peers.iter().any(|peer| peer.retry_ms.is_some());
        let app = tui.app();
        app.progress = progress;
        app.reachable = welcome::reachable(&self.listening);
        for room in status.rooms.iter().filter(|room| room.is_open) {
            if !app.rooms.knows(&room.id) {
                let read =
                    read_mark::load(&self.client.home, &room.id).map_or(room.messages, |read| read.messages);
                app.rooms.waits(room.id, room.messages.saturating_sub(read).saturating_sub(room.new));
            }
        }
        app.on_status(status);
        if is_coming {
            tui.look_in(PROGRESS_TIME);
        } else if counts_down && tui.app().shows_countdown() {
            tui.look_in(SECOND);
        }
        Ok(())
    }

    /// Something happened by which the node may stand another way.
    pub(super) fn look_soon(&mut self) {
        self.full().into_iter().for_each(|tui| tui.look_in(SOON));
    }

    /// A room is open: its newest page, and how far it was read.
    pub(super) async fn show_room(&mut self) -> anyhow::Result<()> {
        self.keep_read();
        let status = self.client.status().await?;
        let rows = match &status.room {
            Some(_) => self.client.page(None, PAGE_ROWS).await?,
            None => Vec::new(),
        };
        let home = self.client.home.clone();
        let read = status.room.as_ref().and_then(|(room, _)| read_mark::load(&home, room));
        self.full().into_iter().for_each(|tui| tui.app().open(status.clone(), rows.clone(), PAGE_ROWS, read));
        self.look().await
    }

    /// Gives the terminal back, and keeps how far was read and what is to be shown first next time.
    pub(super) fn leave_screen(&mut self) {
        if matches!(self.source, Source::Full(_)) {
            self.keep_read();
            self.source = Source::Left;
        }
    }

    /// Keeps how far the room on the screen was read.
    fn keep_read(&mut self) {
        let Source::Full(tui) = &mut self.source else { return };
        if tui.app().is_opening {
            return;
        }
        if let Some(screen) = LastScreen::of(tui.app())
            && let Err(error) = screen.save(&self.client.home)
        {
            tracing::warn!(%error, "the last screen was not kept");
        }
        let room = tui.app().status.as_ref().and_then(|status| status.room.as_ref()).map(|(room, _)| *room);
        if let Some((room, read)) = room.zip(tui.app().read())
            && let Err(error) = read_mark::save(&self.client.home, &room, &read)
        {
            tracing::warn!(%error, "how far the room was read was not kept");
        }
    }

    /// Has the text edited with the editor of the owner's choice. The conversation goes on meanwhile.
    async fn edit(&mut self, text: String) -> anyhow::Result<()> {
        let chosen = |name| std::env::var_os(name).filter(|editor| !editor.is_empty());
        let Some(editor) = ["VISUAL", "EDITOR"].into_iter().find_map(chosen) else {
            self.note("Set EDITOR to write with a program of your choice.")?;
            return Ok(());
        };
        // One that could not be taken before is still there.
        let file = self.client.home.join(format!("message-{}-{}.txt", std::process::id(), now_ms()));
        // What is in it has not been said yet.
        if let Err(error) = files::write(&file, text.as_bytes()) {
            self.note(&format!("No program can write it: {} cannot be written ({error}).", file.display()))?;
            return Ok(());
        }
        self.full().into_iter().for_each(Tui::pause);
        let (done, mut edited) = tokio::sync::oneshot::channel();
        let path = file.clone();
        std::thread::spawn(move || {
            // As other programs do: the variable may hold arguments.
            let command = format!("{} \"$1\"", editor.to_string_lossy());
            let ended = std::process::Command::new("sh").args(["-c", &command, "sh"]).arg(path).status();
            done.send(ended.is_ok_and(|ended| ended.success())).ok();
        });
        let is_meant = loop {
            tokio::select! {
                ended = &mut edited => break ended.unwrap_or(false),
                event = self.client.next() => self.on_event(event?).await?,
            }
        };
        let written = std::fs::read(&file);
        let Some(tui) = self.full() else { return Ok(()) };
        tui.resume()?;
        let kept = match written {
            Ok(written) if is_meant => match String::from_utf8(written) {
                Ok(written) if tui.app().edited(&written) => None,
                Ok(_) => Some(format!("a message has at most {MESSAGE_BYTES_MAX} bytes")),
                Err(_) => Some("it is not text in UTF-8".to_owned()),
            },
            Ok(written) if written != text.as_bytes() => Some("the editor failed".to_owned()),
            _ => {
                tui.app().hint = Some("The editor failed; the text is as it was.".to_owned());
                None
            }
        };
        match kept {
            None => drop(std::fs::remove_file(&file)),
            Some(why) => {
                self.note(&format!("Not taken: {why}. What was written is in {}", file.display()))?
            }
        }
        Ok(())
    }
}

/// What happens together is looked at together.
const SOON: Duration = Duration::from_millis(100);

/// How often much that comes is counted.
const PROGRESS_TIME: Duration = Duration::from_millis(500);

const SECOND: Duration = Duration::from_secs(1);
