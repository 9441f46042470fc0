//! A running node and its events, for one subcommand: our own, or that of the process that has the home open.

use std::collections::{BTreeSet, VecDeque};
use std::path::PathBuf;
use std::pin::pin;

use replica::home::Home;
use replica::id::{AuthorKey, EntryId, Position, RoomId};
use replica::order::OrderKey;
use replica_sync::conversation::Tag;
use replica_sync::discovery::rendezvous_of;
use replica_sync::engine::{Command, Event, Row};
use replica_sync::node::{
    AttachError, Attached, Events, Node, NodeError, NodeEvent, Options, Status, Verified,
};
use replica_sync::ticket::Ticket;

use crate::client::guest::{Guest, Reached, reach};
use crate::client::opening::enter_room;
use crate::failure::Failure;

mod beside;
mod guest;
mod opening;

pub(crate) use opening::{Opened, find_room, nick_to_set, open_home, open_own_home, user_name};

/// A node, and what it told that nobody has looked at yet: while an answer is awaited, its events must be read, or it
/// would wait for us.
///
/// Where another process runs the node, and ends, this one goes on: it runs the node itself, or works through whoever
/// was faster. What was asked meanwhile is asked again, what happened meanwhile is told.
pub(crate) struct Client {
    node: Node,
    events: Events,
    queued: VecDeque<NodeEvent>,
    /// What is needed to go on when the node's process ends, while that is another one.
    guest: Option<Guest>,
    /// Rows below this position were told again when the node changed, and may be told once more.
    replayed_to: Position,
    replayed: BTreeSet<EntryId>,
    room: Option<RoomId>,
    /// Who we are.
    pub(crate) me: AuthorKey,
    /// The folder.
    pub(crate) home: PathBuf,
    /// Addresses that somebody named, now or earlier.
    pub(crate) named: Vec<String>,
}

impl Client {
    /// Starts a node in a home, or works through the one that runs there.
    pub(crate) async fn start(opened: Opened, options: Options) -> Result<Self, anyhow::Error> {
        let mut config = match opened {
            Opened::Here(home) => return Ok(Self::own(*home, options).await?),
            Opened::There(config) => config,
        };
        let reached = match reach(&mut config, &options).await {
            Err(NodeError::Attach(AttachError::NoSuchRoom { rooms })) => {
                // Why there is none, or which ones are meant.
                find_room(&rooms, config.room.as_deref().unwrap_or_default())?;
                return Err(NodeError::NoRoom.into());
            }
            reached => reached?,
        };
        match reached {
            Reached::Here(mut home) => {
                enter_room(&mut home, &config)?;
                Ok(Self::own(*home, options).await?)
            }
            Reached::There(node, events, attached) => {
                let (me, named) = (attached.me, attached.named.clone());
                let folder = config.home.clone();
                let guest = Guest::new(config, options, attached);
                let mut client = Self { guest: Some(guest), ..Self::new((node, events), me, folder, named) };
                let entries = client.status().await?.entries;
                client.guest.iter_mut().for_each(|guest| guest.holds(entries));
                Ok(client)
            }
        }
    }

    async fn own(home: Home, mut options: Options) -> Result<Self, NodeError> {
        let me = home.identity().key();
        let folder = home.folder().to_owned();
        let room = options.ticket.as_ref().map(|ticket| ticket.room).or(home.state().current_room);
        let kept = room.and_then(|room| home.state().room(&room));
        let mut named = options.peers.clone();
        named.extend(kept.into_iter().flat_map(|room| room.peers.iter().cloned()));
        named.extend(options.ticket.iter().flat_map(|ticket| ticket.addresses.iter().cloned()));
        named.retain(|address| rendezvous_of(address).is_none());
        if options.nick.is_none() && home.state().nick.is_none() && options.makes_room {
            // Whoever was to name the owner had the home, and is gone.
            options.nick = Some(user_name());
        }
        Ok(Self::new(Node::start(home, options).await?, me, folder, named))
    }

    fn new((node, events): (Node, Events), me: AuthorKey, home: PathBuf, named: Vec<String>) -> Self {
        Self {
            node,
            events,
            queued: VecDeque::new(),
            guest: None,
            replayed_to: 0,
            replayed: BTreeSet::new(),
            room: None,
            me,
            home,
            named,
        }
    }

    /// What the process told that runs the node, if it is another one.
    pub(crate) fn holder(&self) -> Option<&Attached> {
        self.guest.as_ref().map(Guest::holder)
    }

    /// Whether the node dials nobody, though it was asked to: another process runs it so.
    pub(crate) fn is_kept_offline(&self) -> bool {
        self.guest.as_ref().is_some_and(Guest::is_kept_offline)
    }

    /// The next event.
    ///
    /// # Errors
    /// When the node stopped by itself.
    ///
    /// # Cancel safety
    /// No event is lost.
    pub(crate) async fn next(&mut self) -> Result<NodeEvent, anyhow::Error> {
        let event = loop {
            let event = match self.queued.pop_front() {
                Some(event) => Some(event),
                None => self.events.recv().await,
            };
            match event {
                Some(event) if self.is_told(&event) => {}
                Some(event) => break event,
                None => self.go_on().await?,
            }
        };
        if let Some(guest) = &mut self.guest {
            guest.note(&event);
        }
        Ok(event)
    }

