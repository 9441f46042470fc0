//! Forks: an author (or a copied home) wrote two entries after one. Both are kept; the chain then has branches.
//!
//! The child with the lowest id stays on its parent's branch, each other child starts one of its own. That is a
//! function of the set of entries, so every replica names the same Automerge actors.

use std::collections::BTreeMap;

use crate::document::Actor;
use crate::graph::Graph;
use crate::id::{ChainId, EntryId, Position};

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

/// The first entries of all branches, and who goes on.
#[derive(Debug, Default)]
pub(super) struct Branches {
    firsts: Vec<EntryId>,
    /// Of the entries that are not on their chain's first. What was taken back may be in it until its position is
    /// given again.
    of: BTreeMap<Position, BranchIndex>,
    /// By chain and parent: the child that stays on its parent's branch, where that is not the first admitted entry of
    /// its seq.
    heirs: BTreeMap<(u32, Option<Position>), Position>,
}

/// Where an inserted entry went, and how to take that back.
#[derive(Debug)]
pub(super) struct Placed {
    pub(super) moved: Vec<Moved>,
    /// How many branches there were.
    branches: usize,
    /// Who went on before from the same parent, if that was noted anew.
    heir: Option<Option<Position>>,
}

impl Branches {
    fn branch(&self, at: Position) -> BranchIndex {
        self.of.get(&at).copied().unwrap_or(0)
    }

    fn put(&mut self, at: Position, branch: BranchIndex) {
        match branch {
            0 => drop(self.of.remove(&at)),
            _ => drop(self.of.insert(at, branch)),
        }
    }

    fn start(&mut self, first: EntryId) -> BranchIndex {
        self.firsts.push(first);
        super::position(self.firsts.len())
    }
}

impl Graph {
    /// Whose Automerge changes an entry belongs to: its chain's, or its branch's where the author forked the chain.
    #[must_use]
    pub fn actor(&self, at: Position) -> Actor {
        let chain = self.chain(at);
        match self.branches.branch(at) {
            0 => Actor::from(chain),
            index => Actor::branch(chain, &self.branches.firsts[index as usize - 1]),
        }
    }

    /// Whether a chain's author wrote two entries after one, as far as is known here.
    #[must_use]
    pub fn is_forked(&self, chain: &ChainId) -> bool {
        let index = self.chain_index.get(chain);
        index.is_some_and(|&index| !self.chains[index as usize].forks.is_empty())
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
        undo.map_or(&[], |undo| undo.placed.moved.as_slice())
    }

    /// Puts an entry about to be inserted on a branch, and what it takes the place of on another.
    pub(super) fn place_on_branch(
        &mut self,
        id: EntryId,
        chain: u32,
        seq: u32,
        previous: Option<Position>,
    ) -> Placed {
        let inherited = previous.map_or(0, |at| self.branches.branch(at));
        let branches = self.branches.firsts.len();
        let heir = self.heir(chain, seq, previous);
        if heir.is_some_and(|heir| self.id(heir) < id) {
            let branch = self.branches.start(id);
            self.branches.put(self.len(), branch);
            return Placed { moved: Vec::new(), branches, heir: None };
        }
        let moved = heir.map_or(Vec::new(), |heir| self.move_line(heir, chain, inherited));
        let is_first_of_seq = self.chains[chain as usize].by_seq.len() < seq as usize;
        let at = self.len();
        let heir = (!is_first_of_seq).then(|| self.branches.heirs.insert((chain, previous), at));
        self.branches.put(at, inherited);
        Placed { moved, branches, heir }
    }

    /// Takes back what [`Graph::place_on_branch`] did for an entry that is removed already.
    pub(super) fn unplace(&mut self, chain: u32, previous: Option<Position>, placed: &Placed) {
        self.branches.firsts.truncate(placed.branches);
        match placed.heir {
            Some(Some(heir)) => drop(self.branches.heirs.insert((chain, previous), heir)),
            Some(None) => drop(self.branches.heirs.remove(&(chain, previous))),
            None => {}
        }
        placed.moved.iter().for_each(|moved| self.branches.put(moved.position, moved.from));
    }

    /// The child of `previous`, which would have this seq, that stays on its branch.
    fn heir(&self, chain: u32, seq: u32, previous: Option<Position>) -> Option<Position> {
        let first = || self.chains.get(chain as usize)?.by_seq.get((seq as usize).checked_sub(1)?).copied();
        let noted = self.branches.heirs.get(&(chain, previous)).copied();
        noted.or_else(|| first().filter(|&first| self.previous(first) == previous))
    }

    /// Moves an entry and what goes on from it to a branch of its own.
    fn move_line(&mut self, first: Position, chain: u32, from: BranchIndex) -> Vec<Moved> {
        let branch = self.branches.start(self.id(first));
        let mut moved = Vec::new();
        let mut next = Some(first);
        while let Some(at) = next {
            moved.push(Moved { position: at, from });
            self.branches.put(at, branch);
            next = self.heir(chain, self.seq(at).saturating_add(1), Some(at));
        }
        moved
    }
}
