//! Who is a member, in the past of any entry.
//!
//! Each entry keeps the set of roster entries (admissions, departures, invites) in its past. Sets are bitmaps over
//! the roster entries in the order they came, in chunks that sets share, and equal sets are one set; so a set costs a
//! few hundred bytes however many members there are, and most entries make no new one.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use crate::entry::{Body, Invite};
use crate::id::{AuthorKey, EntryId};
use crate::identity::Signature;

/// Roster entries in one shared chunk of a set.
const CHUNK_BITS: usize = 1024;

type Chunk = [u64; CHUNK_BITS / 64];

/// A set of roster entries; equal sets have equal numbers.
pub(super) type SetId = u32;

/// Index of a roster entry.
type Index = usize;

#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
struct Set(Vec<Arc<Chunk>>);

impl Set {
    fn contains(&self, index: Index) -> bool {
        let bit = index % CHUNK_BITS;
        self.0.get(index / CHUNK_BITS).is_some_and(|chunk| chunk[bit / 64] >> (bit % 64) & 1 == 1)
    }

    fn with(&self, index: Index) -> Self {
        let mut set = self.clone();
        let (chunk, bit) = (index / CHUNK_BITS, index % CHUNK_BITS);
        while set.0.len() <= chunk {
            set.0.push(Arc::new([0; CHUNK_BITS / 64]));
        }
        Arc::make_mut(&mut set.0[chunk])[bit / 64] |= 1 << (bit % 64);
        set
    }

    fn union(&self, other: &Self) -> Self {
        let (longer, shorter) = if self.0.len() < other.0.len() { (other, self) } else { (self, other) };
        let mut union = longer.clone();
        for (mine, theirs) in union.0.iter_mut().zip(&shorter.0) {
            if !Arc::ptr_eq(mine, theirs) && mine != theirs {
                let both: Vec<u64> = mine.iter().zip(theirs.iter()).map(|(a, b)| a | b).collect();
                Arc::make_mut(mine).copy_from_slice(&both);
            }
        }
        union
    }
}

/// One entry that makes or ends a membership, or publishes an invite.
#[derive(Debug)]
struct RosterEntry {
    /// Whose membership it is about; none for an invite.
    subject: Option<AuthorKey>,
    is_leave: bool,
    invite: Option<(EntryId, Invite)>,
    /// For an admission: who admitted, and the card.
    card: Option<Card>,
    /// For an admission by invite: which.
    used: Option<EntryId>,
    /// The roster entries in its past, without itself.
    past: SetId,
}

/// All roster entries and the sets of them that entries have in their past.
#[derive(Debug)]
pub(super) struct Rosters {
    entries: Vec<RosterEntry>,
    by_subject: BTreeMap<AuthorKey, Vec<Index>>,
    by_invite: BTreeMap<EntryId, Index>,
    sets: Vec<Set>,
    interned: HashMap<Set, SetId>,
    unions: HashMap<(SetId, SetId), SetId>,
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

impl Default for Rosters {
    fn default() -> Self {
        Self {
            entries: Vec::new(),
            by_subject: BTreeMap::new(),
            by_invite: BTreeMap::new(),
            sets: vec![Set::default()],
            interned: HashMap::from([(Set::default(), 0)]),
            unions: HashMap::new(),
        }
    }
}

impl Rosters {
    /// The union of several sets.
    pub(super) fn union(&mut self, sets: impl Iterator<Item = SetId>) -> SetId {
        sets.reduce(|a, b| self.union_of(a, b)).unwrap_or(0)
    }

    fn union_of(&mut self, a: SetId, b: SetId) -> SetId {
        if a == b {
            return a;
        }
        let pair = (a.min(b), a.max(b));
        if let Some(&known) = self.unions.get(&pair) {
            return known;
        }
        let union = self.sets[a as usize].union(&self.sets[b as usize]);
        let id = self.intern(union);
        self.unions.insert(pair, id);
        id
    }

    /// The set an entry has with itself in it, and for a roster entry its record.
    pub(super) fn extend(&mut self, past: SetId, author: &AuthorKey, body: &Body, id: EntryId) -> SetId {
        let (subject, is_leave, invite) = match body {
            Body::Room(_) => (Some(*author), false, None),
            Body::Admit(admit) => (Some(admit.key), false, None),
            Body::Leave => (Some(*author), true, None),
            Body::Invite(invite) => (None, false, Some((id, *invite))),
            _ => return past,
        };
        let index = self.entries.len();
        if let Some(subject) = subject {
            self.by_subject.entry(subject).or_default().push(index);
        }
        if let Some((id, _)) = invite {
            self.by_invite.insert(id, index);
        }
        let (card, used) = match body {
            Body::Admit(admit) => {
                let card = Card { admitter: *author, signature: admit.card };
                (Some(card), admit.proof.map(|proof| proof.invite))
            }
            _ => (None, None),
        };
        self.entries.push(RosterEntry { subject, is_leave, invite, card, used, past });
        let set = self.sets[past as usize].with(index);
        self.intern(set)
    }

