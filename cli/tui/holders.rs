//! Who holds what was written here, as far as is known: who confirmed it, who wrote something having seen it, and who
//! told so, perhaps through others.

use std::collections::{BTreeMap, BTreeSet};

use replica::id::{AuthorKey, Position};
use replica_sync::engine::{Event, Row};

#[cfg(test)]
mod tests;

/// What is known of others.
#[derive(Debug, Default)]
pub(crate) struct Holders {
    /// The members but for ourselves.
    others: BTreeSet<AuthorKey>,
    /// Who confirmed everything that had come here by then: up to where in the log.
    confirmed: BTreeMap<AuthorKey, Position>,
    /// The last row of each of our chains that someone has seen. Our chains stand side by side: who has a row of one may
    /// lack an earlier one of another.
    seen: BTreeMap<(AuthorKey, u64), Position>,
    /// How far the log reaches.
    end: Option<Position>,
}

impl Holders {
    /// Takes note of an event.
    pub(crate) fn note(&mut self, event: &Event) {
        match event {
            Event::Row(row) => self.reach(row),
            Event::Held { author } | Event::Agreed { author, .. } => self.confirm(*author),
            Event::Seen { author, up_to } => {
                up_to.iter().for_each(|it| self.see((*author, it.incarnation), it.position));
            }
            _ => {}
        }
    }

    /// Someone holds everything that has come here.
    pub(crate) fn confirm(&mut self, author: AuthorKey) {
        self.confirmed.extend(self.end.map(|end| (author, end)));
    }

    /// A row is here.
    pub(crate) fn reach(&mut self, row: &Row) {
        self.end = self.end.max(Some(row.position));
    }

    pub(crate) fn set_others(&mut self, others: BTreeSet<AuthorKey>) {
        self.others = others;
    }

    /// Notes who had seen what. What was seen once stays seen.
    pub(crate) fn saw(&mut self, seen: &BTreeMap<(AuthorKey, u64), Position>) {
        seen.iter().for_each(|(chain, position)| self.see(*chain, *position));
    }

    fn see(&mut self, chain: (AuthorKey, u64), position: Position) {
        let known = self.seen.entry(chain).or_insert(position);
        *known = position.max(*known);
    }

    fn holds(&self, author: &AuthorKey, row: &Row) -> bool {
        self.confirmed.get(author).is_some_and(|end| row.position <= *end)
            || row
                .incarnation
                .and_then(|chain| self.seen.get(&(*author, chain)))
                .is_some_and(|seen| row.position <= *seen)
    }

    /// How many others hold a row of ours, and of how many.
    pub(crate) fn count(&self, row: &Row) -> (usize, usize) {
        (self.others.iter().filter(|other| self.holds(other, row)).count(), self.others.len())
    }

    /// The same as a sign: only here, with some, with all members.
    pub(crate) fn sign(&self, row: &Row) -> &'static str {
        match self.count(row) {
            (0, _) => "○",
            (held, others) if held < others => "◐",
            _ => "●",
        }
    }
}
