use std::ffi::OsStr;
use std::os::unix::net::UnixDatagram;
use std::time::Duration;

use super::{socket_name, tell_at};

/// Has a manager listen at this name, tells it something, and answers what it hears.
fn heard(name: &OsStr, words: &str) -> String {
    let manager = UnixDatagram::bind_addr(&socket_name(name).unwrap()).unwrap();
    manager.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
    tell_at(name, words).unwrap();
    let mut bytes = [0; 100];
    let length = manager.recv(&mut bytes).unwrap();
    String::from_utf8(bytes[..length].to_vec()).unwrap()
}

#[test]
fn a_manager_hears_at_a_path() {
    let folder = tempfile::tempdir().unwrap();
    assert_eq!(heard(folder.path().join("notify").as_os_str(), "READY=1"), "READY=1");
}

#[cfg(target_os = "linux")]
#[test]
fn a_manager_hears_at_an_abstract_name() {
    let name = format!("@replica-test-{}", std::process::id());
    assert_eq!(heard(OsStr::new(&name), "STOPPING=1"), "STOPPING=1");
}

#[test]
fn a_manager_that_is_gone_is_an_error_and_no_more() {
    let folder = tempfile::tempdir().unwrap();
    tell_at(folder.path().join("gone").as_os_str(), "READY=1").unwrap_err();
}
