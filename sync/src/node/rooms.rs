//! Which rooms a home has: the one it opens first, a ticket's, a new one, or none yet.

use std::collections::BTreeSet;

use rand_chacha::rand_core::Rng as _;
use replica::archive::{Draft, PERIOD_MS};
use replica::home::{HomeDraft, RoomState, Secret};
use replica::id::{ChainId, RoomId, StoreId};

use crate::book::Source;
use crate::conversation::{Conversation, SayError, Tag, check_message, check_name, first_entry};
use crate::discovery::{rendezvous_address, rendezvous_of};
use crate::engine::{Command, Event, Input};
use crate::limits::HOME_DRAFTS_MAX;
use crate::node::driver::Driver;
use crate::node::keeper::{Keeper, Place};
use crate::node::listeners::{Audience, HANDLE};
use crate::node::{NodeError, NodeEvent};
use crate::ticket::Ticket;

impl Driver {
    /// What a home needs before anything is written: new chains if it was copied, and the name its owner wants.
    pub(super) fn prepare_home(&mut self) -> Result<(), NodeError> {
        if self.home.was_copied() {
            tracing::info!("the home was moved, copied or restored: every room goes on under a new chain");
            self.home.settle_place()?;
        }
        if let Some(nick) = self.options.nick.clone() {
            check_name(&nick)?;
            self.home.change(|state| state.nick = Some(nick))?;
        }
        Ok(())
    }

    /// Opens the ticket's room, or the current one, or makes one; or none, if somebody is to be asked first.
    pub(super) async fn open_first_room(&mut self) -> Result<(), NodeError> {
        if let Some(ticket) = self.options.ticket.take() {
            self.keep_ticket(&ticket)?;
        }
        match self.home.state().current_room {
            Some(room) => {
                self.keep_peers(room);
                self.open_room(room).await?;
                self.seat(HANDLE, room, false, None);
                if let Some(why) = self.troubles.get(&room).cloned() {
                    self.tell_to(NodeEvent::Failed(why), Audience::In(Some(room)));
                }
            }
            None if self.options.makes_room => self.make_first_room().await?,
            None => {
                let now = self.clock.now().monotonic_ms;
                let peers = self.options.peers.clone();
                peers.into_iter().for_each(|peer| self.book.add(peer, Source::Named, now));
                self.update_answers();
            }
        }
        if self.options.all_rooms {
            self.open_all();
        }
        Ok(())
    }

    /// Notes a ticket's room in the home, as the current one.
    pub(super) fn keep_ticket(&mut self, ticket: &Ticket) -> Result<(), NodeError> {
        let ticket = ticket.clone();
        self.home.change(|state| {
            state.current_room = Some(ticket.room);
            let invite = ticket.invite.map(Secret);
            match state.room_mut(&ticket.room) {
                // What is known of a room is not overwritten by whoever made the ticket.
                Some(room) => {
                    room.invite_secret = invite.or(room.invite_secret);
                    let new = ticket.addresses.iter().filter(|address| !room.peers.contains(address));
                    let new: Vec<String> = new.cloned().collect();
                    room.peers.extend(new);
                }
                None => state.rooms.push(RoomState {
                    id: ticket.room,
                    name: format!("room-{}", &ticket.room.to_string()[..4]),
                    secret: Secret(ticket.secret),
                    invite_secret: invite,
                    renew: false,
                    peers: ticket.addresses,
                }),
            }
        })?;
        Ok(())
    }

    /// Makes a room named `home`, and goes into it.
    async fn make_first_room(&mut self) -> Result<(), NodeError> {
        let room = self.make_room(ROOM_NAME).await?;
        self.move_on(None, room, true);
        Ok(())
    }

    /// Makes a room, and opens it. It is the home's current one.
    pub(super) async fn make_room(&mut self, name: &str) -> Result<RoomId, NodeError> {
        if self.is_full() {
            return Err(NodeError::TooManyRooms);
        }
        let mut secret = [0; 32];
        self.rng.fill_bytes(&mut secret);
        let identity = self.home.identity().clone();
        let fresh = self.fresh_names();
        let chain = ChainId { author: identity.key(), incarnation: fresh.1 };
        let wall_ms = self.clock.now().wall_ms;
        let first = first_entry(&identity, chain, name, period_s(), wall_ms)?;
        let room = RoomId(first.id().0);
        let (folder, maintains) = (self.home.store_dir(&room), self.options.maintains);
        let place = Place { folder: folder.clone(), room, fresh, renew: false, maintains };
        let (keeper, found, trouble) = Keeper::open(place).await?;
        if let Some(source) = trouble {
            return Err(NodeError::Store { folder, source });
        }
        let mut conversation = Conversation::new(found, identity, self.nick());
        conversation.found(name, period_s(), wall_ms)?;
        self.home.change(|state| {
            state.rooms.push(RoomState {
                id: room,
                name: name.to_owned(),
                secret: Secret(secret),
                invite_secret: None,
                renew: false,
                peers: Vec::new(),
            });
        })?;
        if self.room().is_none() {
            self.keep_peers(room);
        }
        self.enter(room, conversation, keeper);
        // Before its first entry is durable nobody could be a member of it: a crash leaves the home without it.
        self.settle_store(room).await;
        self.home.change(|state| state.current_room = Some(room))?;
        Ok(room)
    }

