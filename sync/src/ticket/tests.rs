use replica::id::RoomId;

use super::{ParseTicketError, Ticket};

fn ticket() -> Ticket {
    let addresses = vec!["127.0.0.1:7400".to_owned(), "[::1]:7401".to_owned(), "host.example:1".to_owned()];
    Ticket { room: RoomId([7; 32]), secret: [9; 32], invite: Some([3; 32]), addresses }
}

#[test]
fn a_ticket_reads_back_as_it_was_written() {
    for ticket in [ticket(), Ticket { invite: None, addresses: Vec::new(), ..ticket() }] {
        assert_eq!(ticket.to_string().parse(), Ok(ticket.clone()));
        assert_eq!(format!("  {ticket}\n").parse(), Ok(ticket));
    }
}

#[test]
fn a_typo_anywhere_is_noticed() {
    let text = ticket().to_string();
    for at in 8..text.len() {
        let mut wrong = text.clone().into_bytes();
        wrong[at] = if wrong[at] == b'a' { b'b' } else { b'a' };
        let wrong = String::from_utf8(wrong).unwrap();
        assert!(wrong.parse::<Ticket>().is_err(), "a typo at {at} was not noticed");
    }
    assert_eq!("replica1ab!".parse::<Ticket>(), Err(ParseTicketError::Character(11)));
    assert_eq!(text[..text.len() - 2].parse::<Ticket>(), Err(ParseTicketError::Checksum));
    assert_eq!("127.0.0.1:7400".parse::<Ticket>(), Err(ParseTicketError::Prefix));
}

#[test]
fn an_address_that_could_hide_something_is_refused() {
    let hostile = Ticket { addresses: vec!["\u{1b}[2J:1".to_owned()], ..ticket() };
    assert_eq!(hostile.to_string().parse::<Ticket>(), Err(ParseTicketError::Checksum));
}
