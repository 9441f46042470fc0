//! Telling members where members can be reached.

use replica::id::AuthorKey;

use crate::book::Source;
use crate::conversation::ConnectionId;
use crate::engine::Engine;
use crate::limits::{ADDRESS_LIFE, ADDRESS_RECORDS_PER_FRAME_MAX, RECORDS_MAX, RECORDS_PER_AUTHOR_MAX};
use crate::wire::{AddressRecord, Frame, Peers};

impl Engine {
    /// Tells a member our own addresses and those of others that still hold.
    pub(super) fn introduce_addresses(&mut self, connection: ConnectionId) {
        let Some(session) = self.sessions.get(&connection) else { return };
        if !session.is_served || !self.settings.learns_addresses {
            return;
        }
        let peer = session.endpoint();
        let wall_ms = self.now.wall_ms;
        self.records.retain(|_, record| record.expires_ms > wall_ms);
        let others = self.records.iter().filter(|(endpoint, _)| Some(**endpoint) != peer);
        let mut records: Vec<AddressRecord> = others.map(|(_, record)| record.clone()).collect();
        records.truncate(ADDRESS_RECORDS_PER_FRAME_MAX - 1);
        if !self.settings.listening.is_empty() {
            let life = u64::try_from(ADDRESS_LIFE.as_millis()).unwrap_or(0);
            let expires_ms = wall_ms.saturating_add(life);
            let mine = self.settings.listening.clone();
            let identity = self.conversation.identity();
            records.push(AddressRecord::signed(identity, self.conversation.store(), expires_ms, mine));
        }
        if !records.is_empty() {
            self.send(connection, Frame::Peers(Peers { records }));
        }
    }

    /// Whether one more store of an author can be remembered: nobody fills the memory, or takes all the places.
    fn has_room_for(&self, author: &AuthorKey) -> bool {
        let of_author = self.records.keys().filter(|(other, _)| other == author).count();
        of_author < RECORDS_PER_AUTHOR_MAX && self.records.len() < RECORDS_MAX
    }

    /// Takes in addresses of members, and passes on those that are news.
    pub(super) fn on_peers(&mut self, connection: ConnectionId, peers: Peers) {
        if !self.settings.learns_addresses {
            return;
        }
        let me = (self.conversation.me(), self.conversation.store());
        let latest = u64::try_from(ADDRESS_LIFE.as_millis()).unwrap_or(0).saturating_mul(2);
        let mut news = Vec::new();
        for record in peers.records {
            let endpoint = (record.author, record.store);
            let known = self.records.get(&endpoint);
            let is_newer = known.is_none_or(|known| known.expires_ms < record.expires_ms);
            let holds =
                (self.now.wall_ms..self.now.wall_ms.saturating_add(latest)).contains(&record.expires_ms);
            let is_member = self.conversation.graph().is_member(&record.author);
            let has_room = known.is_some() || self.has_room_for(&record.author);
            if endpoint == me || !has_room || !is_newer || !holds || !is_member || !record.is_authentic() {
                continue;
            }
            let moved = known.is_none_or(|known| known.addresses != record.addresses);
            for address in &record.addresses {
                let address = std::net::SocketAddr::from(*address).to_string();
                self.book.add(address, Source::Learned, self.now.monotonic_ms);
            }
            if moved {
                news.push(record.clone());
            }
            self.records.insert(endpoint, record);
        }
        if news.is_empty() {
            return;
        }
        let others = self.sessions.values().filter(|session| {
            session.connection != connection && session.is_served && session.hello.is_some()
        });
        let others: Vec<ConnectionId> = others.map(|session| session.connection).collect();
        for other in others {
            self.send(other, Frame::Peers(Peers { records: news.clone() }));
        }
    }
}
