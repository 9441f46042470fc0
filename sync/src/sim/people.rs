//! Who comes into a world, and how.

use super::{Command, Identity, Replica, START_MS, World};
use crate::sim::COMMIT_MS_MAX;

use rand_chacha::rand_core::Rng as _;
use replica::id::AuthorKey;
use replica::limits::MESSAGE_BYTES_MAX;

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
            let seed = self.draw_seed();
            let replica = Replica::found(name, identity, seed, START_MS);
            self.room = replica.room();
            self.replicas.push(replica);
            self.drain(0);
        } else {
            self.command(0, Command::Admit(identity.key()));
            self.add(name, identity, None);
        }
    }

    pub(super) fn peer_names(&self, index: usize) -> Vec<String> {
        let others = self.replicas.iter().enumerate().filter(|(other, _)| *other != index);
        others.map(|(_, replica)| replica.name.clone()).collect()
    }

    fn add(&mut self, name: &str, identity: Identity, invite: Option<[u8; 32]>) -> usize {
        let seed = self.draw_seed();
        let index = self.replicas.len();
        let now = super::Now { monotonic_ms: self.now_ms, wall_ms: self.wall_ms() };
        let peers = self.peer_names(index);
        self.replicas.push(Replica::new(name, identity, self.room, seed, now, invite, &peers));
        for other in 0..index {
            self.command(other, Command::Dial(name.to_owned()));
        }
        self.drain(index);
        index
    }
}

/// An invite is durable after at most so many commits: one may be under way, and one more may wait before it.
const INVITE_COMMITS: u64 = 3;
