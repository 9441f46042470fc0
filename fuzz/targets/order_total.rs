//! The order of any history.
#![no_main]

use libfuzzer_sys::fuzz_target;
use replica_fuzz::dag::Dag;

fuzz_target!(|dag: Dag| dag.check());
