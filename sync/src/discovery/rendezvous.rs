//! A server that introduces, from a member's side.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::pin::pin;
use std::time::Duration;

use replica::home::draw_seed;
use tokio::net::tcp::OwnedWriteHalf;
use tokio::net::{TcpStream, lookup_host};
use tokio::sync::mpsc;
use tokio::time::{sleep, timeout};

use crate::discovery::{Condition, Desk, Ring, Route, Tagged, Told, Wanted, tag};
use crate::limits::millis;
use crate::limits::{RECORD_RENEWAL, REDIAL_MAX, REDIAL_MIN, RING_PAUSE, SIGHTING_ADDRESSES_MAX};
use crate::rendezvous::{Answer, Refusal, Request, read_message, write_message};

pub(super) async fn run(mut desk: Desk, server: String) {
    let mut pause = REDIAL_MIN;
    loop {
        let since_ms = desk.clock.now().monotonic_ms;
        let Err(error) = stay(&mut desk, &server).await;
        desk.condition(Condition::Failing(error.to_string())).await;
        let has_worked = desk.clock.now().monotonic_ms - since_ms > millis(REDIAL_MAX);
        pause = if has_worked { REDIAL_MIN } else { REDIAL_MAX.min(2 * pause) };
        sleep(pause).await;
    }
}

/// Why a connection to a server ended.
#[derive(Debug, thiserror::Error)]
enum Trouble {
    #[error("it is not reached: {0}")]
    Unreachable(#[from] io::Error),
    #[error("it does not answer")]
    Silent,
    #[error("{0}")]
    Refused(#[from] Refusal),
}

/// Is there, until something goes wrong.
async fn stay(desk: &mut Desk, server: &str) -> Result<std::convert::Infallible, Trouble> {
    let connect = async {
        let address = lookup_host(server).await?.next().ok_or(io::ErrorKind::NotFound)?;
        Ok::<_, io::Error>((TcpStream::connect(address).await?, address))
    };
    let (socket, address) = timeout(ANSWER_TIME, connect).await.map_err(|_| Trouble::Silent)??;
    socket.set_nodelay(true)?;
    let (mut reading, mut writing) = socket.into_split();
    let (sender, mut answers) = mpsc::channel(1);
    // A message is read in pieces, so reading is not begun anew when something else happens.
    let mut reading = pin!(async move {
        loop {
            match read_message::<Answer>(&mut reading).await {
                Ok(answer) => drop(sender.send(answer).await),
                Err(error) => return error,
            }
        }
    });
    let mut guest = Guest { server: server.to_owned(), address, seen: None, ring_ms: 0 };
    let mut wanted = desk.wanted();
    loop {
        guest.announce(desk, &wanted, &mut writing).await?;
        let renewal = sleep(RECORD_RENEWAL);
        let mut renewal = pin!(renewal);
        let mut silence = pin!(sleep(ANSWER_TIME));
        let mut is_answered = wanted.tags.is_empty();
        loop {
            tokio::select! {
                error = &mut reading => return Err(error.into()),
                Some(answer) = answers.recv() => {
                    if !is_answered {
                        is_answered = true;
                        desk.condition(Condition::Working).await;
                    }
                    if guest.on_answer(desk, &wanted, answer).await? {
                        break;
                    }
                }
                () = &mut silence, if !is_answered => return Err(Trouble::Silent),
                () = &mut renewal => break,
                () = desk.changed() => {
                    wanted = desk.wanted();
                    break;
                }
            }
        }
    }
}

/// We at one server.
struct Guest {
    server: String,
    address: SocketAddr,
    /// Where it sees us.
    seen: Option<IpAddr>,
    /// When it may ring again.
    ring_ms: u64,
}

impl Guest {
    /// Leaves word where we are, or only asks who is there.
    async fn announce(
        &self,
        desk: &Desk,
        wanted: &Wanted,
        writing: &mut OwnedWriteHalf,
    ) -> Result<(), Trouble> {
        for (tag, tagged) in &wanted.tags {
            let request = if wanted.addresses.is_empty() {
                Request::Watch(*tag)
            } else {
                let seed = draw_seed().map_err(io::Error::other)?;
                let nonce = *seed.first_chunk().unwrap_or(&[0; 24]);
                let sealed = tag::seal(&tagged.secret, tagged.day, nonce, &self.addresses(wanted));
                Request::Announce { tag: *tag, slot: desk.slot, sealed }
            };
            let written = timeout(ANSWER_TIME, write_message(writing, &request)).await;
            written.map_err(|_| Trouble::Silent)??;
        }
        Ok(())
    }

    /// Where we listen, and where that may be seen from outside.
    fn addresses(&self, wanted: &Wanted) -> Vec<SocketAddr> {
        let mut addresses = wanted.addresses.clone();
        if let (Some(seen), Some(first)) = (self.seen, wanted.addresses.first())
            && !wanted.addresses.iter().any(|address| address.ip() == seen)
        {
            addresses.insert(0, SocketAddr::new(seen, first.port()));
        }
        addresses.truncate(SIGHTING_ADDRESSES_MAX);
        addresses
    }

    /// Answers whether we are to announce ourselves anew.
    async fn on_answer(&mut self, desk: &Desk, wanted: &Wanted, answer: Answer) -> Result<bool, Trouble> {
        match answer {
            Answer::Seen(address) => {
                let seen = Some(SocketAddr::from(address).ip());
                let is_news = self.seen != seen && !wanted.addresses.is_empty();
                self.seen = seen;
                return Ok(is_news);
            }
            Answer::Record { tag, slot, sealed } if slot != desk.slot => {
                if let Some(Tagged { room, secret, day }) = wanted.tags.get(&tag)
                    && let Some(addresses) = tag::open(secret, *day, &sealed)
                {
                    let relay = Some(Route { server: self.server.clone(), slot });
                    desk.tell(Told::Found { room: *room, addresses, relay }).await;
                }
            }
            Answer::Ring { slot, cookie } if slot == desk.slot => {
                let now_ms = desk.clock.now().monotonic_ms;
                if self.ring_ms <= now_ms {
                    self.ring_ms = now_ms + millis(RING_PAUSE);
                    desk.tell(Told::Ring(Ring { server: self.address, cookie })).await;
                }
            }
            Answer::No(refusal) => return Err(refusal.into()),
            Answer::Record { .. } | Answer::Ring { .. } | Answer::Joined(_) => {}
        }
        Ok(false)
    }
}

/// How soon a server answers.
const ANSWER_TIME: Duration = Duration::from_secs(10);
