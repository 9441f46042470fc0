//! What comes in: lines of stdin, or keys of a terminal.

use std::io::{self, BufRead, Read as _};

use replica::limits::MESSAGE_BYTES_MAX;
use tokio::sync::mpsc;

use crate::chat::Step;
use crate::tui::Tui;

#[cfg(test)]
mod tests;

/// Something that was typed, or piped in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Typed {
    /// A line, without its end.
    Line(String),
    /// A line that is over the limit; it was not kept.
    TooLong,
    /// A line that is not text in UTF-8; it was not kept.
    NotText,
    /// Nothing more will come.
    End,
}

/// Where it comes from.
pub(crate) enum Source {
    Stdin(mpsc::Receiver<Typed>),
    Full(Box<Tui>),
    /// The screen was left: nothing comes any more.
    Left,
}

impl Source {
    /// Reads lines of stdin, in a thread that nobody waits for: a read cannot be taken back.
    pub(crate) fn stdin() -> Self {
        let (lines, typed) = mpsc::channel(LINES_WAITING);
        std::thread::spawn(move || {
            let mut stdin = io::stdin().lock();
            while let Ok(line) = read_line(&mut stdin) {
                let is_end = line == Typed::End;
                if lines.blocking_send(line).is_err() || is_end {
                    return;
                }
            }
        });
        Self::Stdin(typed)
    }

    /// The next. Lines wait while as many are under way to the disk as may be; a person at the screen is not that fast.
    ///
    /// # Cancel safety
    /// Nothing is lost.
    pub(super) async fn next(&mut self, takes_more: bool) -> io::Result<Step> {
        match self {
            Self::Stdin(typed) if takes_more => Ok(Step::Typed(typed.recv().await.unwrap_or(Typed::End))),
            Self::Full(tui) => tui.next().await.map(Step::Told),
            Self::Stdin(_) | Self::Left => std::future::pending().await,
        }
    }
}

/// Reads one line. One that is over the limit is read to its end, and not kept.
fn read_line(from: &mut impl BufRead) -> io::Result<Typed> {
    // A line end of two bytes does not count.
    let limit = MESSAGE_BYTES_MAX as u64 + 2;
    let mut line = Vec::new();
    if from.take(limit).read_until(b'\n', &mut line)? == 0 {
        return Ok(Typed::End);
    }
    let ended = line.pop_if(|last| *last == b'\n').is_some();
    if !ended && line.len() as u64 == limit {
        from.skip_until(b'\n')?;
        return Ok(Typed::TooLong);
    }
    if ended {
        line.pop_if(|last| *last == b'\r');
    }
    if line.len() > MESSAGE_BYTES_MAX {
        return Ok(Typed::TooLong);
    }
    Ok(String::from_utf8(line).map_or(Typed::NotText, Typed::Line))
}

/// Lines read ahead.
const LINES_WAITING: usize = 64;
