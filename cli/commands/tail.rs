//! `replica tail`

use std::collections::BTreeSet;

use replica::id::EntryId;
use replica_sync::engine::{Event, Row};
use replica_sync::node::NodeEvent;

use crate::commands::log::last_rows;
use crate::commands::writer;
use crate::config::{Config, Role};
use crate::failure::Exit;
use crate::json::{self, is_message};
use crate::output::Output;
use crate::people::People;
use crate::render::Renderer;
use crate::signals::Signals;
use crate::time::LocalTime;

/// Prints the last rows, then each new one as it comes, until interrupted.
pub(crate) async fn run(
    config: &Config,
    count: usize,
    all: bool,
    output: &mut Output,
) -> anyhow::Result<Exit> {
    let mut signals = Signals::listen()?;
    let Some(client) = signals.race(writer(config, config.options(Role::Serves), output)).await else {
        return Ok(Exit::Interrupted);
    };
    let mut client = client?;
    let is_wanted = |row: &Row| is_message(row) || all || !config.json;
    let status = client.status().await?;
    let mut people = People::of_status(&status);
    let mut printer = Printer {
        json: config.json,
        renderer: Renderer::new(LocalTime::of_system(), config.color, config.color),
    };
    let mut printed = BTreeSet::new();
    if status.room.is_some() {
        let mut rows = last_rows(&mut client, count, is_wanted).await?;
        rows.reverse();
        for row in &rows {
            printer.print(row, &people, output)?;
            printed.insert(row.id);
        }
    } else if config.peers.is_empty() {
        client.stop().await;
        return Err(crate::commands::room(&status)
            .err()
            .map_or_else(|| anyhow::anyhow!("no room"), Into::into));
    }
    output.flush()?;
    loop {
        tokio::select! {
            () = signals.next() => break,
            event = client.next_while_kept() => match event? {
                NodeEvent::Engine(Event::Row(row)) => {
                    people.learn_row(&row);
                    if is_wanted(&row) && is_new(&mut printed, &row.id) {
                        printer.print(&row, &people, output)?;
                        output.flush()?;
                    }
                }
                NodeEvent::HolderChanged { is_ours: true } => {
                    output.note("The process that had this home open has ended; this one has it now.");
                }
                NodeEvent::Listening(address) => output.note(&format!("listening at {address}")),
                NodeEvent::KnockRefused { address, bye } => {
                    return Err(crate::failure::Failure::refused(&address, &bye).into());
                }
                NodeEvent::OtherRoom { address } if config.peers.contains(&address) => {
                    return Err(crate::failure::Failure::other_room(&address).into());
                }
                _ => {}
            }
        }
    }
    client.stop().await;
    Ok(Exit::Interrupted)
}

/// A row that came while the first page was read is in both.
fn is_new(printed: &mut BTreeSet<EntryId>, id: &EntryId) -> bool {
    !printed.remove(id)
}

struct Printer {
    json: bool,
    renderer: Renderer,
}

impl Printer {
    fn print(&mut self, row: &Row, people: &People, output: &mut Output) -> std::io::Result<()> {
        if self.json {
            return output.json(&json::row(row));
        }
        self.renderer.row(row, people).iter().try_for_each(|line| output.data(line))
    }
}
