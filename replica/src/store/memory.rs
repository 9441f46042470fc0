//! The store in memory: for tests, the simulator and fuzzing.

use std::collections::BTreeMap;
use std::io;
#[expect(
    clippy::disallowed_types,
    reason = "a test keeps a handle beside the engine that owns the store"
)]
use std::sync::Mutex;
use std::sync::{Arc, MutexGuard, PoisonError};

use super::{Rows, Store, StoreError, Write, check_sizes};

#[cfg(test)]
mod tests;

/// A store in memory that tells what is live from what is durable.
///
/// A commit is two calls, as on disk: *apply* changes the live image, *sync* makes the durable one catch up. Reads
/// and closing are one call each. Clones are handles to the same store, so that a test can inject faults while
/// another owns it.
#[derive(Clone, Debug, Default)]
pub struct MemoryStore {
    #[expect(
        clippy::disallowed_types,
        reason = "a test keeps a handle beside the engine that owns the store"
    )]
    images: Arc<Mutex<Images>>,
}

type Image = BTreeMap<Vec<u8>, Arc<[u8]>>;

#[derive(Debug, Default)]
struct Images {
    live: Image,
    durable: Image,
    /// Applied, but not yet synced.
    unsynced: Vec<Write>,
    /// How many calls from now one fails; 1 is the next.
    fails_in: Option<u64>,
    calls: u64,
    latched: bool,
    loses_syncs: bool,
}

impl MemoryStore {
    /// An empty store without faults.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Makes the `n`-th call from now fail with an I/O error, once; 0 lets all succeed. A call that fails changes
    /// nothing; when it is part of a commit, the store latches.
    pub fn fail_call(&self, n: u64) {
        self.images().fails_in = (n > 0).then_some(n);
    }

    /// Whether a sync does nothing, though it answers that it did. A test that does not notice tests no durability.
    pub fn lose_syncs(&self, lose: bool) {
        self.images().loses_syncs = lose;
    }

    /// What a power cut leaves: a new store that holds what was committed and synced. This one goes on as it was.
    #[must_use]
    pub fn crash(&self) -> Self {
        Self::holding(self.images().durable.clone())
    }

    /// What the end of the process leaves: a new store that holds everything applied, synced or not.
    #[must_use]
    pub fn kill(&self) -> Self {
        Self::holding(self.images().live.clone())
    }

    /// How many calls were made so far, failed ones included.
    #[must_use]
    pub fn calls(&self) -> u64 {
        self.images().calls
    }

    fn holding(image: Image) -> Self {
        let images = Images { live: image.clone(), durable: image, ..Images::default() };
        #[expect(clippy::disallowed_types, reason = "the field's type")]
        Self { images: Arc::new(Mutex::new(images)) }
    }

    fn images(&self) -> MutexGuard<'_, Images> {
        // Nothing here panics half-way through a change, so a poisoned lock still guards a whole state.
        self.images.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Images {
    /// Counts one call, and fails it if it is its turn.
    fn call(&mut self) -> Result<(), StoreError> {
        self.calls += 1;
        self.fails_in = self.fails_in.map(|n| n - 1);
        if self.fails_in == Some(0) {
            self.fails_in = None;
            return Err(io::Error::from(io::ErrorKind::StorageFull).into());
        }
        Ok(())
    }

    fn apply(&mut self, writes: &[Write]) -> Result<(), StoreError> {
        self.call()?;
        writes.iter().for_each(|write| put(&mut self.live, write));
        self.unsynced.extend_from_slice(writes);
        Ok(())
    }

    fn sync(&mut self) -> Result<(), StoreError> {
        self.call()?;
        if !self.loses_syncs {
            self.unsynced.drain(..).for_each(|write| put(&mut self.durable, &write));
        }
        Ok(())
    }
}

impl Store for MemoryStore {
    fn commit(&mut self, writes: &[Write]) -> Result<(), StoreError> {
        let mut images = self.images();
        if images.latched {
            return Err(StoreError::Failed);
        }
        check_sizes(writes)?;
        if writes.is_empty() {
            return Ok(());
        }
        let done = images.apply(writes).and_then(|()| images.sync());
        images.latched = done.is_err();
        done
    }

    fn get(&self, key: &[u8]) -> Result<Option<Vec<u8>>, StoreError> {
        let mut images = self.images();
        images.call()?;
        Ok(images.live.get(key).map(|value| value.to_vec()))
    }

    fn scan<'a>(&'a self, prefix: &[u8]) -> Rows<'a> {
        let mut images = self.images();
        if let Err(error) = images.call() {
            return Box::new(std::iter::once(Err(error)));
        }
        let rows = images.live.range(prefix.to_vec()..).take_while(|(key, _)| key.starts_with(prefix));
        let rows: Vec<_> = rows.map(|(key, value)| Ok((key.clone(), value.to_vec()))).collect();
        Box::new(rows.into_iter())
    }

    fn close(self: Box<Self>) -> Result<(), StoreError> {
        self.images().call()
    }
}

fn put(image: &mut Image, write: &Write) {
    match write {
        Write::Put { key, value } => drop(image.insert(key.clone(), value.as_slice().into())),
        Write::Delete { key } => drop(image.remove(key)),
    }
}
