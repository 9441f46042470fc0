//! The JSON objects of stdout. Names, order and meaning of their fields are promises to scripts.
//!
//! Text in them is exact, escaped as JSON is; whoever shows it has to make it safe.

use std::collections::BTreeMap;

use replica::entry::Kind;
use replica::id::{AuthorKey, RoomId};
use replica_sync::discovery::{Condition, MeansStatus};
use replica_sync::engine::{Row, Standing};
use replica_sync::node::{Fork, InviteStatus, MemberStatus, PeerStatus, Role, RoomStatus, Status};
use replica_sync::penalty::Refusals;
use serde::Serialize;

use crate::commands::status::other_rooms;
use crate::people::two_words;
use crate::time::rfc3339;
use crate::watch::Outcome;

mod home;
#[cfg(test)]
pub(crate) mod tests;
mod why;

pub(crate) use home::{check, export, import, room, setting, verify, whoami};
pub(crate) use why::why;

/// The version and the type that every object begins with.
#[derive(Serialize)]
struct Tagged<T> {
    v: u32,
    r#type: &'static str,
    #[serde(flatten)]
    fields: T,
}

fn tagged<T>(r#type: &'static str, fields: T) -> Tagged<T> {
    Tagged { v: 1, r#type, fields }
}

#[derive(Serialize)]
struct RowFields {
    #[serde(skip_serializing_if = "Option::is_none")]
    kind: Option<String>,
    id: String,
    author: String,
    nick: String,
    time: String,
    text: String,
    deps: Vec<String>,
    order: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    folded: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    late: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    at: Option<u32>,
}

/// Whether a row is a message.
pub(crate) fn is_message(row: &Row) -> bool {
    row.kind == Kind::Message.number()
}

/// A row of the conversation: a `message`, or an `event` of some other kind. Nothing of it depends on this replica,
/// except `late` and `at` of a row that came late.
pub(crate) fn row(row: &Row) -> impl Serialize {
    let mut deps: Vec<String> = row.deps.iter().map(ToString::to_string).collect();
    deps.sort_unstable();
    let is_late = row.rows_after > 0;
    let fields = RowFields {
        kind: (!is_message(row)).then(|| kind_name(row.kind)),
        id: row.id.to_string(),
        author: row.author.to_string(),
        nick: nick_or_words(&row.author, row.nick.as_deref()),
        time: rfc3339(row.claimed_ms),
        text: row.text.clone(),
        deps,
        order: hex(&row.key.clock.to_bytes()),
        folded: (!row.counts).then_some(true),
        late: is_late.then_some(true),
        at: is_late.then_some(row.rows_after),
    };
    tagged(if is_message(row) { "message" } else { "event" }, fields)
}

fn kind_name(kind: u16) -> String {
    match kind {
        0 => "room".to_owned(),
        1 => "invite".to_owned(),
        2 => "admit".to_owned(),
        3 => "leave".to_owned(),
        4 => "nickname".to_owned(),
        9 => "topic".to_owned(),
        10 => "promote".to_owned(),
        11 => "remove".to_owned(),
        13 => "revoke".to_owned(),
        other => other.to_string(),
    }
}

/// What the room is about.
pub(crate) fn topic(topic: Option<&str>) -> impl Serialize {
    #[derive(Serialize)]
    struct Topic {
        topic: Option<String>,
    }
    tagged("topic", Topic { topic: topic.map(str::to_owned) })
}

/// A message that waits for its author to be let in.
pub(crate) fn draft(written_ms: u64, text: &str) -> impl Serialize {
    #[derive(Serialize)]
    struct Draft {
        time: String,
        text: String,
    }
    tagged("draft", Draft { time: rfc3339(written_ms), text: text.to_owned() })
}

/// Somebody the room knows.
pub(crate) fn member(member: &MemberStatus, is_blocked: bool) -> impl Serialize {
    #[derive(Serialize)]
    struct Member {
        author: String,
        words: String,
        nick: String,
        role: &'static str,
        #[serde(skip_serializing_if = "Option::is_none")]
        removed_by: Option<String>,
        blocked: bool,
    }
    let (role, removed_by) = match member.role {
        Role::Admin(_) => ("admin", None),
        Role::Member => ("member", None),
        Role::Removed(by) => ("removed", Some(by.to_string())),
        Role::Out => ("left", None),
    };
    let fields = Member {
        author: member.author.to_string(),
        words: replica::identity::words(&member.author),
        nick: nick_or_words(&member.author, member.nick.as_deref()),
        role,
        removed_by,
        blocked: is_blocked,
    };
    tagged("member", fields)
}

/// Where connections are accepted.
pub(crate) fn listening(address: std::net::SocketAddr) -> impl Serialize {
    #[derive(Serialize)]
    struct Listening {
        addr: String,
    }
    tagged("listening", Listening { addr: address.to_string() })
}

/// A ticket, and the invite in it.
pub(crate) fn invite(ticket: &str, expires_ms: Option<u64>, uses: Option<u32>) -> impl Serialize {
    #[derive(Serialize)]
    struct Invite {
        ticket: String,
        expires: Option<String>,
        uses: Option<u32>,
    }
    tagged("invite", Invite { ticket: ticket.to_owned(), expires: expires_ms.map(rfc3339), uses })
}

/// An invite that holds. Its ticket is known to whoever made it.
pub(crate) fn held_invite(invite: &InviteStatus) -> impl Serialize {
    #[derive(Serialize)]
    struct Held {
        id: String,
        by: String,
        expires: Option<String>,
        uses: Option<u32>,
        used: u32,
    }
    let (id, by, expires) = (invite.id.to_string(), invite.by.to_string(), invite.expires_ms.map(rfc3339));
    tagged("invite", Held { id, by, expires, uses: invite.uses, used: invite.used })
}

#[derive(Serialize)]
struct Room {
    id: String,
    name: String,
}

impl Room {
    fn new((id, name): &(RoomId, String)) -> Self {
        Self { id: id.to_string(), name: name.clone() }
    }
}

/// How this replica stands.
pub(crate) fn status(status: &Status) -> impl Serialize {
    #[derive(Serialize)]
    struct Me {
        author: String,
        nick: String,
    }
    #[derive(Serialize)]
    struct Fields {
        room: Option<Room>,
        topic: Option<String>,
        rooms: Vec<Beside>,
        me: Me,
        entries: u64,
        messages: u64,
        heads: Vec<String>,
        digest: String,
        peers: Vec<Peer>,
        members: Vec<Me>,
        member: bool,
        drafts: usize,
        refused: BTreeMap<&'static str, u64>,
        read_only: bool,
        forked: Vec<Forked>,
        outside: Option<String>,
        discovery: Vec<Means>,
    }
    #[derive(Serialize)]
    struct Beside {
        #[serde(flatten)]
        room: Room,
        open: bool,
        entries: u64,
        peers: usize,
        unread: u64,
        named: bool,
        error: Option<String>,
    }
    #[derive(Serialize)]
    struct Means {
        means: &'static str,
        server: Option<String>,
        state: &'static str,
        error: Option<String>,
        found: u64,
    }
    #[derive(Serialize)]
    struct Forked {
        author: String,
        entries: [String; 2],
    }
    let member = |author: &AuthorKey, nick: Option<&str>| Me {
        author: author.to_string(),
        nick: nick_or_words(author, nick),
    };
    let members = status.members.iter().filter(|member| member.role.is_member());
    let forked = |fork: &Fork| Forked {
        author: fork.author.to_string(),
        entries: fork.entries.map(|id| id.to_string()),
    };
    let beside = |room: &RoomStatus| Beside {
        room: Room { id: room.id.to_string(), name: room.name.clone() },
        open: room.is_open,
        entries: room.entries,
        peers: room.peers,
        unread: room.new,
        named: room.names_us,
        error: room.trouble.clone(),
    };
    let means = |means: &MeansStatus| Means {
        means: means.means.name(),
        server: means.server.clone(),
        state: match means.condition {
            Condition::Starting => "starting",
            Condition::Working => "working",
            Condition::Failing(_) => "failing",
        },
        error: if let Condition::Failing(why) = &means.condition { Some(why.clone()) } else { None },
        found: means.found,
    };
    let fields = Fields {
        room: status.room.as_ref().map(Room::new),
        topic: status.topic.clone(),
        rooms: other_rooms(status).map(beside).collect(),
        me: member(&status.me, Some(&status.nick)),
        entries: status.entries,
        messages: status.messages,
        heads: status.heads.iter().map(ToString::to_string).collect(),
        digest: status.digest.to_string(),
        peers: status.peers.iter().map(Peer::new).collect(),
        members: members.map(|it| member(&it.author, it.nick.as_deref())).collect(),
        member: status.is_member,
        drafts: status.drafts.len(),
        refused: counts(&status.refused),
        read_only: status.is_read_only,
        forked: status.forked.iter().map(forked).collect(),
        outside: status.outside.map(|address| address.to_string()),
        discovery: status.discovery.iter().map(means).collect(),
    };
    tagged("status", fields)
}

/// What was refused since the program runs.
pub(crate) fn refused(refusals: &Refusals) -> impl Serialize {
    #[derive(Serialize)]
    struct Refused {
        counts: BTreeMap<&'static str, u64>,
    }
    tagged("refused", Refused { counts: counts(refusals) })
}

fn counts(refusals: &Refusals) -> BTreeMap<&'static str, u64> {
    refusals.iter().map(|(refused, count)| (refused.name(), count)).collect()
}

