//! Who gets in: what a newcomer's proof is worth, and what follows from it.

use replica::entry::{Invite, InviteProof};
use replica::id::{AuthorKey, EntryId};
use replica::identity::{Purpose, verify};

use crate::conversation::ConnectionId;
use crate::engine::{Engine, Event};
use crate::session::Session;
use crate::wire::{ByeReason, Frame, Hello, PROTOCOL};

pub use crate::channel::{InviteShown as Shown, PeerProof};

#[cfg(test)]
mod tests;

/// Whether a peer may be told what is here.
enum Verdict {
    /// It may.
    Serve,
    /// It may hand us entries; if some of them make it a member, it is served from then on.
    TakeOnly,
    /// There is nothing to be done for it.
    Refuse(ByeReason, String),
}

impl Engine {
    pub(super) fn on_connected(
        &mut self,
        connection: ConnectionId,
        address: String,
        dialed: bool,
        proof: &PeerProof,
    ) {
        if dialed {
            self.book.connected(&address);
        }
        let verdict = if self.conversation.is_read_only() {
            refuse(ByeReason::StoreFailed, "the store failed")
        } else if !self.is_online {
            // Its handshake was under way.
            refuse(ByeReason::Leaving, "going offline")
        } else {
            self.judge(proof)
        };
        let graph = self.conversation.graph();
        let mut session = Session::new(connection, proof, address, dialed, graph, self.now.monotonic_ms);
        session.is_served = matches!(verdict, Verdict::Serve);
        self.sessions.insert(connection, session);
        self.replan();
        if let Verdict::Refuse(reason, text) = verdict {
            return self.close(connection, reason, &text);
        }
        let graph = self.conversation.graph();
        let hello = Hello {
            protocol: PROTOCOL,
            store: self.conversation.store(),
            digest: graph.digest(),
            entries: u64::from(graph.durable()),
        };
        self.send(connection, Frame::Hello(hello));
    }

    fn judge(&mut self, proof: &PeerProof) -> Verdict {
        let graph = self.conversation.graph();
        // Homes of one person are in or out together, and keep each other up to date also then.
        let is_me = proof.author == self.conversation.me();
        if graph.is_empty() || is_me || graph.is_member(&proof.author) {
            return Verdict::Serve;
        }
        if let Some(by) = graph.removed_by(&proof.author) {
            // No ticket leads back: an admin has to want it.
            return Verdict::Refuse(ByeReason::Removed, self.removed_text(&by));
        }
        if let Some(shown) = &proof.invite {
            return self.judge_invite(&proof.author, shown);
        }
        if self.is_vouched_for(proof) { Verdict::Serve } else { Verdict::TakeOnly }
    }

    /// Checks an invite by our own clock and knowledge, and lets its holder in.
    fn judge_invite(&mut self, author: &AuthorKey, shown: &Shown) -> Verdict {
        let graph = self.conversation.graph();
        let purpose = Purpose::Invite { room: &graph.room(), key: author, channel: &shown.channel };
        if !verify(&shown.key, purpose, &shown.signature) {
            return refuse(ByeReason::InviteUnknown, "the proof of the invite does not hold");
        }
        let mut trouble = None;
        for (id, invite) in graph.invites_by(&shown.key) {
            let Some(why) = self.trouble_with(&id, &invite) else {
                let proof = InviteProof { invite: id, channel: shown.channel, signature: shown.signature };
                return match self.conversation.admit(*author, Some(proof), self.now.wall_ms, None) {
                    Ok(_) => Verdict::Serve,
                    Err(_) => refuse(ByeReason::NotMember, "the one you met cannot let anyone in"),
                };
            };
            trouble.get_or_insert(why);
        }
        let unknown = || refuse(ByeReason::InviteUnknown, "this invite is not known here (yet)");
        trouble.unwrap_or_else(unknown)
    }

    /// Why an invite lets nobody in.
    fn trouble_with(&self, id: &EntryId, invite: &Invite) -> Option<Verdict> {
        let graph = self.conversation.graph();
        if graph.is_revoked(id) {
            Some(refuse(ByeReason::InviteRevoked, "this invite was taken back"))
        } else if invite.expires_ms.is_some_and(|expires| self.now.wall_ms >= expires) {
            Some(refuse(ByeReason::InviteExpired, "the invite has expired"))
        } else if invite.uses.is_some_and(|uses| graph.invite_uses(id) >= uses) {
            Some(refuse(ByeReason::InviteUsedUp, "the invite was used as often as it may be"))
        } else {
            None
        }
    }

    fn removed_text(&self, by: &AuthorKey) -> String {
        let name = self.conversation.members().name(by);
        format!("{} removed you from this room", name.unwrap_or("an admin"))
    }

