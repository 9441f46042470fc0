//! Which position an id has.

use std::hash::{BuildHasher, RandomState};

use hashbrown::HashTable;

use crate::graph::Node;
use crate::id::{EntryId, Position};

#[cfg(test)]
mod tests;

/// Positions by id. The ids stand in the nodes and are compared there, so an entry takes five bytes here. Hashed under a
/// key of this process: whoever makes ids to order cannot make them meet. Its own order is never asked for.
#[derive(Debug, Default)]
pub(super) struct Index {
    table: HashTable<Position>,
    key: RandomState,
}

impl Index {
    pub(super) fn find(&self, nodes: &[Node], id: &EntryId) -> Option<Position> {
        self.table.find(hash(&self.key, id), |&at| nodes[at as usize].id == *id).copied()
    }

    /// Takes in the entry that comes after these nodes, all of which are here.
    pub(super) fn insert(&mut self, nodes: &[Node], id: &EntryId) {
        let hash_of = |&at: &Position| hash(&self.key, &nodes[at as usize].id);
        if self.table.len() == self.table.capacity() {
            // Made anew from the nodes one after another: the table itself would go through them in its order, each a
            // miss of the cache, and hold the old one meanwhile.
            self.table = HashTable::new();
            self.table = HashTable::with_capacity((nodes.len() * 2).max(64));
            for (at, node) in (0..).zip(nodes) {
                self.table.insert_unique(hash(&self.key, &node.id), at, hash_of);
            }
        }
        self.table.insert_unique(hash(&self.key, id), super::position(nodes.len()), hash_of);
    }

    pub(super) fn remove(&mut self, id: &EntryId, at: Position) {
        if let Ok(there) = self.table.find_entry(hash(&self.key, id), |&other| other == at) {
            there.remove();
        }
    }
}

/// Of the first eight bytes: of a hash, so as good as all of them.
fn hash(key: &RandomState, id: &EntryId) -> u64 {
    key.hash_one(id.0.first_chunk::<8>())
}
