//! Who comes into a world, and how.

use std::net::SocketAddr;

use super::node::Start;
use super::{COMMIT_MS_MAX, Command, Identity, Now, Replica, START_MS, World};
use crate::wire::Address;

use rand_chacha::rand_core::Rng as _;
use replica::id::AuthorKey;
use replica::limits::MESSAGE_BYTES_MAX;
use replica::store::MemoryStore;

impl World {
    /// Adds a replica that comes with a ticket: it has the room's secret and an invite by `inviter`, and nothing else.
    /// Where no invite is to be had (who is no member, is off or cannot write has none) it stays a stranger.
    pub fn join(&mut self, name: &str, inviter: usize) -> usize {
        self.command(inviter, Command::Invite { expires_ms: None, uses: None });
        self.pass(INVITE_COMMITS * COMMIT_MS_MAX);
        let secret = self.replicas[inviter].take_invite();
        let identity = Identity::from_secret(&self.draw_seed());
        self.add(name, identity, secret)
    }

    /// Adds a second home of the same person.
    pub fn second_home(&mut self, name: &str, of: usize) -> usize {
        let identity = self.replicas[of].identity.clone();
        self.add(name, identity, None)
    }

    /// Somebody says so many things at once, each another; long ones are as long as a message may be and hardly get
    /// smaller.
    pub fn write(&mut self, index: usize, count: u32, is_long: bool) {
        for number in 1..=count {
            let mut text = format!("{number} of {count}");
            while is_long && text.len() + 17 <= MESSAGE_BYTES_MAX {
                text += &format!(" {:016x}", self.rng.next_u64());
            }
            self.command(index, Command::Say(text));
        }
    }

    /// The author key of a replica's person.
    #[must_use]
    pub fn author(&self, index: usize) -> AuthorKey {
        self.replicas[index].identity.key()
    }

    pub(super) fn found_or_admit(&mut self, name: &str, identity: Identity) {
        if self.replicas.is_empty() {
            let now = Now { monotonic_ms: 0, wall_ms: START_MS };
            let start = self.beginning(0, now);
            let replica = Replica::found(name, identity, &start);
            self.room = replica.room();
            self.replicas.push(replica);
            self.drain(0);
        } else {
            self.command(0, Command::Admit(identity.key()));
            self.add(name, identity, None);
        }
    }

    /// Adds a home of the first one's person that begins with all that the first one has, as another store.
    pub fn copy_home(&mut self, name: &str) -> usize {
        let (identity, image) = (self.replicas[0].identity.clone(), self.replicas[0].store.crash());
        let start = Start { is_copy: true, ..self.beginning(self.replicas.len(), self.true_now()) };
        self.replicas.push(Replica::new(name, identity, self.room, None, image, &start));
        self.introduce()
    }

    /// How a replica begins, or begins anew.
    pub(super) fn beginning(&mut self, index: usize, now: Now) -> Start {
        let seed = self.draw_seed();
        let others = self.replicas.iter().enumerate().filter(|(other, _)| *other != index);
        let (peers, listening) = match self.acquaintance {
            Acquaintance::All => (others.map(|(_, replica)| replica.name.clone()).collect(), Vec::new()),
            Acquaintance::First if index == 0 => (Vec::new(), vec![address_of(0)]),
            Acquaintance::First => (vec![text_of(0)], vec![address_of(index)]),
        };
        Start { seed, now, peers, listening, is_copy: false }
    }

    fn true_now(&self) -> Now {
        Now { monotonic_ms: self.now_ms, wall_ms: self.wall_ms() }
    }

    fn add(&mut self, name: &str, identity: Identity, invite: Option<[u8; 32]>) -> usize {
        let start = self.beginning(self.replicas.len(), self.true_now());
        let store = MemoryStore::new();
        self.replicas.push(Replica::new(name, identity, self.room, invite, store, &start));
        self.introduce()
    }

    /// Everyone hears of the newest replica, where all know all.
    fn introduce(&mut self) -> usize {
        let index = self.replicas.len() - 1;
        if self.acquaintance == Acquaintance::All {
            let name = self.replicas[index].name.clone();
            (0..index).for_each(|other| self.command(other, Command::Dial(name.clone())));
        }
        self.drain(index);
        index
    }
}

/// Whose addresses everyone knows from the start.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Acquaintance {
    /// Everyone's, by name; nobody tells any.
    All,
    /// The first one's. All tell their own and learn those of others.
    First,
}

/// Where a replica of a world is.
pub(super) fn address_of(index: usize) -> Address {
    let [.., high, low] = index.to_be_bytes();
    SocketAddr::from(([10, 0, high, low], 7400)).into()
}

/// The same as it is dialled.
pub(super) fn text_of(index: usize) -> String {
    SocketAddr::from(address_of(index)).to_string()
}

/// Who is at an address as it is dialled, if it is one.
pub(super) fn index_of(dialed: &str) -> Option<usize> {
    let SocketAddr::V4(address) = dialed.parse().ok()? else { return None };
    let [_, _, high, low] = address.ip().octets();
    Some(usize::from(u16::from_be_bytes([high, low])))
}

/// An invite is durable after at most so many commits: one may be under way, and one more may wait before it.
const INVITE_COMMITS: u64 = 3;
