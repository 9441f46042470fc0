use super::*;

#[test]
fn a_clock_far_from_the_conversation_is_warned_about() {
    let now = RELEASED_MS + 1_000_000_000;
    for (newest, verdict) in [
        (None, Verdict::Ok),
        (Some(0), Verdict::Ok),
        (Some(now + CLOCK_SKEW_MS), Verdict::Ok),
        (Some(now + CLOCK_SKEW_MS + 1), Verdict::Warn),
    ] {
        assert_eq!(clock(now, newest).verdict, verdict, "{newest:?}");
    }
    assert_eq!(clock(RELEASED_MS - 1, None).verdict, Verdict::Warn);
}

#[test]
fn a_listener_that_only_this_machine_reaches_is_warned_about() {
    let listed = |addresses: &[&str]| {
        listener(&addresses.iter().map(|it| (*it).to_owned()).collect::<Vec<_>>()).verdict
    };
    assert_eq!(listed(&["127.0.0.1:7400", "[::1]:7400"]), Verdict::Warn);
    assert_eq!(listed(&["127.0.0.1:7400", "192.0.2.7:7400"]), Verdict::Ok);
}
