//! PROTOCOL.md, "Order", "Tips and digest", and which signatures a block of DATA needs.

use std::collections::{BTreeMap, BTreeSet};

use super::bytes::{Read, hash};
use super::entry::{Entry, Id};
use super::{block, bundle};

/// Era, time, count.
pub(crate) type Clock = (u32, u64, u32);

const DAY_MS: u64 = 86_400_000;

/// What a room's blocks say.
pub(crate) struct Conversation {
    pub(crate) room: Id,
    pub(crate) entries: BTreeMap<Id, Entry>,
    clocks: BTreeMap<Id, Clock>,
}

impl Conversation {
    pub(crate) fn new(room: Id) -> Self {
        Self { room, entries: BTreeMap::new(), clocks: BTreeMap::new() }
    }

    pub(crate) fn of_bundle(file: &[u8]) -> Read<Self> {
        let (room, blocks) = bundle::read(file)?;
        let mut conversation = Self::new(room);
        blocks.into_iter().try_for_each(|block| conversation.take(block).map(|_| ()))?;
        Ok(conversation)
    }

    /// Takes what is new of a block as DATA. Answers all of it.
    pub(crate) fn take(&mut self, block: &[u8]) -> Read<Vec<Entry>> {
        let entries = block::read(block, &self.room, &self.entries)?;
        let new: Vec<&Entry> = entries.iter().filter(|entry| !self.entries.contains_key(&entry.id)).collect();
        let named: BTreeSet<Id> = new.iter().filter_map(|entry| entry.previous).collect();
        if !new.iter().all(|entry| named.contains(&entry.id) || entry.is_signed()) {
            return Err("an entry that nobody vouches for");
        }
        for entry in new {
            let clock = self.clock(entry)?;
            self.clocks.insert(entry.id, clock);
            self.entries.insert(entry.id, entry.clone());
        }
        Ok(entries)
    }

    fn clock(&self, entry: &Entry) -> Read<Clock> {
        let parents: Option<Vec<Clock>> =
            entry.parents().map(|parent| self.clocks.get(parent).copied()).collect();
        let claimed = entry.claimed_ms;
        let Some((era, latest, count)) = parents.ok_or("a cause that comes later")?.into_iter().max() else {
            return if entry.id == self.room {
                Ok((0, claimed, 0))
            } else {
                Err("another room's first entry")
            };
        };
        let contradicts = entry.previous.is_some_and(|previous| {
            let (before, time) = (self.entries[&previous].claimed_ms, self.clocks[&previous].1);
            before == latest || before >= time.saturating_sub(DAY_MS) && claimed >= before
        });
        Ok(if claimed > latest {
            (era, claimed, 0)
        } else if claimed < latest.saturating_sub(DAY_MS) && contradicts {
            (era.saturating_add(1), claimed, 0)
        } else {
            (era, latest, count.saturating_add(1))
        })
    }

    /// The entries in order, with their clocks.
    pub(crate) fn in_order(&self) -> Vec<(Clock, &Entry)> {
        let mut rows: Vec<(Clock, &Entry)> =
            self.entries.values().map(|entry| (self.clocks[&entry.id], entry)).collect();
        rows.sort_by_key(|(clock, entry)| (*clock, entry.id));
        rows
    }

    /// What the room is about, if all that was written counts: PROTOCOL.md, "Topic".
    pub(crate) fn topic(&self) -> Option<&str> {
        let rows = self.in_order().into_iter().map(|(_, entry)| &self.entries[&entry.id]);
        let topics = rows.filter(|entry| entry.kind == 9 && entry.body.len() <= 512);
        let last = topics.filter_map(|entry| str::from_utf8(&entry.body).ok()).next_back();
        last.filter(|topic| !topic.is_empty())
    }

    pub(crate) fn digest(&self) -> Id {
        let named: BTreeSet<Id> = self.entries.values().filter_map(|entry| entry.previous).collect();
        let tips = self.entries.values().filter(|entry| !named.contains(&entry.id));
        let mut tips: Vec<([u8; 40], u32, Id)> = tips.map(|tip| (tip.chain, tip.seq, tip.id)).collect();
        tips.sort_unstable();
        let rows = tips.iter().map(|(chain, seq, id)| [&chain[..], &seq.to_be_bytes(), id].concat());
        hash(&[&rows.collect::<Vec<_>>().concat()])
    }
}
