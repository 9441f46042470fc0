//! Which room is open: the home's, a ticket's, a new one, or none yet.

use rand_chacha::rand_core::Rng as _;
use replica::archive::{Draft, PERIOD_MS};
use replica::home::{HomeDraft, RoomState, Secret};
use replica::id::{ChainId, RoomId, StoreId};
use replica::store::StoreError;

use crate::book::Source;
use crate::conversation::{Conversation, SayError, Tag, check_message, check_name, first_entry};
use crate::discovery::{rendezvous_address, rendezvous_of};
use crate::engine::{Command, Engine, Event, Input, Settings};
use crate::limits::HOME_DRAFTS_MAX;
use crate::node::driver::Driver;
use crate::node::keeper::{Keeper, Place};
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
            Some(room) => self.open_room(room, None).await,
            None if self.options.makes_room => self.make_room().await,
            None => {
                let now = self.clock.now().monotonic_ms;
                let peers = self.options.peers.clone();
                peers.into_iter().for_each(|peer| self.book.add(peer, Source::Named, now));
                self.update_answers();
                Ok(())
            }
        }
    }

    /// Goes into the room of a ticket that a knock brought. The one before stays in the home.
    pub(super) async fn change_room(&mut self, ticket: Ticket) {
        let before = self.room().and_then(|room| self.home.state().room(&room).map(|room| room.name.clone()));
        if self.room() != Some(ticket.room) {
            self.handle(Input::Command(0, Command::HangUp));
            self.leave_store().await;
            self.engine = None;
            let opened = match self.keep_ticket(&ticket) {
                Ok(()) => self.open_room(ticket.room, before).await,
                Err(error) => Err(error),
            };
            if let Err(error) = opened {
                self.tell(NodeEvent::Failed(error.to_string()));
            }
        }
        self.lobby.moved();
        self.update_answers();
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

    /// Makes a room named `home`, and opens it.
    pub(super) async fn make_room(&mut self) -> Result<(), NodeError> {
        let mut secret = [0; 32];
        self.rng.fill_bytes(&mut secret);
        let identity = self.home.identity().clone();
        let (store, incarnation) = self.fresh_names();
        let chain = ChainId { author: identity.key(), incarnation };
        let wall_ms = self.clock.now().wall_ms;
        let first = first_entry(&identity, chain, ROOM_NAME, period_s(), wall_ms)?;
        let room = RoomId(first.id().0);
        let (found, trouble) = self.open_store(room, (store, incarnation), false).await?;
        if let Some(source) = trouble {
            return Err(NodeError::Store { folder: self.home.store_dir(&room), source });
        }
        let mut conversation = Conversation::new(found, identity, self.nick());
        conversation.found(ROOM_NAME, period_s(), wall_ms)?;
        self.home.change(|state| {
            state.rooms.push(RoomState {
                id: room,
                name: ROOM_NAME.to_owned(),
                secret: Secret(secret),
                invite_secret: None,
                renew: false,
                peers: Vec::new(),
            });
        })?;
        self.enter(room, conversation, true, None);
        // Before its first entry is durable nobody could be a member of it: a crash leaves the home without it.
        self.settle_store().await;
        self.home.change(|state| state.current_room = Some(room))?;
        Ok(())
    }

    /// Two people met who both had no room, and it is ours to make.
    pub(super) async fn make_room_for_knockers(&mut self) {
        let knockers = std::mem::take(&mut self.makes_room_for);
        if self.engine.is_none()
            && let Err(error) = self.make_room().await
        {
            self.tell(NodeEvent::Failed(error.to_string()));
        }
        for (connection, author) in knockers {
            if self.engine.is_some() {
                self.admit(connection, author);
            } else {
                self.lobby.not_admitted(connection);
            }
        }
    }

    async fn open_room(&mut self, room: RoomId, left: Option<String>) -> Result<(), NodeError> {
        let renew = self.home.state().room(&room).is_some_and(|room| room.renew);
        let fresh = self.fresh_names();
        let (found, trouble) = self.open_store(room, fresh, renew).await?;
        if renew && trouble.is_none() {
            self.home
                .change(|state| state.room_mut(&room).into_iter().for_each(|room| room.renew = false))?;
        }
        let conversation = Conversation::new(found, self.home.identity().clone(), self.nick());
        self.enter(room, conversation, false, left);
        if let Some(error) = trouble {
            // What is here can be read all the same.
            self.on_store_failed(&error);
        }
        Ok(())
    }

    async fn open_store(
        &mut self,
        room: RoomId,
        fresh: (StoreId, u64),
        renew: bool,
    ) -> Result<(replica::archive::Opened, Option<StoreError>), NodeError> {
        let folder = self.home.store_dir(&room);
        let maintains = self.options.maintains;
        let place = Place { folder, room, fresh, renew, maintains };
        let (keeper, found, trouble) = Keeper::open(place).await?;
        self.keeper = Some(keeper);
        Ok((found, trouble))
    }

    /// Waits until everything admitted is durable, or the store failed.
    pub(super) async fn settle_store(&mut self) {
        let is_settled =
            |engine: &Engine| engine.conversation().is_settled() || engine.conversation().is_read_only();
        self.drain();
        while self.engine.as_ref().is_some_and(|engine| !is_settled(engine))
            && let Some(keeper) = &mut self.keeper
            && let Some(kept) = keeper.next().await
        {
            self.on_kept(kept);
            self.drain();
        }
    }

    /// Waits until everything admitted is durable, then has the store closed.
    pub(super) async fn leave_store(&mut self) {
        self.settle_store().await;
        if let Some(keeper) = self.keeper.take() {
            keeper.close().await;
        }
    }

    fn enter(&mut self, room: RoomId, mut conversation: Conversation, is_new: bool, left: Option<String>) {
        let mut seed = [0; 32];
        self.rng.fill_bytes(&mut seed);
        let listening = self.reachable_at().into_iter().map(Into::into).collect();
        let settings = Settings { seed, listening, learns_addresses: self.options.dials };
        let drafts = self.home.state().drafts.iter();
        let drafts = drafts.map(|draft| (draft.number, draft.written_ms, draft.text.clone())).collect();
        conversation.take_home_drafts(drafts);
        let mut engine = Engine::new(conversation, settings, self.clock.now());
        self.keep_peers(room);
        let name = self.home.state().room(&room).map_or(String::new(), |room| room.name.clone());
        let kept = self.home.state().room(&room).map(|room| room.peers.clone()).unwrap_or_default();
        let peers: Vec<String> = kept.into_iter().filter(|it| rendezvous_of(it).is_none()).collect();
        if self.options.dials {
            engine.dial_all(&peers);
        }
        self.engine = Some(engine);
        self.use_kept_servers();
        self.insist_on_nick();
        self.tell(NodeEvent::Room { id: room, name, is_new, left });
        self.on_roster_changed();
    }

    /// Meets members by the servers that are kept with the open room, and by no others.
    pub(super) fn use_kept_servers(&mut self) {
        let state = self.room().and_then(|room| self.home.state().room(&room));
        let servers = state.into_iter().flat_map(|room| room.peers.iter().filter_map(|it| rendezvous_of(it)));
        if self.options.dials {
            self.discovery.use_servers(servers.map(str::to_owned));
        }
    }

    /// A name that was asked for at the start is written down, where another one holds.
    fn insist_on_nick(&mut self) {
        let Some(engine) = &self.engine else { return };
        let conversation = engine.conversation();
        let held = conversation.members().name(&conversation.me());
        if let (Some(nick), Some(held)) = (self.options.nick.take(), held)
            && held != nick
        {
            self.handle(Input::Command(0, Command::SetNick(nick)));
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
            return self.tell(NodeEvent::Engine(Event::Refused { tag, error }));
        }
        let written_ms = self.clock.now().wall_ms;
        let draft = Draft { written_ms, text: text.clone() };
        let kept = self.home.change(|state| {
            let number = state.next_draft;
            state.next_draft += 1;
            state.drafts.push(HomeDraft { number, written_ms, text });
        });
        match kept {
            Ok(()) => self.tell(NodeEvent::Engine(Event::Draft { tag: Some(tag), draft })),
            Err(error) => {
                tracing::error!(%error, "the draft was not kept");
                self.tell(NodeEvent::Engine(Event::Refused { tag, error: SayError::ReadOnly }));
            }
        }
    }

    /// The room's store has the home's drafts.
    pub(super) fn forget_home_drafts(&mut self) {
        if let Err(error) = self.home.change(|state| state.drafts.clear()) {
            tracing::warn!(%error, "the home still holds drafts that were taken");
        }
    }

    /// Addresses and servers that were named are kept with the room.
    pub(super) fn keep_peers(&mut self, room: RoomId) {
        let servers = self.options.discovery.rendezvous.iter().map(|server| rendezvous_address(server));
        let peers: Vec<String> = self.options.peers.iter().cloned().chain(servers).collect();
        let kept = self.home.change(|state| {
            if let Some(known) = state.room_mut(&room) {
                let new: Vec<String> = peers.into_iter().filter(|peer| !known.peers.contains(peer)).collect();
                known.peers.extend(new);
            }
        });
        if let Err(error) = kept {
            tracing::warn!(%error, "the peers were not kept");
        }
    }

    /// Who is in the room changed: so may what we show, and what it is called.
    pub(super) fn on_roster_changed(&mut self) {
        if let Some(engine) = &self.engine {
            let room = engine.conversation().graph().room();
            let name = engine.conversation().members().room_name().map(str::to_owned);
            let is_member = engine.conversation().graph().is_member(&engine.conversation().me());
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

    fn fresh_names(&mut self) -> (StoreId, u64) {
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
