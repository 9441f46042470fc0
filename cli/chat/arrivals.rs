//! Rows on their way to a screen: a burst of them is shown as one.

use std::pin::Pin;
use std::time::Duration;

use replica_sync::engine::Row;
use tokio::time::{Sleep, sleep};

#[cfg(test)]
mod tests;

/// Rows that came within a moment.
#[derive(Debug, Default)]
pub(crate) struct Arrivals {
    rows: Vec<Row>,
    /// Rows beyond those that are kept.
    dropped: usize,
    late: usize,
    due: Option<Pin<Box<Sleep>>>,
    /// Whether more came since the wait began, and how often that was so.
    goes_on: bool,
    waits: u32,
}

/// What is to be shown of them.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Burst {
    /// How many came.
    pub(crate) count: usize,
    /// How many of them stand above rows that were here.
    pub(crate) late: usize,
    /// The last of them in order.
    pub(crate) rows: Vec<Row>,
}

impl Arrivals {
    /// Takes a row that came.
    pub(crate) fn push(&mut self, row: Row) {
        self.late += usize::from(row.rows_after > 0);
        self.rows.push(row);
        if self.rows.len() >= 2 * KEPT_ROWS {
            self.trim(KEPT_ROWS);
        }
        self.goes_on = self.due.is_some();
        self.due.get_or_insert_with(|| Box::pin(sleep(BURST_TIME)));
    }

    /// Until nothing came for a moment, or too much did: then it is time to show it.
    ///
    /// # Cancel safety
    /// The time goes on where it was.
    pub(crate) async fn due(&mut self) {
        loop {
            match &mut self.due {
                Some(due) => due.await,
                None => std::future::pending().await,
            }
            if !std::mem::take(&mut self.goes_on) || self.waits >= WAITS_MAX {
                return;
            }
            self.waits += 1;
            self.due = Some(Box::pin(sleep(BURST_TIME)));
        }
    }

    /// What came since last time; none if nothing did.
    pub(crate) fn take(&mut self) -> Option<Burst> {
        (self.due, self.goes_on, self.waits) = (None, false, 0);
        let count = self.dropped + self.rows.len();
        if count > SHOWN_WHOLE {
            self.trim(SHOWN_OF_MANY);
        } else {
            self.trim(SHOWN_WHOLE);
        }
        let (rows, late) = (std::mem::take(&mut self.rows), std::mem::take(&mut self.late));
        self.dropped = 0;
        (count > 0).then_some(Burst { count, late, rows })
    }

    fn trim(&mut self, keep: usize) {
        self.rows.sort_unstable_by_key(|row| row.key);
        let over = self.rows.len().saturating_sub(keep);
        self.rows.drain(..over);
        self.dropped += over;
    }
}

/// Not noticed by who reads, and long enough for a batch of rows to come together.
const BURST_TIME: Duration = Duration::from_millis(30);

/// After a second something is shown, even if more is coming.
const WAITS_MAX: u32 = 32;

/// Up to so many rows are shown at once.
pub(crate) const SHOWN_WHOLE: usize = 40;

/// So many are shown of more.
pub(crate) const SHOWN_OF_MANY: usize = 20;

const KEPT_ROWS: usize = 256;
