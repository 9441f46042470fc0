//! What a store keeps beside the log: which store it is, which chain it writes, drafts, and where members are.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::archive::Batch;
use crate::id::{AuthorKey, Digest, Position, StoreId};
use crate::limits::{MESSAGE_BYTES_MAX, STORE_VALUE_BYTES_MAX, TIME_MS_MAX};
use crate::store::{Damage, Row, Store, StoreError, Write, row};

/// A message that waits for its author to be admitted.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
pub struct Draft {
    /// When it was written, in milliseconds since 1970.
    pub written_ms: u64,
    /// What it says.
    pub text: String,
}

/// How things stood when this store and a peer's last had the same entries. Then both had as many.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Met {
    /// How many.
    pub entries: Position,
    /// What both had.
    pub digest: Digest,
    /// Names what the peer had been told of where members are.
    pub told: u64,
}

/// One store of one author.
pub type Peer = (AuthorKey, StoreId);

/// The notes of one store.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Notes {
    /// Which store.
    pub store: StoreId,
    /// The number of our chain in it.
    pub incarnation: u64,
    /// Drafts by number.
    pub drafts: BTreeMap<u64, Draft>,
    /// Drafts that the home kept before there was a room are here, or were, up to this number.
    pub home_drafts_taken: u64,
    /// When this store last agreed with others, by author and store.
    pub met: BTreeMap<Peer, Met>,
    /// What is kept of where members can be reached, as it was given.
    pub whereabouts: BTreeMap<Peer, Vec<u8>>,
}

impl Notes {
    /// Reads the notes; where there are none, or they are to be renewed, writes fresh names.
    pub(super) fn open(
        store: &mut dyn Store,
        fresh: (StoreId, u64),
        renew: bool,
    ) -> Result<Self, StoreError> {
        let drafts = read_drafts(store)?;
        let whereabouts = read_whereabouts(store)?;
        let number = |value: &[u8]| {
            row::unseal(TAKEN, value, NOTES).and_then(|mut value| row::take(&mut value, NOTES))
        };
        let taken = store.get(TAKEN)?.map(|value| number(&value)).transpose()?;
        let home_drafts_taken = taken.map_or(0, u64::from_be_bytes);
        let met = read_met(store)?;
        if let Some(value) = store.get(NAMES)?
            && !renew
        {
            let mut fields = row::unseal(NAMES, &value, NOTES)?;
            let store = StoreId(row::take(&mut fields, NOTES)?);
            let incarnation = u64::from_be_bytes(row::take(&mut fields, NOTES)?);
            return Ok(Self { store, incarnation, drafts, home_drafts_taken, met, whereabouts });
        }
        store.commit(&[names(fresh.0, fresh.1)])?;
        Ok(Self { store: fresh.0, incarnation: fresh.1, drafts, home_drafts_taken, met, whereabouts })
    }
}

/// Adds what a batch says of the notes.
pub(super) fn stage(batch: &Batch, writes: &mut Vec<Write>) {
    for (number, draft) in &batch.drafts {
        let time = draft.written_ms.min(TIME_MS_MAX).to_be_bytes();
        let length = (draft.text.len() as u64).to_be_bytes();
        let value = [&time, &length, draft.text.as_bytes()].concat();
        for (part, bytes) in (0..).zip(value.chunks(DRAFT_PART_BYTES)) {
            let key = draft_key(*number, part);
            let value = row::seal(&key, &[bytes]);
            writes.push(Write::Put { key, value });
        }
    }
    let parts = |number: &u64| (0..DRAFT_PARTS_MAX).map(|part| draft_key(*number, part)).collect::<Vec<_>>();
    writes.extend(batch.drafts_done.iter().flat_map(parts).map(|key| Write::Delete { key }));
    if let Some(taken) = batch.home_drafts_taken {
        writes.push(Write::Put { key: TAKEN.to_vec(), value: row::seal(TAKEN, &[&taken.to_be_bytes()]) });
    }
    for ((author, store), met) in &batch.met {
        let key = [MET, &author.0, &store.0].concat();
        writes.push(match met {
            Some(met) => {
                let value =
                    row::seal(&key, &[&met.entries.to_be_bytes(), &met.digest.0, &met.told.to_be_bytes()]);
                Write::Put { key, value }
            }
            None => Write::Delete { key },
        });
    }
    if let Some((store, incarnation)) = batch.names {
        writes.push(names(store, incarnation));
    }
    for ((author, store), bytes) in &batch.whereabouts {
        let key = [WHEREABOUTS, &author.0, &store.0].concat();
        writes.push(match bytes {
            Some(bytes) => Write::Put { value: row::seal(&key, &[bytes]), key },
            None => Write::Delete { key },
        });
    }
}

