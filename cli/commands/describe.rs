//! What the program says about itself: `completions`, `man`, `config show`

use clap::CommandFactory as _;
use clap_complete::Shell;

use crate::args::Args;
use crate::failure::{Exit, Failure};
use crate::json;
use crate::output::Output;
use crate::settings::Chosen;

/// Prints what makes a shell complete this program's arguments.
pub(crate) fn completions(shell: Shell, output: &mut Output) -> anyhow::Result<Exit> {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut Args::command(), "replica", &mut script);
    output.bytes(&script)?;
    output.flush()?;
    Ok(Exit::Done)
}

/// Prints the manual page of the program, or of a subcommand.
pub(crate) fn man(subcommand: Option<&str>, output: &mut Output) -> anyhow::Result<Exit> {
    let mut whole = Args::command();
    whole.build();
    let command = match subcommand {
        None => whole,
        Some(name) => whole.find_subcommand(name).cloned().ok_or_else(|| {
            let what = format!("there is no subcommand {}", crate::text::line(name));
            Failure::new(Exit::Usage, what, "`replica help` lists them.")
        })?,
    };
    let mut page = Vec::new();
    clap_mangen::Man::new(command).render(&mut page)?;
    output.bytes(&page)?;
    output.flush()?;
    Ok(Exit::Done)
}

/// Prints each setting, and where it comes from.
pub(crate) fn config(chosen: &Chosen, as_json: bool, output: &mut Output) -> anyhow::Result<Exit> {
    for setting in &chosen.settings {
        if as_json {
            output.json(&json::setting(setting))?;
        } else {
            let value = setting.value.as_deref().unwrap_or("-");
            output.data(&format!("{:<18} {value}  ({})", setting.name, setting.origin.name()))?;
        }
    }
    output.flush()?;
    if let Some(file) = &chosen.file {
        let is_there = if file.exists() { "" } else { ", which is not there" };
        output.note(&format!("The file is {}{is_there}.", file.display()));
    }
    Ok(Exit::Done)
}
