//! Every limit of a connection, each with its reason. They pace and bound connections; none of them decides whether an
//! entry is valid (those limits live in the `replica` crate).

use std::time::Duration;

use replica::limits::BLOCK_BYTES_MAX;

mod discovery;
mod local;

pub use discovery::*;
pub use local::*;

/// A limit as the core counts time: in whole milliseconds.
pub(crate) fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

// What one frame holds.

/// Longest Noise message, by its specification; it just fits the u16 that precedes it on the wire.
pub const NOISE_MESSAGE_BYTES_MAX: usize = 65_535;

/// What a channel adds to a frame: ChaChaPoly's tag.
pub const TAG_BYTES: usize = 16;

/// Longest frame, before it is sealed: one Noise message less its tag.
pub const FRAME_BYTES_MAX: usize = NOISE_MESSAGE_BYTES_MAX - TAG_BYTES;

/// Longest message on the wire until the other side is known to have the room's secret. A handshake message with all its cards
/// takes 3.4 KiB, a ticket 2 KiB; strangers get no larger buffer than that needs.
pub const STRANGER_MESSAGE_BYTES_MAX: usize = 4 * 1024;

/// Most memory the fields of one frame may claim while decoding. Twice the frame: a number takes up to 8 bytes in
/// memory and at least 1 on the wire, but all frames of many elements are mostly hashes and signatures.
pub const DECODED_BYTES_MAX: usize = 2 * FRAME_BYTES_MAX;

/// Most tips in one HAVE: 141 bytes each fill seven eighths of a frame. More tips go into more frames.
pub const TIPS_PER_FRAME_MAX: usize = 400;

/// Most chains in one WANT or LOCATE.
pub const WANTS_PER_FRAME_MAX: usize = TIPS_PER_FRAME_MAX;

/// Most ids of one chain in a WANT. A locator doubles its step and a chain has at most 2^32 entries.
pub const LOCATOR_IDS_MAX: usize = 34;

/// Most ids in all of a WANT's locators: so many still fit one frame beside [`WANTS_PER_FRAME_MAX`] chains.
pub const LOCATOR_IDS_PER_FRAME_MAX: usize = 1_600;

/// Most address records in one PEERS; a room of more tells the rest in more frames.
pub const ADDRESS_RECORDS_PER_FRAME_MAX: usize = 64;

/// Most addresses of one store: two protocols on several interfaces, and what others saw it from.
pub const ADDRESSES_PER_RECORD_MAX: usize = 16;

/// Most seen records in one SEEN; more go into more frames.
pub const SEEN_RECORDS_PER_FRAME_MAX: usize = 64;

/// Most heads in a seen record: as many as many who write at once make. With more it says less, which is no lie.
pub const SEEN_HEADS_MAX: usize = 16;

/// Longest ticket, in bytes of text: two ids, a secret and a dozen addresses take about 600.
pub const TICKET_BYTES_MAX: usize = 2 * 1024;

/// Most addresses in a ticket: a machine's interfaces, and those of a few other members.
pub const TICKET_ADDRESSES_MAX: usize = 12;

/// Longest address in a ticket: an IPv6 address with port, or a host name of reasonable length.
pub const TICKET_ADDRESS_BYTES_MAX: usize = 80;

/// Longest text in a BYE: one line for a log.
pub const BYE_TEXT_BYTES_MAX: usize = 256;

/// Most cards shown in a handshake: from the room's creator to a member admitted by a member admitted by… Who is
/// farther from the creator shows none, and is served once the entries that admit it have come.
pub const CARDS_MAX: usize = 32;

// What one connection costs.

/// Longest wait for a TCP connection: a host that is there answers within a few round trips, retransmissions included.
pub const CONNECT_TIME: Duration = Duration::from_secs(5);

/// Longest handshake, from the first byte to the last: it is three messages.
pub const HANDSHAKE_TIME: Duration = Duration::from_secs(5);

/// How long a closing connection may take to send what is queued, and once more as long for the other side to read it.
pub const FLUSH_TIME: Duration = Duration::from_secs(2);

