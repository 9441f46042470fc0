//! `replica members` and what is done about them: kick, promote, revoke, leave, block

use replica::id::{AuthorKey, EntryId};
use replica::identity::{Identity, words};
use replica_sync::engine::{Command, Row};
use replica_sync::node::{MemberStatus, Role as Standing, Status};
use replica_sync::ticket::Ticket;

use crate::commands::{reader, writer};
use crate::config::{Config, Role};
use crate::failure::{Exit, Failure};
use crate::json;
use crate::output::Output;
use crate::people::{People, two_words};
use crate::text;
use crate::time::LocalTime;

/// What an admin does with somebody.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Act {
    Kick,
    Readmit,
    Promote,
}

impl Act {
    pub(crate) fn command(self, author: AuthorKey) -> Command {
        match self {
            Self::Kick => Command::Remove(author),
            Self::Readmit => Command::Admit(author),
            Self::Promote => Command::Promote(author),
        }
    }
}

/// Lists everyone.
pub(crate) async fn list(config: &Config, output: &mut Output) -> anyhow::Result<Exit> {
    let mut client = reader(config).await?;
    let status = client.status().await?;
    super::room(&status)?;
    if config.json {
        for member in ranked(&status) {
            output.json(&json::member(member, status.blocked.contains(&member.author)))?;
        }
    } else {
        lines(&status, &People::of_status(&status)).iter().try_for_each(|line| output.data(line))?;
    }
    client.stop().await;
    Ok(Exit::Done)
}

/// Everyone in words, a line each.
pub(crate) fn lines(status: &Status, people: &People) -> Vec<String> {
    ranked(status).into_iter().map(|member| line(member, status, people)).collect()
}

/// Somebody in words, if the room knows them.
pub(crate) fn line_of(status: &Status, people: &People, author: &AuthorKey) -> Option<String> {
    status.members.iter().find(|member| member.author == *author).map(|member| line(member, status, people))
}

fn line(member: &MemberStatus, status: &Status, people: &People) -> String {
    let author = &member.author;
    let mut notes = Vec::new();
    if *author == status.me {
        notes.push("you".to_owned());
    }
    match member.role {
        Standing::Admin(_) => notes.push("admin".to_owned()),
        Standing::Member => {}
        Standing::Removed(by) => notes.push(format!("removed by {}", people.name(&by))),
        Standing::Out => notes.push("left".to_owned()),
    }
    let is_here = status.peers.iter().any(|it| it.author == Some(*author) && it.standing.is_some());
    if is_here {
        notes.push("connected".to_owned());
    }
    if status.blocked.contains(author) {
        notes.push("blocked by you".to_owned());
    }
    if status.forked.iter().any(|fork| fork.author == *author) {
        notes.push("wrote from two copies of one home".to_owned());
    }
    let notes = if notes.is_empty() { String::new() } else { format!(" · {}", notes.join(", ")) };
    format!("{} · {}{notes}", people.name(author), words(author))
}

/// Admins by rank, then members, then who is out.
fn ranked(status: &Status) -> Vec<&MemberStatus> {
    let mut all: Vec<&MemberStatus> = status.members.iter().collect();
    all.sort_by_key(|member| match member.role {
        Standing::Admin(rank) => (0, rank),
        Standing::Member => (1, 0),
        Standing::Removed(_) | Standing::Out => (2, 0),
    });
    all
}

/// Kicks or promotes.
pub(crate) async fn act(config: &Config, act: Act, who: &str, output: &mut Output) -> anyhow::Result<Exit> {
    let mut client = writer(config, config.options(Role::Writes), output).await?;
    let status = client.status().await?;
    let people = People::of_status(&status);
    let author = pick(&people, who)?;
    check(act, &status, &author)?;
    let row = client.write(act.command(author)).await?;
    told(config, &row, output)?;
    let name = people.name(&author);
    client.stop().await;
    output.note(&match act {
        Act::Kick => {
            format!("{name} is removed. Tickets they know still let others in: `replica revoke` lists them.")
        }
        Act::Readmit => format!("{name} is let in again."),
        Act::Promote => format!("{name} is an admin."),
    });
    output.note("Others learn of it with the next sync: `replica sync`.");
    Ok(Exit::Done)
}

/// Whether it is not done already.
pub(crate) fn check(act: Act, status: &Status, author: &AuthorKey) -> Result<(), Failure> {
    let role = status.members.iter().find(|it| it.author == *author).map(|it| it.role);
    let done = match (act, role) {
        (Act::Readmit, Some(Standing::Admin(_) | Standing::Member)) => "that is a member already",
        (Act::Promote, Some(Standing::Admin(_))) => "that is an admin already",
        _ => return Ok(()),
    };
    Err(Failure::new(Exit::Failed, done, "`replica members` lists who is what."))
}

