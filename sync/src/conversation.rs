//! One room as its members' entries make it: admits entries, writes its own, and sees that they become durable.
//!
//! Sans-IO. Whatever is admitted is *staged*, then handed out as one [`Batch`] at a time ([`Conversation::poll_batch`]);
//! when the store has it ([`Conversation::persisted`]) its entries count: rows are shown, peers are told. So an entry
//! of our own is durable before anyone hears of it, and many entries share one sync of the disk.

use std::collections::{BTreeMap, VecDeque};

use replica::archive::{Batch, Draft, Met, Opened, Peer};
use replica::entry::{Body, Entry, Record};
use replica::graph::{Admission, Graph};
use replica::id::{AuthorKey, ChainId, EntryId, Position, RoomId, StoreId};
use replica::identity::Identity;
use replica::limits::TIME_MS_MAX;
use replica::members::Members;
use serde::{Deserialize, Serialize};

mod batch;
mod gate;
mod people;
mod say_error;
#[cfg(test)]
mod tests;

pub(crate) use batch::live_frames;
use gate::Pool;
pub use gate::{BlockKind, Offence, Received};
pub use say_error::SayError;

use crate::limits::{DRAFTS_MAX, MET_MAX};

/// A connection, as the shell numbers them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Deserialize, Serialize)]
pub struct ConnectionId(pub u64);

impl ConnectionId {
    /// What came from a file.
    pub const FILE: Self = Self(u64::MAX);
}

/// What a caller put on a command, to know its outcome by.
pub type Tag = u64;

/// Where entries came from, and who waits for them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Origin {
    /// Written here.
    Own(Option<Tag>),
    /// In a frame of a peer: its number on that connection.
    Peer(ConnectionId, u64),
}

/// Entries admitted together.
#[derive(Clone, Debug)]
pub struct Unit {
    /// The entries.
    pub entries: Vec<Entry>,
    /// The position of the first; the others follow.
    pub first: Position,
    /// The block as it was received, if all of it is new.
    pub block: Option<Vec<u8>>,
    /// Where they came from.
    pub origin: Origin,
}

/// What became durable with a batch.
#[derive(Debug, Default)]
pub struct Landed {
    /// The entries, by where they came from.
    pub units: Vec<Unit>,
    /// Drafts that are kept now, with who asked.
    pub drafts: Vec<(Option<Tag>, Draft)>,
}

/// One room, in memory.
#[derive(Debug)]
pub struct Conversation {
    identity: Identity,
    store: StoreId,
    chain: ChainId,
    nick: String,
    graph: Graph,
    members: Members,
    drafts: BTreeMap<u64, Draft>,
    next_draft: u64,
    home_drafts_taken: u64,
    met: BTreeMap<Peer, Met>,
    staged: VecDeque<Unit>,
    staged_extra: Batch,
    staged_drafts: Vec<(Option<Tag>, Draft)>,
    in_flight: Option<Landed>,
    read_only: bool,
    pool: Pool,
    whereabouts: BTreeMap<Peer, Vec<u8>>,
}

impl Conversation {
    /// A room as it was found in its store. `nick` is what this author is to be called while it has no name there.
    #[must_use]
    pub fn new(opened: Opened, identity: Identity, nick: String) -> Self {
        let Opened { graph, members, notes } = opened;
        let chain = ChainId { author: identity.key(), incarnation: notes.incarnation };
        let next_draft = notes.drafts.last_key_value().map_or(0, |(number, _)| number + 1);
        Self {
            identity,
            store: notes.store,
            chain,
            nick,
            graph,
            members,
            drafts: notes.drafts,
            next_draft,
            home_drafts_taken: notes.home_drafts_taken,
            met: notes.met,
            staged: VecDeque::new(),
            staged_extra: Batch::default(),
            staged_drafts: Vec::new(),
            in_flight: None,
            read_only: false,
            pool: Pool::default(),
            whereabouts: notes.whereabouts,
        }
    }

    /// The entries and their relations.
    #[must_use]
    pub fn graph(&self) -> &Graph {
        &self.graph
    }

    /// Everyone's names.
    #[must_use]
    pub fn members(&self) -> &Members {
        &self.members
    }