    fn intern(&mut self, set: Set) -> SetId {
        if let Some(&id) = self.interned.get(&set) {
            return id;
        }
        let id = SetId::try_from(self.sets.len()).expect("fewer sets than entries");
        self.sets.push(set.clone());
        self.interned.insert(set, id);
        id
    }

    /// Whether someone was a member by a set: some admission of theirs counts, that is, has every departure of theirs
    /// in its past.
    pub(super) fn is_member(&self, author: &AuthorKey, set: SetId) -> bool {
        let set = &self.sets[set as usize];
        self.fold(author, |index| set.contains(index), |index| set.contains(index))
    }

    /// Whether someone is a member by everything.
    pub(super) fn is_member_now(&self, author: &AuthorKey) -> bool {
        self.fold(author, |_| true, |_| true)
    }

    /// Whether a set has an admission of someone's that counts by everything: who has it in their past is a member,
    /// whatever else they have seen of what is here.
    pub(super) fn keeps_member(&self, author: &AuthorKey, set: SetId) -> bool {
        let set = &self.sets[set as usize];
        self.fold(author, |index| set.contains(index), |_| true)
    }

    fn fold(
        &self,
        author: &AuthorKey,
        admission_counts: impl Fn(Index) -> bool,
        leave_counts: impl Fn(Index) -> bool,
    ) -> bool {
        let Some(indices) = self.by_subject.get(author) else { return false };
        let all = |is_leave| indices.iter().copied().filter(move |&at| self.entries[at].is_leave == is_leave);
        all(false).filter(|&admission| admission_counts(admission)).any(|admission| {
            let past = &self.sets[self.entries[admission].past as usize];
            all(true).all(|leave| past.contains(leave) || !leave_counts(leave))
        })
    }

    /// An invite that a set contains.
    pub(super) fn invite_in(&self, id: &EntryId, set: SetId) -> Option<Invite> {
        let index = *self.by_invite.get(id)?;
        if !self.sets[set as usize].contains(index) {
            return None;
        }
        self.entries[index].invite.map(|(_, invite)| invite)
    }

    pub(super) fn invite_by_key(&self, key: &AuthorKey) -> Option<(EntryId, Invite)> {
        let invites = self.by_invite.values().filter_map(|&index| self.entries[index].invite);
        invites.into_iter().find(|(_, invite)| invite.key == *key)
    }

    pub(super) fn uses(&self, invite: &EntryId) -> u32 {
        let uses = self.entries.iter().filter(|entry| entry.used.as_ref() == Some(invite)).count();
        u32::try_from(uses).unwrap_or(u32::MAX)
    }

    /// From each member's first admission to its admitter's, which came before it, up to the creator.
    pub(super) fn cards(&self, member: &AuthorKey) -> Option<Vec<Card>> {
        let mut cards = Vec::new();
        let mut subject = *member;
        loop {
            let first = *self.by_subject.get(&subject)?.first()?;
            let Some(card) = self.entries[first].card else { break };
            cards.push(card);
            subject = card.admitter;
        }
        cards.reverse();
        Some(cards)
    }

    pub(super) fn has_left(&self, author: &AuthorKey) -> bool {
        self.by_subject.get(author).is_some_and(|all| all.iter().any(|&index| self.entries[index].is_leave))
    }

    pub(super) fn mark(&self) -> Mark {
        Mark(self.entries.len())
    }

    /// Forgets the roster entries after a mark. Sets are about indices alone, so those made meanwhile stay right for
    /// the entries that take the indices next.
    pub(super) fn rewind(&mut self, mark: Mark) {
        while self.entries.len() > mark.0 {
            let Some(entry) = self.entries.pop() else { return };
            let index = self.entries.len();
            if let Some(indices) = entry.subject.and_then(|subject| self.by_subject.get_mut(&subject)) {
                indices.retain(|other| *other != index);
            }
            if let Some((id, _)) = entry.invite {
                self.by_invite.remove(&id);
            }
        }
    }
}
