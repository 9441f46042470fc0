//! The server's sockets: one loop that owns everything known, one task for each connection and each pair.

use std::collections::BTreeMap;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use replica::home::draw_seed;
use tokio::io::{AsyncReadExt, BufReader, copy_buf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;
use tokio::task::{Id, JoinSet};
use tokio::time::{interval, timeout};

use crate::clock::Clock;
use crate::limits::{
    ACCEPT_PAUSE, CALL_TIME, PAIR_BYTES_MAX, PAIR_LIFE, PAIRS_MAX, PAIRS_PER_SOURCE_MAX, RECORD_LIFE,
    RENDEZVOUS_ANSWERS_MAX, RENDEZVOUS_BURST, RENDEZVOUS_CONNECTIONS_MAX,
    RENDEZVOUS_CONNECTIONS_PER_SOURCE_MAX, RENDEZVOUS_PAUSE,
};
use crate::penalty::subscriber;
use crate::rendezvous::registry::{Client, Registry};
use crate::rendezvous::{Answer, Cookie, Refusal, Request, read_message, write_message};
use crate::transport::{ListenError, bind};

#[cfg(test)]
mod tests;

/// A server that introduces.
#[derive(Debug)]
pub struct Server {
    listener: TcpListener,
    relays: bool,
    clock: Clock,
    registry: Registry,
    clients: BTreeMap<Client, Connected>,
    tasks: JoinSet<()>,
    by_task: BTreeMap<Id, Client>,
    /// How many connections come from where.
    by_source: BTreeMap<IpAddr, usize>,
    calls: BTreeMap<Cookie, Call>,
    pairs: JoinSet<()>,
    /// Which caller each pair counts for.
    pair_sources: BTreeMap<Id, IpAddr>,
    next_client: u64,
}

#[derive(Debug)]
struct Connected {
    address: SocketAddr,
    answers: mpsc::Sender<Answer>,
}

/// Somebody who waits to be joined.
#[derive(Debug)]
struct Call {
    socket: TcpStream,
    source: IpAddr,
    until_ms: u64,
}

/// What a connection's task tells the loop.
#[derive(Debug)]
enum Heard {
    /// To be answered by way of its queue.
    Request(Client, Request),
    /// A call or its answer: from here on the loop has the connection.
    HandedOver(SocketAddr, TcpStream, Request),
}

impl Server {
    /// Listens at an address; port 0 picks any. With `relays` it also joins members that cannot reach each other.
    ///
    /// # Errors
    /// When the system does not give the address.
    ///
    /// # Panics
    /// Outside a tokio runtime.
    pub fn bind(address: SocketAddr, relays: bool) -> Result<Self, ListenError> {
        Ok(Self {
            listener: bind(address)?,
            relays,
            clock: Clock::new(),
            registry: Registry::default(),
            clients: BTreeMap::new(),
            tasks: JoinSet::new(),
            by_task: BTreeMap::new(),
            by_source: BTreeMap::new(),
            calls: BTreeMap::new(),
            pairs: JoinSet::new(),
            pair_sources: BTreeMap::new(),
            next_client: 0,
        })
    }

    /// Where it listens.
    ///
    /// # Errors
    /// When the system does not say.
    pub fn address(&self) -> io::Result<SocketAddr> {
        self.listener.local_addr()
    }

    /// Serves until it is dropped.
    pub async fn run(mut self) {
        let (sender, mut heard) = mpsc::channel(HEARD_MAX);
        let mut upkeep = interval(UPKEEP);
        loop {
            tokio::select! {
                accepted = self.listener.accept() => match accepted {
                    Ok((socket, address)) => self.on_accepted(socket, address, &sender),
                    Err(error) => {
                        tracing::warn!(%error, "could not accept a connection");
                        tokio::time::sleep(ACCEPT_PAUSE).await;
                    }
                },
                Some(heard) = heard.recv() => match heard {
                    Heard::Request(client, request) => self.on_request(client, request),
                    Heard::HandedOver(address, socket, Request::Call(slot)) => self.on_call(address, socket, slot),
                    Heard::HandedOver(_, socket, Request::PickUp(cookie)) => self.on_picked_up(socket, cookie),
                    Heard::HandedOver(_, socket, _) => refuse(&mut self.tasks, socket, Refusal::Malformed),
                },
                Some(ended) = self.tasks.join_next_with_id() => {
                    self.on_ended(ended.map_or_else(|error| error.id(), |(id, ())| id));
                }
                Some(ended) = self.pairs.join_next_with_id() => {
                    self.pair_sources.remove(&ended.map_or_else(|error| error.id(), |(id, ())| id));
                }
                _ = upkeep.tick() => self.keep_up(),
            }
        }
    }

    fn on_accepted(&mut self, socket: TcpStream, address: SocketAddr, heard: &mpsc::Sender<Heard>) {
        let address = SocketAddr::new(address.ip().to_canonical(), address.port());
        let source = subscriber(address.ip());
        let count = self.by_source.get(&source).copied().unwrap_or(0);
        let is_crowded = count >= RENDEZVOUS_CONNECTIONS_PER_SOURCE_MAX && !source.is_loopback();
        if is_crowded || self.clients.len() >= RENDEZVOUS_CONNECTIONS_MAX {
            return;
        }
        self.by_source.insert(source, count + 1);
        self.next_client += 1;
        let client = Client(self.next_client);
        let (answers, queue) = mpsc::channel(RENDEZVOUS_ANSWERS_MAX);
        let talk = Talk { client, address, heard: heard.clone(), queue };
        let task = self.tasks.spawn(async move {
            if let Err(error) = talk.run(socket).await {
                tracing::trace!(%error, "a client ended");
            }
        });
        self.by_task.insert(task.id(), client);
        self.clients.insert(client, Connected { address, answers });
    }

    fn on_ended(&mut self, task: Id) {
        let Some(client) = self.by_task.remove(&task) else { return };
        self.registry.leave(client);
        let Some(Connected { address, .. }) = self.clients.remove(&client) else { return };
        let source = subscriber(address.ip());
        if let Some(count) = self.by_source.get_mut(&source) {
            *count -= 1;
            if *count == 0 {
                self.by_source.remove(&source);
            }
        }
    }

    fn on_request(&mut self, client: Client, request: Request) {
        let Some(address) = self.clients.get(&client).map(|it| it.address) else { return };
        let now_ms = self.clock.now().monotonic_ms;
        match request {
            Request::Announce { tag, slot, sealed } => {
                let by = (client, address.ip());
                match self.registry.announce(by, (tag, slot), sealed.clone(), now_ms) {
                    Ok(is_news) => {
                        self.answer(client, Answer::seen(address));
                        self.tell_others(client, tag);
                        let watchers: Vec<Client> = self.registry.watchers(client, &tag).collect();
                        for watcher in watchers.into_iter().filter(|_| is_news) {
                            self.answer(watcher, Answer::Record { tag, slot, sealed: sealed.clone() });
                        }
                    }
                    Err(_) => self.answer(client, Answer::No(Refusal::Full)),
                }
            }
            Request::Watch(tag) => match self.registry.watch(client, tag) {
                Ok(()) => {
                    self.answer(client, Answer::seen(address));
                    self.tell_others(client, tag);
                }
                Err(_) => self.answer(client, Answer::No(Refusal::Full)),
            },
            Request::Call(_) | Request::PickUp(_) => self.answer(client, Answer::No(Refusal::Malformed)),
        }
    }

    /// Tells a client what is left under a tag.
    fn tell_others(&mut self, client: Client, tag: crate::discovery::Tag) {
        let others = self.registry.others(client, &tag);
        let records: Vec<Answer> =
            others.map(|(slot, sealed)| Answer::Record { tag, slot, sealed: sealed.to_vec() }).collect();
        records.into_iter().for_each(|record| self.answer(client, record));
    }

    /// Queues an answer. Who does not read is dropped: its task ends with its queue.
    fn answer(&mut self, client: Client, answer: Answer) {
        let queue = self.clients.get(&client).map(|it| it.answers.clone());
        if queue.is_some_and(|queue| queue.try_send(answer).is_err()) {
            let (closed, _) = mpsc::channel(1);
            self.clients.entry(client).and_modify(|it| it.answers = closed);
        }
    }

    fn on_call(&mut self, address: SocketAddr, socket: TcpStream, slot: crate::rendezvous::Slot) {
        let source = subscriber(address.ip());
        let mine = self.pair_sources.values().filter(|other| **other == source).count()
            + self.calls.values().filter(|call| call.source == source).count();
        let is_full = self.pairs.len() + self.calls.len() >= PAIRS_MAX
            || mine >= PAIRS_PER_SOURCE_MAX && !source.is_loopback();
        let callee = self.registry.client(&slot);
        let cookie = draw_seed().ok().and_then(|seed| seed.first_chunk().copied()).map(Cookie);
        match (callee, cookie) {
            _ if !self.relays => refuse(&mut self.tasks, socket, Refusal::NoRelay),
            (None, _) => refuse(&mut self.tasks, socket, Refusal::NobodyThere),
            (Some(callee), Some(cookie)) if !is_full => {
                let until_ms = self.clock.now().monotonic_ms + crate::limits::millis(CALL_TIME);
                self.calls.insert(cookie, Call { socket, source, until_ms });
                self.answer(callee, Answer::Ring { slot, cookie });
            }
            _ => refuse(&mut self.tasks, socket, Refusal::Full),
        }
    }

    fn on_picked_up(&mut self, socket: TcpStream, cookie: Cookie) {
        match self.calls.remove(&cookie) {
            Some(call) => {
                let task = self.pairs.spawn(async move {
                    // A pair ends when either end does; there is nothing to tell the other.
                    timeout(PAIR_LIFE, join(call.socket, socket)).await.ok();
                });
                self.pair_sources.insert(task.id(), call.source);
            }
            None => refuse(&mut self.tasks, socket, Refusal::NobodyThere),
        }
    }

    fn keep_up(&mut self) {
        let now_ms = self.clock.now().monotonic_ms;
        self.registry.expire(now_ms);
        for (_, call) in self.calls.extract_if(.., |_, call| call.until_ms <= now_ms) {
            refuse(&mut self.tasks, call.socket, Refusal::NobodyThere);
        }
        tracing::debug!(records = self.registry.len(), pairs = self.pairs.len(), "rendezvous");
    }
}

/// One connection until it ends or is handed over.
struct Talk {
    client: Client,
    address: SocketAddr,
    heard: mpsc::Sender<Heard>,
    queue: mpsc::Receiver<Answer>,
}

impl Talk {
    async fn run(mut self, mut socket: TcpStream) -> io::Result<()> {
        socket.set_nodelay(true)?;
        let first: Request = in_time(FIRST_TIME, read_message(&mut socket)).await?;
        if matches!(first, Request::Call(_) | Request::PickUp(_)) {
            self.heard.send(Heard::HandedOver(self.address, socket, first)).await.ok();
            return Ok(());
        }
        self.heard.send(Heard::Request(self.client, first)).await.ok();
        let (mut reading, mut writing) = socket.split();
        let client = self.client;
        let heard = self.heard;
        let listen = async {
            for number in 1.. {
                if number > RENDEZVOUS_BURST {
                    tokio::time::sleep(RENDEZVOUS_PAUSE).await;
                }
                let request = in_time(RECORD_LIFE, read_message(&mut reading)).await?;
                heard.send(Heard::Request(client, request)).await.ok();
            }
            Ok(())
        };
        let speak = async {
            while let Some(answer) = self.queue.recv().await {
                let is_last = matches!(answer, Answer::No(_));
                in_time(WRITE_TIME, write_message(&mut writing, &answer)).await?;
                if is_last {
                    break;
                }
            }
            Ok(())
        };
        tokio::select! {
            ended = listen => ended,
            ended = speak => ended,
        }
    }
}

/// Says why nothing is done, and closes.
fn refuse(tasks: &mut JoinSet<()>, mut socket: TcpStream, refusal: Refusal) {
    tasks.spawn(async move {
        let no = Answer::No(refusal);
        // Whoever does not take it learns it by the end.
        in_time(WRITE_TIME, write_message(&mut socket, &no)).await.ok();
    });
}

/// Joins two connections until either ends or has carried its share.
async fn join(mut one: TcpStream, mut other: TcpStream) -> io::Result<()> {
    let (seen_one, seen_other) = (one.peer_addr()?, other.peer_addr()?);
    for (socket, seen) in [(&mut one, seen_other), (&mut other, seen_one)] {
        socket.set_nodelay(true)?;
        in_time(WRITE_TIME, write_message(socket, &Answer::Joined(seen.into()))).await?;
    }
    let ((from_one, mut to_one), (from_other, mut to_other)) = (one.split(), other.split());
    let share = |from| BufReader::with_capacity(PIECE, AsyncReadExt::take(from, PAIR_BYTES_MAX));
    let (mut from_one, mut from_other) = (share(from_one), share(from_other));
    tokio::select! {
        copied = copy_buf(&mut from_one, &mut to_other) => copied.map(drop),
        copied = copy_buf(&mut from_other, &mut to_one) => copied.map(drop),
    }
}

async fn in_time<T>(time: Duration, doing: impl Future<Output = io::Result<T>>) -> io::Result<T> {
    timeout(time, doing).await.map_err(|_| io::ErrorKind::TimedOut)?
}

/// Bytes carried at once.
const PIECE: usize = 32 * 1024;

/// Requests of all connections that wait for the loop; then connections wait.
const HEARD_MAX: usize = 256;

/// How soon a connection says what it wants.
const FIRST_TIME: Duration = Duration::from_secs(5);

/// How long a client may take to read one answer.
const WRITE_TIME: Duration = Duration::from_secs(5);

/// How often what has expired is dropped.
const UPKEEP: Duration = Duration::from_secs(2);
