//! The full-screen chat as a state: events go in, actions come out, drawing is a function of it.

use std::collections::{BTreeSet, VecDeque};

use replica::id::{AuthorKey, RoomId};
use replica::order::OrderKey;
use replica_sync::engine::{Event, Glimpse, Row, Standing};
use replica_sync::node::Status;

use crate::json::is_message;
use crate::people::People;
use crate::progress::Part;
use crate::time::LocalTime;
use crate::tui::bindings::{Act, Bindings};
use crate::tui::causes::{self, Causes};
use crate::tui::holders::Holders;
use crate::tui::input::Input;
use crate::tui::last_screen::LastScreen;
use crate::tui::layout::{Laid, View, lay_out};
use crate::tui::overlay::Overlay;
use crate::tui::paint::Painter;
use crate::tui::panes::{Areas, areas};
use crate::tui::reading::{Arrival, Reading};
use crate::tui::rooms::Rooms;
use crate::tui::seek::Seek;
use crate::tui::theme::Theme;
use crate::tui::window::{Item, PAGE_ROWS, Window};

/// The state of the screen.
pub(crate) struct App {
    pub(crate) me: AuthorKey,
    pub(crate) people: People,
    pub(crate) theme: Theme,
    pub(crate) bindings: Bindings,
    pub(crate) local: LocalTime,
    /// Columns and lines.
    pub(crate) size: (u16, u16),
    pub(crate) window: Window,
    pub(crate) view: View,
    pub(crate) laid: Laid,
    pub(crate) causes: Causes,
    causes_of: Option<u64>,
    pub(crate) holders: Holders,
    pub(crate) reading: Reading,
    pub(crate) status: Option<Box<Status>>,
    /// The rooms of the home, when there are several.
    pub(crate) rooms: Rooms,
    /// How others can reach us, for who has nobody yet.
    pub(crate) reachable: Vec<String>,
    /// How much of a long history has come.
    pub(crate) progress: Option<Part>,
    glimpses: Vec<Glimpse>,
    pub(crate) input: Input,
    /// What is typed while something is searched for.
    pub(crate) prompt: Option<Input>,
    pub(crate) seek: Option<Seek>,
    pub(crate) completion: Option<crate::tui::complete::Completion>,
    pub(crate) overlay: Option<Overlay>,
    /// Whether the peers are listed; by default where there is room.
    pub(crate) pane: Option<bool>,
    pub(crate) has_focus: bool,
    pub(crate) notifies: bool,
    /// Said on a line of its own until the next key.
    pub(crate) hint: Option<String>,
    pub(super) actions: VecDeque<Action>,
    /// Whether a page was asked for that has not come.
    pub(super) awaits_page: bool,
    /// Whether what is shown is how it was when the room was left.
    pub(crate) is_opening: bool,
}

/// What the screen wants done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Action {
    /// This was typed, and is to be said or done.
    Say(String),
    /// Rows of the store are wanted, newest first.
    Page {
        before: Option<OrderKey>,
        count: usize,
        purpose: Purpose,
    },
    /// The rows below what is here are wanted, up to a key or the end.
    PageDown {
        after: OrderKey,
        up_to: Option<OrderKey>,
    },
    /// Another room is to be gone into.
    Switch(RoomId),
    /// The text is to be edited with another program.
    Edit(String),
    /// The bell is to be rung, and who is away to be told of this.
    Notify {
        words: String,
        is_away: bool,
    },
    Redraw,
    Suspend,
    Quit,
}

/// What a page is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Purpose {
    Older,
    Seek,
    /// It holds this row, which is to be shown.
    Show(OrderKey),
}

impl App {
    pub(crate) fn new(me: AuthorKey, theme: Theme, local: LocalTime, size: (u16, u16)) -> Self {
        Self {
            me,
            people: People::default(),
            theme,
            bindings: Bindings::default(),
            local,
            size,
            window: Window::default(),
            view: View::End,
            laid: Laid::default(),
            causes: Causes::default(),
            causes_of: None,
            holders: Holders::default(),
            reading: Reading::default(),
            status: None,
            rooms: Rooms::default(),
            reachable: Vec::new(),
            progress: None,
            glimpses: Vec::new(),
            input: Input::default(),
            prompt: None,
            seek: None,
            completion: None,
            overlay: None,
            pane: None,
            has_focus: true,
            notifies: true,
            hint: None,
            actions: VecDeque::new(),
            awaits_page: false,
            is_opening: false,
        }
    }