#[derive(Serialize)]
struct Peer {
    author: Option<String>,
    nick: Option<String>,
    addr: String,
    state: &'static str,
    missing_here: u64,
    missing_there: u64,
}

impl Peer {
    fn new(peer: &PeerStatus) -> Self {
        Self {
            author: peer.author.map(|author| author.to_string()),
            nick: peer.author.map(|author| nick_or_words(&author, peer.nick.as_deref())),
            addr: peer.address.clone(),
            state: state(peer),
            missing_here: peer.missing_here,
            missing_there: peer.missing_there,
        }
    }
}

/// How a peer stands, in one word.
pub(crate) fn state(peer: &PeerStatus) -> &'static str {
    match peer.standing {
        Some(Standing::Agreed) => "agreed",
        // Of our view of them: they have what we lack.
        Some(Standing::Behind) => "behind",
        Some(Standing::Ahead) => "ahead",
        Some(Standing::Diverged) => "diverged",
        Some(Standing::Connecting) => "connecting",
        None if peer.failures == 0 && !peer.is_other_room => "connecting",
        None => "unreachable",
    }
}

/// One peer, of several.
pub(crate) fn peer(peer: &PeerStatus) -> impl Serialize {
    tagged("peer", Peer::new(peer))
}

/// What came of a sync with one peer.
pub(crate) fn sync(outcome: &Outcome) -> impl Serialize {
    #[derive(Serialize)]
    struct Sync {
        peer: String,
        author: Option<String>,
        sent: u64,
        received: u64,
        millis: u64,
        agreed: bool,
    }
    let fields = Sync {
        peer: outcome.address.clone(),
        author: outcome.author.map(|author| author.to_string()),
        sent: outcome.sent,
        received: outcome.received,
        millis: outcome.millis,
        agreed: outcome.agreed,
    };
    tagged("sync", fields)
}

/// What came of a join.
pub(crate) fn join(room: &(RoomId, String), peer: Option<&Outcome>) -> impl Serialize {
    #[derive(Serialize)]
    struct Join {
        room: Room,
        peer: Option<String>,
        agreed: bool,
    }
    let address = peer.map(|outcome| outcome.address.clone());
    tagged("join", Join { room: Room::new(room), peer: address, agreed: peer.is_some() })
}

/// A name, or words of the key where there is none: the same on every replica.
fn nick_or_words(author: &AuthorKey, nick: Option<&str>) -> String {
    nick.map_or_else(|| two_words(author), str::to_owned)
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
