//! Times as people and as programs read them.

use std::time::Duration;

use jiff::tz::TimeZone;
use jiff::{Timestamp, civil};

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

/// From when on something is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Since {
    /// So long before now.
    Ago(Duration),
    /// A time of this machine's clock, in milliseconds since 1970.
    At(u64),
}

impl Since {
    /// In milliseconds since 1970.
    pub(crate) fn ms(self, now_ms: u64) -> u64 {
        match self {
            Self::Ago(span) => now_ms.saturating_sub(u64::try_from(span.as_millis()).unwrap_or(u64::MAX)),
            Self::At(ms) => ms,
        }
    }
}

/// Reads `12h`, `7d`, a day, a day and a time as this machine's clock has them, or RFC 3339.
pub(crate) fn parse_since(text: &str) -> Result<Since, &'static str> {
    if let Ok(Span(Some(span))) = parse_span(text) {
        return Ok(Since::Ago(span));
    }
    let wrong = "write 12h, 7d, 2026-11-22 or 2026-11-22T09:14";
    let local = || text.parse::<civil::DateTime>().ok()?.to_zoned(TimeZone::system()).ok();
    let at = text.parse::<Timestamp>().ok().or_else(|| local().map(|time| time.timestamp()));
    at.and_then(|at| u64::try_from(at.as_millisecond()).ok()).map(Since::At).ok_or(wrong)
}

/// A thousand years: still a time that can be written.
const SPAN_SECONDS_MAX: u64 = 1000 * 366 * 24 * 60 * 60;

fn timestamp(ms: u64) -> Timestamp {
    i64::try_from(ms).ok().and_then(|ms| Timestamp::from_millisecond(ms).ok()).unwrap_or(Timestamp::MAX)
}

#[cfg(test)]
mod tests;
