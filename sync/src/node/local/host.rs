//! The holder's end: the socket in the home, and what each guest is told.

use std::collections::BTreeMap;
use std::fs::{self, Permissions};
use std::io;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use replica::home::rooms_called;
use replica::id::RoomId;
use tokio::net::UnixListener;
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinSet;

use crate::conversation::Tag;
use crate::discovery::rendezvous_of;
use crate::engine::{Command, Event, Input};
use crate::limits::{GUEST_QUEUE_BYTES_MAX, GUESTS_MAX, LOCAL_PARTING_TIME};
use crate::node::driver::Driver;
use crate::node::listeners::{Audience, HANDLE, Listener, Unread};
use crate::node::local::asks::FromHolder;
use crate::node::local::{Attach, Attached, SOCKET_FILE, connection, encode, is_own, short_path};
use crate::node::{NodeError, NodeEvent, Request};
use crate::ticket::Ticket;

/// What waits for a guest's socket, in order.
#[derive(Debug)]
pub(super) enum Queued {
    /// An event: of these only so many bytes may wait.
    Event(Arc<[u8]>),
    /// What the guest asked for.
    Answer(Vec<u8>),
    /// Nothing follows.
    End,
}

/// A guest, as the loop has it.
#[derive(Debug)]
pub(crate) struct Guest {
    pub(super) queue: mpsc::Sender<Queued>,
    /// Bytes of events in the queue.
    pub(super) queued: Arc<AtomicUsize>,
    /// Dropped, it ends the guest's connection.
    pub(super) _closing: oneshot::Sender<()>,
}

/// A guest with what it wants.
#[derive(Debug)]
struct Present {
    guest: Guest,
    attach: Attach,
    listener: Listener,
}

/// The socket and the guests.
#[derive(Debug)]
pub(in crate::node) struct Host {
    socket: PathBuf,
    guests: BTreeMap<u32, Present>,
    tasks: JoinSet<()>,
}

impl Host {
    /// Opens the socket of a home. The one that a dead process left is replaced.
    ///
    /// # Errors
    /// When the system refuses.
    pub(in crate::node) fn open(folder: &Path, requests: mpsc::WeakSender<Request>) -> io::Result<Self> {
        // Nobody else may connect before its mode is set.
        let (aside, _folder) = short_path(folder, "socket.new")?;
        match fs::remove_file(&aside) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        let listener = UnixListener::bind(&aside)?;
        fs::set_permissions(&aside, Permissions::from_mode(0o600))?;
        let socket = folder.join(SOCKET_FILE);
        fs::rename(folder.join("socket.new"), &socket)?;
        let mut tasks = JoinSet::new();
        tasks.spawn(accept(listener, requests));
        Ok(Self { socket, guests: BTreeMap::new(), tasks })
    }

    /// Tells every guest whom it concerns. Whoever reads too slowly is let go: it comes back and reads what it missed.
    fn tell(&mut self, event: &NodeEvent, audience: Audience) {
        if self.guests.is_empty() {
            return;
        }
        let whole = frame(event);
        self.guests.retain(|number, present| {
            match as_told_to(*number, event, audience.has(&present.listener)) {
                Told::AsItIs => push(&present.guest, whole.as_ref()),
                Told::Otherwise(event) => push(&present.guest, frame(&event).as_ref()),
                Told::Nothing => true,
            }
        });
    }

    /// Tells every guest what came where it is not.
    pub(in crate::node) fn tell_news(&mut self, event: impl Fn((RoomId, Unread)) -> NodeEvent) {
        self.guests.retain(|_, present| {
            let mut news = present.listener.news().into_iter().map(&event);
            news.all(|event| push(&present.guest, frame(&event).as_ref()))
        });
    }

    /// Takes a guest into a room, and tells it how it stands there.
    pub(in crate::node) fn seat(&mut self, who: u32, room: RoomId, events: impl Iterator<Item = NodeEvent>) {
        if let Some(present) = self.guests.get_mut(&who) {
            present.listener.go(room);
            for event in events {
                push(&present.guest, frame(&event).as_ref());
            }
        }
    }

    pub(in crate::node) fn listener(&self, who: u32) -> Option<&Listener> {
        self.guests.get(&who).map(|present| &present.listener)
    }

    pub(in crate::node) fn listeners(&self) -> impl Iterator<Item = &Listener> {
        self.guests.values().map(|present| &present.listener)
    }

    pub(in crate::node) fn listeners_mut(&mut self) -> impl Iterator<Item = &mut Listener> {
        self.guests.values_mut().map(|present| &mut present.listener)
    }

    /// The guests that are in a room, or in none.
    pub(in crate::node) fn in_room(&self, room: Option<RoomId>) -> impl Iterator<Item = u32> {
        self.guests.iter().filter(move |(_, present)| present.listener.room == room).map(|(who, _)| *who)
    }

