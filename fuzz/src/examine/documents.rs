//! Documents held against each other by Automerge itself.

use std::collections::BTreeSet;

use automerge::{AutoCommit, ChangeHash, ReadDoc as _};

use replica::entry::Body;
use replica_sync::sim::World;

use super::{Finding, History, name};

/// Each insider's documents are everyone else's, and say what was signed. What takes long is asked of one of them only,
/// another one each time, and held against the first.
pub(super) fn check(world: &mut World, history: &History) -> Result<(), Finding> {
    let insiders: Vec<usize> = world.insiders().into_iter().collect();
    let Some(&first) = insiders.first() else { return Ok(()) };
    let mut heads = None;
    for &index in &insiders {
        let by = name(world, index);
        let Some(archive) = world.replica_mut(index).archive_mut() else { return Err(Finding::Off { by }) };
        let its = archive
            .document_heads()
            .map_err(|error| Finding::Verify { by: by.clone(), error: error.into() })?;
        if *heads.get_or_insert_with(|| its.clone()) != its {
            return Err(Finding::Documents { one: name(world, first), other: by });
        }
        check_texts(world, index, history)?;
    }
    let other = insiders[history.entries().len() % insiders.len()];
    let mut one = exported(world, first, history)?;
    let mut two = exported(world, other, history)?;
    let before = (self::heads(&mut one), one.get_changes(&[]).len());
    let is_same = before.0 == self::heads(&mut two) && one.merge(&mut two).is_ok();
    if !is_same || before != (self::heads(&mut one), one.get_changes(&[]).len()) {
        return Err(Finding::Documents { one: name(world, first), other: name(world, other) });
    }
    let by = name(world, other);
    let Some(archive) = world.replica_mut(other).archive_mut() else { return Err(Finding::Off { by }) };
    archive.verify().map_err(|error| Finding::Verify { by, error }).map(|_| ())
}

/// What a replica exports, opened by Automerge: its keys in ascending order are the rows, newest first.
fn exported(world: &mut World, index: usize, history: &History) -> Result<AutoCommit, Finding> {
    let by = name(world, index);
    let texts = check_texts(world, index, history)?;
    let Some(archive) = world.replica_mut(index).archive_mut() else { return Err(Finding::Off { by }) };
    let bytes = archive.export().map_err(|_| Finding::Export { by: by.clone() })?;
    let document = AutoCommit::load(&bytes).map_err(|_| Finding::Export { by: by.clone() })?;
    if rows(&document).is_none_or(|rows| rows.iter().rev().ne(&texts)) {
        return Err(Finding::Export { by });
    }
    Ok(document)
}

/// The texts that a replica reads, oldest first; those of messages are what their authors signed.
fn check_texts(world: &mut World, index: usize, history: &History) -> Result<Vec<String>, Finding> {
    let rows = world.replica_mut(index).rows();
    for row in &rows {
        let signed = history.entry(&row.id).map(|entry| entry.body());
        if let Some(Body::Message(text)) = signed
            && text != row.text
        {
            return Err(Finding::Text { by: name(world, index), id: row.id });
        }
    }
    Ok(rows.into_iter().map(|row| row.text).collect())
}

fn heads(document: &mut AutoCommit) -> BTreeSet<ChangeHash> {
    document.get_heads().into_iter().collect()
}

/// The values of a document's keys in ascending order.
fn rows(document: &AutoCommit) -> Option<Vec<String>> {
    let values = document.map_range(automerge::ROOT, ..).map(|item| item.value.into_value());
    values.map(|value| Some(value.into_scalar().ok()?.as_str()?.to_owned())).collect()
}
