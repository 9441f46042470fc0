//! Who is a member, in the past of any entry.
//!
//! Each entry keeps the set of roster entries (admissions, departures, invites, roles, removals) in its past. Sets are bitmaps over
//! the roster entries in the order they came, in chunks that sets share, and equal sets are one set; so a set costs a
//! few hundred bytes however many members there are, and most entries make no new one.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use crate::entry::{Body, Entry, Invite, Remove};
use crate::id::{AuthorKey, EntryId, Position};
use crate::identity::Signature;

/// Roster entries in one shared chunk of a set.
const CHUNK_BITS: usize = 1024;

type Chunk = [u64; CHUNK_BITS / 64];

/// A set of roster entries; equal sets have equal numbers.
pub(super) type SetId = u32;

/// Index of a roster entry.
pub(super) type Index = usize;

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

/// One entry that says who may be here.
#[derive(Debug)]
pub(super) struct RosterEntry {
    pub(super) at: Position,
    pub(super) author: AuthorKey,
    pub(super) act: Act,
    /// The roster entries in its past, without itself.
    past: SetId,
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
        let new = RosterEntry { at, author: entry.author(), act, past };
        if let Some(subject) = new.subject() {
            self.by_subject.entry(subject).or_default().push(index);
        }
        if let Act::Invite { id, .. } = new.act {
            self.by_invite.insert(id, index);
        }
        self.entries.push(new);
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

    /// Whether someone is a member by everything but removals.
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
        self.admissions(author).filter(|&admission| admission_counts(admission)).any(|admission| {
            self.departures(author).all(|leave| self.is_before(leave, admission) || !leave_counts(leave))
        })
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
        self.sets[set as usize].contains(index)
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
        let index = *self.by_invite.get(id)?;
        match self.entries[index].act {
            Act::Invite { invite, .. } if self.contains(set, index) => Some(invite),
            _ => None,
        }
    }

    /// All invites: who published each, its entry's id, and what it says.
    pub(super) fn invites(&self) -> impl Iterator<Item = (AuthorKey, EntryId, Invite)> {
        self.by_invite.values().filter_map(|&index| match &self.entries[index].act {
            Act::Invite { id, invite } => Some((self.entries[index].author, *id, *invite)),
            _ => None,
        })
    }

    pub(super) fn uses(&self, invite: &EntryId) -> u32 {
        let is_use = |entry: &&RosterEntry| matches!(&entry.act, Act::Admit { invite: Some(used), .. } if used == invite);
        u32::try_from(self.entries.iter().filter(is_use).count()).unwrap_or(u32::MAX)
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

    /// Forgets the roster entries after a mark. Sets are about indices alone, so those made meanwhile stay right for
    /// the entries that take the indices next.
    pub(super) fn rewind(&mut self, mark: Mark) {
        while self.entries.len() > mark.0 {
            let Some(entry) = self.entries.pop() else { return };
            let index = self.entries.len();
            if let Some(subject) = entry.subject()
                && let Some(indices) = self.by_subject.get_mut(&subject)
            {
                indices.retain(|other| *other != index);
                if indices.is_empty() {
                    self.by_subject.remove(&subject);
                }
            }
            if let Act::Invite { id, .. } = entry.act {
                self.by_invite.remove(&id);
            }
        }
    }
}
