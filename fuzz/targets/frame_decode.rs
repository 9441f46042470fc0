//! Bytes from strangers, as frames, blocks and records.
#![no_main]

use libfuzzer_sys::fuzz_target;
use replica_fuzz::formats::check_decode;

fuzz_target!(|bytes: &[u8]| check_decode(bytes));
