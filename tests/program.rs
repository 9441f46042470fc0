//! The real program in homes of its own, with time limits on everything.

use std::io::{BufRead as _, BufReader, Write as _};
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Output, Stdio};
use std::sync::atomic::{AtomicU16, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, sync_channel};
use std::time::Duration;

use replica::id::AuthorKey;
use serde_json::Value;
use tempfile::TempDir;

/// Longest wait for anything that is to happen. Far above what it takes, for machines that are busy.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

/// How soon something is looked at again that nobody tells.
const PAUSE: Duration = Duration::from_millis(10);

/// A home folder of one person.
pub(crate) struct Home {
    path: PathBuf,
    nick: &'static str,
    /// Goes with it.
    _folder: Option<TempDir>,
}

impl Home {
    /// An empty one. Without a nick, none is named on the command line.
    pub(crate) fn new(nick: &'static str) -> Self {
        Self::within(&std::env::temp_dir(), nick)
    }

    /// An empty one, somewhere below a folder.
    pub(crate) fn within(folder: &Path, nick: &'static str) -> Self {
        let folder = tempfile::tempdir_in(folder).unwrap();
        Self { path: folder.path().join("home"), nick, _folder: Some(folder) }
    }

    /// One that is there.
    pub(crate) fn at(path: PathBuf, nick: &'static str) -> Self {
        Self { path, nick, _folder: None }
    }

    pub(crate) fn path(&self) -> PathBuf {
        self.path.clone()
    }

    /// The program with these arguments, in this home, not started yet.
    pub(crate) fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_replica"));
        command.arg("--home").arg(self.path()).arg("--no-input");
        if !self.nick.is_empty() {
            command.args(["--nick", self.nick]);
        }
        command.args(args);
        for variable in [
            "REPLICA_PEER",
            "REPLICA_RENDEZVOUS",
            "REPLICA_HOME",
            "REPLICA_NICK",
            "REPLICA_ROOM",
            "REPLICA_LISTEN",
            "REPLICA_PASSPHRASE",
            "REPLICA_NEW_PASSPHRASE",
            "NO_COLOR",
            "RUST_LOG",
        ] {
            command.env_remove(variable);
        }
        // Nothing leaves this machine.
        command.env("REPLICA_NO_LAN", "1").env("REPLICA_NO_PORT_MAPPING", "1");
        // Nobody's own settings.
        command.env("XDG_CONFIG_HOME", self.path().join("no-settings"));
        command
    }

    /// Runs the program to its end.
    pub(crate) fn run(&self, args: &[&str]) -> Output {
        self.run_with(args, "")
    }

    /// Runs the program to its end, with this on its standard input.
    pub(crate) fn run_with(&self, args: &[&str], input: impl AsRef<[u8]>) -> Output {
        let mut command = self.command(args);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let mut stdin = child.stdin.take().unwrap();
        // A program that does not read its input may be gone already.
        stdin.write_all(input.as_ref()).ok();
        drop(stdin);
        let id = child.id();
        let (done, finished) = sync_channel(1);
        let watchdog = std::thread::spawn(move || {
            if finished.recv_timeout(PATIENCE) == Err(RecvTimeoutError::Timeout) {
                kill(id);
            }
        });
        let output = child.wait_with_output().unwrap();
        done.send(()).ok();
        watchdog.join().unwrap();
        output
    }

    /// Runs the program, which must succeed, and answers its standard output.
    pub(crate) fn ok(&self, args: &[&str]) -> String {
        let output = self.run(args);
        assert!(output.status.success(), "{args:?} failed: {}", describe(&output));
        String::from_utf8(output.stdout).unwrap()
    }

    /// Runs the program, which must end with this exit code, and answers its standard error.
    pub(crate) fn fails(&self, code: i32, args: &[&str]) -> String {
        let output = self.run(args);
        assert_eq!(output.status.code(), Some(code), "{args:?}: {}", describe(&output));
        let error = String::from_utf8(output.stderr).unwrap();
        assert!(!error.contains("panicked"), "{args:?} panicked: {error}");
        error
    }

    /// Sends a message without any network, and answers its id.
    pub(crate) fn send(&self, text: &str) -> String {
        let id = self.ok(&["--offline", "send", text]).trim().to_owned();
        assert_eq!(id.len(), 64, "`send` printed {id:?}");
        id
    }

    /// What `log --json` prints.
    pub(crate) fn log(&self) -> String {
        self.ok(&["--json", "log"])
    }

    /// The texts of `log --json`, in order.
    pub(crate) fn texts(&self) -> Vec<String> {
        let text = |line: &str| json(line)["text"].as_str().unwrap().to_owned();
        self.log().lines().map(text).collect()
    }

    /// What `status --json` prints.
    pub(crate) fn status(&self) -> Value {
        json(self.ok(&["--offline", "--json", "status"]).lines().next().unwrap())
    }

    /// The owner's key.
    pub(crate) fn author(&self) -> AuthorKey {
        let line = self.ok(&["--offline", "--json", "whoami"]);
        let hex = json(&line)["author"].as_str().unwrap().to_owned();
        let byte = |at: usize| u8::from_str_radix(&hex[2 * at..2 * at + 2], 16).unwrap();
        AuthorKey(std::array::from_fn(byte))
    }

    pub(crate) fn digest(&self) -> String {
        self.status()["digest"].as_str().unwrap().to_owned()
    }

    /// What `verify --json` prints.
    pub(crate) fn verify(&self) -> Value {
        json(self.ok(&["--json", "verify"]).lines().next().unwrap())
    }

    /// A ticket with an invite.
    pub(crate) fn invite(&self) -> String {
        self.ok(&["--offline", "invite"]).trim().to_owned()
    }

    /// Starts the program and leaves it running.
    pub(crate) fn start(&self, args: &[&str]) -> Running {
        Running::start(self.command(args))
    }

    /// Starts a chat that speaks JSON at a port.
    pub(crate) fn chat(&self, listen: &str, args: &[&str]) -> Running {
        self.start(&[&["--json", "--listen", listen], args].concat())
    }
}

