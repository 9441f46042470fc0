//! The node without IO: one conversation, its peers, and what happens next.
//!
//! The contract: [`Engine::handle`] takes one [`Input`]; then the caller drains [`Engine::poll_output`] until it
//! answers [`Output::Wait`]; only then comes the next input. Time, randomness and what the store answers are inputs;
//! frames, dials, batches and rows are outputs. The same inputs and seed give the same outputs on every machine.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng as _, SeedableRng as _};

use replica::entry::{Body, Invite};
use replica::id::{AuthorKey, ChainId, EntryId};
use replica::identity::Identity;
use replica::limits::TIME_MS_MAX;

use crate::book::{Book, Endpoint, Source};
use crate::conversation::{ConnectionId, Conversation, Origin, SayError, Tag};
use crate::limits::HEARTBEAT;
use crate::overlay::Overlay;
use crate::pace::Pace;
use crate::session::Session;
use crate::wire::{AddressRecord, Bye, ByeReason, Frame};

#[cfg(test)]
mod bench;
mod contract;
mod door;
mod exchange;
mod gossip;
mod intake;
mod links;
mod preview;
mod report;
mod seen;
mod serving;
#[cfg(test)]
mod tests;
mod upkeep;

pub use crate::session::Standing;
pub use contract::{Command, Input, Now, Output, Settings};
pub use door::{PeerProof, Shown};
pub use preview::Glimpse;
pub use report::{Event, PeerReport, Row};

/// One node.
#[derive(Debug)]
pub struct Engine {
    conversation: Conversation,
    sessions: BTreeMap<ConnectionId, Session>,
    book: Book,
    pace: Pace,
    overlay: Overlay,
    /// Whether anybody is dialled.
    is_online: bool,
    /// When the overlay is to plan anew.
    plan_ms: Option<u64>,
    /// Where others can be reached.
    records: BTreeMap<Endpoint, AddressRecord>,
    /// Such of authors who are no members by what is here, or who moved too often.
    early_records: BTreeMap<Endpoint, AddressRecord>,
    /// Until when what each author told of where they are was enough, as if each time had taken its pause.
    moves_ms: BTreeMap<AuthorKey, u64>,
    /// The same of ourselves, as it was told last.
    own_record: Option<AddressRecord>,
    seen: seen::Seen,
    settings: Settings,
    rng: ChaCha8Rng,
    now: Now,
    /// The deadline that was answered last.
    waits_until_ms: Option<u64>,
    outputs: VecDeque<Output>,
    invites: BTreeMap<EntryId, (Tag, [u8; 32])>,
    /// Whether a peer said once that our chain is written elsewhere too.
    was_told_of_a_copy: bool,
    /// Authors who were told of as having forked their chain.
    forked: BTreeSet<ChainId>,
    /// Who was asked last for what is missing.
    last_source: Option<ConnectionId>,
}

impl Engine {
    /// A node of one room.
    #[must_use]
    pub fn new(mut conversation: Conversation, settings: Settings, now: Now) -> Self {
        let rng = ChaCha8Rng::from_seed(settings.seed);
        conversation.introduce(now.wall_ms);
        let seen = seen::Seen::new(conversation.me());
        let mut engine = Self {
            conversation,
            sessions: BTreeMap::new(),
            book: Book::new(),
            pace: Pace::default(),
            overlay: Overlay::default(),
            is_online: true,
            plan_ms: None,
            records: BTreeMap::new(),
            early_records: BTreeMap::new(),
            moves_ms: BTreeMap::new(),
            own_record: None,
            seen,
            settings,
            rng,
            now,
            waits_until_ms: None,
            outputs: VecDeque::new(),
            invites: BTreeMap::new(),
            was_told_of_a_copy: false,
            forked: BTreeSet::new(),
            last_source: None,
        };
        engine.recall_records();
        engine.settle();
        engine
    }

    /// The conversation.
    #[must_use]
    pub fn conversation(&self) -> &Conversation {
        &self.conversation
    }

    /// The peer book.
    #[must_use]
    pub fn book(&self) -> &Book {
        &self.book
    }

    /// Puts addresses into the book, by name: dialled from now on.
    pub fn dial_all(&mut self, addresses: &[String]) {
        addresses
            .iter()
            .for_each(|address| self.book.add(address.clone(), Source::Named, self.now.monotonic_ms));
        self.replan();
        self.settle();
    }

