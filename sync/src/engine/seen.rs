//! Telling members how far members hold the history, so that who wrote something learns who has it, also of those who
//! only read and are connected to others.
//!
//! A replica's own record goes out when its heads changed, after a pause that grows with the room; records of others are
//! passed on. What is known of them is kept in memory alone: who starts anew is told by whom it meets.

use std::collections::BTreeMap;

use rand_chacha::rand_core::Rng as _;
use replica::graph::Reached;
use replica::id::{AuthorKey, Digest};

use crate::book::Endpoint;
use crate::conversation::{ConnectionId, Unit};
use crate::engine::{Engine, Event};
use crate::limits::{
    SEEN_BYTES_MAX, SEEN_GATHERING, SEEN_HEADS_MAX, SEEN_PAUSE, SEEN_PAUSE_PER_MEMBER,
    SEEN_RECORDS_PER_FRAME_MAX, millis,
};
use crate::penalty::Refused;
use crate::session::Session;
use crate::wire::{self, Frame, SeenRecord};

mod known;
#[cfg(test)]
mod tests;

use known::{Known, Taken};

/// What was told of how far members hold the history, and what is to be told of it.
#[derive(Debug)]
pub(super) struct Seen {
    known: Known,
    /// What others are to hear of, and by whom we did.
    news: BTreeMap<Endpoint, Option<ConnectionId>>,
    news_due_ms: Option<u64>,
    /// When our own record is due. None: it says how things are, or nobody is there.
    due_ms: Option<u64>,
    /// When it was told last.
    told_ms: Option<u64>,
    /// As of what it was last looked at whether it says how things are.
    looked_at: Option<Digest>,
}

impl Seen {
    pub(super) fn new(me: AuthorKey) -> Self {
        Self {
            known: Known::new(me),
            news: BTreeMap::new(),
            news_due_ms: None,
            due_ms: None,
            told_ms: None,
            looked_at: None,
        }
    }

    /// When something is to be told next.
    pub(super) fn due(&self) -> Option<u64> {
        self.due_ms.into_iter().chain(self.news_due_ms).min()
    }

    /// What is known of others, as far as it says anything of what was written here.
    pub(super) fn so_far(&self) -> impl Iterator<Item = (AuthorKey, Vec<Reached>)> {
        self.known.up_to()
    }
}

impl Engine {
    fn own_endpoint(&self) -> Endpoint {
        (self.conversation.me(), self.conversation.store())
    }

    /// Whether anybody may be connected to us only through others: of two replicas alone, each knows what the other has.
    fn is_worth_telling(&self) -> bool {
        let is_large = || self.conversation.members().people().nth(2).is_some();
        let mut met = self.sessions.values().filter_map(Session::endpoint);
        let first = met.next();
        is_large()
            || met.any(|other| Some(other) != first)
            || self.seen.known.has_others(&self.own_endpoint())
    }

    /// Names to a peer the records we know, once, so that it sends those we lack.
    pub(super) fn greet_with_seen(&mut self, connection: ConnectionId) {
        if self.is_worth_telling() {
            self.mark_seen(connection);
        }
    }

    fn mark_seen(&mut self, connection: ConnectionId) {
        let graph = self.conversation.graph();
        let Some(session) = self.sessions.get_mut(&connection) else { return };
        if !session.is_served || std::mem::replace(&mut session.told_mark, true) {
            return;
        }
        self.seen.known.forget(|author| graph.is_out(author));
        let mark = self.seen.known.mark();
        self.send(connection, Frame::Seen(wire::Seen { mark, records: Vec::new() }));
    }

    /// Takes in what a peer tells of how far members hold the history.
    pub(super) fn on_seen(&mut self, connection: ConnectionId, seen: wire::Seen) {
        if seen.records.is_empty() {
            return self.on_seen_mark(connection, seen.mark);
        }
        for record in seen.records {
            let graph = self.conversation.graph();
            match self.seen.known.take(record, graph, self.now.wall_ms) {
                Taken::Forged => {
                    let text = "a seen record is not signed by its author";
                    return self.offence(connection, Refused::NotAuthentic, text);
                }
                Taken::News(endpoint) => self.on_seen_news(endpoint, Some(connection)),
                Taken::Nothing => {}
            }
        }
    }

    /// A peer names the records it knows. If we know others, it gets ours.
    fn on_seen_mark(&mut self, connection: ConnectionId, mark: u64) {
        self.mark_seen(connection);
        let Some(session) = self.sessions.get_mut(&connection) else { return };
        if !session.is_served || std::mem::replace(&mut session.heard_mark, true) {
            return;
        }
        if mark != self.seen.known.mark() {
            let records = self.seen.known.newest(SEEN_BYTES_MAX);
            self.send_seen(connection, &records);
        }
    }

