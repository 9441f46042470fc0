//! What the network brings, and where it goes: to the engine, or to the lobby.

use std::net::{IpAddr, Ipv6Addr, SocketAddr};
use std::time::Duration;

use crate::book::Trouble;
use crate::channel::{Answers, Credentials, Offer, Peer, RoomKey};
use crate::conversation::ConnectionId;
use crate::discovery::{Route, relay_of, rendezvous_of};
use crate::engine::{Command, Input};
use crate::limits::TICKET_ADDRESSES_MAX;
use crate::limits::millis;
use crate::lobby::{Output as Lobbied, Situation};
use crate::node::driver::Driver;
use crate::node::listeners::Audience;
use crate::node::{Listen, NodeError, NodeEvent};
use crate::penalty::Refused;
use crate::rendezvous::Slot;
use crate::ticket::Ticket;
use crate::transport::{DialError, ListenError, TransportEvent, Way};
use crate::wire::{ByeReason, Frame, encode};
use replica::id::RoomId;
use replica::identity::Identity;

/// An address that is dialled.
#[derive(Clone, Debug)]
pub(super) struct Dial {
    /// For which room; none while there is none.
    pub(super) room: Option<RoomId>,
    /// As it was named.
    pub(super) address: String,
    pub(super) knocks: bool,
}

impl Driver {
    pub(super) fn on_network(&mut self, event: TransportEvent) {
        self.may_have_moved |=
            matches!(event, TransportEvent::Connected { .. } | TransportEvent::Closed { .. });
        match event {
            TransportEvent::Connected { id, address, dialed, relayed, peer, binding } => {
                // Whoever called through a server is not at the server's address.
                let own = || if relayed { called_through(address, id) } else { address.to_string() };
                let named = self.dials.remove(&id).map_or_else(own, |dial| dial.address);
                let situation = self.situation();
                match peer {
                    Peer::Member(room, proof) => {
                        let Some(open) = self.rooms.get_mut(&room) else {
                            return self.transport.close(id, None);
                        };
                        open.detours.worked(&named);
                        open.connected.insert(named.clone(), id);
                        self.links.insert(id, room);
                        let (connection, proof) = (id, *proof);
                        let connected = Input::Connected { connection, address: named, dialed, proof };
                        self.handle(Some(room), connected);
                    }
                    Peer::Knocking(proof) => {
                        self.lobby.on_knocker(id, proof.author, named, binding, situation);
                    }
                    Peer::Answered => {
                        self.book.connected(&named);
                        self.tell(NodeEvent::KnockSent { address: named.clone() });
                        self.lobby.on_answered(id, named, binding, situation);
                    }
                }
            }
            TransportEvent::Frame { id, frame, .. } if self.lobby.has(id) => {
                let situation = self.situation();
                if let Frame::Bye(bye) = &frame
                    && let Some(address) = self.lobby.asked(id)
                    && bye.reason != ByeReason::Leaving
                {
                    self.tell(NodeEvent::KnockRefused { address, bye: bye.clone() });
                }
                self.lobby.on_frame(id, frame, situation);
            }
            TransportEvent::Frame { id, frame, .. } => {
                let room = self.links.get(&id).copied();
                self.handle(room, Input::Frame(id, frame));
            }
            TransportEvent::Closed { id, reason } => {
                tracing::debug!(?id, %reason, "a connection ended");
                if let Some(address) = self.lobby.asked(id) {
                    let now = self.clock.now().monotonic_ms;
                    self.book.ended(&address, None, now, &mut self.rng);
                }
                self.lobby.on_closed(id);
                let room = self.links.remove(&id);
                let open = room.and_then(|room| self.rooms.get_mut(&room));
                open.into_iter().for_each(|open| open.connected.retain(|_, connected| *connected != id));
                self.handle(room, Input::Closed(id));
            }
            TransportEvent::Refused => {}
            TransportEvent::DialFailed { id, address, error } => {
                tracing::debug!(%address, %error, "dialling failed");
                if let Some(dial) = self.dials.remove(&id) {
                    self.on_dial_failed(dial, error);
                }
            }
        }
    }

    /// Dials an address as it was named; a host name is looked up first, without holding anything up.
    pub(super) fn dial(&mut self, dial: Dial) {
        if !self.options.dials {
            return;
        }
        let host = relay_of(&dial.address).unwrap_or(&dial.address).to_owned();
        if let Ok(address) = host.parse() {
            return self.on_looked_up(dial, Some(address));
        }
        self.lookups.spawn(async move {
            let found = tokio::net::lookup_host(&host).await.ok().and_then(|mut found| found.next());
            (dial, found)
        });
    }

    pub(super) fn on_looked_up(&mut self, dial: Dial, found: Option<SocketAddr>) {
        let Some(address) = found else { return self.on_dial_failed(dial, DialError::Unreachable) };
        let offer = match dial.room.filter(|_| !dial.knocks).and_then(|room| self.credentials(&room)) {
            Some(credentials) => Offer::Member(Box::new(credentials)),
            None => Offer::Knock(Box::new(self.home.identity().clone())),
        };
        let way = Route::of_address(&dial.address)
            .map_or(Way::Direct(address), |(_, slot)| Way::Relay(address, slot));
        let id = self.transport.dial_by(way, offer);
        self.dials.insert(id, dial);
    }

