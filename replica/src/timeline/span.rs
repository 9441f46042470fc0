//! Stretches of time, each covered by one document.

use crate::id::EntryId;
use crate::limits::TIME_MS_MAX;
use crate::order::{Clock, OrderKey};

/// The stretch of time one document covers, within one era. Sorts by time; its bytes name the document.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Span {
    /// The era of the clocks it holds.
    pub era: u32,
    /// The first millisecond it holds.
    pub start_ms: u64,
    /// How many milliseconds it holds.
    pub length_ms: u64,
}

impl Span {
    /// Length of [`Span::to_bytes`].
    pub const BYTES: usize = 16;

    /// Era, start and length (48 bits each), big-endian: bytes that sort as spans do.
    #[must_use]
    pub fn to_bytes(self) -> [u8; Self::BYTES] {
        let mut bytes = [0; Self::BYTES];
        bytes[..4].copy_from_slice(&self.era.to_be_bytes());
        bytes[4..10].copy_from_slice(&self.start_ms.to_be_bytes()[2..]);
        bytes[10..].copy_from_slice(&self.length_ms.to_be_bytes()[2..]);
        bytes
    }

    /// Inverse of [`Span::to_bytes`].
    #[must_use]
    pub fn from_bytes(bytes: &[u8; Self::BYTES]) -> Self {
        let u48 = |at: usize| bytes[at..at + 6].iter().fold(0, |number, byte| number << 8 | u64::from(*byte));
        Self {
            era: u32::from_be_bytes([bytes[0], bytes[1], bytes[2], bytes[3]]),
            start_ms: u48(4),
            length_ms: u48(10),
        }
    }

    /// The first millisecond after it.
    #[must_use]
    pub fn end_ms(&self) -> u64 {
        self.start_ms + self.length_ms
    }

    /// The lowest key it can hold.
    pub(super) fn first_key(&self) -> OrderKey {
        lowest_key(self.era, self.start_ms)
    }

    /// The lowest key of its era after it.
    pub(crate) fn end_key(&self) -> OrderKey {
        lowest_key(self.era, self.end_ms())
    }
}

fn lowest_key(era: u32, time_ms: u64) -> OrderKey {
    OrderKey { clock: Clock { era, time_ms, count: 0 }, id: EntryId([0; 32]) }
}

/// How long spans are: the room's period, and the pieces an overfull one is kept in.
#[derive(Clone, Debug)]
pub(super) struct Lengths([u64; 6]);

impl Lengths {
    /// Of a week: days, hours, minutes and seconds; at last milliseconds, which are never split.
    pub(super) fn new(period_ms: u64) -> Self {
        let mut lengths = [period_ms.clamp(1, TIME_MS_MAX); 6];
        for (level, parts) in [7, 24, 60, 60].into_iter().enumerate() {
            lengths[level + 1] = (lengths[level] / parts).max(1);
        }
        lengths[5] = 1;
        Self(lengths)
    }

    /// The whole period that holds a clock.
    pub(super) fn period(&self, clock: &Clock) -> Span {
        let length_ms = self.0[0];
        Span { era: clock.era, start_ms: clock.time_ms / length_ms * length_ms, length_ms }
    }

    /// Whether there are pieces shorter than this span.
    pub(super) fn can_split(&self, span: &Span) -> bool {
        span.length_ms > 1
    }

    /// The piece of a span that holds a time in it: of the longest length shorter than the span, counted from the
    /// span's start. The last piece ends where the span does, and may be shorter.
    pub(super) fn piece(&self, span: &Span, time_ms: u64) -> Span {
        let length_ms = self.0.into_iter().find(|length| *length < span.length_ms).unwrap_or(1);
        let start_ms = span.start_ms + (time_ms - span.start_ms) / length_ms * length_ms;
        Span { era: span.era, start_ms, length_ms: length_ms.min(span.end_ms() - start_ms) }
    }
}
