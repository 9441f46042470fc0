//! What roles and removals make of the roster: a fold over all of it, the same for every order of arrival.
//!
//! Whether an entry is valid never depends on this; what it means does. Admins rank by the order key of the promotion
//! that made them one, the creator above all. Ranks are walked downwards: what an admin did counts unless somebody
//! above removed them and had not seen it. So of two who remove each other the higher one wins, and nobody wins by
//! claiming to have been first. Then admissions are walked, causes first: each counts if whoever wrote it was in by
//! what counts.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};

use crate::entry::Invite;
use crate::graph::roster::{Act, Index, Rosters};
use crate::graph::sets::SetId;
use crate::graph::{Graph, Position};
use crate::id::{AuthorKey, EntryId};
use crate::order::OrderKey;

/// Who has which role, and what counts.
#[derive(Debug, Default)]
pub(super) struct Roles {
    /// Removals that count, by who is removed.
    removals: BTreeMap<AuthorKey, Vec<Index>>,
    /// Everyone's terms as an admin, highest rank first. A removal ends a term; another promotion begins the next.
    terms: BTreeMap<AuthorKey, Vec<Term>>,
    /// Admissions that count; not worked out where nobody was removed, because then all do.
    admissions: BTreeSet<Index>,
}

#[derive(Clone, Copy, Debug)]
struct Term {
    rank: OrderKey,
    /// None for the creator's, which nobody ends.
    promotion: Option<Index>,
}

impl Roles {
    pub(super) fn of(graph: &Graph) -> Self {
        let mut fold = Fold { graph, rosters: &graph.rosters, roles: Self::default() };
        fold.walk_ranks();
        if !fold.roles.removals.is_empty() {
            (0..fold.rosters.entries().len()).for_each(|index| fold.walk_admission(index));
        }
        fold.roles
    }

    /// The same with one roster entry more, the newest. None if it may change what counts of those before it, which only
    /// an admin's word does: of anybody else's, however many they write, each costs the same.
    pub(super) fn with_newest(self, graph: &Graph) -> Option<Self> {
        let index = graph.rosters.entries().len() - 1;
        let entry = &graph.rosters.entries()[index];
        match entry.act {
            Act::Found => return None,
            Act::Promote(_) | Act::Remove(_) if self.terms.contains_key(&entry.author) => return None,
            _ => {}
        }
        let mut fold = Fold { graph, rosters: &graph.rosters, roles: self };
        if !fold.roles.removals.is_empty() {
            fold.walk_admission(index);
        }
        Some(fold.roles)
    }
}

/// Roles, and what they are made from or asked about.
struct Fold<'a, R> {
    graph: &'a Graph,
    rosters: &'a Rosters,
    roles: R,
}

impl Fold<'_, Roles> {
    fn walk_ranks(&mut self) {
        let Some(first) = self.rosters.entries().first() else { return };
        let mut ahead = BTreeMap::from([(self.key(0), (first.author, None))]);
        // What each admin did that does not count yet.
        let mut left: BTreeMap<AuthorKey, Vec<Index>> = BTreeMap::new();
        // A promotion stands above what its promoter's term rests on, so no rank that is still to come is higher.
        while let Some((rank, (author, promotion))) = ahead.pop_first() {
            let term = Term { rank, promotion };
            self.roles.terms.entry(author).or_default().push(term);
            let mut acts = left.remove(&author).unwrap_or_else(|| {
                let mut acts = self.rosters.judgements(&author).to_vec();
                acts.sort_unstable_by_key(|&act| self.key(act));
                acts
            });
            acts.retain(|&act| {
                if !self.is_within(&author, &term, act) {
                    return true;
                }
                match &self.rosters.entries()[act].act {
                    Act::Promote(key) => drop(ahead.insert(self.key(act), (*key, Some(act)))),
                    Act::Remove(remove)
                        if remove.key != author && !self.outranks(&remove.key, &rank, act) =>
                    {
                        self.roles.removals.entry(remove.key).or_default().push(act);
                    }
                    _ => {}
                }
                false
            });
            left.insert(author, acts);
        }
    }

    /// Whether an act rests on a term of its author's, and no removal voids it.
    fn is_within(&self, author: &AuthorKey, term: &Term, act: Index) -> bool {
        let Some(promotion) = term.promotion else { return true };
        let at = self.rosters.entries()[act].at;
        self.rosters.is_before(promotion, act)
            && self.removals(author).all(|it| self.rosters.is_before(it, promotion) || self.has_seen(it, at))
    }

    /// Whether someone is above a rank as far as a removal knows.
    fn outranks(&self, author: &AuthorKey, rank: &OrderKey, removal: Index) -> bool {
        let past = self.rosters.past(removal);
        self.terms(author).any(|term| term.rank < *rank && !self.has_ended(author, term, past))
    }

    /// Looks at an admission, after all those in its past.
    fn walk_admission(&mut self, index: Index) {
        let entry = &self.rosters.entries()[index];
        let counts = match entry.act {
            Act::Found => true,
            Act::Admit { .. } => self.counts(&entry.author, entry.at, self.rosters.past(index)),
            _ => false,
        };
        if counts {
            self.roles.admissions.insert(index);
        }
    }
}