/// A program that runs until it is told to end, or dropped.
pub(crate) struct Running {
    child: Child,
    stdin: Option<ChildStdin>,
    lines: Receiver<String>,
    seen: Vec<Value>,
}

impl Running {
    pub(crate) fn start(mut command: Command) -> Self {
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
        let mut child = command.spawn().unwrap();
        let stdout = BufReader::new(child.stdout.take().unwrap());
        let (sender, lines) = sync_channel(100_000);
        std::thread::spawn(move || {
            for line in stdout.lines().map_while(Result::ok) {
                if sender.send(line).is_err() {
                    return;
                }
            }
        });
        Self { stdin: child.stdin.take(), child, lines, seen: Vec::new() }
    }

    /// The process id.
    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    pub(crate) fn say(&mut self, line: &str) {
        let stdin = self.stdin.as_mut().unwrap();
        writeln!(stdin, "{line}").unwrap();
        stdin.flush().unwrap();
    }

    /// Says something to a program that may have ended. Answers whether it has not.
    pub(crate) fn try_say(&mut self, line: &str) -> bool {
        self.stdin
            .as_mut()
            .is_some_and(|stdin| writeln!(stdin, "{line}").and_then(|()| stdin.flush()).is_ok())
    }

    /// Waits for a line of JSON for which this is true.
    pub(crate) fn wait(&mut self, what: &str, wanted: impl Fn(&Value) -> bool) -> Value {
        if let Some(found) = self.seen.iter().find(|line| wanted(line)) {
            return found.clone();
        }
        loop {
            match self.lines.recv_timeout(PATIENCE) {
                Ok(line) => {
                    let line = json(&line);
                    self.seen.push(line.clone());
                    if wanted(&line) {
                        return line;
                    }
                }
                Err(_) => panic!("waited for {what}; this came: {:#?}", self.seen),
            }
        }
    }

    /// Waits until a message with this text was shown.
    pub(crate) fn reads(&mut self, text: &str) -> Value {
        self.wait(text, |line| line["type"] == "message" && line["text"] == text)
    }

    /// Waits until a message that begins so was shown.
    pub(crate) fn reads_beginning(&mut self, text: &str) -> Value {
        let begins = |line: &Value| line["text"].as_str().is_some_and(|it| it.starts_with(text));
        self.wait(text, |line| line["type"] == "message" && begins(line))
    }

    /// Whether a message with this text is shown within some time.
    pub(crate) fn hears(&mut self, text: &str, within: Duration) -> bool {
        while let Ok(line) = self.lines.recv_timeout(within) {
            self.seen.push(json(&line));
            if self.seen.last().is_some_and(|line| line["type"] == "message" && line["text"] == text) {
                return true;
            }
        }
        false
    }

