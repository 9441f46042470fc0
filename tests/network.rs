//! Networks of their own, in namespaces that only root may make: hosts at switches, whose links can be cut.

use std::fs::File;
use std::os::fd::AsFd as _;
use std::process::Command;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread::JoinHandle;

use rustix::thread::{LinkNameSpaceType, move_into_link_name_space};

use crate::program::{has, say};

/// Hosts that reach each other through switches. Gone when dropped.
pub(crate) struct Network {
    prefix: String,
    hosts: usize,
    switches: usize,
}

impl Network {
    /// So many hosts without any link; none where that is not allowed, which is said.
    pub(crate) fn new(hosts: usize) -> Option<Self> {
        static NUMBER: AtomicUsize = AtomicUsize::new(0);
        if !has("ip") {
            return None;
        }
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let network = Self { prefix: format!("rp{}-{number}", std::process::id()), hosts, switches: 0 };
        for host in 0..hosts {
            let name = network.host(host);
            let made = Command::new("ip").args(["netns", "add", &name]).output();
            if !made.is_ok_and(|made| made.status.success()) {
                say("skipped: network namespaces cannot be made here");
                return None;
            }
            network.ip(host, "link set lo up multicast on");
        }
        Some(network)
    }

    /// A switch that joins these hosts. Host 2 is at `10.77.<switch>.3` there.
    pub(crate) fn switch(&mut self, hosts: &[usize]) -> usize {
        let (switch, name) = (self.switches, self.hub(self.switches));
        self.switches += 1;
        run("ip", &["netns", "add", &name]);
        run("ip", &["-n", &name, "link", "add", "switch", "type", "bridge", "mcast_snooping", "0"]);
        run("ip", &["-n", &name, "link", "set", "switch", "up"]);
        for host in hosts {
            let (inside, outside, space) = (format!("eth{switch}"), format!("port{host}"), self.host(*host));
            run(
                "ip",
                &[
                    "-n", &space, "link", "add", &inside, "type", "veth", "peer", "name", &outside, "netns",
                    &name,
                ],
            );
            run("ip", &["-n", &name, "link", "set", &outside, "master", "switch", "up"]);
            self.ip(*host, &format!("address add 10.77.{switch}.{}/24 dev {inside}", host + 1));
            self.ip(*host, &format!("link set {inside} up"));
        }
        switch
    }

    /// Where a host is at a switch.
    pub(crate) fn address(switch: usize, host: usize) -> String {
        format!("10.77.{switch}.{}", host + 1)
    }

    /// Pulls a host's cable, or plugs it in again.
    pub(crate) fn set_link(&self, switch: usize, host: usize, up: bool) {
        let state = if up { "up" } else { "down" };
        run("ip", &["-n", &self.hub(switch), "link", "set", &format!("port{host}"), state]);
    }

    /// Drops what one host sends to another, and nothing that comes back; or no longer.
    pub(crate) fn set_one_way(&self, switch: usize, from: usize, to: usize, dropped: bool) {
        let verb = if dropped { "add" } else { "del" };
        self.ip(from, &format!("route {verb} blackhole {}/32", Self::address(switch, to)));
    }

    /// A command as it runs on a host.
    pub(crate) fn on(&self, host: usize, command: &Command) -> Command {
        let mut there = Command::new("ip");
        there.args(["netns", "exec", &self.host(host)]).arg(command.get_program()).args(command.get_args());
        for (name, value) in command.get_envs() {
            match value {
                Some(value) => there.env(name, value),
                None => there.env_remove(name),
            };
        }
        // What leaves the host stays in this network.
        there.env_remove("REPLICA_NO_LAN").env_remove("REPLICA_NO_PORT_MAPPING");
        there
    }

    /// Does something on a host, in a thread of its own.
    pub(crate) fn within<T: Send + 'static>(
        &self,
        host: usize,
        task: impl FnOnce() -> T + Send + 'static,
    ) -> JoinHandle<T> {
        let space = File::open(format!("/run/netns/{}", self.host(host))).unwrap();
        std::thread::spawn(move || {
            move_into_link_name_space(space.as_fd(), Some(LinkNameSpaceType::Network)).unwrap();
            task()
        })
    }

    /// Sends what a host has for others elsewhere to another one.
    pub(crate) fn set_router(&self, switch: usize, host: usize, router: usize) {
        self.ip(host, &format!("route add default via {}", Self::address(switch, router)));
    }

    /// Has a host pass on what others have for a switch as its own, and from there let in nothing but answers.
    pub(crate) fn translate(&self, router: usize, outside: usize) {
        let rules = format!(
            "table ip router {{
                chain leave {{ type nat hook postrouting priority 100; oifname eth{outside} masquerade; }}
                chain enter {{ type filter hook input priority 0; iifname eth{outside} ct state new drop; }}
                chain pass {{ type filter hook forward priority 0; iifname eth{outside} ct state new drop; }}
            }}"
        );
        let name = self.host(router);
        run("ip", &["netns", "exec", &name, "nft", &rules]);
        run("ip", &["netns", "exec", &name, "sh", "-c", "echo 1 > /proc/sys/net/ipv4/ip_forward"]);
    }

    fn ip(&self, host: usize, words: &str) {
        let all: Vec<&str> = words.split(' ').collect();
        let name = self.host(host);
        run("ip", &[&["-n", name.as_str()], all.as_slice()].concat());
    }

    fn host(&self, number: usize) -> String {
        format!("{}h{number}", self.prefix)
    }

    fn hub(&self, number: usize) -> String {
        format!("{}s{number}", self.prefix)
    }
}

impl Drop for Network {
    fn drop(&mut self) {
        let hosts = (0..self.hosts).map(|host| self.host(host));
        for name in hosts.chain((0..self.switches).map(|switch| self.hub(switch))) {
            Command::new("ip").args(["netns", "delete", &name]).output().ok();
        }
    }
}

fn run(program: &str, args: &[&str]) {
    let done = Command::new(program).args(args).output().unwrap();
    let error = String::from_utf8_lossy(&done.stderr);
    assert!(done.status.success(), "{program} {}: {error}", args.join(" "));
}
