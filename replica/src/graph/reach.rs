//! How far an entry's past reaches in the chains of one author: what whoever has it has of theirs.

use serde::{Deserialize, Serialize};

use crate::graph::Graph;
use crate::id::{AuthorKey, Position};

#[cfg(test)]
mod tests;

/// One of the author's chains, and how far it is in a past.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
pub struct Reached {
    /// Which chain.
    pub incarnation: u64,
    /// Its last entry that is in the past. All before it in the chain are too.
    pub position: Position,
}

impl Reached {
    /// Has a set, ascending by chain, reach as far as another too. Answers whether it did not before.
    pub fn merge(set: &mut Vec<Self>, other: &[Self]) -> bool {
        let mut grew = false;
        for reached in other {
            match set.binary_search_by_key(&reached.incarnation, |it| it.incarnation) {
                Ok(at) if set[at].position >= reached.position => continue,
                Ok(at) => set[at] = *reached,
                Err(at) => set.insert(at, *reached),
            }
            grew = true;
        }
        grew
    }
}

/// What the durable entries have in their pasts of one author's chains. It takes four bytes an entry, and some fifty more
/// where that changes, as at each of the author's own. It is kept up only for who asks, since walking the past for each question would cost as much as the history is long.
///
/// What is in no one line is left out: entries of a chain that was forked when they were looked at.
#[derive(Debug)]
pub struct Reach {
    author: AuthorKey,
    /// By position, which of `sets`.
    of: Vec<u32>,
    /// The first is empty. Neighbours mostly share one.
    sets: Vec<Vec<Reached>>,
}

impl Reach {
    /// Of nothing yet.
    #[must_use]
    pub fn new(author: AuthorKey) -> Self {
        Self { author, of: Vec::new(), sets: vec![Vec::new()] }
    }

    /// Takes in what became durable since. Always of the same graph.
    pub fn extend(&mut self, graph: &Graph) {
        for at in super::position(self.of.len())..graph.durable() {
            let chain = graph.chain(at);
            let is_own = chain.author == self.author && !graph.is_forked(&chain);
            let own = is_own.then_some(Reached { incarnation: chain.incarnation, position: at });
            let mut parents: Vec<u32> = graph.parents(at).map(|parent| self.of[parent as usize]).collect();
            parents.dedup();
            let set = match (parents.as_slice(), own) {
                ([], None) => 0,
                ([one], None) => *one,
                _ => self.union(&parents, own),
            };
            self.of.push(set);
        }
    }

    /// What an entry's past, itself included, has of each chain, ascending. None of an entry that was not taken in.
    #[must_use]
    pub fn of(&self, at: Position) -> &[Reached] {
        self.of.get(at as usize).map_or(&[], |set| &self.sets[*set as usize])
    }

    fn union(&mut self, parents: &[u32], own: Option<Reached>) -> u32 {
        let mut union: Vec<Reached> = Vec::new();
        for set in parents {
            Reached::merge(&mut union, &self.sets[*set as usize]);
        }
        Reached::merge(&mut union, own.as_slice());
        let same = parents.iter().find(|set| self.sets[**set as usize] == union);
        same.copied().unwrap_or_else(|| {
            self.sets.push(union);
            super::position(self.sets.len() - 1)
        })
    }
}
