//! Who had seen what, and whose clock said which time: whatever bytes make of it, held against the naive rule.

use arbitrary::{Arbitrary, Result, Unstructured};
use replica::id::EntryId;
use replica::order::{Clock, OrderKey, Previous};
use replica::timeline::Timeline;

use crate::naive::{DAY_MS, NaiveClock, TIME_MAX, derive};

#[cfg(test)]
mod tests;

/// The time one entry claims.
#[derive(Clone, Copy, Debug, Arbitrary)]
enum Claim {
    /// So far from the latest it has seen.
    Near(i16),
    /// So far from a day before the latest it has seen, where the rule has its edges.
    DayBefore(i8),
    /// The time of an entry it has seen.
    Of(u8),
    /// What its author claimed last, and a bit.
    Mine(i8),
    /// So many days since 1970.
    Days(u16),
    /// Anything at all.
    Any(u64),
}

/// One entry, as short as can be.
#[derive(Clone, Debug, Arbitrary)]
struct Sketch {
    author: u8,
    claim: Claim,
    seen: Vec<u8>,
    id: u8,
}

/// Entries, each with indices of earlier ones.
#[derive(Clone, Debug)]
pub struct Dag {
    sketches: Vec<Sketch>,
    shuffle: u64,
}

/// Most entries of one.
const ENTRIES_MAX: usize = 64;

impl<'a> Arbitrary<'a> for Dag {
    fn arbitrary(bytes: &mut Unstructured<'a>) -> Result<Self> {
        let shuffle = bytes.arbitrary()?;
        let mut sketches = Vec::new();
        while !bytes.is_empty() && sketches.len() < ENTRIES_MAX {
            sketches.push(bytes.arbitrary()?);
        }
        Ok(Self { sketches, shuffle })
    }
}

/// An entry worked out by both.
struct Placed {
    author: u8,
    claimed: u64,
    clock: Clock,
    naive: NaiveClock,
    id: EntryId,
}

impl Dag {
    /// Derives every clock by the rule and naively, and looks at what follows from them.
    ///
    /// # Panics
    /// When the two differ, an effect does not stand behind its causes, bytes sort otherwise than keys, or the timeline
    /// has another order.
    pub fn check(&self) {
        let mut placed: Vec<Placed> = Vec::new();
        for (number, sketch) in self.sketches.iter().enumerate() {
            let next = place(sketch, number, &placed);
            placed.push(next);
        }
        let mut keys: Vec<OrderKey> =
            placed.iter().map(|entry| OrderKey { clock: entry.clock, id: entry.id }).collect();
        let mut by_bytes = keys.clone();
        by_bytes.sort_unstable_by_key(to_bytes);
        let mut timeline = Timeline::with_span_rows_max(7 * 24 * 60 * 60 * 1000, 5);
        for key in shuffled(&keys, self.shuffle) {
            timeline.insert(key);
        }
        placed.sort_unstable_by_key(|entry| (entry.naive, entry.id));
        keys.sort_unstable();
        assert!(
            keys.iter().map(|key| key.id).eq(placed.iter().map(|entry| entry.id)),
            "other than the naive order"
        );
        assert_eq!(keys, by_bytes, "bytes sort otherwise");
        let rows: Vec<OrderKey> = timeline.newest_first(None).map(|slot| slot.key).collect();
        assert!(rows.iter().rev().eq(&keys), "the timeline has another order");
        let spans: Vec<_> = timeline.spans().collect();
        let in_spans = spans.iter().rev().flat_map(|span| timeline.slots(span)).map(|slot| slot.key);
        assert!(in_spans.eq(keys), "the spans, oldest first, are not the rows");
    }
}

fn place(sketch: &Sketch, number: usize, earlier: &[Placed]) -> Placed {
    let author = sketch.author % 4;
    let previous = earlier.iter().rev().find(|entry| entry.author == author);
    let pick = |at: &u8| earlier.get(usize::from(*at) % earlier.len().max(1));
    let parents: Vec<&Placed> = sketch.seen.iter().filter_map(pick).chain(previous).collect();
    let latest = parents.iter().map(|parent| parent.naive.1).max().unwrap_or(0);
    let claimed = match sketch.claim {
        Claim::Near(by) => latest + i64::from(by),
        Claim::DayBefore(by) => latest - DAY_MS + i64::from(by),
        Claim::Of(at) => pick(&at).map_or(0, |entry| entry.naive.1),
        Claim::Mine(by) => {
            previous.map_or(0, |entry| i64::try_from(entry.claimed).unwrap_or(TIME_MAX)) + i64::from(by)
        }
        Claim::Days(days) => i64::from(days) * DAY_MS,
        Claim::Any(any) => i64::try_from(any).unwrap_or(i64::MAX),
    };
    // What is claimed goes into 48 bits and never below none before any of this is asked.
    let claimed = u64::try_from(claimed.clamp(0, TIME_MAX)).unwrap_or(0);
    let before = previous.map(|entry| Previous { claimed_ms: entry.claimed, clock: entry.clock });
    let clock = Clock::derive(claimed, before, parents.iter().map(|parent| parent.clock));
    let signed = |claimed: u64| i64::try_from(claimed).unwrap_or(TIME_MAX);
    let before = previous.map(|entry| (signed(entry.claimed), entry.naive));
    let naive = derive(signed(claimed), before, parents.iter().map(|parent| parent.naive));
    let same = (u64::from(clock.era), signed(clock.time_ms), i64::from(clock.count));
    assert_eq!(same, naive, "entry {number} claims {claimed}");
    assert!(parents.iter().all(|parent| parent.clock < clock), "entry {number} stands before a cause");
    assert_eq!(Clock::from_bytes(&clock.to_bytes()), clock);
    let mut id = [sketch.id; 32];
    id[31] = u8::try_from(number).unwrap_or(u8::MAX);
    Placed { author, claimed, clock, naive, id: EntryId(id) }
}

fn to_bytes(key: &OrderKey) -> [u8; 46] {
    let mut bytes = [0; 46];
    bytes[..Clock::BYTES].copy_from_slice(&key.clock.to_bytes());
    bytes[Clock::BYTES..].copy_from_slice(&key.id.0);
    bytes
}

/// All keys with their positions, in an order that a number names.
fn shuffled(keys: &[OrderKey], mut by: u64) -> Vec<OrderKey> {
    let mut left = keys.to_vec();
    let mut all = Vec::new();
    while !left.is_empty() {
        let count = left.len() as u64;
        all.push(left.swap_remove(usize::try_from(by % count).unwrap_or(0)));
        by = (by / count) ^ by.rotate_left(17);
    }
    all
}
