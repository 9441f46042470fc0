use super::run;
use crate::engine::Event;

/// Runs a script under several seeds and checks the messages that every replica then has, in order.
fn check(script: &str, expected: &[&str]) {
    for seed in 0..20 {
        let mut world = run(seed, script).unwrap_or_else(|error| panic!("seed {seed}: {error}"));
        for index in 0..world.replicas().len() {
            let replica = world.replica_mut(index);
            let rows = replica.rows();
            let said: Vec<&str> =
                rows.iter().map(|row| row.text.as_str()).filter(|text| !is_notice(text)).collect();
            assert_eq!(said, expected, "seed {seed}: {} reads otherwise", replica.name);
        }
    }
}

fn is_notice(text: &str) -> bool {
    ["made the room", "is called", "let ", "published"].iter().any(|start| text.starts_with(start))
}

#[test]
fn what_one_says_everyone_reads() {
    check("a: hi | settle | b: hello | settle | c: good morning | settle", &["hi", "hello", "good morning"]);
}

#[test]
fn a_late_joiner_reads_the_whole_past() {
    check("a: hi | pass 50 | b: there | settle | c joins | settle", &["hi", "there"]);
}

#[test]
fn that_all_is_known_is_told_before_the_next_heartbeat() {
    for seed in 0..20 {
        let world = run(seed, "a: hi | settle | b joins | pass 1500 | b: there | pass 1500").unwrap();
        for replica in world.replicas() {
            let last = |wanted: fn(&Event) -> bool| replica.told.iter().rposition(wanted);
            let row = last(|event| matches!(event, Event::Row(_)));
            let agreed = last(|event| matches!(event, Event::Agreed { .. }));
            assert!(agreed > row, "seed {seed}: {} was told {:?}", replica.name, replica.told);
        }
    }
}