    /// Shows what was there when the room was left, until it is open.
    pub(crate) fn foreshow(&mut self, last: LastScreen) {
        // Nothing older can be had yet.
        self.open(last.status, last.rows, usize::MAX, None);
        self.is_opening = true;
    }

    /// What is to be done next.
    pub(crate) fn action(&mut self) -> Option<Action> {
        self.actions.pop_front()
    }

    /// Another room is open, of which this is the newest page.
    pub(crate) fn open(&mut self, status: Box<Status>, page: Vec<Row>, asked: usize, read: Option<Read>) {
        self.rooms.open(status.room.as_ref().map(|(room, _)| *room), &mut self.input, self.reading.unread);
        self.window.clear();
        self.holders = Holders::default();
        (self.prompt, self.completion, self.seek) = (None, None, None);
        (self.view, self.glimpses) = (View::End, Vec::new());
        (self.awaits_page, self.is_opening) = (false, false);
        page.iter().for_each(|row| self.holders.reach(row));
        let newest = page.first().map(|row| row.key);
        self.window.replace(page, asked, true);
        let new = read.map_or(0, |read| self.new_since(&read, status.messages));
        self.reading.resume(read.map(|read| read.key).filter(|_| new > 0), newest);
        if self.reading.new_after.is_some() {
            let new = crate::text::count(new, "new message");
            self.hint = Some(format!(
                "{new} since you were here · {} goes to the first",
                self.bindings.key(Act::Unread)
            ));
        }
        self.on_status(status);
    }

    /// How many messages of others there are below what was read, of so many in all.
    fn new_since(&self, read: &Read, messages: u64) -> u64 {
        let rows = self.window.rows().rev().take_while(|row| row.key > read.key);
        let (own, others): (Vec<&Row>, Vec<&Row>) =
            rows.filter(|row| is_message(row)).partition(|row| row.author == self.me);
        let others = others.len() as u64;
        if !self.window.has_older || self.window.oldest().is_some_and(|oldest| oldest <= read.key) {
            return others;
        }
        // Those above the page can only be reckoned: what came late, above what was read, is among them.
        others.max(messages.saturating_sub(read.messages).saturating_sub(own.len() as u64))
    }

    /// How the node stands now.
    pub(crate) fn on_status(&mut self, status: Box<Status>) {
        self.rooms.learn(&status);
        if !self.rooms.is_open(status.room.as_ref().map(|(room, _)| *room)) {
            // Of a room that is gone into just now: its page comes with it.
            return;
        }
        self.people = People::of_status(&status);
        let members = status.members.iter().filter(|it| it.role.is_member() && it.author != status.me);
        self.holders.set_others(members.map(|it| it.author).collect::<BTreeSet<_>>());
        for peer in status.peers.iter().filter(|peer| peer.standing == Some(Standing::Agreed)) {
            peer.author.into_iter().for_each(|author| self.holders.confirm(author));
        }
        if !self.glimpses.is_empty() && status.peers.iter().all(|peer| peer.missing_here == 0) {
            self.glimpses.clear();
        }
        self.status = Some(status);
        self.set_tail();
    }

    /// The newest there is elsewhere, until it is here.
    pub(crate) fn foresee(&mut self, glimpses: Vec<Glimpse>) {
        let shown = glimpses.len().saturating_sub(GLIMPSES_MAX);
        self.glimpses = glimpses.into_iter().skip(shown).filter(|it| self.window.lacks(&it.id)).collect();
        self.set_tail();
    }

    fn set_tail(&mut self) {
        let drafts = self.status.iter().flat_map(|status| &status.drafts);
        let draft = |(ms, text): &(u64, String)| Item::Draft { written_ms: *ms, text: text.clone() };
        let tail = self.glimpses.iter().cloned().map(Item::Glimpse).chain(drafts.map(draft)).collect();
        self.window.set_tail(tail);
    }

    /// In another room there is something new.
    pub(crate) fn on_elsewhere(&mut self, room: RoomId, new: u64, names_us: bool) {
        self.rooms.hear(room, new, names_us);
    }

    /// Takes note of what the engine tells. Rows go to [`App::on_row`].
    pub(crate) fn on_event(&mut self, event: &Event) {
        self.holders.note(event);
    }

