//! `replica join TICKET`

use std::time::Duration;

use crate::commands::meet::{Met, meet};
use crate::commands::{room, room_name, writer};
use crate::config::{Config, Role};
use crate::failure::Exit;
use crate::json;
use crate::output::Output;
use crate::people::People;
use crate::text;

/// Keeps a ticket's room and dials its members. Nobody has to be there.
pub(crate) async fn run(config: &Config, output: &mut Output) -> anyhow::Result<Exit> {
    let mut client = writer(config, config.options(Role::Dials), output).await?;
    let time = if config.offline { Duration::ZERO } else { JOIN_TIME };
    let Met { watch, status, .. } =
        meet(&mut client, time, |watch| !watch.agreed().is_empty(), |_| {}).await?;
    let agreed = watch.agreed();
    let room = room(&status)?;
    if agreed.is_empty()
        && !status.is_member
        && let Some(refusal) = watch.refusal()
    {
        client.stop().await;
        return Err(refusal.clone().into());
    }
    if config.json {
        output.json(&json::join(&room, agreed.first()))?;
    }
    output.flush()?;
    client.stop().await;
    let name = room_name(&room.1);
    let people = People::of_status(&status);
    output.note(&match agreed.first().and_then(|outcome| outcome.author) {
        Some(author) => format!(
            "You are in \"{name}\": {}, the same as {} has. `replica` opens the chat.",
            text::count(status.messages, "message"),
            people.name(&author)
        ),
        None if status.is_member => match watch.refusal() {
            // Here it is not known yet.
            Some(refusal) => format!("You were a member of \"{name}\", but {refusal}. {}", refusal.next),
            None => format!(
                "You are a member of \"{name}\" already. Nobody answered just now; `replica` goes on trying."
            ),
        },
        None => format!(
            "The ticket is kept; {}. The history comes with the first sync: run `replica`, which goes on trying, \
             or `replica sync` later.",
            if config.offline { "nobody was dialled" } else { "nobody answered yet" }
        ),
    });
    Ok(Exit::Done)
}

/// A person waits for this.
const JOIN_TIME: Duration = Duration::from_secs(10);
