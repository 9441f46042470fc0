//! `replica serve`

use replica::home::HomeError;
use replica_sync::engine::Event;
use replica_sync::node::NodeEvent;

use crate::client::Client;
use crate::commands::{room_name, status, writer};
use crate::config::{Config, Role};
use crate::failure::{self, Exit, Failure};
use crate::json;
use crate::output::Output;
use crate::people::People;
use crate::presence::{Change, Presence};
use crate::service;
use crate::signals::{Asked, Signals};
use crate::text;

mod reload;

/// A replica without a screen: it listens, dials and relays until it is stopped.
pub(crate) async fn run(config: &Config, output: &mut Output) -> anyhow::Result<Exit> {
    let mut signals = Signals::listen()?;
    let mut options = config.options(Role::Serves);
    options.makes_room = config.peers.is_empty() && config.ticket.is_none();
    let Some(client) = signals.race_of_service(writer(config, options, output)).await else {
        service::stopping();
        return Ok(Exit::Done);
    };
    let mut client = client?;
    if let pid @ Some(_) = client.holder().map(|holder| holder.pid) {
        // That one has its own idea of where to listen and when to end.
        client.stop().await;
        return Err(HomeError::Locked { pid }.into());
    }
    let mut people = People::of_status(&*client.status().await?);
    let mut presence = Presence::default();
    let mut refusals_noted = 0;
    let mut config = config.clone();
    let mut listening = None;
    loop {
        let event = tokio::select! {
            asked = signals.next_of_service() => match asked {
                Asked::End => break,
                Asked::Reload => {
                    service::reloading();
                    match reload::reload(&config, &mut client).await {
                        Ok((new, words)) => {
                            config = new;
                            say(output, &format!("the settings were read again: {words}"));
                        }
                        Err(error) => {
                            let words = failure::explain(&error).what;
                            say(output, &format!("the settings were not taken over: {words}"));
                        }
                    }
                    listening.into_iter().for_each(service::ready);
                    continue;
                }
            },
            event = client.next() => event?,
        };
        if let NodeEvent::Engine(event) = &event {
            match presence.note(event) {
                Some(Change::Came(author)) => output.note(&format!("{} is connected", people.name(&author))),
                Some(Change::Left(author)) => output.note(&format!("{} is gone", people.name(&author))),
                None => {}
            }
        }
        match event {
            NodeEvent::Listening(address) => {
                if config.json {
                    output.json(&json::listening(address))?;
                } else {
                    output.data(&format!("listening {address}"))?;
                }
                output.flush()?;
                service::ready(address);
                listening = Some(address);
                if config.open {
                    output.note(&format!("Anyone who can reach {address} is let in (--open)."));
                }
            }
            NodeEvent::Room { name, left, .. } => {
                people = People::of_status(&*client.status().await?);
                let left = left.map(|left| format!("; \"{}\" stays in the home", room_name(&left)));
                output.note(&format!("room \"{}\"{}", room_name(&name), left.unwrap_or_default()));
            }
            NodeEvent::KnockSent { address } => {
                output.note(&format!("knocking at {}", text::line(&address)));
            }
            NodeEvent::KnockRefused { address, bye } => {
                output.note(&Failure::refused(&address, &bye).to_string());
            }
            NodeEvent::OtherRoom { address } => output.note(&Failure::other_room(&address).to_string()),
            NodeEvent::Refused(refusals) => {
                if config.json {
                    output.json(&json::refused(&refusals))?;
                    output.flush()?;
                }
                // Whoever attacks all night does not fill a log: said again once there are twice as many.
                if refusals.total() >= 2 * refusals_noted {
                    refusals_noted = refusals.total();
                    output.note(&format!("refused so far: {}", status::refused(&refusals)));
                }
            }
            NodeEvent::Failed(why) => on_failed(None, &why, &mut client, output).await?,
            NodeEvent::RoomFailed { name, why, .. } => {
                on_failed(Some(name), &why, &mut client, output).await?;
            }
            NodeEvent::Engine(Event::Row(row)) => people.learn_row(&row),
            NodeEvent::Engine(Event::Agreed { author, sent, received, .. }) => {
                output
                    .note(&format!("agreed with {}: {sent} sent, {received} received", people.name(&author)));
            }
            NodeEvent::Engine(Event::Offence { address, text, .. }) => {
                output.note(&format!("{} was sent away: {}", text::line(&address), text::line(&text)));
            }
            _ => {}
        }
    }
    service::stopping();
    client.stop().await;
    Ok(Exit::Done)
}

/// A room, the current one if it is not named, does not work from now on. The others go on, if there are any that do.
async fn on_failed(
    name: Option<String>,
    why: &str,
    client: &mut Client,
    output: &mut Output,
) -> anyhow::Result<()> {
    let status = client.status().await?;
    if status.rooms.iter().all(|room| room.trouble.is_some()) {
        return Err(Failure::of_store(why).into());
    }
    let name = name.or(status.room.map(|(_, name)| name)).unwrap_or_default();
    let what = format!("room \"{}\" does not work: {}", room_name(&name), text::line(why));
    output.complain(&what, Some("The others go on."));
    Ok(())
}

/// Tells whoever reads stderr, and whoever reads the log.
fn say(output: &mut Output, words: &str) {
    output.note(words);
    tracing::info!("{words}");
}
