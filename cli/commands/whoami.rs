//! `replica whoami`

use crate::client::{nick_to_set, open_home};
use crate::config::Config;
use crate::failure::Exit;
use crate::json;
use crate::output::Output;
use crate::text;

/// Prints who the home's owner is; in an empty home, makes an identity and nothing else.
pub(crate) fn run(config: &Config, output: &mut Output) -> anyhow::Result<Exit> {
    let mut home = open_home(config)?;
    if home.state().nick.is_none()
        && let Some(nick) = nick_to_set(config, &home)
    {
        home.change(|state| state.nick = Some(nick))?;
    }
    let key = home.identity().key();
    let nick = home.state().nick.clone().unwrap_or_default();
    if config.json {
        output.json(&json::whoami(&key, &nick, home.folder()))?;
    } else {
        output.data(&format!("{} · {}", text::name(&nick), replica::identity::words(&key)))?;
        output.data(&format!("key   {key}"))?;
        output.data(&format!("home  {}", home.folder().display()))?;
    }
    Ok(Exit::Done)
}
