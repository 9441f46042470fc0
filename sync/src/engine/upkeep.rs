//! What time brings: pings, silence, dials, and patience that runs out.

use crate::conversation::ConnectionId;
use crate::engine::{Engine, Event, Now, Output};
use crate::limits::{HEARTBEAT, SILENCE, SLEEP, WAKE_PATIENCE, millis};
use crate::session::Session;
use crate::wire::{ByeReason, Frame, Ping};

#[cfg(test)]
mod tests;

impl Engine {
    /// Does what is due.
    pub(super) fn keep_up(&mut self) {
        let now = self.now.monotonic_ms;
        let silent = |session: &&Session| session.heard_ms + millis(SILENCE) <= now;
        let gone: Vec<ConnectionId> =
            self.sessions.values().filter(silent).map(|gone| gone.connection).collect();
        gone.into_iter()
            .for_each(|connection| self.close(connection, ByeReason::Silent, "nothing was heard"));
        self.give_up_stalled_bulk();
        if self
            .sessions
            .values()
            .any(|session| session.incoming.paced_until_ms.is_some_and(|until| until <= now))
        {
            self.acknowledge();
        }
        self.ping();
        self.renew_own_record();
        if self.early_record_due().is_some_and(|due| due <= now) {
            self.learn_early_records();
        }
        self.tell_seen();
        self.keep_links();
    }

    /// Whether the machine slept: one clock went on without the other, or what was due is long past.
    pub(super) fn has_slept(&self, now: Now) -> bool {
        let wall = now.wall_ms.saturating_sub(self.now.wall_ms);
        let monotonic = now.monotonic_ms.saturating_sub(self.now.monotonic_ms);
        let is_late = |due: u64| due + millis(SLEEP) < now.monotonic_ms;
        wall > monotonic.saturating_add(millis(SLEEP)) || self.waits_until_ms.is_some_and(is_late)
    }

    /// After a sleep connections may be gone without a word, and addresses in reach again that were not.
    pub(super) fn wake_up(&mut self) {
        let now = self.now.monotonic_ms;
        for session in self.sessions.values_mut() {
            session.heard_ms = now.saturating_sub(millis(SILENCE - WAKE_PATIENCE));
            session.ping_due_ms = now;
        }
        self.book.wake(now);
        self.replan();
    }

    /// When something is due next.
    pub(super) fn deadline(&self) -> Option<u64> {
        let sessions = self.sessions.values().flat_map(|session| {
            let patience = session.incoming.bulk_due_ms();
            let ping = session.hello.map(|_| session.ping_due_ms);
            [ping, Some(session.heard_ms + millis(SILENCE)), patience, session.incoming.paced_until_ms]
        });
        let records = self.own_record_due().into_iter().chain(self.early_record_due());
        sessions.flatten().chain(self.plan_ms).chain(records).chain(self.seen.due()).min()
    }

    /// Pings who is due, and who should hear at once that we rest; tells when agreement is reached.
    fn ping(&mut self) {
        let now = self.now.monotonic_ms;
        let digest = self.conversation.graph().digest();
        let durable = self.conversation.graph().durable();
        let is_settled = self.conversation.is_settled();
        let mut sends = Vec::new();
        let mut met = Vec::new();
        for session in self.sessions.values_mut().filter(|session| session.hello.is_some()) {
            let at_rest = is_settled && session.is_at_rest(durable);
            if at_rest && session.is_exact && session.outgoing.is_confirmed() {
                session.peer_digest = Some(digest);
            }
            // Of who is not served it is not known that it is anybody to agree with.
            let agrees = at_rest && session.is_served && session.agrees(digest);
            session.is_exact |= agrees;
            session.ping_at_rest &= !session.is_exact;
            if session.ping_due_ms <= now || session.ping_at_rest && at_rest {
                session.ping_due_ms = now + millis(HEARTBEAT);
                session.ping_at_rest &= !at_rest;
                session.told_digest = digest;
                sends.push(Output::Send(session.connection, Frame::Ping(Ping { digest, at_rest })));
            }
            if agrees && session.agreed != Some(digest) {
                if session.agreed.is_none() {
                    met.extend(session.endpoint());
                }
                session.agreed = Some(digest);
                sends.push(Output::Event(Event::Agreed {
                    connection: session.connection,
                    author: session.author,
                    address: session.address.clone(),
                    sent: session.outgoing.sent,
                    received: session.incoming.received,
                    millis: now - session.connected_ms,
                }));
            }
        }
        self.outputs.extend(sends);
        met.into_iter().for_each(|peer| self.note_agreement(peer));
    }

    /// A source of bulk that brings nothing new for long, or little while another one might bring more, is asked no more;
    /// the next one is.
    fn give_up_stalled_bulk(&mut self) {
        let now = self.now.monotonic_ms;
        let is_due = |session: &&Session| session.incoming.bulk_due_ms().is_some_and(|due| due <= now);
        let due: Vec<ConnectionId> = self.sessions.values().filter(is_due).map(|it| it.connection).collect();
        if due.is_empty() {
            return;
        }
        let has_other = self.sessions.values().any(|session| self.lacks_of(session));
        for source in due {
            let Some(source) = self.sessions.get_mut(&source) else { continue };
            if has_other || source.incoming.is_stalled(now) {
                source.incoming.give_up_bulk();
            } else {
                source.incoming.bear_with(now);
            }
        }
        self.next_bulk_source();
    }
}
