//! What may stand on the command line.

use std::path::PathBuf;

use clap::builder::FalseyValueParser;
use clap::{ArgAction, Parser, Subcommand, ValueEnum};
use clap_complete::Shell;
use serde::Deserialize;

use crate::time::{Since, Span};

/// Chat without a server. Everyone keeps the whole conversation, writes to it online or not, and syncs with any peer.
#[derive(Debug, Parser)]
#[command(name = "replica", version, after_help = EXAMPLES, max_term_width = 100)]
pub(crate) struct Args {
    /// Dial this peer, and keep it: an address, or a ticket (which also joins its room). May be repeated.
    #[arg(
        long,
        value_name = "ADDR|TICKET",
        env = "REPLICA_PEER",
        value_delimiter = ',',
        global = true,
        hide_env_values = true
    )]
    pub(crate) peer: Vec<String>,

    /// Accept peers here; port 0 picks any [default: port 7400, or the next free one, at all addresses].
    #[arg(long, value_name = "ADDR", env = "REPLICA_LISTEN", global = true, hide_env_values = true)]
    pub(crate) listen: Option<String>,

    /// The folder of identity, rooms and store [default: the platform's data folder].
    #[arg(long, value_name = "DIR", env = "REPLICA_HOME", global = true, hide_env_values = true)]
    pub(crate) home: Option<PathBuf>,

    /// The name shown beside your key.
    #[arg(long, value_name = "NAME", env = "REPLICA_NICK", global = true, hide_env_values = true)]
    pub(crate) nick: Option<String>,

    /// Which room, by name or by the beginning of its id. It is the current one from then on.
    #[arg(long, value_name = "NAME", env = "REPLICA_ROOM", global = true, hide_env_values = true)]
    pub(crate) room: Option<String>,

    /// Let anyone who knocks in.
    #[arg(long, global = true)]
    pub(crate) open: bool,

    /// No network at all.
    #[arg(long, global = true)]
    pub(crate) offline: bool,

    /// Neither look for members on the local network nor announce yourself there.
    #[arg(long, env = "REPLICA_NO_LAN", value_parser = FalseyValueParser::new(), global = true)]
    pub(crate) no_lan: bool,

    /// Do not ask the router to let others in (UPnP, NAT-PMP, PCP).
    #[arg(long, env = "REPLICA_NO_PORT_MAPPING", value_parser = FalseyValueParser::new(), global = true)]
    pub(crate) no_port_mapping: bool,

    /// Meet members by this server (see `replica rendezvous`); kept with the room. May be repeated.
    #[arg(long, value_name = "HOST:PORT", env = "REPLICA_RENDEZVOUS", value_delimiter = ',', global = true)]
    pub(crate) rendezvous: Vec<String>,

    /// Meet members by the BitTorrent network's table. Your IP address is published there, under a name that only
    /// members know.
    #[arg(long, global = true)]
    pub(crate) dht: bool,

    /// Nodes of that table to begin with, instead of the usual ones.
    #[arg(long, value_name = "HOST:PORT", value_delimiter = ',', global = true)]
    pub(crate) dht_bootstrap: Vec<String>,

    /// Plain lines on a terminal, not the full screen.
    #[arg(long, global = true)]
    pub(crate) plain: bool,

    /// One JSON object a line on stdout.
    #[arg(long, global = true)]
    pub(crate) json: bool,

    /// When to use colours [default: auto].
    #[arg(long, value_name = "WHEN", global = true)]
    pub(crate) color: Option<ColorWhen>,

    /// Say more on stderr: -v, -vv, -vvv.
    #[arg(short, long, action = ArgAction::Count, global = true)]
    pub(crate) verbose: u8,

    /// Say nothing on stderr but errors.
    #[arg(short, long, global = true)]
    pub(crate) quiet: bool,

    /// Never ask anything.
    #[arg(long, global = true)]
    pub(crate) no_input: bool,

    /// Write what happens inside to this file.
    #[arg(long, value_name = "FILE", global = true)]
    pub(crate) log_file: Option<PathBuf>,

    /// Where the passphrase of the key stands, as a line; REPLICA_PASSPHRASE is the other way to give it.
    #[arg(long, value_name = "FILE", global = true)]
    pub(crate) passphrase_file: Option<PathBuf>,

    /// The file of settings: `nick = "ann"`, `peer = ["192.168.1.5"]`, each as its flag [default: config.toml in the
    /// platform's folder].
    #[arg(long, value_name = "FILE", env = "REPLICA_CONFIG", global = true, hide_env_values = true)]
    pub(crate) config: Option<PathBuf>,

    /// What to do; without it, chat.
    #[command(subcommand)]
    pub(crate) task: Option<Task>,
}