    /// Who we are.
    #[must_use]
    pub fn identity(&self) -> &Identity {
        &self.identity
    }

    /// Our author key.
    #[must_use]
    pub fn me(&self) -> AuthorKey {
        self.chain.author
    }

    /// Which of our stores this is.
    #[must_use]
    pub fn store(&self) -> StoreId {
        self.store
    }

    /// The chain we write.
    #[must_use]
    pub fn chain(&self) -> ChainId {
        self.chain
    }

    /// What waits for our admission.
    pub fn drafts(&self) -> impl Iterator<Item = &Draft> {
        self.drafts.values()
    }

    /// Whether the store failed.
    #[must_use]
    pub fn is_read_only(&self) -> bool {
        self.read_only
    }

    /// Whether everything admitted is durable.
    #[must_use]
    pub fn is_settled(&self) -> bool {
        self.in_flight.is_none() && self.staged.is_empty() && self.staged_extra == Batch::default()
    }

    /// Whether nobody else was ever let in.
    #[must_use]
    pub fn is_alone(&self) -> bool {
        self.members.people().all(|person| *person == self.me())
    }

    /// Writes a new room's first entry.
    ///
    /// # Errors
    /// When the name is not one, or there is a first entry already.
    pub fn found(&mut self, name: &str, period_s: u32, now_ms: u64) -> Result<(), SayError> {
        let entry = first_entry(&self.identity, self.chain, name, period_s, now_ms)?;
        let Ok(Admission::New(at)) = self.graph.admit(&entry) else { return Err(SayError::NotMember) };
        self.members.apply(&entry, self.graph.key(at));
        self.staged.push_back(Unit {
            entries: vec![entry],
            first: at,
            block: None,
            origin: Origin::Own(None),
        });
        Ok(())
    }

    /// Writes a message; before this author is admitted, a draft.
    ///
    /// # Errors
    /// When it is not a message, or nothing can be kept.
    pub fn say(&mut self, text: &str, now_ms: u64, tag: Option<Tag>) -> Result<(), SayError> {
        let body = Body::Message(text.to_owned());
        check_form(&body)?;
        if self.graph.is_member(&self.me()) {
            return self.write(&body, now_ms, tag).map(|_| ());
        }
        if self.read_only {
            return Err(SayError::ReadOnly);
        }
        if self.graph.removed_by(&self.me()).is_some() {
            return Err(SayError::Removed);
        }
        if self.drafts.len() >= DRAFTS_MAX {
            return Err(SayError::TooManyDrafts);
        }
        let draft = Draft { written_ms: now_ms, text: text.to_owned() };
        self.drafts.insert(self.next_draft, draft.clone());
        self.staged_extra.drafts.push((self.next_draft, draft.clone()));
        self.staged_drafts.push((tag, draft));
        self.next_draft += 1;
        Ok(())
    }

    /// Takes over drafts that the home kept before there was a room: number, time written, text. Each once.
    pub fn take_home_drafts(&mut self, drafts: Vec<(u64, u64, String)>) {
        for (number, written_ms, text) in drafts {
            if number < self.home_drafts_taken {
                continue;
            }
            self.home_drafts_taken = number + 1;
            self.staged_extra.home_drafts_taken = Some(number + 1);
            let draft = Draft { written_ms, text };
            self.drafts.insert(self.next_draft, draft.clone());
            self.staged_extra.drafts.push((self.next_draft, draft));
            self.next_draft += 1;
        }
    }

    /// Writes an entry of any kind.
    ///
    /// # Errors
    /// When the body is not one of its kind, this author is no member, or the store failed.
    pub fn write(&mut self, body: &Body, now_ms: u64, tag: Option<Tag>) -> Result<EntryId, SayError> {
        check_form(body)?;
        if self.read_only {
            return Err(SayError::ReadOnly);
        }
        let Some(record) = self.graph.compose(self.chain, now_ms, body) else {
            let is_removed = self.graph.removed_by(&self.me()).is_some();
            return Err(if is_removed { SayError::Removed } else { SayError::NotMember });
        };
        let entry = Entry::sign(record, &self.graph.room(), &self.identity).map_err(|_| SayError::Form)?;
        let Ok(Admission::New(at)) = self.graph.admit(&entry) else { return Err(SayError::NotMember) };
        self.members.apply(&entry, self.graph.key(at));
        let id = entry.id();
        self.staged.push_back(Unit {
            entries: vec![entry],
            first: at,
            block: None,
            origin: Origin::Own(tag),
        });
        Ok(id)
    }