    /// The next event, for whoever has nothing left to do once the store has failed.
    ///
    /// # Errors
    /// When it has, or the node stopped by itself.
    ///
    /// # Cancel safety
    /// No event is lost.
    pub(crate) async fn next_while_kept(&mut self) -> Result<NodeEvent, anyhow::Error> {
        match self.next().await? {
            NodeEvent::Failed(why) => Err(Failure::of_store(&why).into()),
            event => Ok(event),
        }
    }

    pub(crate) async fn command(&mut self, command: Command) -> Result<Tag, NodeError> {
        loop {
            let asked = self.node.command(command.clone());
            match drive(asked, &mut self.events, &mut self.queued).await {
                Err(NodeError::Stopped) if self.guest.is_some() => self.go_on().await?,
                Ok(tag) => {
                    if let Some(guest) = &mut self.guest {
                        guest.asks(tag, command);
                    }
                    return Ok(tag);
                }
                Err(error) => return Err(error),
            }
        }
    }

    /// Has an entry written and waits until it is durable. Answers its row.
    pub(crate) async fn write(&mut self, command: Command) -> Result<Row, anyhow::Error> {
        let asked = self.command(command).await?;
        let mut written = None;
        loop {
            match self.next_while_kept().await? {
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

    /// Goes into another room of the home.
    pub(crate) async fn switch(&mut self, room: RoomId) -> Result<(), NodeError> {
        self.ask(async |node| node.switch(room).await).await?;
        self.settle_in().await
    }

    /// Keeps a ticket's room and goes into it.
    pub(crate) async fn join(&mut self, ticket: Ticket) -> Result<(), NodeError> {
        self.ask(async |node| node.join(ticket.clone()).await).await?;
        self.settle_in().await
    }

    /// Makes a room and goes into it.
    pub(crate) async fn make_room(&mut self, name: String) -> Result<(), NodeError> {
        self.ask(async |node| node.make_room(name.clone()).await).await?;
        self.settle_in().await
    }

    /// What was told of the room before says nothing of this one's log.
    async fn settle_in(&mut self) -> Result<(), NodeError> {
        (self.replayed_to, self.replayed) = (0, BTreeSet::new());
        let status = self.status().await?;
        if let (Some(guest), Some((room, _))) = (&mut self.guest, &status.room) {
            guest.enter(*room, status.entries);
        }
        Ok(())
    }

    pub(crate) async fn block(&mut self, author: AuthorKey, blocked: bool) -> Result<(), NodeError> {
        self.ask(async |node| node.block(author, blocked).await).await
    }

    pub(crate) async fn page(
        &mut self,
        before: Option<OrderKey>,
        count: usize,
    ) -> Result<Vec<Row>, NodeError> {
        self.ask(async |node| node.page(before, count).await).await
    }

    pub(crate) async fn status(&mut self) -> Result<Box<Status>, NodeError> {
        self.ask(async |node| node.status().await).await
    }

    pub(crate) async fn ticket(&mut self, invite: Option<[u8; 32]>) -> Result<Ticket, NodeError> {
        self.ask(async |node| node.ticket(invite).await).await
    }

    pub(crate) async fn accept(&mut self, name: String) -> Result<String, NodeError> {
        self.ask(async |node| node.accept(name.clone()).await).await
    }

    pub(crate) async fn verify(&mut self) -> Result<Verified, NodeError> {
        self.ask(async |node| node.verify().await).await
    }

    pub(crate) async fn export(&mut self) -> Result<Vec<u8>, NodeError> {
        self.ask(async |node| node.export().await).await
    }

    pub(crate) async fn bundle(&mut self) -> Result<Vec<u8>, NodeError> {
        self.ask(async |node| node.bundle().await).await
    }

    /// Ends the node in good order, if it is ours.
    pub(crate) async fn stop(mut self) {
        drive(self.node.stop(), &mut self.events, &mut self.queued).await;
    }

    /// Whether the node before told it already.
    fn is_told(&mut self, event: &NodeEvent) -> bool {
        match event {
            NodeEvent::Engine(Event::Row(row)) => {
                row.position < self.replayed_to && !self.replayed.insert(row.id)
            }
            NodeEvent::Room { id, .. } => self.room.replace(*id) == Some(*id),
            _ => false,
        }
    }

    /// Asks, and asks again whoever runs the node next if it ends meanwhile: no question does harm twice.
    async fn ask<T>(
        &mut self,
        question: impl AsyncFn(&Node) -> Result<T, NodeError>,
    ) -> Result<T, NodeError> {
        loop {
            match drive(question(&self.node), &mut self.events, &mut self.queued).await {
                Err(NodeError::Stopped) if self.guest.is_some() => self.go_on().await?,
                answer => return answer,
            }
        }
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
