//! When a world is at rest, and who agrees then.

use super::{BTreeSet, World};
use crate::engine::Engine;

use replica::graph::Graph;
use replica::id::AuthorKey;

/// Longest a world may take to come to rest, in virtual milliseconds: several heartbeats, and every pause between dials.
const SETTLE_MS_MAX: u64 = 180_000;

impl World {
    /// Lets time pass until nothing is under way any more, and says whether all replicas that can reach each other agree.
    pub fn settle(&mut self) -> bool {
        let until = self.now_ms + SETTLE_MS_MAX;
        while self.now_ms < until {
            if self.is_quiet() {
                return true;
            }
            self.pass(250);
        }
        self.is_quiet()
    }

    /// The replicas that are to agree once nothing keeps any two apart: all but those whose author left the room, or
    /// never came in and holds no invite that still counts.
    #[must_use]
    pub fn insiders(&self) -> BTreeSet<usize> {
        self.insiders_of(&(0..self.replicas.len()).collect())
    }

    fn insiders_of(&self, group: &BTreeSet<usize>) -> BTreeSet<usize> {
        let removed = self.removed_in(group);
        let heard = group.iter().filter(|member| !removed.contains(&self.author(**member)));
        let graphs = heard.filter_map(|&member| self.graph(member));
        // Of two who stand apart, whoever knows of a removal knows who is in: what was done meanwhile by who was removed
        // does not count, to let others in neither.
        let Some(fullest) = graphs.max_by_key(|graph| (graph.removed().len(), graph.durable())) else {
            return BTreeSet::new();
        };
        let running = group.iter().copied().filter(|member| self.replicas[*member].engine.is_some());
        let author = |member: usize| self.author(member);
        let (members, others): (BTreeSet<usize>, BTreeSet<usize>) =
            running.partition(|member| fullest.is_member(&author(*member)));
        if members.is_empty() {
            return members;
        }
        let is_open = |key: &AuthorKey| fullest.invites_by(key).iter().any(|(id, _)| !fullest.is_revoked(id));
        let may_come = |member: &usize| {
            let invite = self.replicas[*member].invite_key();
            !fullest.is_out(&author(*member)) && invite.is_some_and(|key| is_open(&key))
        };
        members.into_iter().chain(others.into_iter().filter(may_come)).collect()
    }

    pub(super) fn is_quiet(&self) -> bool {
        let mut checked = BTreeSet::new();
        (0..self.replicas.len()).all(|index| {
            if !checked.insert(index) {
                return true;
            }
            let group = self.reachable_from(index);
            checked.extend(&group);
            self.is_group_quiet(&group)
        })
    }

    /// Whether insiders come to have what a replica has. Not if its author left as they know, and it knows none of them
    /// for a member: who left does not hear of those who were let in since, and hands them nothing.
    #[must_use]
    pub fn is_heard(&self, index: usize, insiders: &BTreeSet<usize>) -> bool {
        let author = self.author(index);
        let has_left =
            insiders.iter().filter_map(|&insider| self.graph(insider)).any(|inside| inside.is_out(&author));
        let knows = |graph: &Graph| insiders.iter().any(|&insider| graph.is_member(&self.author(insider)));
        !has_left || self.graph(index).is_some_and(knows)
    }

    /// Whether all insiders of a group have the same, which is all that any of the group has that may hand it over.
    fn is_group_quiet(&self, group: &BTreeSet<usize>) -> bool {
        let insiders = self.insiders_of(group);
        let inside: Vec<&Graph> = insiders.iter().filter_map(|&member| self.graph(member)).collect();
        let digests: BTreeSet<_> = inside.iter().map(|graph| graph.digest()).collect();
        let is_handed_over = |graph: &Graph| {
            let tips = graph.tips();
            inside.first().is_none_or(|inside| tips.iter().all(|tip| inside.position(&tip.id).is_some()))
        };
        let removed = self.removed_in(group);
        let running = || group.iter().filter_map(|&member| self.replicas[member].engine.as_ref());
        let is_settled = |engine: &Engine| {
            let conversation = engine.conversation();
            let may_write = conversation.graph().is_member(&conversation.me());
            conversation.is_settled() && !(may_write && conversation.drafts().next().is_some())
        };
        digests.len() <= 1
            && running().all(is_settled)
            && group
                .iter()
                .filter(|member| {
                    !removed.contains(&self.author(**member)) && self.is_heard(**member, &insiders)
                })
                .all(|&member| self.graph(member).is_none_or(is_handed_over))
    }

    /// Whom anyone of a group knows to be removed: they are not listened to.
    fn removed_in(&self, group: &BTreeSet<usize>) -> BTreeSet<AuthorKey> {
        group.iter().filter_map(|&member| self.graph(member)).flat_map(Graph::removed).collect()
    }

    fn graph(&self, index: usize) -> Option<&Graph> {
        self.replicas[index].engine.as_ref().map(|engine| engine.conversation().graph())
    }
}
