//! A stream in pieces.
#![no_main]

use libfuzzer_sys::fuzz_target;
use replica_fuzz::formats::check_chunks;

fuzz_target!(|input: (u16, Vec<u8>, &[u8])| check_chunks(input.0, &input.1, input.2));
