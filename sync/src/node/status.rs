//! How a node stands.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::atomic::Ordering;

use replica::entry::Invite;
use replica::id::{AuthorKey, ChainId, Digest, EntryId, RoomId};
use serde::{Deserialize, Serialize};

use crate::book::{Book, Known, Trouble};
use crate::discovery::MeansStatus;
use crate::engine::{Engine, Standing};
use crate::limits::INVITES_TOLD_MAX;
use crate::node::driver::Driver;
use crate::penalty::Refusals;
use crate::transport::Traffic;

/// One peer, as [`Status`] lists it.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
pub struct PeerStatus {
    /// Who, once known.
    pub author: Option<AuthorKey>,
    /// What they are called.
    pub nick: Option<String>,
    /// Where.
    pub address: String,
    /// How they stand; none while there is no connection.
    pub standing: Option<Standing>,
    /// Failed attempts to connect since it last worked.
    pub failures: u32,
    /// In how many milliseconds it is dialled again, if it waits for that.
    pub retry_ms: Option<u64>,
    /// Whether it is not dialled because there is no need: who is there is connected otherwise, or enough others are.
    pub is_spare: bool,
    /// Whether something answers there that is not our room.
    pub is_other_room: bool,
    /// Entries known to be missing here.
    pub missing_here: u64,
    /// Entries not known to be there.
    pub missing_there: u64,
    /// Bytes sent on the connection since its handshake, as [`Traffic`](crate::transport::Traffic) counts them.
    pub sent_bytes: u64,
    /// Bytes received on it.
    pub received_bytes: u64,
}

/// Somebody the room knows.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
pub struct MemberStatus {
    /// Who.
    pub author: AuthorKey,
    /// What they are called, if anything.
    pub nick: Option<String>,
    /// What they are there.
    pub role: Role,
}

/// An invite.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
pub struct InviteStatus {
    /// Its entry.
    pub id: EntryId,
    /// Its public key, whose secret is in the ticket.
    pub key: AuthorKey,
    /// Who published it.
    pub by: AuthorKey,
    /// Until when it holds, in milliseconds since 1970.
    pub expires_ms: Option<u64>,
    /// How many may use it.
    pub uses: Option<u32>,
    /// How many did, by what is here. Those let in at two places at once may be more than may.
    pub used: u32,
}

/// What somebody is in a room.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
pub enum Role {
    /// A member who may remove others. The lower the rank the higher; the creator has 0.
    Admin(usize),
    /// A member.
    Member,
    /// Was removed by this admin.
    Removed(AuthorKey),
    /// Left, or was let in by nothing that counts.
    Out,
}

impl Role {
    /// Whether that is a member now.
    #[must_use]
    pub fn is_member(self) -> bool {
        matches!(self, Self::Admin(_) | Self::Member)
    }
}

/// A room of the home, as it stands for who asks.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
pub struct RoomStatus {
    /// Which.
    pub id: RoomId,
    /// What this home calls it.
    pub name: String,
    /// Whether it is open.
    pub is_open: bool,
    /// Entries here; none are counted while it is not open.
    pub entries: u64,
    /// Messages among them.
    pub messages: u64,
    /// Connections to members.
    pub peers: usize,
    /// Messages of others that came since who asks was last in it.
    pub new: u64,
    /// Whether one of them names us.
    pub names_us: bool,
    /// Why it does not work, if it does not.
    pub trouble: Option<String>,
}

/// A key that was used from two places at once: a copied home, or one that was rolled back.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
pub struct Fork {
    /// Whose key.
    pub author: AuthorKey,
    /// Two entries of theirs that follow the same one: the proof.
    pub entries: [EntryId; 2],
}

