//! Finding members without being told an address.
//!
//! Each means is a task: it announces where we are and looks who else is there, under a tag that only those with the
//! room's secret can compute. What it finds are addresses to try, and nothing is believed of them: the handshake proves
//! who answers, and the book gives up what comes to nothing.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{Ipv4Addr, SocketAddr};

use data_encoding::HEXLOWER;
use replica::id::RoomId;
use serde::{Deserialize, Serialize};
use tokio::sync::{mpsc, watch};
use tokio::task::{AbortHandle, JoinSet};

use crate::clock::Clock;
use crate::limits::SIGHTINGS_WAITING_MAX;
use crate::rendezvous::{Cookie, Slot};

mod dht;
mod lan;
mod rendezvous;
mod router;
mod tag;

pub use tag::Means;
pub(crate) use tag::Tag;

/// Which means to use.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Settings {
    /// Multicast DNS on the local network.
    pub lan: bool,
    /// Servers that introduce (`host:port`).
    pub rendezvous: Vec<String>,
    /// The nodes of the distributed hash table to begin with; none does not use it.
    pub dht: Option<Vec<String>>,
    /// Whether to ask the router to let others in.
    pub router: bool,
}

/// How a means stands.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
pub enum Condition {
    /// Beginning.
    Starting,
    /// Looking, and announcing where we are if we can be reached.
    Working,
    /// Not at the moment, or not here, for this reason.
    Failing(String),
}

/// One means as [`Status`](crate::node::Status) lists it.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
pub struct MeansStatus {
    /// Which.
    pub means: Means,
    /// Which server, where there may be several.
    pub server: Option<String>,
    /// How it stands.
    pub condition: Condition,
    /// Members' addresses found so far, each time counted.
    pub found: u64,
}

/// The server that an address of a ticket or a home stands for, if it is no peer's.
#[must_use]
pub fn rendezvous_of(address: &str) -> Option<&str> {
    address.strip_prefix(RENDEZVOUS_PREFIX)
}

/// A server as an address in tickets and homes.
#[must_use]
pub fn rendezvous_address(server: &str) -> String {
    format!("{RENDEZVOUS_PREFIX}{server}")
}

const RENDEZVOUS_PREFIX: &str = "rendezvous:";

/// The server through which an address leads, if it is no peer's own.
#[must_use]
pub fn relay_of(address: &str) -> Option<&str> {
    Route::of_address(address).map(|(server, _)| server)
}

/// What is announced: whose member we are, and where we listen.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Announcement {
    /// None while there is no room.
    pub(crate) rooms: BTreeMap<RoomId, Announced>,
    /// Where others reach us; none if we do not listen.
    pub(crate) addresses: Vec<SocketAddr>,
}

/// A room that is announced.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Announced {
    /// What its tags are made of.
    pub(crate) secret: [u8; 32],
    /// The servers that are kept with it: no other one hears of it.
    pub(crate) servers: BTreeSet<String>,
}

/// What a task tells.
#[derive(Debug)]
pub(crate) enum Told {
    /// A member of a room may be at one of these addresses; behind a server, if at none of them.
    Found { room: RoomId, addresses: Vec<SocketAddr>, relay: Option<Route> },
    /// Somebody wants to be joined with us there.
    Ring(Ring),
    /// Others reach us here too from now on, or nowhere else.
    Outside(Option<SocketAddr>),
    /// This machine's addresses may be others now.
    Moved,
}

/// A way to a member by a server that joins two connections.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Route {
    /// The server, as it was named.
    pub(crate) server: String,
    /// Under what the member is known there.
    pub(crate) slot: Slot,
}

impl Route {
    /// The route as an address of the book.
    pub(crate) fn to_address(&self) -> String {
        format!("{RELAY_PREFIX}{}/{}", self.server, HEXLOWER.encode(&self.slot.0))
    }

    /// The server and the slot, if an address stands for a route.
    pub(crate) fn of_address(address: &str) -> Option<(&str, Slot)> {
        let (server, slot) = address.strip_prefix(RELAY_PREFIX)?.split_once('/')?;
        let slot = HEXLOWER.decode(slot.as_bytes()).ok()?.try_into().ok()?;
        Some((server, Slot(slot)))
    }
}

/// How an address begins that is a route.
const RELAY_PREFIX: &str = "via/";

/// A call that waits at a server.
#[derive(Clone, Debug)]
pub(crate) struct Ring {
    /// The server.
    pub(crate) server: SocketAddr,
    /// Which call.
    pub(crate) cookie: Cookie,
}

/// All means at work.
#[derive(Debug)]
pub(crate) struct Discovery {
    tasks: JoinSet<()>,
    announcement: watch::Sender<Announcement>,
    told: mpsc::Receiver<(usize, News)>,
    sender: mpsc::Sender<(usize, News)>,
    means: BTreeMap<usize, (MeansStatus, AbortHandle)>,
    next_index: usize,
    clock: Clock,
    slot: Slot,
}

#[derive(Debug)]
enum News {
    Told(Told),
    Condition(Condition),
}

impl Discovery {
    /// Nothing yet. The nonce tells us from other members, and from ourselves as we were before.
    pub(crate) fn new(clock: Clock, nonce: [u8; 16]) -> Self {
        let (sender, told) = mpsc::channel(SIGHTINGS_WAITING_MAX);
        let (announcement, _) = watch::channel(Announcement::default());
        Self {
            tasks: JoinSet::new(),
            announcement,
            told,
            sender,
            means: BTreeMap::new(),
            next_index: 0,
            clock,
            slot: Slot(nonce),
        }
    }

