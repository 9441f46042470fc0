//! `replica topic`

use replica::limits::TOPIC_BYTES_MAX;
use replica_sync::engine::Command;

use crate::commands::{reader, room, writer};
use crate::config::{Config, Role};
use crate::failure::{Exit, Failure};
use crate::json;
use crate::output::Output;
use crate::text;

/// Prints what the room is about; or says what it is about from now on, nothing if the words are empty.
pub(crate) async fn run(config: &Config, words: Option<&str>, output: &mut Output) -> anyhow::Result<Exit> {
    let Some(words) = words else { return print(config, output).await };
    let topic = checked_topic(words)?;
    let mut client = writer(config, config.options(Role::Writes), output).await?;
    room(&*client.status().await?)?;
    client.write(Command::SetTopic(topic)).await?;
    client.stop().await;
    Ok(Exit::Done)
}

async fn print(config: &Config, output: &mut Output) -> anyhow::Result<Exit> {
    let mut client = reader(config).await?;
    let status = client.status().await?;
    room(&status)?;
    match &status.topic {
        topic if config.json => output.json(&json::topic(topic.as_deref()))?,
        Some(topic) => output.data(&text::line(topic))?,
        None => output.note("No topic was set."),
    }
    client.stop().await;
    Ok(Exit::Done)
}

/// Words as they may be a topic.
pub(crate) fn checked_topic(words: &str) -> Result<String, Failure> {
    let topic = words.trim();
    if topic.len() > TOPIC_BYTES_MAX {
        let what = format!("a topic has at most {TOPIC_BYTES_MAX} bytes");
        return Err(Failure::new(Exit::Usage, what, "Say it in fewer words."));
    }
    Ok(topic.to_owned())
}
