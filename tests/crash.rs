//! kill -9 at any moment.

use crate::program::{Home, free_address, rounds};

/// Kills in the middle of heavy sending, some 100 ms each.
const KILLS: usize = 50;

#[test]
fn what_was_acknowledged_before_a_kill_is_there_after_it() {
    let (ann, bob) = (Home::new("ann"), Home::new("bob"));
    let ticket = ann.invite();
    let at = free_address();
    let mut acknowledged: Vec<String> = Vec::new();
    let rounds = rounds(KILLS);
    for round in 0..rounds {
        let mut in_ann = ann.chat(&at, &[]);
        let mut in_bob = bob.chat("127.0.0.1:0", &["--peer", &ticket, "--peer", &at]);
        for number in 0..20 {
            in_ann.say(&format!("a {round} {number}"));
            in_bob.say(&format!("b {round} {number}"));
        }
        // Own rows are shown once they are durable: these are acknowledged. Killed in the middle of the rest.
        in_ann.reads(&format!("a {round} {}", round % 20));
        let (killed, other) =
            if round % 2 == 0 { (&mut in_ann, &mut in_bob) } else { (&mut in_bob, &mut in_ann) };
        killed.kill();
        let mine = |own: &str, texts: Vec<&str>| -> Vec<String> {
            texts.into_iter().filter(|text| text.starts_with(own)).map(str::to_owned).collect()
        };
        let own = if round % 2 == 0 { "a " } else { "b " };
        acknowledged.extend(mine(own, killed.texts()));
        other.kill();
        let own = if round % 2 == 0 { "b " } else { "a " };
        acknowledged.extend(mine(own, other.texts()));
    }
    let mut in_ann = ann.chat(&at, &[]);
    let mut in_bob = bob.chat("127.0.0.1:0", &["--peer", &ticket, "--peer", &at]);
    in_bob.say("the end");
    in_ann.reads("the end");
    in_ann.say("the very end");
    in_bob.reads("the very end");
    assert_eq!(in_bob.finish(), Some(0));
    assert_eq!(in_ann.finish(), Some(0));
    assert!(acknowledged.len() >= rounds, "only {} were acknowledged", acknowledged.len());
    let texts = ann.texts();
    let lost: Vec<&String> = acknowledged.iter().filter(|text| !texts.contains(text)).collect();
    assert!(
        lost.is_empty(),
        "{} of {} acknowledged messages are lost: {lost:?}",
        lost.len(),
        acknowledged.len()
    );
    assert_eq!(ann.log(), bob.log());
    assert_eq!(ann.digest(), bob.digest());
    assert_eq!(ann.verify()["digest"], bob.verify()["digest"]);
}
