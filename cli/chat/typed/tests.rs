use super::*;

fn lines(bytes: &[u8]) -> Vec<Typed> {
    let mut from = io::BufReader::with_capacity(7, bytes);
    let mut lines = Vec::new();
    loop {
        match read_line(&mut from).unwrap() {
            Typed::End => return lines,
            line => lines.push(line),
        }
    }
}

fn line(text: &str) -> Typed {
    Typed::Line(text.to_owned())
}

#[test]
fn each_line_is_one_message_as_it_is() {
    assert_eq!(lines(b"one\n /two \r\n\nthree"), [line("one"), line(" /two "), line(""), line("three")]);
    assert_eq!(lines(b""), []);
}

#[test]
fn a_line_over_the_limit_is_not_kept_and_the_next_one_is() {
    let fits = "x".repeat(MESSAGE_BYTES_MAX);
    for end in ["\n", "\r\n"] {
        for more in [1, 2, 3, 100_000] {
            let text = format!("{fits}{end}{fits}{}{end}next{end}", "y".repeat(more));
            assert_eq!(lines(text.as_bytes()), [line(&fits), Typed::TooLong, line("next")], "{end:?} {more}");
        }
    }
}

#[test]
fn the_last_line_needs_no_end() {
    let over = "x".repeat(MESSAGE_BYTES_MAX + 1);
    assert_eq!(lines(over.as_bytes()), [Typed::TooLong]);
    assert_eq!(lines(&over.as_bytes()[1..]), [line(&over[1..])]);
}

#[test]
fn a_line_that_is_not_text_is_not_altered_and_the_next_one_is_kept() {
    assert_eq!(lines(b"a\xffb\nnext\n"), [Typed::NotText, line("next")]);
}
