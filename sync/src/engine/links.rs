//! Whom to be connected with: the overlay decides, here it is done.

use std::collections::BTreeSet;

use rand_chacha::rand_core::Rng as _;

use crate::book::{Endpoint, Known};
use crate::engine::{Engine, Event, Output};
use crate::limits::LET_GO_PAUSE;
use crate::limits::millis;
use crate::overlay::Link;
use crate::session::Session;
use crate::wire::ByeReason;

#[cfg(test)]
mod tests;

impl Engine {
    /// Whether there is nothing to dial at an address, though no connection to it stands: who is there is connected
    /// otherwise, or there are links enough.
    #[must_use]
    pub fn is_spare(&self, known: &Known) -> bool {
        let is_linked = |endpoint| self.sessions.values().any(|session| session.endpoint() == Some(endpoint));
        !known.is_dialing()
            && known.failures == 0
            && (self.overlay.has_enough()
                || known.is_resting(self.now.monotonic_ms)
                || known.endpoint().is_some_and(is_linked))
    }

    /// Something changed that the overlay looks at.
    pub(super) fn replan(&mut self) {
        self.plan_ms = Some(self.now.monotonic_ms);
    }

    /// Dials and lets go, when it is time to look.
    pub(super) fn keep_links(&mut self) {
        let now = self.now.monotonic_ms;
        if !self.is_online {
            self.plan_ms = None;
        }
        if self.plan_ms.is_none_or(|due| due > now) {
            return;
        }
        let links = self.links();
        let linked: BTreeSet<Endpoint> = self.sessions.values().filter_map(Session::endpoint).collect();
        let places = self.book.places(now, |endpoint| linked.contains(endpoint));
        let plan = self.overlay.plan(&links, &places, now, &mut self.rng);
        self.plan_ms = plan.again_ms;
        for address in plan.dial {
            self.book.dialing(&address);
            self.outputs.push_back(Output::Dial(address));
        }
        self.dial_around_servers();
        if let Some(session) = plan.release.and_then(|connection| self.sessions.get(&connection)) {
            let (connection, peer, dialed) = (session.connection, session.endpoint(), session.dialed.clone());
            self.tell(Event::Doubled(connection));
            self.close(connection, ByeReason::EnoughLinks, "links enough; others carry what is said");
            self.stay_away(peer, dialed.as_deref());
        }
    }

    /// Who is connected only through a server is dialled all the same, whenever the pauses of their own addresses are over:
    /// a connection without a server takes the place of the other one.
    fn dial_around_servers(&mut self) {
        let now = self.now.monotonic_ms;
        let with = |is_relayed| {
            let such = self.sessions.values().filter(move |session| session.is_relayed() == is_relayed);
            such.filter_map(Session::endpoint).collect::<BTreeSet<Endpoint>>()
        };
        let (relayed, direct) = (with(true), with(false));
        let ways = relayed.difference(&direct).flat_map(|endpoint| self.book.direct_ways(*endpoint));
        let (due, later): (Vec<_>, Vec<_>) = ways.partition(|(_, due_ms)| *due_ms <= now);
        let again_ms = later.into_iter().map(|(_, due_ms)| due_ms).min();
        self.plan_ms = [self.plan_ms, again_ms].into_iter().flatten().min();
        for address in due.into_iter().map(|(address, _)| address.to_owned()).collect::<Vec<_>>() {
            self.book.dialing(&address);
            self.outputs.push_back(Output::Dial(address));
        }
    }

    /// One of two let go of the other: neither dials the other for a while.
    pub(super) fn stay_away(&mut self, peer: Option<Endpoint>, dialed: Option<&str>) {
        let half = millis(LET_GO_PAUSE) / 2;
        let until_ms = self.now.monotonic_ms + half + self.rng.next_u64() % (half + 1);
        peer.iter().for_each(|peer| self.book.let_go(peer, dialed, until_ms));
    }

    /// Connections that are links, or will be once the other side has said who it is.
    fn links(&self) -> Vec<Link> {
        let durable = self.conversation.graph().durable();
        let is_settled = self.conversation.is_settled();
        let link = |session: &Session| Link {
            connection: session.connection,
            since_ms: session.connected_ms,
            is_at_rest: is_settled
                && session.agreed.is_some()
                && session.is_at_rest(durable)
                && session.is_handed_over(durable),
        };
        let is_link = |session: &&Session| session.is_served || session.hello.is_none();
        self.sessions.values().filter(is_link).map(link).collect()
    }
}
