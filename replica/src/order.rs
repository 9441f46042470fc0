//! The order of a conversation: a pure function of its set of entries.
//!
//! Each entry has a derived [`Clock`], computed by every replica from the entry and its ancestors and never received.
//! Rows stand by `(clock, id)`. The clock is a hybrid logical clock (Kulkarni et al., 2014) with an *era* in front:
//! when someone whose own clock was right contradicts a time more than a day in the future, a new era opens and
//! order is by true clocks again.

use serde::{Deserialize, Serialize};

use crate::id::EntryId;
use crate::limits::TIME_MS_MAX;

#[cfg(test)]
mod tests;

/// A claimed time this far below the derived one no longer counts as small skew.
const DAY_MS: u64 = 24 * 60 * 60 * 1000;

/// Where an entry stands in time, derived. Greater than the clock of everything its author had seen.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Deserialize, Serialize)]
pub struct Clock {
    /// Opened anew when a time that cannot be true is contradicted.
    pub era: u32,
    /// Milliseconds since 1970, at most 48 bits.
    pub time_ms: u64,
    /// Entries that follow one another within one `time_ms`.
    pub count: u32,
}

/// What deriving needs to know of the author's previous entry in the chain.
#[derive(Clone, Copy, Debug)]
pub struct Previous {
    /// The time its author claimed.
    pub claimed_ms: u64,
    /// Its derived clock.
    pub clock: Clock,
}

impl Clock {
    /// Length of [`Clock::to_bytes`].
    pub const BYTES: usize = 14;

    /// Derives the clock of an entry that claims `claimed_ms`, from the clocks of its direct dependencies (its
    /// author's previous entry counts as one).
    #[must_use]
    pub fn derive(
        claimed_ms: u64,
        previous: Option<Previous>,
        dependencies: impl Iterator<Item = Clock>,
    ) -> Self {
        let claimed = claimed_ms.min(TIME_MS_MAX);
        let Some(latest) = dependencies.max() else {
            // The rule's starting point is (0, 0, -1): a claimed 0 is not above it, so it counts from there.
            return Self { era: 0, time_ms: claimed, count: 0 };
        };
        if claimed > latest.time_ms {
            return Self { era: latest.era, time_ms: claimed, count: 0 };
        }
        if claimed < latest.time_ms.saturating_sub(DAY_MS)
            && previous.is_some_and(|p| contradicts(claimed, p, latest.time_ms))
        {
            return Self { era: latest.era.saturating_add(1), time_ms: claimed, count: 0 };
        }
        Self { count: latest.count.saturating_add(1), ..latest }
    }

    /// Era, time (48 bits), count, each big-endian: bytes that sort as clocks do.
    #[must_use]
    pub fn to_bytes(self) -> [u8; Self::BYTES] {
        let mut bytes = [0; Self::BYTES];
        bytes[..4].copy_from_slice(&self.era.to_be_bytes());
        bytes[4..10].copy_from_slice(&self.time_ms.to_be_bytes()[2..]);
        bytes[10..].copy_from_slice(&self.count.to_be_bytes());
        bytes
    }

    /// Inverse of [`Clock::to_bytes`].
    #[must_use]
    pub fn from_bytes(bytes: &[u8; Self::BYTES]) -> Self {
        let mut time = [0; 8];
        time[2..].copy_from_slice(&bytes[4..10]);
        Self {
            era: u32::from_be_bytes([bytes[0], bytes[1], bytes[2], bytes[3]]),
            time_ms: u64::from_be_bytes(time),
            count: u32::from_be_bytes([bytes[10], bytes[11], bytes[12], bytes[13]]),
        }
    }
}

/// Whether an author claiming `claimed`, more than a day below `latest`, shows that `latest` was never true: either
/// their clock was right when they last wrote and has not gone back, or the impossible time was their own.
fn contradicts(claimed: u64, previous: Previous, latest: u64) -> bool {
    let mine = previous.claimed_ms.min(TIME_MS_MAX);
    let was_right = mine >= previous.clock.time_ms.saturating_sub(DAY_MS) && claimed >= mine;
    was_right || mine == latest
}

/// A row's full place in the conversation: 46 bytes that sort as the order does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Deserialize, Serialize)]
pub struct OrderKey {
    /// The derived clock.
    pub clock: Clock,
    /// Breaks ties.
    pub id: EntryId,
}
