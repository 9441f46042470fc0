//! What is said when a room opens.

use std::net::{IpAddr, SocketAddr};

use crate::chat::Chat;
use crate::chat::typed::Source;
use crate::commands::log::last_rows;
use crate::people::{People, two_words};
use crate::text;

#[cfg(test)]
mod tests;

impl Chat<'_> {
    /// What the process that has the home open does otherwise than was asked for here.
    pub(super) fn tell_beside(&mut self) -> anyhow::Result<()> {
        let beside = std::mem::take(&mut self.beside);
        beside.into_iter().try_for_each(|words| self.note(words))?;
        Ok(())
    }

    /// A room is open: who is there, what was said last, and in a new one how others come in.
    pub(super) async fn on_room(
        &mut self,
        name: &str,
        is_new: bool,
        left: Option<&str>,
    ) -> anyhow::Result<()> {
        let status = self.client.status().await?;
        self.people = People::of_status(&status);
        if std::mem::replace(&mut self.was_in_a_room, true) && left.is_none() {
            self.on_switched(&status);
        }
        if matches!(self.source, Source::Full(_)) {
            if let Some(left) = left {
                self.delivery.moved();
                self.note(&format!(
                    "You moved into their room; \"{}\" stays in your home.",
                    text::name(left)
                ))?;
            }
            self.show_room().await?;
            return self.tell_beside();
        }
        let room = text::name(name);
        if let Some(left) = left {
            self.delivery.moved();
            self.note(&format!("You moved into their room; \"{}\" stays in your home.", text::name(left)))?;
        }
        if is_new {
            let me = format!("{} ({})", text::name(&status.nick), two_words(&status.me));
            let words = welcome(&me, &room, &self.client.home, &reachable(&self.listening));
            self.note(&words)?;
        } else if status.entries == 0 {
            self.note("You have a place in this room; its history comes with the first sync.")?;
        } else {
            let others = status.members.iter();
            let others = others.filter(|member| member.role.is_member() && member.author != status.me);
            let others: Vec<String> = others.map(|member| self.people.name(&member.author)).collect();
            let with = if others.is_empty() { "nobody else yet".to_owned() } else { others.join(", ") };
            self.note(&format!(
                "room \"{room}\" · {} · with {with} · /help",
                text::count(status.messages, "message")
            ))?;
        }
        if self.on_screen {
            let mut rows = last_rows(&mut self.client, FIRST_ROWS, |_| true).await?;
            rows.reverse();
            let mut lines = Vec::new();
            for row in &rows {
                lines.extend(self.render(row));
                self.seen.insert(row.id);
            }
            self.print(&lines)?;
        }
        Ok(())
    }
}

/// What a newcomer reads first.
fn welcome(me: &str, room: &str, home: &std::path::Path, addresses: &[String]) -> String {
    let mut lines = vec![
        format!("You are {me}. This is your new room \"{room}\", kept in {}.", home.display()),
        "Nobody is connected yet: what you write is kept and delivered later.".to_owned(),
        "Others come in with a ticket, which /invite prints for you to hand over:".to_owned(),
        "  replica join TICKET".to_owned(),
    ];
    if let Some(address) = addresses.first() {
        lines.push("or from your network: they run this, and you let them in with /accept NAME:".to_owned());
        lines.push(format!("  replica --peer {address}"));
    }
    lines.push("/help lists what else there is; Ctrl+D leaves.".to_owned());
    lines.join("\n")
}

/// Addresses that others could dial, the likeliest first.
pub(super) fn reachable(listening: &[SocketAddr]) -> Vec<String> {
    let interfaces = if_addrs::get_if_addrs().unwrap_or_default();
    let ips: Vec<IpAddr> = interfaces.iter().map(if_addrs::Interface::ip).collect();
    listening.iter().flat_map(|address| dialable(*address, &ips)).map(|address| address.to_string()).collect()
}

fn dialable(listening: SocketAddr, interfaces: &[IpAddr]) -> Vec<SocketAddr> {
    if !listening.ip().is_unspecified() {
        return vec![listening];
    }
    let is_local = |ip: &IpAddr| match ip {
        IpAddr::V4(ip) => ip.is_link_local(),
        IpAddr::V6(ip) => ip.is_unicast_link_local() || listening.is_ipv4(),
    };
    let mut usable: Vec<IpAddr> = interfaces.iter().copied().filter(|ip| !is_local(ip)).collect();
    usable.sort_by_key(|ip| (ip.is_loopback(), ip.is_ipv6()));
    usable.into_iter().map(|ip| SocketAddr::new(ip, listening.port())).collect()
}

/// Rows shown of what was said before.
const FIRST_ROWS: usize = 20;
