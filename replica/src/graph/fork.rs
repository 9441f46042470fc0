//! Forks: an author (or a copied home) wrote two entries after one. Both are kept; the chain then has branches.
//!
//! The child with the lowest id stays on its parent's branch, each other child starts one of its own. That is a
//! function of the set of entries, so every replica names the same Automerge actors.

use crate::document::Actor;
use crate::graph::Graph;
use crate::id::{EntryId, Position};

/// Index of a branch that is not a chain's first, from 1; 0 for those.
pub(super) type BranchIndex = u32;

/// An entry that is on another branch since a lower twin of one of its ancestors came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Moved {
    /// Which entry.
    pub position: Position,
    /// The branch before.
    pub(super) from: BranchIndex,
}

/// The first entries of all branches.
#[derive(Debug, Default)]
pub(super) struct Branches(Vec<EntryId>);

impl Branches {
    fn start(&mut self, first: EntryId) -> BranchIndex {
        if let Some(index) = self.0.iter().position(|id| *id == first) {
            return super::position(index + 1);
        }
        self.0.push(first);
        super::position(self.0.len())
    }
}

impl Graph {
    /// Whose Automerge changes an entry belongs to: its chain's, or its branch's where the author forked the chain.
    #[must_use]
    pub fn actor(&self, at: Position) -> Actor {
        let chain = self.chain(at);
        match self.nodes[at as usize].branch {
            0 => Actor::from(chain),
            index => Actor::branch(chain, &self.branches.0[index as usize - 1]),
        }
    }

    /// How many chains have more than one branch.
    #[must_use]
    pub fn fork_count(&self) -> usize {
        self.chains.iter().filter(|chain| !chain.forks.is_empty()).count()
    }

    /// The entries that an admission put on other branches. Only that of an entry that is not durable yet is known.
    #[must_use]
    pub fn moved_by(&self, admitted: Position) -> &[Moved] {
        let undo = admitted.checked_sub(self.durable).and_then(|index| self.undo.get(index as usize));
        undo.map_or(&[], |undo| undo.moved.as_slice())
    }

    /// The entries of one chain that follow the same one as a child of `previous` with this seq would.
    fn twins(&self, chain: u32, seq: u32, previous: Option<Position>) -> Vec<Position> {
        let Some(chain) = self.chains.get(chain as usize) else { return Vec::new() };
        let first = chain.by_seq.get(seq as usize - 1).into_iter();
        let is_twin = |&&at: &&Position| {
            let node = &self.nodes[at as usize];
            node.seq == seq && node.previous == previous
        };
        first.chain(&chain.forks).filter(is_twin).copied().collect()
    }

    /// The branch of an entry about to be inserted, and what moves off that branch for it.
    pub(super) fn place_on_branch(
        &mut self,
        id: EntryId,
        chain: u32,
        seq: u32,
        previous: Option<Position>,
    ) -> (BranchIndex, Vec<Moved>) {
        let inherited = previous.map_or(0, |at| self.nodes[at as usize].branch);
        let twins = self.twins(chain, seq, previous);
        let Some(heir) = twins.into_iter().find(|&twin| self.nodes[twin as usize].branch == inherited) else {
            return (inherited, Vec::new());
        };
        if self.id(heir) < id {
            return (self.branches.start(id), Vec::new());
        }
        let branch = self.branches.start(self.id(heir));
        let mut moved: Vec<Moved> = Vec::new();
        for at in self.chain_entries(&self.chain(heir)).into_iter().filter(|at| *at >= heir) {
            let node = &self.nodes[at as usize];
            let follows = node
                .previous
                .is_some_and(|before| moved.binary_search_by_key(&before, |moved| moved.position).is_ok());
            if at == heir || (follows && node.branch == inherited) {
                moved.push(Moved { position: at, from: inherited });
                self.nodes[at as usize].branch = branch;
            }
        }
        (inherited, moved)
    }
}
