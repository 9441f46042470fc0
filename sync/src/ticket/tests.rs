use replica::id::RoomId;

use super::{PREFIX, ParseTicketError, Ticket};

fn ticket() -> Ticket {
    let addresses = vec!["127.0.0.1:7400".to_owned(), "[::1]:7401".to_owned(), "host.example:1".to_owned()];
    Ticket { room: RoomId([7; 32]), secret: [9; 32], invite: Some([3; 32]), addresses }
}

fn parse(text: &str) -> Result<Ticket, ParseTicketError> {
    text.parse()
}

/// The ticket with another character at a place, which is counted from 1.
fn altered(text: &str, at: usize) -> String {
    let other = if text[at - 1..].starts_with('k') { "x" } else { "k" };
    format!("{}{other}{}", &text[..at - 1], &text[at..])
}

/// Every place behind the prefix, from 1.
fn places(text: &str) -> std::ops::RangeInclusive<usize> {
    PREFIX.len() + 1..=text.len()
}

/// Whether an error names a piece of the ticket that holds this place.
fn names_around(error: Result<Ticket, ParseTicketError>, place: usize) -> bool {
    matches!(error, Err(ParseTicketError::Between { from, to }) if from <= place && place <= to && to - from < 31)
}

#[test]
fn a_ticket_reads_back_as_it_was_written() {
    for ticket in [ticket(), Ticket { invite: None, addresses: Vec::new(), ..ticket() }] {
        assert_eq!(ticket.to_string().parse(), Ok(ticket.clone()));
    }
    let many = vec!["x".repeat(80); 12];
    let largest = Ticket { addresses: many, ..ticket() };
    assert_eq!(parse(&largest.to_string()), Ok(largest));
}

#[test]
fn space_line_breaks_and_case_do_not_matter() {
    let text = ticket().to_string();
    let (head, tail) = text.split_at(57);
    for copied in [
        format!("  {text}\r\n"),
        format!("{head}\n    {tail}"),
        format!("{head}\u{200b}{tail}\u{feff}"),
        text.to_uppercase(),
        format!("Replica1{}", &text[8..]),
    ] {
        assert_eq!(parse(&copied), Ok(ticket()), "{copied:?}");
    }
}

#[test]
fn a_typo_is_named_by_its_place() {
    let text = ticket().to_string();
    for at in places(&text) {
        assert_eq!(parse(&altered(&text, at)), Err(ParseTicketError::Character(at)));
    }
}

#[test]
fn of_typos_far_apart_the_first_is_named() {
    let text = ticket().to_string();
    assert_eq!(parse(&altered(&altered(&text, 12), 150)), Err(ParseTicketError::Character(12)));
}

#[test]
fn two_typos_side_by_side_are_named_by_their_piece() {
    let text = ticket().to_string();
    for at in places(&text).filter(|at| (at - 8) % 31 != 0 && *at < text.len()) {
        let wrong = parse(&altered(&altered(&text, at), at + 1));
        assert!(names_around(wrong.clone(), at), "at {at}: {wrong:?}");
    }
}

#[test]
fn a_missing_and_an_added_character_are_named_by_their_piece() {
    let text = ticket().to_string();
    let mut named = 0;
    for at in places(&text) {
        let missing = format!("{}{}", &text[..at - 1], &text[at..]);
        let added = format!("{}q{}", &text[..at - 1], &text[at - 1..]);
        for wrong in [missing, added] {
            assert!(parse(&wrong).is_err(), "at {at}");
            // One piece in a thousand fits by chance, and at its last characters the next one may be the first that
            // does not.
            named += usize::from(names_around(parse(&wrong), at));
        }
    }
    assert!(named * 10 >= places(&text).count() * 2 * 9, "{named} of {}", places(&text).count() * 2);
}

#[test]
fn half_a_ticket_is_no_ticket() {
    let text = ticket().to_string();
    for length in 0..text.len() {
        assert!(parse(&text[..length]).is_err(), "{length} characters");
    }
    assert_eq!(parse(&text[..8 + 31]), Err(ParseTicketError::Incomplete));
    assert_eq!(parse("replica1"), Err(ParseTicketError::Incomplete));
    assert_eq!(parse("replica1ab!"), Err(ParseTicketError::Character(11)));
    assert_eq!(parse("127.0.0.1:7400"), Err(ParseTicketError::Prefix));
    assert_eq!(parse("replicä1ab"), Err(ParseTicketError::Prefix));
    assert_eq!(parse(&format!("replica1{}", "a".repeat(5_000))), Err(ParseTicketError::Unreadable));
}

#[test]
fn an_address_that_could_hide_something_is_refused() {
    let hostile = Ticket { addresses: vec!["\u{1b}[2J:1".to_owned()], ..ticket() };
    assert_eq!(parse(&hostile.to_string()), Err(ParseTicketError::Unreadable));
}

#[test]
fn the_golden_ticket_is_what_the_protocol_shows() {
    let golden = Ticket { invite: None, addresses: Vec::new(), secret: [9; 32], room: RoomId([7; 32]) };
    let text = golden.to_string();
    assert!(include_str!("../../../PROTOCOL.md").contains(&format!("\n{text}\n")), "{text}");
}
