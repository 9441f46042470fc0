//! Who hears what a node tells: its own handle and every guest, each of the room it is in.

use std::collections::BTreeMap;

use replica::entry::Kind;
use replica::id::RoomId;

use crate::engine::Row;
use crate::limits::{ROOM_NEWS, millis};
use crate::node::driver::Driver;
use crate::node::local::Host;
use crate::node::{NodeEvent, RoomStatus};

#[cfg(test)]
mod tests;

/// Where somebody is, and what came elsewhere meanwhile.
#[derive(Debug, Default)]
pub(super) struct Listener {
    /// The room that it is in.
    pub(super) room: Option<RoomId>,
    unread: BTreeMap<RoomId, Unread>,
}

/// What came in a room since a listener was last in it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Unread {
    pub(super) new: u64,
    pub(super) names_us: bool,
    is_told: bool,
}

impl Listener {
    /// Goes into a room: what came there is seen.
    pub(super) fn go(&mut self, room: RoomId) {
        self.room = Some(room);
        self.unread.remove(&room);
    }

    /// A message came in a room. Says whether it is one that this listener is not in.
    pub(super) fn miss(&mut self, room: RoomId, names_us: bool) -> bool {
        if self.room == Some(room) {
            return false;
        }
        let unread = self.unread.entry(room).or_default();
        unread.new += 1;
        unread.names_us |= names_us;
        unread.is_told = false;
        true
    }

    /// What came in a room.
    pub(super) fn unread(&self, room: &RoomId) -> Unread {
        self.unread.get(room).copied().unwrap_or_default()
    }

    /// What is to be told, once.
    pub(super) fn news(&mut self) -> Vec<(RoomId, Unread)> {
        let untold = self.unread.iter_mut().filter(|(_, unread)| !unread.is_told);
        let tell = |(room, unread): (&RoomId, &mut Unread)| {
            unread.is_told = true;
            (*room, *unread)
        };
        untold.map(tell).collect()
    }
}

/// For whom something is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Audience {
    Everyone,
    /// Who is in this room, or in none.
    In(Option<RoomId>),
    /// Who is not in this one.
    Outside(RoomId),
}

impl Audience {
    pub(super) fn has(self, listener: &Listener) -> bool {
        match self {
            Self::Everyone => true,
            Self::In(room) => listener.room == room,
            Self::Outside(room) => listener.room != Some(room),
        }
    }
}

impl Driver {
    /// The room that somebody is in: a guest, or the handle.
    pub(super) fn room_of(&self, who: u32) -> Option<RoomId> {
        match &self.host {
            Some(host) if who != HANDLE => host.listener(who).and_then(|listener| listener.room),
            _ => self.own.room,
        }
    }

    pub(super) fn name_of(&self, room: &RoomId) -> String {
        self.home.state().room(room).map_or_else(String::new, |room| room.name.clone())
    }

    /// Goes into a room that is open, and hears how it stands there.
    pub(super) fn seat(&mut self, who: u32, room: RoomId, is_new: bool, left: Option<String>) {
        let entered = NodeEvent::Room { id: room, name: self.name_of(&room), is_new, left };
        let now_ms = self.clock.now().monotonic_ms;
        let so_far = self.rooms.get(&room).map(|open| open.engine.so_far(now_ms)).unwrap_or_default();
        let events = [entered].into_iter().chain(so_far.into_iter().map(NodeEvent::Engine));
        match &mut self.host {
            Some(host) if who != HANDLE => host.seat(who, room, events),
            _ => {
                self.own.go(room);
                self.backlog.extend(events);
            }
        }
    }

    /// Goes into a room that is open, unless it is in it. Whoever is in none goes along.
    pub(super) fn settle_in(&mut self, who: u32, room: RoomId) {
        if self.room().is_none() {
            self.move_on(None, room, false);
        }
        if self.room_of(who) != Some(room) {
            self.seat(who, room, false, None);
        }
    }

