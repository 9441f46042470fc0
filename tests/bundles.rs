//! Bundles: what one home exports another takes in, by a file and nothing else.

use std::path::PathBuf;

use crate::program::{Home, json};

/// Two people who never met on a network: bob has ann's ticket.
fn apart() -> (Home, Home) {
    let (ann, bob) = (Home::new("ann"), Home::new("bob"));
    let ticket = ann.invite();
    ann.send("ann 1");
    bob.ok(&["--offline", "join", &ticket]);
    (ann, bob)
}

/// A bundle of all that a home has.
fn bundle(home: &Home) -> PathBuf {
    let file = home.path().with_file_name("bundle");
    home.ok(&["export", "--format", "bundle", file.to_str().unwrap()]);
    file
}

/// Takes a bundle of one home into another. Answers how many entries were new.
fn carry(from: &Home, to: &Home) -> u64 {
    let file = bundle(from);
    let line = to.ok(&["--json", "import", file.to_str().unwrap()]);
    json(line.trim())["new"].as_u64().unwrap()
}

#[test]
fn a_bundle_brings_two_replicas_that_never_met_to_equal_history() {
    let (ann, bob) = apart();
    assert!(carry(&ann, &bob) > 0);
    assert_eq!(bob.texts(), ["ann 1"]);
    assert_eq!(ann.digest(), bob.digest());
    assert_eq!(ann.verify()["digest"], bob.verify()["digest"]);
    // What he writes waits for his admission, which nobody gave yet.
    bob.ok(&["--offline", "send", "a draft"]);
    assert_eq!(carry(&bob, &ann), 0);
}

#[test]
fn a_bundle_goes_any_way_and_twice_changes_nothing() {
    let (ann, bob) = apart();
    let mut serving = ann.start(&["--json", "--listen", "127.0.0.1:0", "serve"]);
    let at = serving.wait("listening", |line| line["type"] == "listening")["addr"].clone();
    bob.ok(&["--peer", at.as_str().unwrap(), "sync"]);
    assert_eq!(serving.terminate(), Some(0));
    // Apart from here on.
    for number in 2..5 {
        ann.send(&format!("ann {number}"));
        bob.send(&format!("bob {number}"));
    }
    assert_eq!(carry(&bob, &ann), 3);
    assert_eq!(carry(&bob, &ann), 0);
    assert_eq!(carry(&ann, &bob), 3);
    assert_eq!(ann.log(), bob.log());
    assert_eq!(ann.digest(), bob.digest());
    assert_eq!(ann.verify()["digest"], bob.verify()["digest"]);
    assert_eq!(bob.texts().len(), 7);
}

#[test]
fn a_bundle_is_taken_in_beside_a_server() {
    let (ann, bob) = apart();
    let file = bundle(&ann);
    let mut serving = bob.start(&["--json", "--listen", "127.0.0.1:0", "serve"]);
    serving.wait("listening", |line| line["type"] == "listening");
    bob.ok(&["import", file.to_str().unwrap()]);
    assert_eq!(bob.texts(), ["ann 1"]);
    let exported = bob.run(&["export", "--format", "bundle", "-"]).stdout;
    assert_eq!(serving.terminate(), Some(0));
    assert!(exported.starts_with(b"replica bundle 1\n"));
    assert_eq!(bob.digest(), ann.digest());
}

#[test]
fn a_bundle_that_is_damaged_or_of_another_room_is_refused_with_a_reason() {
    let (ann, bob) = apart();
    let file = bundle(&ann);
    let whole = std::fs::read(&file).unwrap();
    let damaged = file.with_file_name("damaged");
    let flipped = |at: usize| {
        let mut bytes = whole.clone();
        bytes[at] ^= 1;
        bytes
    };
    let altered =
        [whole[..whole.len() - 1].to_vec(), whole[..100].to_vec(), flipped(60), flipped(whole.len() / 2)];
    for bytes in altered {
        std::fs::write(&damaged, bytes).unwrap();
        let refused = bob.fails(5, &["--offline", "import", damaged.to_str().unwrap()]);
        assert!(refused.contains("cut off") || refused.contains("damaged"), "{refused}");
        assert_eq!(bob.status()["entries"], 0);
    }
    std::fs::write(&damaged, "nothing of the kind").unwrap();
    let refused = bob.fails(5, &["import", damaged.to_str().unwrap()]);
    assert!(refused.contains("no bundle"), "{refused}");

    let carol = Home::new("carol");
    carol.send("a room of her own");
    let refused = carol.fails(5, &["import", file.to_str().unwrap()]);
    assert!(refused.contains("another room") && refused.contains("join"), "{refused}");
    assert_eq!(carol.texts(), ["a room of her own"]);
    assert_eq!(Home::new("dave").run(&["import", file.to_str().unwrap()]).status.code(), Some(5));
}

#[test]
fn a_bundle_whose_maker_lies_is_stopped_at_the_gate() {
    use replica::bundle::{Bundle, Writer};
    use replica::identity::Identity;
    let (ann, bob) = apart();
    let whole = std::fs::read(bundle(&ann)).unwrap();
    let read = Bundle::read(&whole).unwrap();
    // Signed as it should be, by somebody who altered a block, or left one out.
    let mallory = Identity::from_secret(&[9; 32]);
    let mut altered = Writer::new(&read.room);
    for at in &read.blocks {
        let mut block = whole[at.clone()].to_vec();
        let last = block.len() - 1;
        block[last] ^= 1;
        altered.add(&block);
    }
    let mut headless = Writer::new(&read.room);
    ann.send("one block more");
    let more = std::fs::read(bundle(&ann)).unwrap();
    let last = Bundle::read(&more).unwrap().blocks.pop().unwrap();
    assert_ne!(last.start, read.blocks[0].start, "the test needs a second block");
    headless.add(&more[last]);
    let file = bob.path().with_file_name("lies");
    for (bytes, why) in [(altered.finish(&mallory), "verify"), (headless.finish(&mallory), "not here")] {
        std::fs::write(&file, bytes).unwrap();
        let refused = bob.fails(5, &["--offline", "import", file.to_str().unwrap()]);
        assert!(refused.contains(why), "{refused}");
        assert_eq!(bob.status()["entries"], 0);
    }
}

#[test]
fn a_conversation_is_exported_as_text_and_as_json_too() {
    let ann = Home::new("ann");
    ann.send("two\nlines \u{1b}[2J");
    let text = ann.ok(&["export", "--format", "text", "-"]);
    assert!(text.contains("two") && text.contains("ann") && !text.contains('\u{1b}'), "{text}");
    assert_eq!(ann.ok(&["export", "--format", "json", "-"]), ann.ok(&["--json", "log", "--all"]));
    assert_eq!(ann.ok(&["export", "--format", "text", "-"]), ann.ok(&["log"]));
    // What is a pipe already, by its name.
    assert_eq!(ann.ok(&["-q", "export", "--format", "text", "/proc/self/fd/1"]), ann.ok(&["log"]));
}
