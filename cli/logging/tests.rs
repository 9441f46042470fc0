use super::*;

#[test]
fn an_event_is_one_line_that_no_terminal_obeys() {
    let mut written = Vec::new();
    Clean(&mut written).write_all(b"refused: \x1b]0;x\x07\nFAKE a line of its own \xff\n").unwrap();
    assert_eq!(String::from_utf8(written).unwrap(), "refused: ␛]0;x␇⏎FAKE a line of its own \u{fffd}\n");
}

#[test]
fn what_is_logged_goes_through_it() {
    let written = tempfile::NamedTempFile::new().unwrap();
    let file = Arc::new(written.reopen().unwrap());
    let log = fmt().with_ansi(false).with_writer(move || Clean(Arc::clone(&file))).finish();
    tracing::subscriber::with_default(log, || {
        tracing::info!(reason = %"\u{202e}gone\u{9b}2J\nFAKE", "a peer left \x1b[2J");
    });
    let log = std::fs::read_to_string(written.path()).unwrap();
    assert_eq!(log.lines().count(), 1, "{log:?}");
    assert!(!log.trim_end().chars().any(|c| c.is_control() || c == '\u{202e}'), "{log:?}");
}
