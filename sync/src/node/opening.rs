//! Rooms that are open, and how they come to be.

use std::collections::BTreeMap;
use std::future::poll_fn;
use std::ops::Bound::{Excluded, Included, Unbounded};
use std::task::{Context, Poll};

use rand_chacha::rand_core::Rng as _;
use replica::archive::Opened;
use replica::id::RoomId;
use replica::store::StoreError;

use crate::conversation::{ConnectionId, Conversation};
use crate::discovery::rendezvous_of;
use crate::engine::{Command, Engine, Input, Settings};
use crate::limits::ROOMS_PER_LISTENER_MAX;
use crate::node::driver::Driver;
use crate::node::finding::Detours;
use crate::node::keeper::{Job, Keeper, Kept, Place};
use crate::node::listeners::Audience;
use crate::node::{NodeError, NodeEvent};
use crate::ticket::Ticket;

/// A room that is open, with all that is its own.
#[derive(Debug)]
pub(super) struct OpenRoom {
    pub(super) engine: Engine,
    /// None once the store's thread has ended.
    pub(super) keeper: Option<Keeper>,
    /// Connections to members, by the address under which the engine has them.
    pub(super) connected: BTreeMap<String, ConnectionId>,
    pub(super) detours: Detours,
    /// When the engine wants to be woken.
    pub(super) due_ms: Option<u64>,
    /// Whether its next batch holds the home's drafts.
    pub(super) takes_drafts: bool,
}

impl OpenRoom {
    pub(super) fn ask(&mut self, job: Job) {
        if let Some(keeper) = &mut self.keeper {
            keeper.ask(job);
        }
    }

    fn is_settled(&self) -> bool {
        let conversation = self.engine.conversation();
        conversation.is_settled() || conversation.is_read_only()
    }
}

/// What came of opening a room's store.
#[derive(Debug)]
pub(super) struct OpenedRoom {
    room: RoomId,
    renew: bool,
    store: Result<(Keeper, Opened, Option<StoreError>), NodeError>,
}

impl OpenedRoom {
    async fn open(room: RoomId, place: Place) -> Self {
        Self { room, renew: place.renew, store: Keeper::open(place).await }
    }
}

/// What a store answers next: of several that have, the one whose turn it is. Never, if none is open.
///
/// # Cancel safety
/// Nothing is lost.
pub(super) async fn next_kept(
    rooms: &mut BTreeMap<RoomId, OpenRoom>,
    heard: Option<RoomId>,
) -> (RoomId, Option<Kept>) {
    let heard = heard.unwrap_or(RoomId([0; 32]));
    let poll = |context: &mut Context<'_>, (room, open): (&RoomId, &mut OpenRoom)| {
        let kept = open.keeper.as_mut()?.poll_next(context);
        if let Poll::Ready(kept) = kept { Some((*room, kept)) } else { None }
    };
    poll_fn(|context| {
        let mut behind = rooms.range_mut((Excluded(heard), Unbounded));
        let found = behind
            .find_map(|open| poll(context, open))
            .or_else(|| rooms.range_mut((Unbounded, Included(heard))).find_map(|open| poll(context, open)));
        found.map_or(Poll::Pending, Poll::Ready)
    })
    .await
}

impl Driver {
    /// Whether no room more may be open.
    pub(super) fn is_full(&self) -> bool {
        self.rooms.len() + self.opening.len() >= ROOMS_PER_LISTENER_MAX
    }

    /// Whether rooms are being opened, or are yet to be.
    pub(super) fn awaits_rooms(&self) -> bool {
        !self.to_open.is_empty() || !self.opening.is_empty()
    }

    /// Whether a room of the home is closed and can be opened, as far as is known.
    pub(super) fn is_to_open(&self, room: &RoomId) -> bool {
        self.home.state().room(room).is_some()
            && !self.rooms.contains_key(room)
            && !self.troubles.contains_key(room)
            && !self.is_full()
    }

