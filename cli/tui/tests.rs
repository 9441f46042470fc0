//! Screens as they are drawn, held against files; with REPLICA_BLESS=1 the files are written anew.

use std::path::PathBuf;

use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};
use ratatui::Terminal;
use ratatui::backend::TestBackend;
use replica::entry::Kind;
use replica::id::{AuthorKey, Digest, EntryId, RoomId};
use replica::identity::Identity;
use replica::order::{Clock, OrderKey};
use replica_sync::engine::{Event, Glimpse, Row, Standing};
use replica_sync::node::{MemberStatus, PeerStatus, Role, RoomStatus, Status};

use super::app::{Action, App, Read};
use super::theme::{Depth, Theme};
use super::view;
use crate::time::LocalTime;

mod behaviour;
mod screens;

/// Sunday, 22 November 2026, 09:00 UTC.
const MORNING: u64 = 1_795_338_000_000;

const MINUTE: u64 = 60_000;

pub(super) fn key_of(person: u8) -> AuthorKey {
    Identity::from_secret(&[person; 32]).key()
}

const ANN: u8 = 1;
const BOB: u8 = 2;
const CAROL: u8 = 3;

/// Which of their chains everyone writes.
pub(super) const HOME: u64 = 7;

/// A history in the making: each row follows all before it, unless said otherwise.
pub(super) struct Story {
    pub(super) rows: Vec<Row>,
    /// Who is called what.
    names: Vec<(u8, &'static str)>,
    number: u32,
}

impl Story {
    pub(super) fn new() -> Self {
        Self { rows: Vec::new(), names: vec![(ANN, "ann"), (BOB, "bob"), (CAROL, "carol")], number: 0 }
    }

