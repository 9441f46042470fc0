//! What strangers say to a rendezvous, and what a server may answer.
#![no_main]

use libfuzzer_sys::fuzz_target;
use replica_fuzz::formats::check_rendezvous;

fuzz_target!(|bytes: &[u8]| check_rendezvous(bytes));