    /// Lets every guest have what was told, then ends.
    pub(in crate::node) async fn close(mut self) {
        fs::remove_file(&self.socket).ok();
        for present in self.guests.values() {
            present.guest.queue.try_send(Queued::End).ok();
        }
        let parted = async { while self.tasks.join_next().await.is_some() {} };
        // The one that accepts ends with the loop's queue, which is closed by now.
        tokio::time::timeout(LOCAL_PARTING_TIME, parted).await.ok();
    }
}

/// What a guest hears of an event.
enum Told {
    AsItIs,
    Otherwise(NodeEvent),
    Nothing,
}

/// Outcomes of commands are for whoever gave them, wherever it is by now; all else is for who is in the room.
fn as_told_to(guest: u32, event: &NodeEvent, is_meant: bool) -> Told {
    let all = if is_meant { Told::AsItIs } else { Told::Nothing };
    let NodeEvent::Engine(event) = event else { return all };
    let Some(tag) = tag_of(event) else { return all };
    let mut event = event.clone();
    match &mut event {
        // The loop's own, for somebody who knocked.
        Event::Refused { .. } if owner(tag) == LOOP => return all,
        Event::Draft { tag: theirs, .. } if owner(tag) != guest && is_meant => *theirs = None,
        _ if owner(tag) != guest => return Told::Nothing,
        Event::Draft { tag: theirs, .. } => *theirs = Some(tag & TAG_MASK),
        Event::Written { tag, .. }
        | Event::Invited { tag, .. }
        | Event::Imported { tag, .. }
        | Event::Refused { tag, .. } => {
            *tag &= TAG_MASK;
        }
        _ => {}
    }
    Told::Otherwise(NodeEvent::Engine(event))
}

/// Whether the node's own handle hears of an event.
fn is_for_handle(event: &NodeEvent, is_meant: bool) -> bool {
    let NodeEvent::Engine(event) = event else { return is_meant };
    match tag_of(event).map(owner) {
        Some(HANDLE) => true,
        None | Some(LOOP) => is_meant,
        Some(_) => is_meant && matches!(event, Event::Draft { .. }),
    }
}

fn tag_of(event: &Event) -> Option<Tag> {
    match event {
        Event::Draft { tag, .. } => *tag,
        Event::Written { tag, .. }
        | Event::Invited { tag, .. }
        | Event::Imported { tag, .. }
        | Event::Refused { tag, .. } => Some(*tag),
        _ => None,
    }
}

/// A guest's tag as the loop has it.
pub(super) fn tag_of_guest(guest: u32, tag: Tag) -> Tag {
    Tag::from(guest) << 32 | tag & TAG_MASK
}

/// Whose tag it is: a guest's number, 0 for the node's own handle.
fn owner(tag: Tag) -> u32 {
    u32::try_from(tag >> 32).unwrap_or(LOOP)
}

const TAG_MASK: Tag = u32::MAX as Tag;

/// The owner of the loop's own tags.
const LOOP: u32 = 1 << 31;

fn frame(event: &NodeEvent) -> Option<Arc<[u8]>> {
    // What cannot be written as JSON is no event.
    encode(&FromHolder::Event(event.clone())).ok().map(Arc::from)
}

/// Queues a frame. Says whether the guest is to be kept.
fn push(guest: &Guest, frame: Option<&Arc<[u8]>>) -> bool {
    let Some(frame) = frame else { return true };
    let queued = guest.queued.fetch_add(frame.len(), Ordering::Relaxed) + frame.len();
    queued <= GUEST_QUEUE_BYTES_MAX && guest.queue.try_send(Queued::Event(Arc::clone(frame))).is_ok()
}

async fn accept(listener: UnixListener, requests: mpsc::WeakSender<Request>) {
    let mut connections = JoinSet::new();
    let mut number = 0;
    loop {
        while connections.try_join_next().is_some() {}
        let accepted = tokio::select! {
            accepted = listener.accept(), if connections.len() < GUESTS_MAX => accepted,
            Some(_) = connections.join_next(), if connections.len() >= GUESTS_MAX => continue,
            () = closed(&requests) => break,
        };
        match accepted {
            Ok((stream, _)) if is_own(&stream).unwrap_or(false) => {
                number = number % (LOOP - 1) + 1;
                connections.spawn(connection::run(stream, number, requests.clone()));
            }
            Ok(_) => tracing::warn!("another user tried to use this home's socket"),
            Err(error) => {
                tracing::warn!(%error, "no process could be let in");
                tokio::time::sleep(crate::limits::ACCEPT_PAUSE).await;
            }
        }
    }
    while connections.join_next().await.is_some() {}
}

/// Until the loop takes no more requests.
async fn closed(requests: &mpsc::WeakSender<Request>) {
    if let Some(requests) = requests.upgrade() {
        requests.closed().await;
    }
}

