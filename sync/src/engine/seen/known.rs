//! The last record of each store, and what it says of our own rows.

use std::collections::{BTreeMap, BTreeSet};

use replica::graph::{Graph, Reach, Reached};
use replica::id::{AuthorKey, EntryId, StoreId};
use sha2::{Digest as _, Sha256};

use crate::book::Endpoint;
use crate::limits::{RECORDS_MAX, RECORDS_PER_AUTHOR_MAX, SEEN_AHEAD, millis};
use crate::wire::SeenRecord;

#[cfg(test)]
mod tests;

/// What became of a record.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Taken {
    /// Others should hear of it.
    News(Endpoint),
    /// It is known, or not to be believed, or its author is no member by what is here.
    Nothing,
    /// Its author did not sign it.
    Forged,
}

/// Records.
#[derive(Debug)]
pub(super) struct Known {
    told: BTreeMap<Endpoint, Told>,
    /// Such of authors who are no members by what is here.
    early: BTreeMap<Endpoint, Told>,
    /// Whose records name an entry that is not durable here, by the first such entry.
    waiting: BTreeMap<EntryId, BTreeSet<Endpoint>>,
    reach: Reach,
}

#[derive(Debug)]
struct Told {
    record: SeenRecord,
    /// What it, and those before it, say of our rows.
    up_to: Vec<Reached>,
    waits_for: Option<EntryId>,
}

impl Known {
    /// Nothing yet, of rows by this author.
    pub(super) fn new(me: AuthorKey) -> Self {
        let reach = Reach::new(me);
        Self { told: BTreeMap::new(), early: BTreeMap::new(), waiting: BTreeMap::new(), reach }
    }

    /// Takes a record in, if it is to be believed.
    pub(super) fn take(&mut self, record: SeenRecord, graph: &Graph, wall_ms: u64) -> Taken {
        let endpoint = (record.author, record.store);
        let is_member = graph.is_member(&record.author);
        let kept = if is_member { &self.told } else { &self.early };
        // Of what is known already the signature is not looked at again.
        if record.number > wall_ms.saturating_add(millis(SEEN_AHEAD)) || !has_place(kept, &record) {
            return Taken::Nothing;
        }
        if !record.is_authentic(&graph.room()) {
            return Taken::Forged;
        }
        if !is_member {
            // It goes on from here once its author is known.
            make_place(&mut self.early, &endpoint);
            self.early.insert(endpoint, Told { record, up_to: Vec::new(), waits_for: None });
            return Taken::Nothing;
        }
        self.put(record);
        Taken::News(endpoint)
    }

    /// Keeps a record in place of the last of its store.
    pub(super) fn put(&mut self, record: SeenRecord) {
        let endpoint = (record.author, record.store);
        if let Some(oldest) = make_place(&mut self.told, &endpoint) {
            self.wait_no_more(&endpoint_of(&oldest.record), oldest.waits_for);
        }
        let before = self.told.remove(&endpoint);
        let (up_to, waited) = before.map_or((Vec::new(), None), |before| (before.up_to, before.waits_for));
        self.wait_no_more(&endpoint, waited);
        self.told.insert(endpoint, Told { record, up_to, waits_for: None });
    }

    /// What waited for its author to be a member, and does no more.
    pub(super) fn take_early(&mut self, graph: &Graph) -> Vec<Endpoint> {
        let is_member = |(author, _): &&Endpoint| graph.is_member(author);
        let ready: Vec<Endpoint> = self.early.keys().filter(is_member).copied().collect();
        let is_taken = |endpoint: &Endpoint| {
            let told = self.early.remove(endpoint);
            told.filter(|told| has_place(&self.told, &told.record))
                .map(|told| self.put(told.record))
                .is_some()
        };
        ready.into_iter().filter(is_taken).collect()
    }

    /// Forgets the records of some authors.
    pub(super) fn forget(&mut self, is_gone: impl Fn(&AuthorKey) -> bool) {
        let gone: Vec<Endpoint> = self.told.keys().filter(|(author, _)| is_gone(author)).copied().collect();
        for endpoint in gone {
            let waited = self.told.remove(&endpoint).and_then(|told| told.waits_for);
            self.wait_no_more(&endpoint, waited);
        }
    }

