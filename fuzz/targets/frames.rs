//! Bytes from strangers, at every parser.
#![no_main]

use libfuzzer_sys::fuzz_target;
use replica_fuzz::formats::check;

fuzz_target!(|bytes: &[u8]| check(bytes));
