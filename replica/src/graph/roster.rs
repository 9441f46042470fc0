//! Who is a member, in the past of any entry.
//!
//! Each entry keeps the set of roster entries (admissions, departures, invites, roles, removals) in its past, by their
//! number in the order they came. Sets share what they have alike ([`Sets`]), so one costs a few hundred bytes however
//! many roster entries there are, and most entries make no new one.

use std::collections::{BTreeMap, BTreeSet};

use crate::entry::{Body, Entry, Invite, Remove};
use crate::graph::sets::{SetId, Sets};
use crate::id::{AuthorKey, EntryId, Position};
use crate::identity::Signature;

/// Index of a roster entry.
pub(super) type Index = usize;

/// One entry that says who may be here.
#[derive(Debug)]
pub(super) struct RosterEntry {
    pub(super) at: Position,
    pub(super) author: AuthorKey,
    pub(super) act: Act,
    /// The roster entries in its past, without itself.
    past: SetId,
    /// How often whom it lets in had left in its past.
    departures: usize,
}

/// What a roster entry does.
#[derive(Debug)]
pub(super) enum Act {
    /// Its author made the room.
    Found,
    /// Lets a key in, by an invite or not.
    Admit {
        key: AuthorKey,
        card: Signature,
        invite: Option<EntryId>,
    },
    Leave,
    Invite {
        id: EntryId,
        invite: Invite,
    },
    Promote(AuthorKey),
    Remove(Remove),
    Revoke(EntryId),
}

impl RosterEntry {
    /// Whose membership it makes.
    pub(super) fn admitted(&self) -> Option<AuthorKey> {
        match &self.act {
            Act::Found => Some(self.author),
            Act::Admit { key, .. } => Some(*key),
            _ => None,
        }
    }

    /// Whose membership it makes, or ends at their own wish.
    fn subject(&self) -> Option<AuthorKey> {
        self.admitted().or(matches!(self.act, Act::Leave).then_some(self.author))
    }
}

/// All roster entries and the sets of them that entries have in their past.
#[derive(Debug, Default)]
pub(super) struct Rosters {
    entries: Vec<RosterEntry>,
    by_subject: BTreeMap<AuthorKey, Vec<Index>>,
    by_invite: BTreeMap<EntryId, About>,
    /// Promotions and removals, by who says so.
    by_judge: BTreeMap<AuthorKey, Vec<Index>>,
    /// Entries that removals name as seen, which may be yet to come, and who removes.
    named: BTreeMap<EntryId, BTreeSet<AuthorKey>>,
    sets: Sets,
}

/// What there is about an invite.
#[derive(Debug, Default)]
struct About {
    published: Option<Index>,
    uses: u32,
    revocations: Vec<Index>,
}

/// One step of a member's way into the room.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Card {
    /// Who let them in.
    pub admitter: AuthorKey,
    /// The admitter's signature over room and key.
    pub signature: Signature,
}

/// How many roster entries there were: enough to go back to.
#[derive(Clone, Copy, Debug)]
pub(super) struct Mark(usize);

impl Rosters {
    /// The union of several sets.
    pub(super) fn union(&mut self, sets: impl Iterator<Item = SetId>) -> SetId {
        self.sets.union(sets)
    }

    /// The set an entry has with itself in it, which is taken in.
    pub(super) fn extend(&mut self, past: SetId, entry: &Entry, body: Body, at: Position) -> SetId {
        let act = match body {
            Body::Room(_) => Act::Found,
            Body::Admit(admit) => {
                let invite = admit.proof.map(|proof| proof.invite);
                Act::Admit { key: admit.key, card: admit.card, invite }
            }
            Body::Leave => Act::Leave,
            Body::Invite(invite) => Act::Invite { id: entry.id(), invite },
            Body::Promote(key) => Act::Promote(key),
            Body::Remove(remove) => Act::Remove(*remove),
            Body::Revoke(invite) => Act::Revoke(invite),
            Body::Nickname(_) | Body::Message(_) | Body::Topic(_) | Body::Unknown { .. } => return past,
        };
        let index = self.entries.len();
        let mut new = RosterEntry { at, author: entry.author(), act, past, departures: 0 };
        if let Some(subject) = new.admitted() {
            new.departures = self.departures(&subject).filter(|&it| self.contains(past, it)).count();
        }
        if let Some(subject) = new.subject() {
            self.by_subject.entry(subject).or_default().push(index);
        }
        if let Act::Remove(remove) = &new.act {
            for id in &remove.seen {
                self.named.entry(*id).or_default().insert(new.author);
            }
        }
        match new.act {
            Act::Promote(_) | Act::Remove(_) => self.by_judge.entry(new.author).or_default().push(index),
            Act::Invite { id, .. } => self.by_invite.entry(id).or_default().published = Some(index),
            Act::Admit { invite: Some(invite), .. } => self.by_invite.entry(invite).or_default().uses += 1,
            Act::Revoke(invite) => self.by_invite.entry(invite).or_default().revocations.push(index),
            _ => {}
        }
        self.entries.push(new);
        self.sets.with(past, index)
    }

    /// Whether someone was a member by a set: some admission of theirs counts, that is, has every departure of theirs
    /// in its past.
    pub(super) fn is_member(&self, author: &AuthorKey, set: SetId) -> bool {
        self.outliving(author, &|index: &Index| self.contains(set, *index)).next().is_some()
    }

    /// Whether someone is a member by everything but removals.
    pub(super) fn is_member_now(&self, author: &AuthorKey) -> bool {
        self.outliving(author, &|_: &Index| true).next().is_some()
    }

    /// Whether a set has an admission of someone's that counts by everything: who has it in their past is a member,
    /// whatever else they have seen of what is here.
    pub(super) fn keeps_member(&self, author: &AuthorKey, set: SetId) -> bool {
        self.outliving(author, &|_: &Index| true).any(|admission| self.contains(set, admission))
    }

