//! TCP connections as a stream of events: who connected, what they said, why they left.
//!
//! One task per handshake and one per connection, all owned by [`Transport`]; none outlives it. Frames received wait in
//! one bounded queue: while it is full, connections stop reading. Frames to send wait in one queue per connection: while
//! that is full, the connection is dropped rather than waited for, since whoever comes back resumes from what it has.

use std::collections::BTreeMap;
use std::future::ready;
use std::net::SocketAddr;
use std::sync::Arc;

use replica::id::AuthorKey;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{mpsc, watch};
use tokio::task::{AbortHandle, Id, JoinError, JoinSet};

use crate::channel::{Answers, Established, Offer, Peer};
use crate::conversation::ConnectionId;
use crate::limits;
use crate::penalty::Refused;
use crate::transport::connection::Queued;
use crate::transport::door::Door;
use crate::transport::greeting::Greeting;
use crate::transport::listener::Accepting;
use crate::transport::outbox::Outbox;
use crate::transport::turns::Turns;
use crate::wire::{Bye, ByeReason, Frame, encode};

mod connection;
mod door;
mod event;
mod greeting;
mod listener;
mod outbox;
mod patience;
#[cfg(test)]
mod tests;
mod turns;

pub use event::{CloseReason, DialError, SendError, TransportEvent};
pub use listener::ListenError;
pub(crate) use listener::bind;
pub use patience::TransportLimits;

/// How much a connection carried since its handshake: frames, each with the 16 bytes that seal it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Traffic {
    /// To the peer, counted when sealed.
    pub sent_bytes: u64,
    /// From the peer.
    pub received_bytes: u64,
}

/// All connections of one replica. Dropping it drops them; [`Transport::shutdown`] says goodbye first.
#[derive(Debug)]
pub struct Transport {
    /// For one room, and for those that we answer for.
    limits_of_one: TransportLimits,
    limits: TransportLimits,
    answers: watch::Sender<Arc<Answers>>,
    accepting: Accepting,
    events: mpsc::Receiver<Queued>,
    /// What was taken from there, and whose turn it is.
    turns: Turns,
    /// Cloned into each connection; kept so that `events` never ends.
    sender: mpsc::Sender<Queued>,
    slots: BTreeMap<ConnectionId, Slot>,
    greetings: JoinSet<Greeted>,
    connections: JoinSet<()>,
    /// Which task works for which connection.
    tasks: BTreeMap<Id, ConnectionId>,
    next_id: u64,
    door: Door,
}

#[derive(Debug)]
struct Slot {
    address: SocketAddr,
    dialed: bool,
    /// Whether a server is between.
    relayed: bool,
    /// Who signed for the channel, if it is a member's.
    author: Option<AuthorKey>,
    state: State,
}

#[derive(Debug)]
enum State {
    Greeting(AbortHandle),
    Open(Outbox),
}

/// How somebody is dialled.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Way {
    Direct(SocketAddr),
    /// By a server that joins us with whoever is known so there.
    Relay(SocketAddr, crate::rendezvous::Slot),
}

/// How a handshake ended.
type Greeted = Result<Greeting, Failure>;

#[derive(Debug)]
enum Failure {
    Dialed(DialError),
    Received(Refused),
}

enum Step {
    Accepted(TcpStream, SocketAddr),
    Event(TransportEvent),
    Greeted(Result<(Id, Greeted), JoinError>),
    Ended(Result<(Id, ()), JoinError>),
}

impl Transport {
    /// A transport that listens nowhere and dials nobody yet.
    #[must_use]
    pub fn new(limits: TransportLimits, answers: Answers) -> Self {
        let (sender, events) = mpsc::channel(limits::INBOUND_EVENTS_MAX);
        Self {
            limits_of_one: limits,
            limits: limits.for_rooms(answers.rooms.len()),
            answers: watch::Sender::new(Arc::new(answers)),
            accepting: Accepting::default(),
            events,
            turns: Turns::default(),
            sender,
            slots: BTreeMap::new(),
            greetings: JoinSet::new(),
            connections: JoinSet::new(),
            tasks: BTreeMap::new(),
            next_id: 0,
            door: Door::new(),
        }
    }

    /// Listens at an address, with all before it; the answer is where in fact (port 0 picks one). `[::]` takes IPv4 too,
    /// and is `0.0.0.0` where there is no IPv6.
    ///
    /// # Errors
    /// When the system does not give the address.
    ///
    /// # Panics
    /// Outside a tokio runtime.
    pub fn listen(&mut self, address: SocketAddr) -> Result<SocketAddr, ListenError> {
        let listener: TcpListener = bind(address)?;
        let address = listener.local_addr().map_err(ListenError::Failed)?;
        self.accepting.add(listener);
        Ok(address)
    }

    /// Listens nowhere from now on. Connections stay.
    pub fn stop_listening(&mut self) {
        self.accepting = Accepting::default();
    }

