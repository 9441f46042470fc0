//! Limits of discovery, and of the server that introduces; each with its reason.

use std::time::Duration;

/// Most addresses remembered that were found on the local network, at a rendezvous or in the public table. Whoever can
/// write there can fill them, and each is dialled.
pub const FOUND_ADDRESSES_MAX: usize = 128;

/// Failures in a row after which an address that was found is given up: a peer that is just starting answers by then.
pub const FOUND_FAILURES_MAX: u32 = 3;

/// How long an address that was found and given up is not dialled, though it is found again.
pub const FOUND_PAUSE: Duration = Duration::from_secs(60);

/// Most addresses of one member that are announced: a few interfaces, and where a server saw it from.
pub const SIGHTING_ADDRESSES_MAX: usize = 8;

/// What a member leaves at a rendezvous: nonce, number of addresses, places for all of them, tag. Always as long, so
/// that it tells nothing.
pub const SIGHTING_BYTES: usize = 24 + 1 + SIGHTING_ADDRESSES_MAX * 18 + 16;

/// Sightings that wait for the loop; whoever finds more waits.
pub const SIGHTINGS_WAITING_MAX: usize = 64;

/// Calls through servers that are answered, at most so often: one a second and a few at once.
pub const RING_PAUSE: Duration = Duration::from_millis(250);

/// Ways around that are remembered, each for a member whose addresses are being tried.
pub const DETOURS_MAX: usize = 64;

/// How often a member says again that it is there: often enough for two to be lost, and to keep a router's mapping.
pub const RECORD_RENEWAL: Duration = Duration::from_secs(50);

/// How long a server keeps what was left.
pub const RECORD_LIFE: Duration = Duration::from_secs(180);

/// Records a server keeps: some 30 MB.
pub const RENDEZVOUS_RECORDS_MAX: usize = 65_536;

/// Records under one tag: larger rooms find each other by asking those found.
pub const RENDEZVOUS_PER_TAG_MAX: usize = 64;

/// Records from one address (a /64 of IPv6): many people behind one router.
pub const RENDEZVOUS_PER_SOURCE_MAX: usize = 512;

/// Tags of one connection: two for each of the most rooms that somebody has open.
pub const RENDEZVOUS_TAGS_PER_CLIENT_MAX: usize = 128;

/// Slots of one connection: a program needs one.
pub const RENDEZVOUS_SLOTS_PER_CLIENT_MAX: usize = 8;

/// Connections to a server in all.
pub const RENDEZVOUS_CONNECTIONS_MAX: usize = 16_384;

/// Connections to a server from one address; loopback has no such limit.
pub const RENDEZVOUS_CONNECTIONS_PER_SOURCE_MAX: usize = 64;

/// Requests of one connection before they are answered no faster than one each [`RENDEZVOUS_PAUSE`].
pub const RENDEZVOUS_BURST: u32 = 64;

/// See [`RENDEZVOUS_BURST`].
pub const RENDEZVOUS_PAUSE: Duration = Duration::from_millis(100);

/// Answers that wait for one client; who reads none of them is dropped.
pub const RENDEZVOUS_ANSWERS_MAX: usize = 128;

/// How long a call waits to be picked up.
pub const CALL_TIME: Duration = Duration::from_secs(8);

/// How long two whom a server joined try to do without it: TCP's first three attempts fall into it.
pub const MEETING_TIME: Duration = Duration::from_secs(8);

/// Pause after such an attempt was refused.
pub const MEETING_PAUSE: Duration = Duration::from_millis(200);

/// Pairs that a server relays for at once, and calls that wait.
pub const PAIRS_MAX: usize = 256;

/// Pairs and calls of one caller's address; loopback has no such limit.
pub const PAIRS_PER_SOURCE_MAX: usize = 8;

/// Bytes that a server carries in one direction of a pair: a history of tens of millions of messages.
pub const PAIR_BYTES_MAX: u64 = 2 << 30;

/// How long a pair is joined; who still wants it calls again.
pub const PAIR_LIFE: Duration = Duration::from_secs(6 * 3_600);

/// Addresses taken from one look into the distributed hash table: anybody can put any there.
pub const DHT_ANSWERS_MAX: usize = 64;
