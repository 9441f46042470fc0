//! The full screen on a terminal: the real program in a pty, its output read as a terminal would.

use std::ffi::OsStr;
use std::io::{Read as _, Write as _};
use std::num::NonZeroU16;
use std::sync::mpsc::{Receiver, RecvTimeoutError, TryRecvError, sync_channel};
use std::time::Duration;

use portable_pty::{Child, CommandBuilder, MasterPty, PtySize, native_pty_system};
use rustix::process::{Pid, Signal, kill_process};

use crate::program::{Home, PATIENCE, free_address};

mod picture;

/// The program on a terminal of its own.
pub(crate) struct Terminal {
    child: Box<dyn Child + Send + Sync>,
    master: Box<dyn MasterPty + Send>,
    keys: Box<dyn std::io::Write + Send>,
    output: Receiver<Vec<u8>>,
    parser: vt100::Parser,
    /// Everything that was ever written.
    written: Vec<u8>,
}

fn size(columns: u16, lines: u16) -> PtySize {
    PtySize { rows: lines, cols: columns, pixel_width: 0, pixel_height: 0 }
}

fn above_zero(number: u16) -> NonZeroU16 {
    NonZeroU16::new(number).unwrap()
}

impl Terminal {
    pub(crate) fn start(home: &Home, args: &[&str], env: &[(&str, &str)]) -> Self {
        Self::run(home, &[], args, env)
    }

    /// As somebody starts it who can go on with something else meanwhile.
    fn below_a_shell(home: &Home, args: &[&str]) -> Self {
        let shell = "set -m; \"$@\"; code=$?; n=0; while [ $code -gt 128 ]; do n=$((n + 1)); echo sleep $n; \
                     read -r go; fg; code=$?; done; exit $code";
        Self::run(home, &["sh", "-c", shell, "sh"], args, &[])
    }

    /// Runs the program by another one, if there is one.
    fn run(home: &Home, by: &[&str], args: &[&str], env: &[(&str, &str)]) -> Self {
        let command = home.command(args);
        let words = by.iter().map(OsStr::new).chain([command.get_program()]).chain(command.get_args());
        let mut builder = CommandBuilder::from_argv(words.map(OsStr::to_owned).collect());
        for (name, value) in command.get_envs() {
            match value {
                Some(value) => builder.env(name, value),
                None => builder.env_remove(name),
            }
        }
        builder.env("TERM", "xterm-256color");
        env.iter().for_each(|(name, value)| builder.env(name, value));
        let pair = native_pty_system().openpty(size(80, 24)).unwrap();
        let child = pair.slave.spawn_command(builder).unwrap();
        let mut reader = pair.master.try_clone_reader().unwrap();
        let (bytes, output) = sync_channel(10_000);
        std::thread::spawn(move || {
            let mut buffer = [0; 4_096];
            while let Ok(count @ 1..) = reader.read(&mut buffer) {
                if bytes.send(buffer[..count].to_vec()).is_err() {
                    return;
                }
            }
        });
        let keys = pair.master.take_writer().unwrap();
        let parser = vt100::Parser::new(above_zero(24), above_zero(80), 0);
        Self { child, master: pair.master, keys, output, parser, written: Vec::new() }
    }

    /// A chat in a home, without news of connections.
    pub(crate) fn chat(home: &Home, listen: &str, args: &[&str]) -> Self {
        Self::start(home, &[&["--listen", listen], args].concat(), &[])
    }

    pub(crate) fn press(&mut self, keys: &str) {
        self.keys.write_all(keys.as_bytes()).unwrap();
        self.keys.flush().unwrap();
    }

    pub(crate) fn screen(&self) -> String {
        self.parser.screen().contents()
    }

    /// Waits until the screen is as it should be.
    #[track_caller]
    pub(crate) fn until(&mut self, what: &str, is_so: impl Fn(&str) -> bool) {
        // Something may go on changing on the screen, as what counts down does.
        let (patience, is_over) = sync_channel::<()>(1);
        std::thread::spawn(move || {
            std::thread::sleep(PATIENCE);
            drop(patience);
        });
        while !is_so(&self.screen()) {
            let bytes = self.output.recv_timeout(PATIENCE);
            let (Ok(bytes), Err(TryRecvError::Empty)) = (bytes, is_over.try_recv()) else {
                panic!("waited for {what}:\n{}", self.screen());
            };
            self.parser.process(&bytes);
            self.written.extend(bytes);
        }
    }

