//! A screen of what is newest, for who lacks much of what comes before it.

use replica::archive::StoredBlock;
use replica::block;
use replica::entry::{Entry, Kind};
use replica::id::{AuthorKey, EntryId, Position};
use replica::limits::PREVIEW_ENTRIES_MAX;
use replica::preview;
use serde::{Deserialize, Serialize};

use crate::conversation::ConnectionId;
use crate::engine::{Engine, Event, Output};
use crate::limits::PREVIEW_LACK_MIN;
use crate::penalty::Refused;
use crate::wire::Frame;

/// A message whose past is not here: authentic, and nothing more is known of it. It is not kept.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
pub struct Glimpse {
    /// Which entry.
    pub id: EntryId,
    /// Who signed it.
    pub author: AuthorKey,
    /// When they say they wrote it, in milliseconds since 1970.
    pub claimed_ms: u64,
    /// What it says. From its author: not to be shown as it is.
    pub text: String,
}

impl Engine {
    /// Has the newest rows read for a peer that said in its HELLO how little it has.
    pub(super) fn offer_preview(&mut self, connection: ConnectionId, entries: u64) {
        let is_far_behind =
            entries.saturating_add(PREVIEW_LACK_MIN) <= u64::from(self.conversation.graph().durable());
        if is_far_behind && self.sessions.get(&connection).is_some_and(|session| session.is_served) {
            self.outputs.push_back(Output::ReadNewest(connection, PREVIEW_ENTRIES_MAX));
        }
    }

    /// The newest rows were read: their positions, newest first, and the blocks that hold them.
    pub(super) fn on_newest(
        &mut self,
        connection: ConnectionId,
        positions: &[Position],
        blocks: &[StoredBlock],
    ) {
        if !self.sessions.contains_key(&connection) {
            return;
        }
        let graph = self.conversation.graph();
        let mut newest: Vec<(usize, Entry)> = Vec::new();
        for stored in blocks {
            let Ok(entries) = block::decode(&stored.bytes, &graph.room(), graph) else { return };
            let place = |at: Position| positions.iter().position(|position| *position == at);
            newest.extend((stored.first..).zip(entries).filter_map(|(at, entry)| Some((place(at)?, entry))));
        }
        newest.sort_unstable_by_key(|(place, _)| std::cmp::Reverse(*place));
        let entries: Vec<Entry> = newest.into_iter().map(|(_, entry)| entry).collect();
        self.send(connection, Frame::Preview(preview::encode(&entries)));
    }

    /// Shows what a peer has newest, once a connection, if much of what comes before is missing here.
    pub(super) fn on_preview(&mut self, connection: ConnectionId, bytes: &[u8]) {
        let graph = self.conversation.graph();
        let Some(session) = self.sessions.get_mut(&connection) else { return };
        let has_more = u64::from(graph.len()) < session.hello.map_or(0, |hello| hello.entries);
        if std::mem::replace(&mut session.was_previewed, true) || !has_more || !session.is_served {
            return;
        }
        let Ok(entries) = preview::decode(bytes, &graph.room()) else {
            return self.offence(connection, Refused::BadBlock, "a preview that is none");
        };
        let is_new = |entry: &&Entry| {
            entry.record().kind == Kind::Message.number() && graph.position(&entry.id()).is_none()
        };
        let glimpses: Vec<Glimpse> = entries.iter().filter(is_new).map(Glimpse::of).collect();
        if !glimpses.is_empty() {
            self.tell(Event::Preview(glimpses));
        }
    }
}

impl Glimpse {
    fn of(entry: &Entry) -> Self {
        let text = replica::archive::text_of(&entry.body());
        Self { id: entry.id(), author: entry.author(), claimed_ms: entry.record().claimed_ms, text }
    }
}
