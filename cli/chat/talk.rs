//! What is typed, and what follows from it.

use replica::id::AuthorKey;
use replica::limits::MESSAGE_BYTES_MAX;
use replica_sync::engine::{Command, Row};
use replica_sync::node::NodeError;

use crate::chat::slash::{self, HELP, Meaning, Slash};
use crate::chat::typed::Typed;
use crate::chat::{Asked, Chat, arrivals};
use crate::commands::members::{self, Act};
use crate::commands::{invite::expires_ms, log::last_rows, status};
use crate::failure::{self, Exit, Explained};
use crate::json::is_message;
use crate::people::two_words;
use crate::text;

impl Chat<'_> {
    /// Does what was typed. Says whether that was the end.
    pub(super) async fn on_typed(&mut self, typed: Typed) -> anyhow::Result<bool> {
        match typed {
            Typed::Line(line) => {
                if line.trim().is_empty() && (self.is_person || line.is_empty()) {
                    return Ok(false);
                }
                let meaning = if self.is_person { slash::read(&line) } else { Meaning::Say(line) };
                match meaning {
                    Meaning::Say(text) => self.say(text).await?,
                    Meaning::Hint(words) => self.note(&words)?,
                    Meaning::Do(Slash::Quit) => return Ok(true),
                    Meaning::Do(slash) => self.do_slash(slash).await?,
                }
            }
            Typed::TooLong => self.not_sent(&too_long())?,
            Typed::NotText => self.not_sent(&not_text())?,
            Typed::End => return Ok(true),
        }
        Ok(false)
    }

    async fn say(&mut self, text: String) -> anyhow::Result<()> {
        if text.len() > MESSAGE_BYTES_MAX {
            return self.not_sent(&too_long());
        }
        self.ask(Command::Say(text), Asked::Say).await
    }

    pub(super) async fn ask(&mut self, command: Command, asked: Asked) -> anyhow::Result<()> {
        let tag = self.client.command(command).await?;
        self.asked.insert(tag, asked);
        Ok(())
    }

    async fn do_slash(&mut self, slash: Slash) -> anyhow::Result<()> {
        match slash {
            Slash::Help => match self.full() {
                Some(tui) => tui.app().show_help(),
                None => self.note(HELP)?,
            },
            Slash::Nick(name) => self.ask(Command::SetNick(name), Asked::Nick).await?,
            Slash::Topic(Some(topic)) => self.ask(Command::SetTopic(topic), Asked::Act).await?,
            Slash::Topic(None) => {
                let topic = self.client.status().await?.topic;
                self.note(&topic.map_or_else(|| "No topic was set.".to_owned(), |topic| text::line(&topic)))?;
            }
            Slash::Who => self.tell_who().await?,
            Slash::Whois(who) => self.tell_whois(&who).await?,
            Slash::Search(wanted) => self.search(&wanted).await?,
            Slash::Sync => self.sync().await?,
            Slash::Peers => {
                let status = self.client.status().await?;
                let lines = status.peers.iter().map(|peer| crate::commands::peers::line(peer, &self.people));
                let lines: Vec<String> = lines.collect();
                let none = "No peer is known: /invite and /peer bring some.".to_owned();
                self.tell("peers", &if lines.is_empty() { none } else { lines.join("\n") })?;
            }
            Slash::Status => {
                let lines = status::lines(&*self.client.status().await?);
                self.tell("status", &lines.join("\n"))?;
            }
            Slash::Invite { expires, uses } => {
                let command = Command::Invite { expires_ms: expires_ms(expires), uses };
                self.ask(command, Asked::Invite).await?;
            }
            Slash::Accept(name) => self.accept(&name).await?,
            Slash::Peer(address) => {
                self.client.named.push(address.clone());
                self.news.asked_for(&address);
                self.client.command(Command::Dial(address.clone())).await?;
                self.note(&format!("dialling {address}"))?;
            }
            Slash::Act(act, who) => self.act(act, &who).await?,
            Slash::Revoke(invite) => self.revoke(invite).await?,
            Slash::Block(who, blocked) => self.block(&who, blocked).await?,
            Slash::SetOnline(true) if self.config.offline => {
                self.note("this run is offline: end it, and start it without --offline")?;
            }
            Slash::SetOnline(is_online) => {
                self.client.command(Command::SetOnline(is_online)).await?;
                self.note(match is_online {
                    true => "online again",
                    false => "offline: what you write is kept, and delivered after /online",
                })?;
                self.look_soon();
            }
            Slash::Rooms => self.tell_rooms().await?,
            Slash::Join(wanted) => self.join(&wanted).await?,
            Slash::Dm(who) => self.dm(&who).await?,
            Slash::Leave => self.ask(Command::Leave, Asked::Act).await?,
            Slash::Quit => {}
        }
        Ok(())
    }

    async fn tell_who(&mut self) -> anyhow::Result<()> {
        let lines = members::lines(&*self.client.status().await?, &self.people);
        let none = "Nobody yet: there is no room.".to_owned();
        self.tell("members", &if lines.is_empty() { none } else { lines.join("\n") })?;
        Ok(())
    }

    /// Says who somebody is.
    async fn tell_whois(&mut self, who: &str) -> anyhow::Result<()> {
        let status = self.client.status().await?;
        let meant = self.people.meant(who);
        let shown = |author: &AuthorKey| {
            let line = members::line_of(&status, &self.people, author);
            let links = status.peers.iter().filter(|peer| peer.author == Some(*author));
            let links = links.map(|peer| format!("\n{}", crate::commands::peers::line(peer, &self.people)));
            format!("{}\nkey {author}{}", line.unwrap_or_default(), links.collect::<String>())
        };
        let words: Vec<String> = meant.iter().map(shown).collect();
        let none = format!("Nobody here is called {}.", text::name(who));
        self.tell("whois", &if words.is_empty() { none } else { words.join("\n") })?;
        Ok(())
    }

    /// Goes through the history upwards; where there is no screen, prints what was said last of it.
    async fn search(&mut self, wanted: &str) -> anyhow::Result<()> {
        if let Some(tui) = self.full() {
            tui.app().search(wanted);
            return Ok(());
        }
        let small = wanted.to_lowercase();
        let is_wanted = |row: &Row| is_message(row) && row.text.to_lowercase().contains(&small);
        let mut rows = last_rows(&mut self.client, FOUND_ROWS, is_wanted).await?;
        rows.reverse();
        if rows.is_empty() {
            self.note("Nothing found.")?;
        }
        let lines: Vec<String> = rows.iter().flat_map(|row| self.render(row)).collect();
        self.print(&lines)?;
        Ok(())
    }

    /// Dials everyone who is known and not connected, without waiting for their time.
    async fn sync(&mut self) -> anyhow::Result<()> {
        let status = self.client.status().await?;
        let waiting = status.peers.iter().filter(|peer| peer.standing.is_none() && !peer.is_spare);
        let addresses: Vec<String> = waiting.map(|peer| peer.address.clone()).collect();
        let words = match addresses.len() {
            0 if status.peers.is_empty() => "No peer is known: /invite and /peer bring some.".to_owned(),
            0 => "Everyone known is connected: what is written goes out at once.".to_owned(),
            count => format!("dialling {}", text::count(count as u64, "address")),
        };
        for address in addresses {
            self.news.asked_for(&address);
            self.client.command(Command::Dial(address)).await?;
        }
        self.note(&words)?;
        Ok(())
    }

    /// Kicks or promotes who is meant.
    async fn act(&mut self, act: Act, who: &str) -> anyhow::Result<()> {
        let status = self.client.status().await?;
        let meant = members::pick(&self.people, who);
        match meant.and_then(|author| members::check(act, &status, &author).map(|()| author)) {
            Ok(author) => self.ask(act.command(author), Asked::Act).await,
            Err(error) => self.not_done(&error),
        }
    }

    async fn revoke(&mut self, invite: Option<String>) -> anyhow::Result<()> {
        let status = self.client.status().await?;
        let Some(invite) = invite else {
            let lines = members::invite_lines(&status, &self.people);
            let none = "No invite holds: /invite makes one.".to_owned();
            self.tell("invites", &if lines.is_empty() { none } else { lines.join("\n") })?;
            return Ok(());
        };
        match members::find_invite(&status, &invite) {
            Ok(invite) => self.ask(Command::Revoke(invite), Asked::Act).await,
            Err(error) => self.not_done(&error),
        }
    }

    async fn block(&mut self, who: &str, blocked: bool) -> anyhow::Result<()> {
        let author = match members::pick(&self.people, who) {
            Ok(author) => author,
            Err(error) => return self.not_done(&error),
        };
        self.client.block(author, blocked).await?;
        self.people.block(author, blocked);
        self.note(&members::block_words(&self.people.name(&author), blocked))?;
        Ok(())
    }

    pub(super) fn not_done(&mut self, error: &failure::Failure) -> anyhow::Result<()> {
        self.note(&format!("Not done: {error}. {}", error.next))?;
        Ok(())
    }

    /// Lets in who was shown under this name. By key, so that nobody comes in under somebody else's name.
    async fn accept(&mut self, name: &str) -> anyhow::Result<()> {
        let found = self.news.knocking(name);
        let author = match found.as_slice() {
            [author] => *author,
            [] => {
                self.note(&format!("Nobody called {} knocks.", text::name(name)))?;
                return Ok(());
            }
            several => {
                let names: Vec<String> =
                    several.iter().map(|author| format!("/accept {}", two_words(author))).collect();
                self.note(&format!("Several knock under that name. Say which: {}", names.join(" or ")))?;
                return Ok(());
            }
        };
        match self.client.accept(author.to_string()).await {
            Ok(name) => {
                self.news.let_in(&author);
                self.note(&format!("{} is let in.", text::name(&name)))?;
            }
            Err(NodeError::NobodyKnocks) => {
                self.news.let_in(&author);
                self.note("They are gone; they will knock again if they go on trying.")?;
            }
            Err(error) => return Err(error.into()),
        }
        Ok(())
    }

    /// Prints what came in a burst.
    pub(super) fn flush(&mut self) -> anyhow::Result<()> {
        let Some(burst) = self.arrivals.take() else { return Ok(()) };
        if burst.count > arrivals::SHOWN_WHOLE {
            self.note(&format!("{} messages arrived; the last {}:", burst.count, burst.rows.len()))?;
        }
        let mut lines = Vec::new();
        for row in &burst.rows {
            lines.extend(self.render(row));
        }
        self.print(&lines)?;
        if burst.late > 0 {
            let late = text::count(burst.late as u64, "earlier message");
            self.note(&format!("↷ {late} arrived: further up in the order"))?;
        }
        Ok(())
    }

    /// A command could not be carried out.
    pub(super) fn refused(&mut self, error: &replica_sync::conversation::SayError) -> anyhow::Result<()> {
        let told = failure::of_say(error);
        let next = told.next.map(|next| format!(" {next}")).unwrap_or_default();
        self.note(&format!("Not done: {}.{next}", told.what))?;
        Ok(())
    }

    /// Something that came in was not sent, and what comes next is. Whoever sits there is told; a script hears of the first
    /// even where it wants quiet, and by the exit code.
    pub(super) fn not_sent(&mut self, why: &Explained) -> anyhow::Result<()> {
        if self.is_person || self.failed.is_some() {
            let next = why.next.as_ref().map(|next| format!(" {next}")).unwrap_or_default();
            self.note(&format!("Not sent: {}.{next}", why.what))?;
        } else {
            self.output.complain(&format!("not sent: {}", why.what), why.next.as_deref());
            self.failed = Some(why.exit);
        }
        Ok(())
    }
}

fn too_long() -> Explained {
    let what = format!("a message has at most {MESSAGE_BYTES_MAX} bytes");
    Explained { exit: Exit::Failed, what, next: Some("Say it in several.".to_owned()) }
}

fn not_text() -> Explained {
    let what = "a line is not text in UTF-8".to_owned();
    Explained { exit: Exit::Failed, what, next: Some("Only text can be sent.".to_owned()) }
}

/// What is found and fits a screen.
const FOUND_ROWS: usize = 20;
