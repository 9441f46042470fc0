//! The shell's clock: the one place where time enters.

use std::time::{Instant, SystemTime, UNIX_EPOCH};

use crate::engine::Now;
use crate::limits::millis;

/// Counts from when it was made, and knows the time of day.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Clock {
    start: Instant,
}

impl Clock {
    #[expect(clippy::disallowed_methods, reason = "the shell's clock is the one place where time enters")]
    pub(crate) fn new() -> Self {
        Self { start: Instant::now() }
    }

    #[expect(clippy::disallowed_methods, reason = "the shell's clock is the one place where time enters")]
    pub(crate) fn now(&self) -> Now {
        let wall = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Now { monotonic_ms: millis(self.start.elapsed()), wall_ms: millis(wall) }
    }
}
