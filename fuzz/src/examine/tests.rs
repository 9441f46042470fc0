use super::{examine, shrink};
use crate::scenario::Scenario;

/// Examines a script under some seeds.
fn check(script: &str) {
    for seed in 0..10 {
        if let Err(finding) = examine(seed, script) {
            panic!("seed {seed}: {script}\n{finding}");
        }
    }
}

#[test]
fn a_talk_of_three_holds() {
    check("a: x1 | pass 30 | b: y2 | c: z3 | cut a b | a: x4 | b: y5 | pass 2000");
}

#[test]
fn a_talk_of_more_than_a_mesh_holds() {
    check(
        "d: x1 | b2 is b | a3 is a | n4 joins c | n5 joins a | n6 joins b | cut c | c: y2 | pass 2000 | e: z3",
    );
}

#[test]
fn who_heard_what_was_lost_from_others_is_known_to_have_it() {
    let script = "start a | start b | pass 300 | c leaves | pass 20 | cut c b | dial b a | d: x1 | pass 200 | \
        heal b c | c: y2 | crash b | crash c | d writes 40 long | lose a b | c: x7 | b writes 20 | cut c a | pass 20000";
    examine(1_616_725_853, script).unwrap();
}

#[test]
fn who_goes_on_from_an_old_copy_may_count_twice_for_a_while() {
    let script = "start a | b: y1 | a1 is a | b: z2 | clock d -259200 | hang c e | backup b | e: y3 | pass 80 | \
        cut n2 a1 | hang c b | a: z4 | a: z5 | n2 writes 8 | restore b | e: x6 | cut c | crash c | c: y7 | n3 joins a";
    examine(2_179_524_608, script).unwrap();
}

#[test]
fn whose_store_failed_just_before_the_end_of_all_faults_starts_anew_as_well() {
    let script = "start a | start b | start c | c: z1 | sleep 604800 | pass 80 | c: z2 | sleep 604800 | pass 1000 | \
        n1 joins c | a: x3 | a: x4 | a: z5 | a2 is a | fail a 5 | a2: y6";
    examine(283_656_168, script).unwrap();
}

#[test]
fn what_the_other_home_of_who_left_says_stays_there_if_it_knows_nobody_who_is_in() {
    let script = "pass 300 | a1 is a | a12 is a1 | a writes 8 | a1: y1 | b: z2 | pass 1000 | n3 joins b | b: z3 | \
        b4 is b | b leaves | a leaves | b4: y4 | a1: y5 | crash a12 | dial a12 a12 | n3 writes 20 | b4: z6 | \
        a12 writes 80 | dial n3 a1 | a: y8";
    examine(3_288_334_336, script).unwrap();
}

#[test]
fn stories_made_of_bytes_hold() {
    let stories = std::env::var("STORIES").ok().and_then(|stories| stories.parse().ok()).unwrap_or(60_u32);
    for number in 0..stories {
        let scenario = Scenario::of_bytes(&number.to_le_bytes());
        if let Err(finding) = examine(scenario.seed, &scenario.script) {
            let script = shrink(scenario.seed, &scenario.script);
            panic!("seed {}: {script}\n{finding}", scenario.seed);
        }
    }
}

/// `SEED=7 SCRIPT='a: hi | crash a' cargo test -p replica-fuzz environment` replays what a fuzzer told.
#[test]
fn a_script_from_the_environment_holds() {
    let seed = std::env::var("SEED").ok().and_then(|seed| seed.parse().ok()).unwrap_or(0);
    if let Ok(script) = std::env::var("SCRIPT") {
        examine(seed, &script).unwrap();
    }
}