/// When to use colours.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, ValueEnum)]
#[serde(rename_all = "lowercase")]
pub(crate) enum ColorWhen {
    /// On a terminal, unless NO_COLOR is set.
    Auto,
    Always,
    Never,
}

/// The subcommands. No subcommand is the chat.
#[derive(Clone, Debug, Subcommand)]
pub(crate) enum Task {
    /// Append a message, online or not; prints the entry's id once it is durable
    Send {
        /// The message; several words are joined by spaces. None, or `-`, reads it from stdin.
        text: Vec<String>,
        /// Wait until this many members' replicas hold it.
        #[arg(long, value_name = "N", num_args = 0..=1, default_missing_value = "1")]
        wait: Option<u32>,
        /// How long to wait at most, in seconds.
        #[arg(long, value_name = "SECS", default_value_t = 10)]
        timeout: u64,
    },
    /// Print the conversation in order
    Log {
        /// Only the last N.
        #[arg(short = 'n', value_name = "N")]
        count: Option<usize>,
        #[command(flatten)]
        chosen: Chosen,
    },
    /// Print the last messages, then each new one as it comes
    Tail {
        /// How many of the last.
        #[arg(short = 'n', value_name = "N", default_value_t = 10)]
        count: usize,
        /// With --json: also what is not a message, as `event` objects.
        #[arg(long)]
        all: bool,
    },
    /// Sync once with every known or named peer, then leave
    Sync {
        /// How long at most, in seconds.
        #[arg(long, value_name = "SECS", default_value_t = 10)]
        timeout: u64,
    },
    /// Run without a screen: listen, dial and relay until stopped
    Serve,
    /// Print a ticket that lets someone in
    Invite {
        /// How long it holds: 30m, 12h, 7d, 2w or never.
        #[arg(long, value_name = "TIME", default_value = "7d", value_parser = crate::time::parse_span)]
        expires: Span,
        /// How many may use it [default: any number].
        #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
        uses: Option<u32>,
        /// Draw it as a QR code too, on stderr.
        #[arg(long)]
        qr: bool,
    },
    /// Enter the room of a ticket
    Join {
        /// What `replica invite` printed; line breaks in it do not matter.
        #[arg(required = true, num_args = 1..)]
        ticket: Vec<String>,
    },
    /// List who is in the room: admins first, with the words of their keys
    Members,
    /// Remove someone from the room; only admins can
    Kick {
        /// Who: a name, two words of the key, or how the key begins.
        who: String,
    },
    /// Let someone in again who was removed; only an admin's word counts
    Readmit {
        /// Who: a name, two words of the key, or how the key begins.
        who: String,
    },
    /// Make a member an admin; only admins can
    Promote {
        /// Who: a name, two words of the key, or how the key begins.
        who: String,
    },
    /// Take an invite back; without one, list those that hold
    Revoke {
        /// The ticket, or how the invite's id begins.
        invite: Option<String>,
    },
    /// Leave the room: nobody sends you anything new
    Leave,
    /// Show no messages of someone, in this home only
    Block {
        /// Who: a name, two words of the key, or how the key begins.
        who: String,
    },
    /// Show someone's messages again
    Unblock {
        /// Who: a name, two words of the key, or how the key begins.
        who: String,
    },
    /// Run a server that introduces members of rooms to each other; it learns neither rooms, names nor texts
    Rendezvous {
        /// Also join members who cannot reach each other: their encrypted bytes go through here.
        #[arg(long)]
        relay: bool,
    },
    /// List the rooms of this home
    Rooms,
    /// Explain why an entry stands where it stands
    Why {
        /// How its id begins, at least 8 digits [default: the newest].
        entry: Option<String>,
    },
    /// Print what the room is about, or say it
    Topic {
        /// What it is about from now on; several words are joined by spaces.
        #[arg(conflicts_with = "remove")]
        text: Vec<String>,
        /// Nothing any more.
        #[arg(long)]
        remove: bool,
    },
    /// Say how this replica stands
    Status,
    /// Dial the known peers and say how each stands
    Peers,
    /// Print who you are
    Whoami,
    /// Carry your key into another home, or put it under a passphrase
    Identity {
        #[command(subcommand)]
        task: IdentityTask,
    },
    /// Go through everything that is stored: signatures, hashes, order, documents
    Verify,
    /// Look for what is wrong: store, clock, listener, permissions, each peer; with a cure for each
    Doctor {
        /// Mend damaged stores: keep what verifies, set the damaged folder aside.
        #[arg(long)]
        repair: bool,
    },
    /// Write the conversation into a file
    Export {
        /// Where to; `-` is stdout.
        file: PathBuf,
        /// As what.
        #[arg(long, value_name = "FORMAT", default_value = "automerge")]
        format: Format,
    },
    /// Take in a bundle that somebody exported: sync by a file
    Import {
        /// What `replica export --format bundle` wrote.
        file: PathBuf,
    },
    /// Say which settings hold
    Config {
        #[command(subcommand)]
        task: ConfigTask,
    },
    /// Print what makes a shell complete arguments
    Completions {
        /// Which shell.
        shell: Shell,
    },
    /// Print the manual page
    Man {
        /// Of which subcommand [default: of the program].
        subcommand: Option<String>,
    },
}

