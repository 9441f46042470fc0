//! What the node tells, in words; each thing once.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use replica::entry::Kind;
use replica::id::{AuthorKey, RoomId};
use replica::identity::words;
use replica_sync::book::Trouble;
use replica_sync::engine::{Event, Row};
use replica_sync::node::{NodeError, NodeEvent, Role};

use crate::chat::typed::Source;
use crate::chat::{Asked, Chat};
use crate::failure::{self, Exit, Failure, is_refusal};
use crate::json::{self, is_message};
use crate::people::two_words;
use crate::presence::Change;
use crate::text;
use crate::time::now_ms;

/// What was told already.
#[derive(Debug, Default)]
pub(crate) struct News {
    /// Addresses of which it was told that nobody answers.
    silent: BTreeSet<String>,
    /// People of whom it was told, since they came, that all agrees.
    agreed: BTreeSet<AuthorKey>,
    /// Those who knock: as shown, by key.
    knocking: BTreeMap<AuthorKey, String>,
    knocked: BTreeSet<String>,
    /// Refusals, by their words: whoever refuses is asked again and again, and says the same.
    refusals: BTreeSet<String>,
    strangers: BTreeSet<String>,
    /// Other rooms of which it was told that something is new there, and those where somebody names us.
    pub(super) elsewhere: BTreeSet<(RoomId, bool)>,
}

impl News {
    /// Somebody wants to hear of an address again.
    pub(crate) fn asked_for(&mut self, address: &str) {
        self.silent.remove(address);
        self.knocked.remove(address);
        self.strangers.remove(address);
    }

    /// Who knocks under a name, as it was shown or as two words of the key.
    pub(crate) fn knocking(&self, name: &str) -> Vec<AuthorKey> {
        let wanted = text::name(name);
        let is_meant = |(author, shown): &(&AuthorKey, &String)| {
            **shown == wanted || two_words(author) == wanted || text::name(shown) == wanted
        };
        self.knocking.iter().filter(is_meant).map(|(author, _)| *author).collect()
    }

    /// Another room is looked at, where these agree with us.
    pub(super) fn enter(&mut self, agreed: impl Iterator<Item = AuthorKey>) {
        self.agreed = agreed.collect();
        self.refusals.clear();
    }

    /// Whoever it was does not knock any more.
    pub(crate) fn let_in(&mut self, author: &AuthorKey) {
        self.knocking.remove(author);
    }
}

