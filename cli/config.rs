//! What a run is to do, checked: made once from the command line and the environment.

use std::io::{self, IsTerminal as _};
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::PathBuf;

use replica::identity::Identity;
use replica::limits::NAME_BYTES_MAX;
use replica_sync::discovery;
use replica_sync::node::{Listen, Options};
use replica_sync::ticket::{Ticket, is_ticket};

use crate::args::{Args, ColorWhen, Task};
use crate::failure::{Exit, Failure};
use crate::passphrase::PassphraseFile;
use crate::settings::Chosen;
use crate::text;

#[cfg(test)]
mod tests;

/// What holds for every subcommand.
#[derive(Clone, Debug)]
pub(crate) struct Config {
    pub(crate) home: PathBuf,
    pub(crate) nick: Option<String>,
    pub(crate) room: Option<String>,
    pub(crate) peers: Vec<String>,
    pub(crate) ticket: Option<Ticket>,
    pub(crate) listen: Option<SocketAddr>,
    pub(crate) open: bool,
    pub(crate) offline: bool,
    pub(crate) discovery: discovery::Settings,
    pub(crate) plain: bool,
    pub(crate) json: bool,
    pub(crate) color: bool,
    pub(crate) quiet: bool,
    pub(crate) no_input: bool,
    pub(crate) verbose: u8,
    pub(crate) log_file: Option<PathBuf>,
    pub(crate) passphrase_file: PassphraseFile,
    /// All of it as it was chosen, with what only the screen needs to know.
    pub(crate) chosen: Chosen,
    /// The home's key, where it had to be taken from under a passphrase.
    pub(crate) unsealed: Option<Identity>,
}

/// How much of a node a subcommand needs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Role {
    /// Reads what is here. No network, nothing is written.
    Reads,
    /// Writes an entry, without a network.
    Writes,
    /// Dials, and listens only where it is told to.
    Dials,
    /// Dials and listens.
    Serves,
}

impl Config {
    /// Checks the command line.
    ///
    /// # Errors
    /// With what is wrong with it, and how it is right.
    pub(crate) fn from_args(args: Args) -> Result<(Self, Option<Task>), anyhow::Error> {
        let mut peers = Vec::new();
        let mut ticket: Option<Ticket> = None;
        let tickets = match &args.task {
            Some(Task::Join { ticket }) => vec![ticket.concat()],
            _ => Vec::new(),
        };
        for peer in tickets {
            add_ticket(&mut ticket, peer.parse()?)?;
        }
        for peer in args.peer.iter().map(|peer| peer.trim()).filter(|peer| !peer.is_empty()) {
            if is_ticket(peer) {
                add_ticket(&mut ticket, peer.parse()?)?;
            } else {
                peers.push(peer_address(peer)?);
            }
        }
        let rendezvous = args.rendezvous.iter().map(|server| server_address(server));
        let bootstrap = if args.dht_bootstrap.is_empty() {
            DHT_BOOTSTRAP.map(str::to_owned).to_vec()
        } else {
            args.dht_bootstrap
        };
        let discovery = discovery::Settings {
            lan: !args.no_lan,
            rendezvous: rendezvous.collect::<Result<_, _>>()?,
            dht: args.dht.then_some(bootstrap),
            router: !args.no_port_mapping,
        };
        let config = Self {
            home: args.home.map_or_else(default_home, Ok)?,
            nick: args.nick.as_deref().map(checked_nick).transpose()?,
            room: args.room,
            peers,
            ticket,
            listen: args.listen.as_deref().map(listen_address).transpose()?,
            open: args.open,
            offline: args.offline,
            discovery,
            plain: args.plain,
            json: args.json,
            color: has_color(args.color, io::stdout().is_terminal()),
            quiet: args.quiet,
            no_input: args.no_input,
            verbose: args.verbose,
            log_file: args.log_file,
            passphrase_file: PassphraseFile::at(args.passphrase_file),
            chosen: Chosen::default(),
            unsealed: None,
        };
        if config.offline && config.listen.is_some() {
            return Err(usage("--offline and --listen exclude each other", "Leave one of them out.").into());
        }
        Ok((config, args.task))
    }

    /// What a node is to do for a subcommand.
    pub(crate) fn options(&self, role: Role) -> Options {
        let dials = !self.offline && matches!(role, Role::Dials | Role::Serves);
        let listen = match self.listen {
            _ if self.offline || role == Role::Reads => Listen::Nowhere,
            Some(address) => Listen::At(address),
            None if role == Role::Serves => Listen::Usual,
            None => Listen::Nowhere,
        };
        let is_of_this_machine = matches!(listen, Listen::At(address) if address.ip().is_loopback());
        let lan = self.discovery.lan && !is_of_this_machine;
        let router = self.discovery.router && !is_of_this_machine && listen != Listen::Nowhere;
        Options {
            nick: None,
            discovery: discovery::Settings { lan, router, ..self.discovery.clone() },
            listen,
            peers: if role == Role::Reads { Vec::new() } else { self.peers.clone() },
            ticket: if role == Role::Reads { None } else { self.ticket.clone() },
            room: self.room.clone(),
            all_rooms: role == Role::Serves,
            makes_room: false,
            dials,
            attended: false,
            open: self.open,
            maintains: role == Role::Serves,
            // What has the home for a moment only is waited for.
            shares: matches!(role, Role::Dials | Role::Serves),
        }
    }
}

