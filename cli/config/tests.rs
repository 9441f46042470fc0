use clap::Parser as _;
use replica::id::RoomId;

use super::*;

fn config(arguments: &str) -> Result<Config, anyhow::Error> {
    let arguments = ["replica", "--home", "/nowhere"].into_iter().chain(arguments.split_whitespace());
    Config::from_args(Args::parse_from(arguments)).map(|(config, _)| config)
}

fn ticket(room: u8, address: &str) -> Ticket {
    Ticket { room: RoomId([room; 32]), secret: [2; 32], invite: None, addresses: vec![address.to_owned()] }
}

#[test]
fn the_command_line_is_consistent() {
    use clap::CommandFactory as _;
    Args::command().debug_assert();
}

#[test]
fn a_peer_is_an_address_with_or_without_a_port() {
    for (given, meant) in [
        ("192.168.1.5", "192.168.1.5:7400"),
        ("192.168.1.5:1", "192.168.1.5:1"),
        ("example.org", "example.org:7400"),
        ("example.org:99", "example.org:99"),
        ("::1", "[::1]:7400"),
        ("[::1]", "[::1]:7400"),
        ("[::1]:5", "[::1]:5"),
    ] {
        assert_eq!(peer_address(given), Ok(meant.to_owned()));
    }
    for wrong in ["", ":7400", "host:", "host:0", "host:99999", "a b:1", "\x1b[2J:1", "http://x:1", "a:b:c"] {
        assert!(peer_address(wrong).is_err(), "{wrong:?}");
    }
}

#[test]
fn listening_takes_an_address_or_a_port() {
    for (given, meant) in [
        ("127.0.0.1:0", "127.0.0.1:0"),
        ("127.0.0.1", "127.0.0.1:7400"),
        ("7401", "[::]:7401"),
        (":7401", "[::]:7401"),
        ("::1", "[::1]:7400"),
        ("localhost:0", "127.0.0.1:0"),
    ] {
        assert_eq!(listen_address(given), Ok(meant.parse().unwrap()));
    }
    assert!(listen_address("example.org:1").is_err());
}

#[test]
fn tickets_among_the_peers_join_and_addresses_are_dialled() {
    let (one, two) = (ticket(1, "a:1"), ticket(1, "b:2"));
    let config = config(&format!("--peer {one} --peer {two} --peer c:3,d:4")).unwrap();
    assert_eq!(config.peers, ["c:3", "d:4"]);
    assert_eq!(config.ticket.unwrap().addresses, ["a:1", "b:2"]);
}

#[test]
fn tickets_of_two_rooms_are_refused() {
    let (one, two) = (ticket(1, "a:1"), ticket(2, "a:1"));
    assert!(config(&format!("--peer {one} join {two}")).is_err());
}

#[test]
fn a_name_can_be_seen() {
    assert_eq!(checked_nick(" ann "), Ok("ann".to_owned()));
    for wrong in ["", "  ", "\u{200b}", "a\nb", "\x1b[1m", &"x".repeat(129)] {
        assert!(checked_nick(wrong).is_err(), "{wrong:?}");
    }
}

#[test]
fn reading_needs_no_network() {
    let config = config("--peer c:3 --listen 127.0.0.1:0 log").unwrap();
    let options = config.options(Role::Reads);
    assert_eq!((options.listen, options.dials, options.peers.len()), (Listen::Nowhere, false, 0));
}

#[test]
fn offline_is_offline() {
    let options = config("--offline serve").unwrap().options(Role::Serves);
    assert_eq!((options.listen, options.dials), (Listen::Nowhere, false));
    assert!(config("--offline --listen 127.0.0.1:0").is_err());
}

#[test]
fn every_subcommand_is_read() {
    let ticket = ticket(1, "a:1");
    for line in [
        "send hi there --wait",
        "send -",
        "send hi --wait 2 --timeout 5",
        "log -n 3 --search x --all",
        "tail -n 3",
        "sync --timeout 3",
        "serve",
        "invite",
        "invite --expires never --uses 2",
        &format!("join {ticket}"),
        "status",
        "peers",
        "whoami",
        "verify",
        "export x",
    ] {
        config(line).unwrap();
    }
}
