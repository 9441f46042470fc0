//! How fast anybody may speak while others do.
//!
//! Sans-IO. Alone, an author is heard as fast as the disk takes it. While somebody else speaks too, whoever said more
//! than a burst is to wait: the window of the peer that brings it is narrow, so that what it has to say waits with it and
//! not here. Nothing is dropped, and nobody is blamed.

use std::collections::BTreeMap;

use replica::id::AuthorKey;

use crate::limits::{ENTRIES_BURST, ENTRIES_PER_SECOND, PACED_AUTHORS_MAX, SPEAKING_MS};

#[cfg(test)]
mod tests;

/// How much everybody said lately.
#[derive(Debug, Default)]
pub(crate) struct Pace {
    authors: BTreeMap<AuthorKey, Said>,
}

#[derive(Clone, Copy, Debug, Default)]
struct Said {
    /// Thousandths of entries that are not made up for by time.
    debt: u64,
    /// When that was so, and something was said last.
    at_ms: u64,
}

impl Said {
    fn debt(self, now_ms: u64) -> u64 {
        self.debt.saturating_sub(now_ms.saturating_sub(self.at_ms).saturating_mul(ENTRIES_PER_SECOND))
    }
}

impl Pace {
    /// An author said so many new things.
    pub(crate) fn note(&mut self, author: AuthorKey, entries: u64, now_ms: u64) {
        if self.authors.len() >= PACED_AUTHORS_MAX && !self.authors.contains_key(&author) {
            self.authors.retain(|_, said| said.debt(now_ms) > 0 || said.at_ms + SPEAKING_MS > now_ms);
            if self.authors.len() >= PACED_AUTHORS_MAX {
                return;
            }
        }
        let said = self.authors.entry(author).or_default();
        *said = Said { debt: said.debt(now_ms).saturating_add(entries.saturating_mul(1000)), at_ms: now_ms };
    }

    /// How much may be on its way from whoever brings what an author said, while somebody else speaks. Who only passes it
    /// on is never silenced: it held the author back itself, and what it says of its own comes the same way.
    pub(crate) fn allowance(&self, author: &AuthorKey, is_passed_on: bool, now_ms: u64) -> Allowance {
        let burst = ENTRIES_BURST * 1000;
        let debt = self.authors.get(author).map_or(0, |said| said.debt(now_ms));
        let mut others = self.authors.iter().filter(|(other, _)| *other != author);
        if debt <= burst / 2 || !others.any(|(_, said)| said.at_ms + SPEAKING_MS > now_ms) {
            return Allowance::All;
        }
        if debt <= burst || is_passed_on {
            return Allowance::Little;
        }
        // Whoever speaks now may have gone by then.
        Allowance::Nothing(now_ms + ((debt - burst / 2) / ENTRIES_PER_SECOND).clamp(1, SPEAKING_MS))
    }
}

/// What a peer may have on its way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Allowance {
    All,
    Little,
    /// Until then.
    Nothing(u64),
}
