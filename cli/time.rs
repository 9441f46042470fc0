//! Times as people and as programs read them.

use std::time::Duration;

use jiff::Timestamp;
use jiff::tz::TimeZone;

/// RFC 3339, UTC, with milliseconds. What lies beyond the year 9999 is shown as its end.
pub(crate) fn rfc3339(ms: u64) -> String {
    timestamp(ms).strftime("%Y-%m-%dT%H:%M:%S%.3fZ").to_string()
}

/// Milliseconds since 1970, by this machine's clock.
pub(crate) fn now_ms() -> u64 {
    u64::try_from(Timestamp::now().as_millisecond()).unwrap_or(0)
}

/// Times as the reader's own clock shows them.
#[derive(Clone, Debug)]
pub(crate) struct LocalTime(TimeZone);

impl LocalTime {
    pub(crate) fn of_system() -> Self {
        Self(TimeZone::system())
    }

    #[cfg(test)]
    pub(crate) fn utc() -> Self {
        Self(TimeZone::UTC)
    }

    /// `09:14`
    pub(crate) fn minute(&self, ms: u64) -> String {
        self.format(ms, "%H:%M")
    }

    /// `Sun 22 Nov 2026`
    pub(crate) fn day(&self, ms: u64) -> String {
        self.format(ms, "%a %-d %b %Y")
    }

    /// `2026-11-22 09:14`
    pub(crate) fn full(&self, ms: u64) -> String {
        self.format(ms, "%Y-%m-%d %H:%M")
    }

    fn format(&self, ms: u64, format: &str) -> String {
        timestamp(ms).to_zoned(self.0.clone()).strftime(format).to_string()
    }
}

/// How long something holds; none is for ever.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Span(pub(crate) Option<Duration>);

/// Reads `30m`, `12h`, `7d`, `2w` or `never`.
pub(crate) fn parse_span(text: &str) -> Result<Span, &'static str> {
    if text == "never" {
        return Ok(Span(None));
    }
    let wrong = "write a number and s, m, h, d or w, as in 7d; or never";
    let (number, unit) = text.split_at_checked(text.len().saturating_sub(1)).ok_or(wrong)?;
    let seconds = match unit {
        "s" => 1,
        "m" => 60,
        "h" => 60 * 60,
        "d" => 24 * 60 * 60,
        "w" => 7 * 24 * 60 * 60,
        _ => return Err(wrong),
    };
    let number: u64 = number.parse().map_err(|_| wrong)?;
    let seconds =
        number.checked_mul(seconds).filter(|it| (1..=SPAN_SECONDS_MAX).contains(it)).ok_or(wrong)?;
    Ok(Span(Some(Duration::from_secs(seconds))))
}

/// A thousand years: still a time that can be written.
const SPAN_SECONDS_MAX: u64 = 1000 * 366 * 24 * 60 * 60;

fn timestamp(ms: u64) -> Timestamp {
    i64::try_from(ms).ok().and_then(|ms| Timestamp::from_millisecond(ms).ok()).unwrap_or(Timestamp::MAX)
}

#[cfg(test)]
mod tests;
