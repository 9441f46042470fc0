//! `replica send`

use std::collections::BTreeSet;
use std::io::{self, IsTerminal as _, Read as _};
use std::time::Duration;

use replica::id::AuthorKey;
use replica::limits::MESSAGE_BYTES_MAX;
use replica_sync::engine::{Command, Event};
use replica_sync::node::{NodeError, NodeEvent};

use crate::client::Client;
use crate::commands::meet::unreached;
use crate::commands::writer;
use crate::config::{Config, Role};
use crate::failure::{Exit, Failure};
use crate::json;
use crate::output::Output;
use crate::people::People;
use crate::watch::Watch;

/// Writes one message; prints its id once it is durable.
pub(crate) async fn run(
    config: &Config,
    words: &[String],
    wait: Option<u32>,
    timeout: u64,
    output: &mut Output,
) -> anyhow::Result<Exit> {
    let text = text_of(words, output).await?;
    check(&text)?;
    let connects = wait.is_some() || !config.peers.is_empty() || config.ticket.is_some();
    let mut options = config.options(if connects { Role::Dials } else { Role::Writes });
    options.makes_room = config.peers.is_empty() && config.ticket.is_none();
    let mut client = writer(config, options, output).await?;
    let mut watch = Watch::new(&client.named);
    let tag = client.command(Command::Say(text)).await?;
    let mut written = None;
    let is_draft = loop {
        let event = client.next_while_kept().await?;
        watch.note(&event);
        match event {
            NodeEvent::Engine(Event::Written { tag: done, id }) if done == tag => written = Some(id),
            // The row follows what says that it is written.
            NodeEvent::Engine(Event::Row(row)) if Some(row.id) == written => {
                if config.json {
                    output.json(&json::row(&row))?;
                } else {
                    output.data(&row.id.to_string())?;
                }
                break false;
            }
            NodeEvent::Engine(Event::Draft { tag: Some(done), draft }) if done == tag => {
                if config.json {
                    output.json(&json::draft(draft.written_ms, &draft.text))?;
                } else {
                    output.data("draft")?;
                }
                output.note("Kept as a draft: it becomes a message once you are let in.");
                break true;
            }
            NodeEvent::Engine(Event::Refused { tag: done, error }) if done == tag => {
                return Err(NodeError::from(error).into());
            }
            _ => {}
        }
    };
    output.flush()?;
    let wanted = wait.map_or(1, |replicas| replicas as usize);
    if connects && wanted > 0 {
        let mut delivery = Delivery { watch, is_draft, held: BTreeSet::new() };
        let time = Duration::from_secs(timeout);
        let is_done = delivery.follow(&mut client, wanted, wait.is_none(), time).await?;
        let status = client.status().await?;
        client.stop().await;
        let people = People::of_status(&status);
        let names: Vec<String> = delivery.held.iter().map(|author| people.name(author)).collect();
        if !names.is_empty() {
            output.note(&format!("held by {}", names.join(", ")));
        }
        return match (is_done, delivery.watch.refusal()) {
            (true, _) => Ok(Exit::Done),
            (false, Some(refusal)) => Err(refusal.clone().into()),
            // It was not asked to be held elsewhere, and it is kept.
            (false, None) if wait.is_none() => Ok(Exit::Done),
            (false, None) if delivery.watch.has_reached() => {
                let what = format!("held by {} of {wanted} replicas after {timeout} s", names.len());
                let next = "It is kept, and delivered with the next sync.";
                Err(Failure::new(Exit::Unreached, what, next).into())
            }
            (false, None) => Err(unreached(config, &status).into()),
        };
    }
    client.stop().await;
    Ok(Exit::Done)
}

/// Who has what was written.
struct Delivery {
    watch: Watch,
    /// While it is a draft, nobody has it.
    is_draft: bool,
    held: BTreeSet<AuthorKey>,
}

impl Delivery {
    /// Follows a node until so many have it or the time is over; where that is enough, until everyone who was dialled
    /// has agreed or failed once. Says whether so many have it.
    async fn follow(
        &mut self,
        client: &mut Client,
        wanted: usize,
        once: bool,
        time: Duration,
    ) -> anyhow::Result<bool> {
        let followed = async {
            while self.held.len() < wanted {
                let status = client.status().await?;
                let is_alone = status.peers.is_empty() && status.listening.is_empty();
                if is_alone || once && self.watch.is_settled(&status) {
                    break;
                }
                self.note(&client.next_while_kept().await?);
            }
            Ok::<(), anyhow::Error>(())
        };
        if let Ok(followed) = tokio::time::timeout(time, followed).await {
            followed?;
        }
        Ok(self.held.len() >= wanted)
    }

    fn note(&mut self, event: &NodeEvent) {
        self.watch.note(event);
        match event {
            // What was a draft is written by the time we agree with anyone as a member.
            NodeEvent::Engine(Event::Agreed { author, .. }) => {
                self.held.insert(*author);
            }
            NodeEvent::Engine(Event::Held { author }) if !self.is_draft => {
                self.held.insert(*author);
            }
            _ => {}
        }
    }
}

/// The message: the words, or what stdin has.
async fn text_of(words: &[String], output: &mut Output) -> anyhow::Result<String> {
    if !words.is_empty() && words != ["-"] {
        return Ok(words.join(" "));
    }
    if io::stdin().is_terminal() {
        output.note("Type the message; end it with Ctrl+D on a line of its own.");
    }
    // In a thread of its own, which nobody waits for if the program is to end meanwhile.
    let bytes = tokio::task::spawn_blocking(read_stdin).await??;
    let text = String::from_utf8(bytes).map_err(|error| {
        // A character may have been cut by the limit.
        if error.as_bytes().len() > MESSAGE_BYTES_MAX { too_long() } else { not_text() }
    })?;
    let text = text.strip_suffix('\n').unwrap_or(&text);
    Ok(text.strip_suffix('\r').unwrap_or(text).to_owned())
}

fn read_stdin() -> io::Result<Vec<u8>> {
    // One byte more than fits is enough to see that it does not.
    let mut bytes = Vec::new();
    io::stdin().lock().take(MESSAGE_BYTES_MAX as u64 + 3).read_to_end(&mut bytes)?;
    Ok(bytes)
}

fn check(text: &str) -> Result<(), Failure> {
    if text.len() > MESSAGE_BYTES_MAX {
        return Err(too_long());
    }
    if text.is_empty() {
        return Err(Failure::new(Exit::Failed, "there is nothing to send", "Give a text, or pipe one in."));
    }
    Ok(())
}

fn too_long() -> Failure {
    let what = format!("the message is over the limit of {MESSAGE_BYTES_MAX} bytes");
    Failure::new(Exit::Failed, what, "Say it in several messages.")
}

fn not_text() -> Failure {
    Failure::new(Exit::Failed, "what came on stdin is not text in UTF-8", "Only text can be sent.")
}