    /// The admissions of someone that have every departure in their past, by those entries that are asked about: with one
    /// that is, all in its past are. So where an admission has as many departures in its past as there are, it has all.
    pub(super) fn outliving(
        &self,
        author: &AuthorKey,
        is_asked: &impl Fn(&Index) -> bool,
    ) -> impl Iterator<Item = Index> {
        let departures = self.departures(author).filter(is_asked).count();
        self.admissions(author).filter(is_asked).filter(move |&it| self.entries[it].departures == departures)
    }

    /// All roster entries, in the order they came.
    pub(super) fn entries(&self) -> &[RosterEntry] {
        &self.entries
    }

    /// The entries that let someone in.
    pub(super) fn admissions(&self, author: &AuthorKey) -> impl Iterator<Item = Index> {
        self.about(author).filter(|&index| self.entries[index].admitted().is_some())
    }

    /// The entries by which someone left.
    pub(super) fn departures(&self, author: &AuthorKey) -> impl Iterator<Item = Index> {
        self.about(author).filter(|&index| self.entries[index].admitted().is_none())
    }

    fn about(&self, author: &AuthorKey) -> impl Iterator<Item = Index> {
        self.by_subject.get(author).into_iter().flatten().copied()
    }

    /// Whether a set has a roster entry.
    pub(super) fn contains(&self, set: SetId, index: Index) -> bool {
        self.sets.contains(set, index)
    }

    /// Whether one roster entry is in another's past.
    pub(super) fn is_before(&self, cause: Index, effect: Index) -> bool {
        self.contains(self.entries[effect].past, cause)
    }

    /// The roster entries in the past of one.
    pub(super) fn past(&self, index: Index) -> SetId {
        self.entries[index].past
    }

    /// An invite that a set contains.
    pub(super) fn invite_in(&self, id: &EntryId, set: SetId) -> Option<Invite> {
        let index = self.by_invite.get(id)?.published?;
        match self.entries[index].act {
            Act::Invite { invite, .. } if self.contains(set, index) => Some(invite),
            _ => None,
        }
    }

    /// All invites, those that came last first: who published each, its entry's id, and what it says.
    pub(super) fn invites(&self) -> impl Iterator<Item = (AuthorKey, EntryId, Invite)> {
        self.entries.iter().rev().filter_map(|entry| match &entry.act {
            Act::Invite { id, invite } => Some((entry.author, *id, *invite)),
            _ => None,
        })
    }

    /// How many admissions cite an invite.
    pub(super) fn uses(&self, invite: &EntryId) -> u32 {
        self.by_invite.get(invite).map_or(0, |about| about.uses)
    }

    /// The entries that take an invite back.
    pub(super) fn revocations(&self, invite: &EntryId) -> &[Index] {
        self.by_invite.get(invite).map_or(&[], |about| &about.revocations)
    }

    /// Who may have named an entry as seen by whom they removed.
    pub(super) fn namers(&self, id: &EntryId) -> impl Iterator<Item = &AuthorKey> {
        self.named.get(id).into_iter().flatten()
    }

    /// The promotions and removals by someone.
    pub(super) fn judgements(&self, author: &AuthorKey) -> &[Index] {
        self.by_judge.get(author).map_or(&[], Vec::as_slice)
    }

    /// From each member's first admission to its admitter's, which came before it, up to the creator.
    pub(super) fn cards(&self, member: &AuthorKey) -> Option<Vec<Card>> {
        let mut cards = Vec::new();
        let mut subject = *member;
        loop {
            let first = &self.entries[self.about(&subject).next()?];
            let Act::Admit { card, .. } = first.act else { break };
            cards.push(Card { admitter: first.author, signature: card });
            subject = first.author;
        }
        cards.reverse();
        Some(cards)
    }

    /// Whether someone was ever let in.
    pub(super) fn knows(&self, author: &AuthorKey) -> bool {
        self.by_subject.contains_key(author)
    }

    pub(super) fn mark(&self) -> Mark {
        Mark(self.entries.len())
    }

    /// Forgets the roster entries after a mark, and says whether there were any. Sets are about indices alone, so those
    /// made meanwhile stay right for the entries that take the indices next.
    pub(super) fn rewind(&mut self, mark: Mark) -> bool {
        let is_less = self.entries.len() > mark.0;
        for entry in self.entries.split_off(mark.0).into_iter().rev() {
            if let Some(subject) = entry.subject() {
                take_last(&mut self.by_subject, &subject);
            }
            match entry.act {
                Act::Promote(_) | Act::Remove(_) => take_last(&mut self.by_judge, &entry.author),
                Act::Invite { id, .. } => self.amend(&id, |about| about.published = None),
                Act::Admit { invite: Some(invite), .. } => self.amend(&invite, |about| about.uses -= 1),
                Act::Revoke(invite) => self.amend(&invite, |about| _ = about.revocations.pop()),
                _ => {}
            }
        }
        is_less
    }

    /// Changes what there is about an invite, which may be nothing any more.
    fn amend(&mut self, invite: &EntryId, change: impl FnOnce(&mut About)) {
        let Some(about) = self.by_invite.get_mut(invite) else { return };
        change(about);
        if about.published.is_none() && about.uses == 0 && about.revocations.is_empty() {
            self.by_invite.remove(invite);
        }
    }
}

/// Forgets the newest roster entry of someone.
fn take_last(by_key: &mut BTreeMap<AuthorKey, Vec<Index>>, key: &AuthorKey) {
    if let Some(indices) = by_key.get_mut(key) {
        indices.pop();
        if indices.is_empty() {
            by_key.remove(key);
        }
    }
}