/// Time between PINGs on a quiet connection: how soon a lost peer can be noticed.
pub const HEARTBEAT: Duration = Duration::from_secs(5);

/// Silence after which a peer is taken for gone: three heartbeats, so that one lost is none.
pub const SILENCE: Duration = Duration::from_secs(15);

/// Messages after which a direction of a channel takes a new key, far below what its cipher is good for.
pub const REKEY_MESSAGES: u64 = 65_536;

/// Most bytes queued for one peer. Who is farther behind than this cannot keep up with what is said now: it is dropped,
/// and resumes from what it has.
pub const OUTBOUND_BYTES_MAX: usize = 1024 * 1024;

/// Most frames queued for one peer: [`OUTBOUND_BYTES_MAX`] in frames of 256 bytes, so that small ones stay cheap too.
pub const OUTBOUND_FRAMES_MAX: usize = 4_096;

/// Most bytes queued for all peers; beyond it the slowest is dropped.
pub const OUTBOUND_TOTAL_BYTES_MAX: usize = 16 * 1024 * 1024;

/// Window granted by CREDIT: bulk a sender may have on its way. Half the outbound queue, all of which may have to wait
/// for a slow link, so that what is said meanwhile finds room beside it and a slow peer is not a dropped one.
pub const WINDOW_BYTES: usize = OUTBOUND_BYTES_MAX / 2;

/// What of the window a connection begins with, and what it has for all that nobody asked for: some hundred messages, and
/// enough for 160 kB a second over 100 ms. Whatever is on its way is heard before what others say then.
pub const WINDOW_FIRST_BYTES: usize = 16 * 1024;

/// From so many entries on, the window is wider: granted with the request where they were asked for.
pub const WINDOW_OPENS_ENTRIES: u64 = 64;

/// What of the window there is for a backlog that a peer brings unasked, since it knows what is lacking here.
pub const WINDOW_UNASKED_BYTES: usize = 128 * 1024;

/// How far a sender may overshoot the window: it stops once the window is used up, and what it had read by then is sent.
pub const WINDOW_OVERSHOOT_BYTES: usize = 256 * 1024;

/// Most frames of one connection that wait here for causes, or the disk: each is looked at for every acknowledgement.
pub const OPEN_FRAMES_MAX: usize = 8_192;

/// Events (mostly frames received) waiting for the node, of all connections: at most 4 MiB, and as many more whose turn
/// is being found. Beyond it they stop reading.
pub const INBOUND_EVENTS_MAX: usize = 64;

/// Such events of one connection: whoever floods leaves room for what others say, which then waits for these few at most.
pub const INBOUND_EVENTS_PER_CONNECTION_MAX: usize = 8;

/// Most entries in a LIVE frame: while their signatures are checked, a few milliseconds, nobody else is heard.
pub const LIVE_ENTRIES_MAX: usize = 64;

/// Entries a second of one author while others speak: far more than a person writes, and a fiftieth of what a replica takes.
pub const ENTRIES_PER_SECOND: u64 = 200;

/// What an author may say at once on top of that, while others speak. It takes some milliseconds to take in.
pub const ENTRIES_BURST: u64 = 100;

/// How long somebody counts as speaking after what they said last, in milliseconds.
pub const SPEAKING_MS: u64 = 1_000;

/// Authors of whom it is known how much they said lately.
pub const PACED_AUTHORS_MAX: usize = 256;

/// What of the window there is for a peer that brings more than half a burst: a few dozen entries.
pub const WINDOW_PACED_BYTES: usize = 4 * 1024;

/// Most invites of one author that a status tells of, the newest: more are no use to anybody.
pub const INVITES_TOLD_MAX: usize = 64;

/// Most bytes of entries in one batch of the store: a moment's writing for a disk, and little to lose.
pub const BATCH_BYTES_MAX: usize = 1024 * 1024;

/// Most bytes of them in memory, where they came packed: all rows of a batch are told at once.
pub const BATCH_WEIGHT_MAX: usize = 8 * 1024 * 1024;

/// Most messages waiting for their author to be admitted: an evening's worth.
pub const DRAFTS_MAX: usize = 10_000;

