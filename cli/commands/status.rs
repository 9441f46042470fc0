//! `replica status` and `replica verify`

use replica::id::Digest;
use replica_sync::discovery::{Condition, Means, MeansStatus};
use replica_sync::node::{Fork, Role, RoomStatus, Status};
use replica_sync::penalty::{Refusals, Refused};

use crate::commands::{reader, room_name};
use crate::config::Config;
use crate::failure::Exit;
use crate::json;
use crate::output::Output;
use crate::people::People;
use crate::text;

/// Says how this replica stands, without connecting to anybody.
pub(crate) async fn run(config: &Config, output: &mut Output) -> anyhow::Result<Exit> {
    let mut client = reader(config).await?;
    let status = client.status().await?;
    if config.json {
        output.json(&json::status(&status))?;
    } else {
        for line in lines(&status) {
            output.data(&line)?;
        }
    }
    output.flush()?;
    client.stop().await;
    Ok(Exit::Done)
}

/// The status in words.
pub(crate) fn lines(status: &Status) -> Vec<String> {
    let people = People::of_status(status);
    let mut lines = vec![match &status.room {
        Some((id, name)) => format!("room     {} ({})", room_name(name), &id.to_string()[..8]),
        None => "room     none yet".to_owned(),
    }];
    lines.extend(status.topic.iter().map(|topic| format!("topic    {}", text::line(topic))));
    lines.push(format!("you      {} ({})", text::name(&status.nick), crate::people::two_words(&status.me)));
    if status.room.is_some() {
        lines.push(format!(
            "holds    {} in {} entries",
            text::count(status.messages, "message"),
            status.entries
        ));
        lines.push(digest_line(&status.digest));
        let members = status.members.iter().filter(|member| member.role.is_member());
        let names: Vec<String> = members.map(|member| people.name(&member.author)).collect();
        lines.push(format!("members  {}", names.join(", ")));
        let mine = status.members.iter().find(|member| member.author == status.me).map(|me| me.role);
        if let Some(Role::Removed(by)) = mine {
            lines.push(format!("         {} removed you; what is here can still be read", people.name(&by)));
        } else if !status.is_member {
            lines.push("         you are not a member yet: that comes with the first sync".to_owned());
        }
    }
    if !status.drafts.is_empty() {
        lines.push(format!("drafts   {} wait until you are let in", status.drafts.len()));
    }
    for Fork { author, entries } in &status.forked {
        let [one, other] = entries.map(|id| id.to_string()[..8].to_owned());
        let name = people.name(author);
        lines.push(format!(
            "warning  {name}'s key was used from two places: {one} and {other} follow one entry"
        ));
    }
    if status.refused.total() > 0 {
        lines.push(format!("refused  {}", refused(&status.refused)));
    }
    if status.is_read_only {
        lines.push("warning  the store failed: nothing more can be written".to_owned());
    }
    lines.extend(status.listening.iter().map(|address| format!("listens  {address}")));
    lines.extend(status.outside.iter().map(|address| format!("listens  {address}, through the router")));
    lines.extend(other_rooms(status).map(|room| format!("beside   {}", room_line(room))));
    lines.extend(status.discovery.iter().map(|means| format!("looks    {}", means_line(means))));
    lines.extend(status.peers.iter().map(|peer| format!("peer     {}", super::peers::line(peer, &people))));
    lines
}

/// The other rooms that this process has open, or failed to open.
pub(crate) fn other_rooms(status: &Status) -> impl Iterator<Item = &RoomStatus> {
    let current = status.room.as_ref().map(|(id, _)| *id);
    status
        .rooms
        .iter()
        .filter(move |room| Some(room.id) != current && (room.is_open || room.trouble.is_some()))
}

/// How a room stands that is not the current one.
pub(crate) fn room_line(room: &RoomStatus) -> String {
    let mut parts = vec![format!("{} ({})", room_name(&room.name), &room.id.to_string()[..8])];
    if room.is_open {
        parts.push(text::count(room.entries, "entry"));
        parts.push(format!("{} connected", room.peers));
    }
    if room.new > 0 {
        let names_us = if room.names_us { ", one names you" } else { "" };
        parts.push(format!("{} new{names_us}", room.new));
    }
    parts.extend(room.trouble.as_ref().map(|why| format!("does not work: {}", text::line(why))));
    parts.join(" · ")
}

/// By which means members are looked for, and how that goes.
pub(crate) fn means_line(means: &MeansStatus) -> String {
    let MeansStatus { means, server, condition, found } = means;
    let place = match means {
        Means::Lan => "on the local network".to_owned(),
        Means::Rendezvous => format!("at {}", text::line(server.as_deref().unwrap_or("?"))),
        Means::Dht => "in the BitTorrent network's table".to_owned(),
        Means::Router => return router_line(condition),
    };
    match condition {
        Condition::Starting => format!("{place}: beginning"),
        Condition::Working => format!("{place}: found {found} so far"),
        Condition::Failing(why) => format!("{place}: not now, {}", text::line(why)),
    }
}

fn router_line(condition: &Condition) -> String {
    match condition {
        Condition::Starting => "through the router: asking for a port".to_owned(),
        Condition::Working => "through the router: it lets others in".to_owned(),
        Condition::Failing(why) => format!("through the router: not now, {}", text::line(why)),
    }
}

/// What was refused how often, in words.
pub(crate) fn refused(refusals: &Refusals) -> String {
    let reason = |(refused, count): (Refused, u64)| format!("{count} {}", refused.name().replace('_', " "));
    refusals.iter().map(reason).collect::<Vec<_>>().join(", ")
}

fn digest_line(digest: &Digest) -> String {
    format!("digest   {}  equal digests, equal history in equal order", short(digest))
}

/// As much of a hash as tells two apart.
fn short(digest: &Digest) -> String {
    digest.to_string().chars().take(16).collect()
}

/// Goes through everything that is stored.
pub(crate) async fn verify(config: &Config, output: &mut Output) -> anyhow::Result<Exit> {
    let mut client = reader(config).await?;
    let verified = client.verify().await?;
    if config.json {
        output.json(&json::verify(&verified))?;
    } else {
        output.data(&digest_line(&verified.digest))?;
        output.data(&format!("order    {}  all ids in order, hashed", short(&verified.order)))?;
        output.data(&format!(
            "sound    {} entries, {} signatures, {} documents",
            verified.entries, verified.signatures, verified.documents
        ))?;
    }
    output.flush()?;
    client.stop().await;
    Ok(Exit::Done)
}
