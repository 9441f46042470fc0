use super::{Step, check_recovery};

#[test]
fn whichever_call_fails_the_log_is_as_before_or_as_after() {
    for call in 1..40 {
        for end in [Step::Crash, Step::Kill] {
            check_recovery(&[
                Step::Append(vec![(1, 10), (3, 9_000)]),
                Step::Fail(call),
                Step::Append(vec![(2, 60_000), (0, 1), (1, 65_535)]),
                Step::Fold { from: 0, blocks: 2, bytes: 5_000 },
                Step::Read(0),
                Step::Verify,
                Step::Append(vec![(1, 0)]),
                end,
                Step::Append(vec![(9, 4_096)]),
            ]);
        }
    }
}
