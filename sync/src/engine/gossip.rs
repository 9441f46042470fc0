//! Telling members where members can be reached, and keeping it.
//!
//! To know one member is to know all: whoever meets a peer hears of everyone it knows, and keeps that in the room's
//! store for the next start.

use std::collections::BTreeMap;

use replica::id::{AuthorKey, StoreId};
use replica::identity::Signature;
use sha2::{Digest as _, Sha256};

use crate::book::Endpoint;
use crate::conversation::ConnectionId;
use crate::engine::Engine;
use crate::limits::millis;
use crate::limits::{
    ADDRESS_BURST, ADDRESS_LIFE, ADDRESS_NEWS, ADDRESS_PAUSE, ADDRESS_RECORDS_PER_FRAME_MAX, ADDRESS_RENEWAL,
    ADDRESSES_PER_RECORD_MAX, RECORDS_MAX, RECORDS_PER_AUTHOR_MAX,
};
use crate::penalty::Refused;
use crate::wire::{Address, AddressRecord, Frame, Peers};

#[cfg(test)]
mod tests;

/// What became of a record that was told.
enum Heard {
    /// Others should hear of it.
    News,
    /// It is known, or says nothing that is to be kept.
    Nothing,
    /// It is not of who it says.
    Forged,
}

impl Engine {
    /// Takes up what was kept of where members are, unless it has expired.
    pub(super) fn recall_records(&mut self) {
        let kept = self.conversation.take_whereabouts();
        if !self.settings.learns_addresses {
            return;
        }
        for (endpoint, bytes) in kept {
            if let Some(record) = from_bytes(endpoint, &bytes) {
                self.records.insert(endpoint, record);
            }
        }
        self.drop_stale_records();
        for record in self.records.values() {
            for address in &record.addresses {
                self.book.learn(text(*address), (record.author, record.store), self.now.monotonic_ms);
            }
        }
        self.replan();
    }

    /// Tells a member our own addresses and those of others that still hold, unless it was told of them before.
    pub(super) fn introduce_addresses(&mut self, connection: ConnectionId, told: Option<u64>) {
        let Some(session) = self.sessions.get(&connection) else { return };
        if !session.is_served || !self.settings.learns_addresses {
            return;
        }
        let Some(peer) = session.endpoint() else { return };
        if told.is_some_and(|told| told == self.addresses_mark(peer)) {
            return;
        }
        let records = self.records_for(peer);
        for part in records.chunks(ADDRESS_RECORDS_PER_FRAME_MAX) {
            self.send(connection, Frame::Peers(Peers { records: part.to_vec() }));
        }
    }

    /// What a peer is to know of where members are.
    fn records_for(&mut self, peer: Endpoint) -> Vec<AddressRecord> {
        self.drop_stale_records();
        let mine = self.current_own_record();
        let others = self.records.iter().filter(|(endpoint, _)| **endpoint != peer);
        mine.into_iter().chain(others.map(|(_, record)| record.clone())).collect()
    }

    /// Names what a peer is to know of where members are. Another one means that there is news, or that what was told
    /// will not hold for long.
    pub(super) fn addresses_mark(&mut self, peer: Endpoint) -> u64 {
        let mut hash = Sha256::new();
        for record in self.records_for(peer) {
            hash.update(record.author.0);
            hash.update(record.store.0);
            hash.update((record.expires_ms / (millis(ADDRESS_RENEWAL) / 2)).to_be_bytes());
            for address in &record.addresses {
                hash.update(address.ip);
                hash.update(address.port.to_be_bytes());
            }
        }
        u64::from_be_bytes(*hash.finalize().first_chunk().unwrap_or(&[0; 8]))
    }

    /// Takes in addresses of members, and passes on those that are news.
    pub(super) fn on_peers(&mut self, connection: ConnectionId, peers: Peers) {
        if !self.settings.learns_addresses {
            return;
        }
        self.drop_stale_records();
        self.learn_records(peers.records, Some(connection));
    }

    /// Takes in what was told of people who were no members then, and are now; and where those are by now who moved
    /// often.
    pub(super) fn learn_early_records(&mut self) {
        let (graph, now_ms) = (self.conversation.graph(), self.now.monotonic_ms);
        let is_ready =
            |(author, _): &&Endpoint| graph.is_member(author) && self.may_move_ms(author) <= now_ms;
        let ready: Vec<Endpoint> = self.early_records.keys().filter(is_ready).copied().collect();
        let records = ready.iter().filter_map(|endpoint| self.early_records.remove(endpoint)).collect();
        self.learn_records(records, None);
    }

