//! What happens inside, for whoever looks for a fault.

use std::fs::OpenOptions;
use std::io::{self, Write};
use std::sync::{Arc, OnceLock};

use anyhow::Context as _;
use tracing_subscriber::fmt::writer::BoxMakeWriter;
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::SubscriberInitExt as _;
use tracing_subscriber::{EnvFilter, fmt, reload};

use crate::config::Config;
use crate::text;

#[cfg(test)]
mod tests;

/// Changes what is written from now on, and where to. Not there before anything is.
static CHANGE: OnceLock<Box<dyn Fn(EnvFilter, BoxMakeWriter) + Send + Sync>> = OnceLock::new();

/// Writes to stderr (with -v) or to a file (with --log-file) from now on. Called again it opens the file anew, which may
/// have been moved away, and takes over what else changed.
///
/// # Errors
/// When the file cannot be written. Then all is as it was.
pub(crate) fn set(config: &Config) -> anyhow::Result<()> {
    let filter = match (config.verbose, &config.log_file) {
        (0, None) if CHANGE.get().is_none() => return Ok(()),
        (0, None) => "off".to_owned(),
        (0 | 1, _) => rules("info"),
        (2, _) => rules("debug"),
        _ => rules("trace"),
    };
    let filter = EnvFilter::new(filter);
    let writer = match &config.log_file {
        Some(path) => {
            let file = OpenOptions::new().create(true).append(true).open(path);
            let file = file.with_context(|| format!("cannot write the log file {}", path.display()))?;
            let file = Arc::new(file);
            BoxMakeWriter::new(move || Clean(Arc::clone(&file)))
        }
        None => BoxMakeWriter::new(|| Clean(io::stderr())),
    };
    match CHANGE.get() {
        Some(change) => change(filter, writer),
        None => start(filter, writer),
    }
    Ok(())
}

fn rules(level: &str) -> String {
    format!("warn,replica={level},replica_sync={level}")
}

fn start(filter: EnvFilter, writer: BoxMakeWriter) {
    let (filter, filters) = reload::Layer::new(filter);
    let (lines, writers) = reload::Layer::new(fmt::layer().with_ansi(false).with_writer(writer));
    tracing_subscriber::registry().with(filter).with(lines).init();
    let change = move |filter, writer| {
        // They fail only once nothing is written any more.
        filters.reload(filter).ok();
        writers.modify(|lines| *lines.writer_mut() = writer).ok();
    };
    CHANGE.set(Box::new(change)).ok();
}

/// Writes each event as one line, with nothing in it that a terminal would obey: errors carry the words of peers.
struct Clean<W>(W);

impl<W: Write> Write for Clean<W> {
    /// Takes what is one event, with the line end behind it.
    fn write(&mut self, event: &[u8]) -> io::Result<usize> {
        let words = String::from_utf8_lossy(event);
        let line = text::line(words.strip_suffix('\n').unwrap_or(&words)) + "\n";
        self.0.write_all(line.as_bytes())?;
        Ok(event.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.flush()
    }
}