    /// Whether cards lead from the room's creator to someone we do not know yet, past nobody who is out.
    fn is_vouched_for(&self, proof: &PeerProof) -> bool {
        let graph = self.conversation.graph();
        let is_from_creator = proof.cards.first().map(|card| card.admitter) == graph.creator();
        let on_the_way = proof.cards.iter().map(|card| &card.admitter).chain([&proof.author]);
        let is_someone_out = on_the_way.into_iter().any(|key| graph.is_out(key));
        is_from_creator && !is_someone_out && proof.are_cards_authentic(&graph.room())
    }

    /// Who was served because nothing was here is judged by what is here now; who shows an invite, once we can let in.
    pub(super) fn judge_first_peers(&mut self) {
        if self.conversation.graph().durable() == 0 {
            return;
        }
        let me = self.conversation.me();
        let may_admit = self.conversation.graph().is_member(&me);
        let unjudged = self.sessions.values_mut().filter_map(|session| {
            let proof = session.unjudged.take()?;
            Some((session.connection, proof))
        });
        let unjudged: Vec<(ConnectionId, Box<PeerProof>)> = unjudged.collect();
        for (connection, proof) in unjudged {
            let is_member = self.conversation.graph().is_member(&proof.author);
            let is_served = is_member || proof.author == me || self.is_vouched_for(&proof);
            let has_invite = !is_served && proof.invite.is_some();
            if has_invite
                && may_admit
                && let Verdict::Refuse(reason, text) = self.judge(&proof)
            {
                self.close(connection, reason, &text);
            } else if let Some(session) = self.sessions.get_mut(&connection) {
                // Whoever is served only from now on is greeted with that.
                session.is_served &= is_served;
                session.unjudged = (has_invite && !may_admit).then_some(proof);
            }
        }
    }

    /// Peers that what just became durable made members are served from now on.
    /// Who left or was removed is told so, and served no more.
    pub(super) fn serve_new_members(&mut self) {
        let graph = self.conversation.graph();
        let me = self.conversation.me();
        let is_out = |session: &&Session| session.author != me && graph.is_out(&session.author);
        let gone: Vec<(ConnectionId, Option<AuthorKey>)> = self
            .sessions
            .values()
            .filter(is_out)
            .map(|gone| (gone.connection, graph.removed_by(&gone.author)))
            .collect();
        for (connection, by) in gone {
            match by {
                Some(by) => self.close(connection, ByeReason::Removed, &self.removed_text(&by)),
                None => self.close(connection, ByeReason::NotMember, "you left this room"),
            }
        }
        let graph = self.conversation.graph();
        let is_new = |session: &&Session| !session.is_served && graph.is_member(&session.author);
        let new: Vec<ConnectionId> =
            self.sessions.values().filter(is_new).map(|new| new.connection).collect();
        for connection in new {
            if let Some(session) = self.sessions.get_mut(&connection) {
                session.is_served = true;
            }
            self.introduce_addresses(connection, None);
            self.exchange(connection, 0);
            self.greet_with_seen(connection);
        }
    }

    /// Checks what a HELLO says about the connection itself. False if it was closed for it.
    pub(super) fn is_only_connection(&mut self, connection: ConnectionId, hello: &Hello) -> bool {
        let Some(session) = self.sessions.get(&connection) else { return false };
        let (author, dialed) = (session.author, session.dialed.clone());
        let rank = (session.is_relayed(), session.channel);
        let endpoint = (author, hello.store);
        self.replan();
        if let Some(address) = &dialed {
            self.book.answered(address, endpoint);
        }
        if endpoint == (self.conversation.me(), self.conversation.store()) {
            if let Some(address) = &dialed {
                self.book.is_ourselves(address);
            }
            self.close(connection, ByeReason::SelfConnection, "that is this replica itself");
            return false;
        }
        let twin = self
            .sessions
            .values()
            .find(|other| other.connection != connection && other.endpoint() == Some(endpoint));
        let ranked = twin.map(|twin| (twin.connection, (twin.is_relayed(), twin.channel)));
        let Some((other, other_rank)) = ranked else {
            return true;
        };
        // Both sides know both channels and which goes through a server, so both keep the same one.
        let loser = if rank < other_rank { other } else { connection };
        let kept = if loser == other { connection } else { other };
        let came = self.sessions.get_mut(&loser).map(|session| session.outgoing.take_held());
        if let (Some(came), Some(session)) = (came, self.sessions.get_mut(&kept)) {
            came.into_iter().for_each(|position| session.outgoing.has(position));
        }
        self.tell(Event::Doubled(loser));
        self.close(loser, ByeReason::Duplicate, "connected twice; the other connection is kept");
        loser == other
    }
}

fn refuse(reason: ByeReason, text: &str) -> Verdict {
    Verdict::Refuse(reason, text.to_owned())
}
