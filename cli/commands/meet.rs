//! Dialling everyone until all is said; `replica sync`.

use std::time::Duration;

use replica_sync::node::{PeerStatus, Status};

use crate::client::Client;
use crate::commands::writer;
use crate::config::{Config, Role};
use crate::failure::{Exit, Failure};
use crate::json;
use crate::output::Output;
use crate::people::People;
use crate::progress::Bar;
use crate::text;
use crate::watch::{Outcome, Watch};

/// What came of dialling everyone.
pub(crate) struct Met {
    /// What was told on the way.
    pub(crate) watch: Watch,
    /// How things stood when the waiting ended. Later an address more may have been learned.
    pub(crate) status: Box<Status>,
    /// Whether everyone had agreed by then, or failed once.
    is_settled: bool,
}

/// Follows a node until every address it dials has agreed or failed once, until something else is enough, or until the
/// time is over; draws how it stands on the way.
pub(crate) async fn meet(
    client: &mut Client,
    time: Duration,
    is_enough: impl Fn(&Watch) -> bool,
    mut draw: impl FnMut(&Status),
) -> anyhow::Result<Met> {
    let mut end = std::pin::pin!(tokio::time::sleep(time));
    let mut search = std::pin::pin!(tokio::time::sleep(SEARCH_TIME));
    let mut watch = Watch::new(&client.named);
    let mut is_quiet = false;
    loop {
        let status = client.status().await?;
        draw(&status);
        let is_searched = status.discovery.is_empty() || watch.has_reached() || search.is_elapsed();
        let is_settled = watch.is_settled(&status) && is_searched;
        // The state may show that a connection ended before it is told that we were refused there.
        let is_told = watch.has_reached() || watch.refusal().is_some() || is_quiet;
        if is_settled && is_told || is_enough(&watch) || end.is_elapsed() {
            return Ok(Met { watch, status, is_settled });
        }
        let news = async {
            while !watch.note(&client.next_while_kept().await?) {}
            Ok::<(), anyhow::Error>(())
        };
        tokio::select! {
            news = news => {
                news?;
                is_quiet = false;
            }
            // What settles the last of them need not be told: a dial that is not tried again, say.
            () = tokio::time::sleep(LOOK_AGAIN) => is_quiet = is_settled,
            () = &mut search, if !search.is_elapsed() => {}
            () = &mut end => {}
        }
    }
}

/// How long members are looked for where nobody was met yet.
const SEARCH_TIME: Duration = Duration::from_secs(3);

/// How long nothing may happen before the state is looked at again.
const LOOK_AGAIN: Duration = Duration::from_millis(200);

/// Syncs once with everyone who is known or named.
pub(crate) async fn sync(config: &Config, timeout: u64, output: &mut Output) -> anyhow::Result<Exit> {
    let mut client = writer(config, config.options(Role::Dials), output).await?;
    let status = client.status().await?;
    if status.room.is_none() && client.named.is_empty() {
        client.stop().await;
        return Err(super::room(&status).err().map_or_else(|| anyhow::anyhow!("no room"), Into::into));
    }
    if client.is_kept_offline() {
        let pid = client.holder().map_or_else(String::new, |holder| format!(" {}", holder.pid));
        client.stop().await;
        let what = format!("process{pid} has this home open, and dials nobody");
        return Err(Failure::new(Exit::Unreached, what, "End it first, then run this again.").into());
    }
    let mut bar = Bar::new(!config.quiet && !config.json);
    let Met { watch, status, is_settled } =
        meet(&mut client, Duration::from_secs(timeout), |_| false, |status| bar.draw(status)).await?;
    drop(bar);
    let outcomes = watch.outcomes(&status);
    let people = People::of_status(&status);
    for outcome in &outcomes {
        let is_elsewhere = |peer: &PeerStatus| peer.address == outcome.address && peer.is_other_room;
        if config.json {
            output.json(&json::sync(outcome))?;
        } else if status.peers.iter().any(is_elsewhere) {
            output.data(&format!("{}: another room answers there", text::line(&outcome.address)))?;
        } else {
            output.data(&line(outcome, &people))?;
        }
    }
    output.flush()?;
    client.stop().await;
    if outcomes.iter().any(|outcome| outcome.agreed) && is_settled {
        return Ok(Exit::Done);
    }
    if let Some(refusal) = watch.refusal() {
        return Err(refusal.clone().into());
    }
    if watch.has_reached() {
        let what = match is_settled {
            true => "a connection ended before all agreed".to_owned(),
            false => format!("not all of them agreed within {timeout} s"),
        };
        let next = "Run it again, with more time: --timeout SECS. What came is kept.";
        return Err(Failure::new(Exit::Failed, what, next).into());
    }
    Err(unreached(config, &status).into())
}

/// Nobody was there.
pub(crate) fn unreached(config: &Config, status: &Status) -> Failure {
    let addresses: Vec<String> = status.peers.iter().map(|peer| text::line(&peer.address)).collect();
    let (what, next) = if config.offline {
        ("--offline: nobody was dialled".to_owned(), "Leave out --offline.")
    } else if addresses.is_empty() {
        ("no peer is known".to_owned(), "Name one: --peer HOST:PORT, or a ticket.")
    } else {
        let what = format!("no peer could be reached: nobody answers at {}", addresses.join(", "));
        (what, "Is replica running there? Name another with --peer HOST:PORT.")
    };
    Failure::new(Exit::Unreached, what, next)
}

/// What to do where nobody is known.
pub(crate) fn nobody_known() -> &'static str {
    "No peer is known yet. Name one: --peer HOST:PORT, or a ticket."
}

fn line(outcome: &Outcome, people: &People) -> String {
    let address = text::line(&outcome.address);
    let Some(author) = outcome.author else { return format!("{address}: nobody answers") };
    let who = people.name(&author);
    let Outcome { sent, received, millis, .. } = outcome;
    if outcome.agreed {
        format!("{who} at {address}: sent {sent}, received {received}, agreed after {millis} ms")
    } else {
        format!("{who} at {address}: not agreed yet")
    }
}
