//! Writing who may be here.

use replica::entry::{Admit, Body, InviteProof, Remove};
use replica::id::{AuthorKey, EntryId};
use replica::identity::Purpose;
use replica::limits::REMOVAL_SEEN_MAX;

use crate::conversation::{Conversation, SayError, Tag};

impl Conversation {
    /// Lets a key in. Whom an admin removed only an admin lets in again.
    ///
    /// # Errors
    /// When this author may not, or as [`Conversation::write`].
    pub fn admit(
        &mut self,
        key: AuthorKey,
        proof: Option<InviteProof>,
        now_ms: u64,
        tag: Option<Tag>,
    ) -> Result<EntryId, SayError> {
        if self.graph.removed_by(&key).is_some() && !self.graph.is_admin(&self.me()) {
            return Err(SayError::NotAdmin);
        }
        let card = self.identity.sign(Purpose::Card { room: &self.graph.room(), key: &key });
        self.write(&Body::Admit(Box::new(Admit { key, card, proof })), now_ms, tag)
    }

    /// Makes a member an admin.
    ///
    /// # Errors
    /// When that is no member, this author is no admin, or as [`Conversation::write`].
    pub fn promote(&mut self, key: AuthorKey, now_ms: u64, tag: Tag) -> Result<(), SayError> {
        if !self.graph.is_admin(&self.me()) {
            return Err(SayError::NotAdmin);
        }
        if !self.graph.is_member(&key) {
            return Err(SayError::NobodyThere);
        }
        self.write(&Body::Promote(key), now_ms, Some(tag)).map(drop)
    }

    /// Ends somebody's membership. What they did as far as it is here goes on to count.
    ///
    /// # Errors
    /// When that is no member, this author is not above them, or as [`Conversation::write`].
    pub fn remove(&mut self, key: AuthorKey, now_ms: u64, tag: Tag) -> Result<(), SayError> {
        if !self.graph.is_member(&key) {
            return Err(SayError::NobodyThere);
        }
        if !self.graph.may_remove(&self.me(), &key) {
            return Err(SayError::NotAdmin);
        }
        let mut seen = self.graph.tips_of(&key);
        seen.truncate(REMOVAL_SEEN_MAX);
        seen.sort_unstable();
        self.write(&Body::Remove(Box::new(Remove { key, seen })), now_ms, Some(tag)).map(drop)
    }

    /// Takes an invite back.
    ///
    /// # Errors
    /// When there is none, it is neither this author's nor is this author an admin, or as [`Conversation::write`].
    pub fn revoke(&mut self, invite: EntryId, now_ms: u64, tag: Tag) -> Result<(), SayError> {
        let publisher = self.graph.position(&invite).map(|at| self.graph.chain(at).author);
        match publisher {
            None => Err(SayError::NobodyThere),
            Some(publisher) if publisher != self.me() && !self.graph.is_admin(&self.me()) => {
                Err(SayError::NotAdmin)
            }
            Some(_) => self.write(&Body::Revoke(invite), now_ms, Some(tag)).map(drop),
        }
    }
}