    pub(super) fn named(names: &[(u8, &'static str)]) -> Self {
        Self { names: names.to_vec(), ..Self::new() }
    }

    /// A row by somebody, so many minutes into the morning, that follows these.
    pub(super) fn row(&mut self, person: u8, minute: u64, text: &str, deps: &[EntryId]) -> Row {
        self.number += 1;
        let mut id = [0; 32];
        id[..4].copy_from_slice(&self.number.to_be_bytes());
        let id = EntryId(id);
        let time_ms = MORNING + minute * MINUTE;
        let clock = Clock { era: 0, time_ms, count: self.number };
        let nick = self.names.iter().find(|(number, _)| *number == person).map(|(_, name)| *name);
        let row = Row {
            id,
            position: self.number,
            key: OrderKey { clock, id },
            author: key_of(person),
            nick: nick.map(str::to_owned),
            claimed_ms: time_ms,
            kind: Kind::Message.number(),
            text: text.to_owned(),
            deps: deps.to_vec(),
            counts: true,
            incarnation: Some(HOME),
            rows_after: 0,
        };
        self.rows.push(row.clone());
        row
    }

    /// A message by somebody who has read everything before.
    pub(super) fn says(&mut self, person: u8, minute: u64, text: &str) -> Row {
        let deps: Vec<EntryId> = self.rows.last().map(|row| row.id).into_iter().collect();
        self.row(person, minute, text, &deps)
    }

    pub(super) fn status(&self) -> Box<Status> {
        let member = |(person, name): &(u8, &'static str)| MemberStatus {
            author: key_of(*person),
            nick: Some((*name).to_owned()),
            role: if *person == ANN { Role::Admin(0) } else { Role::Member },
        };
        Box::new(Status {
            room: Some((RoomId([7; 32]), "home".to_owned())),
            rooms: Vec::new(),
            me: key_of(ANN),
            nick: "ann".to_owned(),
            topic: None,
            is_member: true,
            entries: self.rows.len() as u64 + 1,
            messages: self.rows.len() as u64,
            heads: Vec::new(),
            digest: Digest([0x7f; 32]),
            is_settled: true,
            drafts: Vec::new(),
            members: self.names.iter().map(member).collect(),
            blocked: Vec::new(),
            invites: Vec::new(),
            forked: Vec::new(),
            peers: vec![peer(BOB, "192.0.2.2:7400")],
            behind: 0,
            documents_in_use: 0,
            listening: vec!["0.0.0.0:7400".parse().unwrap()],
            is_offline: false,
            outside: None,
            discovery: Vec::new(),
            refused: replica_sync::penalty::Refusals::default(),
            is_read_only: false,
        })
    }

    /// The screen of ann, who opens the room.
    pub(super) fn open(&self, columns: u16, lines: u16) -> Shown {
        self.open_with(self.status(), None, columns, lines)
    }

    pub(super) fn open_with(
        &self,
        status: Box<Status>,
        read: Option<Read>,
        columns: u16,
        lines: u16,
    ) -> Shown {
        let mut app =
            App::new(key_of(ANN), Theme::default().on(Depth::Mono), LocalTime::utc(), (columns, lines));
        let mut shown = Shown { store: self.rows.clone(), app, now_ms: MORNING };
        let page = shown.page(None, super::PAGE_ROWS);
        app = shown.app;
        app.open(status, page, super::PAGE_ROWS, read);
        shown.app = app;
        shown.settle();
        shown
    }
}

/// A room of the home; the number is that of its id, and 7 the one that is open.
pub(super) fn room(number: u8, name: &str, new: u64, names_us: bool) -> RoomStatus {
    RoomStatus {
        id: RoomId([number; 32]),
        name: name.to_owned(),
        is_open: true,
        entries: 10,
        messages: 9,
        peers: 1,
        new,
        names_us,
        trouble: None,
    }
}

pub(super) fn peer(person: u8, address: &str) -> PeerStatus {
    PeerStatus {
        author: Some(key_of(person)),
        address: address.to_owned(),
        ..crate::watch::tests::peer(Some(Standing::Agreed), 0)
    }
}

/// The screen of somebody, with a store behind it.
pub(super) struct Shown {
    pub(super) app: App,
    pub(super) store: Vec<Row>,
    now_ms: u64,
}

impl Shown {
    fn page(&self, before: Option<OrderKey>, count: usize) -> Vec<Row> {
        let mut rows: Vec<Row> = self.store.clone();
        rows.sort_unstable_by_key(|row| std::cmp::Reverse(row.key));
        rows.into_iter().filter(|row| before.is_none_or(|before| row.key < before)).take(count).collect()
    }

    /// Does what the screen wants of the node, until it wants nothing more. Answers what is left.
    pub(super) fn settle(&mut self) -> Vec<Action> {
        let mut left = Vec::new();
        loop {
            self.app.settle();
            let mut is_done = true;
            while let Some(action) = self.app.action() {
                match action {
                    Action::Page { before, count, purpose } => {
                        let rows = self.page(before, count);
                        self.app.on_page(before, rows, count, purpose);
                        is_done = false;
                    }
                    Action::PageDown { after, up_to } => {
                        let rows = self.page(up_to, usize::MAX);
                        self.app
                            .on_page_down(rows.into_iter().filter(|row| row.key > after).collect(), up_to);
                        is_done = false;
                    }
                    action => left.push(action),
                }
            }
            if is_done {
                return left;
            }
        }
    }

    /// A row comes, some time after the one before.
    pub(super) fn comes(&mut self, row: Row) -> &mut Self {
        self.now_ms += MINUTE;
        self.store.push(row.clone());
        self.app.on_event(&Event::Row(Box::new(row.clone())));
        self.app.on_row(row, self.now_ms);
        self.settle();
        self
    }

    pub(super) fn press(&mut self, keys: &[&str]) -> Vec<Action> {
        let mut left = Vec::new();
        for key in keys {
            let plain = |code| KeyEvent::new(code, KeyModifiers::NONE);
            let with = |modifier| KeyEvent::new(KeyCode::Char(key.chars().nth(3).unwrap()), modifier);
            match *key {
                "<enter>" => self.app.on_key(&plain(KeyCode::Enter)),
                "<alt-enter>" => self.app.on_key(&KeyEvent::new(KeyCode::Enter, KeyModifiers::ALT)),
                "<alt-up>" => self.app.on_key(&KeyEvent::new(KeyCode::Up, KeyModifiers::ALT)),
                "<tab>" => self.app.on_key(&plain(KeyCode::Tab)),
                "<esc>" => self.app.on_key(&plain(KeyCode::Esc)),
                "<alt-left>" => self.app.on_key(&KeyEvent::new(KeyCode::Left, KeyModifiers::ALT)),
                "<alt-right>" => self.app.on_key(&KeyEvent::new(KeyCode::Right, KeyModifiers::ALT)),
                "<up>" => self.app.on_key(&plain(KeyCode::Up)),
                "<down>" => self.app.on_key(&plain(KeyCode::Down)),
                "<end>" => self.app.on_key(&plain(KeyCode::End)),
                "<pgup>" => self.app.on_key(&plain(KeyCode::PageUp)),
                "<pgdn>" => self.app.on_key(&plain(KeyCode::PageDown)),
                "<f1>" => self.app.on_key(&plain(KeyCode::F(1))),
                "<f2>" => self.app.on_key(&plain(KeyCode::F(2))),
                key if key.starts_with("<c-") => self.app.on_key(&with(KeyModifiers::CONTROL)),
                key if key.starts_with("<a-") => self.app.on_key(&with(KeyModifiers::ALT)),
                text => text.chars().for_each(|c| self.app.on_key(&plain(KeyCode::Char(c)))),
            }
            left.extend(self.settle());
        }
        left
    }

    /// The screen as text.
    pub(super) fn screen(&mut self) -> String {
        self.settle();
        let (columns, lines) = self.app.size;
        let mut terminal = Terminal::new(TestBackend::new(columns, lines)).unwrap();
        terminal.draw(|frame| view::draw(&self.app, frame)).unwrap();
        let buffer = terminal.backend().buffer();
        let mut text = String::new();
        for y in 0..lines {
            let mut line = String::new();
            let mut skip = 0;
            for x in 0..columns {
                let symbol = buffer[(x, y)].symbol();
                if skip > 0 {
                    skip -= 1;
                    continue;
                }
                skip = unicode_width::UnicodeWidthStr::width(symbol).saturating_sub(1);
                line.push_str(symbol);
            }
            text.push_str(line.trim_end());
            text.push('\n');
        }
        text
    }

    /// Holds the screen against the file of that name.
    #[track_caller]
    pub(super) fn check(&mut self, name: &str) {
        let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("cli/tui/tests/screens").join(name);
        let path = path.with_extension("txt");
        let screen = self.screen();
        if std::env::var_os("REPLICA_BLESS").is_some() {
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(&path, &screen).unwrap();
        }
        let expected = std::fs::read_to_string(&path).unwrap_or_default();
        assert_eq!(screen, expected, "{name}: the screen is another one\n{screen}\ninstead of\n{expected}");
    }
}

pub(super) fn glimpse(person: u8, text: &str) -> Glimpse {
    Glimpse { id: EntryId([99; 32]), author: key_of(person), claimed_ms: MORNING, text: text.to_owned() }
}
