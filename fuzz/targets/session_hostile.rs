//! A hostile member's frames, in any order.
#![no_main]

use libfuzzer_sys::fuzz_target;
use replica_fuzz::hostile::Attack;

fuzz_target!(|attack: Attack| attack.check());
