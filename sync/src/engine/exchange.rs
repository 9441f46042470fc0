//! The exchange: HELLO, HAVE, WANT, LOCATE, and what comes in.

use std::cmp::Reverse;
use std::collections::BTreeSet;
use std::ops::Bound;

use replica::archive::Met;
use replica::graph::{Graph, Tip, Wanted};
use replica::id::Position;
use replica::identity::{Purpose, verify};

use crate::book::Endpoint;
use crate::conversation::{BlockKind, ConnectionId};
use crate::engine::{Engine, Event, Output};
use crate::limits::millis;
use crate::limits::{
    HEARTBEAT, LOCATOR_IDS_MAX, LOCATOR_IDS_PER_FRAME_MAX, TIPS_PER_FRAME_MAX, UNANSWERED_HAVES_MAX,
    WANTS_PER_FRAME_MAX,
};
use crate::penalty::Refused;
use crate::session::Session;
use crate::wire::{
    self, ByeReason, Credit, Data, Frame, Have, Hello, Locate, PROTOCOL, Ping, Want, WantChain,
};

#[cfg(test)]
mod tests;

impl Engine {
    pub(super) fn on_frame(&mut self, connection: ConnectionId, frame: Frame) {
        let Some(session) = self.sessions.get_mut(&connection) else { return };
        session.heard_ms = self.now.monotonic_ms;
        if session.hello.is_none() && !matches!(frame, Frame::Hello(_) | Frame::Bye(_)) {
            return self.offence(connection, Refused::Protocol, "something came before HELLO");
        }
        match frame {
            Frame::Hello(hello) => self.on_hello(connection, hello),
            Frame::Have(have) => self.on_have(connection, have),
            Frame::Want(want) => self.on_want(connection, &want),
            Frame::Locate(locate) => self.on_locate(connection, &locate),
            Frame::Preview(bytes) => self.on_preview(connection, &bytes),
            Frame::Data(data) => self.on_data(connection, data),
            Frame::Live(block) => self.on_block(connection, BlockKind::Live, block, false),
            Frame::Ack(ack) => {
                session.outgoing.acknowledge(ack.frames);
                if session.outgoing.missing(self.conversation.graph().durable()) == 0 {
                    let author = session.author;
                    session.ping_at_rest = true;
                    self.tell(Event::Held { author });
                }
            }
            Frame::Credit(credit) => {
                session.outgoing.grant(credit.bytes);
                session.starved_since_ms = None;
            }
            Frame::Peers(peers) => self.on_peers(connection, peers),
            Frame::Seen(seen) => self.on_seen(connection, seen),
            Frame::Ping(ping) => self.on_ping(connection, ping),
            Frame::Bye(bye) => {
                let address = session.address.clone();
                let (peer, dialed) = (session.endpoint(), session.dialed.clone());
                let reason = bye.reason;
                if bye.reason == ByeReason::SelfConnection
                    && let Some(dialed) = &dialed
                {
                    self.book.is_ourselves(dialed);
                }
                self.outputs.push_back(Output::Close(connection, None));
                self.tell(Event::Bye { address, bye });
                self.on_closed(connection);
                match (reason, dialed) {
                    (ByeReason::EnoughLinks, dialed) => self.stay_away(peer, dialed.as_deref()),
                    (ByeReason::Renewed, Some(dialed)) => self.book.renewed(&dialed, self.now.monotonic_ms),
                    _ => {}
                }
            }
            Frame::Knock(_) | Frame::Ticket(_) | Frame::Yield(_) => {
                self.offence(connection, Refused::Protocol, "a knock on a member's connection");
            }
        }
    }

    /// Ends a connection for what came over it.
    pub(super) fn offence(&mut self, connection: ConnectionId, refused: Refused, text: &str) {
        let Some(session) = self.sessions.get(&connection) else { return };
        let (address, author) = (session.address.clone(), session.author);
        self.tell(Event::Offence { connection, refused, address, author, text: text.to_owned() });
        self.close(connection, ByeReason::Protocol, text);
    }

