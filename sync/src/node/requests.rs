//! What a handle asks of the loop.

use std::sync::atomic::Ordering;

use crate::book::{Book, Known, Source, Trouble};
use crate::conversation::{SayError, check_name};
use crate::engine::{Command, Engine, Event, Input};
use crate::node::driver::Driver;
use crate::node::keeper::Job;
use crate::node::{NodeError, NodeEvent, PeerStatus, Request, Status};
use crate::transport::Traffic;

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
            Request::Stop(_) => {}
        }
    }

    fn on_command(&mut self, tag: u64, command: Command) {
        match &command {
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
            _ => {}
        }
        match command {
            command if self.engine.is_some() => self.handle(Input::Command(tag, command)),
            Command::Say(text) => self.keep_home_draft(tag, text),
            Command::Dial(_) | Command::SetNick(_) | Command::HangUp => {}
            _ => self.tell(NodeEvent::Engine(Event::Refused { tag, error: SayError::NotMember })),
        }
    }

    fn status(&self) -> Status {
        let engine = self.engine.as_ref();
        let room = engine.map(|engine| engine.conversation().graph().room());
        let name = room.and_then(|room| self.home.state().room(&room)).map(|room| room.name.clone());
        let mut status = Status {
            room: room.zip(name),
            me: self.home.identity().key(),
            nick: self.nick(),
            is_member: false,
            entries: 0,
            messages: 0,
            heads: Vec::new(),
            digest: replica::id::Digest([0; 32]),
            drafts: self
                .home
                .state()
                .drafts
                .iter()
                .map(|draft| (draft.written_ms, draft.text.clone()))
                .collect(),
            members: Vec::new(),
            forked: Vec::new(),
            peers: Vec::new(),
            behind: 0,
            documents_in_use: 0,
            listening: self.listening.clone(),
            is_read_only: false,
        };
        if let Some(engine) = engine {
            describe(engine, &mut status);
        }
        for peer in &mut status.peers {
            let traffic = self.connected.get(&peer.address).map(|id| self.transport.traffic(*id));
            let Traffic { sent_bytes, received_bytes } = traffic.unwrap_or_default();
            (peer.sent_bytes, peer.received_bytes) = (sent_bytes, received_bytes);
        }
        match engine {
            Some(engine) => add_unconnected(engine.book(), |known| engine.is_spare(known), &mut status),
            None => add_unconnected(&self.book, |_| false, &mut status),
        }
        if let Some(keeper) = &self.keeper {
            status.behind = keeper.progress.behind.load(Ordering::Relaxed);
            status.documents_in_use = keeper.progress.documents_in_use.load(Ordering::Relaxed);
        }
        status
    }
}

fn describe(engine: &Engine, status: &mut Status) {
    let conversation = engine.conversation();
    let (graph, members) = (conversation.graph(), conversation.members());
    status.is_member = graph.is_member(&conversation.me());
    status.entries = u64::from(graph.durable());
    status.messages = graph.messages();
    status.heads = graph.heads().map(|at| graph.id(at)).collect();
    status.heads.sort_unstable();
    status.digest = graph.digest();
    status.drafts = conversation.drafts().map(|draft| (draft.written_ms, draft.text.clone())).collect();
    let member = |key: &_| (*key, members.name(key).map(str::to_owned), graph.is_member(key));
    status.members = members.people().map(member).collect();
    status.forked = graph.forked().into_iter().map(|(chain, _)| chain.author).collect();
    status.is_read_only = conversation.is_read_only();
    status.peers = engine
        .peers()
        .into_iter()
        .map(|peer| PeerStatus {
            author: Some(peer.author),
            nick: members.name(&peer.author).map(str::to_owned),
            address: peer.address,
            standing: Some(peer.standing),
            failures: 0,
            is_spare: false,
            is_other_room: false,
            missing_here: peer.missing_here,
            missing_there: peer.missing_there,
            sent_bytes: 0,
            received_bytes: 0,
        })
        .collect();
}

/// Adds the addresses of the book that are no connection now.
fn add_unconnected(book: &Book, is_spare: impl Fn(&Known) -> bool, status: &mut Status) {
    for (address, known) in book.addresses() {
        let is_listed = status.peers.iter().any(|peer| peer.address == address);
        if is_listed || known.is_settled() {
            continue;
        }
        status.peers.push(PeerStatus {
            author: None,
            nick: None,
            address: address.to_owned(),
            standing: None,
            failures: known.failures,
            is_spare: is_spare(known),
            is_other_room: known.trouble == Some(Trouble::RoomRefused),
            missing_here: 0,
            missing_there: 0,
            sent_bytes: 0,
            received_bytes: 0,
        });
    }
}
