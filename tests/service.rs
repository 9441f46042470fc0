//! The program under a service manager.

use std::fs;
use std::os::unix::net::UnixDatagram;

use crate::program::{Home, PATIENCE, Running, repository};

fn hear(manager: &UnixDatagram) -> String {
    let mut bytes = [0; 200];
    let length = manager.recv(&mut bytes).unwrap();
    String::from_utf8(bytes[..length].to_vec()).unwrap()
}

#[test]
fn the_unit_starts_a_server_that_says_when_it_is_ready_and_when_it_ends() {
    let unit = fs::read_to_string(repository().join("packaging/replica.service")).unwrap();
    let line = unit.lines().find_map(|line| line.strip_prefix("ExecStart=/usr/bin/replica ")).unwrap();
    assert!(unit.contains("\nType=notify\n"), "the manager does not wait for what the program says");

    let folder = tempfile::tempdir().unwrap();
    let name = folder.path().join("notify");
    let manager = UnixDatagram::bind(&name).unwrap();
    manager.set_read_timeout(Some(PATIENCE)).unwrap();
    let home = Home::new("ann");
    let args: Vec<&str> = ["--json", "--listen", "127.0.0.1:0"].into_iter().chain(line.split(' ')).collect();
    let mut command = home.command(&args);
    command.env("NOTIFY_SOCKET", &name);
    let mut server = Running::start(command);

    let ready = hear(&manager);
    let listening = server.wait("listening", |line| line["type"] == "listening");
    assert_eq!(ready, format!("READY=1\nSTATUS=listening at {}", listening["addr"].as_str().unwrap()));
    assert_eq!(server.terminate(), Some(0));
    assert_eq!(hear(&manager), "STOPPING=1");
}
