//! Sets of small numbers, of which each differs little from one that is there: trees that share what they have alike,
//! and equal sets are one.
//!
//! A leaf holds bits, a branch its children by number, and the same node is never made twice (hash consing: Ershov, "On
//! programming of arithmetic operations", 1958). So sets are compared by their numbers, another element costs one path
//! from leaf to root, and a union goes only where two sets differ.

use std::collections::HashMap;
use std::hash::{BuildHasher as _, Hash, RandomState};

use hashbrown::HashTable;

#[cfg(test)]
mod tests;

/// A set; equal sets have equal numbers. [`EMPTY`] is the empty one.
pub(super) type SetId = u32;

/// The empty set.
pub(super) const EMPTY: SetId = 0;

/// The number of a node among those of its kind: leaves, or branches. 0 is the one without elements.
type NodeId = u32;

/// Words in a leaf.
const WORDS: usize = 8;

/// Elements below a leaf.
const LEAF: usize = WORDS * 64;

/// Children of a branch.
const CHILDREN: usize = 16;

type Leaf = [u64; WORDS];

type Branch = [NodeId; CHILDREN];

/// A tree no higher than its greatest element needs, so that equal sets have equal trees.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
struct Tree {
    /// Branches above a leaf.
    height: u32,
    root: NodeId,
}

/// All the sets there are.
#[derive(Debug)]
pub(super) struct Sets {
    leaves: Arena<Leaf>,
    branches: Arena<Branch>,
    trees: Arena<Tree>,
    unions: HashMap<(SetId, SetId), SetId>,
}

impl Default for Sets {
    fn default() -> Self {
        Self {
            leaves: Arena::new(Leaf::default()),
            branches: Arena::new(Branch::default()),
            trees: Arena::new(Tree::default()),
            unions: HashMap::new(),
        }
    }
}

impl Sets {
    /// Whether a set has an element.
    pub(super) fn contains(&self, set: SetId, element: usize) -> bool {
        let Tree { height, root } = self.trees.get(set);
        if element >= elements(height) {
            return false;
        }
        let node = (0..height).rev().fold(root, |node, below| self.branches.get(node)[child(element, below)]);
        self.leaves.get(node)[element % LEAF / 64] >> (element % 64) & 1 == 1
    }

    /// A set with one element more.
    pub(super) fn with(&mut self, set: SetId, element: usize) -> SetId {
        let mut tree = self.trees.get(set);
        while element >= elements(tree.height) {
            tree = self.raised(tree);
        }
        let root = self.with_in(tree.height, tree.root, element);
        self.trees.id_of(Tree { root, ..tree })
    }

    fn with_in(&mut self, height: u32, node: NodeId, element: usize) -> NodeId {
        let Some(below) = height.checked_sub(1) else {
            let mut leaf = self.leaves.get(node);
            leaf[element % LEAF / 64] |= 1 << (element % 64);
            return self.leaves.id_of(leaf);
        };
        let mut branch = self.branches.get(node);
        let place = &mut branch[child(element, below)];
        *place = self.with_in(below, *place, element);
        self.branches.id_of(branch)
    }

    /// The elements of either set.
    pub(super) fn union(&mut self, a: SetId, b: SetId) -> SetId {
        if a == b || b == EMPTY {
            return a;
        }
        if a == EMPTY {
            return b;
        }
        let pair = (a.min(b), a.max(b));
        if let Some(&known) = self.unions.get(&pair) {
            return known;
        }
        let (mut one, mut other) = (self.trees.get(a), self.trees.get(b));
        while one.height < other.height {
            one = self.raised(one);
        }
        while other.height < one.height {
            other = self.raised(other);
        }
        let root = self.union_in(one.height, one.root, other.root);
        let union = self.trees.id_of(Tree { height: one.height, root });
        self.unions.insert(pair, union);
        union
    }

    fn union_in(&mut self, height: u32, a: NodeId, b: NodeId) -> NodeId {
        if a == b || b == 0 {
            return a;
        }
        if a == 0 {
            return b;
        }
        let Some(below) = height.checked_sub(1) else {
            let (mut leaf, other) = (self.leaves.get(a), self.leaves.get(b));
            leaf.iter_mut().zip(other).for_each(|(mine, theirs)| *mine |= theirs);
            return self.leaves.id_of(leaf);
        };
        let (mut branch, other) = (self.branches.get(a), self.branches.get(b));
        for (mine, theirs) in branch.iter_mut().zip(other) {
            *mine = self.union_in(below, *mine, theirs);
        }
        self.branches.id_of(branch)
    }

    /// The same elements in a tree that has room for more.
    fn raised(&mut self, tree: Tree) -> Tree {
        let mut branch = Branch::default();
        branch[0] = tree.root;
        Tree { height: tree.height + 1, root: self.branches.id_of(branch) }
    }
}

/// How many elements a tree of a height has room for.
fn elements(height: u32) -> usize {
    LEAF.saturating_mul(CHILDREN.saturating_pow(height))
}

/// Which child of a branch has an element, where so many branches stand below it.
fn child(element: usize, below: u32) -> usize {
    element / elements(below) % CHILDREN
}

/// Values by number, each once. Hashed under a key of this process: whoever chooses the elements cannot make them meet.
#[derive(Debug)]
struct Arena<T> {
    values: Vec<T>,
    ids: HashTable<u32>,
    key: RandomState,
}

impl<T: Copy + Eq + Hash> Arena<T> {
    /// The value that is number 0.
    fn new(first: T) -> Self {
        let mut arena = Self { values: Vec::new(), ids: HashTable::new(), key: RandomState::new() };
        arena.id_of(first);
        arena
    }

    fn get(&self, id: u32) -> T {
        self.values[id as usize]
    }

    fn id_of(&mut self, value: T) -> u32 {
        let Self { values, ids, key } = self;
        let hash = key.hash_one(value);
        if let Some(&id) = ids.find(hash, |&id| values[id as usize] == value) {
            return id;
        }
        let id = u32::try_from(values.len()).expect("fewer values than a process has room for");
        values.push(value);
        ids.insert_unique(hash, id, |&id| key.hash_one(values[id as usize]));
        id
    }
}
