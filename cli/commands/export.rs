//! `replica export FILE`

use std::fmt::Write as _;
use std::path::Path;

use anyhow::Context as _;

use crate::args::Format;
use crate::client::Client;
use crate::commands::log::last_rows;
use crate::commands::reader;
use crate::config::Config;
use crate::failure::Exit;
use crate::files;
use crate::json;
use crate::output::{Output, json_line};
use crate::people::People;
use crate::render::Renderer;
use crate::text;
use crate::time::LocalTime;

/// Writes the conversation into a file.
pub(crate) async fn run(
    config: &Config,
    file: &Path,
    format: Format,
    output: &mut Output,
) -> anyhow::Result<Exit> {
    let mut client = reader(config).await?;
    let bytes = match format {
        Format::Automerge => client.export().await?,
        Format::Bundle => client.bundle().await?,
        Format::Text => as_text(&mut client).await?.into_bytes(),
        Format::Json => as_json(&mut client).await?,
    };
    client.stop().await;
    if file == Path::new("-") {
        output.bytes(&bytes)?;
        output.flush()?;
        return Ok(Exit::Done);
    }
    files::put(file, &bytes).with_context(|| format!("cannot write {}", file.display()))?;
    if config.json {
        output.json(&json::export(file, bytes.len()))?;
    }
    output.note(&format!("{} bytes in {}", bytes.len(), file.display()));
    if format == Format::Bundle {
        output.note("Whoever is in the room takes it in with `replica import FILE`. It is not encrypted.");
    }
    Ok(Exit::Done)
}

/// The conversation as `log` prints it into a file.
async fn as_text(client: &mut Client) -> anyhow::Result<String> {
    let people = People::of_status(&*client.status().await?);
    let mut renderer = Renderer::new(LocalTime::of_system(), false, false);
    let mut all = String::new();
    for row in last_rows(client, usize::MAX, |_| true).await?.iter().rev() {
        for line in renderer.row(row, &people) {
            writeln!(all, "{}", text::guarded(&line))?;
        }
    }
    Ok(all)
}

/// The conversation as `log --json --all` prints it.
async fn as_json(client: &mut Client) -> anyhow::Result<Vec<u8>> {
    let mut all = Vec::new();
    for row in last_rows(client, usize::MAX, |_| true).await?.iter().rev() {
        json_line(&mut all, &json::row(row))?;
    }
    Ok(all)
}