/// The rows that a store keeps under another name: drafts, which of the home's it took, and where members are.
pub(super) fn lasting(store: &dyn Store) -> Result<Vec<Write>, StoreError> {
    let mut writes = Vec::new();
    for prefix in [DRAFT, TAKEN, WHEREABOUTS] {
        for row in store.scan(prefix) {
            let (key, value) = row?;
            row::unseal(&key, &value, NOTES)?;
            writes.push(Write::Put { key, value });
        }
    }
    Ok(writes)
}

fn names(store: StoreId, incarnation: u64) -> Write {
    let value = row::seal(NAMES, &[&store.0, &incarnation.to_be_bytes()]);
    Write::Put { key: NAMES.to_vec(), value }
}

fn draft_key(number: u64, part: u8) -> Vec<u8> {
    [DRAFT, &number.to_be_bytes(), &[part]].concat()
}

fn read_drafts(store: &dyn Store) -> Result<BTreeMap<u64, Draft>, StoreError> {
    let mut values: BTreeMap<u64, Vec<u8>> = BTreeMap::new();
    for part in store.scan(DRAFT) {
        let (key, value) = part?;
        let number = key.get(DRAFT.len()..DRAFT.len() + 8).and_then(|number| number.try_into().ok());
        let number = u64::from_be_bytes(number.ok_or(Damage::Row(NOTES))?);
        values.entry(number).or_default().extend_from_slice(row::unseal(&key, &value, NOTES)?);
    }
    let draft = |(number, value): (u64, Vec<u8>)| {
        let mut text = value.as_slice();
        let written_ms = u64::from_be_bytes(row::take(&mut text, NOTES)?);
        let length = u64::from_be_bytes(row::take(&mut text, NOTES)?);
        let text = str::from_utf8(text).ok().filter(|text| text.len() as u64 == length);
        Ok((number, Draft { written_ms, text: text.ok_or(Damage::Row(NOTES))?.to_owned() }))
    };
    values.into_iter().map(draft).collect()
}

fn read_met(store: &dyn Store) -> Result<BTreeMap<Peer, Met>, StoreError> {
    let met = |found: Result<Row, StoreError>| {
        let (key, value) = found?;
        let mut name = key.get(MET.len()..).ok_or(Damage::Row(NOTES))?;
        let peer = (AuthorKey(row::take(&mut name, NOTES)?), StoreId(row::take(&mut name, NOTES)?));
        let mut fields = row::unseal(&key, &value, NOTES)?;
        let entries = Position::from_be_bytes(row::take(&mut fields, NOTES)?);
        let digest = Digest(row::take(&mut fields, NOTES)?);
        Ok((peer, Met { entries, digest, told: u64::from_be_bytes(row::take(&mut fields, NOTES)?) }))
    };
    store.scan(MET).map(met).collect()
}

fn read_whereabouts(store: &dyn Store) -> Result<BTreeMap<Peer, Vec<u8>>, StoreError> {
    let read = |row: Result<(Vec<u8>, Vec<u8>), StoreError>| {
        let (key, value) = row?;
        let mut name = key.get(WHEREABOUTS.len()..).ok_or(Damage::Row(NOTES))?;
        let endpoint = (AuthorKey(row::take(&mut name, NOTES)?), StoreId(row::take(&mut name, NOTES)?));
        Ok((endpoint, row::unseal(&key, &value, NOTES)?.to_vec()))
    };
    store.scan(WHEREABOUTS).map(read).collect()
}

const NOTES: &str = "notes";

/// Sealed: store id (16 bytes), then the chain's number, big-endian.
const NAMES: &[u8] = b"m/names";

/// Sealed: a number, big-endian.
const TAKEN: &[u8] = b"m/taken";

/// Then author (32 bytes) and store (16). Sealed: a number of entries, their digest, and what was told of
/// addresses; big-endian.
const MET: &[u8] = b"m/met/";

/// Then the draft's number, big-endian, and the part: time written and length of the text (8 bytes each), and the text,
/// in sealed parts.
const DRAFT: &[u8] = b"m/draft/";

/// Then author (32 bytes) and store (16). Sealed: whatever the program above keeps, of one part.
const WHEREABOUTS: &[u8] = b"m/peer/";

const DRAFT_PART_BYTES: usize = STORE_VALUE_BYTES_MAX - row::SEAL_BYTES;

/// A draft is a message: at most 16 KiB and 16 bytes.
const DRAFT_PARTS_MAX: u8 = 5;
const _: () = assert!(MESSAGE_BYTES_MAX + 16 <= DRAFT_PARTS_MAX as usize * DRAFT_PART_BYTES);
