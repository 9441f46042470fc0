//! `replica identity`: the key of a home, carried elsewhere or put under a passphrase.

use std::path::Path;

use replica::home::{Home, HomeError, export_key, read_key};
use replica::identity::words;

use crate::args::IdentityTask;
use crate::client::open_own_home;
use crate::config::Config;
use crate::failure::Exit;
use crate::output::Output;
use crate::passphrase::{self, Which};

/// Does what was asked for.
pub(crate) fn run(config: &Config, task: &IdentityTask, output: &mut Output) -> anyhow::Result<Exit> {
    match task {
        IdentityTask::Export { file } => export(config, file, output),
        IdentityTask::Import { file } => import(config, file, output),
        IdentityTask::Passphrase { remove } => change(config, *remove, output),
    }
}

fn export(config: &Config, file: &Path, output: &mut Output) -> anyhow::Result<Exit> {
    let home = open_own_home(config)?;
    // A script that gives one passphrase means it for the file.
    let passphrase = match passphrase::given(config, Which::New)? {
        Some(new) => new,
        None => match passphrase::given(config, Which::Current)? {
            Some(current) => current,
            None => passphrase::new(config, "A passphrase for the file: ", output)?,
        },
    };
    export_key(file, home.identity(), &passphrase)?;
    output.note(&format!(
        "The key is in {}, under that passphrase. On another machine: `replica identity import FILE`, then `replica \
         join TICKET` with a ticket of a room you are in.",
        file.display()
    ));
    Ok(Exit::Done)
}

fn import(config: &Config, file: &Path, output: &mut Output) -> anyhow::Result<Exit> {
    let identity = match (read_key(file, None), passphrase::given(config, Which::Current)?) {
        (Err(HomeError::Sealed { .. }), Some(given)) => read_key(file, Some(&given))?,
        (Err(HomeError::Sealed { .. }), None) => {
            let typed = passphrase::ask(config, "The passphrase of the file: ", output)?;
            read_key(file, Some(&typed))?
        }
        (read, _) => read?,
    };
    let is_new = Home::import(&config.home, &identity)?;
    let words = words(&identity.key());
    output.note(&if is_new {
        format!(
            "This home is yours now ({words}). Its key is kept here without a passphrase: `replica identity \
             passphrase` sets one. `replica join TICKET` enters a room."
        )
    } else {
        format!("This home has that key already ({words}).")
    });
    Ok(Exit::Done)
}

fn change(config: &Config, remove: bool, output: &mut Output) -> anyhow::Result<Exit> {
    let mut home = open_own_home(config)?;
    if remove {
        home.set_passphrase(None)?;
        output.note("The key has no passphrase now: whoever can read the home can write as you.");
        return Ok(Exit::Done);
    }
    let new = passphrase::new(config, "The new passphrase: ", output)?;
    home.set_passphrase(Some(&new))?;
    output.note(
        "Every start asks for it from now on. Without it the key is lost: keep it safe. The messages themselves are \
         not encrypted in the home.",
    );
    Ok(Exit::Done)
}