    fn learn_records(&mut self, records: Vec<AddressRecord>, from: Option<ConnectionId>) {
        let mut news = Vec::new();
        for record in records {
            match (self.learn_record(&record), from) {
                (Heard::News, _) => news.push(record),
                (Heard::Forged, Some(from)) => {
                    return self.offence(
                        from,
                        Refused::NotAuthentic,
                        "somebody's address is not signed by them",
                    );
                }
                _ => {}
            }
        }
        if !news.is_empty() {
            self.replan();
            news.chunks(ADDRESS_RECORDS_PER_FRAME_MAX).for_each(|part| self.tell_records(part, from));
        }
    }

    /// Takes in one record, if it is to be believed.
    fn learn_record(&mut self, record: &AddressRecord) -> Heard {
        let endpoint = (record.author, record.store);
        let wall_ms = self.now.wall_ms;
        let known = self.records.get(&endpoint);
        let is_newer = [known, self.early_records.get(&endpoint)]
            .into_iter()
            .flatten()
            .all(|known| known.expires_ms < record.expires_ms);
        let holds = record.expires_ms > wall_ms
            && record.expires_ms < wall_ms.saturating_add(millis(ADDRESS_LIFE).saturating_mul(2));
        let has_room = known.is_some() || has_room_for(&self.records, &record.author);
        let is_me = endpoint == (self.conversation.me(), self.conversation.store());
        if is_me || !has_room || !is_newer || !holds {
            return Heard::Nothing;
        }
        if !record.is_authentic() {
            return Heard::Forged;
        }
        let is_news = known.is_none_or(|known| {
            known.addresses != record.addresses
                || known.expires_ms.saturating_add(millis(ADDRESS_NEWS)) <= record.expires_ms
        });
        let now_ms = self.now.monotonic_ms;
        // A newcomer is told where everyone is before it has the entries that say who they are.
        let is_early = !self.conversation.graph().is_member(&record.author)
            || is_news && self.may_move_ms(&record.author) > now_ms;
        if is_early {
            let early = &self.early_records;
            if early.contains_key(&endpoint) || has_room_for(early, &record.author) {
                self.early_records.insert(endpoint, record.clone());
            }
            return Heard::Nothing;
        }
        // What is not worth telling is not worth a write either.
        if is_news {
            let moves_ms = self.moves_ms.entry(record.author).or_default();
            *moves_ms = now_ms.max(*moves_ms) + millis(ADDRESS_PAUSE);
            for address in &record.addresses {
                self.book.learn(text(*address), endpoint, self.now.monotonic_ms);
            }
            self.conversation.keep_whereabouts(endpoint, Some(to_bytes(record)));
            self.records.insert(endpoint, record.clone());
        }
        if is_news { Heard::News } else { Heard::Nothing }
    }

    /// Forgets records that hold no longer, and those of who is no member any more.
    fn drop_stale_records(&mut self) {
        let (wall_ms, graph) = (self.now.wall_ms, self.conversation.graph());
        let is_stale = |record: &AddressRecord| record.expires_ms <= wall_ms || graph.is_out(&record.author);
        let stale = self.records.iter().filter(|(_, record)| is_stale(record));
        let stale: Vec<Endpoint> = stale.map(|(endpoint, _)| *endpoint).collect();
        self.moves_ms.retain(|_, moves_ms| *moves_ms > self.now.monotonic_ms);
        for endpoint in stale {
            self.records.remove(&endpoint);
            self.conversation.keep_whereabouts(endpoint, None);
        }
    }

    /// Our own record, signed anew where the last one says something else or will not hold for long.
    fn current_own_record(&mut self) -> Option<AddressRecord> {
        let mut addresses = self.settings.listening.clone();
        addresses.truncate(ADDRESSES_PER_RECORD_MAX);
        if addresses.is_empty() {
            self.own_record = None;
            return None;
        }
        let (store, wall_ms) = (self.conversation.store(), self.now.wall_ms);
        let says_so = |record: &&AddressRecord| record.store == store && record.addresses == addresses;
        if self.own_record.as_ref().filter(says_so).is_none_or(|record| !is_fresh(record, wall_ms)) {
            let before = self.own_record.as_ref().map_or(0, |record| record.expires_ms + 1);
            let latest = wall_ms.saturating_add(millis(ADDRESS_LIFE));
            // Two changes within one moment: the later one has to win.
            let expires_ms = if before <= latest + 1 { latest.max(before) } else { latest };
            self.own_record =
                Some(AddressRecord::signed(self.conversation.identity(), store, expires_ms, addresses));
        }
        self.own_record.clone()
    }

