//! Passphrases: typed without being shown, or given by scripts.

use std::fs::File;
use std::io::{self, BufRead as _, BufReader, IsTerminal as _, Read as _};
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};

use crossterm::event::{Event, KeyCode, KeyEvent, KeyEventKind, KeyModifiers};
use crossterm::terminal;
use replica::home::{HomeError, IDENTITY_FILE, is_exposed, is_open_elsewhere, read_key};
use replica::identity::Identity;
use replica::identity::sealed::{Passphrase, PassphraseError};
use replica::limits::PASSPHRASE_BYTES_MAX;

use crate::args::{IdentityTask, Task};
use crate::config::Config;
use crate::failure::{Exit, Failure};
use crate::output::Output;

#[cfg(test)]
mod tests;

/// Before anything else: warns if others may look into the home, and takes its key from under its passphrase.
///
/// # Errors
/// When there is a passphrase, and nobody who knows it.
pub(crate) fn open_key(config: &mut Config, task: Option<&Task>, output: &mut Output) -> anyhow::Result<()> {
    if matches!(task, Some(Task::Rendezvous { .. })) {
        // It has no home.
        return Ok(());
    }
    if is_exposed(&config.home) {
        let home = config.home.display();
        output
            .note(&format!("Others can look into your home, with all that is said: run `chmod 700 {home}`."));
    }
    let path = config.home.join(IDENTITY_FILE);
    // Whoever has the home open has its key. It is taken from under its passphrase when that one ends.
    if is_open_elsewhere(&config.home) {
        return Ok(());
    }
    let is_import = matches!(task, Some(Task::Identity { task: IdentityTask::Import { .. } }));
    // Whatever else is wrong with the key is said when the home is opened.
    if is_import || !matches!(read_key(&path, None), Err(HomeError::Sealed { .. })) {
        return Ok(());
    }
    if let Some(given) = given(config, Which::Current)? {
        config.unsealed = Some(read_key(&path, Some(&given))?);
        return Ok(());
    }
    let mut tries = 1;
    config.unsealed = loop {
        let typed = ask(config, "The passphrase of your key: ", output)?;
        match read_key(&path, Some(&typed)) {
            Err(HomeError::Unseal { source, .. }) if tries < TRIES => output.note(&format!("No: {source}.")),
            read => break Some(read?),
        }
        tries += 1;
    };
    Ok(())
}

/// Takes a home's key from under the passphrase that a script gave; none where none was given. This takes long.
///
/// # Errors
/// When the passphrase is another one, or the key cannot be read.
pub(crate) fn unseal(config: &Config) -> Result<Option<Identity>, HomeError> {
    // One that cannot be read is none: that it is needed is said in the end.
    let given = given(config, Which::Current).ok().flatten();
    given.map(|given| read_key(&config.home.join(IDENTITY_FILE), Some(&given))).transpose()
}

/// Which passphrase is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Which {
    /// That of the key that is to be opened.
    Current,
    /// One that is to hold from now on, or for a file that is being written.
    New,
}

/// Whether somebody sits there who can be asked again.
pub(crate) fn can_ask(config: &Config) -> bool {
    !config.no_input && io::stdin().is_terminal() && io::stderr().is_terminal()
}

/// A passphrase that a script gave: in the environment, or as a line of a file.
///
/// # Errors
/// When the file cannot be read, or what it holds is no passphrase.
pub(crate) fn given(config: &Config, which: Which) -> anyhow::Result<Option<Passphrase>> {
    let line = match which {
        Which::Current => 0,
        Which::New => 1,
    };
    // One line is enough where nothing is changed.
    if let Some(given) = config.passphrase_file.line(line)? {
        return Ok(Some(given?));
    }
    let given = std::env::var(VARIABLES[line]).ok().filter(|given| !given.is_empty());
    Ok(given.map(Passphrase::new).transpose()?)
}

/// The file of passphrases, if one was named. It is read when it is needed first and never again: it may be a pipe.
#[derive(Clone, Debug, Default)]
pub(crate) struct PassphraseFile {
    path: Option<PathBuf>,
    /// Alike in all clones.
    lines: Arc<OnceLock<Vec<Line>>>,
}

/// A line of the file. It is looked at whether it is a passphrase once it is asked for.
type Line = Result<Passphrase, PassphraseError>;

