//! Who may connect, and what is noted about those who may not.

use std::net::SocketAddr;

use replica::id::AuthorKey;
use tokio::net::TcpStream;
use tokio::time::{Instant, sleep};

use crate::channel::{Channel, Peer};
use crate::conversation::ConnectionId;
use crate::discovery::Ring;
use crate::limits::REFUSALS_LOGGED_PER_SECOND;
use crate::penalty::{Penalties, Refusals, Refused, Verdict, subscriber};
use crate::transport::greeting::{self, Beside, Greeting, ReceiveError};
use crate::transport::{CloseReason, DialError, Failure, Slot, State, Transport, connection};
use crate::wire::{Bye, ByeReason, Frame, encode};

/// What is held against whom, with the clock that it passes by, and the log of it.
#[derive(Debug)]
pub(super) struct Door {
    penalties: Penalties,
    start: Instant,
    /// In which second what follows was counted.
    second: u64,
    logged: u32,
    unlogged: u32,
}

impl Door {
    #[expect(
        clippy::disallowed_methods,
        reason = "the transport is of the shell, and debts pass with its clock"
    )]
    pub(super) fn new() -> Self {
        Self { penalties: Penalties::default(), start: Instant::now(), second: 0, logged: 0, unlogged: 0 }
    }

    fn now_ms(&self) -> u64 {
        u64::try_from(self.start.elapsed().as_millis()).unwrap_or(u64::MAX)
    }

    /// Whether nothing is to be had of who is at the other end.
    pub(super) fn is_banned(&self, peer: &Peer) -> bool {
        matches!(peer, Peer::Member(_, proof) if self.penalties.is_banned(&proof.author, self.now_ms()))
    }

    /// Counts and charges a refusal, and writes it into the log unless there were many in this second. The server between
    /// is not charged for whom it joins.
    pub(super) fn refuse(
        &mut self,
        refused: Refused,
        (address, relayed): (SocketAddr, bool),
        author: Option<&AuthorKey>,
    ) {
        let now_ms = self.now_ms();
        if self.penalties.charge(refused, (!relayed).then(|| address.ip()), author, now_ms) {
            tracing::info!(%address, reason = refused.name(), "banned for a while");
        }
        if now_ms / 1_000 != self.second {
            (self.second, self.logged) = (now_ms / 1_000, 0);
        }
        if self.logged == REFUSALS_LOGGED_PER_SECOND {
            self.unlogged += 1;
            return;
        }
        self.logged += 1;
        let unlogged = std::mem::take(&mut self.unlogged);
        tracing::debug!(%address, reason = refused.name(), unlogged, "refused");
    }
}

impl Transport {
    /// What was refused so far.
    #[must_use]
    pub fn refusals(&self) -> &Refusals {
        self.door.penalties.refusals()
    }

    /// Holds against who is at the other end of a connection that something it sent was refused. To be called before the
    /// connection is closed for it.
    pub fn charge(&mut self, id: ConnectionId, refused: Refused) {
        if let Some(slot) = self.slots.get(&id) {
            self.door.refuse(refused, slot.from(), slot.author.as_ref());
        }
    }

    /// Takes whoever connects, unless there are too many or it is banned. True if it was refused.
    pub(super) fn on_accepted(&mut self, socket: TcpStream, address: SocketAddr) -> bool {
        let (answers, time) = (self.answers.subscribe(), self.limits.handshake_time);
        self.greet(address, false, async move { greeting::receive(socket, answers, time).await })
    }

    /// Takes a call that waits at a server. What is held against an address is not asked: who calls has another.
    pub(crate) fn pick_up(&mut self, ring: Ring) {
        let (answers, limits) = (self.answers.subscribe(), self.limits);
        let address = ring.server;
        self.greet(address, true, async move { greeting::pick_up(ring, answers, limits).await });
    }

    /// Tries to meet a member without the server that joined us. Nothing is held against anybody if that fails: where the
    /// other one is, the server says.
    pub(super) fn meet(&mut self, peer: &Peer, beside: Option<Box<Beside>>) {
        let is_member = matches!(peer, Peer::Member(..));
        let usable = beside.filter(|it| is_member && !it.there.ip().is_loopback());
        let Some(beside) = usable else { return };
        let (answers, limits, id) = (self.answers.subscribe(), self.limits, self.new_id());
        let address = beside.there;
        let handle = self.greetings.spawn(async move {
            let met = greeting::meet(*beside, answers, limits).await;
            met.ok_or(Failure::Dialed(DialError::Unreachable))
        });
        self.tasks.insert(handle.id(), id);
        let state = State::Greeting(handle);
        self.slots.insert(id, Slot { address, dialed: false, relayed: false, author: None, state });
    }

