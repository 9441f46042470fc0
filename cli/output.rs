//! The one place that writes to stdout and stderr. Data goes to stdout, everything else to stderr. Whatever is for
//! people is made safe here once more: callers do so where they know what is a name and what is a text.

use std::io::{self, BufWriter, IsTerminal as _, Stdout, Write as _};

use serde::Serialize;
use serde_json::Serializer;
use serde_json::ser::Formatter;

use crate::args::ColorWhen;
use crate::config::has_color;
use crate::qr;
use crate::text;

/// Stdout and stderr.
pub(crate) struct Output {
    stdout: BufWriter<Stdout>,
    quiet: bool,
    dim: bool,
}

impl Output {
    pub(crate) fn new(quiet: bool, color: Option<ColorWhen>) -> Self {
        let dim = has_color(color, io::stderr().is_terminal());
        Self { stdout: BufWriter::new(io::stdout()), quiet, dim }
    }

    /// Writes a line of data; it may stay in a buffer until [`Output::flush`].
    pub(crate) fn data(&mut self, line: &str) -> io::Result<()> {
        self.stdout.write_all(text::guarded(line).as_bytes())?;
        self.stdout.write_all(b"\n")
    }

    /// Writes an object as a line of data.
    pub(crate) fn json(&mut self, object: &impl Serialize) -> io::Result<()> {
        json_line(&mut self.stdout, object)
    }

    /// Writes bytes of data.
    pub(crate) fn bytes(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.stdout.write_all(bytes)
    }

    /// Lets go of what is buffered.
    pub(crate) fn flush(&mut self) -> io::Result<()> {
        self.stdout.flush()
    }

    /// Tells people something beside the data, unless they want quiet. When nobody can read it, that is that.
    pub(crate) fn note(&mut self, words: &str) {
        if self.quiet {
            return;
        }
        // Data first, so that on one screen things stand in the order in which they happened.
        self.stdout.flush().ok();
        let (on, off) = if self.dim { ("\x1b[2m", "\x1b[0m") } else { ("", "") };
        for line in words.lines() {
            writeln!(io::stderr(), "{on}{}{off}", text::guarded(line)).ok();
        }
    }

    /// Draws a text as a QR code, beside the data. That was asked for, so it is drawn even where quiet is wanted.
    pub(crate) fn qr(&mut self, text: &str) {
        match qr::lines(text, self.dim) {
            Some(lines) => lines.iter().for_each(|line| {
                writeln!(io::stderr(), "{line}").ok();
            }),
            None => self.note("It is too long for a QR code."),
        }
    }

    /// Asks something; the answer is typed on the same line.
    pub(crate) fn ask(&mut self, question: &str) {
        self.stdout.flush().ok();
        write!(io::stderr(), "{}", text::guarded(question)).ok();
    }

    /// Ends the line of a question whose answer was not shown.
    pub(crate) fn answered(&mut self) {
        writeln!(io::stderr()).ok();
    }

    /// Says what went wrong, and what to do next.
    pub(crate) fn complain(&mut self, what: &str, next: Option<&str>) {
        self.stdout.flush().ok();
        for line in format!("replica: {what}").lines().chain(next.into_iter().flat_map(str::lines)) {
            writeln!(io::stderr(), "{}", text::guarded(line)).ok();
        }
    }
}

/// Writes an object as a line.
pub(crate) fn json_line(to: &mut impl io::Write, object: &impl Serialize) -> io::Result<()> {
    object.serialize(&mut Serializer::with_formatter(&mut *to, Escaping))?;
    to.write_all(b"\n")
}

/// Writes JSON that says the same and that no terminal obeys: what cannot be seen is escaped, though it need not be.
struct Escaping;

impl Formatter for Escaping {
    fn write_string_fragment<W: ?Sized + io::Write>(&mut self, to: &mut W, text: &str) -> io::Result<()> {
        let mut rest = text;
        while let Some((at, unseen)) = rest.char_indices().find(|(_, c)| text::is_unseen(*c)) {
            to.write_all(&rest.as_bytes()[..at])?;
            for unit in unseen.encode_utf16(&mut [0; 2]) {
                write!(to, "\\u{unit:04x}")?;
            }
            rest = &rest[at + unseen.len_utf8()..];
        }
        to.write_all(rest.as_bytes())
    }
}

#[cfg(test)]
mod tests;
