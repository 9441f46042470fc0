//! A log on a store of which some calls fail.
#![no_main]

use libfuzzer_sys::fuzz_target;
use replica_fuzz::recovery::{Step, check_recovery};

fuzz_target!(|steps: Vec<Step>| check_recovery(&steps));
