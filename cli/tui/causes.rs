//! What follows from who had seen what: stretches written in parallel, and who holds what we wrote.

use std::collections::{BTreeMap, BTreeSet};

use replica::id::{AuthorKey, EntryId, Position};
use replica::order::OrderKey;
use replica_sync::engine::Row;

use crate::json::is_message;

#[cfg(test)]
mod tests;

/// A row's part of a stretch that was written in parallel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Bracket {
    First,
    Inner,
    Last,
}

/// What rows tell by what they name as seen.
#[derive(Debug, Default)]
pub(crate) struct Causes {
    pub(crate) brackets: BTreeMap<OrderKey, Bracket>,
    /// Per author and chain of ours, the last row of it that they had seen when they wrote.
    pub(crate) seen: BTreeMap<(AuthorKey, u64), Position>,
}

/// Reads rows in their order. What stands before them is not known, and counts as seen by all.
pub(crate) fn read<'a>(rows: impl Iterator<Item = &'a Row>, me: &AuthorKey) -> Causes {
    let rows: Vec<&Row> = rows.collect();
    let places: BTreeMap<EntryId, usize> = rows.iter().enumerate().map(|(at, row)| (row.id, at)).collect();
    let mut pasts: Vec<Past> = Vec::with_capacity(rows.len());
    let mut causes = Causes::default();
    let own: Vec<Option<u64>> =
        rows.iter().map(|row| row.incarnation.filter(|_| row.author == *me)).collect();
    let chains: BTreeSet<u64> = own.iter().flatten().copied().collect();
    // Where two neighbours are in one stretch, by the upper one.
    let mut joined = vec![false; rows.len()];
    for (at, row) in rows.iter().enumerate() {
        let mut past = Past::new(rows.len());
        for dep in row.deps.iter().filter_map(|dep| places.get(dep)).filter(|dep| **dep < at) {
            past.add(&pasts[*dep]);
            past.insert(*dep);
        }
        if let Some(unseen) = past.first_lacking(at) {
            joined[unseen..at].fill(true);
        }
        for chain in chains.iter().filter(|_| row.author != *me) {
            if let Some(seen) = past.last_of(|seen| own[seen] == Some(*chain)) {
                let seen = rows[seen].position;
                let known = causes.seen.entry((row.author, *chain)).or_insert(seen);
                *known = seen.max(*known);
            }
        }
        pasts.push(past);
    }
    let mut from = 0;
    for at in 0..rows.len() {
        if !joined[at] {
            bracket(&rows[from..=at], &mut causes.brackets);
            from = at + 1;
        }
    }
    causes
}

/// Marks a stretch, if it is one that people notice: messages of several.
fn bracket(rows: &[&Row], brackets: &mut BTreeMap<OrderKey, Bracket>) {
    let messages = || rows.iter().enumerate().filter(|(_, row)| is_message(row));
    let authors: BTreeSet<AuthorKey> = messages().map(|(_, row)| row.author).collect();
    let ends = (messages().next(), messages().next_back());
    let (Some((first, _)), Some((last, _)), true) = (ends.0, ends.1, authors.len() > 1) else { return };
    for (at, row) in rows.iter().enumerate().take(last + 1).skip(first) {
        let part = match at {
            at if at == first => Bracket::First,
            at if at == last => Bracket::Last,
            _ => Bracket::Inner,
        };
        brackets.insert(row.key, part);
    }
}

/// Which of the rows above a row had been seen by its author.
#[derive(Clone, Debug)]
struct Past(Vec<u64>);

impl Past {
    fn new(rows: usize) -> Self {
        Self(vec![0; rows.div_ceil(64)])
    }

    fn insert(&mut self, at: usize) {
        self.0[at / 64] |= 1 << (at % 64);
    }

    fn add(&mut self, other: &Self) {
        self.0.iter_mut().zip(&other.0).for_each(|(mine, theirs)| *mine |= theirs);
    }

    /// The first below a bound that is not in it.
    fn first_lacking(&self, below: usize) -> Option<usize> {
        let (word, bits) = self.0.iter().enumerate().find(|(_, bits)| **bits != u64::MAX)?;
        let at = word * 64 + bits.trailing_ones() as usize;
        (at < below).then_some(at)
    }

    /// The last in it for which something is true.
    fn last_of(&self, is_meant: impl Fn(usize) -> bool) -> Option<usize> {
        let words = self.0.iter().enumerate().rev().filter(|(_, bits)| **bits != 0);
        let bits = |(word, bits): (usize, &u64)| {
            let bits = *bits;
            (0..64).rev().filter(move |bit| bits >> bit & 1 == 1).map(move |bit| word * 64 + bit)
        };
        words.flat_map(bits).find(|at| is_meant(*at))
    }
}
