//! What the graph has of one chain.

use std::collections::BTreeMap;

use crate::graph::{Node, half};
use crate::id::{ChainId, Position};

/// One author's chain as this replica has it.
#[derive(Debug)]
pub(super) struct Chain {
    pub(super) id: ChainId,
    /// The first admitted entry of each seq.
    pub(super) by_seq: Vec<Position>,
    /// Entries that share their seq with an earlier one: their author forked the chain.
    pub(super) forks: Vec<Position>,
    /// The same by seq and half of the id.
    pub(super) fork_index: BTreeMap<(u32, [u8; 16]), Position>,
}

impl Chain {
    /// The entry with this seq whose id starts so.
    pub(super) fn find(&self, seq: u32, prefix: &[u8; 16], nodes: &[Node]) -> Option<Position> {
        let first = *self.by_seq.get((seq as usize).checked_sub(1)?)?;
        let is_first = half(&nodes[first as usize].id) == *prefix;
        if is_first { Some(first) } else { self.fork_index.get(&(seq, *prefix)).copied() }
    }
}
