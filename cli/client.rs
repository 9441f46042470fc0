//! A running node and its events, for one subcommand.

use std::collections::VecDeque;
use std::path::PathBuf;
use std::pin::pin;

use replica::home::Home;
use replica::id::AuthorKey;
use replica::order::OrderKey;
use replica_sync::conversation::Tag;
use replica_sync::discovery::rendezvous_of;
use replica_sync::engine::{Command, Event, Row};
use replica_sync::node::{Events, Node, NodeError, NodeEvent, Options, Status, Verified};
use replica_sync::ticket::Ticket;

use crate::config::{Config, checked_nick};
use crate::failure::{Exit, Failure};
use crate::text;

/// A node, and what it told that nobody has looked at yet: while an answer is awaited, its events must be read, or it
/// would wait for us.
pub(crate) struct Client {
    node: Node,
    events: Events,
    queued: VecDeque<NodeEvent>,
    /// Who we are.
    pub(crate) me: AuthorKey,
    /// The folder.
    pub(crate) home: PathBuf,
    /// Addresses that somebody named, now or earlier.
    pub(crate) named: Vec<String>,
}

impl Client {
    /// Starts a node in an open home.
    pub(crate) async fn start(home: Home, options: Options) -> Result<Self, NodeError> {
        let me = home.identity().key();
        let folder = home.folder().to_owned();
        let room = options.ticket.as_ref().map(|ticket| ticket.room).or(home.state().current_room);
        let kept = room.and_then(|room| home.state().room(&room));
        let mut named = options.peers.clone();
        named.extend(kept.into_iter().flat_map(|room| room.peers.iter().cloned()));
        named.extend(options.ticket.iter().flat_map(|ticket| ticket.addresses.iter().cloned()));
        named.retain(|address| rendezvous_of(address).is_none());
        let (node, events) = Node::start(home, options).await?;
        Ok(Self { node, events, queued: VecDeque::new(), me, home: folder, named })
    }

    /// The next event.
    ///
    /// # Errors
    /// When the node stopped by itself.
    ///
    /// # Cancel safety
    /// No event is lost.
    pub(crate) async fn next(&mut self) -> Result<NodeEvent, anyhow::Error> {
        let event = match self.queued.pop_front() {
            Some(event) => event,
            None => self.events.recv().await.ok_or(NodeError::Stopped)?,
        };
        if let NodeEvent::Failed(why) = &event {
            let what = format!("the store failed: {}", text::line(why));
            let next = "What was confirmed is kept. Check the disk, then run `replica verify`.";
            return Err(Failure::new(Exit::Store, what, next).into());
        }
        Ok(event)
    }

    pub(crate) async fn command(&mut self, command: Command) -> Result<Tag, NodeError> {
        drive(self.node.command(command), &mut self.events, &mut self.queued).await
    }

    /// Has an entry written and waits until it is durable. Answers its row.
    pub(crate) async fn write(&mut self, command: Command) -> Result<Row, anyhow::Error> {
        let asked = self.command(command).await?;
        let mut written = None;
        loop {
            match self.next().await? {
                NodeEvent::Engine(Event::Written { tag, id }) if tag == asked => written = Some(id),
                // The row follows what says that it is written.
                NodeEvent::Engine(Event::Row(row)) if Some(row.id) == written => return Ok(*row),
                NodeEvent::Engine(Event::Refused { tag, error }) if tag == asked => {
                    return Err(NodeError::from(error).into());
                }
                _ => {}
            }
        }
    }

    pub(crate) async fn block(&mut self, author: AuthorKey, blocked: bool) -> Result<(), NodeError> {
        drive(self.node.block(author, blocked), &mut self.events, &mut self.queued).await
    }

    pub(crate) async fn page(
        &mut self,
        before: Option<OrderKey>,
        count: usize,
    ) -> Result<Vec<Row>, NodeError> {
        drive(self.node.page(before, count), &mut self.events, &mut self.queued).await
    }

    pub(crate) async fn status(&mut self) -> Result<Box<Status>, NodeError> {
        drive(self.node.status(), &mut self.events, &mut self.queued).await
    }

    pub(crate) async fn ticket(&mut self, invite: Option<[u8; 32]>) -> Result<Ticket, NodeError> {
        drive(self.node.ticket(invite), &mut self.events, &mut self.queued).await
    }

    pub(crate) async fn accept(&mut self, name: String) -> Result<String, NodeError> {
        drive(self.node.accept(name), &mut self.events, &mut self.queued).await
    }

    pub(crate) async fn verify(&mut self) -> Result<Verified, NodeError> {
        drive(self.node.verify(), &mut self.events, &mut self.queued).await
    }

    pub(crate) async fn export(&mut self) -> Result<Vec<u8>, NodeError> {
        drive(self.node.export(), &mut self.events, &mut self.queued).await
    }

    /// Ends the node in good order.
    pub(crate) async fn stop(mut self) {
        drive(self.node.stop(), &mut self.events, &mut self.queued).await;
    }
}

/// Awaits an answer and reads events meanwhile.
async fn drive<T>(
    answer: impl Future<Output = T>,
    events: &mut Events,
    queued: &mut VecDeque<NodeEvent>,
) -> T {
    let mut answer = pin!(answer);
    loop {
        tokio::select! {
            biased;
            answer = &mut answer => return answer,
            Some(event) = events.recv() => queued.push_back(event),
        }
    }
}

/// Opens the home that was named, and the room, if one was.
///
/// # Errors
/// When there is no such room, or the home cannot be used.
pub(crate) fn open_home(config: &Config) -> Result<Home, anyhow::Error> {
    let mut home = Home::open_with(&config.home, config.unsealed.as_ref())?;
    if let Some(wanted) = &config.room {
        let rooms = &home.state().rooms;
        let by_name: Vec<_> = rooms.iter().filter(|room| room.name == *wanted).collect();
        let by_id = rooms.iter().filter(|room| wanted.len() >= 4 && room.id.to_string().starts_with(wanted));
        let found = if by_name.is_empty() { by_id.collect() } else { by_name };
        let [room] = found.as_slice() else {
            let names: Vec<String> = rooms
                .iter()
                .map(|room| format!("{} ({})", text::name(&room.name), &room.id.to_string()[..8]))
                .collect();
            let what = if found.is_empty() { "there is no room" } else { "there is more than one room" };
            let what = format!("{what} {} in this home", text::name(wanted));
            let next = match names.as_slice() {
                [] => "It has none yet: `replica` makes one, `replica join TICKET` enters one.".to_owned(),
                names => format!("Its rooms are {}.", names.join(", ")),
            };
            return Err(Failure::new(Exit::Failed, what, next).into());
        };
        let id = room.id;
        home.change(|state| state.current_room = Some(id))?;
    }
    Ok(home)
}

/// What this author is to be called, if that is to be set: what was named, or on the first run the user's name.
pub(crate) fn nick_to_set(config: &Config, home: &Home) -> Option<String> {
    match &config.nick {
        Some(nick) => Some(nick.clone()),
        None if home.state().nick.is_none() => Some(user_name()),
        None => None,
    }
}

/// What the system calls the user.
pub(crate) fn user_name() -> String {
    let of_system = ["USER", "LOGNAME"].into_iter().filter_map(|name| std::env::var(name).ok());
    of_system.filter_map(|name| checked_nick(&name).ok()).next().unwrap_or_else(|| "someone".to_owned())
}
