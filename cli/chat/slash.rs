//! Lines that begin with a slash, on a terminal.

use std::time::Duration;

use crate::commands::members::Act;
use crate::commands::topic::checked_topic;
use crate::config::{checked_nick, peer_address};
use crate::time::parse_span;

#[cfg(test)]
mod tests;

/// What a line means.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Meaning {
    /// It is said.
    Say(String),
    /// Something is done.
    Do(Slash),
    /// Nothing is done; these words say why.
    Hint(String),
}

/// A command.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Slash {
    Help,
    Nick(String),
    /// Sets it, or tells it.
    Topic(Option<String>),
    Who,
    Whois(String),
    Search(String),
    Sync,
    Peers,
    Status,
    Invite {
        expires: Option<Duration>,
        uses: Option<u32>,
    },
    Accept(String),
    Peer(String),
    Act(Act, String),
    Revoke(Option<String>),
    Block(String, bool),
    SetOnline(bool),
    Rooms,
    /// Into a room of this home, by name, or of a ticket.
    Join(String),
    Dm(String),
    Leave,
    Quit,
}

/// What `/help` prints.
pub(crate) const HELP: &str = "\
/who                who is in the room, with the words of their keys (/members, /names)
/whois NAME         all that is known of somebody
/search TEXT        find what was said
/me DOES            say it of yourself
/nick NAME          be called otherwise
/topic [TEXT]       say what the room is about, or hear it; /topic - takes it away
/invite [7d] [N]    print a ticket for others; it holds so long, for so many
/accept NAME        let in who knocks
/kick NAME          remove somebody; /readmit NAME undoes it; /promote NAME makes an admin
/revoke [INVITE]    take an invite back; without one, list those that hold
/block NAME         fold somebody's messages, here only; /unblock NAME shows them
/rooms              the rooms of this home; /join NAME goes into one, /join TICKET into another
/dm NAME            make a room for two, and a ticket that lets them alone in
/leave              end your membership (/quit only closes the program)
/peer HOST:PORT     dial another peer, from now on
/peers  /status     how they stand, how this replica stands
/sync               dial everyone now
/offline  /online   write without a network for a while; come back
/quit               leave (so does Ctrl+C); what you wrote is kept
//text              say what begins with a slash";

const WORDS: [&str; 29] = [
    "help", "nick", "topic", "me", "who", "whois", "names", "members", "search", "peers", "status", "sync",
    "invite", "accept", "rooms", "join", "dm", "peer", "kick", "readmit", "promote", "revoke", "block",
    "unblock", "leave", "quit", "exit", "offline", "online",
];

/// The commands, without their slash.
pub(crate) fn words() -> impl Iterator<Item = &'static str> {
    WORDS.into_iter()
}

/// Reads a line that was typed.
pub(crate) fn read(line: &str) -> Meaning {
    let Some(rest) = line.strip_prefix('/') else { return Meaning::Say(line.to_owned()) };
    if rest.starts_with('/') {
        return Meaning::Say(rest.to_owned());
    }
    let (word, argument) = rest.split_once(char::is_whitespace).unwrap_or((rest, ""));
    if word == "me" && !argument.trim().is_empty() {
        return Meaning::Say(format!("/me {}", argument.trim()));
    }
    match command(word, argument.trim()) {
        Ok(Some(slash)) => Meaning::Do(slash),
        Ok(None) => Meaning::Hint(unknown(word)),
        Err(hint) => Meaning::Hint(hint),
    }
}

fn command(word: &str, argument: &str) -> Result<Option<Slash>, String> {
    let needed = |what: &str| {
        if argument.is_empty() { Err(format!("Write /{word} {what}")) } else { Ok(argument.to_owned()) }
    };
    Ok(Some(match word {
        "help" | "h" | "?" => Slash::Help,
        "nick" => Slash::Nick(checked_nick(&needed("NAME")?).map_err(|error| format!("No: {error}."))?),
        "topic" if argument.is_empty() => Slash::Topic(None),
        "topic" => {
            let words = argument.strip_prefix('-').filter(|rest| rest.is_empty()).unwrap_or(argument);
            Slash::Topic(Some(checked_topic(words).map_err(|error| format!("No: {error}."))?))
        }
        "who" | "members" | "names" => Slash::Who,
        "whois" => Slash::Whois(needed("NAME, as /who shows it")?),
        "search" => Slash::Search(needed("TEXT")?),
        "sync" => Slash::Sync,
        "me" => return Err("Write /me and what you do, as in /me waves".to_owned()),
        "rooms" => Slash::Rooms,
        "join" => Slash::Join(needed("NAME, as /rooms shows it, or TICKET")?),
        "dm" => Slash::Dm(needed("NAME, as /who shows it")?),
        "kick" => Slash::Act(Act::Kick, needed("NAME, as /who shows it")?),
        "readmit" => Slash::Act(Act::Readmit, needed("NAME, as /who shows it")?),
        "promote" => Slash::Act(Act::Promote, needed("NAME, as /who shows it")?),
        "revoke" => Slash::Revoke((!argument.is_empty()).then(|| argument.to_owned())),
        "block" => Slash::Block(needed("NAME, as /who shows it")?, true),
        "unblock" => Slash::Block(needed("NAME, as /who shows it")?, false),
        "offline" => Slash::SetOnline(false),
        "online" => Slash::SetOnline(true),
        "leave" => Slash::Leave,
        "peers" => Slash::Peers,
        "status" => Slash::Status,
        "invite" => invite(argument)?,
        "accept" => Slash::Accept(needed("NAME, as it was shown when they knocked")?),
        "peer" => {
            let address = needed("HOST:PORT")?;
            if replica_sync::ticket::is_ticket(&address) {
                return Err("A ticket leads into its own room: write /join TICKET".to_owned());
            }
            Slash::Peer(peer_address(&address).map_err(|error| format!("No: {error}."))?)
        }
        "quit" | "q" | "exit" => Slash::Quit,
        _ => return Ok(None),
    }))
}

fn invite(argument: &str) -> Result<Slash, String> {
    let (mut expires, mut uses) = (Some(INVITE_SPAN), None);
    for word in argument.split_whitespace() {
        match word.parse::<u32>() {
            Ok(number) if number > 0 => uses = Some(number),
            _ => expires = parse_span(word).map_err(|hint| format!("Write /invite 7d 3: {hint}"))?.0,
        }
    }
    Ok(Slash::Invite { expires, uses })
}

fn unknown(word: &str) -> String {
    let near = crate::text::nearest(word, WORDS);
    let meant = near.map_or_else(|| "/help lists them".to_owned(), |known| format!("did you mean /{known}?"));
    let word = crate::text::name(word);
    format!("There is no /{word}; {meant} Nothing was sent; //{word} says it as text.")
}

/// How long an invite holds unless said otherwise.
const INVITE_SPAN: Duration = Duration::from_secs(7 * 24 * 60 * 60);
