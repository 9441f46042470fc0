//! What is held against whom: refusals are counted by reason, and whoever causes them is slowed, then banned for a while.
//!
//! Sans-IO. A source is an address, and an author once one has signed for what came. Each refusal that costs us something
//! adds to its source's *debt*, a time that passes by itself. A little debt is a warning; more makes the source wait
//! before it is answered; at [`DEBT_BANNED`] it is banned, until so much time has passed that little is left.
//!
//! Only what was refused adds to it: a valid entry never charges its bearer, however many come and whoever wrote them.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::time::Duration;

use replica::id::AuthorKey;
use serde::{Deserialize, Serialize};

use crate::limits::{
    ANSWER_DELAY_MAX, DEBT_BANNED, DEBT_FORGIVEN, DEBT_OF_PEERS, DEBT_OF_STRANGERS, LOOPBACK_LENIENCE,
    SOURCES_MAX,
};

#[cfg(test)]
mod tests;

/// Why something was refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
pub enum Refused {
    /// The first message of a handshake fits no room here: a wrong secret, or noise.
    NoRoom,
    /// A later message of a handshake does not prove what it must: altered, or from another handshake.
    Handshake,
    /// A handshake broke off.
    Unfinished,
    /// No handshake, or no knock, in time.
    Silent,
    /// A message longer than it may be.
    TooLong,
    /// A sealed message that was altered on its way.
    Altered,
    /// A message that is no frame.
    NoFrame,
    /// A frame that does not fit where it came.
    Protocol,
    /// A block that is none, or over its limits.
    BadBlock,
    /// Something that its author did not sign.
    NotAuthentic,
    /// An entry that is not valid.
    NotValid,
    /// Who has the secret and is no member, or shows an invite that does not hold.
    NotMember,
    /// More knocks than are answered.
    Knocks,
    /// More connections than one address, or all, may have.
    Crowded,
    /// A connection with who is banned.
    Banned,
}

impl Refused {
    /// All of them, in the order in which they are listed.
    pub const ALL: [Self; 15] = [
        Self::NoRoom,
        Self::Handshake,
        Self::Unfinished,
        Self::Silent,
        Self::TooLong,
        Self::Altered,
        Self::NoFrame,
        Self::Protocol,
        Self::BadBlock,
        Self::NotAuthentic,
        Self::NotValid,
        Self::NotMember,
        Self::Knocks,
        Self::Crowded,
        Self::Banned,
    ];

    /// Its name in reports; for ever.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::NoRoom => "no_room",
            Self::Handshake => "handshake",
            Self::Unfinished => "unfinished",
            Self::Silent => "silent",
            Self::TooLong => "too_long",
            Self::Altered => "altered",
            Self::NoFrame => "no_frame",
            Self::Protocol => "protocol",
            Self::BadBlock => "bad_block",
            Self::NotAuthentic => "not_authentic",
            Self::NotValid => "not_valid",
            Self::NotMember => "not_member",
            Self::Knocks => "knocks",
            Self::Crowded => "crowded",
            Self::Banned => "banned",
        }
    }

    /// What it adds to the debt of the address.
    fn debt(self) -> Duration {
        match self {
            // Honest crowds share an address, and who is banned already costs nothing.
            Self::Crowded | Self::Banned => Duration::ZERO,
            Self::NoRoom
            | Self::Handshake
            | Self::Unfinished
            | Self::Silent
            | Self::NotMember
            | Self::Knocks => DEBT_OF_STRANGERS,
            Self::TooLong
            | Self::Altered
            | Self::NoFrame
            | Self::Protocol
            | Self::BadBlock
            | Self::NotAuthentic
            | Self::NotValid => DEBT_OF_PEERS,
        }
    }

    /// Whether the author at the other end answers for it too: only for what came sealed and whole, since anyone on the
    /// way can send the rest in their name.
    fn is_of_author(self) -> bool {
        matches!(self, Self::NoFrame | Self::Protocol | Self::BadBlock | Self::NotAuthentic | Self::NotValid)
    }
}

/// How often what was refused.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
pub struct Refusals([u64; Refused::ALL.len()]);

impl Refusals {
    /// How often this was.
    #[must_use]
    pub fn count(&self, refused: Refused) -> u64 {
        self.0[refused as usize]
    }

    /// How often anything was.
    #[must_use]
    pub fn total(&self) -> u64 {
        self.0.iter().sum()
    }

    /// All that were at least once, with how often.
    pub fn iter(&self) -> impl Iterator<Item = (Refused, u64)> {
        Refused::ALL.into_iter().zip(self.0).filter(|(_, count)| *count > 0)
    }
}

