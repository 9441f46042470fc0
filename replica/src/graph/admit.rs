//! Whether an entry belongs with what is here, and taking it in.

use std::collections::BTreeMap;

use crate::entry::{Admit, Body, Entry, Kind};
use crate::graph::sets::SetId;
use crate::graph::{Admission, Chain, Graph, NO_POSITION, Node, Refusal, Undo, half, position};
use crate::id::{ChainId, EntryId, Position};
use crate::identity::{Purpose, verify};
use crate::order::{Clock, Previous};

impl Graph {
    /// Takes an authentic entry in, if it is valid.
    ///
    /// # Errors
    /// When an ancestor is missing or the entry is not valid; the graph is then unchanged.
    pub fn admit(&mut self, entry: &Entry) -> Result<Admission, Refusal> {
        if self.has(entry) {
            return Ok(Admission::Known);
        }
        let record = entry.record();
        let find = |id: &EntryId| self.position(id).ok_or(Refusal::Missing(*id));
        let previous = match &record.previous {
            None => None,
            Some(id) => match self.place_in(&record.chain, record.seq.wrapping_sub(1), id) {
                Some(at) => Some(at),
                None => return Err(find(id).map_or_else(|missing| missing, |_| Refusal::WrongPrevious)),
            },
        };
        let others = record.dependencies.iter().map(find).collect::<Result<Vec<_>, _>>()?;
        if previous.is_none() && others.is_empty() && entry.id().0 != self.room.0 {
            return Err(Refusal::Stranger);
        }
        let parents = || previous.iter().chain(&others);
        let past = self.rosters.union(parents().map(|parent| self.nodes[*parent as usize].roster));
        if record.kind != Kind::Room.number()
            && !previous.is_some_and(|previous| self.had_past(previous, past))
            && !self.rosters.is_member(&entry.author(), past)
        {
            return Err(Refusal::NotMember);
        }
        let roster_body = Kind::is_roster(record.kind).then(|| entry.body());
        if let Some(Body::Admit(admit)) = &roster_body {
            self.check_admission(entry, admit, past)?;
        }
        let clock = Clock::derive(
            record.claimed_ms,
            previous.map(|at| Previous { claimed_ms: self.claimed_ms(at), clock: self.key(at).clock }),
            parents().map(|parent| self.key(*parent).clock),
        );
        Ok(Admission::New(self.insert(entry, roster_body, previous, &others, clock, past)))
    }

    /// Whether an entry had these roster entries in its past, so that its author was a member by them.
    fn had_past(&self, at: Position, past: SetId) -> bool {
        let node = &self.nodes[at as usize];
        node.roster == past && !Kind::is_roster(node.kind)
    }

    fn insert(
        &mut self,
        entry: &Entry,
        roster_body: Option<Body>,
        previous: Option<Position>,
        others: &[Position],
        clock: Clock,
        past: SetId,
    ) -> Position {
        let record = entry.record();
        let at = self.len();
        let mark = self.rosters.mark();
        let roster = match roster_body {
            Some(body) => self.rosters.extend(past, entry, body, at),
            None => past,
        };
        let chain = match previous {
            Some(previous) => self.nodes[previous as usize].chain,
            None => self.chain_of(record.chain),
        };
        let placed = self.place_on_branch(entry.id(), chain, record.seq, previous);
        let line = &mut self.chains[chain as usize];
        if line.by_seq.len() + 1 == record.seq as usize {
            line.by_seq.push(at);
        } else {
            line.forks.push(at);
            line.fork_index.insert((record.seq, half(&entry.id())), at);
        }
        self.others.extend_from_slice(others);
        let covered =
            previous.iter().chain(others).filter(|parent| self.heads.remove(parent)).copied().collect();
        self.heads.insert(at);
        self.undo.push(Undo { heads: covered, roster: mark, placed });
        if let Some(signature) = entry.signature() {
            self.signatures.insert(at, *signature);
        }
        self.by_id.insert(&self.nodes, &entry.id());
        let claimed = record.claimed_ms.to_be_bytes();
        self.nodes.push(Node {
            id: entry.id(),
            chain,
            seq: record.seq,
            clock: clock.to_bytes(),
            claimed: [claimed[2], claimed[3], claimed[4], claimed[5], claimed[6], claimed[7]],
            kind: record.kind,
            previous: previous.unwrap_or(NO_POSITION),
            others_end: position(self.others.len()),
            roster,
        });
        self.forget_roles_by(&entry.id());
        if Kind::is_roster(record.kind)
            && let Some(roles) = self.roles.take().and_then(|roles| roles.with_newest(self))
        {
            self.roles = roles.into();
        }
        at
    }

    fn chain_of(&mut self, id: ChainId) -> u32 {
        if let Some(&index) = self.chain_index.get(&id) {
            return index;
        }
        let index = position(self.chains.len());
        self.chains.push(Chain { id, by_seq: Vec::new(), forks: Vec::new(), fork_index: BTreeMap::new() });
        self.chain_index.insert(id, index);
        index
    }

    fn check_admission(&self, entry: &Entry, admit: &Admit, past: SetId) -> Result<(), Refusal> {
        let card = Purpose::Card { room: &self.room, key: &admit.key };
        if !verify(&entry.author(), card, &admit.card) {
            return Err(Refusal::BadAdmission);
        }
        let Some(proof) = &admit.proof else { return Ok(()) };
        let invite = self.rosters.invite_in(&proof.invite, past).ok_or(Refusal::BadAdmission)?;
        let shown = Purpose::Invite { room: &self.room, key: &admit.key, channel: &proof.channel };
        if verify(&invite.key, shown, &proof.signature) { Ok(()) } else { Err(Refusal::BadAdmission) }
    }
}
