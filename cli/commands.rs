//! The subcommands.

pub(crate) mod describe;
pub(crate) mod doctor;
mod export;
mod identity;
mod import;
pub(crate) mod invite;
mod join;
pub(crate) mod log;
mod meet;
pub(crate) mod members;
pub(crate) mod peers;
mod rendezvous;
mod rooms;
mod send;
mod serve;
pub(crate) mod status;
mod tail;
pub(crate) mod topic;
mod whoami;
pub(crate) mod why;

use replica_sync::node::{Options, Status};

use crate::args::Task;
use crate::chat;
use crate::client::{Client, open_home};
use crate::config::{Config, Role};
use crate::failure::{Exit, Failure};
use crate::output::Output;
use crate::signals::Signals;
use crate::text;

/// Does what was asked for.
pub(crate) async fn run(config: &Config, task: Option<Task>, output: &mut Output) -> anyhow::Result<Exit> {
    match task {
        None => chat::run(config, output).await,
        Some(Task::Serve) => serve::run(config, output).await,
        Some(Task::Rendezvous { relay }) => rendezvous::run(config, relay, output).await,
        Some(Task::Tail { count, all }) => tail::run(config, count, all, output).await,
        Some(task) => {
            let mut signals = Signals::listen()?;
            tokio::select! {
                // What was confirmed is durable; nothing else needs an orderly end.
                () = signals.next() => Ok(Exit::Interrupted),
                done = once(config, task, output) => done,
            }
        }
    }
}

/// The subcommands that come to an end by themselves.
async fn once(config: &Config, task: Task, output: &mut Output) -> anyhow::Result<Exit> {
    let exit = match task {
        Task::Send { text, wait, timeout } => send::run(config, &text, wait, timeout, output).await,
        Task::Log { count, chosen } => log::run(config, count, &chosen, output).await,
        Task::Sync { timeout } => meet::sync(config, timeout, output).await,
        Task::Invite { expires, uses, qr } => invite::run(config, expires.0, uses, qr, output).await,
        Task::Join { .. } => join::run(config, output).await,
        Task::Members => members::list(config, output).await,
        Task::Kick { who } => members::act(config, members::Act::Kick, &who, output).await,
        Task::Readmit { who } => members::act(config, members::Act::Readmit, &who, output).await,
        Task::Promote { who } => members::act(config, members::Act::Promote, &who, output).await,
        Task::Revoke { invite } => members::revoke(config, invite.as_deref(), output).await,
        Task::Leave => members::leave(config, output).await,
        Task::Block { who } => members::block(config, &who, true, output).await,
        Task::Unblock { who } => members::block(config, &who, false, output).await,
        Task::Status => status::run(config, output).await,
        Task::Peers => peers::run(config, output).await,
        Task::Identity { task } => identity::run(config, &task, output),
        Task::Whoami => whoami::run(config, output).await,
        Task::Doctor { repair } => doctor::run(config, repair, output).await,
        Task::Why { entry } => why::run(config, entry.as_deref(), output).await,
        Task::Verify => status::verify(config, output).await,
        Task::Export { file, format } => export::run(config, &file, format, output).await,
        Task::Import { file } => import::run(config, &file, output).await,
        Task::Rooms => rooms::run(config, output).await,
        Task::Topic { text, remove } => {
            let words = text.join(" ");
            let words = (remove || !text.is_empty()).then_some(words.as_str());
            topic::run(config, words, output).await
        }
        // These were done before, or are followed elsewhere.
        Task::Serve
        | Task::Tail { .. }
        | Task::Rendezvous { .. }
        | Task::Completions { .. }
        | Task::Man { .. }
        | Task::Config { .. } => Ok(Exit::Done),
    }?;
    output.flush()?;
    Ok(exit)
}

/// A node for a subcommand that needs no more than what is here.
async fn reader(config: &Config) -> anyhow::Result<Client> {
    Client::start(open_home(config)?, config.options(Role::Reads)).await
}

/// A node that writes or connects: on the first run its author gets a name. Where another process has the home open, what
/// that one does otherwise than was asked for is said.
async fn writer(config: &Config, options: Options, output: &mut Output) -> anyhow::Result<Client> {
    let home = open_home(config)?;
    let nick = crate::client::nick_to_set(config, &home);
    let mut client = Client::start(home, Options { nick, ..options }).await?;
    client.ask_holder(config).await?.into_iter().for_each(|words| output.note(words));
    Ok(client)
}

/// The room of a home, for who cannot do without.
fn room(status: &Status) -> Result<(replica::id::RoomId, String), Failure> {
    let none = || {
        Failure::new(
            Exit::Failed,
            "there is no room in this home yet",
            "`replica` makes one, `replica join TICKET` enters one.",
        )
    };
    status.room.clone().ok_or_else(none)
}

/// A name of a room, as it is shown.
fn room_name(name: &str) -> String {
    text::name(name)
}
