//! The loop: takes what happens to the core, one thing at a time, and does what the core answers.

use std::collections::{BTreeMap, VecDeque};
use std::net::SocketAddr;
use std::time::Duration;

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng as _, SeedableRng as _};
use replica::home::{Home, draw_seed};
use replica::id::{AuthorKey, RoomId};
use replica::store::StoreError;
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinSet;

use crate::book::Book;
use crate::channel::Answers;
use crate::clock::Clock;
use crate::conversation::{ConnectionId, Tag};
use crate::discovery::{Discovery, Told};
use crate::engine::{Command, Engine, Event, Input, Output, Row};
use crate::limits::REFUSALS_NEWS;
use crate::limits::millis;
use crate::lobby::{Lobby, Me};
use crate::node::finding::Detours;
use crate::node::keeper::{Job, Keeper, Kept};
use crate::node::local::Host;
use crate::node::{Listen, NodeError, NodeEvent, Options, Request};
use crate::penalty::Refused;
use crate::transport::{Transport, TransportEvent, TransportLimits};
use crate::wire::{Bye, ByeReason, KnockNonce, encode};

/// Everything the loop owns.
#[derive(Debug)]
pub(super) struct Driver {
    pub(super) home: Home,
    pub(super) options: Options,
    pub(super) clock: Clock,
    pub(super) rng: ChaCha8Rng,
    pub(super) transport: Transport,
    /// The room that is open, with its store.
    pub(super) engine: Option<Engine>,
    pub(super) keeper: Option<Keeper>,
    pub(super) lobby: Lobby,
    /// Whom to dial while there is no room.
    pub(super) book: Book,
    /// Dials under way: the address as it was named, and whether it is a knock.
    pub(super) dials: BTreeMap<ConnectionId, (String, bool)>,
    /// Connections to members, by the address under which the engine has them.
    pub(super) connected: BTreeMap<String, ConnectionId>,
    /// Host names being looked up: the address as it was named, whether to knock there, and what it resolves to.
    pub(super) lookups: JoinSet<(String, bool, Option<SocketAddr>)>,
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
    pub(super) detours: Detours,
    /// Whether a connection came or went, so that this machine's addresses may be others now.
    pub(super) may_have_moved: bool,
    /// How many refusals were told of, and when there may be more to tell.
    pub(super) refusals_told: u64,
    pub(super) refusals_due_ms: u64,
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
    Kept(Option<Kept>),
    LookedUp((String, bool, Option<SocketAddr>)),
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
            engine: None,
            keeper: None,
            lobby: Lobby::new(me),
            book: Book::new(),
            dials: BTreeMap::new(),
            connected: BTreeMap::new(),
            lookups: JoinSet::new(),
            moving: BTreeMap::new(),
            admissions: BTreeMap::new(),
            next_admission: ADMISSION_TAGS,
            makes_room_for: Vec::new(),
            listening: Vec::new(),
            is_offline: false,
            outside: None,
            discovery: Discovery::new(clock, place),
            detours: Detours::default(),
            may_have_moved: false,
            refusals_told: 0,
            refusals_due_ms: 0,
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
            let deadline = self.drain();
            if let Some(ticket) = self.next_room.take() {
                self.change_room(ticket).await;
                continue;
            }
            if !self.makes_room_for.is_empty() {
                self.make_room_for_knockers().await;
                continue;
            }
            match self.step(&mut requests, deadline).await {
                Step::Request(Some(Request::Stop(done))) => return self.stop(requests, Some(done)).await,
                Step::Request(None) => return self.stop(requests, None).await,
                Step::Request(Some(request)) => self.on_request(request),
                other => self.on_step(other),
            }
        }
    }

    fn on_step(&mut self, step: Step) {
        match step {
            Step::Network(event) => self.on_network(event),
            Step::Kept(Some(kept)) => self.on_kept(kept),
            Step::Kept(None) => {
                self.keeper = None;
                self.handle(Input::StoreFailed);
            }
            Step::LookedUp((address, knock, found)) => self.on_looked_up(address, knock, found),
            Step::Found(told) => self.on_found(told),
            Step::Tick => self.handle(Input::Tick),
            Step::Told | Step::Request(_) => {}
        }
    }

    /// Waits for the next thing to happen. Every branch is cancel-safe: what is not taken now is taken next time.
    async fn step(&mut self, requests: &mut mpsc::Receiver<Request>, deadline: Option<u64>) -> Step {
        let wait = deadline.map(|deadline| deadline.saturating_sub(self.clock.now().monotonic_ms));
        let backlog = &mut self.backlog;
        let events = &self.events;
        let is_room_for_more = backlog.len() < BACKLOG_MAX;
        let has_backlog = !backlog.is_empty();
        let keeper = &mut self.keeper;
        tokio::select! {
            permit = events.reserve(), if has_backlog => {
                match permit {
                    Ok(permit) => permit.send(std::mem::take(backlog)),
                    // Nobody listens any more.
                    Err(_) => backlog.clear(),
                }
                Step::Told
            }
            Some(kept) = async { Some(keeper.as_mut()?.next().await) }, if keeper.is_some() => Step::Kept(kept),
            request = requests.recv(), if !requests.is_closed() || !requests.is_empty() => Step::Request(request),
            event = self.transport.next_event(), if is_room_for_more => Step::Network(event),
            told = self.discovery.next() => Step::Found(told),
            Some(Ok(found)) = self.lookups.join_next(), if !self.lookups.is_empty() => Step::LookedUp(found),
            () = tokio::time::sleep(Duration::from_millis(wait.unwrap_or(0))), if wait.is_some() => Step::Tick,
        }
    }

    /// Gives the engine an input.
    pub(super) fn handle(&mut self, input: Input) {
        let now = self.clock.now();
        if let Some(engine) = &mut self.engine {
            engine.handle(input, now);
        }
    }

    /// Does all that the core wants done. Answers when it wants to be woken.
    pub(super) fn drain(&mut self) -> Option<u64> {
        self.drain_lobby();
        let deadline = loop {
            let Some(engine) = &mut self.engine else { break None };
            match engine.poll_output() {
                Output::Send(connection, frame) => {
                    // A failure is explained by the connection's end, which follows.
                    self.transport.send(connection, encode(&frame)).ok();
                }
                Output::Close(connection, bye) => {
                    if bye.as_ref().is_some_and(|bye| turns_away(bye.reason)) {
                        self.transport.charge(connection, Refused::NotMember);
                    }
                    self.transport.close(connection, bye);
                }
                Output::Dial(address) => self.dial(address, false),
                Output::Persist(batch) => self.ask_keeper(Job::Commit(batch)),
                Output::Read(connection, positions) => self.ask_keeper(Job::Read(connection, positions)),
                Output::ReadNewest(connection, count) => self.ask_keeper(Job::ReadNewest(connection, count)),
                Output::Event(event) => self.on_event(event),
                Output::Wait(deadline) if !std::mem::take(&mut self.may_have_moved) => break deadline,
                Output::Wait(_) => {
                    let addresses = self.reachable_at().into_iter().map(Into::into).collect();
                    self.handle(Input::Command(0, Command::Reachable(addresses)));
                    self.announce();
                }
            }
        };
        let now = self.clock.now().monotonic_ms;
        self.lobby.keep_up(now);
        self.drain_lobby();
        let others = [self.lobby.deadline(), self.tell_refusals(now)].into_iter().flatten().min();
        if self.engine.is_none() && !self.is_offline {
            for address in self.book.poll_dials(now) {
                self.dial(address, true);
            }
            return self.book.next_due().into_iter().chain(others).min();
        }
        deadline.into_iter().chain(others).min()
    }

    /// Tells how much was refused, if that is news; else when it may be told.
    fn tell_refusals(&mut self, now_ms: u64) -> Option<u64> {
        let total = self.transport.refusals().total();
        if total == self.refusals_told {
            return None;
        }
        if now_ms < self.refusals_due_ms {
            return Some(self.refusals_due_ms);
        }
        (self.refusals_told, self.refusals_due_ms) = (total, now_ms + millis(REFUSALS_NEWS));
        self.tell(NodeEvent::Refused(self.transport.refusals().clone()));
        None
    }

    pub(super) fn ask_keeper(&mut self, job: Job) {
        if let Some(keeper) = &mut self.keeper {
            keeper.ask(job);
        }
    }

    pub(super) fn on_kept(&mut self, kept: Kept) {
        match kept {
            Kept::Persisted(rows_after) => {
                self.handle(Input::Persisted(rows_after));
                if !self.home.state().drafts.is_empty() {
                    self.forget_home_drafts();
                }
            }
            Kept::Newest(connection, positions, blocks) => {
                self.handle(Input::Newest(connection, positions, blocks));
            }
            Kept::Blocks(connection, blocks) => self.handle(Input::Blocks(connection, blocks)),
            Kept::Page(rows, answer) => {
                let conversation = self.engine.as_ref().map(Engine::conversation);
                let rows = conversation.map(|conversation| {
                    rows.into_iter().map(|row| Row::of_page(conversation, row)).collect()
                });
                drop(answer.send(rows.ok_or(NodeError::NoRoom)));
            }
            Kept::Failed(error) => self.on_store_failed(&error),
        }
    }

    /// From now on nothing is written.
    pub(super) fn on_store_failed(&mut self, error: &StoreError) {
        tracing::error!(%error, "the store failed");
        let why = match error {
            // What the system says of it is what helps.
            StoreError::Io(source) => source.to_string(),
            other => other.to_string(),
        };
        self.tell(NodeEvent::Failed(why));
        self.handle(Input::StoreFailed);
    }

    fn on_event(&mut self, event: Event) {
        match &event {
            Event::Written { tag, .. } => {
                if let Some(connection) = self.admissions.remove(tag)
                    && let Some(ticket) = self.ticket(None)
                {
                    self.lobby.admitted(connection, &ticket);
                }
            }
            Event::Refused { tag, .. } => {
                if let Some(connection) = self.admissions.remove(tag) {
                    self.lobby.not_admitted(connection);
                }
            }
            Event::Row(row) if replica::entry::Kind::is_roster(row.kind) => self.on_roster_changed(),
            Event::Offence { connection, refused, .. } => self.transport.charge(*connection, *refused),
            Event::DialFailed { address, trouble } => self.on_dial_trouble(&address.clone(), *trouble),
            _ => {}
        }
        self.tell(NodeEvent::Engine(event));
    }

    /// Lets connected peers have what is here and not there, says goodbye, lets the store finish, and ends.
    async fn stop(mut self, mut requests: mpsc::Receiver<Request>, done: Option<oneshot::Sender<()>>) {
        requests.close();
        let until = self.clock.now().monotonic_ms + millis(HAND_OVER_TIME);
        loop {
            let deadline = self.drain();
            let is_over = self.engine.as_ref().is_none_or(Engine::is_handed_over);
            if is_over || self.clock.now().monotonic_ms >= until {
                break;
            }
            let step = self.step(&mut requests, Some(deadline.map_or(until, |due| due.min(until)))).await;
            self.on_step(step);
        }
        self.handle(Input::Command(0, Command::HangUp));
        self.leave_store().await;
        if let Some(host) = self.host.take() {
            host.close().await;
        }
        self.transport.shutdown(Some(Bye::new(ByeReason::Leaving, "leaving"))).await;
        drop(done);
    }

    /// The room that is open.
    pub(super) fn room(&self) -> Option<RoomId> {
        self.engine.as_ref().map(|engine| engine.conversation().graph().room())
    }
}

/// Whether somebody with the room's secret is told to go because nobody let them in.
fn turns_away(reason: ByeReason) -> bool {
    use ByeReason::{InviteExpired, InviteRevoked, InviteUnknown, InviteUsedUp, NotMember, Removed};
    matches!(reason, NotMember | Removed | InviteExpired | InviteUsedUp | InviteUnknown | InviteRevoked)
}

/// Tags from here on are the loop's own: a handle counts from 1.
const ADMISSION_TAGS: Tag = 1 << 63;

/// How long connected peers are waited for at the end, so that what was said last reaches them.
const HAND_OVER_TIME: Duration = Duration::from_secs(1);

/// Events that may wait in the loop before it stops reading the network.
const BACKLOG_MAX: usize = 4_096;
