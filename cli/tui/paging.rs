//! Going up and down the log, page by page of the store.

use replica::order::OrderKey;
use replica_sync::engine::Row;

use crate::tui::app::{Action, App, Purpose};
use crate::tui::layout::View;
use crate::tui::window::{PAGE_ROWS, Place};

impl App {
    /// Goes to the end of the log.
    pub(crate) fn go_to_end(&mut self) {
        self.view = View::End;
        if self.window.has_newer {
            let purpose = Purpose::Older;
            self.seek = None;
            self.awaits_page = false;
            self.ask_page(None, PAGE_ROWS, purpose);
        }
        self.reading.look(self.window.newest());
    }

    /// Moves by so many lines; upwards if negative.
    pub(crate) fn scroll(&mut self, lines: isize) {
        let Some((place, top)) = self.laid.held else { return };
        if self.view == View::End && lines > 0 {
            return;
        }
        if self.is_watched() {
            self.reading.look(self.window.newest());
            self.reading.look_away();
        }
        self.view = View::At { place, top: top - lines };
    }

    /// Shows an item in the middle of the screen.
    pub(super) fn show(&mut self, place: Place) {
        let middle = isize::try_from(self.areas().log.height / 3).unwrap_or(0);
        self.view = View::At { place, top: middle };
    }

    pub(super) fn ask_page(&mut self, before: Option<OrderKey>, count: usize, purpose: Purpose) {
        if !self.awaits_page {
            self.awaits_page = true;
            self.actions.push_back(Action::Page { before, count, purpose });
        }
    }

    /// A page came that was asked for.
    pub(crate) fn on_page(
        &mut self,
        before: Option<OrderKey>,
        rows: Vec<Row>,
        count: usize,
        purpose: Purpose,
    ) {
        self.awaits_page = false;
        match purpose {
            Purpose::Older if before.is_none() => {
                self.window.replace(rows, count, true);
                self.reading.look(self.window.newest());
            }
            Purpose::Older => {
                self.window.extend_older(rows, count);
                self.window.trim(self.laid.seen.map(|(top, _)| top));
            }
            Purpose::Show(key) => {
                self.window.replace(rows, count, before.is_none());
                self.show(Place::Log(Some(key), 0));
            }
            Purpose::Seek => self.on_seek_page(before, rows, count),
        }
    }

    /// The rows below came.
    pub(crate) fn on_page_down(&mut self, rows: Vec<Row>, up_to: Option<OrderKey>) {
        self.awaits_page = false;
        self.window.extend_newer(rows, up_to);
        self.window.trim(self.laid.seen.map(|(_, bottom)| bottom));
    }
}