    fn on_dial_failed(&mut self, dial: Dial, error: DialError) {
        let Dial { room, address: named, knocks } = dial;
        let open = room.and_then(|room| self.rooms.get_mut(&room));
        if let Some((room, detour)) = room.zip(open.and_then(|open| open.detours.failed(&named))) {
            self.try_address(room, detour);
        }
        let is_other = matches!(error, DialError::RoomRefused | DialError::Handshake(_));
        let trouble = if is_other { Trouble::RoomRefused } else { Trouble::Unreachable };
        let now = self.clock.now().monotonic_ms;
        if knocks {
            self.book.ended(&named, Some(trouble), now, &mut self.rng);
            if is_other && self.is_on_its_way(&named) {
                tracing::debug!(%named, "not in our room yet");
            } else if is_other {
                self.tell(NodeEvent::OtherRoom { address: named });
            } else if self.room().is_none() {
                let failed = NodeEvent::Engine(crate::engine::Event::DialFailed { address: named, trouble });
                self.tell_to(failed, Audience::In(None));
            }
        } else {
            self.handle(room, Input::DialFailed(named, trouble));
        }
    }

    /// An address that the engine of our room dialled is no member of it: knock there, if we are alone.
    pub(super) fn on_dial_trouble(&mut self, named: &str, trouble: Trouble) {
        let is_undecided = self.lobby.asks(named) || self.is_on_its_way(named);
        if trouble != Trouble::RoomRefused || !self.is_named(named) || is_undecided {
            return;
        }
        if !self.situation().is_alone {
            self.tell(NodeEvent::OtherRoom { address: named.to_owned() });
        } else if !self.lobby.is_moving() {
            self.dial(Dial { room: self.room(), address: named.to_owned(), knocks: true });
        }
    }

    /// Whether whoever is at an address may be on the way into our room.
    fn is_on_its_way(&self, address: &str) -> bool {
        self.moving.get(address).is_some_and(|until_ms| self.clock.now().monotonic_ms < *until_ms)
    }

    fn is_named(&self, address: &str) -> bool {
        let named = |(known, about): (&str, &crate::book::Known)| {
            known == address && about.source == crate::book::Source::Named
        };
        self.current().is_some_and(|open| open.engine.book().addresses().any(named))
    }

    pub(super) fn drain_lobby(&mut self) {
        while let Some(output) = self.lobby.poll_output() {
            match output {
                Lobbied::Send(connection, frame) => {
                    self.transport.send(connection, encode(&frame)).ok();
                }
                Lobbied::Close(connection, bye) => {
                    let refused = match bye.reason {
                        ByeReason::Protocol => Some(Refused::Protocol),
                        ByeReason::Busy => Some(Refused::Knocks),
                        ByeReason::Silent => Some(Refused::Silent),
                        _ => None,
                    };
                    refused.into_iter().for_each(|refused| self.transport.charge(connection, refused));
                    self.transport.close(connection, Some(bye));
                }
                Lobbied::Admit(connection, author) => self.admit(connection, author),
                Lobbied::Move(ticket) => self.next_room = Some(ticket),
                Lobbied::Tell(knocker) => {
                    let crate::lobby::Knocker { author, name, address, .. } = knocker;
                    self.tell(NodeEvent::Knocking { name, author, address });
                }
                Lobbied::Answered(address) => {
                    let until_ms = self.clock.now().monotonic_ms + millis(MOVE_TIME);
                    self.moving.insert(address.clone(), until_ms);
                    self.tell(NodeEvent::KnockAnswered { address });
                }
            }
        }
    }

    /// Lets a knocker in; without a room, one is made first, by way of the loop's start.
    pub(super) fn admit(&mut self, connection: ConnectionId, author: replica::id::AuthorKey) {
        if self.room().is_none() {
            self.makes_room_for.push((connection, author));
            return;
        }
        self.next_admission += 1;
        self.admissions.insert(self.next_admission, connection);
        self.handle(self.room(), Input::Command(self.next_admission, Command::Admit(author)));
    }

    /// How things stand for knocks. Whoever is let in comes into the room that our own handle is in.
    pub(super) fn situation(&self) -> Situation {
        let is_alone = self.current().is_none_or(|open| {
            let conversation = open.engine.conversation();
            conversation.is_alone() && !conversation.graph().is_empty()
        });
        Situation { is_alone, is_open: self.is_open(), now_ms: self.clock.now().monotonic_ms }
    }

    /// Whether everyone who knocks is let in.
    fn is_open(&self) -> bool {
        self.options.open || self.any_guest(|guest| guest.open)
    }

