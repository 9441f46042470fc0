//! The rooms of the home as the top line shows them, and what is typed in each.

use std::collections::BTreeMap;

use replica::id::RoomId;
use replica_sync::node::{RoomStatus, Status};
use unicode_width::UnicodeWidthStr as _;

use crate::text;
use crate::tui::app::{Action, App};
use crate::tui::input::Input;

#[cfg(test)]
mod tests;

/// The rooms, in the home's order.
#[derive(Debug, Default)]
pub(crate) struct Rooms {
    rooms: Vec<Room>,
    /// The one that is on the screen.
    open: Option<RoomId>,
    /// What was being typed in others.
    inputs: BTreeMap<RoomId, Input>,
    /// Messages of others that had not been read before the node began to count.
    before: BTreeMap<RoomId, u64>,
}

#[derive(Clone, Debug)]
struct Room {
    id: RoomId,
    name: String,
    new: u64,
    names_us: bool,
}

impl Rooms {
    /// Another room is on the screen, and what was being typed there. In the one before so much was left unread.
    pub(super) fn open(&mut self, room: Option<RoomId>, input: &mut Input, unread: u64) {
        if self.open == room {
            return;
        }
        if let Some(left) = self.open {
            self.inputs.insert(left, std::mem::take(input));
            self.before.insert(left, unread);
        }
        self.open = room;
        if let Some(room) = room {
            self.before.insert(room, 0);
            // What was typed before there was a room stays.
            *input = self.inputs.remove(&room).unwrap_or_else(|| std::mem::take(input));
        }
    }

    /// Whether that is the room on the screen, or none is yet.
    pub(super) fn is_open(&self, room: Option<RoomId>) -> bool {
        self.open.is_none() || self.open == room
    }

    pub(super) fn learn(&mut self, status: &Status) {
        let is_namesake =
            |room: &RoomStatus, other: &RoomStatus| other.id != room.id && other.name == room.name;
        let name = |room: &RoomStatus| {
            let mut name = text::name(&room.name);
            if status.rooms.iter().any(|other| is_namesake(room, other)) {
                name.push_str(&format!("({})", &room.id.to_string()[..4]));
            }
            name
        };
        let room = |room: &RoomStatus| Room {
            id: room.id,
            name: name(room),
            new: room.new,
            names_us: room.names_us,
        };
        self.rooms = status.rooms.iter().map(room).collect();
    }

    pub(super) fn hear(&mut self, id: RoomId, new: u64, names_us: bool) {
        if let Some(room) = self.rooms.iter_mut().find(|room| room.id == id) {
            (room.new, room.names_us) = (new, names_us);
        }
    }

    /// So many messages of a room had not been read when the program began. Said once.
    pub(crate) fn waits(&mut self, room: RoomId, unread: u64) {
        self.before.entry(room).or_insert(unread);
    }

    /// Whether it is known how far a room had been read.
    pub(crate) fn knows(&self, room: &RoomId) -> bool {
        self.before.contains_key(room)
    }

    fn unread(&self, room: &Room) -> u64 {
        if Some(room.id) == self.open {
            return 0;
        }
        room.new + self.before.get(&room.id).copied().unwrap_or(0)
    }

    /// The room at a place, counted from 1.
    pub(super) fn at(&self, number: usize) -> Option<RoomId> {
        let room = self.rooms.get(number.checked_sub(1)?);
        room.map(|room| room.id).filter(|room| Some(*room) != self.open)
    }

    /// The room beside the one on the screen.
    pub(super) fn beside(&self, forward: bool) -> Option<RoomId> {
        let at = self.rooms.iter().position(|room| Some(room.id) == self.open)?;
        let count = self.rooms.len();
        let next = if forward { at + 1 } else { at + count - 1 } % count;
        self.at(next + 1)
    }

    /// How many messages wait in others, and whether one names us.
    pub(super) fn waiting(&self) -> (u64, bool) {
        self.count(|room| Some(room.id) != self.open)
    }

    fn count(&self, is_meant: impl Fn(&Room) -> bool) -> (u64, bool) {
        let meant = || self.rooms.iter().filter(|room| is_meant(room));
        (meant().map(|room| self.unread(room)).sum(), meant().any(|room| room.names_us))
    }

    /// The rooms in so many columns: those before the one on the screen, itself, and those behind. None while there is
    /// but one.
    pub(super) fn line(&self, columns: usize) -> Option<[String; 3]> {
        if self.rooms.len() < 2 || !self.rooms.iter().any(|room| Some(room.id) == self.open) {
            return None;
        }
        let mut shown: Vec<&Room> = self.rooms.iter().collect();
        loop {
            let parts = self.parts(&shown);
            if parts.iter().map(|part| part.width()).sum::<usize>() <= columns || shown.len() == 1 {
                return Some(parts);
            }
            // Where nothing waits nothing is missed.
            let is_other = |at: &usize| Some(shown[*at].id) != self.open;
            let others = || (0..shown.len()).rev().filter(is_other);
            let folds = others().find(|at| self.unread(shown[*at]) == 0).or_else(|| others().next())?;
            shown.remove(folds);
        }
    }

    /// The line with these rooms; of the others their number, and how much waits there.
    fn parts(&self, shown: &[&Room]) -> [String; 3] {
        let mut parts = [" ".to_owned(), String::new(), String::new()];
        let mut at = 0;
        for room in shown {
            if Some(room.id) == self.open {
                parts[1] = format!("#{}", room.name);
                at = 2;
                continue;
            }
            let word = format!("{}{}", room.name, sign(self.unread(room), room.names_us));
            parts[at].push_str(&if at == 0 { format!("{word}  ") } else { format!("  {word}") });
        }
        let folded = self.rooms.len() - shown.len();
        if folded > 0 {
            let (unread, names_us) = self.count(|room| !shown.iter().any(|other| other.id == room.id));
            parts[2].push_str(&format!("  +{folded}{}", sign(unread, names_us)));
        }
        parts
    }
}

/// How many messages wait, and whether one names us.
fn sign(unread: u64, names_us: bool) -> String {
    match (unread, names_us) {
        (0, _) => String::new(),
        (unread, true) => format!(" {unread}!"),
        (unread, false) => format!(" {unread}"),
    }
}

impl App {
    /// Goes into a room, if there is one.
    pub(super) fn switch(&mut self, room: Option<RoomId>) {
        self.actions.extend(room.map(Action::Switch));
    }
}
