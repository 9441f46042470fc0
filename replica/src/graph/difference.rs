//! What one replica has and another lacks, exactly, by chains.

use sha2::{Digest as _, Sha256};

use crate::graph::Graph;
use crate::id::{ChainId, Digest, EntryId, Position};
use crate::identity::Signature;

/// The last entry of a chain, or of a fork's branch.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Tip {
    /// Which chain.
    pub chain: ChainId,
    /// Its place there.
    pub seq: u32,
    /// Which entry.
    pub id: EntryId,
}

/// A chain that a peer has more of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wanted {
    /// The entry wanted, with all before it in its chain.
    pub tip: EntryId,
    /// Entries of that chain that are here, to go on from; none when nothing of it is.
    pub from: Vec<EntryId>,
    /// At most how many entries that is.
    pub count: u64,
}

impl Graph {
    /// The durable tips, ascending.
    #[must_use]
    pub fn tips(&self) -> Vec<Tip> {
        let mut tips: Vec<Tip> = self.tips.iter().map(|&at| self.tip(at)).collect();
        tips.sort_unstable();
        tips
    }

    /// The durable entries that no durable entry follows: whoever has these has all of them. Ascending by id, at most so
    /// many, those with the greatest order keys.
    #[must_use]
    pub fn durable_heads(&self, count_max: usize) -> Vec<EntryId> {
        let covered = self.undo.iter().flat_map(|undo| &undo.heads);
        let mut heads: Vec<Position> =
            self.heads.iter().chain(covered).copied().filter(|at| *at < self.durable).collect();
        heads.sort_unstable_by_key(|&head| std::cmp::Reverse(self.key(head)));
        let mut ids: Vec<EntryId> = heads.into_iter().take(count_max).map(|head| self.id(head)).collect();
        ids.sort_unstable();
        ids
    }

    /// The durable tips from a position on, by their own positions, ascending.
    pub fn tips_since(&self, since: Position) -> impl Iterator<Item = Position> {
        self.tips.range(since..).copied()
    }

    /// A durable tip and the signature that vouches for it. None of an entry that is no tip any more.
    #[must_use]
    pub fn signed_tip(&self, at: Position) -> Option<(Tip, Signature)> {
        let signature = self.signatures.get(&at).filter(|_| self.tips.contains(&at))?;
        Some((self.tip(at), *signature))
    }

    pub(super) fn hash_tips(&self) -> Digest {
        let mut hash = Sha256::new();
        for tip in self.tips() {
            hash.update(tip.chain.to_bytes());
            hash.update(tip.seq.to_be_bytes());
            hash.update(tip.id.0);
        }
        Digest(hash.finalize().into())
    }

    fn tip(&self, at: Position) -> Tip {
        Tip { chain: self.chain(at), seq: self.seq(at), id: self.id(at) }
    }

    /// How many entries of a chain are here, those of all its branches together.
    #[must_use]
    pub fn chain_len(&self, chain: &ChainId) -> usize {
        let chain = self.chain_index.get(chain).map(|&index| &self.chains[index as usize]);
        chain.map_or(0, |chain| chain.by_seq.len() + chain.forks.len())
    }

    /// What to ask of a peer with this tip; none if it is here. An entry that is here but not yet durable is not
    /// asked for again.
    #[must_use]
    pub fn want(&self, tip: &Tip) -> Option<Wanted> {
        if self.position(&tip.id).is_some() {
            return None;
        }
        let here = self.chain_index.get(&tip.chain).map(|&index| &self.chains[index as usize]);
        let Some(chain) = here else {
            return Some(Wanted { tip: tip.id, from: Vec::new(), count: u64::from(tip.seq) });
        };
        let reached = chain.by_seq.len();
        if chain.forks.is_empty() && reached < tip.seq as usize {
            let from = vec![self.id(chain.by_seq[reached - 1])];
            return Some(Wanted { tip: tip.id, from, count: u64::from(tip.seq) - reached as u64 });
        }
        // A fork, or a peer whose chain is shorter than ours and not ours: the peer needs the choice.
        Some(Wanted { tip: tip.id, from: self.locator(&tip.chain), count: u64::from(tip.seq) })
    }

    /// Ids of a chain, newest first, at 1, 2, 4, 8… entries apart, and the tips of its branches: from these a peer
    /// finds the highest entry it shares.
    #[must_use]
    pub fn locator(&self, chain: &ChainId) -> Vec<EntryId> {
        let Some(&index) = self.chain_index.get(chain) else { return Vec::new() };
        let chain = &self.chains[index as usize];
        let length = chain.by_seq.len();
        let steps = std::iter::successors(Some(1_usize), |step| step.checked_mul(2));
        let main = steps.take_while(|step| *step <= length).map(|step| chain.by_seq[length - step]);
        let newest_forks = chain.forks.iter().rev().take(LOCATOR_FORKS_MAX);
        let first = chain.by_seq.first();
        let mut ids: Vec<EntryId> = Vec::new();
        for at in main.chain(newest_forks.copied()).chain(first.copied()) {
            if !ids.contains(&self.id(at)) {
                ids.push(self.id(at));
            }
        }
        ids
    }

    /// The entries of a durable tip's chain above the first of `from` that lies below it, ascending; the whole chain
    /// up to the tip when `from` is empty. None when no entry of `from` lies below the tip, or the tip is not here.
    ///
    /// It ends as well where the chain was gone down already: whoever asks for very many entries of one chain, or branches
    /// of it, has their common way walked once.
    #[must_use]
    pub fn segment(
        &self,
        tip: &EntryId,
        from: &[EntryId],
        was_walked: impl Fn(Position) -> bool,
    ) -> Option<Vec<Position>> {
        let tip = self.position(tip).filter(|&at| at < self.durable)?;
        let (line, end) = (self.nodes[tip as usize].chain, self.seq(tip) as usize);
        let is_below = |stop: &Position| {
            let node = &self.nodes[*stop as usize];
            node.chain == line && node.seq as usize <= end
        };
        let stops: Vec<Position> = from.iter().filter_map(|id| self.position(id)).filter(is_below).collect();
        if stops.is_empty() && !from.is_empty() {
            return None;
        }
        let chain = &self.chains[line as usize];
        if chain.forks.is_empty() {
            let start = stops.iter().map(|&stop| self.seq(stop) as usize).max().unwrap_or(0);
            let new = chain.by_seq[start..end].iter().rev().take_while(|at| !was_walked(**at)).count();
            return Some(chain.by_seq[end - new..end].to_vec());
        }
        let mut segment = Vec::new();
        let mut at = Some(tip);
        while let Some(here) = at {
            if stops.contains(&here) || was_walked(here) {
                segment.reverse();
                return Some(segment);
            }
            segment.push(here);
            at = self.previous(here);
        }
        segment.reverse();
        from.is_empty().then_some(segment)
    }
}

/// Most branch entries in a locator. A chain with more forks is sent from further down than needed.
const LOCATOR_FORKS_MAX: usize = 16;