impl PassphraseFile {
    pub(crate) fn at(path: Option<PathBuf>) -> Self {
        Self { path, lines: Arc::default() }
    }

    fn line(&self, number: usize) -> Result<Option<Line>, Failure> {
        let Some(path) = &self.path else { return Ok(None) };
        let lines = match self.lines.get() {
            Some(lines) => lines,
            None => {
                let read = read_lines(path).map_err(|error| {
                    let what = format!("the passphrase file {} cannot be read: {error}", path.display());
                    Failure::new(Exit::Failed, what, "Name a file, or as in --passphrase-file /dev/fd/3.")
                })?;
                self.lines.get_or_init(|| read)
            }
        };
        Ok(lines.get(number).cloned())
    }
}

fn read_lines(path: &Path) -> io::Result<Vec<Line>> {
    let file = File::open(path)?.take(2 * (PASSPHRASE_BYTES_MAX as u64 + 2));
    BufReader::new(file).lines().take(VARIABLES.len()).map(|line| line.map(Passphrase::new)).collect()
}

/// Asks for a passphrase at the terminal.
///
/// # Errors
/// When nobody can be asked, or whoever was asked went away.
pub(crate) fn ask(config: &Config, question: &str, output: &mut Output) -> anyhow::Result<Passphrase> {
    if !can_ask(config) {
        let next = "Set REPLICA_PASSPHRASE, or name a file that holds it: --passphrase-file FILE.";
        return Err(
            Failure::new(Exit::Failed, "a passphrase is needed, and nobody is there to ask", next).into()
        );
    }
    loop {
        output.ask(question);
        let typed = type_line()?;
        output.answered();
        match Passphrase::new(typed) {
            Ok(passphrase) => return Ok(passphrase),
            Err(wrong) => output.note(&format!("No: {wrong}.")),
        }
    }
}

/// A new passphrase: given, or typed twice.
///
/// # Errors
/// When nobody can be asked.
pub(crate) fn new(config: &Config, question: &str, output: &mut Output) -> anyhow::Result<Passphrase> {
    if let Some(given) = given(config, Which::New)? {
        return Ok(given);
    }
    loop {
        let first = ask(config, question, output)?;
        if ask(config, "Once more: ", output)?.is(&first) {
            return Ok(first);
        }
        output.note("They differ. Again:");
    }
}

/// A line typed without being shown. The terminal is given back whatever happens.
fn type_line() -> anyhow::Result<String> {
    terminal::enable_raw_mode()?;
    let typed = read_keys();
    terminal::disable_raw_mode()?;
    typed
}

fn read_keys() -> anyhow::Result<String> {
    // Never moved while it grows, so that no copy is left behind.
    let mut line = String::with_capacity(2 * PASSPHRASE_BYTES_MAX);
    loop {
        match crossterm::event::read()? {
            Event::Key(key) if key.kind != KeyEventKind::Release => match typed(&key, &mut line) {
                Key::More => {}
                Key::Done => return Ok(line),
                Key::Away => {
                    return Err(
                        Failure::new(Exit::Interrupted, "no passphrase was given", "Run it again.").into()
                    );
                }
            },
            Event::Paste(pasted) => pasted.chars().for_each(|c| add(c, &mut line)),
            _ => {}
        }
    }
}

/// What a key means for the line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Key {
    More,
    Done,
    Away,
}

fn typed(key: &KeyEvent, line: &mut String) -> Key {
    let control = key.modifiers.contains(KeyModifiers::CONTROL);
    match key.code {
        KeyCode::Enter => return Key::Done,
        KeyCode::Char('j' | 'm') if control => return Key::Done,
        KeyCode::Char('c' | 'd') if control => return Key::Away,
        KeyCode::Char('u') if control => line.clear(),
        KeyCode::Char(c) if !control => add(c, line),
        KeyCode::Backspace => {
            line.pop();
        }
        _ => {}
    }
    Key::More
}

fn add(c: char, line: &mut String) {
    if !c.is_control() && line.len() + c.len_utf8() <= 2 * PASSPHRASE_BYTES_MAX {
        line.push(c);
    }
}

/// How often somebody may mistype.
const TRIES: u32 = 3;

/// Where scripts put them: the one that opens, and the new one.
const VARIABLES: [&str; 2] = ["REPLICA_PASSPHRASE", "REPLICA_NEW_PASSPHRASE"];