    /// Changes what is answered to whoever connects, or still waits for an answer.
    pub fn set_answers(&mut self, answers: Answers) {
        self.limits = self.limits_of_one.for_rooms(answers.rooms.len());
        self.answers.send_replace(Arc::new(answers));
    }

    /// Whether who asks for what is not there yet waits, as it was set last.
    pub(crate) fn awaits_more(&self) -> bool {
        self.answers.borrow().awaits_more
    }

    /// Dials; no number is given twice. Ends in `Connected` or `DialFailed` with this id, unless [closed](Self::close) before.
    pub fn dial(&mut self, address: SocketAddr, offer: Offer) -> ConnectionId {
        self.dial_by(Way::Direct(address), offer)
    }

    /// As [`dial`](Self::dial), whichever way it is to whoever is dialled.
    pub(crate) fn dial_by(&mut self, way: Way, offer: Offer) -> ConnectionId {
        let (Way::Direct(address) | Way::Relay(address, _)) = way;
        let id = self.new_id();
        let limits = self.limits;
        let links = self.slots.values().filter(|slot| slot.dialed || slot.is_open()).count();
        let handle = self.greetings.spawn(async move {
            let is_full = links >= limits.connections;
            let dialed =
                if is_full { Err(DialError::TooMany) } else { greeting::dial(way, offer, limits).await };
            dialed.map_err(Failure::Dialed)
        });
        self.tasks.insert(handle.id(), id);
        let (relayed, state) = (matches!(way, Way::Relay(..)), State::Greeting(handle));
        self.slots.insert(id, Slot { address, dialed: true, relayed, author: None, state });
        id
    }

    /// Queues an encoded frame. Never waits: of two limits on what is queued, for this connection and for all, the first
    /// drops this connection, the second the one that most is queued for.
    ///
    /// # Errors
    /// When the frame was not queued, which only its connection's `Closed` explains.
    pub fn send(&mut self, id: ConnectionId, frame: Vec<u8>) -> Result<(), SendError> {
        let Some(Slot { state: State::Open(outbox), .. }) = self.slots.get_mut(&id) else {
            return Err(SendError::Gone);
        };
        outbox.try_send(frame)?;
        let queued = |slot: &Slot| slot.outbox().map_or(0, Outbox::queued_bytes);
        if self.slots.values().map(queued).sum::<usize>() > limits::OUTBOUND_TOTAL_BYTES_MAX
            && let Some(Slot { state: State::Open(slowest), .. }) =
                self.slots.values_mut().max_by_key(|slot| queued(slot))
        {
            slowest.end(CloseReason::TooSlow);
        }
        Ok(())
    }

    /// Bytes accepted for a connection that the system has not taken yet.
    #[must_use]
    pub fn queued_bytes(&self, id: ConnectionId) -> usize {
        self.slots.get(&id).and_then(Slot::outbox).map_or(0, Outbox::queued_bytes)
    }

    /// What a connection carried so far; nothing once it is closed.
    #[must_use]
    pub fn traffic(&self, id: ConnectionId) -> Traffic {
        self.slots.get(&id).and_then(Slot::outbox).map(Outbox::traffic).unwrap_or_default()
    }

    /// Ends a connection after what is queued, and after `last` if there is one. No frame of it comes any more, only
    /// `Closed`, within some seconds. Ends an attempt to dial without any event.
    pub fn close(&mut self, id: ConnectionId, last: Option<Bye>) {
        match self.slots.get_mut(&id).map(|slot| &mut slot.state) {
            Some(State::Open(outbox)) => outbox.close(last.map(|bye| encode(&Frame::Bye(bye)))),
            Some(State::Greeting(task)) => {
                task.abort();
                self.slots.remove(&id);
            }
            None => {}
        }
    }

    /// The next event. Nothing is accepted or delivered while nobody waits here.
    ///
    /// # Cancel safety
    /// Nothing is lost when the future is dropped.
    pub async fn next_event(&mut self) -> TransportEvent {
        loop {
            while self.turns.len() < limits::INBOUND_EVENTS_MAX
                && let Ok(queued) = self.events.try_recv()
            {
                self.turns.push(queued);
            }
            let has_turn = !self.turns.is_empty();
            let step = tokio::select! {
                (socket, address) = self.accepting.accept() => Step::Accepted(socket, address),
                () = ready(()), if has_turn => match self.turns.pop() {
                    Some(event) => Step::Event(event),
                    None => continue,
                },
                Some(queued) = self.events.recv(), if !has_turn => {
                    self.turns.push(queued);
                    continue;
                }
                Some(greeted) = self.greetings.join_next_with_id() => Step::Greeted(greeted),
                Some(ended) = self.connections.join_next_with_id() => Step::Ended(ended),
            };
            let event = match step {
                Step::Accepted(socket, address) => {
                    self.on_accepted(socket, address).then_some(TransportEvent::Refused)
                }
                Step::Event(event) => self.on_event(event),
                Step::Greeted(greeted) => self.on_greeted(greeted),
                Step::Ended(ended) => self.on_ended(&ended),
            };
            if let Some(event) = event {
                return event;
            }
        }
    }

