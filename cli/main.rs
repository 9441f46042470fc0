//! The program `replica`: a chat without a server. Called plainly it is the chat; `replica help` lists the rest.

mod args;
mod chat;
mod client;
mod commands;
mod config;
mod failure;
mod files;
mod json;
mod logging;
mod output;
mod passphrase;
mod people;
mod presence;
mod progress;
mod qr;
mod render;
mod service;
mod settings;
mod signals;
mod text;
mod time;
mod tui;
mod watch;

use std::process::ExitCode;

use clap::{CommandFactory as _, FromArgMatches as _};

use crate::args::{Args, ConfigTask, Task};
use crate::commands::describe;
use crate::config::Config;
use crate::failure::{Exit, Explained};
use crate::output::Output;
use crate::settings::Chosen;

fn main() -> ExitCode {
    let matches = Args::command().get_matches();
    let mut args = Args::from_arg_matches(&matches).unwrap_or_else(|error| error.exit());
    let chosen = settings::apply(&mut args, &matches);
    let mut output = Output::new(args.is_quiet(), args.color);
    let done = chosen.map_err(Into::into).and_then(|chosen| run(args, &chosen, &mut output));
    let exit = match done {
        Ok(exit) => exit,
        Err(error) if failure::is_broken_pipe(&error) => Exit::Done,
        Err(error) => {
            let Explained { exit, what, next } = failure::explain(&error);
            output.complain(&what, next.as_deref());
            exit
        }
    };
    ExitCode::from(exit as u8)
}

fn run(args: Args, chosen: &Chosen, output: &mut Output) -> anyhow::Result<Exit> {
    match &args.task {
        Some(Task::Completions { shell }) => return describe::completions(*shell, output),
        Some(Task::Man { subcommand }) => return describe::man(subcommand.as_deref(), output),
        Some(Task::Config { task: ConfigTask::Show }) => return describe::config(chosen, args.json, output),
        _ => {}
    }
    let (mut config, task) = Config::from_args(args)?;
    config.chosen = chosen.clone();
    logging::set(&config)?;
    passphrase::open_key(&mut config, task.as_ref(), output)?;
    // One thread: at rest nothing runs, and the node has a thread of its own for its store.
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let exit = runtime.block_on(commands::run(&config, task, output));
    // A read of the terminal may still be under way in a thread; it is not waited for.
    runtime.shutdown_background();
    exit
}
