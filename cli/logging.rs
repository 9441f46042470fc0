//! What happens inside, for whoever looks for a fault.

use std::fs::OpenOptions;
use std::io::{self, Write};
use std::sync::Arc;

use anyhow::Context as _;
use tracing_subscriber::EnvFilter;

use crate::config::Config;
use crate::text;

#[cfg(test)]
mod tests;

/// Starts writing to stderr (with -v) or to a file (with --log-file).
///
/// # Errors
/// When the file cannot be written.
pub(crate) fn start(config: &Config) -> anyhow::Result<()> {
    let level = match (config.verbose, &config.log_file) {
        (0, None) => return Ok(()),
        (0 | 1, _) => "info",
        (2, _) => "debug",
        _ => "trace",
    };
    let filter = EnvFilter::new(format!("warn,replica={level},replica_sync={level}"));
    let builder = tracing_subscriber::fmt().with_env_filter(filter);
    match &config.log_file {
        Some(path) => {
            let file = OpenOptions::new().create(true).append(true).open(path);
            let file = file.with_context(|| format!("cannot write the log file {}", path.display()))?;
            let file = Arc::new(file);
            builder.with_ansi(false).with_writer(move || Clean(Arc::clone(&file))).init();
        }
        None => builder.with_ansi(false).with_writer(|| Clean(io::stderr())).init(),
    }
    Ok(())
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
