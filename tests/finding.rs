//! Finding each other without being told an address.

use std::net::UdpSocket;
use std::process::Command;
use std::sync::mpsc::sync_channel;
use std::time::Duration;

use replica_sync::ticket::Ticket;

use crate::network::Network;
use crate::program::{Home, Running, has};

/// Two members of one room who have never met and know no address of each other.
fn strangers() -> (Home, Home, String) {
    let (ann, bob) = (Home::new("ann"), Home::new("bob"));
    ann.send("who is there?");
    let ticket = ann.invite();
    (ann, bob, ticket)
}

/// A server, and where it is.
fn rendezvous(listen: &str, more: &[&str], on: impl Fn(&Command) -> Command) -> (Running, String) {
    let home = Home::new("nobody");
    let command = home.command(&[&["--json", "--listen", listen, "rendezvous"], more].concat());
    let mut server = Running::start(on(&command));
    let line = server.wait("the address of the rendezvous", |line| line["type"] == "listening");
    let address = line["addr"].as_str().unwrap().to_owned();
    assert!(!home.path().exists(), "a rendezvous keeps nothing");
    (server, address)
}

fn talk(ann: &mut Running, bob: &mut Running) {
    bob.reads("who is there?");
    bob.say("it is me");
    ann.reads("it is me");
    ann.say("welcome");
    bob.reads("welcome");
}

#[test]
fn two_with_one_ticket_meet_at_a_rendezvous_which_the_ticket_names() {
    let (_server, at) = rendezvous("127.0.0.1:0", &[], clone);
    let (ann, bob) = (Home::new("ann"), Home::new("bob"));
    ann.send("who is there?");
    let mut serving = ann.start(&["--json", "--listen", "127.0.0.1:0", "--rendezvous", &at, "serve"]);
    serving.wait("where ann listens", |line| line["type"] == "listening");
    serving.terminate();
    // The rendezvous is kept, and the ticket names it; ann listens elsewhere when bob comes.
    let ticket = ann.invite();
    let mut at_ann = ann.chat("127.0.0.1:0", &[]);
    let mut at_bob = bob.chat("127.0.0.1:0", &["--peer", &ticket]);
    talk(&mut at_ann, &mut at_bob);
    at_bob.terminate();
    assert_eq!(bob.texts(), ["who is there?", "it is me", "welcome"]);
}

#[test]
fn two_who_cannot_reach_each_other_are_joined_by_a_rendezvous_that_relays() {
    let Some(mut network) = Network::new(3) else { return };
    // Both reach the server, and neither the other.
    let (left, right) = (network.switch(&[0, 2]), network.switch(&[1, 2]));
    let (_server, _) = rendezvous("[::]:7401", &["--relay"], |command| network.on(2, command));
    let (ann, bob, ticket) = strangers();
    let at = |switch| format!("{}:7401", Network::address(switch, 2));
    let (at_left, at_right) = (at(left), at(right));
    let chat = ["--json", "--no-lan", "--rendezvous"];
    let of_ann = ann.command(&[&chat[..], &[&at_left]].concat());
    let of_bob = bob.command(&[&chat[..], &[&at_right, "--peer", &ticket]].concat());
    let mut at_ann = Running::start(network.on(0, &of_ann));
    let mut at_bob = Running::start(network.on(1, &of_bob));
    talk(&mut at_ann, &mut at_bob);

    // Now they are joined by a cable, and need the server no longer.
    assert!(place_of_peer(&ann).starts_with("via/"), "{}", ann.status());
    network.switch(&[0, 1]);
    has_peer_at(&ann, "10.77.2.");
    at_bob.say("without a server");
    at_ann.reads("without a server");
}

#[test]
fn two_behind_routers_meet_at_once_where_a_server_joined_them() {
    let Some(mut network) = Network::new(5) else { return };
    if !has("nft") {
        return;
    }
    let (left, right) = (network.switch(&[0, 3]), network.switch(&[1, 4]));
    let outside = network.switch(&[2, 3, 4]);
    for (inside, host, router) in [(left, 0, 3), (right, 1, 4)] {
        network.set_router(inside, host, router);
        network.translate(router, outside);
    }
    let (server, _) = rendezvous("0.0.0.0:7401", &["--relay"], |command| network.on(2, command));
    let (ann, bob, ticket) = strangers();
    let at = format!("{}:7401", Network::address(outside, 2));
    let chat = ["--json", "--no-lan", "--no-port-mapping", "--rendezvous", &at];
    let mut at_ann = Running::start(network.on(0, &ann.command(&chat)));
    let of_bob = bob.command(&[&chat[..], &["--peer", &ticket]].concat());
    let mut at_bob = Running::start(network.on(1, &of_bob));
    talk(&mut at_ann, &mut at_bob);
    // Each has the other where its router shows it, and the server may go.
    has_peer_at(&ann, &Network::address(outside, 4));
    has_peer_at(&bob, &Network::address(outside, 3));
    drop(server);
    at_bob.say("without a server");
    at_ann.reads("without a server");
}

