//! `replica invite`

use std::time::Duration;

use replica_sync::engine::{Command, Event};
use replica_sync::node::{Listen, NodeError, NodeEvent, Options};

use crate::commands::writer;
use crate::config::{Config, Role};
use crate::failure::Exit;
use crate::json;
use crate::output::Output;
use crate::time::{LocalTime, now_ms};

/// Publishes an invite and prints its ticket.
pub(crate) async fn run(
    config: &Config,
    expires: Option<Duration>,
    uses: Option<u32>,
    qr: bool,
    output: &mut Output,
) -> anyhow::Result<Exit> {
    let mut options = config.options(Role::Writes);
    options.makes_room = config.peers.is_empty() && config.ticket.is_none();
    if options.listen == Listen::Nowhere && !config.offline {
        // The ticket says where we listen: the port that the chat will have is taken for a moment.
        options.listen = Listen::Usual;
    }
    let mut client = writer(config, Options { peers: Vec::new(), ..options }, output).await?;
    let expires_ms = expires_ms(expires);
    let tag = client.command(Command::Invite { expires_ms, uses }).await?;
    let secret = loop {
        match client.next_while_kept().await? {
            NodeEvent::Engine(Event::Invited { tag: done, secret, .. }) if done == tag => break secret,
            NodeEvent::Engine(Event::Refused { tag: done, error }) if done == tag => {
                return Err(NodeError::from(error).into());
            }
            _ => {}
        }
    };
    let ticket = client.ticket(Some(secret)).await?;
    let text = ticket.to_string();
    if config.json {
        output.json(&json::invite(&text, expires_ms, uses))?;
    } else {
        output.data(&text)?;
    }
    output.flush()?;
    client.stop().await;
    if qr {
        output.qr(&text);
    }
    let until =
        expires_ms.map_or_else(String::new, |ms| format!(" until {}", LocalTime::of_system().full(ms)));
    let whom = match uses {
        None => "Whoever has this ticket comes in".to_owned(),
        Some(1) => "The first who uses this ticket comes in".to_owned(),
        Some(uses) => format!("The first {uses} who use this ticket come in"),
    };
    output.note(&format!(
        "{whom}{until}, with `replica join TICKET`. Keep `replica` running here, so that somebody answers."
    ));
    if ticket.addresses.is_empty() {
        output.note("It names no address: they have to name one with --peer HOST:PORT as well.");
    }
    Ok(Exit::Done)
}

/// When an invite made now ends.
pub(crate) fn expires_ms(expires: Option<Duration>) -> Option<u64> {
    expires.map(|span| now_ms().saturating_add(u64::try_from(span.as_millis()).unwrap_or(u64::MAX)))
}
