//! A log on a store of which some calls fail, and of which a crash leaves what it leaves: held against a list of blocks.

use arbitrary::Arbitrary;
use replica::limits::BLOCK_BYTES_MAX;
use replica::store::{BlockNumber, Log, MemoryStore, Store as _, StoreError, Write};

#[cfg(test)]
mod tests;

/// One thing that happens to a log.
#[derive(Arbitrary, Clone, Debug)]
pub enum Step {
    /// Blocks of so many entries and bytes are appended, in one commit.
    Append(Vec<(u8, u16)>),
    /// Some blocks, from one on, are put together into one of so many bytes.
    Fold {
        /// The first of them.
        from: u8,
        /// How many.
        blocks: u8,
        /// Bytes of the new one.
        bytes: u16,
    },
    /// A block is read.
    Read(u8),
    /// All of it is verified.
    Verify,
    /// The n-th call of the store from now on fails.
    Fail(u8),
    /// The power fails.
    Crash,
    /// The process is killed.
    Kill,
}

/// Bytes and entries of each block.
type Blocks = Vec<(Vec<u8>, u32)>;

struct Bench {
    store: MemoryStore,
    log: Log,
    blocks: Blocks,
    /// Whether a call may fail that has not failed yet.
    is_armed: bool,
    /// So that no two blocks are alike.
    made: u8,
}

/// Does it all. Whatever fails: what was acknowledged is there, a commit that failed is there whole or not at all, and the
/// log goes on.
///
/// # Panics
/// When that is not so.
pub fn check_recovery(steps: &[Step]) {
    let store = MemoryStore::new();
    let log = Log::open(&store).expect("a log without blocks opens");
    let mut bench = Bench { store, log, blocks: Vec::new(), is_armed: false, made: 0 };
    for step in steps.iter().take(STEPS_MAX) {
        bench.step(step);
    }
    bench.reopen(bench.store.crash(), None);
}

impl Bench {
    fn step(&mut self, step: &Step) {
        match step {
            Step::Append(blocks) => self.append(blocks),
            Step::Fold { from, blocks, bytes } => self.fold(*from, *blocks, *bytes),
            Step::Read(at) => self.read(*at),
            Step::Verify => {
                let verified = self.log.verify(&self.store);
                self.may_fail(verified);
            }
            Step::Fail(call) => {
                self.store.fail_call(u64::from(*call));
                self.is_armed = *call > 0;
            }
            Step::Crash => self.reopen(self.store.crash(), None),
            Step::Kill => self.reopen(self.store.kill(), None),
        }
    }

    fn append(&mut self, blocks: &[(u8, u16)]) {
        let (mut writes, mut after) = (Vec::new(), self.blocks.clone());
        for (count, bytes) in blocks.iter().take(BLOCKS_AT_ONCE_MAX) {
            let (block, count) = (self.block(*bytes), u32::from(*count));
            match self.log.stage(&block, count, &mut writes) {
                Ok(number) => assert_eq!(number, BlockNumber(number_of(after.len()))),
                Err(StoreError::TooLarge { .. }) if block.len() > BLOCK_BYTES_MAX => continue,
                Err(StoreError::Damaged(_)) if count == 0 => continue,
                Err(error) => panic!("a block is refused: {error}"),
            }
            after.push((block, count));
        }
        self.commit(&writes, after);
    }

    fn fold(&mut self, from: u8, blocks: u8, bytes: u16) {
        let from = usize::from(from).min(self.blocks.len());
        let to = (from + usize::from(blocks)).min(self.blocks.len());
        let count = self.blocks[from..to].iter().map(|(_, count)| count).sum();
        let new = (self.block(bytes), count);
        let mut writes = Vec::new();
        let range = BlockNumber(number_of(from))..BlockNumber(number_of(to));
        match self.log.fold(range, std::slice::from_ref(&new), &mut writes) {
            Ok(()) => {}
            Err(_) if count == 0 || new.0.len() > BLOCK_BYTES_MAX => return assert!(writes.is_empty()),
            Err(error) => panic!("a fold is refused: {error}"),
        }
        let mut after = self.blocks.clone();
        after.splice(from..to, [new]);
        self.commit(&writes, after);
    }

    fn commit(&mut self, writes: &[Write], after: Blocks) {
        if self.store.commit(writes).is_ok() {
            return self.blocks = after;
        }
        assert!(std::mem::take(&mut self.is_armed), "a commit fails by itself");
        assert!(matches!(self.store.commit(&[put()]), Err(StoreError::Failed)), "a failed store takes more");
        let killed = self.store.kill();
        // First a power cut, then what a killed process leaves: each is one of the two.
        self.reopen(self.store.crash(), Some(&after));
        self.reopen(killed, Some(&after));
    }

    fn read(&mut self, at: u8) {
        let number = BlockNumber(u32::from(at));
        match (self.log.read(&self.store, number), self.blocks.get(usize::from(at))) {
            (Ok(read), Some((block, _))) => assert_eq!(read, *block),
            (Ok(_), None) => panic!("a block that was never written"),
            (Err(_), None) => {}
            (Err(_), Some(_)) => assert!(std::mem::take(&mut self.is_armed), "a block cannot be read"),
        }
    }

    /// Opens what is left: what was acknowledged, or all that a failed commit would have made of it.
    fn reopen(&mut self, store: MemoryStore, or: Option<&Blocks>) {
        let log = Log::open(&store).expect("what is left opens");
        log.verify(&store).expect("what is left is sound");
        let read = |number| {
            log.read(&store, BlockNumber(number)).map(|bytes| (bytes, log.count(BlockNumber(number))))
        };
        let there: Blocks = (0..log.blocks()).map(read).collect::<Result<_, _>>().expect("it was verified");
        assert!(there == self.blocks || Some(&there) == or, "what is left is neither before nor after");
        let mut entries = 0;
        for (number, (_, count)) in (0..).zip(&there) {
            assert_eq!(log.first(BlockNumber(number)), entries);
            assert_eq!(log.block_at(entries), Some((BlockNumber(number), entries)));
            entries += count;
        }
        assert_eq!((log.len(), log.block_at(entries)), (entries, None));
        (self.store, self.log, self.blocks, self.is_armed) = (store, log, there, false);
    }

    fn may_fail(&mut self, outcome: Result<(), StoreError>) {
        assert!(outcome.is_ok() || std::mem::take(&mut self.is_armed), "it fails by itself");
    }

    fn block(&mut self, bytes: u16) -> Vec<u8> {
        self.made = self.made.wrapping_add(1);
        vec![self.made; usize::from(bytes)]
    }
}

fn put() -> Write {
    Write::Put { key: b"x".to_vec(), value: Vec::new() }
}

fn number_of(index: usize) -> u32 {
    u32::try_from(index).expect("a script makes few blocks")
}

/// Longest script.
const STEPS_MAX: usize = 64;

/// Most blocks in a commit.
const BLOCKS_AT_ONCE_MAX: usize = 8;