/// As what a conversation is exported.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Format {
    /// Lines, as `log` prints them.
    Text,
    /// One object a line, as `log --json --all` prints them.
    Json,
    /// One Automerge document, which any Automerge program opens.
    Automerge,
    /// What `replica import` takes in, signatures and all.
    Bundle,
}

/// Which rows of the conversation are printed.
#[derive(Clone, Debug, Default, clap::Args)]
pub(crate) struct Chosen {
    /// Only messages with this text in them, whatever their case.
    #[arg(long, value_name = "TEXT")]
    pub(crate) search: Option<String>,
    /// Only what this person wrote: a name, two words of the key, or how the key begins.
    #[arg(long, value_name = "WHO")]
    pub(crate) author: Option<String>,
    /// Only what says it was written since then: 12h, 7d, 2026-11-22 or 2026-11-22T09:14.
    #[arg(long, value_name = "TIME", value_parser = crate::time::parse_since)]
    pub(crate) since: Option<Since>,
    /// With --json: also what is not a message, as `event` objects.
    #[arg(long)]
    pub(crate) all: bool,
}

/// What is done with the settings.
#[derive(Clone, Debug, Subcommand)]
pub(crate) enum ConfigTask {
    /// Print each setting, and where it comes from: flag, environment, file or default
    Show,
}

/// What is done with a key.
#[derive(Clone, Debug, Subcommand)]
pub(crate) enum IdentityTask {
    /// Write the key into a new file, under a passphrase
    Export {
        /// The file.
        file: PathBuf,
    },
    /// Make this home another one of the person whose key a file holds
    Import {
        /// What `replica identity export` wrote.
        file: PathBuf,
    },
    /// Set or change the passphrase without which the home does not open
    Passphrase {
        /// None from now on.
        #[arg(long)]
        remove: bool,
    },
}

impl Args {
    pub(crate) fn is_quiet(&self) -> bool {
        self.quiet
    }
}

const EXAMPLES: &str = "\
Examples:
  replica                               chat; the first time this makes a room
  replica --peer 192.168.1.5:7400       chat with whoever runs replica there
  replica invite                        print a ticket; whoever has it can come in:
  replica join replica1…                enter the room of a ticket
  echo 'build is green' | replica send  say one thing and leave
  replica log -n 20                     the last 20 messages
  replica log --json | jq -r .text      for scripts
  replica log --author bob --since 7d   what bob said this week
  replica rooms; replica --room NAME    the rooms of this home; go into another one
  source <(replica completions bash)    Tab completes; `replica man | man -l -` is the manual
  replica sync                          exchange with all known peers, then leave

Exit codes: 0 done, 1 failed, 2 usage, 3 no peer reached, 4 store locked or damaged, 5 refused, 130 interrupted.";