    fn on_hello(&mut self, connection: ConnectionId, hello: Hello) {
        if hello.protocol != PROTOCOL {
            return self.close(connection, ByeReason::Version, "no protocol version in common");
        }
        if !self.is_only_connection(connection, &hello) {
            return;
        }
        let Some(session) = self.sessions.get_mut(&connection) else { return };
        if session.hello.replace(hello).is_some() {
            return self.offence(connection, Refused::Protocol, "a second HELLO");
        }
        session.peer_digest = Some(hello.digest);
        session.ping_due_ms = self.now.monotonic_ms + millis(HEARTBEAT);
        let (author, is_served) = (session.author, session.is_served);
        if !is_served && hello.entries == 0 {
            // Nothing to hand over that could make it a member.
            return self.close(connection, ByeReason::NotMember, "not a member, and no invite was shown");
        }
        self.tell(Event::PeerHere { connection, author });
        let met = self.conversation.met(&(author, hello.store), hello.entries);
        self.offer_preview(connection, hello.entries);
        self.introduce_addresses(connection, met.map(|met| met.told));
        self.resume(connection, &hello, met);
        self.greet_with_seen(connection);
    }

    /// Notes that a peer has now what we have.
    pub(super) fn note_agreement(&mut self, peer: Endpoint) {
        let told = self.addresses_mark(peer);
        let graph = self.conversation.graph();
        let met = Met { entries: graph.durable(), digest: graph.digest(), told };
        self.conversation.note_met(peer, Some(met));
    }

    /// Goes on from when both sides last agreed, as far as that is known.
    fn resume(&mut self, connection: ConnectionId, hello: &Hello, met: Option<Met>) {
        let Some(session) = self.sessions.get_mut(&connection) else { return };
        if session.told_digest == hello.digest {
            return session.outgoing.release();
        }
        match met.filter(|_| session.is_served) {
            Some(met) if met.digest == hello.digest => {
                session.is_resumed = true;
                session.is_exact = true;
                session.outgoing.resume(met.entries);
            }
            Some(met) if met.digest == session.told_digest => {
                session.is_resumed = true;
                // It is about to send what is new; to tell it how we stand before would make it doubt.
                session.ping_at_rest = false;
                session.outgoing.release();
            }
            Some(met) => {
                session.is_resumed = true;
                self.exchange(connection, met.entries);
            }
            None => self.exchange(connection, 0),
        }
    }

    /// Tells a peer our tips from a position on, so that it can ask for what it lacks.
    pub(super) fn exchange(&mut self, connection: ConnectionId, since: Position) {
        let graph = self.conversation.graph();
        let Some(session) = self.sessions.get_mut(&connection) else { return };
        if !session.is_served || session.hello.is_none() {
            return;
        }
        session.outgoing.tell(graph.durable());
        session.ping_at_rest = true;
        session.unequal = 0;
        let mut tips: Vec<Position> = graph.tips_since(since).collect();
        // The longest chains first: of those told later fewer have grown by then.
        tips.sort_by_key(|&tip| Reverse(graph.seq(tip)));
        session.untold = tips.into();
        self.tell_tips(connection, UNANSWERED_HAVES_MAX);
    }

    /// Tells the next tips of those that are to be told, in so many frames.
    fn tell_tips(&mut self, connection: ConnectionId, frames: usize) {
        let graph = self.conversation.graph();
        let Some(session) = self.sessions.get_mut(&connection) else { return };
        for _ in 0..frames {
            let next = session.untold.drain(..session.untold.len().min(TIPS_PER_FRAME_MAX));
            // Of a chain that has grown meanwhile the peer hears as of what is new.
            let tips = next.filter_map(|at| graph.signed_tip(at));
            let tips =
                tips.map(|(Tip { chain, seq, id }, signature)| wire::Tip { chain, seq, id, signature });
            let have = Have { tips: tips.collect(), last: session.untold.is_empty() };
            let is_last = have.last;
            self.outputs.push_back(Output::Send(connection, Frame::Have(have)));
            if is_last {
                return;
            }
        }
    }

    fn on_have(&mut self, connection: ConnectionId, have: Have) {
        let graph = self.conversation.graph();
        let is_known = |tip: &wire::Tip| graph.position(&tip.id).is_some();
        let is_signed = |tip: &wire::Tip| verify(&tip.chain.author, Purpose::Entry(&tip.id), &tip.signature);
        if !have.tips.iter().all(|tip| is_known(tip) || is_signed(tip)) {
            return self.offence(connection, Refused::NotAuthentic, "a tip is not signed by its author");
        }
        let mine = self.conversation.chain();
        let own = graph.chain_len(&mine);
        let is_further = |tip: &wire::Tip| tip.chain == mine && tip.seq as usize > own && !is_known(tip);
        if !self.was_told_of_a_copy && have.tips.iter().any(is_further) {
            // A tip's signature does not say which chain it is of, so this may be a lie: believed once. The entries
            // themselves are believed always.
            self.was_told_of_a_copy = true;
            self.renew_chain();
        }
        let tips = have.tips.iter().map(|tip| Tip { chain: tip.chain, seq: tip.seq, id: tip.id }).collect();
        let has_other_source = self.has_source_but(connection);
        let Some(session) = self.sessions.get_mut(&connection) else { return };
        match session.incoming.hear(tips, have.last, !has_other_source) {
            Some(tips) => self.ask(connection, &tips, have.last),
            None => self.offence(connection, Refused::Protocol, "too many tips"),
        }
    }