/// Whether there are colours on what is a terminal or is not.
pub(crate) fn has_color(when: Option<ColorWhen>, is_terminal: bool) -> bool {
    match when.unwrap_or(ColorWhen::Auto) {
        ColorWhen::Always => true,
        ColorWhen::Never => false,
        ColorWhen::Auto => {
            is_terminal && !is_dumb() && std::env::var_os("NO_COLOR").is_none_or(|it| it.is_empty())
        }
    }
}

/// Whether the terminal knows nothing but lines.
pub(crate) fn is_dumb() -> bool {
    std::env::var_os("TERM").is_some_and(|term| term == "dumb")
}

/// A name as it may be used: with something to be seen, and not too long.
pub(crate) fn checked_nick(nick: &str) -> Result<String, Failure> {
    let nick = nick.trim();
    if nick.len() > NAME_BYTES_MAX || text::name(nick).is_empty() || nick.chars().any(char::is_control) {
        let what = format!("a name has 1 to {NAME_BYTES_MAX} bytes, on one line, and can be seen");
        return Err(usage(&what, "Choose another one: --nick NAME."));
    }
    Ok(nick.to_owned())
}

/// `host:port` of a rendezvous; the port may be left out.
fn server_address(text: &str) -> Result<String, Failure> {
    address(text, RENDEZVOUS_PORT).ok_or_else(|| {
        let what = format!("{} is no address of a rendezvous", text::line(text));
        usage(&what, "Write HOST:PORT, as in meet.example.org:7401.")
    })
}

/// `host:port`; the port may be left out.
pub(crate) fn peer_address(text: &str) -> Result<String, Failure> {
    address(text, PORT).ok_or_else(|| {
        let what = format!("{} is no address of a peer", text::line(text));
        usage(&what, "Write HOST:PORT, as in 192.168.1.5:7400, or a ticket (replica1…).")
    })
}

fn address(text: &str, usual_port: u16) -> Option<String> {
    if let Ok(address) = text.parse::<SocketAddr>() {
        return Some(address.to_string());
    }
    if let Ok(address) = text.trim_matches(['[', ']']).parse::<Ipv6Addr>() {
        return Some(SocketAddr::from((address, usual_port)).to_string());
    }
    let (host, port) = text.rsplit_once(':').map_or((text, None), |(host, port)| (host, Some(port)));
    let port = port.map_or(Ok(usual_port), str::parse::<u16>);
    let is_host = !host.is_empty()
        && host.len() <= HOST_BYTES_MAX
        && host.chars().all(|c| c.is_ascii_alphanumeric() || ".-_".contains(c));
    port.ok().filter(|port| is_host && *port > 0).map(|port| format!("{host}:{port}"))
}

/// Where to listen: an address with or without a port, or a port alone.
fn listen_address(text: &str) -> Result<SocketAddr, Failure> {
    let bare = text.trim_matches(['[', ']']);
    if let Ok(address) = text.parse::<SocketAddr>() {
        return Ok(address);
    }
    if let Ok(address) = bare.parse::<std::net::IpAddr>() {
        return Ok(SocketAddr::from((address, PORT)));
    }
    if let Ok(port) = text.trim_start_matches(':').parse::<u16>() {
        return Ok(SocketAddr::from((Ipv6Addr::UNSPECIFIED, port)));
    }
    match text.strip_prefix("localhost:").map(str::parse::<u16>) {
        Some(Ok(port)) => Ok(SocketAddr::from((Ipv4Addr::LOCALHOST, port))),
        _ => {
            let what = format!("{} is no address to listen at", text::line(text));
            Err(usage(&what, "Write IP:PORT, as in 0.0.0.0:7400 or [::]:7400; port 0 picks any."))
        }
    }
}

/// Several tickets to one room are one with more addresses.
fn add_ticket(ticket: &mut Option<Ticket>, new: Ticket) -> Result<(), Failure> {
    match ticket {
        None => *ticket = Some(new),
        Some(first) if first.room == new.room => {
            first.addresses.extend(new.addresses);
            first.invite = first.invite.or(new.invite);
        }
        Some(_) => return Err(usage("the tickets are of different rooms", "Join one room at a time.")),
    }
    Ok(())
}

pub(crate) fn default_home() -> Result<PathBuf, Failure> {
    let folders = directories::ProjectDirs::from("", "", "replica");
    let nowhere = || usage("there is no folder for the data: HOME is not set", "Name one with --home DIR.");
    folders.map(|folders| folders.data_dir().to_owned()).ok_or_else(nowhere)
}

fn usage(what: &str, next: &str) -> Failure {
    Failure::new(Exit::Usage, what, next)
}

/// The usual port.
const PORT: u16 = 7400;

/// The usual port of a rendezvous.
pub(crate) const RENDEZVOUS_PORT: u16 = 7401;

/// Nodes that are always up, of those who write the programs that use the table.
const DHT_BOOTSTRAP: [&str; 4] = [
    "router.bittorrent.com:6881",
    "dht.transmissionbt.com:6881",
    "dht.libtorrent.org:25401",
    "relay.pkarr.org:6881",
];

/// Longer host names are not addresses that tickets carry.
const HOST_BYTES_MAX: usize = 74;
