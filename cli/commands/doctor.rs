//! `replica doctor`: what is wrong here, and what to do about it.

use std::net::SocketAddr;
use std::path::Path;
use std::time::Duration;

use replica::archive::{Archive, Mended, Verification, VerifyError, mend};
use replica::home::{Home, RoomState, draw_seed, is_exposed};
use replica::id::StoreId;
use replica::store::StoreError;
use replica_sync::discovery::{relay_of, rendezvous_of};
use replica_sync::node::{Listen, NodeError, Options, PeerStatus};

use crate::client::{Client, Opened, open_home, open_own_home};
use crate::commands::doctor::reach::Reach;
use crate::commands::meet::{meet, nobody_known};
use crate::commands::room_name;
use crate::config::{Config, Role};
use crate::failure::{Exit, explain};
use crate::json;
use crate::output::Output;
use crate::people::People;
use crate::text;
use crate::time::now_ms;

mod finding;
mod reach;

/// How a thing was found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    Ok,
    /// It works, or will; somebody should know all the same.
    Warn,
    Fail,
}

impl Verdict {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Warn => "warn",
            Self::Fail => "fail",
        }
    }
}

/// One thing that was looked at.
#[derive(Clone, Debug)]
pub(crate) struct Check {
    pub(crate) name: &'static str,
    pub(crate) verdict: Verdict,
    pub(crate) what: String,
    pub(crate) cure: Option<String>,
}

impl Check {
    fn ok(name: &'static str, what: impl Into<String>) -> Self {
        Self { name, verdict: Verdict::Ok, what: what.into(), cure: None }
    }

    fn warn(name: &'static str, what: impl Into<String>, cure: impl Into<String>) -> Self {
        Self { name, verdict: Verdict::Warn, what: what.into(), cure: Some(cure.into()) }
    }

    /// Something that failed as commands do: with the words and the cure they would show.
    fn failed(name: &'static str, error: &anyhow::Error) -> Self {
        let told = explain(error);
        Self { name, verdict: Verdict::Fail, what: told.what, cure: told.next }
    }
}

/// Looks at everything; with `repair`, mends what is damaged first.
pub(crate) async fn run(config: &Config, repair: bool, output: &mut Output) -> anyhow::Result<Exit> {
    let opened = if repair { Opened::Here(Box::new(open_own_home(config)?)) } else { open_home(config)? };
    let mut checks = vec![permissions(&config.home)];
    let mut is_sound = true;
    match opened {
        Opened::Here(home) => {
            for room in home.state().rooms.clone() {
                let (found, usable) = store(&home, &room, repair, output)?;
                checks.push(found);
                is_sound &= usable;
            }
            if home.state().rooms.is_empty() {
                checks.push(Check::ok("store", "there is no room yet"));
            }
            if is_sound {
                let (client, unheard) = start(config, *home).await?;
                online(config, client, unheard, &mut checks).await?;
            }
        }
        there @ Opened::There(_) => {
            let mut client = Client::start(there, config.options(Role::Serves)).await?;
            if let Some(holder) = client.holder() {
                let pid = holder.pid;
                checks.push(Check::ok("home", format!("process {pid} has it open; this is what it says")));
            }
            let found = store_elsewhere(&mut client).await;
            is_sound = found.verdict != Verdict::Fail;
            checks.push(found);
            online(config, client, None, &mut checks).await?;
        }
    }
    for check in &checks {
        if config.json {
            output.json(&json::check(check))?;
            continue;
        }
        output.data(&format!("{:<4}  {:<11}  {}", check.verdict.name(), check.name, check.what))?;
        if let Some(cure) = &check.cure {
            output.data(&format!("                   {cure}"))?;
        }
    }
    let has_failed = checks.iter().any(|check| check.verdict == Verdict::Fail);
    Ok(match (is_sound, has_failed) {
        (false, _) => Exit::Store,
        (true, true) => Exit::Failed,
        (true, false) => Exit::Done,
    })
}

fn permissions(folder: &Path) -> Check {
    let is_exposed = is_exposed(folder);
    let folder = folder.display();
    if is_exposed {
        let what = format!("others can look into {folder}, where messages lie unencrypted");
        return Check::warn("permissions", what, format!("Close it to them: chmod 700 {folder}"));
    }
    Check::ok("permissions", format!("only you can look into {folder}"))
}