    /// Has all rooms of the home opened that are not, as many as may be.
    pub(super) fn open_all(&mut self) {
        let rooms = self.home.state().rooms.iter().map(|room| room.id);
        let closed = rooms.filter(|room| !self.rooms.contains_key(room));
        self.to_open = closed.collect();
    }

    /// Begins with the next room that is to be opened. One after the other, each on its store's thread; who comes
    /// for one of them waits.
    pub(super) fn open_next(&mut self) {
        while self.opening.is_empty()
            && let Some(room) = self.to_open.pop_front()
        {
            if self.rooms.contains_key(&room) {
                continue;
            }
            if self.is_full() {
                tracing::warn!(%room, "not opened: {}", NodeError::TooManyRooms);
                self.troubles.insert(room, NodeError::TooManyRooms.to_string());
                continue;
            }
            let place = self.place_of(room);
            self.opening.spawn(OpenedRoom::open(room, place));
        }
        if self.awaits_rooms() != self.transport.awaits_more() {
            self.update_answers();
        }
    }

    /// Opens a room now, if it is not open. One that is just being opened is waited for.
    pub(super) async fn open_room(&mut self, room: RoomId) -> Result<(), NodeError> {
        while let Some(opened) = self.opening.join_next().await {
            match opened {
                Ok(opened) if opened.room == room => return self.take_opened(opened),
                Ok(opened) => self.on_opened(opened),
                Err(_) => {}
            }
        }
        if self.rooms.contains_key(&room) {
            return Ok(());
        }
        if self.is_full() {
            return Err(NodeError::TooManyRooms);
        }
        self.to_open.retain(|other| *other != room);
        let place = self.place_of(room);
        let opened = OpenedRoom::open(room, place).await;
        self.take_opened(opened)
    }

    fn place_of(&mut self, room: RoomId) -> Place {
        let renew = self.home.state().room(&room).is_some_and(|room| room.renew);
        let (folder, maintains) = (self.home.store_dir(&room), self.options.maintains);
        Place { folder, room, fresh: self.fresh_names(), renew, maintains }
    }

    /// A room's store was opened, or was not: then whoever is in others is told.
    pub(super) fn on_opened(&mut self, opened: OpenedRoom) {
        let room = opened.room;
        if let Err(error) = self.take_opened(opened) {
            tracing::warn!(%room, %error, "the room was not opened");
            self.on_room_failed(room, error.to_string());
        }
    }

    fn take_opened(&mut self, opened: OpenedRoom) -> Result<(), NodeError> {
        let OpenedRoom { room, renew, store } = opened;
        let (keeper, found, trouble) = store?;
        if renew && trouble.is_none() {
            self.home
                .change(|state| state.room_mut(&room).into_iter().for_each(|room| room.renew = false))?;
        }
        let conversation = Conversation::new(found, self.home.identity().clone(), self.nick());
        self.enter(room, conversation, keeper);
        if let Some(error) = trouble {
            // What is here can be read all the same.
            self.on_store_failed(room, &error);
        }
        Ok(())
    }

    /// Keeps what is wrong with a room, and tells whoever is in others.
    pub(super) fn on_room_failed(&mut self, room: RoomId, why: String) {
        let name = self.name_of(&room);
        self.troubles.insert(room, why.clone());
        self.tell_to(NodeEvent::RoomFailed { id: room, name, why }, Audience::Outside(room));
    }

