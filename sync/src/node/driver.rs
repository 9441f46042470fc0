//! The loop: takes what happens to the core, one thing at a time, and does what the core answers.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::net::SocketAddr;
use std::time::Duration;

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng as _, SeedableRng as _};
use replica::home::{Home, draw_seed};
use replica::id::{AuthorKey, RoomId};
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinSet;

use crate::book::Book;
use crate::channel::Answers;
use crate::clock::Clock;
use crate::conversation::{ConnectionId, Tag};
use crate::discovery::{Discovery, Told};
use crate::engine::{Command, Input};
use crate::limits::millis;
use crate::lobby::{Lobby, Me};
use crate::node::keeper::Kept;
use crate::node::listeners::{HANDLE, Listener};
use crate::node::local::Host;
use crate::node::network::Dial;
use crate::node::opening::{OpenRoom, OpenedRoom, next_kept};
use crate::node::{Listen, NodeError, NodeEvent, Options, Request};
use crate::transport::{Transport, TransportEvent, TransportLimits};
use crate::wire::{Bye, ByeReason, KnockNonce};

/// Everything the loop owns.
#[derive(Debug)]
pub(super) struct Driver {
    pub(super) home: Home,
    pub(super) options: Options,
    pub(super) clock: Clock,
    pub(super) rng: ChaCha8Rng,
    pub(super) transport: Transport,
    /// The rooms that are open, each with its store.
    pub(super) rooms: BTreeMap<RoomId, OpenRoom>,
    /// Those whose engine had an input since it last said that it waits.
    pub(super) stirred: BTreeSet<RoomId>,
    /// The one whose store was heard last.
    heard: Option<RoomId>,
    /// Rooms of the home that are yet to be opened, and the one that just is.
    pub(super) to_open: VecDeque<RoomId>,
    pub(super) opening: JoinSet<OpenedRoom>,
    /// Who asked for what that waits until a room is open.
    pub(super) postponed: Vec<(RoomId, u32, Request)>,
    /// Why rooms do not work that do not.
    pub(super) troubles: BTreeMap<RoomId, String>,
    /// The node's own handle.
    pub(super) own: Listener,
    pub(super) lobby: Lobby,
    /// Whom to dial while there is no room.
    pub(super) book: Book,
    /// Dials under way.
    pub(super) dials: BTreeMap<ConnectionId, Dial>,
    /// Connections to members, by the room whose secret they proved.
    pub(super) links: BTreeMap<ConnectionId, RoomId>,
    /// Host names being looked up, and what they resolve to.
    pub(super) lookups: JoinSet<(Dial, Option<SocketAddr>)>,
    /// Addresses where a knock was just answered, until when whoever is there may need to come into our room.
    pub(super) moving: BTreeMap<String, u64>,
    /// Admissions that a knocker waits for.
    pub(super) admissions: BTreeMap<Tag, ConnectionId>,
    pub(super) next_admission: Tag,
    /// Knockers to be let into a room that is yet to be made.
    pub(super) makes_room_for: Vec<(ConnectionId, AuthorKey)>,
    pub(super) listening: Vec<SocketAddr>,
    /// Whether a person wants no network for now.
    pub(super) is_offline: bool,
    /// Where others reach us through the router.
    pub(super) outside: Option<SocketAddr>,
    pub(super) discovery: Discovery,
    /// Whether a connection came or went, so that this machine's addresses may be others now.
    pub(super) may_have_moved: bool,
    /// How many refusals were told of, and when there may be more to tell.
    pub(super) refusals_told: u64,
    pub(super) refusals_due_ms: u64,
    /// Whether something came in a room that somebody is not in, and when there may be more to tell of that.
    pub(super) has_news: bool,
    pub(super) news_due_ms: u64,
    /// What could not be told yet, oldest first.
    pub(super) backlog: VecDeque<NodeEvent>,
    pub(super) events: mpsc::Sender<VecDeque<NodeEvent>>,
    /// Other processes that work through this node.
    pub(super) host: Option<Host>,
    /// A ticket whose room is to be entered when the loop is back at its start.
    pub(super) next_room: Option<crate::ticket::Ticket>,
}