/// Where somebody's only connected peer is.
fn place_of_peer(home: &Home) -> String {
    let status = home.status();
    let here = status["peers"].as_array().unwrap().iter().find(|peer| peer["state"] == "agreed");
    here.map_or_else(String::new, |peer| peer["addr"].as_str().unwrap().to_owned())
}

/// Waits until that begins so.
fn has_peer_at(home: &Home, place: &str) {
    let mut looks = 0;
    while !place_of_peer(home).starts_with(place) {
        assert!(looks < 600, "it is not at {place}: {}", home.status());
        std::thread::sleep(Duration::from_millis(100));
        looks += 1;
    }
}

#[test]
fn two_with_one_ticket_find_each_other_on_a_local_network() {
    let Some(mut network) = Network::new(2) else { return };
    network.switch(&[0, 1]);
    let (ann, bob, ticket) = strangers();
    let mut at_ann = Running::start(network.on(0, &ann.command(&["--json"])));
    let mut at_bob = Running::start(network.on(1, &bob.command(&["--json", "--peer", &ticket])));
    talk(&mut at_ann, &mut at_bob);
}

#[test]
fn a_network_that_comes_later_is_noticed() {
    let Some(mut network) = Network::new(2) else { return };
    let (ann, bob, ticket) = strangers();
    let mut at_ann = Running::start(network.on(0, &ann.command(&["--json"])));
    let mut at_bob = Running::start(network.on(1, &bob.command(&["--json", "--peer", &ticket])));
    // Both are up, and alone.
    at_ann.say("nobody?");
    at_ann.reads("nobody?");
    at_bob.say("nobody here");
    at_bob.wait("a draft", |line| line["type"] == "draft");
    network.switch(&[0, 1]);
    talk(&mut at_ann, &mut at_bob);
}

#[test]
fn two_with_one_ticket_find_each_other_in_a_distributed_hash_table() {
    let nodes = mainline::Testnet::builder(20).bind_address(std::net::Ipv4Addr::LOCALHOST).build().unwrap();
    let first = nodes.bootstrap.join(",");
    assert!(nodes.bootstrap.iter().all(|node| node.starts_with("127.")), "nothing leaves this machine");
    let (ann, bob, ticket) = strangers();
    let mut at_ann = ann.chat("127.0.0.1:0", &["--dht", "--dht-bootstrap", &first]);
    let mut at_bob = bob.chat("127.0.0.1:0", &["--dht", "--dht-bootstrap", &first, "--peer", &ticket]);
    talk(&mut at_ann, &mut at_bob);
}

/// A router that knows NAT-PMP (RFC 6886, section 3), and says that it is `203.0.113.7`.
fn answer_nat_pmp(socket: &UdpSocket) {
    let mut request = [0; 1100];
    while let Ok((length, from)) = socket.recv_from(&mut request) {
        let head = |operation: u8| [0, 128 + operation, 0, 0, 0, 0, 0, 1];
        let answer = match &request[..length] {
            [0, 0] => [&head(0)[..], &[203, 0, 113, 7]].concat(),
            [0, operation @ (1 | 2), _, _, port @ .., _, _, _, _, _, _] => {
                [&head(*operation)[..], port, port, &3600u32.to_be_bytes()].concat()
            }
            _ => continue,
        };
        socket.send_to(&answer, from).unwrap();
    }
}

#[test]
fn who_is_behind_a_router_says_where_it_lets_others_in() {
    let Some(mut network) = Network::new(2) else { return };
    let lan = network.switch(&[0, 1]);
    network.set_router(lan, 0, 1);
    let (ready, is_ready) = sync_channel(1);
    let router = network.within(1, move || {
        let socket = UdpSocket::bind("0.0.0.0:5351").unwrap();
        socket.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
        ready.send(()).unwrap();
        answer_nat_pmp(&socket);
    });
    is_ready.recv().unwrap();
    let ann = Home::new("ann");
    let mut at_ann = Running::start(network.on(0, &ann.command(&["--json", "serve"])));
    let line = at_ann.wait("where ann listens", |line| line["type"] == "listening");
    let port = line["addr"].as_str().unwrap().rsplit(':').next().unwrap().to_owned();
    let outside = format!("203.0.113.7:{port}");
    let is_let_in = || ann.status()["outside"] == outside.as_str();
    let mut looks = 0;
    while !is_let_in() {
        assert!(looks < 200, "the router let nobody in: {}", ann.status());
        std::thread::sleep(Duration::from_millis(100));
        looks += 1;
    }
    let ticket: Ticket = ann.ok(&["invite"]).trim().parse().unwrap();
    assert!(ticket.addresses.contains(&outside), "{ticket:?}");
    at_ann.terminate();
    drop(router);
}

fn clone(command: &Command) -> Command {
    let mut clone = Command::new(command.get_program());
    clone.args(command.get_args());
    for (name, value) in command.get_envs() {
        match value {
            Some(value) => clone.env(name, value),
            None => clone.env_remove(name),
        };
    }
    clone
}
