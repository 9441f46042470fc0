//! Writing the next entry of one's own chain.

use crate::entry::{Body, Record};
use crate::graph::Graph;
use crate::id::{AuthorKey, ChainId, EntryId, Position};
use crate::limits::{DEPENDENCIES_MAX, TIME_MS_MAX};

impl Graph {
    /// The record of a chain's next entry, on top of everything that is here. With more than
    /// [`DEPENDENCIES_MAX`] heads it names those with the greatest order keys, and always one that makes its author
    /// a member. None if the author is not a member by any of the heads, or the body's kind is not ours to write.
    #[must_use]
    pub fn compose(&self, chain: ChainId, claimed_ms: u64, body: &Body) -> Option<Record> {
        let (kind, body) = body.encode()?;
        let previous = self.last_of(&chain);
        if !self.is_member(&chain.author) {
            return None;
        }
        let mut heads: Vec<Position> = self.heads().filter(|head| Some(*head) != previous).collect();
        heads.sort_unstable_by_key(|&head| std::cmp::Reverse(self.key(head)));
        if heads.len() > DEPENDENCIES_MAX {
            self.keep_membership(&mut heads, previous, &chain.author);
        }
        let mut dependencies: Vec<EntryId> = heads.into_iter().map(|head| self.id(head)).collect();
        dependencies.sort_unstable();
        Some(Record {
            kind: kind.number(),
            chain,
            seq: previous.map_or(1, |at| self.seq(at) + 1),
            previous: previous.map(|at| self.id(at)),
            dependencies,
            claimed_ms: claimed_ms.min(TIME_MS_MAX),
            body,
        })
    }

    /// The first admitted of a chain's entries with the highest seq: a tip, of whichever branch reached that seq first.
    #[must_use]
    pub fn last_of(&self, chain: &ChainId) -> Option<Position> {
        let index = *self.chain_index.get(chain)?;
        self.chains[index as usize].by_seq.last().copied()
    }

    /// Cuts heads (greatest key first) to the limit so that the author stays a member by what is left.
    fn keep_membership(&self, heads: &mut Vec<Position>, previous: Option<Position>, author: &AuthorKey) {
        // Being a member by one head alone is not enough: another that is kept may have the author leave.
        let admits = |at: Position| self.rosters.keeps_member(author, self.nodes[at as usize].roster);
        let kept = &heads[..DEPENDENCIES_MAX];
        if !previous.is_some_and(admits)
            && !kept.iter().any(|&head| admits(head))
            && let Some(admitting) = heads.iter().copied().find(|&head| admits(head))
        {
            heads[DEPENDENCIES_MAX - 1] = admitting;
        }
        heads.truncate(DEPENDENCIES_MAX);
    }
}