    /// The texts of the messages shown so far.
    pub(crate) fn texts(&self) -> Vec<&str> {
        self.seen
            .iter()
            .filter(|line| line["type"] == "message")
            .filter_map(|line| line["text"].as_str())
            .collect()
    }

    /// Ends the standard input and waits for the program to end by itself.
    pub(crate) fn finish(&mut self) -> Option<i32> {
        self.stdin = None;
        self.wait_for_end()
    }

    /// kill -9.
    pub(crate) fn kill(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// Asks it to end, as a service manager does.
    pub(crate) fn terminate(&mut self) -> Option<i32> {
        self.signal(rustix::process::Signal::TERM);
        self.wait_for_end()
    }

    /// Ctrl+C, as a shell sends it to whoever runs in front.
    pub(crate) fn interrupt(&mut self) -> Option<i32> {
        self.signal(rustix::process::Signal::INT);
        self.wait_for_end()
    }

    pub(crate) fn signal(&self, signal: rustix::process::Signal) {
        let id = rustix::process::Pid::from_child(&self.child);
        rustix::process::kill_process(id, signal).unwrap();
    }

    /// Waits until it has taken over the signals that ask it to end.
    pub(crate) fn heeds_signals(&self) {
        let taken = |signal: rustix::process::Signal| 1_u64 << (signal.as_raw() - 1);
        let wanted = taken(rustix::process::Signal::INT) | taken(rustix::process::Signal::TERM);
        let path = format!("/proc/{}/status", self.id());
        for _ in 0..PATIENCE.as_millis() / PAUSE.as_millis() {
            let status = std::fs::read_to_string(&path).unwrap();
            let caught = status.lines().find_map(|line| line.strip_prefix("SigCgt:")).unwrap();
            if u64::from_str_radix(caught.trim(), 16).unwrap() & wanted == wanted {
                return;
            }
            std::thread::sleep(PAUSE);
        }
        panic!("the program does not take over signals");
    }

    fn wait_for_end(&mut self) -> Option<i32> {
        // The reading thread ends with the program; then so does the channel.
        loop {
            match self.lines.recv_timeout(PATIENCE) {
                Ok(line) => self.seen.push(json(&line)),
                Err(RecvTimeoutError::Disconnected) => return self.child.wait().unwrap().code(),
                Err(RecvTimeoutError::Timeout) => panic!("the program does not end"),
            }
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.child.kill().ok();
        self.child.wait().ok();
    }
}

/// How often something is tried that may fail now and then: as often as `REPLICA_ROUNDS` says, else as given.
pub(crate) fn rounds(usually: usize) -> usize {
    let asked = std::env::var("REPLICA_ROUNDS").ok().and_then(|rounds| rounds.parse().ok());
    asked.map_or(usually, |rounds: usize| rounds.clamp(1, ROUNDS_MAX))
}

/// Some minutes.
const ROUNDS_MAX: usize = 2_000;

/// An address on this machine that nobody listens at, and that the system gives to nobody who asks for any.
pub(crate) fn free_address() -> String {
    static GIVEN: AtomicU16 = AtomicU16::new(0);
    let first = 10_000 + u16::try_from(std::process::id() % 200).unwrap() * 100;
    loop {
        let address = format!("127.0.0.1:{}", first + GIVEN.fetch_add(1, Ordering::Relaxed));
        if TcpListener::bind(&address).is_ok() {
            return address;
        }
    }
}

pub(crate) fn json(line: &str) -> Value {
    serde_json::from_str(line).unwrap_or_else(|error| panic!("not JSON ({error}): {line}"))
}

pub(crate) fn describe(output: &Output) -> String {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    format!("{}\nstdout: {}\nstderr: {}", output.status, text(&output.stdout), text(&output.stderr))
}

/// Whether a tool is there. A test that lacks one says so, and `.ci/run` counts it.
pub(crate) fn has(tool: &str) -> bool {
    let found = std::env::split_paths(&std::env::var_os("PATH").unwrap_or_default())
        .any(|at| at.join(tool).is_file());
    if !found {
        say(&format!("skipped: {tool} is not installed"));
    }
    found
}

/// Says on a line of its own why a test was skipped. Not through a macro: those are captured, and this is to be seen.
pub(crate) fn say(words: &str) {
    std::io::stderr().write_all(format!("\n{words}\n").as_bytes()).unwrap();
}

pub(crate) fn repository() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn kill(id: u32) {
    let id = i32::try_from(id).ok().and_then(rustix::process::Pid::from_raw);
    id.map(|id| rustix::process::kill_process(id, rustix::process::Signal::KILL));
}
