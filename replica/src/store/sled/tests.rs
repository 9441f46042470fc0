use std::path::PathBuf;

use tempfile::TempDir;

use super::*;
use crate::store::log::tests::{append, check_blocks, filled};
use crate::store::saved::{self, Saved};
use crate::store::tests::{put_row, rows};
use crate::store::{BlockNumber, Log};

/// An empty folder, and the path in it where a store goes.
fn place() -> (TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let store = folder.path().join("store");
    (folder, store)
}

fn copy(from: &Path) -> (TempDir, PathBuf) {
    let (folder, path) = place();
    fs::create_dir(&path).unwrap();
    repair::copy_files(from, &path).unwrap();
    (folder, path)
}

fn names(folder: &Path) -> Vec<String> {
    let names = fs::read_dir(folder).unwrap().map(|file| file.unwrap().file_name().into_string().unwrap());
    let mut names: Vec<_> = names.collect();
    names.sort();
    names
}

fn snapshot(folder: &Path) -> PathBuf {
    folder.join(
        names(folder).into_iter().find(|name| name.starts_with("snap.")).expect("a reopened store has one"),
    )
}

static DOCUMENT: [u8; 30_000] = [0x5a; 30_000];

/// A store with a log and a document that was closed and opened a few times, closed.
fn closed_store(blocks: u32) -> (TempDir, PathBuf) {
    let (folder, path) = place();
    for round in 0..3 {
        let mut store = SledStore::open(&path).unwrap();
        let mut log = Log::open(&store).unwrap();
        for n in blocks * round / 3..blocks * (round + 1) / 3 {
            append(&mut log, &mut store, n).unwrap();
        }
        saved::save(&mut store, b"week", &DOCUMENT, round).unwrap();
        Box::new(store).close().unwrap();
    }
    (folder, path)
}

#[test]
fn what_was_committed_is_there_after_closing_and_after_dropping() {
    let (_folder, path) = place();
    filled(&mut SledStore::open(&path).unwrap(), 10);
    let store = SledStore::open(&path).unwrap();
    assert_eq!(check_blocks(&Log::open(&store).unwrap(), &store), 10);
    Box::new(store).close().unwrap();
    let store = SledStore::open(&path).unwrap();
    assert_eq!(check_blocks(&Log::open(&store).unwrap(), &store), 10);
}

#[test]
fn a_second_opener_is_told_that_the_store_is_in_use() {
    let (_folder, path) = place();
    let _store = SledStore::open(&path).unwrap();
    assert!(matches!(SledStore::open(&path), Err(StoreError::Locked)));
}

#[test]
fn large_values_never_go_to_blob_files() {
    let (_folder, path) = place();
    let mut store = SledStore::open(&path).unwrap();
    filled(&mut store, 40);
    for n in 0..200_u32 {
        let key = [b"m".as_slice(), &n.to_be_bytes()].concat();
        store.commit(&[put_row(&key, &[7; crate::limits::STORE_VALUE_BYTES_MAX])]).unwrap();
    }
    assert_eq!(names(&path.join("blobs")), Vec::<String>::new());
}

#[test]
fn a_snapshot_that_was_being_written_does_not_keep_the_store_shut() {
    let (_folder, path) = closed_store(12);
    fs::write(path.join("snap.FFFFFFFFFFFFFFFF.generating"), b"half").unwrap();
    let store = SledStore::open(&path).unwrap();
    assert_eq!(check_blocks(&Log::open(&store).unwrap(), &store), 12);
}

#[test]
fn a_failed_sync_latches() {
    let (_folder, path) = place();
    let mut store = SledStore::open(&path).unwrap();
    store.commit(&[put_row(b"m1", b"")]).unwrap();
    let (reader, _writer) = io::pipe().unwrap();
    store.file = File::from(std::os::fd::OwnedFd::from(reader));
    assert!(
        matches!(store.commit(&[put_row(b"m2", b"")]), Err(StoreError::Io(_))),
        "a pipe cannot be synced"
    );
    assert!(matches!(store.commit(&[put_row(b"m3", b"")]), Err(StoreError::Failed)));
    assert!(store.get(b"m1").unwrap().is_some(), "reading goes on");
    assert!(Box::new(store).close().is_err());
}