    /// Takes one input. Drain [`Engine::poll_output`] before the next.
    pub fn handle(&mut self, input: Input, now: Now) {
        let has_slept = self.has_slept(now);
        self.now = now;
        if has_slept {
            self.wake_up();
        }
        match input {
            Input::Connected { connection, address, dialed, proof } => {
                self.on_connected(connection, address, dialed, &proof);
            }
            Input::Frame(connection, frame) => self.on_frame(connection, frame),
            Input::Closed(connection) => self.on_closed(connection),
            Input::DialFailed(address, trouble) => {
                self.book.ended(&address, Some(trouble), now.monotonic_ms, &mut self.rng);
                self.replan();
                self.tell(Event::DialFailed { address, trouble });
            }
            Input::Persisted(rows_after) => self.on_persisted(&rows_after),
            Input::StoreFailed => {
                self.conversation.store_failed();
                self.tell(Event::ReadOnly);
                // What cannot be kept is not taken either.
                self.hang_up(ByeReason::StoreFailed, "the store failed");
            }
            Input::Blocks(connection, blocks) => self.on_blocks(connection, &blocks),
            Input::Newest(connection, positions, blocks) => self.on_newest(connection, &positions, &blocks),
            Input::Command(tag, command) => self.on_command(tag, command),
            Input::Tick => {}
        }
        self.settle();
    }

    /// What to do next.
    pub fn poll_output(&mut self) -> Output {
        if let Some(output) = self.outputs.pop_front() {
            return output;
        }
        self.waits_until_ms = self.deadline();
        Output::Wait(self.waits_until_ms)
    }

    /// What every input may make possible: a batch, reads, dials, pings.
    fn settle(&mut self) {
        self.keep_up();
        if let Some(batch) = self.conversation.poll_batch() {
            self.outputs.push_back(Output::Persist(batch));
        }
        self.pump();
    }

    fn on_command(&mut self, tag: Tag, command: Command) {
        let wall_ms = self.now.wall_ms;
        let outcome = match command {
            Command::Say(text) => {
                self.pace.note(self.conversation.me(), 1, self.now.monotonic_ms);
                self.conversation.say(&text, wall_ms, Some(tag))
            }
            Command::SetNick(name) => {
                self.conversation.write(&Body::Nickname(name), wall_ms, Some(tag)).map(|_| ())
            }
            Command::SetTopic(topic) => {
                self.conversation.write(&Body::Topic(topic), wall_ms, Some(tag)).map(|_| ())
            }
            Command::Invite { expires_ms, uses } => self.invite(tag, expires_ms, uses),
            Command::Admit(key) => self.conversation.admit(key, None, wall_ms, Some(tag)).map(|_| ()),
            Command::Promote(key) => self.conversation.promote(key, wall_ms, tag),
            Command::Remove(key) => self.conversation.remove(key, wall_ms, tag),
            Command::Revoke(invite) => self.conversation.revoke(invite, wall_ms, tag),
            Command::Leave => self.conversation.write(&Body::Leave, wall_ms, Some(tag)).map(|_| ()),
            Command::Import(block) => self.import(tag, block),
            Command::Dial(address) => {
                self.book.add(address, Source::Named, self.now.monotonic_ms);
                self.replan();
                Ok(())
            }
            Command::Found(address) => {
                self.book.add(address, Source::Found, self.now.monotonic_ms);
                self.replan();
                Ok(())
            }
            Command::Redial => {
                self.book.retry_all(self.now.monotonic_ms);
                self.replan();
                Ok(())
            }
            Command::SetOnline(is_online) => {
                self.is_online = is_online;
                if is_online {
                    self.book.retry_all(self.now.monotonic_ms);
                    self.replan();
                } else {
                    self.hang_up(ByeReason::Leaving, "going offline");
                }
                Ok(())
            }
            Command::HangUp => {
                self.hang_up(ByeReason::Leaving, "leaving");
                Ok(())
            }
            Command::Reachable(addresses) => {
                self.move_to(addresses);
                Ok(())
            }
        };
        if let Err(error) = outcome {
            self.tell(Event::Refused { tag, error });
        }
    }

