use super::*;

#[test]
fn times_for_programs_are_utc_with_milliseconds() {
    assert_eq!(rfc3339(0), "1970-01-01T00:00:00.000Z");
    assert_eq!(rfc3339(1_795_338_843_120), "2026-11-22T09:14:03.120Z");
}

#[test]
fn a_time_that_cannot_be_true_is_still_shown() {
    assert!(rfc3339(replica::limits::TIME_MS_MAX).starts_with("9999-12-30T"));
    assert!(!LocalTime::of_system().full(u64::MAX).is_empty());
}

#[test]
fn local_times_follow_the_zone() {
    let local = LocalTime(TimeZone::fixed(jiff::tz::offset(2)));
    assert_eq!(local.minute(1_795_338_843_120), "11:14");
    assert_eq!(local.day(1_795_338_843_120), "Sun 22 Nov 2026");
    assert_eq!(local.full(1_795_338_843_120), "2026-11-22 11:14");
}

#[test]
fn spans_have_a_unit_and_a_limit() {
    assert_eq!(parse_span("7d"), Ok(Span(Some(Duration::from_secs(604_800)))));
    assert_eq!(parse_span("never"), Ok(Span(None)));
    for wrong in ["", "7", "d", "0h", "-1h", "7 d", "99999999999999w", "七d"] {
        assert!(parse_span(wrong).is_err(), "{wrong:?}");
    }
}