/// What woke the loop.
enum Step {
    Request(Option<Request>),
    Network(TransportEvent),
    Kept(RoomId, Option<Kept>),
    Opened(Box<OpenedRoom>),
    LookedUp((Dial, Option<SocketAddr>)),
    Found(Told),
    Told,
    Tick,
}

impl Driver {
    /// Opens the home's room, or the ticket's, and listens.
    pub(super) async fn start(
        home: Home,
        options: Options,
        events: mpsc::Sender<VecDeque<NodeEvent>>,
        requests: mpsc::WeakSender<Request>,
    ) -> Result<Self, NodeError> {
        let mut rng = ChaCha8Rng::from_seed(draw_seed()?);
        let mut nonce = [0; 16];
        rng.fill_bytes(&mut nonce);
        let name = options
            .nick
            .clone()
            .or_else(|| home.state().nick.clone())
            .unwrap_or_else(|| "someone".to_owned());
        let clock = Clock::new();
        let mut place = [0; 16];
        rng.fill_bytes(&mut place);
        let me = Me { identity: home.identity().clone(), name, nonce: KnockNonce(nonce) };
        let mut driver = Self {
            home,
            options,
            clock,
            rng,
            transport: Transport::new(TransportLimits::default(), Answers::default()),
            rooms: BTreeMap::new(),
            stirred: BTreeSet::new(),
            heard: None,
            to_open: VecDeque::new(),
            opening: JoinSet::new(),
            postponed: Vec::new(),
            troubles: BTreeMap::new(),
            own: Listener::default(),
            lobby: Lobby::new(me),
            book: Book::new(),
            dials: BTreeMap::new(),
            links: BTreeMap::new(),
            lookups: JoinSet::new(),
            moving: BTreeMap::new(),
            admissions: BTreeMap::new(),
            next_admission: ADMISSION_TAGS,
            makes_room_for: Vec::new(),
            listening: Vec::new(),
            is_offline: false,
            outside: None,
            discovery: Discovery::new(clock, place),
            may_have_moved: false,
            refusals_told: 0,
            refusals_due_ms: 0,
            has_news: false,
            news_due_ms: 0,
            backlog: VecDeque::new(),
            events,
            host: None,
            next_room: None,
        };
        driver.prepare_home()?;
        if driver.options.listen != Listen::Nowhere {
            driver.listen()?;
        }
        if driver.options.dials {
            driver.discovery.start(&driver.options.discovery);
        }
        driver.open_first_room().await?;
        if driver.options.shares {
            let opened = Host::open(driver.home.folder(), requests);
            driver.host =
                opened.inspect_err(|error| tracing::warn!(%error, "no other process can share")).ok();
        }
        Ok(driver)
    }

    /// Runs until asked to stop, or nobody is left to ask.
    pub(super) async fn run(mut self, mut requests: mpsc::Receiver<Request>) {
        loop {
            self.answer_postponed().await;
            let deadline = self.drain();
            self.open_next();
            if let Some(ticket) = self.next_room.take() {
                self.change_room(ticket).await;
                continue;
            }
            if !self.makes_room_for.is_empty() {
                self.make_room_for_knockers().await;
                continue;
            }
            match self.step(Some(&mut requests), deadline).await {
                Step::Request(Some(Request::Stop(done))) => {
                    drop(requests);
                    return self.stop(Some(done)).await;
                }
                Step::Request(None) => return self.stop(None).await,
                Step::Request(Some(request)) => self.on_request(HANDLE, request).await,
                other => self.on_step(other),
            }
        }
    }

    fn on_step(&mut self, step: Step) {
        match step {
            Step::Network(event) => self.on_network(event),
            Step::Kept(room, Some(kept)) => self.on_kept(room, kept),
            Step::Kept(room, None) => {
                self.rooms.get_mut(&room).into_iter().for_each(|open| open.keeper = None);
                self.only_read(room, "its thread has ended".to_owned());
            }
            Step::Opened(opened) => self.on_opened(*opened),
            Step::LookedUp((dial, found)) => self.on_looked_up(dial, found),
            Step::Found(told) => self.on_found(told),
            Step::Tick => self.tick(),
            Step::Told | Step::Request(_) => {}
        }
    }