#[test]
fn a_panic_within_is_damage_and_latches() {
    let (_folder, path) = place();
    let mut store = SledStore::open(&path).unwrap();
    let panicked: Result<(), _> = store.latching(|| panic!("as sled does"));
    assert!(matches!(panicked, Err(StoreError::Damaged(Damage::Files))));
    assert!(matches!(store.commit(&[put_row(b"m", b"")]), Err(StoreError::Failed)));
}

#[test]
fn a_database_that_is_behind_its_witness_is_damaged() {
    let (_folder, path) = closed_store(12);
    let (_other, older) = copy(&path);
    let mut store = SledStore::open(&path).unwrap();
    filled(&mut store, 0);
    (0..3).for_each(|n| store.commit(&[put_row(b"m", &[n])]).unwrap());
    drop(store);
    fs::copy(path.join(WITNESS_FILE), older.join(WITNESS_FILE)).unwrap();
    let refused = SledStore::open(&older).map(drop);
    assert!(matches!(refused, Err(StoreError::Damaged(Damage::Behind { lost: 3 }))));
}

#[test]
fn a_witness_that_is_behind_or_gone_is_no_damage() {
    let (_folder, path) = closed_store(12);
    fs::write(path.join(WITNESS_FILE), b"torn").unwrap();
    drop(SledStore::open(&path).unwrap());
    fs::remove_file(path.join(WITNESS_FILE)).unwrap();
    let store = SledStore::open(&path).unwrap();
    assert_eq!(check_blocks(&Log::open(&store).unwrap(), &store), 12);
}

#[test]
fn a_copy_without_its_broken_snapshot_is_read_and_the_original_left() {
    let (_folder, path) = closed_store(12);
    fs::write(snapshot(&path), b"broken").unwrap();
    assert!(matches!(SledStore::open(&path).map(drop), Err(StoreError::Damaged(Damage::Files))));
    let store = open_copy(&path, &path.with_file_name("copy")).unwrap();
    assert_eq!(check_blocks(&Log::open(&store).unwrap(), &store), 12);
    assert_eq!(fs::read(snapshot(&path)).unwrap(), b"broken");
}

#[test]
fn what_is_exchanged_is_kept_aside_each_time_under_another_name() {
    let (folder, path) = place();
    for number in 1..4 {
        fs::create_dir_all(&path).unwrap();
        fs::write(path.join("old"), [number]).unwrap();
        let new = folder.path().join("new");
        fs::create_dir(&new).unwrap();
        let aside = exchange(&path, &new).unwrap();
        assert_eq!(aside.file_name().unwrap().to_str().unwrap(), format!("store.damaged-{number}"));
        assert_eq!(fs::read(aside.join("old")).unwrap(), [number]);
        assert!(path.exists() && !path.join("old").exists() && !new.exists());
    }
}

#[test]
fn a_database_that_is_gone_is_not_made_anew() {
    let (_folder, path) = closed_store(12);
    fs::remove_file(path.join(DATABASE_FILE)).unwrap();
    let refused = SledStore::open(&path).map(drop);
    assert!(matches!(refused, Err(StoreError::Damaged(Damage::Gone(DATABASE_FILE)))), "{refused:?}");
    assert!(!path.join(DATABASE_FILE).exists());
}

#[test]
fn a_segment_whose_header_is_damaged_is_not_taken_for_a_free_one() {
    let (_folder, path) = closed_store(12);
    let mut bytes = fs::read(path.join(DATABASE_FILE)).unwrap();
    bytes[7] ^= 1;
    fs::write(path.join(DATABASE_FILE), &bytes).unwrap();
    assert!(matches!(SledStore::open(&path).map(drop), Err(StoreError::Damaged(Damage::Files))));
    assert_eq!(fs::read(path.join(DATABASE_FILE)).unwrap(), bytes);
}

