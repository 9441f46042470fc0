//! `replica whoami`

use crate::client::{Opened, nick_to_set, open_home};
use crate::commands::reader;
use crate::config::Config;
use crate::failure::Exit;
use crate::json;
use crate::output::Output;
use crate::text;

/// Prints who the home's owner is; in an empty home, makes an identity and nothing else.
pub(crate) async fn run(config: &Config, output: &mut Output) -> anyhow::Result<Exit> {
    let mut opened = open_home(config)?;
    let first_nick = nick_to_set(config, &opened);
    let (key, nick) = if let Opened::Here(home) = &mut opened {
        if home.state().nick.is_none() {
            home.change(|state| state.nick = first_nick)?;
        }
        (home.identity().key(), home.state().nick.clone().unwrap_or_default())
    } else {
        let mut client = reader(config).await?;
        let nick = client.status().await?.nick;
        let key = client.me;
        client.stop().await;
        (key, nick)
    };
    if config.json {
        output.json(&json::whoami(&key, &nick, &config.home))?;
    } else {
        output.data(&format!("{} · {}", text::name(&nick), replica::identity::words(&key)))?;
        output.data(&format!("key   {key}"))?;
        output.data(&format!("home  {}", config.home.display()))?;
    }
    Ok(Exit::Done)
}