/// Most messages waiting for a first room: they lie in one small file that is written anew for each.
pub const HOME_DRAFTS_MAX: usize = 256;

/// Most stores of others of which it is kept when we last agreed: all homes of a large room. 84 bytes each.
pub const MET_MAX: usize = 1_024;

/// Frames of tips on their way to one peer: half of what may be queued for it. It is told the next for each it answers.
pub const UNANSWERED_HAVES_MAX: usize = 10;

/// Most tips of one peer that are kept while another one is asked: a chain each, of a room of a thousand with several
/// homes, 76 bytes each. More are told again later.
pub const TIPS_KEPT_MAX: usize = UNANSWERED_HAVES_MAX * TIPS_PER_FRAME_MAX;

/// Most tips one peer may tell at once: more chains than anybody had time to begin. They are not kept.
pub const TIPS_TOLD_MAX: usize = 1_000_000;

/// Weight of the entries put into one bulk frame: what a block may have uncompressed, less its tables and rounding.
pub const BULK_WEIGHT_MAX: usize = BLOCK_BYTES_MAX - 8 * 1024;

/// Who lacks so many entries is shown the newest first: fewer come in one frame anyway.
pub const PREVIEW_LACK_MIN: u64 = 500;

/// Pause without bulk after which what was asked of one peer is asked of another.
pub const BULK_PATIENCE: Duration = Duration::from_secs(10);

/// New entries within that time that keep a peer from being given up for another one: no line that people use is slower,
/// and nobody stays the source by one now and then.
pub const BULK_ENTRIES_MIN: usize = 64;

/// First pause before dialling an address again. Doubles up to [`REDIAL_MAX`], each time with as much jitter.
pub const REDIAL_MIN: Duration = Duration::from_millis(250);

/// Longest pause before dialling an address again: who comes back is met within half a minute, and nobody is hammered.
pub const REDIAL_MAX: Duration = Duration::from_secs(30);

/// Pause between two dials of addresses that failed before: however many are dead, ten a second are tried at most.
pub const RETRY_SPACING: Duration = Duration::from_millis(100);

/// Most addresses remembered that were learned from peers: four for each store whose addresses are remembered. Whom to
/// dial is drawn among them, so all know many and not the same few.
pub const LEARNED_ADDRESSES_MAX: usize = 4 * RECORDS_MAX;

/// Failures in a row after which a learned address makes place for a new one: a quarter of an hour of trying.
pub const LEARNED_FAILURES_MIN: u32 = 40;

/// Most stores of one author whose addresses, or seen records, are remembered: their devices, and some that were renewed.
pub const RECORDS_PER_AUTHOR_MAX: usize = 8;

/// Most stores whose addresses, or seen records, are remembered.
pub const RECORDS_MAX: usize = 1_024;

/// Shortest time between two seen records of one store: what a person notices, and a flood of chat is no flood of records.
pub const SEEN_PAUSE: Duration = Duration::from_secs(5);

/// So much for each member where that comes to more: all of them together send ten a second at most.
pub const SEEN_PAUSE_PER_MEMBER: Duration = Duration::from_millis(100);

/// How long records that came are gathered before they are passed on: many in a frame, and of one store the last alone.
pub const SEEN_GATHERING: Duration = Duration::from_secs(1);

/// Most bytes of records sent to one peer at once: a quarter of what may be queued for it. The newest go first.
pub const SEEN_BYTES_MAX: usize = OUTBOUND_BYTES_MAX / 4;

/// How far in the future a record's number may be: clocks are wrong by a time zone, not by years.
pub const SEEN_AHEAD: Duration = Duration::from_secs(48 * 60 * 60);

/// How long a knocker may take to say its name.
pub const KNOCK_TIME: Duration = Duration::from_secs(5);

/// How long a knock waits for a person. Whoever knocks does so again after it.
pub const KNOCK_PATIENCE: Duration = Duration::from_secs(300);

/// How long an address told to peers holds.
pub const ADDRESS_LIFE: Duration = Duration::from_secs(24 * 60 * 60);

/// How long before an own address record expires it is renewed: half its life, so that whoever is away for a night still
/// comes back to records that hold.
pub const ADDRESS_RENEWAL: Duration = Duration::from_secs(12 * 60 * 60);

