//! What happens inside, for whoever looks for a fault.

use std::fs::OpenOptions;
use std::sync::Arc;

use anyhow::Context as _;
use tracing_subscriber::EnvFilter;

use crate::config::Config;

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
            builder.with_ansi(false).with_writer(Arc::new(file)).init();
        }
        None => builder.with_ansi(false).with_writer(std::io::stderr).init(),
    }
    Ok(())
}