    /// Takes everyone who is in one room, or in none, into another.
    pub(super) fn move_on(&mut self, from: Option<RoomId>, to: RoomId, is_new: bool) {
        let left = from.map(|from| self.name_of(&from));
        let guests: Vec<u32> = self.host.iter().flat_map(|host| host.in_room(from)).collect();
        let own = (self.own.room == from).then_some(HANDLE);
        own.into_iter().chain(guests).for_each(|who| self.seat(who, to, is_new, left.clone()));
    }

    /// Counts a message for everyone who is elsewhere.
    pub(super) fn note_unread(&mut self, room: RoomId, row: &Row) {
        let is_of_another = row.kind == Kind::Message.number() && row.author != self.home.identity().key();
        if !is_of_another || !row.counts || self.home.state().blocked.contains(&row.author) {
            return;
        }
        let guests = self.host.iter().flat_map(Host::listeners);
        if guests.chain([&self.own]).all(|listener| listener.room == Some(room)) {
            return;
        }
        let me = self.home.identity().key();
        let members = self.rooms.get(&room).map(|open| open.engine.conversation().members());
        let name = members.and_then(|members| members.name(&me)).map_or_else(|| self.nick(), str::to_owned);
        let names_us = mentions(&row.text, &name);
        let guests = self.host.iter_mut().flat_map(Host::listeners_mut);
        for listener in guests.chain([&mut self.own]) {
            self.has_news |= listener.miss(room, names_us);
        }
    }

    /// Tells what came in rooms that nobody looks at, if it is time; else when it is.
    pub(super) fn tell_news(&mut self, now_ms: u64) -> Option<u64> {
        if !self.has_news {
            return None;
        }
        if now_ms < self.news_due_ms {
            return Some(self.news_due_ms);
        }
        (self.has_news, self.news_due_ms) = (false, now_ms + millis(ROOM_NEWS));
        let state = self.home.state();
        let event = |(id, unread): (RoomId, Unread)| {
            let name = state.room(&id).map_or_else(String::new, |room| room.name.clone());
            NodeEvent::Elsewhere { id, name, new: unread.new, names_us: unread.names_us }
        };
        self.backlog.extend(self.own.news().into_iter().map(event));
        self.host.iter_mut().for_each(|host| host.tell_news(event));
        None
    }

    /// Every room of the home, as it stands for somebody who is in one of them.
    pub(super) fn rooms_for(&self, who: u32) -> Vec<RoomStatus> {
        let listener = match &self.host {
            Some(host) if who != HANDLE => host.listener(who).unwrap_or(&self.own),
            _ => &self.own,
        };
        let status = |room: &replica::home::RoomState| {
            let open = self.rooms.get(&room.id);
            let graph = open.map(|open| open.engine.conversation().graph());
            let unread = listener.unread(&room.id);
            RoomStatus {
                id: room.id,
                name: room.name.clone(),
                is_open: open.is_some(),
                entries: graph.map_or(0, |graph| u64::from(graph.durable())),
                messages: graph.map_or(0, |graph| graph.messages()),
                peers: open.map_or(0, |open| open.engine.peers().len()),
                new: unread.new,
                names_us: unread.names_us,
                trouble: self.troubles.get(&room.id).cloned(),
            }
        };
        self.home.state().rooms.iter().map(status).collect()
    }
}

/// Who asks is the node's own handle, and no guest.
pub(super) const HANDLE: u32 = 0;

/// Whether a text names somebody, as a word or several.
#[must_use]
pub fn mentions(said: &str, name: &str) -> bool {
    let (said, name) = (said.to_lowercase(), name.to_lowercase());
    let is_word = |c: Option<char>| c.is_some_and(char::is_alphanumeric);
    !name.is_empty()
        && said.match_indices(&name).any(|(at, _)| {
            let before = said[..at].chars().next_back();
            !is_word(before) && !is_word(said[at + name.len()..].chars().next())
        })
}