    /// Waits for the next thing to happen. Every branch is cancel-safe: what is not taken now is taken next time.
    async fn step(&mut self, requests: Option<&mut mpsc::Receiver<Request>>, deadline: Option<u64>) -> Step {
        let wait = deadline.map(|deadline| deadline.saturating_sub(self.clock.now().monotonic_ms));
        let backlog = &mut self.backlog;
        let events = &self.events;
        let is_room_for_more = backlog.len() < BACKLOG_MAX;
        let has_backlog = !backlog.is_empty();
        let (rooms, heard) = (&mut self.rooms, self.heard);
        let step = tokio::select! {
            permit = events.reserve(), if has_backlog => {
                match permit {
                    Ok(permit) => permit.send(std::mem::take(backlog)),
                    // Nobody listens any more.
                    Err(_) => backlog.clear(),
                }
                Step::Told
            }
            (room, kept) = next_kept(rooms, heard) => Step::Kept(room, kept),
            Some(Ok(opened)) = self.opening.join_next(), if !self.opening.is_empty() => Step::Opened(Box::new(opened)),
            request = next_request(requests) => Step::Request(request),
            event = self.transport.next_event(), if is_room_for_more => Step::Network(event),
            told = self.discovery.next() => Step::Found(told),
            Some(Ok(found)) = self.lookups.join_next(), if !self.lookups.is_empty() => Step::LookedUp(found),
            () = tokio::time::sleep(Duration::from_millis(wait.unwrap_or(0))), if wait.is_some() => Step::Tick,
        };
        if let Step::Kept(room, _) = &step {
            self.heard = Some(*room);
        }
        step
    }

    /// Gives a room's engine an input.
    pub(super) fn handle(&mut self, room: Option<RoomId>, input: Input) {
        let now = self.clock.now();
        if let Some((room, open)) = room.and_then(|room| Some((room, self.rooms.get_mut(&room)?))) {
            open.engine.handle(input, now);
            self.stirred.insert(room);
        }
    }

    /// Gives the engines of all rooms one.
    pub(super) fn handle_all(&mut self, command: &Command) {
        let rooms: Vec<RoomId> = self.rooms.keys().copied().collect();
        rooms.into_iter().for_each(|room| self.handle(Some(room), Input::Command(0, command.clone())));
    }

    fn tick(&mut self) {
        let now = self.clock.now().monotonic_ms;
        let due = self.rooms.iter().filter(|(_, open)| open.due_ms.is_some_and(|due| due <= now));
        let due: Vec<RoomId> = due.map(|(room, _)| *room).collect();
        due.into_iter().for_each(|room| self.handle(Some(room), Input::Tick));
    }

    /// Lets connected peers have what is here and not there, says goodbye, lets the store finish, and ends.
    async fn stop(mut self, done: Option<oneshot::Sender<()>>) {
        let until = self.clock.now().monotonic_ms + millis(HAND_OVER_TIME);
        loop {
            let deadline = self.drain();
            let is_over = self.rooms.values().all(|open| open.engine.is_handed_over());
            if is_over || self.clock.now().monotonic_ms >= until {
                break;
            }
            let step = self.step(None, Some(deadline.map_or(until, |due| due.min(until)))).await;
            self.on_step(step);
        }
        self.handle_all(&Command::HangUp);
        self.leave_stores().await;
        if let Some(host) = self.host.take() {
            host.close().await;
        }
        self.transport.shutdown(Some(Bye::new(ByeReason::Leaving, "leaving"))).await;
        drop(done);
    }

    /// The room that the node's own handle is in.
    pub(super) fn room(&self) -> Option<RoomId> {
        self.own.room
    }

    /// The same, as it is open.
    pub(super) fn current(&self) -> Option<&OpenRoom> {
        self.rooms.get(&self.room()?)
    }
}

/// The next request; none once nobody is left to make one.
async fn next_request(requests: Option<&mut mpsc::Receiver<Request>>) -> Option<Request> {
    match requests {
        Some(requests) => requests.recv().await,
        None => std::future::pending().await,
    }
}

/// Tags from here on are the loop's own: a handle counts from 1.
const ADMISSION_TAGS: Tag = 1 << 63;

/// How long connected peers are waited for at the end, so that what was said last reaches them.
const HAND_OVER_TIME: Duration = Duration::from_secs(1);

/// Events that may wait in the loop before it stops reading the network.
const BACKLOG_MAX: usize = 4_096;
