//! Several rooms: which there are, what is new in them, and going into another.

use replica::id::RoomId;
use replica::limits::NAME_BYTES_MAX;
use replica_sync::engine::{Command, Standing};
use replica_sync::node::{NodeError, Status};
use replica_sync::ticket::{Ticket, is_ticket};

use crate::chat::{Asked, Chat};
use crate::client::find_room;
use crate::commands::members;
use crate::commands::status::room_line;
use crate::failure;
use crate::presence::Presence;
use crate::text;

impl Chat<'_> {
    pub(super) async fn tell_rooms(&mut self) -> anyhow::Result<()> {
        let status = self.client.status().await?;
        let current = status.room.as_ref().map(|(id, _)| *id);
        let line = |(number, room): (usize, &_)| {
            let room: &replica_sync::node::RoomStatus = room;
            let mark = if Some(room.id) == current { "*" } else { " " };
            format!("{mark} {} {}", number + 1, room_line(room))
        };
        let lines: Vec<String> = status.rooms.iter().enumerate().map(line).collect();
        let none = "None yet: /join TICKET enters one.".to_owned();
        self.tell("rooms", &if lines.is_empty() { none } else { lines.join("\n") })?;
        Ok(())
    }

    /// Goes into a room of the home, or into a ticket's.
    pub(super) async fn join(&mut self, wanted: &str) -> anyhow::Result<()> {
        if is_ticket(wanted) {
            let ticket: Ticket = match wanted.parse() {
                Ok(ticket) => ticket,
                Err(error) => return Ok(self.note(&format!("Not done: {error}."))?),
            };
            let joined = self.client.join(ticket).await;
            return self.went(joined);
        }
        let status = self.client.status().await?;
        let rooms: Vec<(RoomId, String)> =
            status.rooms.iter().map(|room| (room.id, text::name(&room.name))).collect();
        let by_number = wanted.parse::<usize>().ok().and_then(|number| rooms.get(number.checked_sub(1)?));
        match (find_room(&rooms, wanted.trim_start_matches('#')), by_number) {
            (Ok(room), _) | (Err(_), Some(&(room, _))) => self.go(room).await,
            (Err(error), None) => self.not_done(&error),
        }
    }

    /// Goes into a room of the home.
    pub(super) async fn go(&mut self, room: RoomId) -> anyhow::Result<()> {
        let went = self.client.switch(room).await;
        self.went(went)
    }

    fn went(&mut self, went: Result<(), NodeError>) -> anyhow::Result<()> {
        match went {
            Ok(()) => self.asked.clear(),
            Err(NodeError::Stopped) => return Err(NodeError::Stopped.into()),
            Err(error) => {
                let why = failure::explain(&anyhow::Error::from(error));
                self.note(&format!("Not done: {}.", why.what))?;
            }
        }
        Ok(())
    }

    /// Makes a room for somebody of this one and us, and a ticket for them.
    pub(super) async fn dm(&mut self, who: &str) -> anyhow::Result<()> {
        let author = match members::pick(&self.people, who) {
            Ok(author) => author,
            Err(error) => return self.not_done(&error),
        };
        if author == self.client.me {
            return Ok(self.note("That is you.")?);
        }
        let (me, them) = (self.people.name(&self.client.me), self.people.name(&author));
        let mut name = format!("{me}+{them}");
        while name.len() > NAME_BYTES_MAX {
            name.pop();
        }
        let made = self.client.make_room(name).await;
        let is_made = made.is_ok();
        self.went(made)?;
        if is_made {
            // By key, so that whoever gets hold of the ticket is still not let in.
            self.ask(Command::Admit(author), Asked::Act).await?;
            let ticket = self.client.ticket(None).await?.to_string();
            let words = format!(
                "This room is for {them} and you. Hand them this ticket, which lets nobody else in:\n\n/join {ticket}"
            );
            self.tell("a room for two", &words)?;
        }
        Ok(())
    }

    /// Another room is looked at: who is there is not told as if they had just come.
    pub(super) fn on_switched(&mut self, status: &Status) {
        let here = status.peers.iter().filter(|peer| peer.standing.is_some());
        self.presence = Presence::of(here.filter_map(|peer| peer.author));
        let agreed = status.peers.iter().filter(|peer| peer.standing == Some(Standing::Agreed));
        self.news.enter(agreed.filter_map(|peer| peer.author));
        self.delivery.switched();
        let current = status.room.as_ref().map(|(room, _)| *room);
        self.news.elsewhere.retain(|(room, _)| Some(*room) != current);
    }

    /// In another room there is something new: the full screen shows it at its top, else it is told once.
    pub(super) fn tell_elsewhere(
        &mut self,
        room: RoomId,
        name: &str,
        new: u64,
        names_us: bool,
    ) -> anyhow::Result<()> {
        let is_news = self.news.elsewhere.insert((room, names_us));
        let name = text::name(name);
        if let Some(tui) = self.full() {
            tui.app().on_elsewhere(room, new, names_us);
            if is_news && names_us {
                tui.app().notify(format!("somebody in {name} names you"));
            }
        } else if is_news && self.is_person {
            let names_you = if names_us { "; one names you" } else { "" };
            self.note(&format!(
                "{} in \"{name}\"{names_you}: /join {name} goes there",
                text::count(new, "new message")
            ))?;
        }
        Ok(())
    }
}
