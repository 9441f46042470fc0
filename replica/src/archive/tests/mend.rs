use std::fs;
use std::path::PathBuf;

use tempfile::TempDir;

use super::*;
use crate::archive::mend::Mended;
use crate::store::SledStore;

/// A random conversation in a store on disk, committed some entries at a time and folded; what was written.
fn stored(world: &World, dice: &mut Dice) -> (TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("store");
    let (archive, _) = Archive::open_in(&path, world.room, FRESH, false).unwrap();
    let mut replica = Replica::new(world);
    replica.archive = archive;
    let mut rest = world.log.as_slice();
    while !rest.is_empty() {
        let (some, others) = rest.split_at(rest.len().min(1 + dice.below(4)));
        replica.commit(some).unwrap();
        rest = others;
    }
    while replica.archive.fold().unwrap() {}
    replica.archive.close().unwrap();
    (folder, path)
}

fn database(path: &std::path::Path) -> PathBuf {
    path.join("db")
}

/// Mends, and holds what is left against what was written.
fn check_mended(world: &World, path: &std::path::Path) -> Mended {
    let mended = mend(path, world.room).unwrap();
    let (mut archive, opened) = Archive::open_in(path, world.room, (StoreId([9; 16]), 77), false).unwrap();
    assert_eq!(opened.graph.len(), mended.kept);
    assert_eq!(
        (opened.notes.store, opened.notes.incarnation),
        (StoreId([9; 16]), 77),
        "the old names are kept"
    );
    assert_eq!(archive.verify().unwrap().entries, mended.kept);
    for at in 0..opened.graph.len() {
        assert!(world.graph.position(&opened.graph.id(at)).is_some(), "an entry that nobody wrote");
    }
    archive.close().unwrap();
    mended
}

#[test]
fn a_sound_store_is_mended_to_itself() {
    for seed in 0..4 {
        let mut dice = Dice(seed);
        let mut world = World::random(&mut dice, 4, 700, true);
        world.graph.settle(world.graph.len());
        let (_folder, path) = stored(&world, &mut dice);
        let mended = check_mended(&world, &path);
        assert_eq!((mended.kept as usize, mended.lost), (world.log.len(), Some(0)), "seed {seed}");
        let read = Archive::open_to_read(&path, world.room, FRESH).unwrap().1;
        assert!(read.graph.digest() == world.graph.digest(), "seed {seed}");
        assert!(mended.has_notes);
        drop(SledStore::open(&mended.aside).unwrap());
    }
}

#[test]
fn of_a_damaged_store_every_entry_that_verifies_is_kept() {
    let mut dice = Dice(7);
    let world = World::random(&mut dice, 4, 300, true);
    let (folder, path) = stored(&world, &mut dice);
    let bytes = fs::read(database(&path)).unwrap();
    let used = bytes.iter().rposition(|byte| *byte != 0).unwrap() + 1;
    let mut kept = Vec::new();
    for part in 0..16 {
        let at = part * used / 16;
        let copy = folder.path().join("copy");
        let mut bytes = bytes.clone();
        match part % 3 {
            0 => bytes.truncate(at),
            1 => bytes[at..at + 32].fill(0xff),
            _ => bytes[at..(at + 4096).min(used)].fill(0),
        }
        fs::create_dir(&copy).unwrap();
        fs::copy(path.join("conf"), copy.join("conf")).unwrap();
        fs::copy(path.join("witness"), copy.join("witness")).unwrap();
        fs::write(database(&copy), &bytes).unwrap();
        let mended = check_mended(&world, &copy);
        assert!(fs::read(database(&mended.aside)).unwrap() == bytes, "the damaged one is not what it was");
        kept.push(mended.kept as usize);
        fs::remove_dir_all(&copy).unwrap();
        fs::remove_dir_all(mended.aside).unwrap();
    }
    assert!(kept.iter().any(|kept| *kept < world.log.len()), "no damage was done: {kept:?}");
    let most = kept.iter().filter(|kept| **kept * 2 > world.log.len()).count();
    assert!(most * 2 > kept.len(), "too little was kept: {kept:?} of {}", world.log.len());
}

#[test]
fn drafts_come_along_and_what_was_said_of_other_stores_does_not() {
    let mut dice = Dice(3);
    let world = World::random(&mut dice, 2, 20, false);
    let (_folder, path) = stored(&world, &mut dice);
    let (mut archive, _) = Archive::open_in(&path, world.room, FRESH, false).unwrap();
    let draft = Draft { written_ms: 5, text: "later".to_owned() };
    let peer = (chain(1, 1).author, StoreId([3; 16]));
    let met = Met { entries: 3, digest: crate::id::Digest([1; 32]), told: 2 };
    let whereabouts = BTreeMap::from([(peer, Some(vec![1, 2, 3]))]);
    let batch = Batch {
        drafts: vec![(7, draft.clone())],
        met: vec![(peer, Some(met))],
        whereabouts,
        ..Batch::default()
    };
    archive.commit(&batch).unwrap();
    archive.close().unwrap();
    check_mended(&world, &path);
    let (_, opened) = Archive::open_in(&path, world.room, FRESH, false).unwrap();
    assert_eq!(opened.notes.drafts, BTreeMap::from([(7, draft)]));
    assert_eq!(opened.notes.whereabouts, BTreeMap::from([(peer, vec![1, 2, 3])]));
    assert!(opened.notes.met.is_empty());
}
