//! Every row of a conversation in order, and which document each belongs to.
//!
//! Both are pure functions of the set of keys, whatever order they came in. Documents cover [`Span`]s: the room's
//! period (a week by default) of one era, or, where more rows than one document should hold stand in a span, shorter
//! and shorter pieces of it.

use std::collections::{BTreeMap, BTreeSet};

use crate::id::Position;
use crate::limits::DOCUMENT_ENTRIES_MAX;
use crate::order::{Clock, OrderKey};

mod rows;
mod span;
#[cfg(test)]
mod tests;

pub use span::Span;

use rows::Rows;
use span::Lengths;

/// One row: where it stands, and where the log has it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Slot {
    /// Where it stands.
    pub key: OrderKey,
    /// Where the log has it.
    pub position: Position,
}

/// Where a row landed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Placed {
    /// The span that holds it now.
    pub span: Span,
    /// How many rows stand behind it: 0 for the newest.
    pub rows_after: usize,
    /// The span that grew too large by it and is now kept in pieces.
    pub split: Option<Span>,
}

/// All rows in order, in memory, some 52 bytes each.
#[derive(Clone, Debug)]
pub struct Timeline {
    rows: Rows,
    lengths: Lengths,
    span_rows_max: usize,
    /// Rows of each span that is kept as one.
    whole: BTreeMap<Span, usize>,
    /// Spans that are kept in pieces.
    split: BTreeSet<Span>,
}

impl Timeline {
    /// An empty one, of a room with this period.
    #[must_use]
    pub fn new(period_ms: u64) -> Self {
        Self::with_span_rows_max(period_ms, DOCUMENT_ENTRIES_MAX)
    }

    /// With another limit of rows in a span; replicas agree only under the same.
    #[must_use]
    pub fn with_span_rows_max(period_ms: u64, span_rows_max: usize) -> Self {
        Self {
            rows: Rows::default(),
            lengths: Lengths::new(period_ms),
            span_rows_max,
            whole: BTreeMap::new(),
            split: BTreeSet::new(),
        }
    }

    /// Makes room for so many more.
    pub fn reserve(&mut self, more: usize) {
        self.rows.reserve(more);
    }

    /// Places the log's next entry: the first has position 0. A key that is there already makes no second row.
    pub fn insert(&mut self, key: OrderKey) -> Placed {
        let (inserted, rows_after) = self.rows.insert(key);
        let span = self.span_of(&key.clock);
        if !inserted {
            return Placed { span, rows_after, split: None };
        }
        let count = self.whole.entry(span).or_default();
        *count += 1;
        if *count <= self.span_rows_max || !self.lengths.can_split(&span) {
            return Placed { span, rows_after, split: None };
        }
        self.split(span);
        Placed { span: self.span_of(&key.clock), rows_after, split: Some(span) }
    }

    fn split(&mut self, span: Span) {
        self.whole.remove(&span);
        self.split.insert(span);
        let mut pieces: BTreeMap<Span, usize> = BTreeMap::new();
        for slot in self.rows.between(span.first_key(), span.end_key()) {
            *pieces.entry(self.lengths.piece(&span, slot.key.clock.time_ms)).or_default() += 1;
        }
        for (piece, count) in pieces {
            self.whole.insert(piece, count);
            if count > self.span_rows_max && self.lengths.can_split(&piece) {
                self.split(piece);
            }
        }
    }

    /// Where the entry at a position of the log stands.
    #[must_use]
    pub fn key(&self, position: Position) -> Option<&OrderKey> {
        self.rows.key(position)
    }

    /// The span that holds, or would hold, an entry of this clock.
    #[must_use]
    pub fn span_of(&self, clock: &Clock) -> Span {
        let mut span = self.lengths.period(clock);
        while self.split.contains(&span) {
            span = self.lengths.piece(&span, clock.time_ms);
        }
        span
    }

    /// The spans that hold rows, newest first.
    pub fn spans(&self) -> impl Iterator<Item = Span> {
        self.whole.keys().rev().copied()
    }

    /// The spans that hold rows inside another, newest first: the pieces of one that was split, or itself.
    pub fn spans_within<'a>(&'a self, outer: &Span) -> impl Iterator<Item = Span> + use<'a> {
        let from = Span { length_ms: 0, ..*outer };
        let to = Span { length_ms: 0, start_ms: outer.end_ms(), ..*outer };
        self.whole.range(from..to).rev().map(|(span, _)| *span)
    }

    /// How many rows a span holds.
    #[must_use]
    pub fn span_len(&self, span: &Span) -> usize {
        self.whole.get(span).copied().unwrap_or(0)
    }

    /// The rows of a span, oldest first.
    pub fn slots<'a>(&'a self, span: &Span) -> impl DoubleEndedIterator<Item = Slot> + use<'a> {
        self.rows.between(span.first_key(), span.end_key())
    }

    /// All rows before (older than) a key, or all there are, newest first.
    pub fn newest_first<'a>(&'a self, before: Option<&OrderKey>) -> impl Iterator<Item = Slot> + use<'a> {
        self.rows.before(before).rev()
    }

    /// Up to `count` rows before (older than) a key, or the newest, newest first.
    #[must_use]
    pub fn page(&self, before: Option<&OrderKey>, count: usize) -> Vec<Slot> {
        self.newest_first(before).take(count).collect()
    }

    /// Up to `count` rows after (newer than) a key, oldest first.
    #[must_use]
    pub fn page_after(&self, after: &OrderKey, count: usize) -> Vec<Slot> {
        self.rows.after(after).take(count).collect()
    }

    /// How many rows stand behind (are newer than) a key.
    #[must_use]
    pub fn rows_after(&self, key: &OrderKey) -> usize {
        self.rows.rank(key)
    }

    /// How many rows there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.rows.len()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.rows.len() == 0
    }
}
