//! What a store keeps beside the log: which store it is, which chain it writes, and drafts.

use std::collections::BTreeMap;

use crate::archive::Batch;
use crate::id::StoreId;
use crate::limits::{STORE_VALUE_BYTES_MAX, TIME_MS_MAX};
use crate::store::{Damage, Store, StoreError, Write};

/// A message that waits for its author to be admitted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Draft {
    /// When it was written, in milliseconds since 1970.
    pub written_ms: u64,
    /// What it says.
    pub text: String,
}

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
}

impl Notes {
    /// Reads the notes; where there are none, or they are to be renewed, writes fresh names.
    pub(super) fn open(
        store: &mut dyn Store,
        fresh: (StoreId, u64),
        renew: bool,
    ) -> Result<Self, StoreError> {
        let drafts = read_drafts(store)?;
        let taken =
            store.get(TAKEN)?.map(|value| value.try_into().map_err(|_| Damage::Row("notes"))).transpose()?;
        let home_drafts_taken = taken.map_or(0, u64::from_be_bytes);
        if let Some(value) = store.get(NAMES)?
            && !renew
        {
            let (id, incarnation) = value.split_at_checked(StoreId::BYTES).ok_or(Damage::Row("notes"))?;
            let store = StoreId(id.try_into().map_err(|_| Damage::Row("notes"))?);
            let incarnation = incarnation.try_into().map_err(|_| Damage::Row("notes"))?;
            return Ok(Self {
                store,
                incarnation: u64::from_be_bytes(incarnation),
                drafts,
                home_drafts_taken,
            });
        }
        store.commit(&[names(fresh.0, fresh.1)])?;
        Ok(Self { store: fresh.0, incarnation: fresh.1, drafts, home_drafts_taken })
    }
}

/// Adds what a batch says of the notes.
pub(super) fn stage(batch: &Batch, writes: &mut Vec<Write>) {
    for (number, draft) in &batch.drafts {
        let mut value = draft.written_ms.min(TIME_MS_MAX).to_be_bytes().to_vec();
        value.extend_from_slice(draft.text.as_bytes());
        for (part, bytes) in value.chunks(STORE_VALUE_BYTES_MAX).enumerate() {
            let key = draft_key(*number, u8::try_from(part).unwrap_or(u8::MAX));
            writes.push(Write::Put { key, value: bytes.to_vec() });
        }
    }
    let parts = |number: &u64| (0..DRAFT_PARTS_MAX).map(|part| draft_key(*number, part)).collect::<Vec<_>>();
    writes.extend(batch.drafts_done.iter().flat_map(parts).map(|key| Write::Delete { key }));
    if let Some(taken) = batch.home_drafts_taken {
        writes.push(Write::Put { key: TAKEN.to_vec(), value: taken.to_be_bytes().to_vec() });
    }
    if let Some((store, incarnation)) = batch.names {
        writes.push(names(store, incarnation));
    }
}

fn names(store: StoreId, incarnation: u64) -> Write {
    let mut value = store.0.to_vec();
    value.extend_from_slice(&incarnation.to_be_bytes());
    Write::Put { key: NAMES.to_vec(), value }
}

fn draft_key(number: u64, part: u8) -> Vec<u8> {
    [DRAFT, &number.to_be_bytes(), &[part]].concat()
}

fn read_drafts(store: &dyn Store) -> Result<BTreeMap<u64, Draft>, StoreError> {
    let mut values: BTreeMap<u64, Vec<u8>> = BTreeMap::new();
    for row in store.scan(DRAFT) {
        let (key, value) = row?;
        let number = key.get(DRAFT.len()..DRAFT.len() + 8).and_then(|number| number.try_into().ok());
        let number = u64::from_be_bytes(number.ok_or(Damage::Row("drafts"))?);
        values.entry(number).or_default().extend_from_slice(&value);
    }
    let draft = |(number, value): (u64, Vec<u8>)| {
        let (time, text) = value.split_first_chunk().ok_or(Damage::Row("drafts"))?;
        let text = str::from_utf8(text).map_err(|_| Damage::Row("drafts"))?.to_owned();
        Ok((number, Draft { written_ms: u64::from_be_bytes(*time), text }))
    };
    values.into_iter().map(draft).collect()
}

/// Store id (16 bytes), then the chain's number, big-endian.
const NAMES: &[u8] = b"m/names";

/// A number, big-endian.
const TAKEN: &[u8] = b"m/taken";

/// Then the draft's number, big-endian, and the part: time written (8 bytes) and text, in parts of at most 4 KiB.
const DRAFT: &[u8] = b"m/draft/";

/// A draft is at most 16 KiB and 8 bytes.
const DRAFT_PARTS_MAX: u8 = 5;