    /// Stops listening and dialling, says goodbye on every connection, and waits until all is sent, some seconds at most.
    pub async fn shutdown(mut self, last: Option<Bye>) {
        self.accepting = Accepting::default();
        let ids: Vec<_> = self.slots.keys().copied().collect();
        ids.into_iter().for_each(|id| self.close(id, last.clone()));
        while !self.connections.is_empty() {
            tokio::select! {
                Some(_) = self.events.recv() => {}
                Some(_) = self.connections.join_next() => {}
            }
        }
    }

    fn new_id(&mut self) -> ConnectionId {
        self.next_id += 1;
        ConnectionId(self.next_id)
    }

    fn on_event(&mut self, event: TransportEvent) -> Option<TransportEvent> {
        match &event {
            TransportEvent::Closed { id, reason } => {
                let slot = self.slots.remove(id)?;
                if let Some(refused) = reason.refused() {
                    self.door.refuse(refused, slot.from(), slot.author.as_ref());
                }
                Some(event)
            }
            TransportEvent::Frame { id, .. } => {
                let outbox = self.slots.get(id).and_then(Slot::outbox);
                outbox.is_some_and(Outbox::is_open).then_some(event)
            }
            TransportEvent::Connected { .. }
            | TransportEvent::DialFailed { .. }
            | TransportEvent::Refused => Some(event),
        }
    }

    fn on_greeted(&mut self, greeted: Result<(Id, Greeted), JoinError>) -> Option<TransportEvent> {
        let (task, outcome) = match greeted {
            Ok((task, outcome)) => (task, outcome),
            Err(error) => (error.id(), Err(Failure::Dialed(DialError::Unreachable))),
        };
        let id = self.tasks.remove(&task)?;
        let slot = self.slots.remove(&id)?;
        let (address, dialed, from) = (slot.address, slot.dialed, slot.from());
        match outcome {
            Ok(Greeting { socket, established, .. }) if self.door.is_banned(&established.peer) => {
                self.send_away(
                    socket,
                    established.channel,
                    ByeReason::Protocol,
                    "broke the protocol too often",
                );
                self.door.refuse(Refused::Banned, from, None);
                let failed = TransportEvent::DialFailed { id, address, error: DialError::Banned };
                Some(if dialed { failed } else { TransportEvent::Refused })
            }
            Ok(greeting) if dialed || self.open_connections() < self.limits.connections => {
                self.meet(&greeting.established.peer, greeting.beside);
                Some(self.open(id, slot, greeting.socket, greeting.established))
            }
            Ok(Greeting { socket, established, .. }) => {
                self.send_away(socket, established.channel, ByeReason::Busy, "too many connections");
                self.door.refuse(Refused::Crowded, from, None);
                Some(TransportEvent::Refused)
            }
            Err(Failure::Received(refused)) => {
                self.door.refuse(refused, from, None);
                Some(TransportEvent::Refused)
            }
            Err(Failure::Dialed(error)) if dialed => Some(TransportEvent::DialFailed { id, address, error }),
            Err(Failure::Dialed(_)) => None,
        }
    }

    fn open(
        &mut self,
        id: ConnectionId,
        slot: Slot,
        socket: TcpStream,
        established: Established,
    ) -> TransportEvent {
        let Established { channel, peer } = established;
        let binding = *channel.binding();
        let (outbox, source) = outbox::new();
        let (max, author) = match &peer {
            Peer::Member(_, proof) => (limits::NOISE_MESSAGE_BYTES_MAX, Some(proof.author)),
            Peer::Knocking(_) | Peer::Answered => (limits::STRANGER_MESSAGE_BYTES_MAX, None),
        };
        let ends =
            connection::Ends { id, source, events: self.sender.clone(), flush_time: self.limits.flush_time };
        let task = self.connections.spawn(connection::run(socket, channel, max, ends));
        self.tasks.insert(task.id(), id);
        let Slot { address, dialed, relayed, .. } = slot;
        self.slots.insert(id, Slot { address, dialed, relayed, author, state: State::Open(outbox) });
        TransportEvent::Connected { id, address, dialed, relayed, peer, binding }
    }

    /// A connection's task says itself that it ended, except when a defect ended it.
    fn on_ended(&mut self, ended: &Result<(Id, ()), JoinError>) -> Option<TransportEvent> {
        let task = ended.as_ref().map_or_else(JoinError::id, |(task, ())| *task);
        let id = self.tasks.remove(&task)?;
        let is_defect = ended.is_err() && self.slots.remove(&id).is_some();
        is_defect.then_some(TransportEvent::Closed { id, reason: CloseReason::Defect })
    }

    fn open_connections(&self) -> usize {
        self.slots.values().filter(|slot| slot.is_open()).count()
    }
}

impl Slot {
    fn is_open(&self) -> bool {
        self.outbox().is_some()
    }

    fn outbox(&self) -> Option<&Outbox> {
        match &self.state {
            State::Open(outbox) => Some(outbox),
            State::Greeting(_) => None,
        }
    }
}