    /// What we show in a room that is open.
    fn credentials(&self, room: &RoomId) -> Option<Credentials> {
        let conversation = self.rooms.get(room)?.engine.conversation();
        let (graph, me) = (conversation.graph(), conversation.me());
        let state = self.home.state().room(room)?;
        let invite = state.invite_secret.filter(|_| !graph.is_member(&me));
        Some(Credentials {
            room: *room,
            key: RoomKey::from_secret(&state.secret.0),
            identity: self.home.identity().clone(),
            cards: graph.cards(&me).unwrap_or_default(),
            invite: invite.map(|secret| Identity::from_secret(&secret.0)),
        })
    }

    /// Tells the transport what to answer from now on.
    pub(super) fn update_answers(&mut self) {
        let rooms = self.rooms.keys().filter_map(|room| self.credentials(room)).collect();
        let is_attended = self.options.attended || self.any_guest(|guest| guest.attended);
        let knocks = (is_attended || self.is_open()) && !self.lobby.is_moving();
        self.transport.set_answers(Answers { rooms, knocks, awaits_more: self.awaits_rooms() });
        self.announce();
    }

    /// Listens where the options say.
    pub(super) fn listen(&mut self) -> Result<(), NodeError> {
        let failed = |address, error: ListenError| NodeError::Listen { address, reason: error.to_string() };
        let address = match self.options.listen {
            Listen::Nowhere => return Ok(()),
            Listen::At(address) => self.transport.listen(address).map_err(|error| failed(address, error))?,
            Listen::Usual => {
                let all = |port| SocketAddr::new(IpAddr::V6(Ipv6Addr::UNSPECIFIED), port);
                let last = self.home.state().listened_at.map(|at| at.port()).into_iter();
                let mut ports = last.chain(USUAL_PORT..USUAL_PORT + PORTS_TRIED).chain([0]);
                let transport = &mut self.transport;
                let listened = ports.find_map(|port| transport.listen(all(port)).ok());
                let nothing = ListenError::Taken;
                listened.ok_or_else(|| failed(all(USUAL_PORT), nothing))?
            }
        };
        if let Err(error) = self.home.change(|state| state.listened_at = Some(address)) {
            tracing::warn!(%error, "where we listen was not kept");
        }
        self.listening.push(address);
        self.tell(NodeEvent::Listening(address));
        Ok(())
    }

    /// Closes the door for a while, as if there were no network; or opens it again.
    pub(super) fn set_online(&mut self, is_online: bool) {
        if self.is_offline != is_online {
            return;
        }
        self.is_offline = !is_online;
        self.transport.stop_listening();
        for address in self.listening.iter().filter(|_| is_online) {
            if let Err(error) = self.transport.listen(*address) {
                tracing::warn!(%address, %error, "nobody can connect here any more");
            }
        }
        self.announce();
    }

    /// Where others can reach us, or could when we last listened: the addresses of this machine's interfaces, loopback
    /// only where it was named or there is nothing else; and through the router.
    pub(super) fn reachable_at(&self) -> Vec<SocketAddr> {
        let mut found = Vec::new();
        let last = self.home.state().listened_at.filter(|_| self.listening.is_empty());
        for at in self.listening.iter().chain(&last) {
            if !at.ip().is_unspecified() {
                found.push(*at);
                continue;
            }
            let interfaces = if_addrs::get_if_addrs().unwrap_or_default();
            let is_usable = |ip: &IpAddr| match ip {
                IpAddr::V4(ip) => !ip.is_link_local(),
                IpAddr::V6(ip) => at.is_ipv6() && !ip.is_unicast_link_local(),
            };
            let usable = interfaces.iter().map(if_addrs::Interface::ip).filter(is_usable);
            let (loopback, others): (Vec<IpAddr>, Vec<IpAddr>) = usable.partition(IpAddr::is_loopback);
            let chosen = if others.is_empty() { loopback } else { others };
            found.extend(chosen.into_iter().map(|ip| SocketAddr::new(ip, at.port())));
        }
        found.extend(self.outside);
        found.truncate(TICKET_ADDRESSES_MAX);
        found
    }

    /// A ticket to a room.
    pub(super) fn ticket(&self, room: Option<RoomId>, invite: Option<[u8; 32]>) -> Option<Ticket> {
        let room = room?;
        let state = self.home.state().room(&room)?;
        let servers = state.peers.iter().filter(|it| rendezvous_of(it).is_some()).cloned();
        let addresses = self.reachable_at().into_iter().map(|address| address.to_string());
        let addresses = servers.chain(addresses).take(TICKET_ADDRESSES_MAX).collect();
        Some(Ticket { room, secret: state.secret.0, invite, addresses })
    }
}

/// A call through a server, as an address: nobody can be dialled there.
fn called_through(server: SocketAddr, id: ConnectionId) -> String {
    let mut slot = [0; 16];
    slot[..8].copy_from_slice(&id.0.to_be_bytes());
    Route { server: server.to_string(), slot: Slot(slot) }.to_address()
}

/// Where replicas listen unless told otherwise.
const USUAL_PORT: u16 = 7400;

/// How many ports from there on are tried before any free one is taken.
const PORTS_TRIED: u16 = 50;

/// Whoever moves into our room closes one store and opens another: until then its old room answers.
const MOVE_TIME: Duration = Duration::from_secs(10);