    /// Whether another peer is being asked for what is missing here.
    fn has_source_but(&self, connection: ConnectionId) -> bool {
        let mut others = self.sessions.values().filter(|other| other.connection != connection);
        others.any(|other| other.incoming.bulk_since_ms.is_some())
    }

    /// Asks a peer for what is missing here of these tips of its own. Asked for nothing it goes on with its next tips or,
    /// after the last, with what is new.
    fn ask(&mut self, connection: ConnectionId, tips: &[Tip], last: bool) {
        let graph = self.conversation.graph();
        let Some(session) = self.sessions.get_mut(&connection) else { return };
        if !tips.is_empty() {
            self.last_source = Some(connection);
            session.ping_at_rest = true;
        }
        let mut wanted: Vec<Wanted> = Vec::new();
        for tip in tips {
            let Some(want) = graph.want(tip) else { continue };
            let may_be_asked_back = want.from.len() == 1;
            wanted.push(if may_be_asked_back && !session.incoming.keep_asked(*tip) {
                located(graph, tip)
            } else {
                want
            });
        }
        let total = wanted.iter().map(|wanted| wanted.count).sum();
        if let Some(bytes) = session.incoming.want(total, last, self.now.monotonic_ms) {
            self.send(connection, Frame::Credit(Credit { bytes }));
        }
        self.send_wants(connection, wanted, last);
    }

    fn send_wants(&mut self, connection: ConnectionId, wanted: Vec<Wanted>, last: bool) {
        let mut want = Want { chains: Vec::new(), last: false };
        let mut ids = 0;
        for Wanted { tip, mut from, .. } in wanted {
            from.truncate(LOCATOR_IDS_MAX);
            if want.chains.len() == WANTS_PER_FRAME_MAX || ids + from.len() > LOCATOR_IDS_PER_FRAME_MAX {
                let full = std::mem::replace(&mut want, Want { chains: Vec::new(), last: false });
                self.send(connection, Frame::Want(full));
                ids = 0;
            }
            ids += from.len();
            want.chains.push(WantChain { tip, from });
        }
        want.last = last;
        self.send(connection, Frame::Want(want));
    }

    fn on_want(&mut self, connection: ConnectionId, want: &Want) {
        let graph = self.conversation.graph();
        let Some(session) = self.sessions.get_mut(&connection) else { return };
        if !session.is_served {
            return;
        }
        let mut unknown = Vec::new();
        let was_idle = session.outgoing.remaining() == 0;
        let mut asked = BTreeSet::new();
        for chain in want.chains.iter().filter(|chain| asked.insert(chain.tip)) {
            let was_walked = |at| session.outgoing.is_requested(at);
            match graph.segment(&chain.tip, &chain.from, was_walked) {
                Some(positions) => session.outgoing.request(positions),
                None if chain.from.len() == 1 && graph.position(&chain.tip).is_some() => {
                    unknown.push(chain.tip)
                }
                // Nothing of the locator is known here, so it gets the whole chain.
                None => {
                    let whole = graph.segment(&chain.tip, &[], was_walked);
                    session.outgoing.request(whole.unwrap_or_default());
                }
            }
        }
        let locate = (!unknown.is_empty()).then_some(Locate { tips: unknown });
        if locate.is_some() {
            session.outgoing.ask_back();
        }
        session.outgoing.is_asked |= !want.chains.is_empty();
        let is_complete = want.last && session.outgoing.end_request();
        let was_asked = is_complete && std::mem::take(&mut session.outgoing.is_asked);
        let nothing = was_asked && was_idle && session.outgoing.remaining() == 0;
        if let Some(locate) = locate {
            self.send(connection, Frame::Locate(locate));
        } else if nothing && let Ok(block) = replica::block::encode(&[], false, graph) {
            // Whoever asked waits for an end.
            if !session.outgoing.is_confirming() {
                return self.offence(connection, Refused::Protocol, "no frame is acknowledged");
            }
            session.outgoing.sent(block.len(), 0);
            self.send(connection, Frame::Data(Data { block, remaining: 0 }));
        }
        // It has taken in some of the tips.
        if !want.last && self.sessions.get(&connection).is_some_and(|session| !session.untold.is_empty()) {
            self.tell_tips(connection, 1);
        }
    }