/// How a node stands.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub struct Status {
    /// The room and what this home calls it; none before there is one.
    pub room: Option<(RoomId, String)>,
    /// What it is about, in a member's words; not to be shown as they are.
    pub topic: Option<String>,
    /// All rooms of the home, this one too, in the order in which they came.
    pub rooms: Vec<RoomStatus>,
    /// Who we are.
    pub me: AuthorKey,
    /// What we want to be called.
    pub nick: String,
    /// Whether we are a member by what is here.
    pub is_member: bool,
    /// Entries here.
    pub entries: u64,
    /// Messages among them.
    pub messages: u64,
    /// The newest entries: nothing here follows them.
    pub heads: Vec<EntryId>,
    /// Equal digests mean equal history in equal order.
    pub digest: Digest,
    /// Whether everything said here is durable.
    pub is_settled: bool,
    /// Drafts waiting for our admission, by the time they were written.
    pub drafts: Vec<(u64, String)>,
    /// Everyone the room knows.
    pub members: Vec<MemberStatus>,
    /// Whose messages this home does not show.
    pub blocked: Vec<AuthorKey>,
    /// Invites that still let somebody in, by when they were published.
    pub invites: Vec<InviteStatus>,
    /// Keys that were used from two places.
    pub forked: Vec<Fork>,
    /// Connected and known peers.
    pub peers: Vec<PeerStatus>,
    /// Rows not in their documents yet.
    pub behind: usize,
    /// Documents in memory.
    pub documents_in_use: usize,
    /// Where connections are accepted.
    pub listening: Vec<SocketAddr>,
    /// Whether there is no network for it, because a person wants none.
    pub is_offline: bool,
    /// Where others reach us through the router.
    pub outside: Option<SocketAddr>,
    /// By which means members are looked for.
    pub discovery: Vec<MeansStatus>,
    /// What was refused since the node runs.
    pub refused: Refusals,
    /// Whether the store failed: nothing more can be written.
    pub is_read_only: bool,
}

impl Driver {
    /// How the node stands for somebody who is in one of its rooms.
    pub(super) fn status(&self, who: u32) -> Status {
        let now = self.clock.now();
        let room = self.room_of(who);
        let open = room.and_then(|room| self.rooms.get(&room));
        let engine = open.map(|open| &open.engine);
        let name = room.and_then(|room| self.home.state().room(&room)).map(|room| room.name.clone());
        let mut status = Status {
            room: room.zip(name),
            topic: None,
            rooms: self.rooms_for(who),
            me: self.home.identity().key(),
            nick: self.nick(),
            is_member: false,
            entries: 0,
            messages: 0,
            heads: Vec::new(),
            digest: Digest([0; 32]),
            is_settled: true,
            drafts: self
                .home
                .state()
                .drafts
                .iter()
                .map(|draft| (draft.written_ms, draft.text.clone()))
                .collect(),
            members: Vec::new(),
            blocked: self.home.state().blocked.clone(),
            invites: Vec::new(),
            forked: Vec::new(),
            peers: Vec::new(),
            behind: 0,
            documents_in_use: 0,
            listening: self.listening.clone(),
            is_offline: self.is_offline || !self.options.dials && self.listening.is_empty(),
            outside: self.outside,
            discovery: self.discovery.status().cloned().collect(),
            refused: self.transport.refusals().clone(),
            is_read_only: false,
        };
        if let Some(engine) = engine {
            describe(engine, now.wall_ms, &mut status);
        }
        for peer in &mut status.peers {
            let connection = open.and_then(|open| open.connected.get(&peer.address));
            let traffic = connection.map(|id| self.transport.traffic(*id));
            let Traffic { sent_bytes, received_bytes } = traffic.unwrap_or_default();
            (peer.sent_bytes, peer.received_bytes) = (sent_bytes, received_bytes);
        }
        match engine {
            Some(engine) => {
                add_unconnected(engine.book(), now.monotonic_ms, |known| engine.is_spare(known), &mut status)
            }
            None => add_unconnected(&self.book, now.monotonic_ms, |_| false, &mut status),
        }
        if let Some(keeper) = open.and_then(|open| open.keeper.as_ref()) {
            status.behind = keeper.progress.behind.load(Ordering::Relaxed);
            status.documents_in_use = keeper.progress.documents_in_use.load(Ordering::Relaxed);
        }
        status
    }
}