    /// Begins with all that is wanted but servers.
    pub(crate) fn start(&mut self, settings: &Settings) {
        if settings.router {
            self.begin(Means::Router, None, router::run);
        }
        if settings.lan {
            self.begin(Means::Lan, None, lan::run);
        }
        if let Some(bootstrap) = settings.dht.clone() {
            self.begin(Means::Dht, None, |desk| dht::run(desk, bootstrap));
        }
    }

    /// Uses these servers from now on, and no others.
    pub(crate) fn use_servers(&mut self, servers: impl Iterator<Item = String>) {
        let servers: BTreeSet<String> = servers.take(RENDEZVOUS_MAX).collect();
        self.means.retain(|_, (means, task)| {
            let stays = means.server.as_ref().is_none_or(|server| servers.contains(server));
            if !stays {
                task.abort();
            }
            stays
        });
        for server in servers {
            if !self.means.values().any(|(means, _)| means.server.as_ref() == Some(&server)) {
                self.begin(Means::Rendezvous, Some(server.clone()), |desk| rendezvous::run(desk, server));
            }
        }
    }

    /// Says from now on that we are there.
    pub(crate) fn announce(&mut self, announcement: Announcement) {
        self.announcement.send_if_modified(|last| {
            let is_news = *last != announcement;
            *last = announcement;
            is_news
        });
    }

    /// What comes next; never, if nothing is looked for.
    ///
    /// # Cancel safety
    /// Nothing is lost.
    pub(crate) async fn next(&mut self) -> Told {
        loop {
            // `sender` lives here, so this never ends.
            let Some((index, news)) = self.told.recv().await else { std::future::pending().await };
            let Some((means, _)) = self.means.get_mut(&index) else { continue };
            match news {
                News::Condition(condition) => {
                    tracing::debug!(means = %means.means, server = ?means.server, ?condition, "discovery");
                    means.condition = condition;
                }
                News::Told(told) => {
                    means.found += u64::from(matches!(told, Told::Found { .. }));
                    return told;
                }
            }
        }
    }

    /// How each means stands.
    pub(crate) fn status(&self) -> impl Iterator<Item = &MeansStatus> {
        self.means.values().map(|(means, _)| means)
    }

    fn begin<F>(&mut self, means: Means, server: Option<String>, run: impl FnOnce(Desk) -> F)
    where
        F: Future<Output = ()> + Send + 'static,
    {
        let index = self.next_index;
        self.next_index += 1;
        let desk = Desk {
            index,
            means,
            server: server.clone(),
            sender: self.sender.clone(),
            announcement: self.announcement.subscribe(),
            clock: self.clock,
            slot: self.slot,
        };
        let task = self.tasks.spawn(run(desk));
        self.means
            .insert(index, (MeansStatus { means, server, condition: Condition::Starting, found: 0 }, task));
    }
}

/// What a task works with.
#[derive(Debug)]
struct Desk {
    index: usize,
    means: Means,
    server: Option<String>,
    sender: mpsc::Sender<(usize, News)>,
    announcement: watch::Receiver<Announcement>,
    clock: Clock,
    slot: Slot,
}

impl Desk {
    async fn tell(&self, told: Told) {
        // Nobody listens any more: then this task is about to end.
        self.sender.send((self.index, News::Told(told))).await.ok();
    }

    async fn condition(&self, condition: Condition) {
        self.sender.send((self.index, News::Condition(condition))).await.ok();
    }

    /// What is to be announced now, with the tags that hold, each with its day.
    fn wanted(&mut self) -> Wanted {
        let Announcement { rooms, addresses } = self.announcement.borrow_and_update().clone();
        let days = tag::days(self.clock.now().wall_ms);
        let is_known = |room: &Announced| self.server.as_ref().is_none_or(|at| room.servers.contains(at));
        let mut tags = BTreeMap::new();
        for (room, Announced { secret, .. }) in rooms.into_iter().filter(|(_, room)| is_known(room)) {
            tags.extend(
                days.clone().map(|day| (tag::tag(&secret, self.means, day), Tagged { room, secret, day })),
            );
        }
        Wanted { tags, addresses }
    }

    /// Waits until that is something else.
    async fn changed(&mut self) {
        let until_next = tag::until_next(self.clock.now().wall_ms);
        tokio::select! {
            changed = self.announcement.changed() => {
                if changed.is_err() {
                    std::future::pending::<()>().await;
                }
            }
            () = tokio::time::sleep(std::time::Duration::from_millis(until_next)) => {}
        }
    }
}

/// What is to be announced and looked for.
#[derive(Clone, Debug)]
struct Wanted {
    tags: BTreeMap<Tag, Tagged>,
    addresses: Vec<SocketAddr>,
}

/// What a tag stands for.
#[derive(Clone, Copy, Debug)]
struct Tagged {
    room: RoomId,
    secret: [u8; 32],
    day: u64,
}

/// Whether anybody on the internet might be there: whoever answers in public can name any address, and those of our own
/// network are not dialled for it.
fn is_public(ip: Ipv4Addr) -> bool {
    let is_shared = ip.octets()[0] == 100 && ip.octets()[1] & 0xc0 == 64;
    let is_private = ip.is_private() || ip.is_link_local() || is_shared || ip.is_loopback();
    let is_nobody = ip.is_unspecified() || ip.is_multicast() || ip.is_broadcast();
    !is_private && !is_nobody
}

/// Servers in use at once, of all rooms: a ticket names one or two, and mostly the same ones.
const RENDEZVOUS_MAX: usize = 16;
