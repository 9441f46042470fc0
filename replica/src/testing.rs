//! Signed histories for tests: people, what they write, and in which order it may arrive.

use crate::entry::{Admit, Body, Entry, Invite, InviteProof, Kind, Record, Remove, Room};
use crate::graph::{Admission, Graph, Refusal, Tip};
use crate::id::{ChainId, EntryId, RoomId};
use crate::identity::{Identity, Purpose, Signature};

/// When the first entry of every history claims to be written.
pub(crate) const START_MS: u64 = 1_760_000_000_000;

/// One person.
pub(crate) fn person(number: u8) -> Identity {
    Identity::from_secret(&[number + 1; 32])
}

/// A chain of theirs.
pub(crate) fn chain(number: u8, incarnation: u64) -> ChainId {
    ChainId { author: person(number).key(), incarnation }
}

/// The tips of a graph with what vouches for them, ascending.
pub(crate) fn signed_tips(graph: &Graph) -> Vec<(Tip, Signature)> {
    let mut tips: Vec<_> = graph.tips_since(0).filter_map(|at| graph.signed_tip(at)).collect();
    tips.sort_unstable_by_key(|(tip, _)| *tip);
    tips
}

/// Reproducible numbers (SplitMix64, Steele et al., 2014).
#[derive(Clone, Debug)]
pub(crate) struct Dice(pub(crate) u64);

impl Dice {
    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// A number below `end`.
    pub(crate) fn below(&mut self, end: usize) -> usize {
        usize::try_from(self.next() % end as u64).unwrap()
    }

    pub(crate) fn one_in(&mut self, n: usize) -> bool {
        self.below(n) == 0
    }

    pub(crate) fn pick<'a, T>(&mut self, from: &'a [T]) -> &'a T {
        &from[self.below(from.len())]
    }
}

/// One room and everything written in it, causes first. Person 0 made it.
#[derive(Debug)]
pub(crate) struct World {
    pub(crate) room: RoomId,
    pub(crate) log: Vec<Entry>,
    /// Has everything.
    pub(crate) graph: Graph,
    pub(crate) now_ms: u64,
}

impl World {
    pub(crate) fn new() -> Self {
        Self::with_period(7 * 24 * 60 * 60)
    }

    pub(crate) fn with_period(period_s: u32) -> Self {
        let body = Body::Room(Room { period_s, name: "den".to_owned() });
        let record = record(chain(0, 1), None, &[], START_MS, &body);
        let first = Entry::sign(record, &RoomId([0; 32]), &person(0)).unwrap();
        let room = RoomId(first.id().0);
        let mut graph = Graph::new(room);
        graph.admit(&first).unwrap();
        Self { room, log: vec![first], graph, now_ms: START_MS }
    }

    /// Signs what a person writes after `previous` in one of their chains, having seen `others`.
    pub(crate) fn sign(&mut self, record: Record, number: u8) -> Entry {
        Entry::sign(record, &self.room, &person(number)).unwrap()
    }

    /// An entry that is signed but not admitted, in a person's first chain.
    pub(crate) fn write(
        &mut self,
        number: u8,
        previous: Option<&Entry>,
        others: &[&Entry],
        body: &Body,
    ) -> Entry {
        self.now_ms += 1_000;
        let chain = previous.map_or(chain(number, 1), |previous| previous.record().chain);
        let others: Vec<EntryId> = others.iter().map(|entry| entry.id()).collect();
        let record =
            record(chain, previous.map(|entry| (entry.id(), entry.record().seq)), &others, self.now_ms, body);
        self.sign(record, number)
    }

    /// Admits an entry, which must be valid.
    pub(crate) fn put(&mut self, entry: &Entry) {
        assert!(matches!(self.graph.admit(entry), Ok(Admission::New(_))), "{:?}", self.graph.admit(entry));
        self.log.push(entry.clone());
    }

    /// What the graph says of an entry that is not valid.
    pub(crate) fn refused(&mut self, entry: &Entry) -> Refusal {
        self.graph.admit(entry).unwrap_err()
    }

    /// Writes on top of everything there is, and admits it.
    pub(crate) fn say(&mut self, number: u8, body: &Body) -> Entry {
        self.now_ms += 1_000;
        let record = self.graph.compose(chain(number, 1), self.now_ms, body).unwrap();
        let entry = self.sign(record, number);
        self.put(&entry);
        entry
    }

    pub(crate) fn message(&mut self, number: u8, text: &str) -> Entry {
        self.say(number, &Body::Message(text.to_owned()))
    }

    /// A person lets another in.
    pub(crate) fn admit(&self, by: u8, who: u8) -> Body {
        let key = person(who).key();
        let card = person(by).sign(Purpose::Card { room: &self.room, key: &key });
        Body::Admit(Box::new(Admit { key, card, proof: None }))
    }

    /// The same, with the proof of an invite whose secret is that of person `invite`.
    pub(crate) fn admit_by_invite(&self, by: u8, who: u8, invite: u8, entry: EntryId) -> Body {
        let Body::Admit(mut admit) = self.admit(by, who) else { unreachable!() };
        let purpose = Purpose::Invite { room: &self.room, key: &admit.key, channel: &[5; 32] };
        let signature = person(invite).sign(purpose);
        admit.proof = Some(InviteProof { invite: entry, channel: [5; 32], signature });
        Body::Admit(admit)
    }

