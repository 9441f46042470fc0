//! The shortest script that still shows something.

use super::{Finding, examine};

/// Leaves out steps as long as the script still shows something wrong.
#[must_use]
pub fn shrink(seed: u64, script: &str) -> String {
    let mut steps: Vec<&str> = script.split(" | ").collect();
    let mut runs = 0;
    let mut length = steps.len() / 2;
    while length > 0 {
        let mut at = 0;
        while at < steps.len() && runs < RUNS_MAX {
            let end = (at + length).min(steps.len());
            let shorter: Vec<&str> = steps[..at].iter().chain(&steps[end..]).copied().collect();
            runs += 1;
            let found = examine(seed, &shorter.join(" | "));
            if found.is_err_and(|finding| !matches!(finding, Finding::Step(_))) {
                steps = shorter;
            } else {
                at = end;
            }
        }
        length /= 2;
    }
    steps.join(" | ")
}

/// Most scripts that are tried.
const RUNS_MAX: usize = 400;