    #[track_caller]
    pub(crate) fn shows(&mut self, text: &str) {
        self.until(text, |screen| screen.contains(text));
    }

    fn resize(&mut self, columns: u16, lines: u16) {
        self.parser.screen_mut().set_size(above_zero(lines), above_zero(columns));
        self.master.resize(size(columns, lines)).unwrap();
    }

    fn id(&self) -> Pid {
        let id = self.child.process_id().unwrap();
        Pid::from_raw(i32::try_from(id).unwrap()).unwrap()
    }

    /// Whoever has the terminal.
    fn in_front(&self) -> Pid {
        Pid::from_raw(self.master.process_group_leader().unwrap()).unwrap()
    }

    fn signal(&self, signal: Signal) {
        kill_process(self.id(), signal).unwrap();
    }

    /// All that is written until the end.
    fn rest(mut self) -> String {
        while let Ok(bytes) = self.output.recv_timeout(PATIENCE) {
            self.written.extend(bytes);
        }
        String::from_utf8_lossy(&self.written).into_owned()
    }

    /// Waits for the end. Answers the exit code, and whether the terminal was given back.
    pub(crate) fn end(mut self) -> (u32, bool) {
        loop {
            match self.output.recv_timeout(PATIENCE) {
                Ok(bytes) => self.written.extend(bytes),
                Err(RecvTimeoutError::Disconnected) => break,
                Err(RecvTimeoutError::Timeout) => panic!("the program does not end"),
            }
        }
        let code = self.child.wait().unwrap().exit_code();
        let written = String::from_utf8_lossy(&self.written).into_owned();
        let last = |sequence: &str| written.rfind(sequence);
        let is_left = last("\x1b[?1049l") > last("\x1b[?1049h")
            && last("\x1b[?2004l") > last("\x1b[?2004h")
            && last("\x1b[?25h") > last("\x1b[?25l");
        (code, is_left)
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        self.child.kill().ok();
        self.child.wait().ok();
    }
}

/// Ann on a terminal, bob as a script, in one room.
fn two() -> ((Home, Terminal), (Home, crate::program::Running), String) {
    let (ann, bob) = (Home::new("ann"), Home::new("bob"));
    let ticket = ann.invite();
    let at = free_address();
    let mut on_screen = Terminal::chat(&ann, &at, &[]);
    on_screen.shows("nobody else is in this room");
    let in_bob = bob.chat("127.0.0.1:0", &["--peer", &ticket, "--peer", &at]);
    on_screen.shows("the same history");
    ((ann, on_screen), (bob, in_bob), at)
}

#[test]
fn what_is_typed_is_read_elsewhere_and_what_is_said_elsewhere_is_on_the_screen() {
    let ((_ann, mut screen), (_bob, mut in_bob), _) = two();
    screen.press("hello bob\r");
    in_bob.reads("hello bob");
    screen.until("that all have it", |screen| {
        screen.lines().any(|line| line.contains("hello bob") && line.trim_end().ends_with('●'))
    });
    in_bob.say("hello ann");
    screen.shows("hello ann");
    screen.press("\x04");
    assert_eq!(screen.end(), (0, true));
}