#[test]
fn every_segment_that_is_there_in_full_is_looked_at() {
    let (_folder, path) = place();
    fs::create_dir(&path).unwrap();
    let is_sound = |bytes: &[u8]| {
        fs::write(path.join(DATABASE_FILE), bytes).unwrap();
        match check_segments(&path) {
            Err(StoreError::Damaged(Damage::Files)) => false,
            checked => checked.map(|()| true).unwrap(),
        }
    };
    let fields = [7; SEGMENT_HEADER_BYTES - 4];
    let sound = [(!crc32fast::hash(&fields)).to_le_bytes().as_slice(), &fields].concat();
    let (free, damaged) = ([0; SEGMENT_HEADER_BYTES], [9; SEGMENT_HEADER_BYTES]);
    let full = |header: &[u8]| {
        let mut segment = header.to_vec();
        segment.resize(SEGMENT_BYTES, 1);
        segment
    };
    assert!(is_sound(b"") && is_sound(&sound) && is_sound(&free));
    assert!(is_sound(&[full(&sound), full(&free), full(&sound)].concat()));
    assert!(!is_sound(&[full(&sound), full(&free), full(&damaged)].concat()));
    assert!(!is_sound(&[full(&sound), damaged.to_vec()].concat()), "a header alone is looked at");
    assert!(is_sound(&[full(&sound), damaged[1..].to_vec()].concat()), "less than a header is nothing yet");
}

#[test]
fn a_store_that_was_never_written_to_may_lack_its_database() {
    let (_folder, path) = place();
    fs::create_dir(&path).unwrap();
    fs::write(path.join(WITNESS_FILE), b"").unwrap();
    check_segments(&path).unwrap();
}

#[test]
fn a_database_that_cannot_be_opened_is_not_taken_for_a_missing_one() {
    let (_folder, path) = place();
    fs::create_dir(&path).unwrap();
    std::os::unix::fs::symlink(DATABASE_FILE, path.join(DATABASE_FILE)).unwrap();
    assert!(matches!(check_segments(&path), Err(StoreError::Io(_))));
    assert!(matches!(await_lock(&path), Err(StoreError::Io(_))));
    assert!(read_database(&path).is_err());
    assert!(read_database(&path.join("nowhere")).unwrap().is_empty());
}

#[test]
#[cfg(target_os = "linux")]
fn a_witness_that_cannot_be_read_is_not_taken_for_an_empty_one() {
    let (_folder, path) = place();
    fs::create_dir(&path).unwrap();
    // Nothing is at the beginning of a program's memory.
    std::os::unix::fs::symlink("/proc/self/mem", path.join(WITNESS_FILE)).unwrap();
    open_witness(&path).unwrap_err();
}

#[test]
fn what_is_not_there_is_nothing_and_what_cannot_be_looked_at_is_an_error() {
    let (folder, missing) = place();
    Before::read(&missing).unwrap().put_back().unwrap();
    remove(&missing).unwrap();
    exchange(&missing.join("store"), &missing).unwrap_err();
    let file = folder.path().join("file");
    fs::write(&file, b"").unwrap();
    Before::read(&file).unwrap_err();
    remove(&file.join("store")).unwrap_err();
    fs::create_dir_all(missing.join(DATABASE_FILE)).unwrap();
    read_database(&missing).unwrap_err();
}

#[test]
fn a_file_that_ends_too_soon_is_damage_and_a_failing_disk_is_not() {
    let refuse = |kind: io::ErrorKind| refused(sled::Error::Io(kind.into()));
    assert!(matches!(refuse(io::ErrorKind::UnexpectedEof), StoreError::Damaged(Damage::Files)));
    assert!(matches!(refuse(io::ErrorKind::StorageFull), StoreError::Io(_)));
    assert!(matches!(refused(sled::Error::ReportableBug(String::new())), StoreError::Damaged(Damage::Files)));
}