    /// Finds out what a record says of our rows, as far as its heads are here; for the others it waits. Answers how far
    /// its store holds them, if that is news.
    pub(super) fn resolve(&mut self, endpoint: Endpoint, graph: &Graph) -> Option<Vec<Reached>> {
        self.reach.extend(graph);
        let told = self.told.get_mut(&endpoint)?;
        let mut grew = false;
        let mut missing = None;
        for head in &told.record.heads {
            match graph.position(head).filter(|at| *at < graph.durable()) {
                Some(at) => grew |= Reached::merge(&mut told.up_to, self.reach.of(at)),
                None => missing = missing.or(Some(*head)),
            }
        }
        told.waits_for = missing;
        if let Some(missing) = missing {
            self.waiting.entry(missing).or_default().insert(endpoint);
        }
        grew.then(|| told.up_to.clone())
    }

    /// Whether any record waits for an entry.
    pub(super) fn is_waiting(&self) -> bool {
        !self.waiting.is_empty()
    }

    /// Whose records waited for an entry that is durable now.
    pub(super) fn arrived(&mut self, id: &EntryId) -> BTreeSet<Endpoint> {
        self.waiting.remove(id).unwrap_or_default()
    }

    fn wait_no_more(&mut self, endpoint: &Endpoint, waited: Option<EntryId>) {
        let Some(id) = waited else { return };
        if let Some(waiting) = self.waiting.get_mut(&id) {
            waiting.remove(endpoint);
            if waiting.is_empty() {
                self.waiting.remove(&id);
            }
        }
    }

    pub(super) fn record(&self, endpoint: &Endpoint) -> Option<&SeenRecord> {
        self.told.get(endpoint).map(|told| &told.record)
    }

    /// Whether anybody but this store ever told anything.
    pub(super) fn has_others(&self, own: &Endpoint) -> bool {
        self.told.keys().any(|endpoint| endpoint != own)
    }

    /// Whose records say what of our rows.
    pub(super) fn up_to(&self) -> impl Iterator<Item = (AuthorKey, Vec<Reached>)> {
        let says = self.told.iter().filter(|(_, told)| !told.up_to.is_empty());
        says.map(|((author, _), told)| (*author, told.up_to.clone()))
    }

    /// Names the records there are: who has the same names the same.
    pub(super) fn mark(&self) -> u64 {
        let mut hash = Sha256::new();
        for Told { record, .. } in self.told.values() {
            hash.update(record.author.0);
            hash.update(record.store.0);
            hash.update(record.number.to_be_bytes());
        }
        u64::from_be_bytes(*hash.finalize().first_chunk().unwrap_or(&[0; 8]))
    }

    /// As many of the newest records as take so many bytes.
    pub(super) fn newest(&self, bytes_max: usize) -> Vec<SeenRecord> {
        let mut all: Vec<&SeenRecord> = self.told.values().map(|told| &told.record).collect();
        all.sort_by_key(|record| std::cmp::Reverse(record.number));
        let mut bytes = 0;
        let fits = |record: &&&SeenRecord| {
            bytes += weight(record);
            bytes <= bytes_max
        };
        all.iter().take_while(fits).map(|record| (*record).clone()).collect()
    }
}

/// A record's bytes in a frame, at most.
pub(super) fn weight(record: &SeenRecord) -> usize {
    122 + record.heads.len() * 32
}

fn endpoint_of(record: &SeenRecord) -> Endpoint {
    (record.author, record.store)
}

/// Whether a record is newer than the one of its store; if there is none and no room, than the oldest, which makes place.
/// So what made place never comes back, and two who have no room do not tell each other the same for ever.
fn has_place(told: &BTreeMap<Endpoint, Told>, record: &SeenRecord) -> bool {
    let endpoint = endpoint_of(record);
    let known = told.get(&endpoint).or_else(|| told.get(&crowded_out(told, &endpoint)?));
    known.is_none_or(|known| known.record.number < record.number)
}

fn make_place(told: &mut BTreeMap<Endpoint, Told>, endpoint: &Endpoint) -> Option<Told> {
    crowded_out(told, endpoint).and_then(|oldest| told.remove(&oldest))
}

/// Which one has to make place for that of a store: the author's oldest, where there are many of theirs, or the oldest.
fn crowded_out(told: &BTreeMap<Endpoint, Told>, endpoint: &Endpoint) -> Option<Endpoint> {
    if told.contains_key(endpoint) {
        return None;
    }
    let number = |(_, told): &(&Endpoint, &Told)| told.record.number;
    let of_author = || told.range((endpoint.0, StoreId([0; 16]))..=(endpoint.0, StoreId([u8::MAX; 16])));
    if of_author().count() >= RECORDS_PER_AUTHOR_MAX {
        return of_author().min_by_key(number).map(|(oldest, _)| *oldest);
    }
    let is_full = told.len() >= RECORDS_MAX;
    is_full.then(|| told.iter().min_by_key(number).map(|(oldest, _)| *oldest)).flatten()
}