/// How much longer a record must hold than the one known to be passed on although it says the same: as often as this a
/// member can have it carried to everyone.
pub const ADDRESS_NEWS: Duration = Duration::from_secs(60 * 60);

/// How often an author may say at once that one of their homes is elsewhere, and after what pause once more. What is
/// said between waits, and the last of it counts.
pub const ADDRESS_BURST: u64 = 16;

/// See [`ADDRESS_BURST`].
pub const ADDRESS_PAUSE: Duration = Duration::from_secs(30);

/// Difference between the clocks, or lateness of a deadline, by which a machine is known to have slept. Two heartbeats:
/// no load delays a deadline so long, and a shorter sleep does no harm.
pub const SLEEP: Duration = Duration::from_secs(10);

/// How long a peer may take to be heard after a sleep: its next heartbeat, and a second for the way.
pub const WAKE_PATIENCE: Duration = Duration::from_secs(6);

// Whom to be connected with.

/// Most members, ourselves included, that all connect to all.
pub const MESH_MEMBERS_MAX: usize = 8;

/// Links each replica of a larger room keeps. Six carry an entry to a thousand replicas in little more than the
/// network's own time, at five copies each; with four it takes half as long again, with eight seven copies.
pub const LINKS: usize = 6;

/// Most links kept. Beyond it one is let go as soon as it rests; a newcomer is taken all the same.
pub const LINKS_MAX: usize = 12;

/// Links that are never let go, the oldest: half of [`LINKS`]. Whoever fills our other places cannot cut us off.
pub const LONG_LINKS: usize = 3;

/// Longest time with more than [`LINKS`] before one is let go, and shortest age of such a link: long enough for a
/// visitor's errand, short enough that copies stay few.
pub const TRIM: Duration = Duration::from_secs(30);

/// Longest time between two links that are made only so that the graph changes. Each takes the place of another, whose
/// other end makes a new one in turn, and so on: each replica gets a new link every few minutes.
pub const REDRAW: Duration = Duration::from_secs(30 * 60);

/// Longest time between two dials of members that did not answer, made although there are links enough. Two halves of a
/// room that were apart, each content with itself, find each other so.
pub const PROBE: Duration = REDIAL_MAX;

/// Longest time for which two who let go of each other do not dial each other.
pub const LET_GO_PAUSE: Duration = Duration::from_secs(60);

/// Pause before it is looked again whether a link rests that can be let go.
pub const REST_CHECK: Duration = Duration::from_secs(1);

// How many connections.

/// Most connections after their handshake, in all, where we answer for one room.
pub const CONNECTIONS_MAX: usize = 64;

/// Most connections with one address, an IPv6 address being the /64 that one subscriber has.
pub const CONNECTIONS_PER_ADDRESS_MAX: usize = 8;

/// The same for this machine's own addresses: many replicas on one machine are tests and demonstrations.
pub const CONNECTIONS_PER_LOOPBACK_MAX: usize = 64;

/// So many more for each room that we answer for beside the first: its links.
pub const CONNECTIONS_PER_FURTHER_ROOM: usize = LINKS;

/// So many more with one address for each such room: whoever shares it may dial us while we dial them.
pub const CONNECTIONS_PER_ADDRESS_AND_FURTHER_ROOM: usize = 2;

/// Most incoming handshakes at once. One more ends the oldest, so that silent strangers keep no member out.
pub const HANDSHAKES_MAX: usize = 32;

/// Pause after the system refuses to accept a connection (no file descriptors left), instead of trying without rest.
pub const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// Most rooms one listener answers for, and so most that are open at once: the first message of a stranger is tried
/// against each.
pub const ROOMS_PER_LISTENER_MAX: usize = 64;

/// Most knocks waiting for a person to decide.
pub const KNOCKS_WAITING_MAX: usize = 16;

/// Most knocks from one address in a minute.
pub const KNOCKS_PER_MINUTE_MAX: usize = 3;

// What is held against whoever is refused.

