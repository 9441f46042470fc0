//! Five hosts on a real network: cables pulled, packets dropped one way, sides that write apart.

use std::time::Duration;

use crate::network::Network;
use crate::program::{Home, Running};

const HOSTS: usize = 5;
const NAMES: [&str; HOSTS] = ["ann", "bob", "carol", "dave", "erin"];

/// One person at each host, all in one room.
struct People {
    network: Network,
    homes: Vec<Home>,
    running: Vec<Running>,
}

impl People {
    /// Everyone is told one address: ann's.
    fn meet() -> Option<Self> {
        let mut network = Network::new(HOSTS)?;
        network.switch(&[0, 1, 2, 3, 4]);
        let homes: Vec<Home> = NAMES.into_iter().map(Home::new).collect();
        homes[0].send("welcome");
        let ticket = homes[0].ok(&["--offline", "invite", "--uses", "4"]).trim().to_owned();
        let ann = format!("{}:7400", Network::address(0, 0));
        let mut running = Vec::new();
        for (host, home) in homes.iter().enumerate() {
            let joins = ["--json", "--no-lan", "--peer", &ticket, "--peer", &ann];
            let args = if host == 0 { &joins[..2] } else { &joins[..] };
            running.push(Running::start(network.on(host, &home.command(args))));
        }
        let mut people = Self { network, homes, running };
        people.all_hear(&[0, 1, 2, 3, 4], "hello");
        Some(people)
    }

    /// Each of them says something, and all of them hear all of it.
    fn all_hear(&mut self, hosts: &[usize], text: &str) {
        for host in hosts {
            self.running[*host].say(&format!("{text} from {}", NAMES[*host]));
        }
        for host in hosts {
            for other in hosts {
                self.running[*host].reads(&format!("{text} from {}", NAMES[*other]));
            }
        }
    }

    /// Drops everything between two sides, or nothing any more.
    fn part(&self, sides: [&[usize]; 2], apart: bool) {
        for one in sides[0] {
            for other in sides[1] {
                self.network.set_one_way(0, *one, *other, apart);
                self.network.set_one_way(0, *other, *one, apart);
            }
        }
    }

    /// Everyone leaves; all have the same in the same order, and this many messages.
    fn agree(mut self, messages: usize) {
        for running in &mut self.running {
            running.terminate();
        }
        let log = self.homes[0].log();
        assert_eq!(log.lines().count(), messages);
        for home in &self.homes {
            assert_eq!(home.digest(), self.homes[0].digest());
            assert_eq!(home.log(), log);
            home.verify();
        }
    }
}

#[test]
fn two_sides_of_a_network_write_apart_and_agree_when_it_heals() {
    let Some(mut people) = People::meet() else { return };
    let sides: [&[usize]; 2] = [&[0, 1], &[2, 3, 4]];
    people.part(sides, true);
    people.all_hear(sides[0], "apart");
    people.all_hear(sides[1], "apart");
    assert!(!people.running[0].hears("apart from carol", Duration::from_millis(300)));
    people.part(sides, false);
    for host in 0..HOSTS {
        for name in NAMES {
            people.running[host].reads(&format!("apart from {name}"));
        }
    }
    people.all_hear(&[0, 1, 2, 3, 4], "together");
    people.agree(1 + 3 * HOSTS);
}

#[test]
fn who_pulls_the_cable_writes_on_and_catches_up_when_it_is_back() {
    let Some(mut people) = People::meet() else { return };
    people.network.set_link(0, 4, false);
    people.all_hear(&[4], "alone");
    people.all_hear(&[0, 1, 2, 3], "without erin");
    people.network.set_link(0, 4, true);
    people.running[4].reads("without erin from dave");
    people.running[0].reads("alone from erin");
    people.all_hear(&[0, 1, 2, 3, 4], "together");
    people.agree(1 + HOSTS + 1 + 4 + HOSTS);
}

#[test]
fn a_line_that_drops_one_direction_holds_up_nobody() {
    let Some(mut people) = People::meet() else { return };
    // Ann hears everyone, and bob and carol hear nothing of her but by others.
    people.network.set_one_way(0, 0, 1, true);
    people.network.set_one_way(0, 0, 2, true);
    people.all_hear(&[0, 1, 2, 3, 4], "one way");
    people.network.set_one_way(0, 0, 1, false);
    people.network.set_one_way(0, 0, 2, false);
    people.all_hear(&[0, 1, 2, 3, 4], "both ways");
    people.agree(1 + 3 * HOSTS);
}
