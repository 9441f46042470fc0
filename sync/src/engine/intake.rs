//! Blocks that come in: from peers, and from files.

use std::collections::BTreeMap;

use replica::id::{AuthorKey, Position, StoreId};

use crate::conversation::{BlockKind, ConnectionId, Received, SayError, Tag};
use crate::engine::{Engine, Event};
use crate::penalty::Refused;
use crate::wire::ByeReason;

impl Engine {
    pub(super) fn on_block(
        &mut self,
        connection: ConnectionId,
        kind: BlockKind,
        block: Vec<u8>,
        was_asked: bool,
    ) {
        let Some(session) = self.sessions.get_mut(&connection) else { return };
        let Some(frame) = session.incoming.frame(block.len()) else {
            return self.offence(connection, Refused::Protocol, "more than the window was sent");
        };
        let log_before = self.conversation.graph().len();
        let received = self.receive(connection, frame, kind, block);
        if !was_asked {
            self.pace_peer(connection, log_before);
        }
        if let Some(session) = self.sessions.get_mut(&connection)
            && !session.incoming.waits(frame)
        {
            // It begins anew with what is missing.
            self.close(connection, ByeReason::TooSlow, "too much waits here for what has not come");
        }
        self.acknowledge();
        // Also who sent a block that had to wait until it could be looked at.
        for (from, offence) in received.offences {
            self.offence(from, offence.refused(), &offence.to_string());
        }
    }

    /// Takes in a block of a file, as if a peer had sent it.
    pub(super) fn import(&mut self, tag: Tag, block: Vec<u8>) -> Result<(), SayError> {
        if self.conversation.is_read_only() {
            return Err(SayError::ReadOnly);
        }
        let received = self.receive(ConnectionId::FILE, tag, BlockKind::Data, block);
        let taken =
            received.taken.iter().find(|(from, number, _)| (*from, *number) == (ConnectionId::FILE, tag));
        let taken = taken.map(|(_, _, new)| *new);
        let mut outcome = match taken {
            // Nothing of it is to become durable.
            Some(0) => {
                self.tell(Event::Imported { tag, new: 0 });
                Ok(())
            }
            Some(_) => Ok(()),
            None => Err(SayError::Incomplete),
        };
        // Causes come first in a file: what waits would wait for ever.
        self.conversation.forget(ConnectionId::FILE);
        for (from, offence) in received.offences {
            if from == ConnectionId::FILE {
                tracing::info!(%offence, "a block of a bundle is refused");
                outcome = Err(SayError::NotSound);
            } else {
                self.offence(from, offence.refused(), &offence.to_string());
            }
        }
        outcome
    }

    /// Has the gate look at a block, and notes whose frames were taken in with it.
    fn receive(&mut self, connection: ConnectionId, frame: u64, kind: BlockKind, block: Vec<u8>) -> Received {
        let mine = self.conversation.chain();
        let own_before = self.conversation.graph().chain_len(&mine);
        let received = self.conversation.receive(connection, frame, kind, block);
        let length = self.conversation.graph().len();
        for (from, number, new) in &received.taken {
            if let Some(session) = self.sessions.get_mut(from) {
                session.incoming.taken(*number, *new, length, self.now.monotonic_ms);
            }
        }
        if self.conversation.graph().chain_len(&mine) != own_before {
            self.renew_chain();
        }
        received
    }

    /// Notes who said what came in from a position on, by which peer.
    fn pace_peer(&mut self, connection: ConnectionId, first: Position) {
        let (graph, now_ms) = (self.conversation.graph(), self.now.monotonic_ms);
        let mut said: BTreeMap<AuthorKey, u64> = BTreeMap::new();
        (first..graph.len()).for_each(|at| *said.entry(graph.chain(at).author).or_default() += 1);
        said.iter().for_each(|(author, entries)| self.pace.note(*author, *entries, now_ms));
        let heaviest = said.into_iter().max_by_key(|(_, entries)| *entries).map(|(author, _)| author);
        if let Some(session) = self.sessions.get_mut(&connection) {
            session.incoming.said_by = heaviest.or(session.incoming.said_by);
        }
    }

    /// Someone else wrote in our chain: a copy of this home, or this home before a backup was put back.
    pub(super) fn renew_chain(&mut self) {
        use rand_chacha::rand_core::Rng as _;
        let incarnation = self.rng.next_u64();
        let mut store = [0; 16];
        self.rng.fill_bytes(&mut store);
        self.conversation.renew(StoreId(store), incarnation);
        self.tell(Event::Renewed);
        // The copy goes by our old name; connections are made anew under the new one.
        let dialed: Vec<String> =
            self.sessions.values().filter_map(|session| session.dialed.clone()).collect();
        self.hang_up(ByeReason::Renewed, "under a new name from now on");
        dialed.iter().for_each(|address| self.book.renewed(address, self.now.monotonic_ms));
    }
}
