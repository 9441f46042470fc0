//! What one peer sends us.

use super::{BTreeMap, Position, Tip};
use replica::id::{AuthorKey, ChainId, EntryId};

use crate::limits::{
    BULK_ENTRIES_MIN, BULK_PATIENCE, OPEN_FRAMES_MAX, TIPS_KEPT_MAX, TIPS_TOLD_MAX, WINDOW_BYTES,
    WINDOW_FIRST_BYTES, WINDOW_OPENS_ENTRIES, WINDOW_OVERSHOOT_BYTES, WINDOW_UNASKED_BYTES, millis,
};

#[cfg(test)]
mod tests;

/// A frame with a block that is not durable here.
#[derive(Debug)]
struct Open {
    /// It is once so much of the log is. None: it waits for its causes.
    until: Option<Position>,
    bytes: usize,
}

/// What is done with the tips of a HAVE.
#[derive(Debug)]
enum Hearing {
    /// They are asked for as they come.
    Asks,
    /// Another peer is being asked: they are kept until this one's turn comes.
    Keeps(Vec<Tip>),
    /// They were too many to be kept. They are told again once both rest.
    Forgets,
}

/// The incoming half of a session.
#[derive(Debug)]
pub(crate) struct Incoming {
    /// A HAVE that is still coming in: what is done with its tips, and how many there were.
    coming: Option<(Hearing, usize)>,
    /// The tips last told, until they are asked for.
    pub(crate) told: Option<Vec<Tip>>,
    /// How many entries of a chain it has, as it told.
    reaches: BTreeMap<ChainId, u32>,
    /// How many entries were wanted and have not come.
    wanted: u64,
    /// When bulk last made progress, if this peer is a source of it.
    pub(crate) bulk_since_ms: Option<u64>,
    /// Since when its new entries are counted, and how many there were.
    brought: (u64, usize),
    /// Those of the tips asked for last that the peer may ask back about, by id: so many that it cannot fill the memory.
    asked: BTreeMap<EntryId, Tip>,
    /// Frames with blocks that are not durable, by number.
    open: BTreeMap<u64, Open>,
    /// How many bytes the peer may have on its way, for what it brings now.
    window: usize,
    /// Bytes that may be granted: of blocks that are done with, and what of the window was never granted.
    credit: usize,
    /// Bytes of the window that the peer has not been granted, or has used.
    outstanding: usize,
    frames: u64,
    acknowledged: u64,
    /// New entries received, for the report.
    pub(crate) received: u64,
    /// Whose entries came over it last, unasked.
    pub(crate) said_by: Option<AuthorKey>,
    /// Until when nothing is granted, where that author said much while others speak.
    pub(crate) paced_until_ms: Option<u64>,
}

impl Default for Incoming {
    fn default() -> Self {
        let held_back = WINDOW_BYTES - WINDOW_FIRST_BYTES;
        Self {
            coming: None,
            told: None,
            reaches: BTreeMap::new(),
            wanted: 0,
            bulk_since_ms: None,
            brought: (0, 0),
            asked: BTreeMap::new(),
            open: BTreeMap::new(),
            window: WINDOW_FIRST_BYTES,
            credit: held_back,
            outstanding: held_back,
            frames: 0,
            acknowledged: 0,
            received: 0,
            said_by: None,
            paced_until_ms: None,
        }
    }
}

impl Incoming {
    /// Takes one frame of a HAVE. Answers those of its tips that are to be asked for at once: all, each once, if the peer
    /// might be asked when the HAVE began. None if the peer tells too much.
    pub(crate) fn hear(&mut self, mut tips: Vec<Tip>, last: bool, may_ask: bool) -> Option<Vec<Tip>> {
        let (mut hearing, before) = self.coming.take().unwrap_or_else(|| {
            self.told = None;
            (if may_ask { self.begin_asking() } else { Hearing::Keeps(Vec::new()) }, 0)
        });
        let count = before + tips.len();
        if count > TIPS_TOLD_MAX {
            return None;
        }
        for tip in &tips {
            if self.reaches.len() < TIPS_KEPT_MAX || self.reaches.contains_key(&tip.chain) {
                let reach = self.reaches.entry(tip.chain).or_default();
                *reach = tip.seq.max(*reach);
            }
        }
        let mut asked = Vec::new();
        match &mut hearing {
            Hearing::Asks => asked = distinct(tips),
            Hearing::Keeps(kept) if kept.len() + tips.len() <= TIPS_KEPT_MAX => kept.append(&mut tips),
            _ => hearing = Hearing::Forgets,
        }
        match hearing {
            Hearing::Keeps(kept) if last => self.told = Some(distinct(kept)),
            hearing => self.coming = (!last).then_some((hearing, count)),
        }
        Some(asked)
    }

    /// Whether the peer told that it has so many entries of a chain. If it told the end of another branch, it lacks them all
    /// the same, and asks once both rest.
    pub(crate) fn reaches(&self, chain: &ChainId, seq: u32) -> bool {
        self.reaches.get(chain).is_some_and(|reach| seq <= *reach)
    }

    /// Nothing that it told is new here.
    pub(crate) fn forget_reaches(&mut self) {
        self.reaches.clear();
    }

    /// It is this peer's turn to be asked: for these tips, that it told before.
    pub(crate) fn turn(&mut self) -> Option<Vec<Tip>> {
        self.begin_asking();
        self.told.take()
    }

    fn begin_asking(&mut self) -> Hearing {
        self.wanted = 0;
        self.asked.clear();
        Hearing::Asks
    }

    /// Keeps a tip that is asked for, in case the peer asks back. False if there are too many.
    pub(crate) fn keep_asked(&mut self, tip: Tip) -> bool {
        let has_room = self.asked.len() < TIPS_KEPT_MAX;
        if has_room {
            self.asked.insert(tip.id, tip);
        }
        has_room
    }