    fn greet(
        &mut self,
        address: SocketAddr,
        relayed: bool,
        greeting: impl Future<Output = Result<Greeting, ReceiveError>> + Send + 'static,
    ) -> bool {
        let address = SocketAddr::new(address.ip().to_canonical(), address.port());
        let pause = match self.door.penalties.of_address(address.ip(), self.door.now_ms()) {
            Verdict::Slowed(pause) if !relayed => Some(pause),
            Verdict::Banned if !relayed => {
                self.door.refuse(Refused::Banned, (address, relayed), None);
                return true;
            }
            _ => None,
        };
        let max = if address.ip().is_loopback() { self.limits.per_loopback } else { self.limits.per_address };
        let is_near = |slot: &&Slot| !slot.relayed && is_near(slot, address);
        if !relayed && self.slots.values().filter(is_near).count() >= max {
            self.door.refuse(Refused::Crowded, (address, relayed), None);
            return true;
        }
        let is_full = self.strangers().count() >= self.limits.handshakes;
        if is_full {
            self.make_place();
        }
        let id = self.new_id();
        let handle = self.greetings.spawn(async move {
            if let Some(pause) = pause {
                sleep(pause).await;
            }
            greeting.await.map_err(|error| Failure::Received(error.refused()))
        });
        self.tasks.insert(handle.id(), id);
        let state = State::Greeting(handle);
        self.slots.insert(id, Slot { address, dialed: false, relayed, author: None, state });
        is_full
    }

    /// Says why to somebody who is not let in; unless a crowd is being told already.
    pub(super) fn send_away(&mut self, socket: TcpStream, channel: Channel, reason: ByeReason, text: &str) {
        if self.connections.len() >= self.open_connections() + SENT_AWAY_MAX {
            return;
        }
        let bye = encode(&Frame::Bye(Bye::new(reason, text)));
        self.connections.spawn(connection::refuse(socket, channel, bye, self.limits.flush_time));
    }

    /// Ends the oldest handshake of the address that has most of them under way: a crowd makes place for itself.
    fn make_place(&mut self) {
        let near = |slot: &Slot| self.strangers().filter(|(_, other)| is_near(other, slot.address)).count();
        // Of equals the first, which is the oldest.
        let crowd = self.strangers().rev().max_by_key(|(_, slot)| near(slot));
        if let Some((id, from)) = crowd.map(|(id, slot)| (*id, slot.from())) {
            self.close(id, None);
            self.door.refuse(Refused::Crowded, from, None);
        }
    }

    /// Those who are in their handshake with us.
    fn strangers(&self) -> impl DoubleEndedIterator<Item = (&ConnectionId, &Slot)> {
        self.slots.iter().filter(|(_, slot)| !slot.dialed && !slot.is_open())
    }
}

impl Slot {
    /// Where it comes from, and whether that is a server between.
    pub(super) fn from(&self) -> (SocketAddr, bool) {
        (self.address, self.relayed)
    }
}

fn is_near(slot: &Slot, address: SocketAddr) -> bool {
    subscriber(slot.address.ip()) == subscriber(address.ip())
}

impl ReceiveError {
    fn refused(&self) -> Refused {
        match self {
            Self::Silent => Refused::Silent,
            Self::Ended(error) if error.kind() == std::io::ErrorKind::InvalidData => Refused::TooLong,
            Self::Ended(_) => Refused::Unfinished,
            Self::Handshake(crate::channel::HandshakeError::NoRoom) => Refused::NoRoom,
            Self::Handshake(_) => Refused::Handshake,
        }
    }
}

impl CloseReason {
    /// What was refused, if a connection ended for that.
    pub(super) fn refused(self) -> Option<Refused> {
        match self {
            Self::TooLong(_) => Some(Refused::TooLong),
            Self::Altered => Some(Refused::Altered),
            Self::NoFrame(_) => Some(Refused::NoFrame),
            _ => None,
        }
    }
}

/// How many who are not let in are told so at once.
const SENT_AWAY_MAX: usize = 64;
