//! Where things stand on the screen, and what the bars and the list of peers say.

use ratatui::layout::Rect;
use ratatui::style::Style;
use ratatui::text::{Line, Span};
use replica::id::AuthorKey;
use replica_sync::discovery::{Condition, Means, MeansStatus, relay_of};
use replica_sync::engine::Standing;
use replica_sync::node::{PeerStatus, Status};
use unicode_width::UnicodeWidthStr as _;

use crate::text;
use crate::tui::app::App;
use crate::tui::bindings::Act;
use crate::tui::paint::cut;

/// The parts of the screen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Areas {
    pub(crate) title: Option<Rect>,
    pub(crate) log: Rect,
    pub(crate) pane: Option<Rect>,
    /// One line of news above the status.
    pub(crate) notice: Option<Rect>,
    pub(crate) status: Option<Rect>,
    pub(crate) input: Rect,
}

impl Areas {
    /// Where an overlay's text stands: with a frame around it where there is room.
    pub(crate) fn inner(&self) -> Rect {
        let over = self.over();
        if over.width < 40 || over.height < 8 {
            return Rect { y: over.y + 1, height: over.height.saturating_sub(1), ..over };
        }
        Rect { x: over.x + 2, y: over.y + 1, width: over.width - 4, height: over.height - 2 }
    }

    /// What an overlay covers.
    pub(crate) fn over(&self) -> Rect {
        let width = self.log.width + self.pane.map_or(0, |pane| pane.width + 1);
        Rect { width, ..self.log }
    }
}

/// Divides the screen.
pub(super) fn areas(app: &App) -> Areas {
    let (columns, lines) = app.size;
    let typed = app.input.lines(usize::from(columns).saturating_sub(2)).0.len();
    let input = u16::try_from(typed).unwrap_or(u16::MAX).min((lines / 3).max(1));
    let mut left = lines.saturating_sub(input);
    let mut take = |from: u16| {
        let has_room = left > from;
        left -= u16::from(has_room);
        has_room
    };
    let has_status = take(1);
    let has_title = lines >= 8 && take(3);
    let has_notice = app.notice().is_some() && take(2);
    let top = u16::from(has_title);
    let mut log = Rect { x: 0, y: top, width: columns, height: left };
    let shows_pane = app.pane.unwrap_or(columns >= WIDE_COLUMNS) && columns >= PANE_COLUMNS_MIN && left >= 4;
    let pane = shows_pane.then(|| {
        log.width -= PANE_WIDTH + 1;
        Rect { x: log.width + 1, width: PANE_WIDTH, ..log }
    });
    let line = |y: u16| Rect { x: 0, y, width: columns, height: 1 };
    let below = top + left;
    Areas {
        title: has_title.then(|| line(0)),
        log,
        pane,
        notice: has_notice.then(|| line(below)),
        status: has_status.then(|| line(below + u16::from(has_notice))),
        input: Rect { x: 0, y: lines.saturating_sub(input), width: columns, height: input.min(lines) },
    }
}

impl App {
    fn peers(&self) -> &[PeerStatus] {
        self.status.as_ref().map_or(&[], |status| &status.peers)
    }

    pub(super) fn is_here(&self, author: &AuthorKey) -> bool {
        self.peers().iter().any(|peer| peer.author == Some(*author) && peer.standing.is_some())
    }

    /// Whether it is seen how long it is until somebody is dialled again.
    pub(crate) fn shows_countdown(&self) -> bool {
        let is_alone = self.peers().iter().all(|peer| peer.standing.is_none());
        self.has_focus && (is_alone || self.areas().pane.is_some())
    }

    /// The line above the conversation: the rooms, the one on the screen by itself, and what stands at its right end.
    pub(super) fn title(&self, columns: usize) -> ([String; 3], String) {
        let plain = |words: &str| ([words.to_owned(), String::new(), String::new()], String::new());
        let Some(status) = &self.status else { return plain(" replica") };
        let Some((_, name)) = &status.room else { return plain(" no room yet") };
        let order = &status.digest.to_string()[..8];
        let messages = text::count(status.messages, "message");
        let state = format!(" · order {order} · {messages}");
        let left = match self.rooms.line(columns) {
            None => [format!(" #{}{state}", text::name(name)), String::new(), String::new()],
            Some([before, open, behind]) => {
                let width = before.width() + open.width() + behind.width() + state.width();
                [before, open, if width <= columns { behind + &state } else { behind }]
            }
        };
        let people = others(status).map(|author| {
            let sign = if self.is_here(&author) { '●' } else { '○' };
            format!("{} {sign} ", self.people.name(&author))
        });
        (left, people.collect::<Vec<_>>().join(" "))
    }