    /// Goes on as another store under a new chain: someone else has written in ours, or may have.
    pub fn renew(&mut self, store: StoreId, incarnation: u64) {
        self.store = store;
        self.chain.incarnation = incarnation;
        self.staged_extra.names = Some((store, incarnation));
    }

    /// How things stood when we last agreed with a peer's store, unless one of the two has less than it had then.
    #[must_use]
    pub fn met(&self, peer: &Peer, its_entries: u64) -> Option<Met> {
        let had = |met: &&Met| u64::from(met.entries) <= its_entries && met.entries <= self.graph.durable();
        self.met.get(peer).filter(had).copied()
    }

    /// Notes how things stand with a peer's store, for when it is met again. None: what is noted proved wrong.
    pub fn note_met(&mut self, peer: Peer, met: Option<Met>) {
        if self.met.get(&peer) == met.as_ref() || self.read_only {
            return;
        }
        match met {
            Some(met) => {
                if self.met.len() >= MET_MAX
                    && !self.met.contains_key(&peer)
                    && let Some(oldest) =
                        self.met.iter().min_by_key(|(_, met)| met.entries).map(|(key, _)| *key)
                {
                    self.note_met(oldest, None);
                }
                self.met.insert(peer, met);
            }
            None => drop(self.met.remove(&peer)),
        }
        self.staged_extra.met.push((peer, met));
    }

    /// Once admitted: writes our name if we have none, and turns drafts into entries, each with the time it was written.
    /// A name that another home of ours chose stays: two homes that both insisted would never rest.
    pub fn introduce(&mut self, now_ms: u64) {
        if self.read_only || !self.graph.is_member(&self.me()) {
            return;
        }
        let me = self.me();
        if self.members.name(&me).is_none() {
            let nick = Body::Nickname(self.nick.clone());
            if let Err(error) = self.write(&nick, now_ms, None) {
                tracing::warn!(%error, "the nickname was not written");
            }
        }
        for (number, draft) in std::mem::take(&mut self.drafts) {
            match self.write(&Body::Message(draft.text.clone()), draft.written_ms, None) {
                Ok(_) => self.staged_extra.drafts_done.push(number),
                Err(_) => drop(self.drafts.insert(number, draft)),
            }
        }
    }

    /// The store failed: from now on this replica reads only.
    pub fn store_failed(&mut self) {
        self.read_only = true;
    }
}

/// The first entry of a new room: its id is the room's.
///
/// # Errors
/// When the name or the period is none.
pub fn first_entry(
    identity: &Identity,
    chain: ChainId,
    name: &str,
    period_s: u32,
    now_ms: u64,
) -> Result<Entry, SayError> {
    let body = Body::Room(replica::entry::Room { period_s, name: name.to_owned() });
    check_form(&body)?;
    let (kind, body) = body.encode().ok_or(SayError::Form)?;
    let record = Record {
        kind: kind.number(),
        chain,
        seq: 1,
        previous: None,
        dependencies: Vec::new(),
        claimed_ms: now_ms.min(TIME_MS_MAX),
        body,
    };
    // A first entry's id does not depend on the room.
    Entry::sign(record, &RoomId([0; 32]), identity).map_err(|_| SayError::Form)
}

/// Whether text can be a message.
///
/// # Errors
/// When it is empty or over the limit.
pub fn check_message(text: &str) -> Result<(), SayError> {
    check_form(&Body::Message(text.to_owned()))
}

/// Whether text can be a name.
///
/// # Errors
/// When it is empty or over the limit.
pub fn check_name(name: &str) -> Result<(), SayError> {
    check_form(&Body::Nickname(name.to_owned()))
}

fn check_form(body: &Body) -> Result<(), SayError> {
    let (kind, bytes) = body.encode().ok_or(SayError::Form)?;
    Body::decode(kind.number(), &bytes).map(|_| ()).map_err(|_| SayError::Form)
}
