//! `replica log`

use replica_sync::engine::Row;

use crate::args::Chosen;
use crate::client::Client;
use crate::commands::members::pick;
use crate::commands::reader;
use crate::config::Config;
use crate::failure::Exit;
use crate::json::{self, is_message};
use crate::output::Output;
use crate::people::People;
use crate::render::Renderer;
use crate::time::{LocalTime, now_ms};

/// Prints the conversation, or what was chosen of it, oldest first.
pub(crate) async fn run(
    config: &Config,
    count: Option<usize>,
    chosen: &Chosen,
    output: &mut Output,
) -> anyhow::Result<Exit> {
    let mut client = reader(config).await?;
    let wanted = chosen.search.as_deref().map(str::to_lowercase);
    let since_ms = chosen.since.map(|since| since.ms(now_ms()));
    let people = People::of_status(&*client.status().await?);
    let author = chosen.author.as_deref().map(|who| pick(&people, who)).transpose()?;
    let is_wanted = |row: &Row| {
        let is_kind = is_message(row) || chosen.all || !config.json && wanted.is_none();
        is_kind
            && wanted.as_ref().is_none_or(|wanted| row.text.to_lowercase().contains(wanted))
            && author.is_none_or(|author| row.author == author)
            && since_ms.is_none_or(|since| row.claimed_ms >= since)
    };
    let mut rows = last_rows(&mut client, count.unwrap_or(usize::MAX), is_wanted).await?;
    // Others may have the home while somebody reads.
    client.stop().await;
    rows.reverse();
    if config.json {
        rows.iter().try_for_each(|row| output.json(&json::row(row)))?;
    } else {
        let mut renderer = Renderer::new(LocalTime::of_system(), config.color, config.color);
        for row in &rows {
            renderer.row(row, &people).iter().try_for_each(|line| output.data(line))?;
        }
        let is_chosen = wanted.is_some() || author.is_some() || since_ms.is_some();
        if rows.is_empty() {
            output.note(if is_chosen { "Nothing found." } else { "Nothing was said yet." });
        }
    }
    output.flush()?;
    Ok(Exit::Done)
}

/// The last so many rows that are wanted, newest first.
pub(crate) async fn last_rows(
    client: &mut Client,
    count: usize,
    is_wanted: impl Fn(&Row) -> bool,
) -> anyhow::Result<Vec<Row>> {
    let mut rows: Vec<Row> = Vec::new();
    let mut before = None;
    while rows.len() < count {
        let page = client.page(before, PAGE_ROWS).await?;
        let is_last = page.len() < PAGE_ROWS;
        before = page.last().map(|row| row.key);
        rows.extend(page.into_iter().filter(&is_wanted));
        if is_last {
            break;
        }
    }
    rows.truncate(count);
    Ok(rows)
}

/// Rows of one request: some milliseconds of the store's time.
const PAGE_ROWS: usize = 512;
