//! What was left under which tag, by whom, until when. Pure: time comes with each call.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use crate::discovery::Tag;
use crate::limits::{
    RECORD_LIFE, RENDEZVOUS_PER_SOURCE_MAX, RENDEZVOUS_PER_TAG_MAX, RENDEZVOUS_RECORDS_MAX,
    RENDEZVOUS_SLOTS_PER_CLIENT_MAX, RENDEZVOUS_TAGS_PER_CLIENT_MAX,
};
use crate::penalty::subscriber;
use crate::rendezvous::Slot;

#[cfg(test)]
mod tests;

/// One connection to the server.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Client(pub(super) u64);

#[derive(Clone, Debug)]
struct Record {
    sealed: Vec<u8>,
    client: Client,
    source: IpAddr,
    expires_ms: u64,
}

/// Everything the server knows.
#[derive(Debug, Default)]
pub(super) struct Registry {
    records: BTreeMap<Tag, BTreeMap<Slot, Record>>,
    count: usize,
    by_source: BTreeMap<IpAddr, usize>,
    watchers: BTreeMap<Tag, BTreeSet<Client>>,
    /// Who can be called, by which connection, and from where that is.
    slots: BTreeMap<Slot, (Client, IpAddr)>,
    clients: BTreeMap<Client, Concerns>,
}

/// What is tied to one connection.
#[derive(Debug, Default)]
struct Concerns {
    watched: BTreeSet<Tag>,
    slots: BTreeSet<Slot>,
}

/// Why nothing was kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Full;

impl Registry {
    /// Keeps what a client leaves under a tag, for a while. Answers whether it says something new.
    ///
    /// # Errors
    /// When there is too much of this source, under this tag or in all, or the slot is somebody else's.
    pub(super) fn announce(
        &mut self,
        (client, source): (Client, IpAddr),
        (tag, slot): (Tag, Slot),
        sealed: Vec<u8>,
        now_ms: u64,
    ) -> Result<bool, Full> {
        let source = subscriber(source);
        // Who comes back from where it was takes its place again: the server may not know yet that it was gone.
        if self.slots.get(&slot).is_some_and(|(other, from)| *other != client && *from != source) {
            return Err(Full);
        }
        let before = self.records.get(&tag).and_then(|records| records.get(&slot));
        if before.is_none() {
            self.make_room(tag, source, now_ms)?;
        }
        let own = self.clients.get(&client).map(|concerns| &concerns.slots);
        if own.is_some_and(|own| own.len() >= RENDEZVOUS_SLOTS_PER_CLIENT_MAX && !own.contains(&slot)) {
            return Err(Full);
        }
        self.watch(client, tag)?;
        self.slots.insert(slot, (client, source));
        self.clients.entry(client).or_default().slots.insert(slot);
        self.count += 1;
        *self.by_source.entry(source).or_default() += 1;
        let records = self.records.entry(tag).or_default();
        let is_news = records.get(&slot).is_none_or(|before| before.sealed != sealed);
        let expires_ms = now_ms + crate::limits::millis(RECORD_LIFE);
        if let Some(before) = records.insert(slot, Record { sealed, client, source, expires_ms }) {
            self.uncount(before.source);
        }
        Ok(is_news)
    }

    /// Has a client told what is left under a tag from now on.
    ///
    /// # Errors
    /// When it watches too many.
    pub(super) fn watch(&mut self, client: Client, tag: Tag) -> Result<(), Full> {
        let watched = &mut self.clients.entry(client).or_default().watched;
        if watched.len() >= RENDEZVOUS_TAGS_PER_CLIENT_MAX && !watched.contains(&tag) {
            return Err(Full);
        }
        watched.insert(tag);
        self.watchers.entry(tag).or_default().insert(client);
        Ok(())
    }

    /// What others left under a tag.
    pub(super) fn others(&self, client: Client, tag: &Tag) -> impl Iterator<Item = (Slot, &[u8])> {
        let of_tag = self.records.get(tag).into_iter().flatten();
        let others = of_tag.filter(move |(_, record)| record.client != client);
        others.map(|(slot, record)| (*slot, record.sealed.as_slice()))
    }

    /// Who else is to be told what a client left under a tag.
    pub(super) fn watchers(&self, client: Client, tag: &Tag) -> impl Iterator<Item = Client> {
        self.watchers.get(tag).into_iter().flatten().copied().filter(move |other| *other != client)
    }

    /// By which connection somebody can be called.
    pub(super) fn client(&self, slot: &Slot) -> Option<Client> {
        self.slots.get(slot).map(|(client, _)| *client)
    }

    /// How many records there are.
    pub(super) fn len(&self) -> usize {
        self.count
    }

    /// A connection ended: nobody is told or called by it any more. What it left stays for its time.
    pub(super) fn leave(&mut self, client: Client) {
        let Concerns { watched, slots } = self.clients.remove(&client).unwrap_or_default();
        for slot in slots {
            if self.client(&slot) == Some(client) {
                self.slots.remove(&slot);
            }
        }
        for tag in watched {
            if let Some(watchers) = self.watchers.get_mut(&tag) {
                watchers.remove(&client);
                if watchers.is_empty() {
                    self.watchers.remove(&tag);
                }
            }
        }
    }

    /// Drops what has expired.
    pub(super) fn expire(&mut self, now_ms: u64) {
        let tags: Vec<Tag> = self.records.keys().copied().collect();
        tags.into_iter().for_each(|tag| self.expire_tag(&tag, now_ms));
    }

    fn expire_tag(&mut self, tag: &Tag, now_ms: u64) {
        let Some(records) = self.records.get_mut(tag) else { return };
        let mut gone = Vec::new();
        records.retain(|_, record| {
            let holds = record.expires_ms > now_ms;
            gone.extend((!holds).then_some(record.source));
            holds
        });
        if records.is_empty() {
            self.records.remove(tag);
        }
        gone.into_iter().for_each(|source| self.uncount(source));
    }

    /// Whether one more record has room. Under a crowded tag, whoever left most there loses its oldest.
    fn make_room(&mut self, tag: Tag, source: IpAddr, now_ms: u64) -> Result<(), Full> {
        let of_source = self.by_source.get(&source).copied().unwrap_or(0);
        let is_local = source.is_loopback();
        if self.count >= RENDEZVOUS_RECORDS_MAX || of_source >= RENDEZVOUS_PER_SOURCE_MAX && !is_local {
            return Err(Full);
        }
        self.expire_tag(&tag, now_ms);
        let Some(records) = self.records.get_mut(&tag) else { return Ok(()) };
        if records.len() < RENDEZVOUS_PER_TAG_MAX {
            return Ok(());
        }
        let mut by_source: BTreeMap<IpAddr, usize> = BTreeMap::new();
        records.values().for_each(|record| *by_source.entry(record.source).or_default() += 1);
        let crowd = |record: &Record| by_source.get(&record.source).copied().unwrap_or(0);
        let rank = |record: &Record| (crowd(record), std::cmp::Reverse(record.expires_ms));
        let worst = records.iter().max_by_key(|(_, record)| rank(record)).map(|(slot, _)| *slot);
        if let Some(record) = worst.and_then(|slot| records.remove(&slot)) {
            self.uncount(record.source);
        }
        Ok(())
    }

    fn uncount(&mut self, source: IpAddr) {
        self.count -= 1;
        if let Some(count) = self.by_source.get_mut(&source) {
            *count -= 1;
            if *count == 0 {
                self.by_source.remove(&source);
            }
        }
    }
}