/// Goes through a room's store. Says whether it can be used.
fn store(home: &Home, room: &RoomState, repair: bool, output: &mut Output) -> anyhow::Result<(Check, bool)> {
    let folder = home.store_dir(&room.id);
    let name = room_name(&room.name);
    if !folder.try_exists()? {
        return Ok((Check::ok("store", format!("{name}: nothing was stored yet")), true));
    }
    let failed = |error: VerifyError| match error {
        VerifyError::Store(source) => NodeError::Store { folder: folder.clone(), source },
        other => NodeError::Verify(other),
    };
    let mut mended = None;
    let mut verified = verify(home, room);
    if repair && verified.as_ref().is_err_and(is_damage) {
        output.note(&format!("Mending the store in {}…", folder.display()));
        let done =
            mend(&folder, room.id).map_err(|source| NodeError::Store { folder: folder.clone(), source })?;
        mended = Some(done);
        verified = verify(home, room);
    }
    Ok(match (verified, mended) {
        (Ok(verified), Some(mended)) => (told(&name, &mended, &verified), true),
        (Ok(verified), None) => {
            let all = text::count(u64::from(verified.entries), "entry");
            (Check::ok("store", format!("{name}: {all}, each signed, in order and as it was written")), true)
        }
        (Err(VerifyError::Documents(count)), _) => {
            let what = format!("{name}: {count} documents were not what the log says");
            (
                Check::warn("store", what, "They are built again when they are next read; nothing is lost."),
                true,
            )
        }
        (Err(error), _) => {
            let can_be_mended = is_damage(&error);
            let mut check = Check::failed("store", &failed(error).into());
            if can_be_mended {
                check.cure = Some(
                    "Mend it: `replica doctor --repair` keeps what verifies and sets the damaged folder aside; \
                     `replica sync` then fetches the rest from your peers. Or put the folder back from a backup."
                        .to_owned(),
                );
            }
            (check, false)
        }
    })
}

fn verify(home: &Home, room: &RoomState) -> Result<Verification, VerifyError> {
    let folder = home.store_dir(&room.id);
    // For a store that has no name yet.
    let seed = draw_seed().map_err(|_| StoreError::Io(std::io::Error::other("no random bytes")))?;
    let (store, rest) = seed.split_first_chunk().ok_or(StoreError::Failed)?;
    let (incarnation, _) = rest.split_first_chunk().ok_or(StoreError::Failed)?;
    let fresh = (StoreId(*store), u64::from_be_bytes(*incarnation));
    let (mut archive, _) = Archive::open_in(&folder, room.id, fresh, false)?;
    let verified = archive.verify();
    archive.close()?;
    verified
}

/// Whether a store does not hold what was put there.
fn is_damage(error: &VerifyError) -> bool {
    match error {
        VerifyError::Store(error) => matches!(error, StoreError::Damaged(_)),
        VerifyError::Documents(_) => false,
        _ => true,
    }
}

/// What mending did.
fn told(name: &str, mended: &Mended, verified: &Verification) -> Check {
    let lost = match mended.lost {
        Some(lost) => format!("{lost} lost"),
        None => "how many it had is not known".to_owned(),
    };
    let aside = mended.aside.display();
    let what =
        format!("{name}: mended; {} entries kept, {lost}; the damaged folder is {aside}", verified.entries);
    let notes =
        if mended.has_notes { "" } else { " Drafts that waited for your admission did not come along." };
    Check::warn("store", what, format!("`replica sync` fetches the rest from your peers.{notes}"))
}

/// Has the process that has the home open go through the store of its room.
async fn store_elsewhere(client: &mut Client) -> Check {
    match client.verify().await {
        Ok(verified) => {
            let all = text::count(u64::from(verified.entries), "entry");
            Check::ok("store", format!("{all}, each signed, in order and as it was written"))
        }
        Err(NodeError::NoRoom) => Check::ok("store", "there is no room yet"),
        Err(error) => Check::failed("store", &error.into()),
    }
}

/// Starts a node; with it comes why it could not listen, if it could not.
async fn start(config: &Config, home: Home) -> anyhow::Result<(Client, Option<anyhow::Error>)> {
    let options = config.options(Role::Serves);
    match Client::start(Opened::Here(Box::new(home)), options.clone()).await {
        Err(error) if matches!(error.downcast_ref(), Some(NodeError::Listen { .. })) => {
            let deaf = Options { listen: Listen::Nowhere, ..options };
            Ok((Client::start(open_home(config)?, deaf).await?, Some(error)))
        }
        started => Ok((started?, None)),
    }
}