impl Driver {
    /// Tells whoever listens: the handle, and every guest.
    pub(in crate::node) fn tell(&mut self, event: NodeEvent) {
        self.tell_to(event, Audience::Everyone);
    }

    /// Tells those of them whom it concerns.
    pub(in crate::node) fn tell_to(&mut self, event: NodeEvent, audience: Audience) {
        if let Some(host) = &mut self.host {
            host.tell(&event, audience);
        }
        if is_for_handle(&event, audience.has(&self.own)) {
            self.backlog.push_back(event);
        }
    }

    pub(in crate::node) fn any_guest(&self, wants: impl Fn(&Attach) -> bool) -> bool {
        self.host.iter().flat_map(|host| host.guests.values()).any(|present| wants(&present.attach))
    }

    pub(in crate::node) fn on_detach(&mut self, number: u32) {
        if let Some(host) = &mut self.host {
            host.guests.remove(&number);
        }
        self.update_answers();
    }

    /// Takes in a guest: tells it how things stand, in the form of what it would have heard since the start.
    pub(in crate::node) async fn on_attach(&mut self, number: u32, attach: Attach, guest: Guest) {
        let room = match self.room_for(&attach).await {
            Ok(room) => room,
            Err(refusal) => {
                send(&guest, &refusal);
                guest.queue.try_send(Queued::End).ok();
                return;
            }
        };
        self.heed(room, &attach);
        let state = self.home.state();
        let mut named = if room == self.room() { self.options.peers.clone() } else { Vec::new() };
        named.extend(room.and_then(|room| state.room(&room)).into_iter().flat_map(|it| it.peers.clone()));
        named.retain(|address| rendezvous_of(address).is_none());
        let attached = Attached {
            pid: std::process::id(),
            me: self.home.identity().key(),
            room,
            rooms: self.home_rooms(),
            named,
            dials: self.options.dials && !self.is_offline,
        };
        send(&guest, &FromHolder::Attached(attached));
        for address in &self.listening {
            push(&guest, frame(&NodeEvent::Listening(*address)).as_ref());
        }
        if let Some(host) = &mut self.host {
            host.guests.insert(number, Present { guest, attach, listener: Listener::default() });
        }
        room.into_iter().for_each(|room| self.settle_in(number, room));
        self.update_answers();
    }

    /// The room that a guest means, opened.
    async fn room_for(&mut self, attach: &Attach) -> Result<Option<RoomId>, FromHolder> {
        let refused = |error: NodeError| FromHolder::NoRoom(error.into());
        let room = self.room_meant(attach).map_err(FromHolder::NoSuchRoom)?;
        if let Some(ticket) = ticket_of(attach) {
            self.join(&ticket).await.map_err(refused)?;
        } else if let Some(room) = room {
            self.open_room(room).await.map_err(refused)?;
            self.home
                .change(|state| state.current_room = Some(room))
                .map_err(|error| refused(error.into()))?;
        }
        Ok(room)
    }

    /// The room that a guest means. If that is none, or not one alone, those there are.
    pub(in crate::node) fn room_meant(&self, attach: &Attach) -> Result<Option<RoomId>, Rooms> {
        if let Some(ticket) = ticket_of(attach) {
            return Ok(Some(ticket.room));
        }
        let Some(wanted) = &attach.room else { return Ok(self.home.state().current_room) };
        let rooms = self.home_rooms();
        match rooms_called(&rooms, wanted).as_slice() {
            [room] => Ok(Some(*room)),
            _ => Err(rooms),
        }
    }

    fn home_rooms(&self) -> Rooms {
        self.home.state().rooms.iter().map(|room| (room.id, room.name.clone())).collect()
    }

    /// Does what a guest wants besides being told.
    fn heed(&mut self, room: Option<RoomId>, attach: &Attach) {
        if let Some(nick) = &attach.nick
            && self.home.state().nick.as_ref() != Some(nick)
        {
            self.on_command(room, 0, Command::SetNick(nick.clone()));
        }
        if attach.all_rooms {
            self.open_all();
        }
        if attach.dials {
            self.book.retry_all(self.clock.now().monotonic_ms);
            self.handle(room, Input::Command(0, Command::Redial));
        }
        for address in &attach.peers {
            self.on_command(room, 0, Command::Dial(address.clone()));
        }
    }
}

/// Rooms and what they are called.
type Rooms = Vec<(RoomId, String)>;

fn ticket_of(attach: &Attach) -> Option<Ticket> {
    attach.ticket.as_ref()?.parse().ok()
}

/// Queues a frame that is not an event.
fn send(guest: &Guest, frame: &FromHolder) {
    if let Ok(frame) = encode(frame) {
        guest.queue.try_send(Queued::Answer(frame)).ok();
    }
}
