//! What the engine tells whoever listens.

use replica::archive::{Draft, text_of};
use replica::documents::PageRow;
use replica::entry::Entry;
use replica::graph::Reached;
use replica::id::{AuthorKey, ChainId, EntryId, Position, StoreId};
use replica::order::OrderKey;
use serde::{Deserialize, Serialize};

use crate::book::Trouble;
use crate::conversation::{ConnectionId, Conversation, SayError, Tag};
use crate::engine::{Engine, Glimpse, Standing};
use crate::penalty::Refused;
use crate::wire::Bye;

/// One entry as people read it.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
pub struct Row {
    /// Which entry.
    pub id: EntryId,
    /// Its position in this replica's log.
    pub position: Position,
    /// Its place in the order.
    pub key: OrderKey,
    /// Who wrote it.
    pub author: AuthorKey,
    /// What they were called there, if anything.
    pub nick: Option<String>,
    /// When they say they wrote it, in milliseconds since 1970.
    pub claimed_ms: u64,
    /// The number of its kind.
    pub kind: u16,
    /// What it says: a message's text, of other kinds a few words. From its author: not to be shown as it is.
    pub text: String,
    /// Everything it directly follows: `previous` and the other dependencies.
    pub deps: Vec<EntryId>,
    /// Whether it counts: not what somebody wrote whose removal had not seen it. To be shown folded.
    pub counts: bool,
    /// Which of its author's chains it is of: their rows with the same one follow each other. None if that chain was forked.
    pub incarnation: Option<u64>,
    /// How many rows stood behind it when it came: more than none, and it came late.
    pub rows_after: u32,
}

impl Row {
    /// The row of an entry that the conversation has, and that has just got its place.
    #[must_use]
    pub fn of_entry(conversation: &Conversation, entry: &Entry, at: Position, rows_after: u32) -> Self {
        Self { rows_after, ..Self::new(conversation, at, text_of(&entry.body())) }
    }

    /// The row of an entry as it was read back.
    #[must_use]
    pub fn of_page(conversation: &Conversation, row: PageRow) -> Self {
        Self::new(conversation, row.position, row.text)
    }

    fn new(conversation: &Conversation, at: Position, text: String) -> Self {
        let graph = conversation.graph();
        let (key, chain) = (graph.key(at), graph.chain(at));
        let author = chain.author;
        Self {
            id: key.id,
            position: at,
            key,
            author,
            nick: conversation.members().name_at(&author, &key).map(str::to_owned),
            claimed_ms: graph.claimed_ms(at),
            kind: graph.kind(at),
            text,
            deps: graph.parents(at).map(|parent| graph.id(parent)).collect(),
            counts: graph.counts(at),
            incarnation: (!graph.is_forked(&chain)).then_some(chain.incarnation),
            rows_after: 0,
        }
    }
}

