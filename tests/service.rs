//! The program under a service manager.

use std::fs;
use std::os::unix::net::UnixDatagram;
use std::path::Path;
use std::process::Command;

use rustix::process::Signal;

use serde_json::Value;

use crate::program::{Home, PATIENCE, Running, free_address, repository, say};

fn hear(manager: &UnixDatagram) -> String {
    let mut bytes = [0; 200];
    let length = manager.recv(&mut bytes).unwrap();
    String::from_utf8(bytes[..length].to_vec()).unwrap()
}

/// Starts a program under a manager that listens in a folder.
fn managed(folder: &Path, mut command: Command) -> (UnixDatagram, Running) {
    let name = folder.join("notify");
    let manager = UnixDatagram::bind(&name).unwrap();
    manager.set_read_timeout(Some(PATIENCE)).unwrap();
    command.env("NOTIFY_SOCKET", &name);
    (manager, Running::start(command))
}

#[test]
fn the_unit_starts_a_server_that_says_when_it_is_ready_and_when_it_ends() {
    let unit = fs::read_to_string(repository().join("packaging/replica.service")).unwrap();
    let line = unit.lines().find_map(|line| line.strip_prefix("ExecStart=/usr/bin/replica ")).unwrap();
    assert!(unit.contains("\nType=notify\n"), "the manager does not wait for what the program says");

    let folder = tempfile::tempdir().unwrap();
    let home = Home::new("ann");
    let args: Vec<&str> = ["--json", "--listen", "127.0.0.1:0"].into_iter().chain(line.split(' ')).collect();
    let (manager, mut server) = managed(folder.path(), home.command(&args));

    let ready = hear(&manager);
    let listening = server.wait("listening", |line| line["type"] == "listening");
    assert_eq!(ready, format!("READY=1\nSTATUS=listening at {}", listening["addr"].as_str().unwrap()));
    assert_eq!(server.terminate(), Some(0));
    assert_eq!(hear(&manager), "STOPPING=1");
}

#[test]
fn a_hang_up_has_a_server_read_its_settings_again_and_open_its_log_anew() {
    if is_hangup_ignored() {
        return say("skipped: hang-ups are ignored here, as nohup has it, and so by what is started");
    }
    let unit = fs::read_to_string(repository().join("packaging/replica.service")).unwrap();
    assert!(unit.contains("\nExecReload=/bin/kill -HUP $MAINPID\n"));
    let folder = tempfile::tempdir().unwrap();
    let (file, log) = (folder.path().join("config.toml"), folder.path().join("log"));
    let settings = |more: &str| {
        let begin = format!("log-file = {log:?}\nverbose = 1\nlisten = \"127.0.0.1:0\"\n");
        fs::write(&file, begin + more).unwrap();
    };
    settings("");
    let home = Home::within(folder.path(), "ann");
    // A name on the command line would win over the file.
    let mut command = Command::new(env!("CARGO_BIN_EXE_replica"));
    let config = file.to_str().unwrap();
    command.arg("--home").arg(home.path()).args(["--json", "--no-input", "--config", config, "serve"]);
    command.env("REPLICA_NO_LAN", "1").env("REPLICA_NO_PORT_MAPPING", "1");
    let (manager, mut server) = managed(folder.path(), command);
    let ready = hear(&manager);
    let reload = || {
        server.signal(Signal::HUP);
        let reloading = hear(&manager);
        let since = reloading.strip_prefix("RELOADING=1\nMONOTONIC_USEC=").unwrap();
        assert!(since.parse::<u64>().unwrap() > 0);
        assert_eq!(hear(&manager), ready);
        fs::read_to_string(&log).unwrap()
    };

    // As logrotate does.
    fs::rename(&log, folder.path().join("log.1")).unwrap();
    let written = reload();
    assert!(written.contains("read again: nothing changed"), "{written}");

    let at = free_address();
    settings(&format!("nick = \"anna\"\npeer = [\"{at}\"]\ndht = true\n"));
    let written = reload();
    let told = "read again: nick, peer taken over; dht as before until the next start";
    assert!(written.contains(told), "{written}");
    let is_known = |status: &Value| status["peers"].as_array().unwrap().iter().any(|peer| peer["addr"] == at);
    assert!(is_known(&home.status()), "a peer that the file names is dialled from then on");

    settings("nick = 7\n");
    let written = reload();
    assert!(written.contains("not taken over: the settings in"), "{written}");
    assert_eq!(home.status()["me"]["nick"], "anna");
    assert_eq!(server.terminate(), Some(0));
}

/// Whether whoever started the tests has them outlive its terminal. That is inherited.
fn is_hangup_ignored() -> bool {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let ignored = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    ignored.is_some_and(|signals| u64::from_str_radix(signals.trim(), 16).unwrap() & 1 != 0)
}

/// A program that is started as `nohup` does.
fn outliving(command: &Command) -> Command {
    let mut outliving = Command::new("sh");
    outliving
        .args(["-c", "trap '' HUP; exec \"$0\" \"$@\""])
        .arg(command.get_program())
        .args(command.get_args());
    for (name, value) in command.get_envs() {
        match value {
            Some(value) => outliving.env(name, value),
            None => outliving.env_remove(name),
        };
    }
    outliving
}

#[test]
fn what_is_to_outlive_its_terminal_does_and_still_ends_when_asked_to() {
    let home = Home::new("ann");
    let mut server =
        Running::start(outliving(&home.command(&["--json", "--listen", "127.0.0.1:0", "serve"])));
    server.wait("listening", |line| line["type"] == "listening");
    home.send("before");
    let mut tail = Running::start(outliving(&home.command(&["--json", "tail"])));
    tail.reads("before");
    tail.signal(Signal::HUP);
    server.signal(Signal::HUP);
    home.send("after");
    tail.reads("after");
    assert_eq!(tail.terminate(), Some(130));
    assert_eq!(server.terminate(), Some(0));
}
