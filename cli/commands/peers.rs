//! `replica peers`

use std::time::Duration;

use replica_sync::discovery::relay_of;
use replica_sync::node::PeerStatus;

use crate::commands::meet::{meet, nobody_known};
use crate::commands::writer;
use crate::config::{Config, Role};
use crate::failure::Exit;
use crate::json;
use crate::output::Output;
use crate::people::People;
use crate::text;

/// Dials everyone who is known, for a moment, and says how each stands.
pub(crate) async fn run(config: &Config, output: &mut Output) -> anyhow::Result<Exit> {
    let mut client = writer(config, config.options(Role::Dials), output).await?;
    let time = if config.offline { Duration::ZERO } else { DIAL_TIME };
    let status = meet(&mut client, time, |_| false, |_| {}).await?.status;
    if config.json {
        status.peers.iter().try_for_each(|peer| output.json(&json::peer(peer)))?;
    } else {
        let people = People::of_status(&status);
        status.peers.iter().try_for_each(|peer| output.data(&line(peer, &people)))?;
    }
    output.flush()?;
    client.stop().await;
    if status.peers.is_empty() {
        output.note(nobody_known());
    }
    Ok(Exit::Done)
}

/// A peer in words.
pub(crate) fn line(peer: &PeerStatus, people: &People) -> String {
    let who = peer.author.map_or_else(|| "?".to_owned(), |author| people.name(&author));
    let place = match relay_of(&peer.address) {
        Some(server) => format!("through {}", text::line(server)),
        None => format!("at {}", text::line(&peer.address)),
    };
    let is_untried = peer.standing.is_none() && peer.failures == 0 && !peer.is_other_room;
    let state = match (is_untried, peer.is_spare) {
        (_, true) => "not needed now",
        (true, false) => "not tried yet",
        (false, false) => json::state(peer),
    };
    let missing = match (peer.missing_here, peer.missing_there) {
        (0, 0) => String::new(),
        (here, 0) => format!(", {here} to come"),
        (0, there) => format!(", {there} to go"),
        (here, there) => format!(", {here} to come, {there} to go"),
    };
    let other = if peer.is_other_room { ", another room answers there" } else { "" };
    format!("{who} {place}: {state}{missing}{other}")
}

/// Enough for a handshake over a slow link.
const DIAL_TIME: Duration = Duration::from_secs(3);
