use std::os::unix::fs::{PermissionsExt as _, symlink};

use super::*;

fn mode(path: &Path) -> u32 {
    fs::metadata(path).unwrap().permissions().mode() & 0o777
}

#[test]
fn what_is_new_is_for_its_owner_and_what_is_there_keeps_its_mode() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("file");
    // Left behind by one that was killed.
    fs::write(folder.path().join("file.part"), "half").unwrap();
    put(&file, b"one").unwrap();
    assert_eq!((fs::read(&file).unwrap(), mode(&file)), (b"one".to_vec(), 0o600));
    fs::set_permissions(&file, fs::Permissions::from_mode(0o644)).unwrap();
    put(&file, b"two").unwrap();
    assert_eq!((fs::read(&file).unwrap(), mode(&file)), (b"two".to_vec(), 0o644));
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
}

#[test]
fn links_are_followed() {
    let folder = tempfile::tempdir().unwrap();
    let (file, link) = (folder.path().join("file"), folder.path().join("link"));
    symlink("file", &link).unwrap();
    for text in ["into nothing", "into a file"] {
        put(&link, text.as_bytes()).unwrap();
        assert!(link.is_symlink() && !file.is_symlink());
        assert_eq!((fs::read_to_string(&file).unwrap(), mode(&file)), (text.to_owned(), 0o600));
    }
}

#[test]
fn pipes_are_written_to_as_devices_are() {
    use rustix::fs::{CWD, FileType, Mode, mknodat};
    let folder = tempfile::tempdir().unwrap();
    let pipe = folder.path().join("pipe");
    mknodat(CWD, &pipe, FileType::Fifo, Mode::RUSR | Mode::WUSR, 0).unwrap();
    let reader = std::thread::spawn({
        let pipe = pipe.clone();
        move || fs::read_to_string(pipe).unwrap()
    });
    put(&pipe, b"through it").unwrap();
    assert!(!fs::metadata(&pipe).unwrap().is_file(), "it was replaced");
    assert_eq!(reader.join().unwrap(), "through it");
}
