//! What is found without being told: where we say that we are, and what becomes of addresses that come so.

use std::collections::{BTreeSet, VecDeque};

use replica::id::RoomId;

use crate::discovery::{Announced, Announcement, Route, Told};
use crate::engine::{Command, Input};
use crate::limits::DETOURS_MAX;
use crate::node::driver::Driver;

#[cfg(test)]
mod tests;

impl Driver {
    /// Has members told where we are, as far as that is news.
    pub(super) fn announce(&mut self) {
        let rooms = self.rooms.keys().filter(|_| !self.is_offline);
        let known = rooms.filter_map(|room| self.home.state().room(room));
        let announced = known
            .map(|room| (room.id, Announced { secret: room.secret.0, servers: self.servers_of(&room.id) }));
        let rooms = announced.collect();
        let is_reachable = !self.listening.is_empty();
        let addresses = if is_reachable { self.reachable_at() } else { Vec::new() };
        self.discovery.announce(Announcement { rooms, addresses });
    }

    pub(super) fn on_found(&mut self, told: Told) {
        match told {
            Told::Found { room, addresses, relay } => {
                let mine = self.reachable_at();
                let found = addresses.into_iter().filter(|it| !mine.contains(it) && it.port() != 0);
                let found: Vec<String> = found.map(|address| address.to_string()).collect();
                found.iter().for_each(|address| self.try_address(room, address.clone()));
                let open = self.rooms.get_mut(&room);
                let detour = open.zip(relay).and_then(|(open, route)| open.detours.add(found, &route));
                detour.into_iter().for_each(|detour| self.try_address(room, detour));
            }
            Told::Ring(ring) => self.transport.pick_up(ring),
            Told::Outside(address) => {
                self.outside = address;
                self.may_have_moved = true;
            }
            Told::Moved => self.may_have_moved = true,
        }
    }

    pub(super) fn try_address(&mut self, room: RoomId, address: String) {
        self.handle(Some(room), Input::Command(0, Command::Found(address)));
    }
}

/// Members that may have to be reached by a server, once all their addresses have failed.
#[derive(Debug, Default)]
pub(super) struct Detours {
    waiting: VecDeque<(BTreeSet<String>, String)>,
}

impl Detours {
    /// Keeps a route for when these addresses have failed. Answers it, as an address, if there are none.
    pub(super) fn add(&mut self, addresses: Vec<String>, route: &Route) -> Option<String> {
        let detour = route.to_address();
        if addresses.is_empty() {
            return Some(detour);
        }
        self.waiting.retain(|(_, other)| *other != detour);
        if self.waiting.len() >= DETOURS_MAX {
            self.waiting.pop_front();
        }
        self.waiting.push_back((addresses.into_iter().collect(), detour));
        None
    }

    /// An address failed. Answers the route to take instead, if it was the last one.
    pub(super) fn failed(&mut self, address: &str) -> Option<String> {
        let waits = |(addresses, _): &mut (BTreeSet<String>, String)| {
            addresses.remove(address) && addresses.is_empty()
        };
        let at = self.waiting.iter_mut().position(waits)?;
        self.waiting.remove(at).map(|(_, detour)| detour)
    }

    /// An address works, so that no other way to who is there is needed.
    pub(super) fn worked(&mut self, address: &str) {
        self.waiting.retain(|(addresses, _)| !addresses.contains(address));
    }
}