#[test]
fn a_message_in_another_room_is_counted_and_its_number_leads_there() {
    let ((ann, mut screen), (_bob, mut in_bob), _) = two();
    let carol = Home::new("carol");
    let mut in_carol = carol.chat("127.0.0.1:0", &[]);
    in_carol.say("welcome to carol's");
    in_carol.reads("welcome to carol's");
    let ticket = carol.ok(&["invite"]).trim().to_owned();
    screen.press(&format!("/join {ticket}\r"));
    screen.shows("welcome to carol's");
    screen.press("half a th");
    in_bob.say("bob is waiting");
    screen.until("that bob's room is counted", |screen| {
        screen.lines().next().is_some_and(|top| top.contains(" home(") && top.contains(") 1 "))
    });
    assert!(!screen.screen().contains("bob is waiting"));
    screen.press("\x1b1");
    screen.shows("bob is waiting");
    assert!(!screen.screen().contains("half a th"));
    screen.press("here I am\r");
    in_bob.reads("here I am");
    in_carol.say("ann, come back");
    screen.until("that carol's names us", |screen| {
        screen.lines().next().is_some_and(|top| top.contains(") 1!"))
    });
    screen.press("\x1b2");
    screen
        .until("what was typed there", |screen| screen.contains("half a th") && screen.contains("come back"));
    screen.press("ought\r");
    in_carol.reads("half a thought");
    assert!(!in_bob.hears("half a thought", Duration::from_millis(300)));
    screen.press("\x04");
    assert_eq!(screen.end(), (0, true));
    assert_eq!(ann.log().lines().count(), 3, "the last room is the current one");
}

#[test]
fn a_room_for_two_lets_in_nobody_else_who_has_its_ticket() {
    let ((ann, mut screen), (bob, _in_bob), _) = two();
    screen.press("/dm bob\r");
    screen.shows("a room for two");
    let shown = screen.screen();
    let from = shown.find("replica1").unwrap();
    let ticket = shown[from..].split("\n\n").next().unwrap();
    let ticket: String = ticket.chars().filter(char::is_ascii_alphanumeric).collect();
    screen.press("\x1b");
    screen
        .until("the room alone", |screen| screen.contains("#ann+bob") && !screen.contains("a room for two"));
    screen.press("for bob alone\r");
    let carol = Home::new("carol");
    carol.run(&["join", &ticket]);
    assert_eq!((carol.texts(), &carol.status()["entries"]), (vec![], &0.into()));
    bob.ok(&["join", &ticket]);
    assert_eq!(bob.texts(), ["for bob alone"]);
    assert_eq!(ann.texts(), ["for bob alone"]);
}

#[test]
fn what_is_pasted_is_taken_as_text_and_not_as_keys() {
    let ((_ann, mut screen), (_bob, mut in_bob), _) = two();
    screen.press("\x1b[200~one\rtwo\x1b[2J\x07\x03three\x1b[201~");
    screen.shows("two[2Jthree");
    screen.press("\r");
    in_bob.reads("one\ntwo[2Jthree");
    screen.press("\x1b[200~1\r2\r3\r4\r5\r6\r7\x1b[201~");
    screen.shows("7 lines were pasted");
    screen.press("\r");
    screen.until("that it is taken", |screen| !screen.contains("lines were pasted"));
    screen.press("\r");
    in_bob.reads("1\n2\n3\n4\n5\n6\n7");
}

#[test]
fn the_screen_follows_every_size() {
    let ((_ann, mut screen), (_bob, mut in_bob), _) = two();
    in_bob.say("a message to be read at every size");
    screen.shows("a message to be read at every size");
    screen.resize(20, 6);
    screen
        .until("the narrow screen", |screen| screen.contains("read at every") && screen.lines().count() <= 6);
    screen.resize(300, 50);
    screen.until("the wide screen", |screen| screen.contains("Ctrl+F search") && screen.contains("≡"));
    screen.resize(80, 24);
    screen.press("still here\r");
    in_bob.reads("still here");
}

#[test]
fn a_peer_that_is_killed_is_gone_and_gets_what_it_missed_when_it_is_back() {
    let ((_ann, mut screen), (bob, mut in_bob), at) = two();
    screen.press("before\r");
    in_bob.reads("before");
    in_bob.kill();
    screen.shows("is gone");
    screen.press("while you were away\r");
    let is_marked = |screen: &str, sign: char| {
        screen.lines().any(|line| line.contains("while you were away") && line.trim_end().ends_with(sign))
    };
    screen.until("only here", |screen| is_marked(screen, '○'));
    bob.send("meanwhile");
    let mut in_bob = bob.chat("127.0.0.1:0", &["--peer", &at]);
    in_bob.reads("while you were away");
    screen.until("all have it", |screen| is_marked(screen, '●'));
    screen.shows("meanwhile");
    // Neither had read the other.
    screen.until("a bracket", |screen| screen.contains('┌') && screen.contains('└'));
}

