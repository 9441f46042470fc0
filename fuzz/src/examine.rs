//! A script run to its end, and everything that must hold then.

use std::collections::{BTreeMap, BTreeSet};

use replica::id::{EntryId, StoreId};
use replica_sync::engine::{Event, Standing};
use replica_sync::limits::MESH_MEMBERS_MAX;
use replica_sync::sim::{self, ScriptError, World};

use crate::naive::History;

mod documents;
mod finding;
mod reading;
mod shrink;
#[cfg(test)]
mod tests;

pub use finding::Finding;
pub use shrink::shrink;

use reading::Readings;

/// How long a world may take after it agrees until all who should be connected are, in virtual milliseconds: two
/// of the longest pauses between dials.
const CONNECT_MS: u64 = 60_000;

/// How often two that have nothing to say to each other may connect in [`REST_MS`]: each of them with pauses that double,
/// one of them perhaps from the first on.
const GREETINGS_MAX: u64 = 12;

/// How long nothing may be sent then but signs of life.
const REST_MS: u64 = 20_000;

/// Runs a script, ends all faults, waits for rest and looks at everything.
///
/// # Errors
/// The first thing that is not as it should be.
pub fn examine(seed: u64, script: &str) -> Result<(), Finding> {
    let mut world = sim::begin(seed, script);
    let mut readings = Readings::default();
    for step in sim::steps(script) {
        match world.step(step) {
            Ok(()) => {}
            Err(ScriptError::Step(step)) => return Err(Finding::Step(step)),
            Err(_) => return Err(Finding::Unsettled),
        }
        readings.take(&mut world);
    }
    world.mend();
    if !world.settle() {
        return Err(Finding::Unsettled);
    }
    check_rest(&mut world)?;
    check_frames(&world, script)?;
    let Some(history) = agreed(&mut world)? else { return Ok(()) };
    check_losses(&world, &history)?;
    check_once(&world, &history)?;
    check_forks(&world)?;
    readings.check(&mut world, &history)
}

/// Holds all insiders against each other and against what their entries make by the naive rules: the same entries in
/// the right order, the same people, the same documents. Answers the entries; none if nobody is left in the room.
///
/// # Errors
/// The first thing that differs.
pub fn agreed(world: &mut World) -> Result<Option<History>, Finding> {
    let mut histories = check_entries(world)?;
    let Some((_, history)) = histories.pop_first() else { return Ok(None) };
    check_people(world, &history)?;
    reading::check_order(world, &history)?;
    documents::check(world, &history)?;
    Ok(Some(history))
}

/// The name of a replica.
fn name(world: &World, index: usize) -> String {
    world.replicas()[index].name.clone()
}

/// Everyone finds everyone, all say that they agree, and then only signs of life are sent.
fn check_rest(world: &mut World) -> Result<(), Finding> {
    world.pass(CONNECT_MS);
    let before = world.traffic().clone();
    world.pass(REST_MS);
    let insiders = world.insiders();
    for (&(one, other), after) in world.traffic() {
        let before = before.get(&(one, other)).copied().unwrap_or_default();
        let frames = after.asking + after.telling - before.asking - before.telling;
        let greetings = after.greeting - before.greeting;
        if insiders.contains(&one) && insiders.contains(&other) && frames > 0 || greetings > GREETINGS_MAX {
            let (by, to) = (name(world, one), name(world, other));
            return Err(Finding::Restless { by, to, frames, greetings });
        }
    }
    check_links(world, &insiders)
}

/// All say of all that they agree. Where there are too many for that, nobody disagrees with anyone, and who agrees with
/// whom holds all together.
fn check_links(world: &World, insiders: &BTreeSet<usize>) -> Result<(), Finding> {
    let engine = |index: usize| world.replicas()[index].engine.as_ref();
    let store = |index: usize| engine(index).map(|engine| engine.conversation().store());
    // Who goes on from an old copy does so under another name, and counts twice until the old connections are known to be
    // dead.
    let restored = world.replicas().iter().filter(|replica| replica.is_restored).count();
    let is_mesh = world.replicas().len() + restored <= MESH_MEMBERS_MAX;
    let mut agreeing: BTreeMap<usize, BTreeSet<usize>> = BTreeMap::new();
    for &one in insiders {
        let Some(here) = engine(one) else { return Err(Finding::Off { by: name(world, one) }) };
        let peers: BTreeMap<Option<StoreId>, Standing> =
            here.peers().into_iter().map(|peer| (peer.store, peer.standing)).collect();
        for &other in insiders.iter().filter(|other| **other != one) {
            match peers.get(&store(other)).copied() {
                Some(Standing::Agreed) => _ = agreeing.entry(one).or_default().insert(other),
                None | Some(Standing::Connecting) if !is_mesh => {}
                standing => {
                    let (by, of) = (name(world, one), name(world, other));
                    return Err(Finding::Standing { by, of, standing });
                }
            }
        }
    }
    let mut reached: BTreeSet<usize> = BTreeSet::new();
    let mut open: Vec<usize> = insiders.first().copied().into_iter().collect();
    while let Some(one) = open.pop() {
        if reached.insert(one) {
            open.extend(agreeing.get(&one).into_iter().flatten());
        }
    }
    match insiders.difference(&reached).next() {
        Some(&alone) => Err(Finding::Apart { of: name(world, alone) }),
        None => Ok(()),
    }
}