    /// We are reachable elsewhere: everyone connected hears of it.
    pub(super) fn move_to(&mut self, addresses: Vec<Address>) {
        if self.settings.listening != addresses {
            self.settings.listening = addresses;
            self.tell_own_record();
        }
    }

    fn tell_own_record(&mut self) {
        if !self.settings.learns_addresses {
            return;
        }
        if let Some(record) = self.current_own_record() {
            self.tell_records(&[record], None);
        }
    }

    /// Tells our record anew in time, if it was told at all.
    pub(super) fn renew_own_record(&mut self) {
        let wall_ms = self.now.wall_ms;
        if self.own_record.as_ref().is_some_and(|record| !is_fresh(record, wall_ms)) {
            self.tell_own_record();
        }
    }

    /// From when on more is heard of where an author is: nobody has everybody busy by moving on and on.
    fn may_move_ms(&self, author: &AuthorKey) -> u64 {
        let at_once = millis(ADDRESS_PAUSE) * (ADDRESS_BURST - 1);
        self.moves_ms.get(author).map_or(0, |moves_ms| moves_ms.saturating_sub(at_once))
    }

    /// When a member's record that waits may be taken in.
    pub(super) fn early_record_due(&self) -> Option<u64> {
        let graph = self.conversation.graph();
        let members = self.early_records.keys().filter(|(author, _)| graph.is_member(author));
        members.map(|(author, _)| self.may_move_ms(author)).min()
    }

    /// When our record is to be renewed, on the monotonic clock.
    pub(super) fn own_record_due(&self) -> Option<u64> {
        let told = self.own_record.as_ref().filter(|_| self.settings.learns_addresses)?;
        let renewal_ms = told.expires_ms.saturating_sub(millis(ADDRESS_RENEWAL));
        Some(self.now.monotonic_ms + renewal_ms.saturating_sub(self.now.wall_ms))
    }

    /// Where an author says it can be reached, by the first of its stores that is known.
    #[must_use]
    pub fn record(&self, author: &AuthorKey) -> Option<&AddressRecord> {
        self.records.values().find(|record| record.author == *author)
    }

    fn tell_records(&mut self, records: &[AddressRecord], except: Option<ConnectionId>) {
        let others = self.sessions.values().filter(|session| {
            Some(session.connection) != except && session.is_served && session.hello.is_some()
        });
        let others: Vec<ConnectionId> = others.map(|session| session.connection).collect();
        for other in others {
            self.send(other, Frame::Peers(Peers { records: records.to_vec() }));
        }
    }
}

/// Whether one more store of an author can be remembered: nobody fills the memory, or takes all the places.
fn has_room_for(records: &BTreeMap<Endpoint, AddressRecord>, author: &AuthorKey) -> bool {
    let of_author = (*author, StoreId([0; 16]))..=(*author, StoreId([u8::MAX; 16]));
    records.range(of_author).count() < RECORDS_PER_AUTHOR_MAX && records.len() < RECORDS_MAX
}

/// Whether an own record need not be renewed: it holds for long, and our clock did not go back since.
fn is_fresh(record: &AddressRecord, wall_ms: u64) -> bool {
    let longest = wall_ms.saturating_add(millis(ADDRESS_LIFE));
    record.expires_ms > wall_ms.saturating_add(millis(ADDRESS_RENEWAL)) && record.expires_ms <= longest + 1
}

fn text(address: Address) -> String {
    std::net::SocketAddr::from(address).to_string()
}

/// A record as it is kept: expiry, addresses with ports, signature. Whose it is, its key says.
fn to_bytes(record: &AddressRecord) -> Vec<u8> {
    let mut bytes = record.expires_ms.to_be_bytes().to_vec();
    for address in &record.addresses {
        bytes.extend_from_slice(&address.ip);
        bytes.extend_from_slice(&address.port.to_be_bytes());
    }
    bytes.extend_from_slice(&record.signature.0);
    bytes
}

fn from_bytes((author, store): Endpoint, bytes: &[u8]) -> Option<AddressRecord> {
    let (expires, rest) = bytes.split_first_chunk()?;
    let (places, signature) = rest.split_last_chunk()?;
    let mut addresses = Vec::new();
    for place in places.chunks(18) {
        let (ip, port) = place.split_first_chunk()?;
        addresses.push(Address { ip: *ip, port: u16::from_be_bytes(port.try_into().ok()?) });
    }
    let expires_ms = u64::from_be_bytes(*expires);
    Some(AddressRecord { author, store, expires_ms, addresses, signature: Signature(*signature) })
}
