//! Working through another process, and going on without it.

use std::collections::BTreeMap;
use std::time::Duration;

use replica::archive::Draft;
use replica::home::{Home, HomeError};
use replica::id::{AuthorKey, Position, RoomId};
use replica_sync::conversation::{ConnectionId, Tag};
use replica_sync::engine::{Command, Event, Row};
use replica_sync::node::{AttachError, Attached, Events, Node, NodeError, NodeEvent, Options};

use crate::client::Client;
use crate::config::Config;
use crate::passphrase;

#[cfg(test)]
mod tests;

/// Who has a home now.
pub(super) enum Reached {
    Here(Box<Home>),
    There(Node, Events, Attached),
}

/// Opens a home, or reaches the process that has it. One that has it for a moment only is waited for; so is one that
/// comes soon, where only such a one can open the key.
///
/// # Errors
/// When it can be neither opened nor reached.
pub(super) async fn reach(config: &mut Config, options: &Options) -> Result<Reached, NodeError> {
    let mut silences = 0;
    for _ in 0..TRIES {
        match Home::open_with(&config.home, config.unsealed.as_ref()) {
            Ok(home) => return Ok(Reached::Here(Box::new(home))),
            Err(HomeError::Locked { .. }) => {}
            Err(HomeError::Sealed { .. }) => {
                if config.unsealed.is_none() && unseal(config).await? {
                    continue;
                }
            }
            Err(error) => return Err(error.into()),
        }
        match Node::attach(&config.home, options).await {
            Ok((node, events, attached)) => return Ok(Reached::There(node, events, attached)),
            Err(AttachError::NotServed) => {}
            // It may have been busy for once.
            Err(AttachError::Silent { .. }) if silences < SILENCES_MAX => silences += 1,
            Err(error) => return Err(error.into()),
        }
        tokio::time::sleep(PAUSE).await;
    }
    // Whoever has it does nothing for others: that is said as it always was.
    Ok(Reached::Here(Box::new(Home::open_with(&config.home, config.unsealed.as_ref())?)))
}

/// Takes the home's key from under a passphrase that was given. Says whether one was. That takes long, so it is left
/// until nobody else has the home.
async fn unseal(config: &mut Config) -> Result<bool, HomeError> {
    let given = config.clone();
    let unsealed = tokio::task::spawn_blocking(move || passphrase::unseal(&given)).await;
    config.unsealed = unsealed.unwrap_or(Ok(None))?;
    Ok(config.unsealed.is_some())
}

/// What a client that works through another process keeps, to go on without it.
pub(super) struct Guest {
    config: Box<Config>,
    options: Options,
    holder: Attached,
    /// Commands whose outcome was not told.
    unanswered: BTreeMap<Tag, Command>,
    /// So much of the log was told.
    held: Position,
    room: Option<RoomId>,
    /// The room that was just gone into: what is told before it is told that we are there is of another one.
    awaits: Option<RoomId>,
    /// Who is connected to the node.
    here: BTreeMap<ConnectionId, AuthorKey>,
}

impl Guest {
    pub(super) fn new(config: Box<Config>, mut options: Options, holder: Attached) -> Self {
        let room = holder.room;
        // It is kept by now; the room may be another one when the node's process ends.
        options.ticket = options.ticket.filter(|_| room.is_none());
        Self {
            config,
            options,
            holder,
            unanswered: BTreeMap::new(),
            held: 0,
            room,
            awaits: None,
            here: BTreeMap::new(),
        }
    }

    pub(super) fn holder(&self) -> &Attached {
        &self.holder
    }

    pub(super) fn is_kept_offline(&self) -> bool {
        self.options.dials && !self.holder.dials
    }

    pub(super) fn holds(&mut self, entries: u64) {
        self.held = self.held.max(Position::try_from(entries).unwrap_or(Position::MAX));
    }

    /// Goes into a room whose log is so long.
    pub(super) fn enter(&mut self, room: RoomId, entries: u64) {
        (self.held, self.here) = (0, BTreeMap::new());
        self.awaits = Some(room).filter(|_| self.room != Some(room));
        self.room = Some(room);
        self.holds(entries);
    }

    pub(super) fn asks(&mut self, tag: Tag, command: Command) {
        // Of the others no outcome is told.
        if !matches!(command, Command::Dial(_) | Command::HangUp | Command::Redial) {
            self.unanswered.insert(tag, command);
        }
    }

