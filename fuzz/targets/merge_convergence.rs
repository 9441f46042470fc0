//! Stories of replicas, and whether they agree in the end.
#![no_main]

use std::cell::RefCell;

use libfuzzer_sys::fuzz_target;
use replica_fuzz::examine::{examine, shrink};
use replica_fuzz::scenario::Scenario;

thread_local! {
    /// What is being examined: a panic tells it.
    static CURRENT: RefCell<Option<Scenario>> = const { RefCell::new(None) };
}

fuzz_target!(
    init: {
        let hook = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |panic| {
            CURRENT.with_borrow(|current| if let Some(scenario) = current { tell(scenario.seed, &scenario.script) });
            hook(panic);
        }));
    },
    |bytes: &[u8]| {
        let scenario = Scenario::of_bytes(bytes);
        CURRENT.set(Some(scenario.clone()));
        if let Err(finding) = examine(scenario.seed, &scenario.script) {
            CURRENT.set(None);
            tell(scenario.seed, &scenario.script);
            if std::env::var_os("NO_SHRINK").is_none() {
                tell(scenario.seed, &shrink(scenario.seed, &scenario.script));
            }
            panic!("{finding}");
        }
    }
);

#[expect(clippy::print_stderr, reason = "a fuzzer tells what it found")]
fn tell(seed: u64, script: &str) {
    eprintln!("SEED={seed} SCRIPT='{script}'");
}