/// What a refusal adds to the debt of a stranger's address: a wrong secret, half a handshake, a knock too many. Debt
/// passes by itself, so that one in five seconds is nothing; a program that dials the wrong room with our pauses between
/// stays below [`DEBT_FORGIVEN`].
pub const DEBT_OF_STRANGERS: Duration = Duration::from_secs(5);

/// What it adds where somebody with the room's secret is at the other end: no program of ours ever sends such a thing.
pub const DEBT_OF_PEERS: Duration = Duration::from_secs(60);

/// Debt for which nobody is treated otherwise: one refusal of a peer or twelve of a stranger are a warning.
pub const DEBT_FORGIVEN: Duration = Duration::from_secs(60);

/// Debt with which a source is banned, and the most that is held against anyone: some five refusals of a peer or sixty
/// of a stranger in a row. The ban ends with the debt at [`DEBT_FORGIVEN`], after four minutes.
pub const DEBT_BANNED: Duration = Duration::from_secs(300);

/// Longest pause before a source with debt is answered. Well below [`HANDSHAKE_TIME`], so that an honest one among
/// others behind its address still gets in.
pub const ANSWER_DELAY_MAX: Duration = Duration::from_secs(2);

/// How many times less an address of this machine is charged: as many replicas may share it as
/// [`CONNECTIONS_PER_LOOPBACK_MAX`] allows for, and whoever sits on this machine could harm us otherwise. Authors are
/// charged alike wherever they are.
pub const LOOPBACK_LENIENCE: u32 = 8;

/// Most addresses, and most authors, against whom something is held. 50 bytes each.
pub const SOURCES_MAX: usize = 4_096;

/// Refusals that are logged in one second; of the others only the number is.
pub const REFUSALS_LOGGED_PER_SECOND: u32 = 10;

/// Pause between two tellings of how much was refused.
pub const REFUSALS_NEWS: Duration = Duration::from_secs(1);

/// Pause between two tellings of what came in other rooms: soon for a person, rare beside the rows of a long history.
pub const ROOM_NEWS: Duration = Duration::from_millis(250);

// What a peer may make us hold and do.

/// Most bytes of entries waiting for their causes, inflated, per peer.
pub const PENDING_BYTES_MAX: usize = 16 * 1024 * 1024;

/// Most bytes of entries waiting for their causes, in all. Eviction only forgets; what is forgotten is asked for again.
pub const PENDING_TOTAL_BYTES_MAX: usize = 64 * 1024 * 1024;

// A DATA frame with the largest block fits: version, kind, the block's length (3 bytes) and what remains (at most 9).
const _: () = assert!(2 + 3 + BLOCK_BYTES_MAX + 9 <= FRAME_BYTES_MAX);
// So do a full HAVE and a full WANT: 141 bytes a tip, 33 a chain and 32 an id, and a few for counts.
const _: () = assert!(2 + 3 + TIPS_PER_FRAME_MAX * 141 < FRAME_BYTES_MAX);
const _: () = assert!(2 + 3 + WANTS_PER_FRAME_MAX * 33 + LOCATOR_IDS_PER_FRAME_MAX * 32 < FRAME_BYTES_MAX);
// And a full PEERS: 19 bytes an address, 122 a record beside them.
const _: () =
    assert!(2 + 3 + ADDRESS_RECORDS_PER_FRAME_MAX * (122 + ADDRESSES_PER_RECORD_MAX * 19) < FRAME_BYTES_MAX);
// And a full SEEN: 32 bytes a head, 122 a record beside them.
const _: () = assert!(2 + 9 + 3 + SEEN_RECORDS_PER_FRAME_MAX * (122 + SEEN_HEADS_MAX * 32) < FRAME_BYTES_MAX);
// Who is slowed still has most of a handshake's time.
const _: () = assert!(ANSWER_DELAY_MAX.as_millis() * 2 < HANDSHAKE_TIME.as_millis());
// The longest handshake message: two keys of which one is sealed, the sealed proof with all cards and an invite.
const _: () = assert!(32 + 32 + 16 + 98 + CARDS_MAX * 96 + 97 + 16 <= STRANGER_MESSAGE_BYTES_MAX);