    /// Two people met who both had no room, and it is ours to make.
    pub(super) async fn make_room_for_knockers(&mut self) {
        let knockers = std::mem::take(&mut self.makes_room_for);
        if self.room().is_none()
            && let Err(error) = self.make_first_room().await
        {
            self.tell(NodeEvent::Failed(error.to_string()));
        }
        for (connection, author) in knockers {
            if self.room().is_some() {
                self.admit(connection, author);
            } else {
                self.lobby.not_admitted(connection);
            }
        }
    }

    /// Meets members by the servers that are kept with the open rooms, and by no others.
    pub(super) fn use_kept_servers(&mut self) {
        let rooms: Vec<RoomId> = self.rooms.keys().copied().collect();
        let servers: BTreeSet<String> = rooms.iter().flat_map(|room| self.servers_of(room)).collect();
        if self.options.dials {
            self.discovery.use_servers(servers.into_iter());
        }
    }

    /// The servers that are kept with a room.
    pub(super) fn servers_of(&self, room: &RoomId) -> BTreeSet<String> {
        let peers = self.home.state().room(room).into_iter().flat_map(|room| &room.peers);
        peers.filter_map(|it| rendezvous_of(it)).map(str::to_owned).collect()
    }

    /// A name that was asked for at the start is written down, where another one holds.
    pub(super) fn insist_on_nick(&mut self, room: RoomId) {
        let Some(open) = self.rooms.get(&room) else { return };
        let conversation = open.engine.conversation();
        let held = conversation.members().name(&conversation.me());
        if let (Some(nick), Some(held)) = (self.options.nick.take(), held)
            && held != nick
        {
            self.handle(Some(room), Input::Command(0, Command::SetNick(nick)));
        }
    }

    /// Keeps what is written before there is a room; it goes into the first one.
    pub(super) fn keep_home_draft(&mut self, tag: Tag, text: String) {
        let error = match check_message(&text) {
            Err(error) => Some(error),
            Ok(()) if self.home.state().drafts.len() >= HOME_DRAFTS_MAX => Some(SayError::TooManyDrafts),
            Ok(()) => None,
        };
        if let Some(error) = error {
            return self.tell_to(NodeEvent::Engine(Event::Refused { tag, error }), Audience::In(None));
        }
        let written_ms = self.clock.now().wall_ms;
        let draft = Draft { written_ms, text: text.clone() };
        let kept = self.home.change(|state| {
            let number = state.next_draft;
            state.next_draft += 1;
            state.drafts.push(HomeDraft { number, written_ms, text });
        });
        match kept {
            Ok(()) => {
                let told = NodeEvent::Engine(Event::Draft { tag: Some(tag), draft });
                self.tell_to(told, Audience::In(None));
            }
            Err(error) => {
                tracing::error!(%error, "the draft was not kept");
                let told = NodeEvent::Engine(Event::Refused { tag, error: SayError::ReadOnly });
                self.tell_to(told, Audience::In(None));
            }
        }
    }

    /// The room's store has the home's drafts.
    pub(super) fn forget_home_drafts(&mut self) {
        if let Err(error) = self.home.change(|state| state.drafts.clear()) {
            tracing::warn!(%error, "the home still holds drafts that were taken");
        }
    }

    /// Addresses and servers that were named at the start are kept with the room.
    pub(super) fn keep_peers(&mut self, room: RoomId) {
        let servers = self.options.discovery.rendezvous.iter().map(|server| rendezvous_address(server));
        let peers: Vec<String> = self.options.peers.iter().cloned().chain(servers).collect();
        self.keep_addresses(room, peers);
    }

    /// Addresses are kept with a room.
    pub(super) fn keep_addresses(&mut self, room: RoomId, addresses: Vec<String>) {
        let kept = self.home.change(|state| {
            if let Some(known) = state.room_mut(&room) {
                let new: Vec<String> =
                    addresses.into_iter().filter(|address| !known.peers.contains(address)).collect();
                known.peers.extend(new);
            }
        });
        if let Err(error) = kept {
            tracing::warn!(%error, "the peers were not kept");
        }
    }

    /// Who is in a room changed: so may what we show there, and what it is called.
    pub(super) fn on_roster_changed(&mut self, room: RoomId) {
        if let Some(open) = self.rooms.get(&room) {
            let conversation = open.engine.conversation();
            let name = conversation.members().room_name().map(str::to_owned);
            let is_member = conversation.graph().is_member(&conversation.me());
            let noted = self.home.change(|state| {
                if let Some(known) = state.room_mut(&room) {
                    known.name = name.clone().unwrap_or_else(|| known.name.clone());
                    known.invite_secret = known.invite_secret.filter(|_| !is_member);
                }
            });
            if let Err(error) = noted {
                tracing::warn!(%error, "the room's name was not noted");
            }
        }
        self.update_answers();
    }

    pub(super) fn nick(&self) -> String {
        self.home.state().nick.clone().unwrap_or_else(|| "someone".to_owned())
    }

    pub(super) fn fresh_names(&mut self) -> (StoreId, u64) {
        let mut store = [0; 16];
        self.rng.fill_bytes(&mut store);
        (StoreId(store), self.rng.next_u64())
    }
}

fn period_s() -> u32 {
    u32::try_from(PERIOD_MS / 1000).unwrap_or(u32::MAX)
}

/// What a room is called that nobody named.
const ROOM_NAME: &str = "home";