#[test]
fn who_goes_offline_writes_on_and_is_back_when_they_say_so() {
    let ((_ann, mut screen), (_bob, mut in_bob), _) = two();
    screen.press("before\r");
    in_bob.reads("before");
    screen.press("/offline\r");
    screen.until("the status", |screen| screen.lines().any(|line| line.starts_with(" offline")));
    screen.press("on the train\r");
    in_bob.say("are you there?");
    in_bob.reads("are you there?");
    // Bob dials every quarter of a second at first: nobody answers him.
    assert!(!in_bob.hears("on the train", Duration::from_millis(1_500)));
    assert!(!screen.screen().contains("are you there?"));
    screen.press("/online\r");
    screen.shows("are you there?");
    in_bob.reads("on the train");
}

#[test]
fn the_terminal_is_given_back_when_the_program_is_told_to_end() {
    let ((_ann, screen), _bob, _) = two();
    screen.signal(Signal::TERM);
    let (code, is_given_back) = screen.end();
    assert_eq!((code, is_given_back), (130, true));
}

#[test]
fn a_program_that_sleeps_comes_back_with_its_screen() {
    let ann = Home::new("ann");
    let mut screen = Terminal::below_a_shell(&ann, &["--listen", "127.0.0.1:0"]);
    for (wakes, asleep) in [("by a key", "sleep 1"), ("by a signal", "sleep 2")] {
        screen.shows("F1 help");
        match wakes {
            "by a key" => screen.press("\x1a"),
            _ => kill_process(screen.in_front(), Signal::TSTP).unwrap(),
        }
        // The program gives the terminal back before it sleeps: what is typed in between, the shell does not get.
        screen.until("the shell", |screen| screen.contains(asleep) && !screen.contains("F1 help"));
        screen.press("\n");
    }
    screen.shows("F1 help");
    screen.press("good morning\r");
    screen.until("what was said", |screen| {
        screen.lines().any(|line| line.contains("good morning") && !line.starts_with('>'))
    });
    screen.press("\x03");
    assert_eq!(screen.end(), (0, true));
}

#[test]
fn a_program_that_nobody_could_wake_does_not_sleep() {
    let ann = Home::new("ann");
    let mut screen = Terminal::chat(&ann, "127.0.0.1:0", &[]);
    for (wakes, said) in [("by a key", "still awake"), ("by a signal", "and again")] {
        screen.shows("F1 help");
        match wakes {
            "by a key" => screen.press("\x1a"),
            _ => screen.signal(Signal::TSTP),
        }
        // Drawn anew as a whole.
        screen.parser.process(b"\x1b[2J");
        screen.shows("F1 help");
        screen.press(&format!("{said}\r"));
        screen.until(said, |screen| screen.lines().any(|line| line.contains(said) && !line.starts_with('>')));
    }
    screen.press("\x03");
    assert_eq!(screen.end(), (0, true));
}

#[test]
fn another_program_writes_the_message_and_the_talk_goes_on_meanwhile() {
    let (ann, bob) = (Home::new("ann"), Home::new("bob"));
    let folder = tempfile::tempdir().unwrap();
    let editor = folder.path().join("editor");
    std::fs::write(&editor, "printf ' and more\\nof it\\n' >> \"$1\"").unwrap();
    let editor = format!("sh {}", editor.display());
    let ticket = ann.invite();
    let at = free_address();
    let mut screen = Terminal::start(&ann, &["--listen", &at], &[("EDITOR", &editor), ("VISUAL", "")]);
    screen.shows("nobody else");
    let mut in_bob = bob.chat("127.0.0.1:0", &["--peer", &ticket, "--peer", &at]);
    screen.shows("is connected");
    screen.press("begun");
    screen.shows("> begun");
    screen.press("\x18");
    screen.shows("of it");
    screen.press("\r");
    in_bob.reads("begun and more\nof it");
}