    /// What the room is about.
    pub(super) fn topic(&self) -> Option<String> {
        self.status.as_ref()?.topic.as_deref().map(text::line)
    }

    /// What wants to be known just now.
    pub(crate) fn notice(&self) -> Option<String> {
        let mut parts = Vec::new();
        match self.reading.late.len() {
            0 => {}
            late => {
                let late = text::count(late as u64, "earlier message");
                parts.push(format!("▲ {late} arrived above · {}", self.bindings.key(Act::Late)));
            }
        }
        parts.extend(self.seek.as_ref().map(|seek| seek.state()));
        parts.extend(self.hint.clone());
        if !self.is_at_end() {
            let newest = self.bindings.key(Act::Newest);
            parts.push(match self.reading.unread {
                0 => format!("▼ {newest} goes to the newest"),
                new => format!("▼ {} below · {newest}", text::count(new, "new message")),
            });
        }
        if let Some(completion) = &self.completion {
            let words: Vec<&str> = completion.words.iter().map(|word| word.trim()).collect();
            parts.push(format!("Tab: {}", text::line(&words.join("  "))));
        }
        (!parts.is_empty()).then(|| format!(" {}", parts.join(" · ")))
    }

    /// The line below the conversation.
    pub(super) fn status_line(&self) -> String {
        let mut parts = Vec::new();
        let columns = usize::from(self.size.0);
        if let Some(status) = &self.status {
            if status.is_read_only {
                parts.push("THE STORE FAILED: READ ONLY".to_owned());
            }
            let (waiting, names_us) = self.rooms.waiting();
            if waiting > 0 && self.areas().title.is_none() {
                parts.push(format!("{waiting}{} elsewhere", if names_us { "!" } else { "" }));
            }
            parts.push(if self.is_opening { "opening …".to_owned() } else { self.connected(status) });
            if let Some(part) = self.progress {
                let (done, total) = (text::grouped(part.done), text::grouped(part.total));
                parts.push(format!("{done} of {total} have come"));
            }
            if !status.drafts.is_empty() {
                parts.push(text::count(status.drafts.len() as u64, "draft"));
            }
            let lacking = self.window.rows().filter(|row| self.is_lacking(row)).count();
            if lacking > 0 && others(status).next().is_some() {
                parts.push(format!("{lacking} not yet everywhere"));
            }
        }
        let mut line = format!(" {}", parts.join(" · "));
        for (act, does) in [(Act::Help, "help"), (Act::Peers, "peers"), (Act::Search, "search")] {
            let key = format!("{} {does}", self.bindings.key(act));
            if line.width() + key.width() + 4 <= columns {
                line = format!("{line} · {key}");
            }
        }
        line
    }

    fn is_lacking(&self, row: &replica_sync::engine::Row) -> bool {
        row.author == self.me && crate::json::is_message(row) && self.holders.sign(row) != "●"
    }

    /// Who is connected, and whether all agree.
    fn connected(&self, status: &Status) -> String {
        let all = others(status).count();
        let here = others(status).filter(|author| self.is_here(author)).count();
        let to_come = status.peers.iter().map(|peer| peer.missing_here).max().unwrap_or(0);
        let to_go = status.peers.iter().filter(|peer| peer.standing.is_some());
        let to_go = to_go.map(|peer| peer.missing_there).max().unwrap_or(0);
        if status.is_offline {
            return "offline".to_owned();
        }
        if here == 0 {
            let waiting = status.peers.iter().filter(|peer| peer.failures > 0 && !peer.is_spare);
            let retry = waiting.filter_map(|peer| peer.retry_ms).min();
            let retry = match retry {
                None => String::new(),
                Some(0) => ", trying".to_owned(),
                Some(ms) => format!(", next try in {} s", ms.div_ceil(1000)),
            };
            return match all {
                0 if status.room.is_none() => format!("no room yet{retry}"),
                0 => format!("nobody else is in this room{retry}"),
                _ => format!("○ nobody of {all} is here{retry}"),
            };
        }
        let state = match (to_come, to_go) {
            (0, 0) => "agreed".to_owned(),
            (here, 0) => format!("{} to come", text::grouped(here)),
            (0, there) => format!("{} to go", text::grouped(there)),
            (here, there) => format!("{} to come, {} to go", text::grouped(here), text::grouped(there)),
        };
        format!("● {here} of {all} here, {state}")
    }

