use std::os::unix::fs::PermissionsExt as _;

use tempfile::TempDir;

use super::*;

/// A folder, and the path in it where a home goes.
fn place() -> (TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let home = folder.path().join("home");
    (folder, home)
}

fn room(n: u8) -> RoomState {
    RoomState {
        id: RoomId([n; 32]),
        name: "home".to_owned(),
        secret: Secret([n; 32]),
        invite_secret: Some(Secret([0xab; 32])),
        renew: false,
        peers: vec!["192.0.2.7:7400".to_owned()],
    }
}

/// A closed home with one room in it; who its owner is.
fn used_home(path: &Path) -> Identity {
    let mut home = Home::open(path).unwrap();
    home.change(|state| {
        state.nick = Some("ann".to_owned());
        state.current_room = Some(room(1).id);
        state.rooms.push(room(1));
    })
    .unwrap();
    home.identity().clone()
}

/// Copies the files of a home that has no rooms' folders.
fn copy(from: &Path, to: &Path) {
    DirBuilder::new().mode(0o700).create(to).unwrap();
    for file in fs::read_dir(from).unwrap() {
        let file = file.unwrap();
        fs::copy(file.path(), to.join(file.file_name())).unwrap();
    }
}

/// Waits until files get a later time than the home's marker has: a file system's clock is coarse.
fn wait_for_a_later_time(home: &Path) {
    let time = |path: &Path| fs::metadata(path).map(|data| (data.ctime(), data.ctime_nsec())).unwrap();
    let (marker, probe) = (time(&home.join("marker")), home.with_extension("probe"));
    let touch = || fs::write(&probe, b"").map(|()| time(&probe)).unwrap();
    while touch() == marker {}
}

fn mode(path: &Path) -> u32 {
    fs::metadata(path).unwrap().mode() & 0o777
}

#[test]
fn only_the_owner_can_read_a_home() {
    let (_folder, path) = place();
    used_home(&path);
    assert_eq!(mode(&path), 0o700);
    for file in ["identity", "state.json", "lock", "marker"] {
        assert_eq!(mode(&path.join(file)), 0o600, "{file}");
    }
}

#[test]
fn a_home_comes_back_as_it_was_left() {
    let (_folder, path) = place();
    let owner = used_home(&path);
    let home = Home::open(&path).unwrap();
    assert_eq!(home.identity().key(), owner.key());
    assert_eq!(home.state().rooms, [room(1)]);
    assert_eq!(home.state().room(&room(1).id), Some(&room(1)));
    assert_eq!((home.state().nick.as_deref(), home.state().current_room), (Some("ann"), Some(room(1).id)));
}

#[test]
fn a_second_opener_is_told_who_holds_the_home() {
    let (_folder, path) = place();
    let home = Home::open(&path).unwrap();
    let own = std::process::id();
    assert!(matches!(Home::open(&path), Err(HomeError::Locked { pid: Some(pid) }) if pid == own));
    drop(home);
    Home::open(&path).unwrap();
}

#[test]
fn a_key_that_others_can_read_is_refused_with_the_remedy() {
    let (_folder, path) = place();
    used_home(&path);
    let identity = path.join("identity");
    fs::set_permissions(&identity, fs::Permissions::from_mode(0o640)).unwrap();
    let error = Home::open(&path).unwrap_err();
    assert!(matches!(error, HomeError::Exposed { .. }));
    assert!(error.to_string().contains("chmod 600"), "{error}");
}

#[test]
fn a_crash_while_a_home_is_made_leaves_one_that_opens() {
    let halves: [&[(&str, &[u8])]; 5] = [
        &[],
        &[("lock", b"")],
        &[("lock", b"      1234\n"), ("identity.new", b"")],
        &[("identity.new", &[1; 20])],
        &[("marker", b""), ("state.json.new", b"{")],
    ];
    for files in halves {
        let (_folder, path) = place();
        DirBuilder::new().create(&path).unwrap();
        files.iter().for_each(|(name, bytes)| fs::write(path.join(name), bytes).unwrap());
        let owner = Home::open(&path).unwrap().identity().key();
        let home = Home::open(&path).unwrap();
        assert_eq!(home.identity().key(), owner, "{files:?}");
        assert!(!home.was_copied());
    }
}

#[test]
fn a_crash_between_key_and_state_keeps_the_key() {
    let (_folder, path) = place();
    let owner = Home::open(&path).unwrap().identity().key();
    fs::remove_file(path.join("state.json")).unwrap();
    // Linked, but the draft's name not yet removed.
    fs::hard_link(path.join("identity"), path.join("identity.new")).unwrap();
    assert_eq!(Home::open(&path).unwrap().identity().key(), owner);
}

#[test]
fn a_crash_while_the_state_is_replaced_keeps_the_old_one() {
    let (_folder, path) = place();
    used_home(&path);
    fs::write(path.join("state.json.new"), b"{\"version\":1,").unwrap();
    let mut home = Home::open(&path).unwrap();
    assert_eq!(home.state().rooms, [room(1)]);
    home.change(|state| state.nick = None).unwrap();
    drop(home);
    assert_eq!(Home::open(&path).unwrap().state().nick, None);
}