    /// A row came.
    pub(crate) fn on_row(&mut self, row: Row, now_ms: u64) {
        self.people.learn_row(&row);
        let is_own = row.author == self.me;
        if !self.glimpses.is_empty() {
            let before = self.glimpses.len();
            self.glimpses.retain(|glimpse| glimpse.id != row.id);
            if self.glimpses.len() < before {
                self.set_tail();
            }
        }
        let is_late = self.reading.arrive(Arrival {
            key: row.key,
            is_own,
            is_message: is_message(&row),
            is_history: self.progress.is_some(),
            is_watched: self.is_watched(),
            newest: self.window.newest(),
            now_ms,
        });
        let is_for_me = !is_own
            && is_message(&row)
            && self.progress.is_none()
            && !self.people.is_blocked(&row.author)
            && self.painter().mentions_me(&row.text);
        if is_for_me {
            let words = format!("{}: {}", self.people.name(&row.author), crate::text::line(&row.text));
            self.notify(words);
        }
        self.window.arrive(row, is_late);
        let read = match self.view {
            View::End => self.window.last(),
            View::At { place, .. } => Some(place),
        };
        self.window.trim(read);
    }

    /// Has somebody told who may not look.
    pub(crate) fn notify(&mut self, words: String) {
        if self.notifies {
            let is_away = !self.has_focus;
            self.actions.push_back(Action::Notify { words, is_away });
        }
    }

    /// Tells something beside the conversation.
    pub(crate) fn note(&mut self, words: &str) {
        if !self.is_at_end() {
            self.hint = words.lines().next().map(crate::text::line);
        }
        self.window.note(words.to_owned());
    }

    /// Whether the end of the log is on the screen.
    pub(crate) fn is_at_end(&self) -> bool {
        self.view == View::End && !self.window.has_newer
    }

    pub(super) fn is_watched(&self) -> bool {
        self.is_at_end() && self.has_focus
    }

    pub(crate) fn on_resize(&mut self, columns: u16, lines: u16) {
        self.size = (columns, lines);
    }

    pub(crate) fn on_focus(&mut self, has_focus: bool) {
        if self.is_watched() {
            self.reading.look(self.window.newest());
        }
        self.has_focus = has_focus;
        if has_focus && self.is_at_end() {
            self.reading.unread = 0;
        } else if !has_focus {
            self.reading.look_away();
        }
    }

    /// How far was read, to be kept.
    pub(crate) fn read(&self) -> Option<Read> {
        let key = if self.is_watched() { self.window.newest() } else { None };
        let key = key.max(self.reading.seen_to())?;
        let messages = self.status.as_ref().map_or(0, |status| status.messages);
        Some(Read { key, messages: messages.saturating_sub(self.reading.unread) })
    }

    pub(crate) fn areas(&self) -> Areas {
        areas(self)
    }

    fn painter(&self) -> Painter<'_> {
        Painter {
            people: &self.people,
            me: &self.me,
            theme: &self.theme,
            local: &self.local,
            columns: usize::from(self.areas().log.width),
            causes: &self.causes,
            holders: &self.holders,
            found: self.seek.as_ref().and_then(Seek::words),
            read_to: self.reading.new_after,
        }
    }

    /// Lays out what is looked at, and asks for what is missing. To be called before drawing.
    pub(crate) fn settle(&mut self) {
        if self.causes_of != Some(self.window.revision) {
            self.causes = causes::read(self.window.rows(), &self.me);
            self.holders.saw(&self.causes.seen);
            self.causes_of = Some(self.window.revision);
        }
        let height = usize::from(self.areas().log.height);
        self.laid = lay_out(&self.window, &self.painter(), self.view, height);
        let was_at_end = self.is_at_end();
        self.view = self.laid.view;
        if self.is_at_end() && !was_at_end && self.has_focus {
            self.reading.look(self.window.newest());
        }
        let Some((top, bottom)) = self.laid.seen else { return };
        if self.window.has_older && self.window.up_to(top).take(NEAR_ITEMS).count() < NEAR_ITEMS {
            self.ask_page(self.window.oldest(), PAGE_ROWS, Purpose::Older);
        } else if self.window.has_newer
            && !self.awaits_page
            && self.window.from(bottom).take(NEAR_ITEMS).count() < NEAR_ITEMS
            && let Some(after) = self.window.newest()
        {
            self.awaits_page = true;
            self.actions.push_back(Action::PageDown { after, up_to: self.window.way_down() });
        }
    }
}

/// How far a room has been read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Read {
    /// The last row that was read.
    pub(crate) key: OrderKey,
    /// How many messages there were then.
    pub(crate) messages: u64,
}

/// With fewer items beyond the edge of the screen more are asked for.
const NEAR_ITEMS: usize = 100;

/// Of what is newest elsewhere as much is shown: half a screen.
const GLIMPSES_MAX: usize = 12;