/// Nothing was told before it was durable, and nobody was accused who did nothing.
fn check_frames(world: &World, script: &str) -> Result<(), Finding> {
    if let Some((by, id)) = world.told_too_early().first() {
        return Err(Finding::ToldTooEarly { by: name(world, *by), id: *id });
    }
    if script.contains("garble") {
        return Ok(());
    }
    for replica in world.replicas() {
        for event in &replica.told {
            if let Event::Offence { address, text, .. } = event {
                let (by, of) = (replica.name.clone(), address.clone());
                return Err(Finding::Accused { by, of, text: text.clone() });
            }
        }
    }
    Ok(())
}

/// Every insider has the same entries, each of a member.
fn check_entries(world: &mut World) -> Result<BTreeMap<usize, History>, Finding> {
    let mut histories: BTreeMap<usize, History> = BTreeMap::new();
    for index in world.insiders() {
        let history = History::of_log(world.replica_mut(index));
        let history = history.ok_or_else(|| Finding::Unreadable { by: name(world, index) })?;
        if let Some(id) = history.intruder() {
            return Err(Finding::Intruder { by: name(world, index), id });
        }
        if let Some((first, other)) = histories.first_key_value()
            && let Some(id) = history.ids().symmetric_difference(&other.ids()).next()
        {
            return Err(Finding::Entries { one: name(world, *first), other: name(world, index), id: *id });
        }
        histories.insert(index, history);
    }
    Ok(histories)
}

/// The replicas that nobody inside listens to any more: of who was removed, and of who left and knows nobody who is in.
fn unheard(world: &World, history: &History) -> BTreeSet<usize> {
    let (removed, insiders) = (history.removed(), world.insiders());
    let is_unheard = |at: &usize| removed.contains(&world.author(*at)) || !world.is_heard(*at, &insiders);
    (0..world.replicas().len()).filter(is_unheard).collect()
}

/// What anyone was told is durable is still there, at home at least if nobody inside listens to that one any more; what
/// was kept as a draft became an entry once it could.
fn check_losses(world: &World, history: &History) -> Result<(), Finding> {
    let unheard = unheard(world, history);
    let is_at_home = |index: usize, id: &EntryId| {
        let engine = world.replicas()[index].engine.as_ref();
        engine.is_some_and(|engine| engine.conversation().graph().position(id).is_some())
    };
    for (index, id) in world.acknowledged() {
        let is_kept = history.entry(&id).is_some() || unheard.contains(&index) && is_at_home(index, &id);
        if !is_kept {
            return Err(Finding::Lost { by: name(world, index), id });
        }
    }
    let written = |text: &str, ms: u64| {
        history
            .entries()
            .iter()
            .any(|entry| entry.record().claimed_ms == ms && entry.record().body == text.as_bytes())
    };
    for index in world.insiders() {
        let replica = &world.replicas()[index];
        let is_member = history.members().contains_key(&world.author(index));
        if replica.is_restored || !is_member {
            continue;
        }
        for event in &replica.told {
            if let Event::Draft { draft, .. } = event
                && !written(&draft.text, draft.written_ms)
            {
                return Err(Finding::DraftLost { by: replica.name.clone(), text: draft.text.clone() });
            }
        }
    }
    Ok(())
}

/// No two entries say the same thing said once.
fn check_once(world: &World, history: &History) -> Result<(), Finding> {
    if world.replicas().iter().any(|replica| replica.is_restored) {
        return Ok(());
    }
    let mut said = BTreeSet::new();
    for entry in history.entries() {
        let record = entry.record();
        let is_counted = record.kind == replica::entry::Kind::Message.number();
        let number_of = |text: &str| text.contains(" of ");
        let text = String::from_utf8_lossy(&record.body).into_owned();
        if is_counted && !number_of(&text) && !said.insert(text.clone()) {
            return Err(Finding::SaidTwice { text });
        }
    }
    Ok(())
}

/// No chain forks, unless its home went on from an old copy; and all see the same forks.
fn check_forks(world: &World) -> Result<(), Finding> {
    let restored: BTreeSet<_> = (0..world.replicas().len())
        .filter(|at| world.replicas()[*at].is_restored)
        .map(|at| world.author(at))
        .collect();
    for replica in world.replicas() {
        let Some(engine) = &replica.engine else { continue };
        for (chain, _) in engine.conversation().graph().forked() {
            if !restored.contains(&chain.author) {
                return Err(Finding::Forked { by: replica.name.clone() });
            }
        }
    }
    Ok(())
}

/// All insiders know the same members by the same names, and they are those that the entries make.
fn check_people(world: &World, history: &History) -> Result<(), Finding> {
    let expected = history.members();
    let authors: BTreeSet<_> = (0..world.replicas().len()).map(|index| world.author(index)).collect();
    for index in world.insiders() {
        let Some(engine) = &world.replicas()[index].engine else { continue };
        let (graph, members) = (engine.conversation().graph(), engine.conversation().members());
        for author in &authors {
            let name = expected.get(author).cloned();
            let is_same_name = name.as_ref().is_none_or(|name| members.name(author) == name.as_deref());
            if graph.is_member(author) != name.is_some() || !is_same_name {
                return Err(Finding::People { by: world.replicas()[index].name.clone(), author: *author });
            }
        }
    }
    Ok(())
}

/// The ids of a replica's rows, oldest first.
fn row_ids(world: &mut World, index: usize) -> Vec<EntryId> {
    world.replica_mut(index).rows().into_iter().map(|row| row.id).collect()
}