#[test]
fn a_key_is_never_replaced() {
    let (_folder, path) = place();
    used_home(&path);
    let kept = fs::read(path.join("identity")).unwrap();
    assert!(files::create(&path.join("identity"), b"another").is_err());
    assert_eq!(fs::read(path.join("identity")).unwrap(), kept);
}

#[test]
fn a_lost_key_is_not_replaced_by_a_stranger() {
    let (_folder, path) = place();
    used_home(&path);
    fs::remove_file(path.join("identity")).unwrap();
    assert!(matches!(Home::open(&path), Err(HomeError::IdentityLost { .. })));
}

#[test]
fn an_altered_key_is_refused() {
    let (_folder, path) = place();
    used_home(&path);
    let identity = path.join("identity");
    let bytes = fs::read(&identity).unwrap();
    for byte in 0..bytes.len() {
        let mut altered = bytes.clone();
        altered[byte] ^= 4;
        fs::write(&identity, altered).unwrap();
        let refused = Home::open(&path).unwrap_err();
        assert!(matches!(refused, HomeError::Damaged { .. } | HomeError::Newer { .. }), "byte {byte}");
    }
    fs::write(&identity, b"").unwrap();
    assert!(matches!(Home::open(&path), Err(HomeError::Damaged { .. })));
}

#[test]
fn a_state_of_a_newer_version_is_left_alone() {
    let (_folder, path) = place();
    used_home(&path);
    let state = path.join("state.json");
    fs::write(&state, b"{\"version\":2,\"rooms\":{}}").unwrap();
    assert!(matches!(Home::open(&path), Err(HomeError::Newer { .. })));
    fs::write(&state, b"{\"version\":1}").unwrap();
    assert!(matches!(Home::open(&path), Err(HomeError::Damaged { .. })));
    fs::write(&state, b"").unwrap();
    assert!(matches!(Home::open(&path), Err(HomeError::Damaged { .. })));
}

#[test]
fn the_same_folder_is_no_copy() {
    let (_folder, path) = place();
    used_home(&path);
    assert!(!Home::open(&path).unwrap().was_copied());
    let roundabout = path.join("..").join("home");
    assert!(!Home::open(&roundabout).unwrap().was_copied());
}

#[test]
fn a_copy_is_noticed_until_it_is_settled() {
    let (folder, path) = place();
    used_home(&path);
    let other = folder.path().join("other");
    copy(&path, &other);
    drop(Home::open(&other).unwrap());
    let mut home = Home::open(&other).unwrap();
    assert!(home.was_copied());
    home.settle_place().unwrap();
    assert!(!home.was_copied());
    drop(home);
    let home = Home::open(&other).unwrap();
    assert_eq!((home.was_copied(), home.state().rooms[0].renew), (false, true));
    assert!(!Home::open(&path).unwrap().was_copied(), "the original goes on as it was");
}

#[test]
fn a_home_put_back_from_a_backup_counts_as_a_copy() {
    let (folder, path) = place();
    used_home(&path);
    let backup = folder.path().join("backup");
    copy(&path, &backup);
    wait_for_a_later_time(&path);
    fs::remove_dir_all(&path).unwrap();
    copy(&backup, &path);
    assert!(Home::open(&path).unwrap().was_copied());
}

#[test]
fn a_moved_home_and_one_without_its_marker_count_as_copies() {
    let (folder, path) = place();
    used_home(&path);
    let moved = folder.path().join("moved");
    fs::rename(&path, &moved).unwrap();
    assert!(Home::open(&moved).unwrap().was_copied());
    fs::rename(&moved, &path).unwrap();
    assert!(!Home::open(&path).unwrap().was_copied(), "back where it was");
    wait_for_a_later_time(&path);
    fs::remove_file(path.join("marker")).unwrap();
    assert!(Home::open(&path).unwrap().was_copied());
}

#[test]
fn a_marker_that_was_written_anew_counts_though_it_has_the_old_inode() {
    let (_folder, path) = place();
    used_home(&path);
    wait_for_a_later_time(&path);
    // Changing the mode to what it is stands for making the file anew: only the inode's time tells.
    fs::set_permissions(path.join("marker"), fs::Permissions::from_mode(0o600)).unwrap();
    assert!(Home::open(&path).unwrap().was_copied());
}

#[test]
fn a_state_that_cannot_be_written_does_not_change() {
    let (_folder, path) = place();
    let mut home = Home::open(&path).unwrap();
    // A folder in the draft's place keeps it from being written, whoever asks.
    fs::create_dir(path.join("state.json.new")).unwrap();
    assert!(matches!(home.change(|state| state.nick = Some("bob".to_owned())), Err(HomeError::Io { .. })));
    assert_eq!(home.state().nick, None);
}

#[test]
fn secrets_are_hex_in_the_file_and_hidden_in_debug_output() {
    let (_folder, path) = place();
    used_home(&path);
    let text = fs::read_to_string(path.join("state.json")).unwrap();
    assert!(text.contains(&format!("\"invite_secret\": \"{}\"", "ab".repeat(32))), "{text}");
    assert!(!format!("{:?}", Home::open(&path).unwrap()).contains("abab"));
}

