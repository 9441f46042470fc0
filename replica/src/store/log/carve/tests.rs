use super::*;
use crate::store::{Log, MemoryStore, Write};

/// Blocks of many sizes, as the rows of a log; the rows in another order, and something between them.
fn scattered(stride: usize) -> (Vec<Vec<u8>>, Vec<u8>) {
    let mut log = Log::open(&MemoryStore::new()).unwrap();
    let mut writes = Vec::new();
    let sizes = [1, 100, 4_000, 5_000, 9_000, 40_000, 65_000, 65_000];
    let block = |(number, size): (usize, &usize)| {
        (0..*size).map(|at| u8::try_from((at * 7 + number) % 251).unwrap()).collect()
    };
    let blocks: Vec<Vec<u8>> = sizes.iter().enumerate().map(block).collect();
    for block in &blocks {
        log.stage(block, 300, &mut writes).unwrap();
    }
    let mut file = vec![1; 50];
    for at in 0..writes.len() {
        let Write::Put { value, .. } = &writes[at * stride % writes.len()] else {
            panic!("nothing is deleted")
        };
        file.extend_from_slice(value);
        file.extend_from_slice(&[1, 0, 1]);
    }
    (blocks, file)
}

fn sorted(mut blocks: Vec<Vec<u8>>) -> Vec<Vec<u8>> {
    blocks.sort_unstable();
    blocks
}

#[test]
fn blocks_are_found_in_whatever_order_their_rows_lie() {
    for stride in [1, 10, 62] {
        let (blocks, file) = scattered(stride);
        let carved = carve(&file);
        assert_eq!(carved.entries, Some(8 * 300));
        assert!(sorted(carved.blocks) == sorted(blocks), "stride {stride}");
    }
}

#[test]
fn a_block_that_was_altered_is_not_found_and_the_others_are() {
    let (blocks, file) = scattered(10);
    for at in (0..file.len()).step_by(977) {
        let mut file = file.clone();
        file[at] ^= 0x40;
        let carved = carve(&file).blocks;
        assert!(carved.iter().all(|block| blocks.contains(block)), "a block that nobody wrote, at {at}");
        assert!(carved.len() + 1 >= blocks.len(), "more than one block is lost, at {at}");
    }
}

#[test]
fn an_index_row_tells_of_as_many_entries_and_bytes_as_a_block_may_have() {
    let is_read = |count: u32, bytes: u32| {
        let fields = [&count.to_be_bytes()[..], &bytes.to_be_bytes(), &[7; 32]].concat();
        Block::from_fields(&fields).is_some()
    };
    let entries_max = u32::try_from(BLOCK_ENTRIES_MAX).unwrap();
    let bytes_max = u32::try_from(crate::limits::BLOCK_BYTES_MAX).unwrap();
    assert!(is_read(1, 1) && is_read(entries_max, bytes_max));
    assert!(!is_read(0, 1) && !is_read(entries_max + 1, 1) && !is_read(1, 0) && !is_read(1, bytes_max + 1));
}
