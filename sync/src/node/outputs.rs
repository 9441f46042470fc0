//! What the rooms' engines want done, and what their stores answer.

use replica::id::RoomId;
use replica::store::StoreError;

use crate::engine::{Command, Event, Input, Output, Row};
use crate::limits::{REFUSALS_NEWS, millis};
use crate::node::driver::Driver;
use crate::node::keeper::{Job, Kept};
use crate::node::listeners::Audience;
use crate::node::network::Dial;
use crate::node::{NodeError, NodeEvent};
use crate::penalty::Refused;
use crate::wire::{ByeReason, encode};

impl Driver {
    /// Does all that the core wants done. Answers when it wants to be woken.
    pub(super) fn drain(&mut self) -> Option<u64> {
        self.drain_lobby();
        self.drain_rooms();
        let now = self.clock.now().monotonic_ms;
        self.lobby.keep_up(now);
        self.drain_lobby();
        let own = [self.lobby.deadline(), self.tell_refusals(now), self.tell_news(now)];
        let mut deadline =
            self.rooms.values().filter_map(|open| open.due_ms).chain(own.into_iter().flatten()).min();
        if self.room().is_none() && !self.is_offline {
            for address in self.book.poll_dials(now) {
                self.dial(Dial { room: None, address, knocks: true });
            }
            deadline = deadline.into_iter().chain(self.book.next_due()).min();
        }
        deadline
    }

    /// Each room in turn, until all of them wait.
    fn drain_rooms(&mut self) {
        loop {
            while let Some(room) = self.stirred.pop_first() {
                self.drain_room(room);
            }
            if !std::mem::take(&mut self.may_have_moved) || self.rooms.is_empty() {
                return;
            }
            let addresses = self.reachable_at().into_iter().map(Into::into).collect();
            self.handle_all(&Command::Reachable(addresses));
            self.announce();
        }
    }

    fn drain_room(&mut self, room: RoomId) {
        while let Some(open) = self.rooms.get_mut(&room) {
            match open.engine.poll_output() {
                Output::Send(connection, frame) => {
                    // A failure is explained by the connection's end, which follows.
                    self.transport.send(connection, encode(&frame)).ok();
                }
                Output::Close(connection, bye) => {
                    if bye.as_ref().is_some_and(|bye| turns_away(bye.reason)) {
                        self.transport.charge(connection, Refused::NotMember);
                    }
                    self.transport.close(connection, bye);
                }
                Output::Dial(address) => self.dial(Dial { room: Some(room), address, knocks: false }),
                Output::Persist(batch) => open.ask(Job::Commit(batch)),
                Output::Read(connection, positions) => open.ask(Job::Read(connection, positions)),
                Output::ReadNewest(connection, count) => open.ask(Job::ReadNewest(connection, count)),
                Output::Event(event) => self.on_event(room, event),
                Output::Wait(due_ms) => {
                    open.due_ms = due_ms;
                    return;
                }
            }
        }
    }

    /// Tells how much was refused, if that is news; else when it may be told.
    fn tell_refusals(&mut self, now_ms: u64) -> Option<u64> {
        let total = self.transport.refusals().total();
        if total == self.refusals_told {
            return None;
        }
        if now_ms < self.refusals_due_ms {
            return Some(self.refusals_due_ms);
        }
        (self.refusals_told, self.refusals_due_ms) = (total, now_ms + millis(REFUSALS_NEWS));
        self.tell(NodeEvent::Refused(self.transport.refusals().clone()));
        None
    }

    pub(super) fn on_kept(&mut self, room: RoomId, kept: Kept) {
        match kept {
            Kept::Persisted(rows_after) => {
                self.handle(Some(room), Input::Persisted(rows_after));
                if self.rooms.get_mut(&room).is_some_and(|open| std::mem::take(&mut open.takes_drafts)) {
                    self.forget_home_drafts();
                }
            }
            Kept::Newest(connection, positions, blocks) => {
                self.handle(Some(room), Input::Newest(connection, positions, blocks));
            }
            Kept::Blocks(connection, blocks) => self.handle(Some(room), Input::Blocks(connection, blocks)),
            Kept::Page(rows, answer) => {
                let conversation = self.rooms.get(&room).map(|open| open.engine.conversation());
                let rows = conversation.map(|conversation| {
                    rows.into_iter().map(|row| Row::of_page(conversation, row)).collect()
                });
                drop(answer.send(rows.ok_or(NodeError::NoRoom)));
            }
            Kept::Failed(error) => self.on_store_failed(room, &error),
        }
    }

    /// What is to be written there cannot be kept.
    pub(super) fn on_store_failed(&mut self, room: RoomId, error: &StoreError) {
        tracing::error!(%error, %room, "the store failed");
        let why = match error {
            // What the system says of it is what helps.
            StoreError::Io(source) => source.to_string(),
            other => other.to_string(),
        };
        self.only_read(room, why);
    }

    /// From now on nothing is written there. That is told once, before what follows from it.
    pub(super) fn only_read(&mut self, room: RoomId, why: String) {
        if self.rooms.get(&room).is_some_and(|open| open.engine.conversation().is_read_only()) {
            return;
        }
        self.tell_to(NodeEvent::Failed(why.clone()), Audience::In(Some(room)));
        self.on_room_failed(room, why);
        self.handle(Some(room), Input::StoreFailed);
    }

    fn on_event(&mut self, room: RoomId, event: Event) {
        match &event {
            Event::Written { tag, .. } => {
                if let Some(connection) = self.admissions.remove(tag)
                    && let Some(ticket) = self.ticket(Some(room), None)
                {
                    self.lobby.admitted(connection, &ticket);
                }
            }
            Event::Refused { tag, .. } => {
                if let Some(connection) = self.admissions.remove(tag) {
                    self.lobby.not_admitted(connection);
                }
            }
            Event::Row(row) => {
                if replica::entry::Kind::is_roster(row.kind) {
                    self.on_roster_changed(room);
                }
                self.note_unread(room, row);
            }
            Event::Offence { connection, refused, .. } => self.transport.charge(*connection, *refused),
            Event::DialFailed { address, trouble } if self.room() == Some(room) => {
                self.on_dial_trouble(address, *trouble);
            }
            _ => {}
        }
        self.tell_to(NodeEvent::Engine(event), Audience::In(Some(room)));
    }
}

/// Whether somebody with the room's secret is told to go because nobody let them in.
fn turns_away(reason: ByeReason) -> bool {
    use ByeReason::{InviteExpired, InviteRevoked, InviteUnknown, InviteUsedUp, NotMember, Removed};
    matches!(reason, NotMember | Removed | InviteExpired | InviteUsedUp | InviteUnknown | InviteRevoked)
}
