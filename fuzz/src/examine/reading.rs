//! What people read over time: rows come in between, and nothing else ever changes.

use std::collections::BTreeMap;

use replica::id::EntryId;
use replica::order::OrderKey;
use replica_sync::sim::World;

use super::{Finding, History, name, row_ids, unheard};

/// What was read, and by whom.
#[derive(Debug, Default)]
pub(super) struct Readings {
    taken: Vec<(usize, Vec<EntryId>)>,
    steps: usize,
}

impl Readings {
    /// Has one replica's rows read, each step another's.
    pub(super) fn take(&mut self, world: &mut World) {
        let index = self.steps % world.replicas().len();
        self.steps += 1;
        if world.replicas()[index].engine.is_some() {
            self.taken.push((index, row_ids(world, index)));
        }
    }

    /// Holds what was read against the order that all entries have by the rule.
    pub(super) fn check(&self, world: &mut World, history: &History) -> Result<(), Finding> {
        let place = places(&history.order());
        let unheard = unheard(world, history);
        for (index, rows) in &self.taken {
            let replica = &world.replicas()[*index];
            let places: Vec<Option<&usize>> = rows.iter().map(|id| place.get(id)).collect();
            let is_heard = !replica.is_restored && !unheard.contains(index);
            let is_there = !is_heard || places.iter().all(Option::is_some);
            if !is_there || !places.iter().flatten().is_sorted() {
                return Err(Finding::Swapped { by: replica.name.clone() });
            }
        }
        check_announcements(world)
    }
}

fn places(order: &[EntryId]) -> BTreeMap<EntryId, usize> {
    order.iter().enumerate().map(|(at, id)| (*id, at)).collect()
}

/// Every insider's rows stand as the rule says, causes before effects.
pub(super) fn check_order(world: &mut World, history: &History) -> Result<(), Finding> {
    let order = history.order();
    let place = places(&order);
    for entry in history.entries() {
        let effect = entry.id();
        if entry.record().parents().any(|cause| place[cause] >= place[&effect]) {
            return Err(Finding::EffectFirst { effect });
        }
    }
    for index in world.insiders() {
        let rows = row_ids(world, index);
        if rows != order {
            let at = rows.iter().zip(&order).take_while(|(row, expected)| row == expected).count();
            return Err(Finding::Order { by: name(world, index), at });
        }
    }
    Ok(())
}

/// Each row was announced with the number of rows behind it. Only of replicas that never stopped: what others had when
/// they started was not announced.
fn check_announcements(world: &World) -> Result<(), Finding> {
    for replica in world.replicas().iter().filter(|replica| replica.restarts() == 0) {
        let mut shown: Vec<OrderKey> = Vec::new();
        for row in &replica.shown {
            let at = shown.partition_point(|key| *key < row.key);
            let counted = shown.len() - at;
            if row.rows_after as usize != counted {
                let (by, id, told) = (replica.name.clone(), row.id, row.rows_after);
                return Err(Finding::RowsAfter { by, id, told, counted });
            }
            shown.insert(at, row.key);
        }
    }
    Ok(())
}