    /// The peer lacks what we go on from: it gets a choice.
    fn on_locate(&mut self, connection: ConnectionId, locate: &Locate) {
        let graph = self.conversation.graph();
        let Some(session) = self.sessions.get_mut(&connection) else { return };
        let tips = locate.tips.iter().filter_map(|id| session.incoming.asked_back(id));
        let wanted = tips.map(|tip| located(graph, &tip)).collect();
        self.send_wants(connection, wanted, true);
    }

    fn on_data(&mut self, connection: ConnectionId, data: Data) {
        let Some(session) = self.sessions.get_mut(&connection) else { return };
        let was_asked = session.incoming.bulk_since_ms.is_some();
        session.incoming.bulk(data.remaining);
        self.on_block(connection, BlockKind::Data, data.block, was_asked);
        self.next_bulk_source();
    }

    /// Asks the next peer for what the last one left: everybody has a turn, so that nobody keeps it by promises.
    pub(super) fn next_bulk_source(&mut self) {
        if self.sessions.values().any(|session| session.incoming.bulk_since_ms.is_some()) {
            return;
        }
        let after = self.last_source.map_or(Bound::Unbounded, Bound::Excluded);
        let others = self.sessions.range((after, Bound::Unbounded)).chain(&self.sessions);
        let next = others.map(|(_, session)| session).find(|it| self.lacks_of(it)).map(|it| it.connection);
        if let Some(session) = next.and_then(|next| self.sessions.get_mut(&next)) {
            let (next, tips) = (session.connection, session.incoming.turn().unwrap_or_default());
            self.ask(next, &tips, true);
        }
    }

    /// Whether a peer that was not asked yet told of something that is not here.
    pub(super) fn lacks_of(&self, session: &Session) -> bool {
        let graph = self.conversation.graph();
        let told = session.incoming.told.as_ref();
        told.is_some_and(|tips| tips.iter().any(|tip| graph.position(&tip.id).is_none()))
    }

    fn on_ping(&mut self, connection: ConnectionId, ping: Ping) {
        let durable = self.conversation.graph().durable();
        let digest = self.conversation.graph().digest();
        let is_settled = self.conversation.is_settled();
        let Some(session) = self.sessions.get_mut(&connection) else { return };
        session.peer_digest = Some(ping.digest);
        let starves = ping.at_rest && session.outgoing.is_starved();
        session.starved_since_ms =
            session.starved_since_ms.or(Some(self.now.monotonic_ms)).filter(|_| starves);
        if session.starved_since_ms.is_some_and(|since| since + millis(HEARTBEAT) <= self.now.monotonic_ms) {
            // What it waits for was lost on the way, and is granted for no more.
            return self.close(connection, ByeReason::TooSlow, "what was sent here did not come");
        }
        if ping.digest == digest {
            session.unequal = 0;
            session.incoming.forget_reaches();
            if session.told_digest != digest {
                // It does not know yet that we agree.
                session.ping_due_ms = self.now.monotonic_ms;
            }
            // Also where a frame was dropped on the way, which no acknowledgement will ever cover.
            if session.outgoing.confirm(durable) {
                let author = session.author;
                return self.tell(Event::Held { author });
            }
        } else if ping.at_rest && is_settled && session.is_at_rest(durable) {
            session.unequal += 1;
            session.is_exact = false;
        }
        // What was taken for known when the connection began may be what is wrong.
        let doubts = if session.is_resumed && session.outgoing.is_confirmed() { 1 } else { 2 };
        if session.unequal >= doubts {
            session.is_resumed = false;
            let endpoint = session.endpoint();
            endpoint.into_iter().for_each(|endpoint| self.conversation.note_met(endpoint, None));
            self.exchange(connection, 0);
        }
    }
}

/// Asks for a tip with a choice of what to go on from.
fn located(graph: &Graph, tip: &Tip) -> Wanted {
    let mut from = graph.locator(&tip.chain);
    // Two ids at least: that says it is a locator.
    from.extend(from.first().copied().filter(|_| from.len() == 1));
    Wanted { tip: tip.id, from, count: u64::from(tip.seq) }
}