/// Takes an invite back, or lists those that hold.
pub(crate) async fn revoke(
    config: &Config,
    invite: Option<&str>,
    output: &mut Output,
) -> anyhow::Result<Exit> {
    let Some(invite) = invite else {
        let mut client = reader(config).await?;
        let status = client.status().await?;
        if config.json {
            status.invites.iter().try_for_each(|invite| output.json(&json::held_invite(invite)))?;
        } else {
            let lines = invite_lines(&status, &People::of_status(&status));
            lines.iter().try_for_each(|line| output.data(line))?;
        }
        if status.invites.is_empty() {
            output.note("No invite holds: `replica invite` makes one.");
        }
        client.stop().await;
        return Ok(Exit::Done);
    };
    let mut client = writer(config, config.options(Role::Writes), output).await?;
    let invite = find_invite(&*client.status().await?, invite)?;
    let row = client.write(Command::Revoke(invite)).await?;
    told(config, &row, output)?;
    client.stop().await;
    output.note("The invite is taken back: who knows of that lets nobody in by it.");
    Ok(Exit::Done)
}

/// The invites that hold, in words.
pub(crate) fn invite_lines(status: &Status, people: &People) -> Vec<String> {
    let local = LocalTime::of_system();
    let line = |invite: &replica_sync::node::InviteStatus| {
        let until = invite.expires_ms.map_or("for ever".to_owned(), |ms| format!("until {}", local.full(ms)));
        let of = invite.uses.map_or(String::new(), |uses| format!(" of {uses}"));
        let id = &invite.id.to_string()[..INVITE_DIGITS];
        format!(
            "{id} · by {} · {until} · used {}{of}",
            people.name(&invite.by),
            text::count(invite.used.into(), "time")
        )
    };
    status.invites.iter().map(line).collect()
}

/// The invite of a ticket, or whose id begins so.
pub(crate) fn find_invite(status: &Status, text: &str) -> Result<EntryId, Failure> {
    let text = text.trim();
    let of_ticket = text
        .parse::<Ticket>()
        .ok()
        .and_then(|ticket| ticket.invite)
        .map(|secret| Identity::from_secret(&secret).key());
    let is_meant = |invite: &&replica_sync::node::InviteStatus| match of_ticket {
        Some(key) => invite.key == key,
        None => text.len() >= 4 && invite.id.to_string().starts_with(text),
    };
    let found: Vec<EntryId> = status.invites.iter().filter(is_meant).map(|invite| invite.id).collect();
    match found.as_slice() {
        [one] => Ok(*one),
        _ => {
            let what =
                if found.is_empty() { "no such invite holds" } else { "more than one invite begins so" };
            Err(Failure::new(Exit::Failed, what, "`replica revoke` lists those that hold."))
        }
    }
}

/// Leaves the room.
pub(crate) async fn leave(config: &Config, output: &mut Output) -> anyhow::Result<Exit> {
    let mut client = writer(config, config.options(Role::Writes), output).await?;
    let row = client.write(Command::Leave).await?;
    told(config, &row, output)?;
    client.stop().await;
    output.note(
        "You have left; what is here stays readable. Others learn of it with the next sync: `replica sync`. To come \
         back, ask a member for a ticket.",
    );
    Ok(Exit::Done)
}

/// Shows somebody's messages, or not.
pub(crate) async fn block(
    config: &Config,
    who: &str,
    blocked: bool,
    output: &mut Output,
) -> anyhow::Result<Exit> {
    let mut client = reader(config).await?;
    let people = People::of_status(&*client.status().await?);
    let author = pick(&people, who)?;
    client.block(author, blocked).await?;
    client.stop().await;
    output.note(&block_words(&people.name(&author), blocked));
    Ok(Exit::Done)
}

pub(crate) fn block_words(name: &str, blocked: bool) -> String {
    match blocked {
        true => format!("{name} is blocked: their messages are folded here. Nobody else hears of it."),
        false => format!("{name}'s messages are shown again."),
    }
}

/// The one who is meant.
pub(crate) fn pick(people: &People, who: &str) -> Result<AuthorKey, Failure> {
    let found = people.meant(who);
    match found.as_slice() {
        [one] => Ok(*one),
        [] => {
            let what = format!("nobody here is called {}", text::name(who));
            Err(Failure::new(Exit::Failed, what, "`replica members` lists everyone."))
        }
        several => {
            let names: Vec<String> = several.iter().map(two_words).collect();
            let what = format!("several are called {}", text::name(who));
            Err(Failure::new(Exit::Failed, what, format!("Say which: {}.", names.join(" or "))))
        }
    }
}

fn told(config: &Config, row: &Row, output: &mut Output) -> anyhow::Result<()> {
    if config.json {
        output.json(&json::row(row))?;
    } else {
        output.data(&row.id.to_string())?;
    }
    Ok(output.flush()?)
}

/// As many digits of an invite's id as are shown.
pub(crate) const INVITE_DIGITS: usize = 12;
