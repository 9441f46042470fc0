//! A peer that does what it likes: it has sockets, keys and the library's types, and keeps to no rule.

use std::io::{self, ErrorKind, Read as _, Write as _};
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::time::Duration;

use replica::block;
use replica::entry::{Body, Entry, Record};
use replica::graph::Graph;
use replica::id::{ChainId, Digest, StoreId};
use replica::identity::Identity;
use replica_sync::channel::{Channel, Credentials, Initiator, Offer, RoomKey};
use replica_sync::limits::{NOISE_MESSAGE_BYTES_MAX, WINDOW_FIRST_BYTES};
use replica_sync::ticket::Ticket;
use replica_sync::wire::{self, Bye, Data, Deframer, Frame, Hello, PROTOCOL, Want, WantChain};
use socket2::{Domain, Socket, Type};

use crate::program::PATIENCE;

/// When its entries claim to be written: before whatever clock this runs by.
const CLAIMED_MS: u64 = 1_790_000_000_000;

/// Connects from one of this machine's addresses, so that what is held against it is not held against others.
pub(crate) fn connect(at: SocketAddr, from: u8) -> TcpStream {
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
    socket.bind(&SocketAddr::from((Ipv4Addr::new(127, 0, 0, from), 0)).into()).unwrap();
    socket.connect(&at.into()).unwrap();
    let stream: TcpStream = socket.into();
    stream.set_nodelay(true).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    stream
}

/// A message after its length.
pub(crate) fn framed(message: &[u8]) -> Vec<u8> {
    let length = u16::try_from(message.len()).unwrap();
    [&length.to_be_bytes(), message].concat()
}

/// Reads until the other end closes, and says how much came.
pub(crate) fn read_to_end(stream: &mut TcpStream) -> usize {
    let mut piece = [0; 4096];
    let mut total = 0;
    loop {
        match stream.read(&mut piece) {
            Ok(0) => return total,
            Ok(bytes) => total += bytes,
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {
                panic!("the connection was not closed in time")
            }
            Err(_) => return total,
        }
    }
}

/// Both messages of a handshake that succeeds, as they can be recorded and sent again.
pub(crate) struct Handshake {
    pub(crate) first: Vec<u8>,
    pub(crate) last: Vec<u8>,
}

/// One connection whose handshake succeeded.
pub(crate) struct Line {
    pub(crate) stream: TcpStream,
    channel: Channel,
    deframer: Deframer,
    pub(crate) handshake: Handshake,
}

impl Line {
    /// Shakes hands. An error if the other end does not go through with it.
    pub(crate) fn open(mut stream: TcpStream, offer: Offer) -> io::Result<Self> {
        let (initiator, first) = Initiator::new(offer).unwrap();
        stream.write_all(&framed(&first))?;
        let mut length = [0; 2];
        stream.read_exact(&mut length)?;
        let mut answer = vec![0; usize::from(u16::from_be_bytes(length))];
        stream.read_exact(&mut answer)?;
        let (last, established) = initiator.finish(&answer).map_err(|_| ErrorKind::InvalidData)?;
        stream.write_all(&framed(&last))?;
        let deframer = Deframer::new(NOISE_MESSAGE_BYTES_MAX);
        Ok(Self { stream, channel: established.channel, deframer, handshake: Handshake { first, last } })
    }

    /// A sealed message, ready for the wire.
    pub(crate) fn seal(&mut self, frame: &[u8]) -> Vec<u8> {
        let mut sealed = Vec::new();
        self.channel.seal(frame, &mut sealed).unwrap();
        framed(&sealed)
    }

    /// Sends a frame's bytes, whatever they are.
    pub(crate) fn send_bytes(&mut self, frame: &[u8]) {
        let sealed = self.seal(frame);
        // Who was sent away meanwhile finds out when it reads.
        self.stream.write_all(&sealed).ok();
    }

    pub(crate) fn send(&mut self, frame: &Frame) {
        self.send_bytes(&wire::encode(frame));
    }

    /// The next frame; none once the other end has closed.
    pub(crate) fn receive(&mut self) -> Option<Frame> {
        let mut piece = vec![0; 64 * 1024];
        loop {
            if let Some(message) = self.deframer.poll_message().unwrap() {
                let bytes = self.channel.open(message).unwrap();
                return Some(wire::decode(&bytes).unwrap());
            }
            match self.stream.read(&mut piece) {
                Ok(bytes @ 1..) => self.deframer.push(&piece[..bytes]),
                Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {
                    panic!("nothing came in time")
                }
                _ => return None,
            }
        }
    }

    /// Reads until a frame is what was wanted.
    pub(crate) fn until<T>(&mut self, mut wanted: impl FnMut(Frame) -> Option<T>) -> T {
        loop {
            let frame = self.receive().expect("the connection stays");
            if let Some(found) = wanted(frame) {
                return found;
            }
        }
    }

    /// Reads to the end; the goodbye, if there was one.
    pub(crate) fn bye(&mut self) -> Option<Bye> {
        let mut last = None;
        while let Some(frame) = self.receive() {
            if let Frame::Bye(bye) = frame {
                last = Some(bye);
            }
        }
        last
    }
}