impl<R: std::borrow::Borrow<Roles>> Fold<'_, R> {
    fn key(&self, index: Index) -> OrderKey {
        self.graph.key(self.rosters.entries()[index].at)
    }

    fn removals(&self, author: &AuthorKey) -> impl Iterator<Item = Index> {
        self.roles.borrow().removals.get(author).into_iter().flatten().copied()
    }

    fn terms(&self, author: &AuthorKey) -> impl Iterator<Item = &Term> {
        self.roles.borrow().terms.get(author).into_iter().flatten()
    }

    /// Whether a removal names an entry, or one after it in its chain, as seen.
    fn has_seen(&self, removal: Index, at: Position) -> bool {
        let Act::Remove(remove) = &self.rosters.entries()[removal].act else { return false };
        remove.seen.iter().filter_map(|id| self.graph.position(id)).any(|tip| self.graph.is_on_line(at, tip))
    }

    /// Whether a set has a removal that ended a term.
    fn has_ended(&self, author: &AuthorKey, term: &Term, set: SetId) -> bool {
        let Some(promotion) = term.promotion else { return false };
        self.removals(author)
            .any(|it| self.rosters.contains(set, it) && !self.rosters.is_before(it, promotion))
    }

    /// Whether someone was an admin by a set.
    fn is_admin_in(&self, author: &AuthorKey, set: SetId) -> bool {
        self.terms(author).any(|term| {
            term.promotion.is_none_or(|it| self.rosters.contains(set, it))
                && !self.has_ended(author, term, set)
        })
    }

    /// Whether some admission still makes a member, by those entries that are asked about: whatever is in the past of one
    /// of them is, too.
    fn is_in(&self, author: &AuthorKey, is_asked: impl Fn(&Index) -> bool) -> bool {
        let rosters = self.rosters;
        let holds = |admission: Index| {
            let mut removals = self.removals(author).filter(&is_asked).peekable();
            let by = &rosters.entries()[admission];
            self.roles.borrow().admissions.contains(&admission)
                && (removals.peek().is_none() || self.is_admin_in(&by.author, rosters.past(admission)))
                && removals.all(|removal| rosters.is_before(removal, admission))
        };
        rosters.outliving(author, &is_asked).any(holds)
    }

    /// Whether what someone wrote with this past counts: they were in by what counts, and it is not what a removal that
    /// they had not seen leaves out.
    fn counts(&self, author: &AuthorKey, at: Position, past: SetId) -> bool {
        if self.roles.borrow().removals.is_empty() {
            return true;
        }
        let rosters = self.rosters;
        let in_past = |it: &Index| rosters.contains(past, *it);
        self.is_in(author, in_past) && self.removals(author).all(|it| in_past(&it) || self.has_seen(it, at))
    }

    fn is_member(&self, author: &AuthorKey) -> bool {
        self.is_in(author, |_| true)
    }
}

impl Graph {
    /// Whether someone is a member by all the entries that are here.
    #[must_use]
    pub fn is_member(&self, author: &AuthorKey) -> bool {
        self.rosters.is_member_now(author)
            && (self.roles().removals.is_empty() || self.fold().is_member(author))
    }

    /// Whether someone is a member who may remove others: the creator, or who was promoted.
    #[must_use]
    pub fn is_admin(&self, author: &AuthorKey) -> bool {
        self.rank(author).is_some()
    }

    /// The admins, highest rank first.
    #[must_use]
    pub fn admins(&self) -> Vec<AuthorKey> {
        let ever = self.roles().terms.keys();
        let ranked: BTreeMap<OrderKey, AuthorKey> =
            ever.filter_map(|it| Some((self.rank(it)?, *it))).collect();
        ranked.into_values().collect()
    }

