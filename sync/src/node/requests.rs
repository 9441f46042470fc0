//! What a handle asks of the loop.

use replica::home::{Home, HomeError};
use replica::id::AuthorKey;

use crate::book::Source;
use crate::conversation::{SayError, check_name};
use crate::discovery::rendezvous_of;
use crate::engine::{Command, Event, Input};
use crate::node::driver::Driver;
use crate::node::keeper::Job;
use crate::node::{NodeError, NodeEvent, Request};

impl Driver {
    pub(super) fn on_request(&mut self, request: Request) {
        match request {
            Request::Command(tag, command) => self.on_command(tag, command),
            Request::Page { before, count, answer } if self.keeper.is_some() => {
                self.ask_keeper(Job::Page { before, count, answer });
            }
            Request::Page { answer, .. } => drop(answer.send(Err(NodeError::NoRoom))),
            Request::Status(answer) => drop(answer.send(Ok(Box::new(self.status())))),
            Request::Ticket { invite, answer } => {
                drop(answer.send(self.ticket(invite).ok_or(NodeError::NoRoom)));
            }
            Request::Accept { name, answer } => {
                let situation = self.situation();
                let accepted = self.lobby.accept(&name, situation);
                drop(answer.send(accepted.ok_or(NodeError::NobodyKnocks)));
            }
            Request::Verify(answer) if self.keeper.is_some() => self.ask_keeper(Job::Verify(answer)),
            Request::Verify(answer) => drop(answer.send(Err(NodeError::NoRoom))),
            Request::Export(answer) if self.keeper.is_some() => self.ask_keeper(Job::Export(answer)),
            Request::Export(answer) => drop(answer.send(Err(NodeError::NoRoom))),
            Request::Bundle(answer) if self.keeper.is_some() => {
                self.ask_keeper(Job::Bundle(self.home.identity().clone(), answer));
            }
            Request::Bundle(answer) => drop(answer.send(Err(NodeError::NoRoom))),
            Request::Block { author, blocked, answer } => {
                drop(answer.send(block(&mut self.home, author, blocked).map_err(NodeError::from)));
            }
            Request::Attach { number, attach, guest } => self.on_attach(number, attach, guest),
            Request::Detach(number) => self.on_detach(number),
            Request::Stop(_) => {}
        }
    }

    fn on_command(&mut self, tag: u64, command: Command) {
        match &command {
            Command::Dial(address) if rendezvous_of(address).is_some() => {
                // It is no peer: from now on members are met there.
                self.options.peers.push(address.clone());
                if let Some(room) = self.room() {
                    self.keep_peers(room);
                    self.use_kept_servers();
                }
                return;
            }
            Command::SetNick(name) => {
                if let Err(error) = check_name(name) {
                    return self.tell(NodeEvent::Engine(Event::Refused { tag, error }));
                }
                let name = name.clone();
                if let Err(error) = self.home.change(|state| state.nick = Some(name)) {
                    tracing::warn!(%error, "the nickname was not kept");
                }
            }
            Command::Dial(address) => {
                let now = self.clock.now().monotonic_ms;
                self.book.add(address.clone(), Source::Named, now);
                self.options.peers.push(address.clone());
                if let Some(room) = self.room() {
                    self.keep_peers(room);
                }
            }
            Command::SetOnline(is_online) => {
                self.set_online(*is_online);
            }
            _ => {}
        }
        match command {
            command if self.engine.is_some() => self.handle(Input::Command(tag, command)),
            Command::Say(text) => self.keep_home_draft(tag, text),
            Command::Dial(_) | Command::SetNick(_) | Command::HangUp | Command::SetOnline(_) => {}
            _ => self.tell(NodeEvent::Engine(Event::Refused { tag, error: SayError::NotMember })),
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
