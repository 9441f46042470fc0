//! What goes wrong, and that it is said plainly: an error that names the cure, the exit code of the contract, nothing
//! lost, no panic.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::time::Duration;

use crate::program::{Home, free_address};

#[test]
fn a_home_in_use_names_the_process_that_holds_it() {
    let ann = Home::new("ann");
    let mut running = ann.chat("127.0.0.1:0", &[]);
    running.say("first");
    running.reads("first");
    // What only the holder can do, and what it will not do for others.
    for args in [["identity", "passphrase", "--remove"].as_slice(), &["doctor", "--repair"]] {
        let error = ann.fails(4, args);
        assert!(error.contains(&format!("process {}", running.id())), "{error}");
    }
    assert_eq!(running.finish(), Some(0));
    assert_eq!(ann.texts(), ["first"]);
}

#[test]
fn a_bad_ticket_is_refused() {
    let (ann, bob) = (Home::new("ann"), Home::new("bob"));
    let ticket = ann.invite();
    let typo = ticket.replacen('a', "b", 1);
    for wrong in [typo.as_str(), &ticket[..ticket.len() - 3], "replica1nonsense!"] {
        let error = bob.fails(5, &["--offline", "join", wrong]);
        assert!(error.contains("ticket"), "{error}");
    }
}

#[test]
fn an_address_that_is_none_is_a_wrong_use() {
    let ann = Home::new("ann");
    ann.fails(2, &["--peer", "not an address", "sync"]);
    ann.fails(2, &["--listen", "nowhere", "serve"]);
    ann.fails(2, &["--no-such-flag"]);
}

#[test]
fn a_message_over_the_limit_is_refused_and_nothing_else_is() {
    let ann = Home::new("ann");
    ann.send(&"x".repeat(16 * 1024));
    let error = ann.fails(1, &["--offline", "send", &"x".repeat(16 * 1024 + 1)]);
    assert!(error.contains("16"), "{error}");
    assert_eq!(ann.texts().len(), 1);
}

#[test]
fn a_piped_line_that_is_not_sent_is_said_and_the_others_are_sent() {
    let over = "x".repeat(16 * 1024 + 1);
    for wrong in [over.as_bytes(), b"gr\xfc\xdfe"] {
        let ann = Home::new("ann");
        let input = [b"one\n", wrong, b"\ntwo\n"].concat();
        let output = ann.run_with(&["-q", "--offline"], &input);
        let error = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(1), "{error}");
        assert!(error.contains("not sent"), "{error}");
        assert_eq!(ann.texts(), ["one", "two"]);
    }
}

#[test]
fn a_damaged_store_is_said_and_kept() {
    let ann = Home::new("ann");
    ann.send("before the damage");
    let rooms = ann.path().join("rooms");
    let room = std::fs::read_dir(rooms).unwrap().next().unwrap().unwrap().path();
    let database = room.join("store").join("db");
    let length = std::fs::metadata(&database).unwrap().len();
    std::fs::OpenOptions::new().write(true).open(&database).unwrap().set_len(length / 3).unwrap();
    let error = ann.fails(4, &["log"]);
    assert!(error.contains("store"), "{error}");
    assert!(database.exists());
}

#[test]
fn a_peer_that_speaks_garbage_bothers_nobody() {
    let (ann, bob) = (Home::new("ann"), Home::new("bob"));
    let ticket = ann.invite();
    let at = free_address();
    let mut in_ann = ann.chat(&at, &[]);
    in_ann.say("listening");
    in_ann.reads("listening");
    let garbage: Vec<Vec<u8>> = vec![
        b"GET / HTTP/1.1\r\nHost: x\r\n\r\n".to_vec(),
        vec![0xff; 70_000],
        vec![0; 5],
        [&[0, 48][..], &[7; 48]].concat(),
    ];
    for bytes in garbage {
        let mut stream = TcpStream::connect(&at).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
        stream.write_all(&bytes).ok();
        // The other side closes, or resets, what it does not understand; a short one it drops after its patience.
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).ok();
        assert!(answer.is_empty(), "a stranger was answered: {answer:?}");
    }
    let mut in_bob = bob.chat("127.0.0.1:0", &["--peer", &ticket, "--peer", &at]);
    in_bob.reads("listening");
    assert_eq!(in_bob.finish(), Some(0));
    assert_eq!(in_ann.finish(), Some(0));
}

#[test]
fn a_wrong_secret_is_told_how_to_get_in() {
    let (ann, bob, carol) = (Home::new("ann"), Home::new("bob"), Home::new("carol"));
    // Bob is not alone in his room, so he does not knock at ann's.
    let ticket = bob.invite();
    let at_bob = free_address();
    let mut in_bob = bob.chat(&at_bob, &[]);
    let mut in_carol = carol.chat("127.0.0.1:0", &["--peer", &ticket, "--peer", &at_bob]);
    in_carol.say("here");
    in_bob.reads("here");
    assert_eq!(in_carol.finish(), Some(0));
    assert_eq!(in_bob.finish(), Some(0));
    let mut serving = ann.start(&["--json", "--listen", "127.0.0.1:0", "serve"]);
    let line = serving.wait("listening", |line| line["type"] == "listening");
    let error = bob.fails(5, &["--peer", line["addr"].as_str().unwrap(), "sync", "--timeout", "20"]);
    assert!(error.contains("ticket"), "{error}");
    assert_eq!(serving.terminate(), Some(0));
}