    fn on_seen_news(&mut self, endpoint: Endpoint, from: Option<ConnectionId>) {
        if endpoint == self.own_endpoint() {
            // What we said before a restart.
            self.seen.looked_at = None;
            return;
        }
        self.seen.news.insert(endpoint, from);
        self.seen.news_due_ms.get_or_insert(self.now.monotonic_ms + millis(SEEN_GATHERING));
        self.look_at_seen(endpoint);
    }

    /// Tells what a record says of our own rows, if that is new.
    fn look_at_seen(&mut self, endpoint: Endpoint) {
        let (author, _) = endpoint;
        if let Some(up_to) = self.seen.known.resolve(endpoint, self.conversation.graph())
            && author != self.conversation.me()
        {
            self.tell(Event::Seen { author, up_to });
        }
    }

    /// Entries became durable: some records may have waited for them.
    pub(super) fn look_at_waiting_seen(&mut self, units: &[Unit]) {
        for entry in units.iter().flat_map(|unit| &unit.entries) {
            if !self.seen.known.is_waiting() {
                break;
            }
            let waited = self.seen.known.arrived(&entry.id());
            waited.into_iter().for_each(|endpoint| self.look_at_seen(endpoint));
        }
        for endpoint in self.seen.known.take_early(self.conversation.graph()) {
            self.on_seen_news(endpoint, None);
        }
    }

    /// Tells what is due.
    pub(super) fn tell_seen(&mut self) {
        self.tell_own_seen();
        let now_ms = self.now.monotonic_ms;
        if self.seen.news_due_ms.is_none_or(|due| due > now_ms) {
            return;
        }
        let mut news = std::mem::take(&mut self.seen.news);
        let mut part: Vec<(SeenRecord, Option<ConnectionId>)> = Vec::new();
        let mut bytes = 0;
        while bytes < SEEN_BYTES_MAX
            && let Some((endpoint, from)) = news.pop_first()
        {
            if let Some(record) = self.seen.known.record(&endpoint) {
                bytes += known::weight(record);
                part.push((record.clone(), from));
            }
        }
        self.seen.news_due_ms = (!news.is_empty()).then_some(now_ms + millis(SEEN_GATHERING));
        self.seen.news = news;
        let is_told = |session: &&Session| session.is_served && session.hello.is_some();
        let told: Vec<ConnectionId> =
            self.sessions.values().filter(is_told).map(|session| session.connection).collect();
        for connection in told {
            let others = part.iter().filter(|(_, from)| *from != Some(connection));
            let records: Vec<SeenRecord> = others.map(|(record, _)| record.clone()).collect();
            self.send_seen(connection, &records);
        }
    }

    fn send_seen(&mut self, connection: ConnectionId, records: &[SeenRecord]) {
        for part in records.chunks(SEEN_RECORDS_PER_FRAME_MAX) {
            self.send(connection, Frame::Seen(wire::Seen { mark: 0, records: part.to_vec() }));
        }
    }

    /// Signs a record anew where the last one no longer says how things are: not at once and not all members at the same
    /// moment, since whatever is said changes what all of them have.
    fn tell_own_seen(&mut self) {
        let graph = self.conversation.graph();
        let (now_ms, digest) = (self.now.monotonic_ms, graph.digest());
        if self.seen.looked_at == Some(digest) {
            return;
        }
        let is_somebody_there =
            self.sessions.values().any(|session| session.is_served && session.hello.is_some());
        if !is_somebody_there || !graph.is_member(&self.conversation.me()) || !self.is_worth_telling() {
            self.seen.due_ms = None;
            return;
        }
        let due_ms = self.seen.due_ms.unwrap_or_else(|| {
            let members = self.conversation.members().people().count() as u64;
            let pause_ms = millis(SEEN_PAUSE).max(millis(SEEN_PAUSE_PER_MEMBER) * members);
            let earliest_ms = self.seen.told_ms.map_or(0, |told| told + pause_ms);
            earliest_ms.max(now_ms + self.rng.next_u64() % pause_ms)
        });
        self.seen.due_ms = Some(due_ms);
        if due_ms > now_ms {
            return;
        }
        (self.seen.due_ms, self.seen.looked_at) = (None, Some(digest));
        let own = self.own_endpoint();
        let before = self.seen.known.record(&own);
        let heads = graph.durable_heads(SEEN_HEADS_MAX);
        // Whoever has an entry of ours knows that we had its past.
        let chain = self.conversation.chain();
        let is_own = |at| graph.chain(at) == chain;
        let is_plain = matches!(heads.as_slice(), [head] if graph.position(head).is_some_and(is_own));
        if is_plain || before.is_some_and(|before| before.heads == heads) {
            return;
        }
        let number = before.map_or(0, |before| before.number + 1).max(self.now.wall_ms);
        let (identity, room) = (self.conversation.identity(), graph.room());
        self.seen.known.put(SeenRecord::signed(identity, &room, own.1, number, heads));
        self.seen.told_ms = Some(now_ms);
        self.seen.news.insert(own, None);
        self.seen.news_due_ms = Some(now_ms);
    }
}