/// How a source is met.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// As everyone.
    Welcome,
    /// Answered after a pause.
    Slowed(Duration),
    /// Not at all.
    Banned,
}

/// What is held against whom.
#[derive(Debug, Default)]
pub struct Penalties {
    addresses: BTreeMap<IpAddr, Debt>,
    authors: BTreeMap<AuthorKey, Debt>,
    refusals: Refusals,
}

impl Penalties {
    /// What was refused so far.
    #[must_use]
    pub fn refusals(&self) -> &Refusals {
        &self.refusals
    }

    /// Counts a refusal and charges the address, if it is theirs who did it, and the author likewise. True if either is
    /// banned for it.
    pub fn charge(
        &mut self,
        refused: Refused,
        ip: Option<IpAddr>,
        author: Option<&AuthorKey>,
        now_ms: u64,
    ) -> bool {
        self.refusals.0[refused as usize] += 1;
        let debt = refused.debt();
        if debt.is_zero() {
            return false;
        }
        let is_banned = ip.is_some_and(|ip| {
            let lenience = if ip.to_canonical().is_loopback() { LOOPBACK_LENIENCE } else { 1 };
            charge(&mut self.addresses, subscriber(ip), debt / lenience, now_ms)
        });
        let author = author.filter(|_| refused.is_of_author());
        author.is_some_and(|author| charge(&mut self.authors, *author, debt, now_ms)) || is_banned
    }

    /// How whoever connects from an address is met.
    #[must_use]
    pub fn of_address(&self, ip: IpAddr, now_ms: u64) -> Verdict {
        self.addresses.get(&subscriber(ip)).map_or(Verdict::Welcome, |debt| debt.verdict(now_ms))
    }

    /// Whether nothing is to be had of an author for now.
    #[must_use]
    pub fn is_banned(&self, author: &AuthorKey, now_ms: u64) -> bool {
        self.authors.get(author).is_some_and(|debt| debt.verdict(now_ms) == Verdict::Banned)
    }
}

/// What one source owes: time that has yet to pass.
#[derive(Clone, Copy, Debug, Default)]
struct Debt {
    until_ms: u64,
    /// Whether it reached the limit, and has not been forgiven since.
    is_banned: bool,
}

impl Debt {
    fn left(self, now_ms: u64) -> Duration {
        Duration::from_millis(self.until_ms.saturating_sub(now_ms))
    }

    fn verdict(self, now_ms: u64) -> Verdict {
        let Some(owed) = self.left(now_ms).checked_sub(DEBT_FORGIVEN).filter(|owed| !owed.is_zero()) else {
            return Verdict::Welcome;
        };
        if self.is_banned {
            return Verdict::Banned;
        }
        Verdict::Slowed(ANSWER_DELAY_MAX.mul_f64(owed.div_duration_f64(DEBT_BANNED - DEBT_FORGIVEN).min(1.0)))
    }

    /// Adds to it. True if that bans.
    fn add(&mut self, debt: Duration, now_ms: u64) -> bool {
        let was_banned = self.verdict(now_ms) == Verdict::Banned;
        let left = (self.left(now_ms) + debt).min(DEBT_BANNED);
        self.until_ms = now_ms + u64::try_from(left.as_millis()).unwrap_or(u64::MAX);
        self.is_banned = was_banned || left == DEBT_BANNED;
        self.is_banned && !was_banned
    }
}

/// Charges one source. Where too many are remembered, the one that owes least is forgotten.
fn charge<K: Ord + Copy>(debts: &mut BTreeMap<K, Debt>, source: K, debt: Duration, now_ms: u64) -> bool {
    if debts.len() >= SOURCES_MAX && !debts.contains_key(&source) {
        debts.retain(|_, debt| debt.until_ms > now_ms);
        if debts.len() >= SOURCES_MAX
            && let Some(least) = debts.iter().min_by_key(|(_, debt)| debt.until_ms).map(|(source, _)| *source)
        {
            debts.remove(&least);
        }
    }
    debts.entry(source).or_default().add(debt, now_ms)
}

/// What one subscriber has of the address space: an IPv4 address, or an IPv6 /64.
pub(crate) fn subscriber(ip: IpAddr) -> IpAddr {
    match ip.to_canonical() {
        IpAddr::V4(ip) => IpAddr::V4(ip),
        IpAddr::V6(ip) => IpAddr::V6((u128::from(ip) >> 64 << 64).into()),
    }
}