    /// The room is open from now on.
    pub(super) fn enter(&mut self, room: RoomId, mut conversation: Conversation, keeper: Keeper) {
        let mut seed = [0; 32];
        self.rng.fill_bytes(&mut seed);
        let listening = self.reachable_at().into_iter().map(Into::into).collect();
        let settings = Settings { seed, listening, learns_addresses: self.options.dials };
        // What was written before there was a room goes into the first one.
        let takes_drafts = self.room().is_none() && !self.home.state().drafts.is_empty();
        if takes_drafts {
            let drafts = self.home.state().drafts.iter();
            let drafts = drafts.map(|draft| (draft.number, draft.written_ms, draft.text.clone())).collect();
            conversation.take_home_drafts(drafts);
        }
        let mut engine = Engine::new(conversation, settings, self.clock.now());
        let kept = self.home.state().room(&room).map(|room| room.peers.clone()).unwrap_or_default();
        let peers: Vec<String> = kept.into_iter().filter(|it| rendezvous_of(it).is_none()).collect();
        if self.options.dials {
            engine.dial_all(&peers);
        }
        let (connected, detours) = (BTreeMap::new(), Detours::default());
        let open = OpenRoom { engine, keeper: Some(keeper), connected, detours, due_ms: None, takes_drafts };
        self.rooms.insert(room, open);
        self.stirred.insert(room);
        self.troubles.remove(&room);
        if self.is_offline {
            self.handle(Some(room), Input::Command(0, Command::SetOnline(false)));
        }
        self.use_kept_servers();
        self.insist_on_nick(room);
        self.on_roster_changed(room);
    }

    /// Goes into a room of the home, which is the current one from then on.
    pub(super) async fn switch(&mut self, who: u32, room: RoomId) -> Result<(), NodeError> {
        if self.home.state().room(&room).is_none() {
            return Err(NodeError::NoRoom);
        }
        self.open_room(room).await?;
        self.home.change(|state| state.current_room = Some(room))?;
        self.settle_in(who, room);
        Ok(())
    }

    /// Keeps a ticket's room, beside the others, and opens it; its addresses are dialled.
    pub(super) async fn join(&mut self, ticket: &Ticket) -> Result<(), NodeError> {
        let room = ticket.room;
        if !self.rooms.contains_key(&room) && self.is_full() {
            return Err(NodeError::TooManyRooms);
        }
        let was_open = self.rooms.contains_key(&room);
        self.keep_ticket(ticket)?;
        self.open_room(room).await?;
        if was_open {
            let peers = ticket.addresses.iter().filter(|it| rendezvous_of(it).is_none());
            for address in peers {
                self.handle(Some(room), Input::Command(0, Command::Dial(address.clone())));
            }
            self.use_kept_servers();
            self.update_answers();
        }
        Ok(())
    }

    /// Goes into the room of a ticket that a knock brought. The one before stays open.
    pub(super) async fn change_room(&mut self, ticket: Ticket) {
        let before = self.room();
        if before != Some(ticket.room) {
            let kept = self.keep_ticket(&ticket).map(|()| self.keep_peers(ticket.room));
            let joined = match kept {
                Ok(()) => self.join(&ticket).await,
                Err(error) => Err(error),
            };
            match joined {
                Ok(()) => self.move_on(before, ticket.room, false),
                Err(error) => self.on_room_failed(ticket.room, error.to_string()),
            }
        }
        self.lobby.moved();
        self.update_answers();
    }

    /// Waits until everything admitted to a room is durable, or its store failed.
    pub(super) async fn settle_store(&mut self, room: RoomId) {
        self.drain();
        while let Some(open) = self.rooms.get_mut(&room).filter(|open| !open.is_settled())
            && let Some(keeper) = &mut open.keeper
            && let Some(kept) = poll_fn(|context| keeper.poll_next(context)).await
        {
            self.on_kept(room, kept);
            self.drain();
        }
    }

    /// Waits until everything admitted is durable, then has the stores closed.
    pub(super) async fn leave_stores(&mut self) {
        while let Some(opened) = self.opening.join_next().await {
            if let Ok(OpenedRoom { store: Ok((keeper, ..)), .. }) = opened {
                keeper.close().await;
            }
        }
        let rooms: Vec<RoomId> = self.rooms.keys().copied().collect();
        for room in rooms {
            self.settle_store(room).await;
            if let Some(keeper) = self.rooms.get_mut(&room).and_then(|open| open.keeper.take()) {
                keeper.close().await;
            }
        }
    }
}