fn describe(engine: &Engine, wall_ms: u64, status: &mut Status) {
    let conversation = engine.conversation();
    let (graph, members) = (conversation.graph(), conversation.members());
    let counts = |id: &EntryId| graph.position(id).is_some_and(|at| graph.counts(at));
    status.topic = members.topic(counts).map(str::to_owned);
    status.is_member = graph.is_member(&conversation.me());
    status.entries = u64::from(graph.durable());
    status.messages = graph.messages();
    status.heads = graph.heads().map(|at| graph.id(at)).collect();
    status.heads.sort_unstable();
    status.digest = graph.digest();
    status.is_settled = conversation.is_settled() || conversation.is_read_only();
    status.drafts = conversation.drafts().map(|draft| (draft.written_ms, draft.text.clone())).collect();
    let admins = graph.admins();
    let role = |key: &AuthorKey| match (admins.iter().position(|admin| admin == key), graph.removed_by(key)) {
        (Some(rank), _) => Role::Admin(rank),
        (None, Some(by)) => Role::Removed(by),
        (None, None) if graph.is_member(key) => Role::Member,
        (None, None) => Role::Out,
    };
    let member = |key: &AuthorKey| {
        let nick = members.name(key).map(str::to_owned);
        MemberStatus { author: *key, nick, role: role(key) }
    };
    status.members = members.people().map(member).collect();
    let mut told: BTreeMap<AuthorKey, usize> = BTreeMap::new();
    let holds = |id: &EntryId, invite: &Invite| {
        !graph.is_revoked(id)
            && invite.expires_ms.is_none_or(|expires| wall_ms < expires)
            && invite.uses.is_none_or(|uses| graph.invite_uses(id) < uses)
    };
    let is_told = |(by, id, invite): &(AuthorKey, EntryId, Invite)| {
        let of_author = told.entry(*by).or_default();
        let is_another = *of_author < INVITES_TOLD_MAX && holds(id, invite);
        *of_author += usize::from(is_another);
        is_another
    };
    let mut invites: Vec<_> = graph.invites().filter(is_told).collect();
    invites.sort_unstable_by_key(|(_, id, _)| graph.position(id));
    let invite = |(by, id, invite): (AuthorKey, EntryId, Invite)| InviteStatus {
        id,
        key: invite.key,
        by,
        expires_ms: invite.expires_ms,
        uses: invite.uses,
        used: graph.invite_uses(&id),
    };
    status.invites = invites.into_iter().map(invite).collect();
    let fork = |(chain, twins): (ChainId, [_; 2])| Fork {
        author: chain.author,
        entries: twins.map(|at| graph.id(at)),
    };
    status.forked = graph.forked().into_iter().map(fork).collect();
    status.is_read_only = conversation.is_read_only();
    status.peers = engine
        .peers()
        .into_iter()
        .map(|peer| PeerStatus {
            author: Some(peer.author),
            nick: members.name(&peer.author).map(str::to_owned),
            address: peer.address,
            standing: Some(peer.standing),
            failures: 0,
            retry_ms: None,
            is_spare: false,
            is_other_room: false,
            missing_here: peer.missing_here,
            missing_there: peer.missing_there,
            sent_bytes: 0,
            received_bytes: 0,
        })
        .collect();
}

/// Adds the addresses of the book that are no connection now.
fn add_unconnected(book: &Book, now_ms: u64, is_spare: impl Fn(&Known) -> bool, status: &mut Status) {
    for (address, known) in book.addresses() {
        let is_listed = status.peers.iter().any(|peer| peer.address == address);
        if is_listed || known.is_settled() {
            continue;
        }
        status.peers.push(PeerStatus {
            author: None,
            nick: None,
            address: address.to_owned(),
            standing: None,
            failures: known.failures,
            retry_ms: known.retry_ms(now_ms),
            is_spare: is_spare(known),
            is_other_room: known.trouble == Some(Trouble::RoomRefused),
            missing_here: 0,
            missing_there: 0,
            sent_bytes: 0,
            received_bytes: 0,
        });
    }
}