#[test]
fn opening_what_is_damaged_can_be_undone() {
    let (_folder, path) = closed_store(12);
    let database = path.join(DATABASE_FILE);
    let mut bytes = fs::read(&database).unwrap();
    let used = bytes.iter().rposition(|byte| *byte != 0).unwrap();
    bytes[used / 2] ^= 1;
    fs::write(&database, &bytes).unwrap();
    let (before, all) = (Before::read(&path).unwrap(), names(&path));
    drop(SledStore::open(&path));
    // How much of it sled looks at, and so clears, differs from run to run: this is the worst that it does.
    let cleared = [&bytes[..used / 2], &vec![0; bytes.len() - used / 2]].concat();
    fs::write(&database, cleared).unwrap();
    fs::remove_file(path.join("conf")).unwrap();
    fs::write(path.join("something new"), b"").unwrap();
    before.put_back().unwrap();
    assert!(fs::read(&database).unwrap() == bytes);
    assert_eq!(names(&path), all);
}

/// Opens a damaged folder. Either something says that it is damaged, or everything is as it was.
fn check_damaged(path: &Path, blocks: u32, damage: &str) -> bool {
    let is_damaged = |error: StoreError| match error {
        StoreError::Damaged(_) => true,
        error => panic!("{damage}: {error:?}"),
    };
    let looked = || -> Result<(), StoreError> {
        let store = SledStore::open(path)?;
        let log = Log::open(&store)?;
        assert_eq!(log.blocks(), blocks, "{damage}: silently shorter");
        log.verify(&store)?;
        check_blocks(&log, &store);
        match saved::load(&store, b"week")? {
            Saved::Document { bytes, .. } => assert_eq!(bytes, DOCUMENT, "{damage}"),
            Saved::Damaged => return Err(Damage::Row("saved").into()),
            Saved::Absent => panic!("{damage}: a document is silently gone"),
        }
        for row in store.scan(b"") {
            row?;
        }
        Ok(())
    };
    looked().is_err_and(is_damaged)
}

/// Damages a fresh copy of each file in `count` places.
fn check_files(count: u64, damage: impl Fn(&mut Vec<u8>, usize)) {
    let (_folder, path) = closed_store(30);
    let mut noticed = 0;
    for name in ["conf", "db", "snap.", WITNESS_FILE] {
        for n in 0..count {
            let (_other, copy) = copy(&path);
            let file = if name == "snap." { snapshot(&copy) } else { copy.join(name) };
            let mut bytes = fs::read(&file).unwrap();
            // Spread over what is used; a database's file ends in zeros.
            let used = bytes.iter().rposition(|byte| *byte != 0).unwrap() + 1;
            let at = usize::try_from(n).unwrap() * used / usize::try_from(count).unwrap();
            damage(&mut bytes, at);
            fs::write(&file, bytes).unwrap();
            noticed += usize::from(check_damaged(&copy, 30, &format!("{name} at {at}")));
        }
    }
    assert!(noticed > 0, "no damage was noticed, so none was done");
}

#[test]
fn a_truncated_file_is_noticed_or_does_no_harm() {
    check_files(24, |bytes, at| bytes.truncate(at));
}

#[test]
fn a_flipped_bit_is_noticed_or_does_no_harm() {
    check_files(40, |bytes, at| bytes[at] ^= 1 << (at % 8));
}

#[test]
fn a_zeroed_page_is_noticed_or_does_no_harm() {
    check_files(24, |bytes, at| {
        let end = bytes.len().min(at + 4096);
        bytes[at..end].fill(0);
    });
}

#[test]
fn every_number_of_a_block_survives_many_small_commits() {
    let (_folder, path) = place();
    let mut store = SledStore::open(&path).unwrap();
    let mut log = Log::open(&store).unwrap();
    for n in 0..300_u32 {
        let mut writes = Vec::new();
        log.stage(&n.to_be_bytes(), 1, &mut writes).unwrap();
        store.commit(&writes).unwrap();
    }
    drop(store);
    let store = SledStore::open(&path).unwrap();
    assert_eq!(Log::open(&store).unwrap(), log);
    let read = (0..300).map(|n| log.read(&store, BlockNumber(n)).unwrap());
    assert!(read.zip(0_u32..).all(|(block, n)| block == n.to_be_bytes()));
    assert_eq!(rows(&store, b"i").len(), 300);
}