#[test]
fn an_interrupt_typed_while_another_program_has_the_terminal_does_not_end_the_chat() {
    let ann = Home::new("ann");
    let folder = tempfile::tempdir().unwrap();
    let editor = folder.path().join("editor");
    std::fs::write(&editor, "echo editing\nread line\nprintf \"$line\" >> \"$1\"\n").unwrap();
    let editor = format!("sh {}", editor.display());
    let args = ["--listen", "127.0.0.1:0"];
    let mut screen = Terminal::start(&ann, &args, &[("EDITOR", &editor), ("VISUAL", "")]);
    screen.shows("nobody else");
    screen.press("\x18");
    screen.shows("editing");
    screen.signal(Signal::INT);
    screen.press("as it was meant\r");
    screen.shows("> as it was meant");
    screen.press("\r");
    screen.until("that it is said", |screen| screen.contains("│ as it was meant"));
    screen.press("\x18");
    screen.shows("editing");
    // Whoever ends it from elsewhere means it.
    screen.signal(Signal::TERM);
    assert_eq!(screen.end(), (130, true));
}

#[test]
fn beside_a_server_that_sleeps_what_is_typed_is_shown_and_one_can_leave() {
    let ann = Home::new("ann");
    ann.send("the last");
    let nobody = free_address();
    let mut serving = ann.start(&["--json", "--listen", "127.0.0.1:0", "--peer", &nobody, "serve"]);
    serving.wait("listening", |line| line["type"] == "listening");
    let sleeping = || {
        serving.signal(Signal::CONT);
        let mut screen = Terminal::chat(&ann, "127.0.0.1:0", &[]);
        screen.until("the countdown", |screen| screen.contains("the last") && screen.contains("next try"));
        serving.signal(Signal::STOP);
        screen
    };
    // The screen asks how the node stands each second.
    let mut screen = sleeping();
    for letter in "half a thought".split("") {
        screen.press(letter);
        std::thread::sleep(Duration::from_millis(200));
    }
    screen.shows("> half a thought");
    screen.press("\x03\x04");
    assert_eq!(screen.end(), (0, true));

    let mut screen = sleeping();
    screen.press("\x06nowhere\r");
    screen.shows("looking for \"nowhere\"");
    screen.press("\x1b");
    screen.until("the room again", |screen| !screen.contains("looking for"));
    screen.press("\x04");
    assert_eq!(screen.end(), (0, true));

    let mut screen = sleeping();
    screen.press("/who\r");
    screen.signal(Signal::TERM);
    assert_eq!(screen.end(), (130, true));
}

#[test]
fn what_another_program_wrote_is_not_lost_when_it_cannot_be_taken() {
    let ann = Home::new("ann");
    for (writes, told) in
        [("head -c 40000 /dev/zero | tr '\\0' x", "at most 16384 bytes"), ("printf 'gr\\374n'", "not text")]
    {
        let editor = format!("f() {{ {writes} > \"$1\"; }}; f");
        let args = ["--listen", "127.0.0.1:0"];
        let mut screen = Terminal::start(&ann, &args, &[("EDITOR", &editor), ("VISUAL", "")]);
        screen.shows("F1 help");
        screen.press("begun");
        screen.shows("> begun");
        screen.press("\x18");
        screen.shows(told);
        screen.shows("> begun");
        screen.press("\x03\x03");
        assert_eq!(screen.end(), (0, true));
        let files = std::fs::read_dir(ann.path()).unwrap().map(|file| file.unwrap().path());
        let kept = files.filter(|file| file.extension().is_some_and(|extension| extension == "txt"));
        let kept: Vec<_> = kept.collect();
        assert_eq!(kept.len(), 1, "{kept:?}");
        assert!(std::fs::metadata(&kept[0]).unwrap().len() >= 4);
        std::fs::remove_file(&kept[0]).unwrap();
    }
}