    fn invite(&mut self, tag: Tag, expires_ms: Option<u64>, uses: Option<u32>) -> Result<(), SayError> {
        let mut secret = [0; 32];
        self.rng.fill_bytes(&mut secret);
        let key = Identity::from_secret(&secret).key();
        let expires_ms = expires_ms.map(|expires| expires.min(TIME_MS_MAX));
        let body = Body::Invite(Invite { key, expires_ms, uses });
        let id = self.conversation.write(&body, self.now.wall_ms, Some(tag))?;
        self.invites.insert(id, (tag, secret));
        Ok(())
    }

    /// A batch is durable: rows are shown, peers are told, whoever waits is answered.
    fn on_persisted(&mut self, rows_after: &[u32]) {
        let first = self.conversation.graph().durable();
        let landed = self.conversation.persisted();
        let mut rows_after = rows_after.iter().copied();
        for unit in &landed.units {
            for (entry, at) in unit.entries.iter().zip(unit.first..) {
                let behind = rows_after.next().unwrap_or(0);
                let row = Row::of_entry(&self.conversation, entry, at, behind);
                if let Origin::Own(Some(tag)) = unit.origin {
                    self.answer(tag, &row);
                }
                self.tell(Event::Row(Box::new(row)));
                if let Origin::Peer(connection, _) = unit.origin
                    && let Some(session) = self.sessions.get_mut(&connection)
                {
                    session.outgoing.has(at);
                }
            }
        }
        for unit in &landed.units {
            if let Origin::Peer(ConnectionId::FILE, tag) = unit.origin {
                self.tell(Event::Imported { tag, new: unit.entries.len() as u64 });
            }
        }
        for (tag, draft) in landed.drafts {
            self.tell(Event::Draft { tag, draft });
        }
        if self.conversation.graph().fork_count() > self.forked.len() {
            self.tell_forks();
        }
        self.note_what_peers_have(first);
        self.judge_first_peers();
        self.relay(&landed.units, first);
        self.acknowledge();
        self.conversation.introduce(self.now.wall_ms);
        self.serve_new_members();
        self.learn_early_records();
        self.look_at_waiting_seen(&landed.units);
    }

    fn answer(&mut self, tag: Tag, row: &Row) {
        let invited = self.invites.remove(&row.id);
        self.tell(match invited {
            Some((tag, secret)) => Event::Invited { tag, invite: row.id, secret },
            None => Event::Written { tag, id: row.id },
        });
    }

    fn on_closed(&mut self, connection: ConnectionId) {
        self.conversation.forget(connection);
        let Some(session) = self.sessions.remove(&connection) else { return };
        if session.is_served && session.agrees(self.conversation.graph().digest()) {
            session.endpoint().into_iter().for_each(|peer| self.note_agreement(peer));
        }
        if let Some(address) = &session.dialed {
            if session.connected_ms + crate::limits::millis(HEARTBEAT) <= self.now.monotonic_ms {
                self.book.worked(address);
            }
            self.book.ended(address, None, self.now.monotonic_ms, &mut self.rng);
        }
        self.replan();
        self.tell(Event::PeerGone { connection, author: session.author });
        self.next_bulk_source();
    }

    /// Ends all connections.
    fn hang_up(&mut self, reason: ByeReason, text: &str) {
        let all: Vec<ConnectionId> = self.sessions.keys().copied().collect();
        all.into_iter().for_each(|connection| self.close(connection, reason, text));
    }

    /// Tells of authors who turn out to have used one key from two places.
    fn tell_forks(&mut self) {
        for (chain, _) in self.conversation.graph().forked() {
            if self.forked.insert(chain) {
                self.tell(Event::Forked(chain));
            }
        }
    }

    /// Ends a connection, and says why.
    fn close(&mut self, connection: ConnectionId, reason: ByeReason, text: &str) {
        self.outputs.push_back(Output::Close(connection, Some(Bye::new(reason, text))));
        self.on_closed(connection);
    }

    fn send(&mut self, connection: ConnectionId, frame: Frame) {
        self.outputs.push_back(Output::Send(connection, frame));
    }

    fn tell(&mut self, event: Event) {
        self.outputs.push_back(Output::Event(event));
    }
}
