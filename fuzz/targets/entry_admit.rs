//! Entries with good signatures, at the gate.
#![no_main]

use libfuzzer_sys::fuzz_target;
use replica_fuzz::gate::Offered;

fuzz_target!(|offered: Offered| offered.check());