/// Somebody with a ticket, and so soon a member, with all that the room has.
pub(crate) struct Mallory {
    pub(crate) line: Line,
    pub(crate) identity: Identity,
    pub(crate) graph: Graph,
    chain: ChainId,
    now_ms: u64,
    /// Bytes of blocks that it may send.
    window: i64,
}

/// What a holder of the ticket shows.
pub(crate) fn credentials(ticket: &Ticket, secret: u8) -> Credentials {
    Credentials {
        room: ticket.room,
        key: RoomKey::from_secret(&ticket.secret),
        identity: Identity::from_secret(&[secret; 32]),
        cards: Vec::new(),
        invite: ticket.invite.map(|secret| Identity::from_secret(&secret)),
    }
}

impl Mallory {
    /// Comes in with a ticket, as the author of a secret key that is one number, and takes all there is.
    pub(crate) fn join(at: SocketAddr, ticket: &Ticket, secret: u8, from: u8) -> Self {
        let offer = Offer::Member(Box::new(credentials(ticket, secret)));
        let line = Line::open(connect(at, from), offer).unwrap();
        let identity = Identity::from_secret(&[secret; 32]);
        let chain = ChainId { author: identity.key(), incarnation: u64::from(from) };
        let graph = Graph::new(ticket.room);
        let mut mallory = Self {
            line,
            identity,
            graph,
            chain,
            now_ms: CLAIMED_MS,
            window: i64::try_from(WINDOW_FIRST_BYTES).unwrap(),
        };
        let store = StoreId([from; 16]);
        let hello = Hello { protocol: PROTOCOL, store, digest: Digest([0; 32]), entries: 0 };
        mallory.line.send(&Frame::Hello(hello));
        while !mallory.graph.is_member(&mallory.identity.key()) {
            mallory.learn();
        }
        mallory
    }

    /// Takes what comes next, and asks for it if need be.
    fn learn(&mut self) {
        match self.line.receive().expect("who has a ticket is let in") {
            Frame::Have(have) => {
                let wanted = have.tips.iter().filter(|tip| self.graph.position(&tip.id).is_none());
                let chains = wanted.map(|tip| WantChain { tip: tip.id, from: Vec::new() }).collect();
                self.line.send(&Frame::Want(Want { chains, last: have.last }));
            }
            Frame::Data(Data { block, .. }) | Frame::Live(block) => {
                for entry in block::decode(&block, &self.graph.room(), &self.graph).unwrap() {
                    self.graph.admit(&entry).unwrap();
                }
            }
            Frame::Bye(bye) => panic!("sent away: {bye:?}"),
            _ => {}
        }
    }

    /// The record of a message on top of all it knows.
    pub(crate) fn record(&mut self, text: &str) -> Record {
        self.compose(&Body::Message(text.to_owned()))
    }

    /// The same of anything else.
    pub(crate) fn compose(&mut self, body: &Body) -> Record {
        self.now_ms += 1;
        self.graph.compose(self.chain, self.now_ms, body).unwrap()
    }

    pub(crate) fn sign(&self, record: Record) -> Entry {
        Entry::sign(record, &self.graph.room(), &self.identity).unwrap()
    }

    /// A valid message, which it then knows.
    pub(crate) fn write(&mut self, text: &str) -> Entry {
        let record = self.record(text);
        let entry = self.sign(record);
        self.graph.admit(&entry).unwrap();
        entry
    }

    /// The first entry of another chain of its own, which it then knows.
    pub(crate) fn begin(&mut self) -> Entry {
        // No order of chains is that in which they were begun (SplitMix64's step).
        self.chain.incarnation = self.chain.incarnation.wrapping_add(0x9e37_79b9_7f4a_7c15);
        self.write("la")
    }

    /// A block of entries, each with its signature.
    pub(crate) fn block(&self, entries: &[Entry]) -> Vec<u8> {
        block::encode(entries, true, &self.graph).unwrap()
    }

    pub(crate) fn send_live(&mut self, entries: &[Entry]) {
        let block = self.block(entries);
        self.window -= i64::try_from(block.len()).unwrap();
        self.line.send(&Frame::Live(block));
    }

    /// Waits until it may send more.
    pub(crate) fn has_window(&mut self) {
        while self.window <= 0 {
            let window = &mut self.window;
            self.line.until(|frame| {
                read(&frame, window);
                Some(())
            });
        }
    }

    /// Waits until so many of its frames are durable at the other end.
    pub(crate) fn is_acknowledged(&mut self, frames: u64) {
        let window = &mut self.window;
        self.line.until(|frame| read(&frame, window).filter(|acknowledged| *acknowledged >= frames));
    }
}

/// Takes in what a frame says about what was sent. Answers how many frames are durable by it.
fn read(frame: &Frame, window: &mut i64) -> Option<u64> {
    match frame {
        Frame::Credit(credit) => *window += i64::from(credit.bytes),
        Frame::Bye(bye) => panic!("sent away: {bye:?}"),
        _ => {}
    }
    if let Frame::Ack(ack) = frame { Some(ack.frames) } else { None }
}

/// A pause between two bytes of who is slow on purpose.
pub(crate) const DRIP: Duration = Duration::from_millis(300);
