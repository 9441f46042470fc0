//! Whom to be connected with: few enough that an entry comes few times, enough that it comes at once.
//!
//! Sans-IO. Up to [`MESH_MEMBERS_MAX`] members all connect to all. Of more, each replica keeps [`LINKS`] links, whoever
//! made them: below that it dials members drawn at random, beyond it lets go of one now and then, never of the oldest.
//! The graph that comes of it is random, and random graphs of six links each are in one piece and shallow.
//!
//! Plans are a function of the links, the places, the time, and the dice.

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::Rng as _;

use crate::book::Place;
use crate::conversation::ConnectionId;
use crate::limits::{
    LINKS, LINKS_MAX, LONG_LINKS, MESH_MEMBERS_MAX, PROBE, REDRAW, REST_CHECK, RETRY_SPACING, TRIM, millis,
};

#[cfg(test)]
mod tests;

/// A connection to a member that is served.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Link {
    pub(crate) connection: ConnectionId,
    /// Since when it stands.
    pub(crate) since_ms: u64,
    /// Whether both sides have all that the other has, and nothing is under way.
    pub(crate) is_at_rest: bool,
}

/// What is to be done.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Plan {
    /// Addresses to dial now.
    pub(crate) dial: Vec<String>,
    /// The link to let go.
    pub(crate) release: Option<ConnectionId>,
    /// When to plan again, if nothing happens before.
    pub(crate) again_ms: Option<u64>,
}

/// When things that are done now and then are due.
#[derive(Debug, Default)]
pub(crate) struct Overlay {
    trim_ms: Option<u64>,
    redraw_ms: Option<u64>,
    probe_ms: Option<u64>,
    /// When an address that failed before may be dialled next.
    retry_ms: u64,
    has_enough: bool,
}

impl Overlay {
    /// Whether nobody more is dialled for want of links.
    pub(crate) fn has_enough(&self) -> bool {
        self.has_enough
    }

    /// Decides about all links and places at once.
    pub(crate) fn plan(
        &mut self,
        links: &[Link],
        places: &[Place<'_>],
        now_ms: u64,
        rng: &mut ChaCha8Rng,
    ) -> Plan {
        let mut plan = Plan::default();
        let idle: Vec<&Place<'_>> = places.iter().filter(|it| !it.is_linked && !it.is_dialing).collect();
        let dialing = places.iter().filter(|place| place.is_dialing && !place.is_linked).count();
        let (fresh, failed): (Vec<&Place<'_>>, Vec<&Place<'_>>) =
            idle.into_iter().partition(|place| place.failures == 0);
        let others = links.len() + dialing + fresh.iter().filter(|place| place.is_held).count();
        let is_mesh = others < MESH_MEMBERS_MAX;
        let wanted = if is_mesh { MESH_MEMBERS_MAX } else { LINKS };
        let need = wanted.saturating_sub(links.len() + dialing);
        let mut draw = Draw { plan: &mut plan, now_ms, rng };
        let drawn = draw.fresh(&fresh, need);
        self.has_enough = drawn == need;
        if !self.has_enough {
            self.retry_ms = draw.failed(&failed, need - drawn, self.retry_ms);
        }
        if is_mesh {
            (self.trim_ms, self.redraw_ms, self.probe_ms) = (None, None, None);
            return plan;
        }
        if draw.is_time(&mut self.redraw_ms, REDRAW) && links.len() == LINKS {
            draw.fresh(&fresh, 1);
        }
        if failed.is_empty() || !self.has_enough {
            self.probe_ms = None;
        } else if draw.is_time(&mut self.probe_ms, PROBE) {
            draw.failed(&failed, 1, 0);
        }
        if links.len() > LINKS_MAX {
            draw.release(links, 0);
        } else if links.len() <= LINKS {
            self.trim_ms = None;
        } else if draw.is_time(&mut self.trim_ms, TRIM) {
            draw.release(links, millis(TRIM));
        }
        plan
    }
}

/// A plan in the making.
struct Draw<'a> {
    plan: &'a mut Plan,
    now_ms: u64,
    rng: &'a mut ChaCha8Rng,
}

impl Draw<'_> {
    /// Dials so many of those that may work: first those that a person named, then whoever the dice say. Answers how many.
    fn fresh(&mut self, places: &[&Place<'_>], count: usize) -> usize {
        let (named, others): (Vec<&Place<'_>>, Vec<&Place<'_>>) =
            places.iter().partition(|place| place.is_named);
        let dialed = self.dial(named, count);
        dialed + self.dial(others, count - dialed)
    }

    /// Dials up to so many of those that failed before, not all at once. Answers when the next may follow.
    fn failed(&mut self, places: &[&Place<'_>], count: usize, from_ms: u64) -> u64 {
        let is_due = places.iter().any(|place| place.due_ms <= self.now_ms);
        if is_due && from_ms > self.now_ms {
            self.again(from_ms);
            return from_ms;
        }
        let dialed = self.dial(places.to_vec(), count.min(1));
        if dialed == 0 {
            return from_ms;
        }
        let next_ms = self.now_ms + millis(RETRY_SPACING);
        if places.len() > 1 && count > 1 {
            self.again(next_ms);
        }
        next_ms
    }

    /// Dials so many of these that are due, drawn at random; the others are looked at again when they are.
    fn dial(&mut self, places: Vec<&Place<'_>>, count: usize) -> usize {
        let (mut due, later): (Vec<&Place<'_>>, Vec<&Place<'_>>) =
            places.into_iter().partition(|place| place.due_ms <= self.now_ms);
        if due.len() < count {
            later.iter().for_each(|place| self.again(place.due_ms));
        }
        let count = count.min(due.len());
        for chosen in 0..count {
            let at = chosen + self.below(due.len() - chosen);
            due.swap(chosen, at);
            self.plan.dial.push(due[chosen].address.to_owned());
        }
        count
    }

    /// Lets go of one link that rests, at random, unless it is one of the oldest or younger than so many milliseconds.
    fn release(&mut self, links: &[Link], age_ms: u64) {
        let mut by_age: Vec<&Link> = links.iter().collect();
        by_age.sort_unstable_by_key(|link| (link.since_ms, link.connection));
        let may_go = |link: &&&Link| link.is_at_rest && link.since_ms + age_ms <= self.now_ms;
        let candidates: Vec<&&Link> = by_age.iter().skip(LONG_LINKS).filter(may_go).collect();
        if candidates.is_empty() {
            return self.again(self.now_ms + millis(REST_CHECK));
        }
        let chosen = self.below(candidates.len());
        self.plan.release = candidates.get(chosen).map(|link| link.connection);
    }

    /// Whether what is done now and then is due. It is so after between half of and all the time given, and again after.
    fn is_time(&mut self, due_ms: &mut Option<u64>, every: std::time::Duration) -> bool {
        let is_due = due_ms.is_some_and(|due| due <= self.now_ms);
        let half = millis(every) / 2;
        if is_due || due_ms.is_none() {
            *due_ms = Some(self.now_ms + half + self.rng.next_u64() % (half + 1));
        }
        due_ms.iter().for_each(|due| self.again(*due));
        is_due
    }

    fn again(&mut self, at_ms: u64) {
        self.plan.again_ms = Some(self.plan.again_ms.map_or(at_ms, |before| before.min(at_ms)));
    }

    fn below(&mut self, count: usize) -> usize {
        usize::try_from(self.rng.next_u64() % count.max(1) as u64).unwrap_or(0)
    }
}