/// What needs a running node: the listener, the clock and the peers.
async fn online(
    config: &Config,
    mut client: Client,
    unheard: Option<anyhow::Error>,
    checks: &mut Vec<Check>,
) -> anyhow::Result<()> {
    let time = if config.offline { Duration::ZERO } else { DIAL_TIME };
    let status = meet(&mut client, time, |_| false, |_| {}).await?.status;
    if status.is_read_only {
        checks.push(Check::failed("disk", &crate::failure::store_failed().into()));
    }
    let is_deaf = client.holder().is_some() && status.listening.is_empty();
    checks.push(match (unheard, &status.room) {
        (Some(error), _) => Check::failed("listener", &error),
        (None, _) if config.offline => Check::ok("listener", "--offline: not tried"),
        (None, _) if is_deaf => {
            let what = "the process that has the home open does not listen: nobody can connect to it";
            Check::warn(
                "listener",
                what,
                "End it and run `replica` or `replica serve`, unless that is meant.",
            )
        }
        (None, Some(_)) => listener(&client.ticket(None).await?.addresses),
        (None, None) => listener(&status.listening.iter().map(ToString::to_string).collect::<Vec<_>>()),
    });
    let newest = match status.room {
        Some(_) => client.page(None, 1).await?.first().map(|row| row.claimed_ms),
        None => None,
    };
    checks.push(clock(now_ms(), newest));
    checks.extend(status.discovery.iter().map(finding::check));
    let people = People::of_status(&status);
    if config.offline {
        checks.push(Check::ok("peers", "--offline: not looked for"));
    } else if client.is_kept_offline() {
        let what = "the process that has the home open dials nobody";
        checks.push(Check::warn(
            "peers",
            what,
            "End it and run `replica` without --offline, unless that is meant.",
        ));
    } else if status.peers.is_empty() {
        checks.push(Check::warn("peers", "nobody to sync with is known", nobody_known()));
    } else {
        for it in &status.peers {
            let is_told = it.is_spare || it.is_other_room || relay_of(&it.address).is_some();
            let is_missed = it.standing.is_none() && !is_told;
            let reach = if is_missed { Some(Reach::of(&it.address).await) } else { None };
            checks.push(peer(it, &people, reach));
        }
    }
    client.stop().await;
    Ok(())
}

/// Where others can reach us.
fn listener(addresses: &[String]) -> Check {
    let (servers, addresses): (Vec<&String>, Vec<&String>) =
        addresses.iter().partition(|it| rendezvous_of(it).is_some());
    let is_local = |address: &&String| address.parse().is_ok_and(|it: SocketAddr| it.ip().is_loopback());
    let all: Vec<&str> = addresses.iter().chain(&servers).map(|it| it.as_str()).collect();
    let what = format!("listens; tickets name {}", all.join(", "));
    if servers.is_empty() && addresses.iter().all(is_local) {
        let cure = "Only this machine can reach it. Listen at another address: --listen 0.0.0.0:7400.";
        return Check::warn("listener", what, cure);
    }
    Check::ok("listener", what)
}

/// Holds this machine's clock against the newest row.
fn clock(now_ms: u64, newest_ms: Option<u64>) -> Check {
    let cure = "Set this machine's clock; messages say when they were written by it.";
    if now_ms < RELEASED_MS {
        return Check::warn("clock", "this machine's clock is years behind", cure);
    }
    let ahead_ms = newest_ms.unwrap_or(0).saturating_sub(now_ms);
    if ahead_ms > CLOCK_SKEW_MS {
        let minutes = ahead_ms / 60_000;
        let what = format!(
            "the newest message says it is from {minutes} min ahead: its author's clock is wrong, or ours"
        );
        return Check::warn("clock", what, cure);
    }
    Check::ok("clock", "agrees with the conversation")
}

/// How a peer stands, and why it is not reached.
fn peer(peer: &PeerStatus, people: &People, reach: Option<Reach>) -> Check {
    let what = super::peers::line(peer, people);
    if peer.is_other_room {
        let cure = "Ask there for a ticket: `replica invite` prints one, `replica join TICKET` uses it.";
        return Check::warn("peer", what, cure);
    }
    match reach {
        Some(reach) => {
            let (why, cure) = reach.explain();
            Check::warn("peer", format!("{what}: {why}"), cure)
        }
        None => Check::ok("peer", what),
    }
}

/// Enough for a handshake over a slow link.
const DIAL_TIME: Duration = Duration::from_secs(3);

/// A clock before this was never set: the beginning of 2026.
const RELEASED_MS: u64 = 1_767_225_600_000;

/// What clocks may differ by without anybody noticing.
const CLOCK_SKEW_MS: u64 = 5 * 60_000;

#[cfg(test)]
mod tests;