#[test]
fn where_no_screen_can_be_drawn_there_are_lines() {
    // The log would be written over the screen.
    for (args, term) in [(&["--plain"][..], "xterm"), (&[], "dumb"), (&["-v"], "xterm")] {
        let ann = Home::new("ann");
        let mut plain =
            Terminal::start(&ann, &[&["--listen", "127.0.0.1:0"], args].concat(), &[("TERM", term)]);
        plain.shows("/help lists what else there is");
        plain.press("hello\r");
        plain.until("the echo", |screen| screen.contains("hello"));
        plain.press("\x04");
        let written = plain.rest();
        assert!(!written.contains("\x1b[?1049h"), "{written:?}");
        assert_eq!(ann.texts(), ["hello"]);
    }
}

#[test]
fn colours_are_where_they_can_be_seen_and_are_wanted() {
    let ann = Home::new("ann");
    ann.send("hello");
    for (args, env, is_colored) in [
        (&[][..], ("TERM", "xterm"), true),
        (&["--color", "never"], ("TERM", "xterm"), false),
        (&[], ("TERM", "dumb"), false),
        (&[], ("NO_COLOR", "1"), false),
        (&["--color", "always"], ("TERM", "dumb"), true),
    ] {
        // One has something on stdout, the other on stderr.
        for subcommand in ["log", "revoke"] {
            let written = Terminal::start(&ann, &[args, &[subcommand]].concat(), &[env]).rest();
            assert!(written.contains("hello") || written.contains("No invite holds"), "{written}");
            assert_eq!(written.contains("\x1b["), is_colored, "{args:?} {env:?} {subcommand}: {written:?}");
        }
    }
}

#[test]
fn what_a_peer_writes_is_drawn_and_not_obeyed() {
    let ((_ann, mut screen), (_bob, mut in_bob), _) = two();
    in_bob.say("x\u{1b}]0;owned\u{7}\u{1b}[2J\u{9b}5A\u{202e}z");
    screen.shows("␛]0;owned");
    let written = String::from_utf8_lossy(&screen.written).into_owned();
    assert!(!written.contains("]0;owned\u{7}") && !written.contains('\u{202e}'), "{written:?}");
}

#[test]
fn what_is_new_since_the_last_time_begins_with_a_line() {
    let (ann, bob) = (Home::new("ann"), Home::new("bob"));
    let ticket = ann.invite();
    ann.send("the first");
    let at = free_address();
    let mut screen = Terminal::chat(&ann, &at, &[]);
    screen.shows("the first");
    let mut in_bob = bob.chat("127.0.0.1:0", &["--peer", &ticket, "--peer", &at]);
    in_bob.say("read");
    // The words of a key may hold it too.
    screen.shows("│ read");
    screen.press("\x03");
    assert_eq!(screen.end(), (0, true));
    in_bob.say("unread");
    in_bob.reads("unread");
    let in_ann = ann.run(&["--listen", &at, "sync"]);
    assert!(in_ann.status.success() || ann.texts().contains(&"unread".to_owned()));
    let mut screen = Terminal::chat(&ann, &at, &[]);
    screen.shows("unread");
    screen.until("the line", |screen| {
        let at = |text: &str| screen.lines().position(|line| line.contains(text));
        at("── new") > at("│ read") && at("── new") < at("unread")
    });
}

#[test]
fn the_screen_that_was_left_is_shown_at_once_and_what_is_typed_meanwhile_is_said() {
    let ann = Home::new("ann");
    ann.send("before the lid was closed");
    let at = free_address();
    let mut screen = Terminal::chat(&ann, &at, &[]);
    screen.shows("before the lid was closed");
    screen.press("\x04");
    assert_eq!(screen.end(), (0, true));
    let mut screen = Terminal::chat(&ann, &at, &[]);
    screen.shows("before the lid was closed");
    // Whatever of this is typed before the room is open is kept for it.
    screen.press("typed early\r");
    let is_said = |line: &str| line.contains("typed early") && !line.starts_with('>');
    screen.until("what was typed", |screen| screen.lines().any(is_said));
    assert!(
        String::from_utf8_lossy(&screen.written).contains("opening"),
        "it was not shown before it was open"
    );
    screen.press("\x04");
    assert_eq!(screen.end(), (0, true));
}
