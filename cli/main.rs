//! The program `replica`: a chat without a server. Called plainly it is the chat; `replica help` lists the rest.

mod args;
mod chat;
mod client;
mod commands;
mod config;
mod failure;
mod json;
mod logging;
mod output;
mod passphrase;
mod people;
mod presence;
mod progress;
mod qr;
mod render;
mod signals;
mod text;
mod time;
mod tui;
mod watch;

use std::process::ExitCode;

use clap::Parser as _;

use crate::args::Args;
use crate::config::Config;
use crate::failure::{Exit, Explained};
use crate::output::Output;

fn main() -> ExitCode {
    let args = Args::parse();
    let mut output = Output::new(args.is_quiet());
    let exit = match run(args, &mut output) {
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

fn run(args: Args, output: &mut Output) -> anyhow::Result<Exit> {
    let (mut config, task) = Config::from_args(args)?;
    logging::start(&config)?;
    passphrase::open_key(&mut config, task.as_ref(), output)?;
    // One thread: at rest nothing runs, and the node has a thread of its own for its store.
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let exit = runtime.block_on(commands::run(&config, task, output));
    // A read of the terminal may still be under way in a thread; it is not waited for.
    runtime.shutdown_background();
    exit
}