    /// Takes note of what is told.
    pub(super) fn note(&mut self, event: &NodeEvent) {
        match event {
            NodeEvent::Room { id, .. } => {
                self.room = Some(*id);
                self.awaits = self.awaits.filter(|awaited| awaited != id);
            }
            NodeEvent::Engine(Event::Row(_) | Event::PeerHere { .. } | Event::PeerGone { .. })
                if self.awaits.is_some() => {}
            NodeEvent::Engine(event) => match event {
                Event::Row(row) => self.held = self.held.max(row.position + 1),
                Event::Draft { tag: Some(tag), .. }
                | Event::Written { tag, .. }
                | Event::Invited { tag, .. }
                | Event::Imported { tag, .. }
                | Event::Refused { tag, .. } => drop(self.unanswered.remove(tag)),
                Event::PeerHere { connection, author } => drop(self.here.insert(*connection, *author)),
                Event::PeerGone { connection, .. } => drop(self.here.remove(connection)),
                _ => {}
            },
            _ => {}
        }
    }
}

impl Client {
    /// The node's process is gone: runs the node here, or works through whoever has the home now.
    ///
    /// # Errors
    /// When neither can be done, or the node was our own.
    ///
    /// # Cancel safety
    /// The next call begins anew.
    pub(super) async fn go_on(&mut self) -> Result<(), NodeError> {
        // What it told last is read first.
        while let Some(event) = self.events.recv().await {
            self.queued.push_back(event);
        }
        let Some(guest) = &mut self.guest else { return Err(NodeError::Stopped) };
        self.queued.iter().for_each(|event| guest.note(event));
        guest.options.room = guest.room.map(|room| room.to_string());
        let (mut node, events, attached) = match reach(&mut guest.config, &guest.options).await? {
            Reached::Here(mut home) => {
                let room = guest.room.or(home.state().current_room);
                home.change(|state| state.current_room = room)?;
                let (node, events) = Node::start(*home, guest.options.clone()).await?;
                (node, events, None)
            }
            Reached::There(node, events, attached) => (node, events, Some(attached)),
        };
        let status = node.status().await?;
        let is_same = guest.room.is_some() && status.room.as_ref().map(|(id, _)| *id) == guest.room;
        let mut rows =
            if is_same { rows_since(&node, guest.held, status.entries).await? } else { Vec::new() };
        let mut told = Vec::new();
        let mut unanswered = BTreeMap::new();
        for (tag, command) in guest.unanswered.clone() {
            match outcome(&mut rows, &status.me, &status.drafts, tag, &command) {
                Some(outcome) => told.extend(outcome),
                None => {
                    node.command_as(tag, command.clone()).await?;
                    unanswered.insert(tag, command);
                }
            }
        }
        // From here on nothing waits: a caller that gives up before finds everything as it was.
        told.extend(rows.into_iter().map(|row| Event::Row(Box::new(row))));
        let gone = std::mem::take(&mut guest.here).into_iter();
        let gone = gone.map(|(connection, author)| Event::PeerGone { connection, author });
        self.queued.extend(gone.map(NodeEvent::Engine));
        self.queued.push_back(NodeEvent::HolderChanged { is_ours: attached.is_none() });
        self.queued.extend(told.into_iter().map(NodeEvent::Engine));
        guest.unanswered = unanswered;
        (self.node, self.events) = (node, events);
        self.replayed_to = Position::try_from(status.entries).unwrap_or(Position::MAX);
        match attached {
            Some(attached) => guest.holder = attached,
            None => self.guest = None,
        }
        Ok(())
    }
}

/// What became of a message that the node before may have written without telling. Its row is taken from the rows.
fn outcome(
    rows: &mut Vec<Row>,
    me: &AuthorKey,
    drafts: &[(u64, String)],
    tag: Tag,
    command: &Command,
) -> Option<Vec<Event>> {
    let Command::Say(text) = command else { return None };
    if let Some(at) = rows.iter().position(|row| row.author == *me && row.text == *text) {
        let row = rows.remove(at);
        return Some(vec![Event::Written { tag, id: row.id }, Event::Row(Box::new(row))]);
    }
    let (written_ms, text) = drafts.iter().find(|(_, draft)| draft == text)?.clone();
    Some(vec![Event::Draft { tag: Some(tag), draft: Draft { written_ms, text } }])
}

/// The rows of a log from a position on, in its order.
async fn rows_since(node: &Node, held: Position, entries: u64) -> Result<Vec<Row>, NodeError> {
    let missing = usize::try_from(entries.saturating_sub(held.into())).unwrap_or(usize::MAX);
    let mut rows = Vec::new();
    let mut before = None;
    while rows.len() < missing {
        let page = node.page(before, PAGE_ROWS).await?;
        let Some(last) = page.last() else { break };
        before = Some(last.key);
        rows.extend(page.into_iter().filter(|row| row.position >= held));
    }
    rows.sort_by_key(|row| row.position);
    Ok(rows)
}

/// Rows of one request.
const PAGE_ROWS: usize = 512;

/// How often the home is looked at again, and after what pause: for as long as a short command may have it.
const TRIES: u32 = 200;
const PAUSE: Duration = Duration::from_millis(25);

/// How often whoever has the home may leave us without an answer before that is said. Each time takes some seconds.
const SILENCES_MAX: u32 = 1;