    /// A tip that the peer asks back about: once.
    pub(crate) fn asked_back(&mut self, id: &EntryId) -> Option<Tip> {
        self.asked.remove(id)
    }

    /// So many entries more are asked for, the last of a request or not. Answers what is granted for them with the
    /// request, where they are many.
    pub(crate) fn want(&mut self, entries: u64, last: bool, now_ms: u64) -> Option<u32> {
        self.wanted += entries;
        match self.bulk_since_ms {
            // Who promises again what has not come wins no time by it.
            None if self.wanted > 0 => {
                self.bulk_since_ms = Some(now_ms);
                self.brought = (now_ms, 0);
            }
            Some(_) if self.wanted == 0 && last => self.bulk_since_ms = None,
            _ => {}
        }
        let is_much = self.wanted >= WINDOW_OPENS_ENTRIES;
        self.window = if is_much { WINDOW_BYTES } else { WINDOW_FIRST_BYTES };
        if is_much { self.next_credit(WINDOW_BYTES) } else { None }
    }

    /// A frame with a block of so many bytes begins: its number. None if the peer sends more than it may.
    pub(crate) fn frame(&mut self, bytes: usize) -> Option<u64> {
        self.outstanding += bytes;
        if self.outstanding > WINDOW_BYTES + WINDOW_OVERSHOOT_BYTES {
            return None;
        }
        let number = self.frames;
        self.frames += 1;
        self.open.insert(number, Open { until: None, bytes });
        Some(number)
    }

    /// A frame's block waits for its causes, unless it was taken in: what it takes is limited elsewhere. False if more
    /// frames are not durable than may be.
    pub(crate) fn waits(&mut self, number: u64) -> bool {
        if let Some(open) = self.open.get_mut(&number)
            && open.until.is_none()
        {
            self.credit += std::mem::take(&mut open.bytes);
        }
        self.open.len() <= OPEN_FRAMES_MAX
    }

    /// A bulk frame came, with so many entries still behind it.
    pub(crate) fn bulk(&mut self, remaining: u64) {
        if remaining == 0 {
            return self.give_up_bulk();
        }
        if self.bulk_since_ms.is_some() {
            self.wanted = remaining;
        } else if remaining >= WINDOW_OPENS_ENTRIES {
            self.window = WINDOW_UNASKED_BYTES;
        }
    }

    /// When this source of bulk has brought nothing new for too long, or too little.
    pub(crate) fn bulk_due_ms(&self) -> Option<u64> {
        self.bulk_since_ms.map(|since| since.min(self.brought.0) + millis(BULK_PATIENCE))
    }

    /// Whether it brought nothing at all.
    pub(crate) fn is_stalled(&self, now_ms: u64) -> bool {
        self.bulk_since_ms.is_some_and(|since| since + millis(BULK_PATIENCE) <= now_ms)
    }

    /// It brings little, and nobody else could bring more.
    pub(crate) fn bear_with(&mut self, now_ms: u64) {
        self.brought = (now_ms, 0);
    }

    /// The bulk asked for will not come from here.
    pub(crate) fn give_up_bulk(&mut self) {
        self.wanted = 0;
        (self.bulk_since_ms, self.window) = (None, WINDOW_FIRST_BYTES);
    }

    /// A frame's block was taken in, with so many new entries: it is durable once so much of the log is.
    /// Only what is new keeps a source of bulk from being given up, and if another could be asked only so much of it.
    pub(crate) fn taken(&mut self, number: u64, new: usize, log_length: Position, now_ms: u64) {
        self.received += new as u64;
        self.bulk_since_ms = self.bulk_since_ms.map(|since| if new > 0 { now_ms } else { since });
        self.brought.1 += new;
        if self.brought.1 >= BULK_ENTRIES_MIN {
            self.brought = (now_ms, 0);
        }
        if let Some(open) = self.open.get_mut(&number) {
            open.until = Some(log_length);
        }
    }

    /// So much of the log is durable now.
    pub(crate) fn durable(&mut self, durable: Position) {
        let credit = &mut self.credit;
        self.open.retain(|_, open| {
            let is_done = open.until.is_some_and(|until| until <= durable);
            *credit += if is_done { open.bytes } else { 0 };
            !is_done
        });
    }

    /// How many bytes the peer may send anew, if that is news worth a frame, where it may have so many on its way at most.
    /// What nobody asked for may have less: it would all be heard before what others say.
    pub(crate) fn next_credit(&mut self, at_most: usize) -> Option<u32> {
        let window = self.window.min(at_most);
        let bytes = self.credit.saturating_sub(WINDOW_BYTES - window);
        if bytes == 0 || bytes < window / 4 {
            return None;
        }
        self.credit -= bytes;
        self.outstanding -= bytes;
        u32::try_from(bytes).ok()
    }

    /// How many frames are durable in all, if that is news.
    pub(crate) fn next_acknowledgement(&mut self) -> Option<u64> {
        let done = self.open.first_key_value().map_or(self.frames, |(number, _)| *number);
        (done > self.acknowledged).then(|| {
            self.acknowledged = done;
            done
        })
    }

    /// How many entries the peer is known to have that are not here.
    pub(crate) fn missing(&self) -> u64 {
        self.wanted
    }

    pub(crate) fn is_at_rest(&self) -> bool {
        self.bulk_since_ms.is_none()
    }
}

/// Each tip once.
fn distinct(mut tips: Vec<Tip>) -> Vec<Tip> {
    tips.sort_unstable_by_key(|tip| tip.id);
    tips.dedup_by_key(|tip| tip.id);
    tips
}
