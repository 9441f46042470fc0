//! Sets of small numbers, of which each differs little from one that is there: trees that share what they have alike,
//! and equal sets are one.
//!
//! A leaf holds bits, a branch its children by number, and the same node is never made twice (hash consing: Ershov, "On
//! programming of arithmetic operations", 1958). So sets are compared by their numbers, another element costs one path
//! from leaf to root, and a union goes only where two sets differ.

use std::collections::HashMap;
use std::hash::{BuildHasher as _, Hash, RandomState};

use hashbrown::HashTable;
use smallvec::SmallVec;

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

/// A few nodes of one height, or sets.
type Nodes = SmallVec<[NodeId; 4]>;

/// All the sets there are.
#[derive(Debug)]
pub(super) struct Sets {
    leaves: Arena<Leaf>,
    branches: Arena<Branch>,
    trees: Arena<Tree>,
    unions: HashMap<Box<[SetId]>, SetId>,
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

    /// The elements of any of the sets. Only what the union is made of is kept, nothing of the way to it.
    pub(super) fn union(&mut self, sets: impl IntoIterator<Item = SetId>) -> SetId {
        let mut sets: Nodes = sets.into_iter().filter(|set| *set != EMPTY).collect();
        distinct(&mut sets);
        if let [] | [_] = sets[..] {
            return sets.first().copied().unwrap_or(EMPTY);
        }
        if let Some(&known) = self.unions.get(&sets[..]) {
            return known;
        }
        let mut trees: Vec<Tree> = sets.iter().map(|&set| self.trees.get(set)).collect();
        let height = trees.iter().map(|tree| tree.height).max().unwrap_or(0);
        for tree in &mut trees {
            while tree.height < height {
                *tree = self.raised(*tree);
            }
        }
        let root = self.union_in(height, trees.iter().map(|tree| tree.root).collect());
        let union = self.trees.id_of(Tree { height, root });
        self.unions.insert(sets.into_boxed_slice(), union);
        union
    }

    fn union_in(&mut self, height: u32, mut nodes: Nodes) -> NodeId {
        nodes.retain(|node| *node != 0);
        distinct(&mut nodes);
        if let [] | [_] = nodes[..] {
            return nodes.first().copied().unwrap_or(0);
        }
        let Some(below) = height.checked_sub(1) else {
            let mut union = Leaf::default();
            for &node in &nodes {
                union.iter_mut().zip(self.leaves.get(node)).for_each(|(all, one)| *all |= one);
            }
            return self.leaves.id_of(union);
        };
        let branches: Vec<Branch> = nodes.iter().map(|&node| self.branches.get(node)).collect();
        let mut union = Branch::default();
        for (place, child) in union.iter_mut().enumerate() {
            *child = self.union_in(below, branches.iter().map(|branch| branch[place]).collect());
        }
        self.branches.id_of(union)
    }

    /// The same elements in a tree that has room for more.
    fn raised(&mut self, tree: Tree) -> Tree {
        let mut branch = Branch::default();
        branch[0] = tree.root;
        Tree { height: tree.height + 1, root: self.branches.id_of(branch) }
    }
}

/// Leaves out what is there twice.
fn distinct(nodes: &mut Nodes) {
    nodes.sort_unstable();
    nodes.dedup();
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