    /// Whether someone may remove someone else now.
    #[must_use]
    pub fn may_remove(&self, author: &AuthorKey, other: &AuthorKey) -> bool {
        let Some(rank) = self.rank(author) else { return false };
        author != other && self.rank(other).is_none_or(|other| rank < other)
    }

    /// An admin's rank; the lowest key is the highest rank.
    fn rank(&self, author: &AuthorKey) -> Option<OrderKey> {
        let fold = self.fold();
        let goes_on = |term: &&Term| {
            term.promotion.is_none_or(|it| fold.removals(author).all(|by| self.rosters.is_before(by, it)))
        };
        let rank = fold.terms(author).find(goes_on)?.rank;
        self.is_member(author).then_some(rank)
    }

    /// Who removed someone that is no member any more, if somebody did.
    #[must_use]
    pub fn removed_by(&self, author: &AuthorKey) -> Option<AuthorKey> {
        let removal = *self.roles().removals.get(author)?.first()?;
        (!self.is_member(author)).then_some(self.rosters.entries()[removal].author)
    }

    /// Everyone who was removed and is no member.
    #[must_use]
    pub fn removed(&self) -> Vec<AuthorKey> {
        self.roles().removals.keys().filter(|author| !self.is_member(author)).copied().collect()
    }

    /// Whether someone was let in and is no member any more, or by nothing that counts.
    #[must_use]
    pub fn is_out(&self, author: &AuthorKey) -> bool {
        self.rosters.knows(author) && !self.is_member(author)
    }

    /// Whether what an entry says counts. What somebody wrote whose removal had not seen it does not: it is valid, kept
    /// and passed on, and shown folded.
    #[must_use]
    pub fn counts(&self, at: Position) -> bool {
        self.fold().counts(&self.chain(at).author, at, self.nodes[at as usize].roster)
    }

    /// All invites ever published, those that came last first: by whom, the entry, and what it says.
    pub fn invites(&self) -> impl Iterator<Item = (AuthorKey, EntryId, Invite)> {
        self.rosters.invites()
    }

    /// Whether an invite was taken back, by who published it or an admin; or who published it is out.
    #[must_use]
    pub fn is_revoked(&self, invite: &EntryId) -> bool {
        let publisher = self.position(invite).map(|at| self.chain(at).author);
        let fold = self.fold();
        let takes_back = |&index: &Index| {
            let entry = &self.rosters.entries()[index];
            let past = self.rosters.past(index);
            (publisher == Some(entry.author) || fold.is_admin_in(&entry.author, past))
                && fold.counts(&entry.author, entry.at, past)
        };
        self.rosters.revocations(invite).iter().any(takes_back)
            || publisher.is_some_and(|publisher| self.is_out(&publisher))
    }

    /// The newest entries of someone's chains: what a removal names as seen. First those of chains that let somebody in,
    /// then of the longest: a removal can name so many, and whoever is removed may have begun any number.
    #[must_use]
    pub fn tips_of(&self, author: &AuthorKey) -> Vec<EntryId> {
        let chains = self.chains.iter().filter(|chain| chain.id.author == *author);
        let entries = chains.flat_map(|chain| chain.by_seq.iter().chain(&chain.forks).copied());
        let followed: BTreeSet<Position> = entries.clone().filter_map(|at| self.previous(at)).collect();
        let admissions = self.rosters.entries().iter().filter(|entry| entry.author == *author);
        let admissions = admissions.filter(|entry| entry.admitted().is_some());
        let hosts: BTreeSet<u32> = admissions.map(|entry| self.nodes[entry.at as usize].chain).collect();
        let mut tips: Vec<Position> = entries.filter(|at| !followed.contains(at)).collect();
        tips.sort_unstable_by_key(|&at| {
            Reverse((hosts.contains(&self.nodes[at as usize].chain), self.seq(at), self.key(at)))
        });
        tips.into_iter().map(|at| self.id(at)).collect()
    }

    /// Has roles worked out anew if a removal that may count names an entry as seen, which comes just now or goes.
    pub(super) fn forget_roles_by(&mut self, named: &EntryId) {
        let Some(roles) = self.roles.get() else { return };
        if self.rosters.namers(named).any(|author| roles.terms.contains_key(author)) {
            self.roles.take();
        }
    }

    fn roles(&self) -> &Roles {
        self.roles.get_or_init(|| Roles::of(self))
    }

    fn fold(&self) -> Fold<'_, &Roles> {
        Fold { graph: self, rosters: &self.rosters, roles: self.roles() }
    }
}