    /// A history of some `steps` entries by up to `people` persons: admissions (also in parallel), departures, invites,
    /// names, texts, kinds nobody knows, second homes, clocks that are wrong and, with `forks`, chains that fork.
    pub(crate) fn random(dice: &mut Dice, people: u8, steps: usize, forks: bool) -> Self {
        let mut world = Self::new();
        // What each home has seen. A home is a person and an incarnation.
        let mut homes: Vec<(u8, u64, Graph)> = Vec::new();
        for number in 0..people {
            for incarnation in 1..=1 + u64::from(number % 2) {
                homes.push((number, incarnation, Graph::new(world.room)));
            }
        }
        for _ in 0..steps * 4 {
            if world.log.len() >= steps {
                break;
            }
            let at = dice.below(homes.len());
            let (number, incarnation, mut seen) = homes.swap_remove(at);
            let reach = 1 + dice.below(world.log.len());
            if dice.one_in(3) {
                // A prefix of the log is closed under causes.
                world.log[..reach].iter().for_each(|entry| drop(seen.admit(entry)));
            }
            let body = world.random_body(dice, number, people, &seen);
            world.now_ms += [0, 1, 40, 5_000, 3_600_000][dice.below(5)];
            let skew = [0, 0, 0, 0, 3 * 86_400_000, 365 * 86_400_000][dice.below(6)];
            let claimed = if dice.one_in(20) { 0 } else { world.now_ms + skew };
            let mut record = seen.compose(chain(number, incarnation), claimed, &body);
            if forks && dice.one_in(6) {
                record = record.map(|record| fork(dice, record, &seen));
            }
            if dice.one_in(12)
                && let Some(record) = record.as_mut().filter(|record| record.kind == Kind::Message.number())
            {
                record.kind = 77;
            }
            if let Some(record) = record {
                let entry = world.sign(record, number);
                if let Ok(Admission::New(_)) = world.graph.admit(&entry) {
                    // The parents of a fork were seen, too.
                    seen.admit(&entry).unwrap();
                    world.log.push(entry);
                }
            }
            homes.push((number, incarnation, seen));
        }
        world
    }

    fn random_body(&self, dice: &mut Dice, number: u8, people: u8, seen: &Graph) -> Body {
        let text = format!("{:x}", dice.next());
        let someone = u8::try_from(dice.below(usize::from(people))).unwrap();
        match dice.below(14) {
            0..4 => self.admit(number, someone),
            10 | 11 => Body::Promote(person(someone).key()),
            12 if dice.one_in(2) => remove(seen, someone),
            13 if dice.one_in(2) => Body::Revoke(dice.pick(&self.log).id()),
            4 => Body::Nickname(text),
            5 => Body::Invite(Invite { key: person(200).key(), expires_ms: None, uses: Some(3) }),
            6 if number > 0 && dice.one_in(2) => Body::Leave,
            _ => Body::Message(text),
        }
    }

    /// The log in another order in which causes come first.
    pub(crate) fn shuffled(&self, dice: &mut Dice) -> Vec<Entry> {
        let mut left: Vec<&Entry> = self.log.iter().collect();
        let mut arrived = std::collections::BTreeSet::new();
        let mut shuffled = Vec::new();
        while !left.is_empty() {
            let is_ready = |entry: &Entry| entry.record().parents().all(|id| arrived.contains(id));
            let ready: Vec<usize> = (0..left.len()).filter(|&index| is_ready(left[index])).collect();
            let entry = left.swap_remove(*dice.pick(&ready));
            arrived.insert(entry.id());
            shuffled.push(entry.clone());
        }
        shuffled
    }
}

/// The removal of someone by who has seen so much of them.
pub(crate) fn remove(seen: &Graph, who: u8) -> Body {
    let key = person(who).key();
    let mut tips = seen.tips_of(&key);
    tips.truncate(crate::limits::REMOVAL_SEEN_MAX);
    tips.sort_unstable();
    Body::Remove(Box::new(Remove { key, seen: tips }))
}

/// A record of a known kind.
pub(crate) fn record(
    chain: ChainId,
    previous: Option<(EntryId, u32)>,
    others: &[EntryId],
    claimed_ms: u64,
    body: &Body,
) -> Record {
    let (kind, body) = body.encode().unwrap();
    let mut dependencies = others.to_vec();
    dependencies.sort_unstable();
    Record {
        kind: kind.number(),
        chain,
        seq: previous.map_or(1, |(_, seq)| seq + 1),
        previous: previous.map(|(id, _)| id),
        dependencies,
        claimed_ms,
        body,
    }
}

/// The same, written after an earlier entry of the chain, or as another first one of it.
fn fork(dice: &mut Dice, record: Record, seen: &Graph) -> Record {
    let own = seen.chain_entries(&record.chain);
    if own.is_empty() {
        return record;
    }
    let previous = *dice.pick(&own);
    if dice.one_in(4) && record.kind != Kind::Room.number() {
        let dependencies = vec![seen.id(previous)];
        return Record { seq: 1, previous: None, dependencies, ..record };
    }
    Record {
        seq: seen.seq(previous) + 1,
        previous: Some(seen.id(previous)),
        dependencies: Vec::new(),
        ..record
    }
}
