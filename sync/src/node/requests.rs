//! What a handle or a guest asks of the loop: of the room that it is in.

use replica::home::{Home, HomeError};
use replica::id::{AuthorKey, RoomId};

use crate::book::Source;
use crate::conversation::{SayError, check_name};
use crate::discovery::rendezvous_of;
use crate::engine::{Command, Event, Input};
use crate::node::driver::Driver;
use crate::node::keeper::Job;
use crate::node::listeners::Audience;
use crate::node::{Answer, NodeError, NodeEvent, Request};

impl Driver {
    pub(super) async fn on_request(&mut self, who: u32, request: Request) {
        if let Some(room) = self.awaits(&request) {
            return self.postpone(room, who, request);
        }
        let room = self.room_of(who);
        match request {
            Request::Command(tag, command) => self.on_command(room, tag, command),
            Request::Switch { room, answer } => drop(answer.send(self.switch(who, room).await)),
            Request::Join { ticket, answer } => {
                let joined = self.join(&ticket).await;
                if joined.is_ok() {
                    self.settle_in(who, ticket.room);
                }
                drop(answer.send(joined));
            }
            Request::Make { name, answer } => {
                let made = self.make_room(&name).await;
                drop(answer.send(made.map(|room| self.settle_in(who, room))));
            }
            Request::Page { before, count, answer } => {
                self.ask_store(room, answer, |answer| Job::Page { before, count, answer });
            }
            Request::Status(answer) => drop(answer.send(Ok(Box::new(self.status(who))))),
            Request::Ticket { invite, answer } => {
                drop(answer.send(self.ticket(room, invite).ok_or(NodeError::NoRoom)));
            }
            Request::Accept { name, answer } => {
                let situation = self.situation();
                let accepted = self.lobby.accept(&name, situation);
                drop(answer.send(accepted.ok_or(NodeError::NobodyKnocks)));
            }
            Request::Verify(answer) => self.ask_store(room, answer, Job::Verify),
            Request::Export(answer) => self.ask_store(room, answer, Job::Export),
            Request::Bundle(answer) => {
                let identity = self.home.identity().clone();
                self.ask_store(room, answer, |answer| Job::Bundle(identity, answer));
            }
            Request::Block { author, blocked, answer } => {
                drop(answer.send(block(&mut self.home, author, blocked).map_err(NodeError::from)));
            }
            Request::Of(who, request) => Box::pin(self.on_request(who, *request)).await,
            Request::Attach { number, attach, guest } => self.on_attach(number, attach, guest).await,
            Request::Detach(number) => self.on_detach(number),
            Request::Stop(_) => {}
        }
    }

    /// The room that has to be opened before a request can be answered: a long one takes seconds, and nobody waits for it
    /// but who asked.
    fn awaits(&self, request: &Request) -> Option<RoomId> {
        let room = match request {
            Request::Switch { room, .. } => *room,
            Request::Join { ticket, .. } => ticket.room,
            Request::Attach { attach, .. } => self.room_meant(attach).ok()??,
            Request::Of(_, request) => return self.awaits(request),
            _ => return None,
        };
        self.is_to_open(&room).then_some(room)
    }

    /// Has a room opened, and a request answered then.
    fn postpone(&mut self, room: RoomId, who: u32, request: Request) {
        self.to_open.retain(|other| *other != room);
        self.to_open.push_front(room);
        self.postponed.push((room, who, request));
    }

    /// Answers the requests whose rooms are open by now, or cannot be opened.
    pub(super) async fn answer_postponed(&mut self) {
        for (room, who, request) in std::mem::take(&mut self.postponed) {
            if self.is_to_open(&room) {
                self.postponed.push((room, who, request));
            } else {
                self.on_request(who, request).await;
            }
        }
    }

    /// Has a room's store do something for whoever asks.
    fn ask_store<T>(&mut self, room: Option<RoomId>, answer: Answer<T>, job: impl FnOnce(Answer<T>) -> Job) {
        let open = room.and_then(|room| self.rooms.get_mut(&room)).filter(|open| open.keeper.is_some());
        match open {
            Some(open) => open.ask(job(answer)),
            None => drop(answer.send(Err(NodeError::NoRoom))),
        }
    }

    pub(super) fn on_command(&mut self, room: Option<RoomId>, tag: u64, command: Command) {
        match &command {
            Command::Dial(address) if rendezvous_of(address).is_some() => {
                // It is no peer: from now on members are met there.
                if !self.options.peers.contains(address) {
                    self.options.peers.push(address.clone());
                }
                if let Some(room) = room.or(self.room()) {
                    self.keep_addresses(room, vec![address.clone()]);
                    self.use_kept_servers();
                }
                return;
            }
            Command::SetNick(name) => {
                if let Err(error) = check_name(name) {
                    let refused = NodeEvent::Engine(Event::Refused { tag, error });
                    return self.tell_to(refused, Audience::In(room));
                }
                let name = name.clone();
                if let Err(error) = self.home.change(|state| state.nick = Some(name)) {
                    tracing::warn!(%error, "the nickname was not kept");
                }
            }
            Command::Dial(address) => match room {
                Some(other) if room != self.room() => self.keep_addresses(other, vec![address.clone()]),
                _ => {
                    let now = self.clock.now().monotonic_ms;
                    self.book.add(address.clone(), Source::Named, now);
                    // Whoever is there may let us in, and is to be dialled from that room then.
                    self.options.peers.push(address.clone());
                    room.into_iter().for_each(|room| self.keep_peers(room));
                }
            },
            Command::SetOnline(is_online) => {
                self.set_online(*is_online);
                return self.handle_all(&command);
            }
            _ => {}
        }
        match command {
            command if room.is_some() => self.handle(room, Input::Command(tag, command)),
            Command::Say(text) => self.keep_home_draft(tag, text),
            Command::Dial(_) | Command::SetNick(_) | Command::HangUp => {}
            _ => {
                let refused = NodeEvent::Engine(Event::Refused { tag, error: SayError::NotMember });
                self.tell_to(refused, Audience::In(None));
            }
        }
    }
}

/// Keeps whose messages are not shown.
///
/// # Errors
/// When the home's state cannot be written.
fn block(home: &mut Home, author: AuthorKey, blocked: bool) -> Result<(), HomeError> {
    home.change(|state| {
        state.blocked.retain(|other| *other != author);
        if blocked {
            state.blocked.push(author);
        }
    })
}
