//! `replica import FILE`

use std::fs::File;
use std::io::{self, Read as _};
use std::path::Path;

use anyhow::Context as _;
use replica::bundle::{Bundle, BundleError};
use replica::limits::BUNDLE_BYTES_MAX;
use replica_sync::engine::{Command, Event};
use replica_sync::node::{NodeError, NodeEvent};

use crate::client::Client;
use crate::commands::writer;
use crate::config::{Config, Role};
use crate::failure::{Exit, Failure};
use crate::json;
use crate::output::Output;
use crate::people::People;
use crate::text;

/// Takes in what a bundle has and is not here. Each block passes what it would have to pass if a peer had sent it.
pub(crate) async fn run(config: &Config, file: &Path, output: &mut Output) -> anyhow::Result<Exit> {
    let path = file.to_owned();
    // It may be a pipe. In a thread of its own, which nobody waits for if the program is to end meanwhile.
    let read = tokio::task::spawn_blocking(move || read(&path)).await?;
    let bytes = read.with_context(|| format!("cannot read {}", file.display()))?;
    let bundle = Bundle::read(&bytes).map_err(|error| refused(&error))?;
    let mut client = writer(config, config.options(Role::Writes), output).await?;
    let status = client.status().await?;
    if status.room.as_ref().map(|(id, _)| *id) != Some(bundle.room) {
        client.stop().await;
        let what = format!("the bundle is of another room ({})", &bundle.room.to_string()[..8]);
        let next = "Enter that room first: `replica join TICKET`. If you are in it, name it with --room.";
        return Err(Failure::new(Exit::Refused, what, next).into());
    }
    let mut new = 0;
    for block in &bundle.blocks {
        new += take(&mut client, bytes[block.clone()].to_vec()).await?;
    }
    let status = client.status().await?;
    client.stop().await;
    if config.json {
        output.json(&json::import(file, &bundle.author, new, status.entries))?;
    }
    let maker = People::of_status(&status).name(&bundle.author);
    output.note(&match new {
        0 => format!("Nothing new: all that {maker} put into it is here."),
        new => format!("{} from {maker}'s bundle.", text::count(new, "new entry")),
    });
    Ok(Exit::Done)
}

fn read(file: &Path) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    File::open(file)?.take(BUNDLE_BYTES_MAX as u64 + 1).read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// Has a block taken in. Answers how many of its entries are new.
async fn take(client: &mut Client, block: Vec<u8>) -> anyhow::Result<u64> {
    let asked = client.command(Command::Import(block)).await?;
    loop {
        match client.next_while_kept().await? {
            NodeEvent::Engine(Event::Imported { tag, new }) if tag == asked => return Ok(new),
            NodeEvent::Engine(Event::Refused { tag, error }) if tag == asked => {
                return Err(NodeError::from(error).into());
            }
            NodeEvent::Engine(Event::ReadOnly) => return Err(crate::failure::store_failed().into()),
            _ => {}
        }
    }
}

fn refused(error: &BundleError) -> Failure {
    Failure::new(
        Exit::Refused,
        error.to_string(),
        "Nothing was taken in. Have it made, or copied, once more.",
    )
}
