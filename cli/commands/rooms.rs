//! `replica rooms`

use replica::id::RoomId;

use crate::client::{Client, Opened, open_home};
use crate::commands::room_name;
use crate::config::{Config, Role};
use crate::failure::Exit;
use crate::json;
use crate::output::Output;

/// Lists the rooms of the home; the one that a plain call opens is marked.
pub(crate) async fn run(config: &Config, output: &mut Output) -> anyhow::Result<Exit> {
    let (rooms, current) = rooms(config).await?;
    for (id, name) in &rooms {
        let is_current = current == Some(*id);
        if config.json {
            output.json(&json::room(id, name, is_current))?;
        } else {
            let mark = if is_current { "*" } else { " " };
            output.data(&format!("{mark} {} ({})", room_name(name), &id.to_string()[..8]))?;
        }
    }
    if rooms.is_empty() {
        output.note("None yet: `replica` makes one, `replica join TICKET` enters one.");
    } else if rooms.len() > 1 {
        output.note("`replica --room NAME` goes into another one.");
    }
    Ok(Exit::Done)
}

async fn rooms(config: &Config) -> anyhow::Result<(Vec<(RoomId, String)>, Option<RoomId>)> {
    match open_home(config)? {
        Opened::Here(home) => {
            let rooms = home.state().rooms.iter().map(|room| (room.id, room.name.clone())).collect();
            Ok((rooms, home.state().current_room))
        }
        there @ Opened::There(_) => {
            let mut client = Client::start(there, config.options(Role::Reads)).await?;
            let status = client.status().await?;
            client.stop().await;
            let rooms = status.rooms.iter().map(|room| (room.id, room.name.clone())).collect();
            Ok((rooms, status.room.map(|(room, _)| room)))
        }
    }
}