/// Something worth telling.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[non_exhaustive]
pub enum Event {
    /// An entry is durable and has its place.
    Row(Box<Row>),
    /// What is newest at a peer that has much more than is here, oldest first: to be shown until it comes.
    Preview(Vec<Glimpse>),
    /// A draft is durable.
    Draft {
        /// Who asked.
        tag: Option<Tag>,
        /// What is kept.
        draft: Draft,
    },
    /// What a command wrote is durable.
    Written {
        /// Which command.
        tag: Tag,
        /// The entry.
        id: EntryId,
    },
    /// An invite is durable.
    Invited {
        /// Which command.
        tag: Tag,
        /// The invite's entry.
        invite: EntryId,
        /// The secret for the ticket.
        secret: [u8; 32],
    },
    /// A block of a bundle was taken in: its new entries are durable.
    Imported {
        /// Which command.
        tag: Tag,
        /// How many they are.
        new: u64,
    },
    /// A command could not be carried out.
    Refused {
        /// Which.
        tag: Tag,
        /// Why.
        error: SayError,
    },
    /// A member is connected.
    PeerHere {
        /// On this connection.
        connection: ConnectionId,
        /// Who.
        author: AuthorKey,
    },
    /// A connection to a member ended.
    PeerGone {
        /// Which.
        connection: ConnectionId,
        /// Who.
        author: AuthorKey,
    },
    /// Both replicas have the same entries. Told when that becomes so.
    Agreed {
        /// On this connection.
        connection: ConnectionId,
        /// With whom.
        author: AuthorKey,
        /// Where they are.
        address: String,
        /// Entries sent since the connection stands.
        sent: u64,
        /// New entries received since then.
        received: u64,
        /// How long it stands, in milliseconds.
        millis: u64,
    },
    /// A peer has all entries that were sent to it.
    Held {
        /// Who.
        author: AuthorKey,
    },
    /// Somebody told, perhaps through others, how much of what was written here their replica holds: in each of our chains
    /// the entries up to one.
    Seen {
        /// Who.
        author: AuthorKey,
        /// Up to where, ascending by chain: all that one of their replicas is known to hold.
        up_to: Vec<Reached>,
    },
    /// A connection ends that is one too many: another to the same peer is kept, or others carry what is said.
    Doubled(ConnectionId),
    /// A peer ended the connection, and said why.
    Bye {
        /// Where it is.
        address: String,
        /// Its words; not to be shown as they are.
        bye: Bye,
    },
    /// We end a connection because of what came over it.
    Offence {
        /// Which.
        connection: ConnectionId,
        /// What kind of thing it was.
        refused: Refused,
        /// Where the peer is.
        address: String,
        /// Who, by key.
        author: AuthorKey,
        /// What was wrong.
        text: String,
    },
    /// An address did not become a connection; it will be tried again.
    DialFailed {
        /// Which.
        address: String,
        /// Why.
        trouble: Trouble,
    },
    /// An author used one key from two places: the chain has branches.
    Forked(ChainId),
    /// We went on under a new chain, because ours was used elsewhere.
    Renewed,
    /// The store failed: nothing more can be written.
    ReadOnly,
}

/// How one peer stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PeerReport {
    /// Who.
    pub author: AuthorKey,
    /// From which store; not known before its HELLO.
    pub store: Option<StoreId>,
    /// Where.
    pub address: String,
    /// How it stands.
    pub standing: Standing,
    /// Entries it is known to have that are not here.
    pub missing_here: u64,
    /// Entries here that it is not known to have.
    pub missing_there: u64,
}

impl Engine {
    /// Whether everything said here is durable, and at every connected peer that may have it.
    #[must_use]
    pub fn is_handed_over(&self) -> bool {
        let durable = self.conversation.graph().durable();
        self.conversation.is_read_only()
            || self.conversation.is_settled()
                && self.sessions.values().all(|session| session.is_handed_over(durable))
    }

    /// What was told of the connections that stand and of who holds what, as if it happened now: for who listens from here on.
    #[must_use]
    pub fn so_far(&self, now_ms: u64) -> Vec<Event> {
        let mut events = Vec::new();
        for session in self.sessions.values().filter(|session| session.hello.is_some()) {
            let (connection, author) = (session.connection, session.author);
            events.push(Event::PeerHere { connection, author });
            if session.agreed.is_some() {
                events.push(Event::Agreed {
                    connection,
                    author,
                    address: session.address.clone(),
                    sent: session.outgoing.sent,
                    received: session.incoming.received,
                    millis: now_ms.saturating_sub(session.connected_ms),
                });
            }
        }
        let me = self.conversation.me();
        let others = self.seen.so_far().filter(|(author, _)| *author != me);
        events.extend(others.map(|(author, up_to)| Event::Seen { author, up_to }));
        events
    }

    /// How each connected peer stands, ascending by connection.
    #[must_use]
    pub fn peers(&self) -> Vec<PeerReport> {
        let digest = self.conversation.graph().digest();
        let durable = self.conversation.graph().durable();
        let report = |session: &crate::session::Session| PeerReport {
            author: session.author,
            store: session.hello.map(|hello| hello.store),
            address: session.address.clone(),
            standing: session.standing(digest, durable),
            missing_here: session.incoming.missing(),
            missing_there: session.outgoing.missing(durable),
        };
        self.sessions.values().map(report).collect()
    }
}