    /// The list of peers, in lines of so many columns.
    pub(super) fn peer_lines(&self, columns: usize) -> Vec<Line<'static>> {
        let Some(status) = &self.status else { return Vec::new() };
        let mut lines = Vec::new();
        let mut put = |sign: &str, name: &str, style: Style, state: &str| {
            let name = cut(name, columns.saturating_sub(3));
            lines.push(Line::from(vec![Span::raw(format!(" {sign} ")), Span::styled(name, style)]));
            if !state.is_empty() {
                lines.push(Line::styled(
                    format!("   {}", cut(state, columns.saturating_sub(3))),
                    self.theme.quiet(),
                ));
            }
        };
        for author in others(status) {
            let mut links = status.peers.iter().filter(|peer| peer.author == Some(author));
            let link = links.find(|peer| peer.standing.is_some());
            let (sign, state) = link.map_or(("○", "not here".to_owned()), state_of);
            put(sign, &self.people.name(&author), self.theme.person(&author), &state);
        }
        for peer in status.peers.iter().filter(|peer| peer.standing.is_none() && !peer.is_spare) {
            let state = match (peer.is_other_room, peer.failures, peer.retry_ms) {
                (true, ..) => "another room is there".to_owned(),
                (_, 0, _) => "not tried yet".to_owned(),
                (_, failures, Some(ms)) => {
                    format!("{}, again in {} s", text::count(failures.into(), "try"), ms.div_ceil(1000))
                }
                (_, failures, None) => format!("{}, no answer", text::count(failures.into(), "try")),
            };
            let place = match relay_of(&peer.address) {
                Some(server) => format!("through {}", text::line(server)),
                None => text::line(&peer.address),
            };
            put("◌", &place, self.theme.plain(), &state);
        }
        for address in &status.listening {
            put("≡", &address.to_string(), self.theme.quiet(), "listening");
        }
        if let Some(address) = status.outside {
            put("≡", &address.to_string(), self.theme.quiet(), "through the router");
        }
        for means in &status.discovery {
            let (place, state) = finding(means);
            put("»", &place, self.theme.quiet(), &state);
        }
        lines
    }
}

fn others(status: &Status) -> impl Iterator<Item = AuthorKey> {
    let members = status.members.iter().filter(|it| it.role.is_member() && it.author != status.me);
    members.map(|member| member.author)
}

/// By which means members are looked for, and how that goes.
fn finding(means: &MeansStatus) -> (String, String) {
    let place = match means.means {
        Means::Lan => "local network".to_owned(),
        Means::Rendezvous => text::line(means.server.as_deref().unwrap_or("?")),
        Means::Dht => "hash table".to_owned(),
        Means::Router => "router".to_owned(),
    };
    let state = match (&means.condition, means.found) {
        (Condition::Starting, _) => "beginning".to_owned(),
        (Condition::Failing(_), _) => "not now: see /status".to_owned(),
        (Condition::Working, _) if means.means == Means::Router => "lets others in".to_owned(),
        (Condition::Working, 0) => "looking".to_owned(),
        (Condition::Working, found) => format!("found {found} so far"),
    };
    (place, state)
}

fn state_of(peer: &PeerStatus) -> (&'static str, String) {
    let count = text::grouped;
    match (peer.standing, peer.missing_here, peer.missing_there) {
        (Some(Standing::Agreed), ..) => ("●", "agreed".to_owned()),
        (Some(Standing::Connecting), ..) => ("◐", "connecting".to_owned()),
        (_, 0, 0) => ("◐", "comparing".to_owned()),
        (_, here, 0) => ("◐", format!("{} to come", count(here))),
        (_, 0, there) => ("◐", format!("{} to go", count(there))),
        (_, here, there) => ("◐", format!("{} to come, {} to go", count(here), count(there))),
    }
}

/// From here on the peers are listed unless they are not wanted.
const WIDE_COLUMNS: u16 = 100;

/// In fewer columns what stands beside the log leaves too little of it.
const PANE_COLUMNS_MIN: u16 = 60;

const PANE_WIDTH: u16 = 25;
