//! Documents held against each other by Automerge itself.

use std::collections::BTreeSet;

use automerge::{AutoCommit, ChangeHash, ReadDoc as _};

use replica::entry::Body;
use replica_sync::sim::World;

use super::{Finding, History, name};

/// Each insider's documents are sound, say what was signed, and are everyone else's.
pub(super) fn check(world: &mut World, history: &History) -> Result<(), Finding> {
    let mut first: Option<(String, AutoCommit)> = None;
    for index in world.insiders() {
        let by = name(world, index);
        let texts = check_texts(world, index, history)?;
        let Some(archive) = world.replica_mut(index).archive_mut() else { return Err(Finding::Off { by }) };
        archive.verify().map_err(|error| Finding::Verify { by: by.clone(), error })?;
        let bytes = archive.export().map_err(|_| Finding::Export { by: by.clone() })?;
        let mut document = AutoCommit::load(&bytes).map_err(|_| Finding::Export { by: by.clone() })?;
        let exported: Option<Vec<String>> = rows(&document);
        if exported.is_none_or(|exported| exported.iter().rev().ne(&texts)) {
            return Err(Finding::Export { by });
        }
        let Some((one, merged)) = &mut first else {
            first = Some((by, document));
            continue;
        };
        let before = (heads(merged), merged.get_changes(&[]).len());
        let is_same = before.0 == heads(&mut document) && merged.merge(&mut document).is_ok();
        if !is_same || before != (heads(merged), merged.get_changes(&[]).len()) {
            return Err(Finding::Documents { one: one.clone(), other: by });
        }
    }
    Ok(())
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
