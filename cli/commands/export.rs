//! `replica export FILE`

use std::ffi::OsString;
use std::fs;
use std::path::Path;

use anyhow::Context as _;

use crate::commands::reader;
use crate::config::Config;
use crate::failure::Exit;
use crate::json;
use crate::output::Output;

/// Writes the conversation as one Automerge document.
pub(crate) async fn run(config: &Config, file: &Path, output: &mut Output) -> anyhow::Result<Exit> {
    let mut client = reader(config).await?;
    let document = client.export().await?;
    client.stop().await;
    if file == Path::new("-") {
        output.bytes(&document)?;
        output.flush()?;
        return Ok(Exit::Done);
    }
    // Written aside and moved, so that whoever reads the file sees all of it or what was there before.
    let mut aside = OsString::from(file);
    aside.push(".part");
    let written = fs::write(&aside, &document).and_then(|()| fs::rename(&aside, file));
    written.with_context(|| format!("cannot write {}", file.display()))?;
    if config.json {
        output.json(&json::export(file, document.len()))?;
    }
    output.note(&format!("{} bytes in {}", document.len(), file.display()));
    Ok(Exit::Done)
}
