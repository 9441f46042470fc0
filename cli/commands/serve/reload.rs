//! Settings that change while a server runs.

use replica_sync::discovery::rendezvous_address;
use replica_sync::engine::Command;

use crate::client::Client;
use crate::config::Config;
use crate::logging;
use crate::settings::{self, Chosen};

/// Reads the settings again, and takes over what can be. Answers the settings that were read, and says what became of
/// those that changed.
///
/// # Errors
/// When they cannot be used, or the node is gone. Then nothing changed.
pub(super) async fn reload(held: &Config, client: &mut Client) -> anyhow::Result<(Config, String)> {
    let (args, chosen) = settings::again()?;
    let (mut config, _) = Config::from_args(args)?;
    logging::set(&config)?;
    let (now, later) = changed(&held.chosen, &chosen);
    if now.contains(&"nick")
        && let Some(nick) = config.nick.clone()
    {
        client.command(Command::SetNick(nick)).await?;
    }
    let servers = |config: &Config| -> Vec<String> {
        config.discovery.rendezvous.iter().map(|server| rendezvous_address(server)).collect()
    };
    let known = [held.peers.clone(), servers(held)].concat();
    let named = [config.peers.clone(), servers(&config)].concat();
    for address in named.into_iter().filter(|address| !known.contains(address)) {
        client.command(Command::Dial(address)).await?;
    }
    let part = |names: &[&str], verb| match names {
        [] => None,
        names => Some(format!("{} {verb}", names.join(", "))),
    };
    let parts: Vec<String> = [part(&now, "taken over"), part(&later, "as before until the next start")]
        .into_iter()
        .flatten()
        .collect();
    let words = if parts.is_empty() { "nothing changed".to_owned() } else { parts.join("; ") };
    config.chosen = chosen;
    Ok((config, words))
}

/// The names of settings that changed: those that hold from now on, and the others.
fn changed<'a>(held: &Chosen, new: &'a Chosen) -> (Vec<&'a str>, Vec<&'a str>) {
    let is_new = |name: &&str| held.value(name) != new.value(name);
    let is_screen = |name: &&str| name.starts_with("theme.") || name.starts_with("keys.");
    let names = new.settings.iter().map(|setting| setting.name.as_ref());
    names.filter(is_new).filter(|name| !is_screen(name)).partition(|name| RELOADED.contains(name))
}

/// Settings that a running server takes over. What is no longer in the file is not
/// taken back: a name holds, and peers and servers stay known to the room.
const RELOADED: [&str; 5] = ["nick", "peer", "rendezvous", "verbose", "log-file"];