impl Chat<'_> {
    pub(super) async fn on_event(&mut self, event: NodeEvent) -> anyhow::Result<()> {
        self.look_soon();
        match event {
            NodeEvent::Engine(event) => return self.on_engine(event).await,
            NodeEvent::Listening(address) => {
                self.listening.push(address);
                // The full screen lists it beside the peers.
                if self.full().is_none() {
                    self.note(&format!("listening at {address}"))?;
                }
                if self.config.open {
                    self.note("ANYONE who can reach this address and knocks is let in (--open).")?;
                }
            }
            NodeEvent::Room { name, is_new, left, .. } => {
                self.on_room(&name, is_new, left.as_deref()).await?
            }
            NodeEvent::Elsewhere { id, name, new, names_us } => {
                self.tell_elsewhere(id, &name, new, names_us)?;
            }
            NodeEvent::RoomFailed { name, why, .. } => {
                self.note(&format!("room \"{}\" does not work: {}", text::name(&name), text::line(&why)))?;
            }
            NodeEvent::Failed(why) => self.on_failed(&why)?,
            NodeEvent::Knocking { name, author, address } => {
                let shown = self.people.shown(&author, Some(&name));
                let words = words(&author);
                let address = text::line(&address);
                if let Some(tui) = self.full() {
                    tui.app().notify(format!("{shown} knocks"));
                }
                self.note(&format!("{shown} ({words}) at {address} knocks: /accept {shown} lets them in"))?;
                self.news.knocking.insert(author, shown);
            }
            NodeEvent::KnockSent { address } if self.news.knocked.insert(address.clone()) => {
                let nick = self.client.status().await?.nick;
                let (address, nick) = (text::line(&address), text::name(&nick));
                let words = words(&self.client.me);
                self.note(&format!(
                    "Knocking at {address}: they see your name and the words of your key ({words}). Ask them to type \
                     /accept {nick}"
                ))?;
            }
            NodeEvent::KnockAnswered { address } => {
                self.note(&format!("{} answered: you are in one room", text::line(&address)))?;
            }
            NodeEvent::KnockRefused { address, bye } => {
                self.note(&format!("{}. It goes on trying.", Failure::refused(&address, &bye)))?;
            }
            NodeEvent::HolderChanged { is_ours: true } => {
                self.note("The process that had this home open has ended; this one has it now.")?;
            }
            NodeEvent::OtherRoom { address } if self.news.strangers.insert(address.clone()) => {
                let why = Failure::other_room(&address);
                if self.config.peers.contains(&address) && !self.is_person {
                    return Err(why.into());
                }
                self.note(&format!("{why}: ask them for a ticket, then run `replica join TICKET`"))?;
            }
            _ => {}
        }
        Ok(())
    }

    /// Nothing more can be written. A person reads on; a script has nothing left to do.
    fn on_failed(&mut self, why: &str) -> anyhow::Result<()> {
        let failed = Failure::of_store(why);
        if !self.is_person {
            return Err(failed.into());
        }
        self.note(&format!("{failed}. Nothing more can be written; you can still read."))?;
        let asked = std::mem::take(&mut self.asked).into_values();
        let lost = asked.filter(|asked| matches!(asked, Asked::Say)).count() as u64;
        if lost > 0 {
            self.note(&format!("Perhaps not kept: {} that you just wrote", text::count(lost, "message")))?;
        }
        Ok(())
    }

    async fn on_engine(&mut self, event: Event) -> anyhow::Result<()> {
        self.delivery.note(&event);
        if let Some(tui) = self.full() {
            tui.app().on_event(&event);
        }
        match self.presence.note(&event) {
            Some(Change::Came(author)) => {
                self.news.let_in(&author);
                self.news.refusals.clear();
                if self.full().is_none() {
                    self.history.expect();
                }
                self.note(&format!("{} is connected", self.people.name(&author)))?;
            }
            Some(Change::Left(author)) => {
                self.news.agreed.remove(&author);
                self.note(&format!("{} is gone", self.people.name(&author)))?;
            }
            None => {}
        }
        match event {
            Event::Row(row) => {
                let is_removal = row.kind == Kind::Remove.number();
                if row.kind == Kind::Topic.number() {
                    self.look_soon();
                }
                self.on_row(*row)?;
                if is_removal {
                    self.tell_own_removal().await?;
                }
            }
            Event::Preview(glimpses) => match self.full() {
                Some(tui) => tui.app().foresee(glimpses),
                None => self.history.foresee(glimpses),
            },
            Event::Written { tag, id } => {
                if let Some(Asked::Say) = self.asked.remove(&tag) {
                    self.delivery.wrote();
                    self.own.insert(id);
                }
            }
            Event::Draft { tag, draft } => {
                if tag.and_then(|tag| self.asked.remove(&tag)).is_some() {
                    self.delivery.drafted();
                    if self.config.json {
                        self.output.json(&json::draft(draft.written_ms, &draft.text))?;
                        self.output.flush()?;
                    } else if self.full().is_none() {
                        self.note(&format!("draft (not a member yet): {}", text::line(&draft.text)))?;
                    }
                }
            }
            Event::Invited { tag, secret, .. } => {
                // Somebody who went into another room meanwhile finds it by /revoke.
                if self.asked.remove(&tag).is_none() {
                    return Ok(());
                }
                let ticket = self.client.ticket(Some(secret)).await?;
                if let Some(tui) = self.full() {
                    tui.app().show_ticket(ticket.to_string());
                } else {
                    self.note(&format!(
                        "Whoever has this ticket comes in, by running:\nreplica join {ticket}"
                    ))?;
                }
            }
            Event::Refused { tag, error } => {
                // Also an admission, for which nothing was asked under a tag of ours.
                match self.asked.remove(&tag) {
                    Some(Asked::Say) if !self.is_person => self.not_sent(&failure::of_say(&error))?,
                    _ => self.refused(&error)?,
                }
            }
            Event::Agreed { author, sent, received, .. } => {
                self.flush()?;
                if self.news.agreed.insert(author) {
                    let name = self.people.name(&author);
                    self.note(&format!(
                        "{name} and you have the same history ({sent} sent, {received} received)"
                    ))?;
                }
            }
            other => self.on_trouble(other)?,
        }
        Ok(())
    }

    /// Says so if it was us who was removed.
    async fn tell_own_removal(&mut self) -> anyhow::Result<()> {
        let status = self.client.status().await?;
        let mine = status.members.iter().find(|member| member.author == status.me);
        if let Some(Role::Removed(by)) = mine.map(|mine| mine.role) {
            let by = self.people.name(&by);
            self.flush()?;
            self.note(&format!(
                "{by} removed you from this room: nothing new comes, nothing you write goes out. What is here stays \
                 readable."
            ))?;
        }
        Ok(())
    }

    /// Whether it has not been told yet that nobody answers at an address that somebody named.
    fn is_news(&mut self, address: &str) -> bool {
        self.client.named.iter().any(|named| named == address) && self.news.silent.insert(address.to_owned())
    }

    fn on_trouble(&mut self, event: Event) -> anyhow::Result<()> {
        match event {
            Event::DialFailed { address, trouble: Trouble::Unreachable } if self.is_news(&address) => {
                self.note(&format!("nobody answers at {} yet; it goes on trying", text::line(&address)))?;
            }
            Event::Bye { address, bye }
                if is_refusal(bye.reason) && self.news.refusals.insert(bye.text.clone()) =>
            {
                let refused = Failure::refused(&address, &bye);
                self.note(&format!("{refused}. {}", refused.next))?;
            }
            Event::Offence { address, text, .. } => {
                self.note(&format!("{} was sent away: {}", text::line(&address), text::line(&text)))?;
            }
            Event::Forked(chain) => {
                let name = self.people.name(&chain.author);
                self.note(&format!(
                    "{name}'s key was used from two places; what was written in both is shown"
                ))?;
            }
            Event::Renewed => self.note("This home was used elsewhere too; both go on, as one person.")?,
            _ => {}
        }
        Ok(())
    }

    fn on_row(&mut self, row: Row) -> anyhow::Result<()> {
        self.people.learn_row(&row);
        let is_own = self.own.remove(&row.id);
        match &mut self.source {
            Source::Full(tui) => {
                tui.app().on_row(row, now_ms());
                return Ok(());
            }
            Source::Left => return Ok(()),
            Source::Stdin(_) => {}
        }
        if self.seen.remove(&row.id) || is_own && !self.echoes {
            return Ok(());
        }
        if self.config.json {
            if is_message(&row) {
                self.output.json(&json::row(&row))?;
                self.output.flush()?;
            }
            return Ok(());
        }
        if self.on_screen && !is_own {
            self.arrivals.push(row);
            return Ok(());
        }
        self.flush()?;
        let lines = self.render(&row);
        self.print(&lines)?;
        Ok(())
    }

    /// Until somebody connected holds what was written in this run, a few seconds at most; then says who does. Answers how
    /// the chat ends.
    pub(super) async fn deliver(&mut self) -> anyhow::Result<Exit> {
        let kept = async {
            while self.asked.values().any(|asked| matches!(asked, Asked::Say)) {
                let event = self.client.next().await?;
                self.on_event(event).await?;
            }
            Ok::<(), anyhow::Error>(())
        };
        tokio::time::timeout(KEEP_TIME, kept).await.map_err(|_| NodeError::Stopped)??;
        let held = async {
            while !self.delivery.is_done()
                && self.delivery.has_hope(&*self.client.status().await?, self.is_person)
            {
                let event = self.client.next().await?;
                self.on_event(event).await?;
            }
            Ok::<(), anyhow::Error>(())
        };
        if let Ok(held) = tokio::time::timeout(HELD_TIME, held).await {
            held?;
        }
        self.flush()?;
        if let Some(summary) = self.delivery.summary(self.presence.people(), &self.people) {
            self.note(&summary)?;
        }
        Ok(self.failed.unwrap_or(Exit::Done))
    }
}

/// How long a slow disk may take.
const KEEP_TIME: Duration = Duration::from_secs(30);

/// How long somebody may take to confirm.
const HELD_TIME: Duration = Duration::from_secs(5);
