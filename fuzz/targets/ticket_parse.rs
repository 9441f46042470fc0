//! Text that may be a ticket.
#![no_main]

use libfuzzer_sys::fuzz_target;
use replica_fuzz::formats::Tickets;

fuzz_target!(|tickets: Tickets| tickets.check());