#[test]
fn every_room_has_a_store_of_its_own() {
    let (_folder, path) = place();
    let home = Home::open(&path).unwrap();
    assert_eq!(home.store_dir(&RoomId([0x1f; 32])), path.join("rooms/1f1f1f1f1f1f1f1f/store"));
}

#[test]
fn seeds_differ() {
    assert_ne!(draw_seed().unwrap(), draw_seed().unwrap());
}

fn passphrase(text: &str) -> Passphrase {
    Passphrase::new(text.to_owned()).unwrap()
}

#[test]
fn a_home_under_a_passphrase_opens_by_it_alone() {
    let (_folder, path) = place();
    let owner = used_home(&path);
    Home::open(&path).unwrap().set_passphrase(Some(&passphrase("one"))).unwrap();
    assert_eq!(mode(&path.join("identity")), 0o600);
    assert!(matches!(Home::open(&path), Err(HomeError::Sealed { .. })));
    let wrong = read_key(&path.join(IDENTITY_FILE), Some(&passphrase("two")));
    assert!(matches!(wrong, Err(HomeError::Unseal { source: UnsealError::WrongPassphrase, .. })));
    let unsealed = read_key(&path.join(IDENTITY_FILE), Some(&passphrase("one"))).unwrap();
    let other = Identity::from_secret(&[9; 32]);
    assert!(matches!(Home::open_with(&path, Some(&other)), Err(HomeError::Sealed { .. })));
    let mut home = Home::open_with(&path, Some(&unsealed)).unwrap();
    assert_eq!((home.identity().key(), home.was_copied()), (owner.key(), false));
    home.set_passphrase(None).unwrap();
    drop(home);
    assert_eq!(Home::open(&path).unwrap().identity().key(), owner.key());
}

#[test]
fn a_key_is_carried_into_an_empty_home_and_into_no_other() {
    let (folder, path) = place();
    let owner = used_home(&path);
    let file = folder.path().join("ann.key");
    export_key(&file, &owner, &passphrase("one")).unwrap();
    assert_eq!(mode(&file), 0o600);
    assert!(export_key(&file, &owner, &passphrase("two")).is_err(), "a file was replaced");
    assert!(matches!(read_key(&file, None), Err(HomeError::Sealed { .. })));
    let carried = read_key(&file, Some(&passphrase("one"))).unwrap();
    let second = folder.path().join("second");
    assert!(Home::import(&second, &carried).unwrap());
    assert!(!Home::import(&second, &carried).unwrap(), "it is there already");
    assert_eq!(Home::open(&second).unwrap().identity().key(), owner.key());
    let stranger = folder.path().join("stranger");
    let before = Home::open(&stranger).unwrap().identity().key();
    assert!(matches!(Home::import(&stranger, &carried), Err(HomeError::OtherIdentity { .. })));
    assert_eq!(Home::open(&stranger).unwrap().identity().key(), before);
}

#[test]
fn a_key_under_a_passphrase_is_known_again_without_it() {
    let (_folder, path) = place();
    let owner = used_home(&path);
    Home::open(&path).unwrap().set_passphrase(Some(&passphrase("one"))).unwrap();
    assert!(!Home::import(&path, &owner).unwrap());
    let other = Identity::from_secret(&[9; 32]);
    assert!(matches!(Home::import(&path, &other), Err(HomeError::OtherIdentity { .. })));
}

#[test]
fn a_lost_key_can_be_put_back() {
    let (_folder, path) = place();
    let owner = used_home(&path);
    fs::remove_file(path.join("identity")).unwrap();
    assert!(Home::import(&path, &owner).unwrap());
    assert_eq!(Home::open(&path).unwrap().state().rooms, [room(1)]);
}

#[test]
fn a_file_that_is_no_key_is_refused_whatever_its_size() {
    let (folder, path) = place();
    let owner = used_home(&path);
    let file = folder.path().join("file");
    for bytes in [vec![], vec![1; 40], vec![2; 137], vec![2; 5_000_000], b"replica1aaaa".to_vec()] {
        fs::write(&file, &bytes).unwrap();
        let refused = read_key(&file, Some(&passphrase("one"))).unwrap_err();
        assert!(matches!(refused, HomeError::Damaged { .. } | HomeError::Newer { .. }), "{refused}");
    }
    fs::copy(path.join("identity"), &file).unwrap();
    assert_eq!(read_key(&file, None).unwrap().key(), owner.key());
}

#[test]
fn an_empty_folder_is_closed_to_others_and_an_open_home_says_so() {
    let (_folder, path) = place();
    DirBuilder::new().mode(0o755).create(&path).unwrap();
    assert!(!is_exposed(&path), "it is no home yet");
    drop(Home::open(&path).unwrap());
    assert!(!is_exposed(&path));
    assert_eq!(mode(&path), 0o700);
    fs::set_permissions(&path, fs::Permissions::from_mode(0o750)).unwrap();
    drop(Home::open(&path).unwrap());
    assert!(is_exposed(&path));
    assert_eq!(mode(&path), 0o750, "a folder in use is not changed behind its owner's back");
}
