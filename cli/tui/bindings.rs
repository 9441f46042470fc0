//! Which key does what, as far as that is its owner's choice.

use std::fmt;

use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};

use crate::text;

#[cfg(test)]
mod tests;

/// What a key may be told to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Act {
    Help,
    Peers,
    Search,
    PageUp,
    PageDown,
    LineUp,
    LineDown,
    Newest,
    Unread,
    Late,
    NamedUp,
    NamedDown,
    Editor,
    RoomBefore,
    RoomAfter,
    Redraw,
    Suspend,
    Leave,
}

/// An act as the settings know it.
pub(crate) struct Bindable {
    pub(crate) act: Act,
    pub(crate) name: &'static str,
    usual: Key,
}

/// All of them, with their usual keys.
pub(crate) const BINDABLE: [Bindable; 18] = [
    bindable(Act::Help, "help", plain(KeyCode::F(1))),
    bindable(Act::Peers, "peers", plain(KeyCode::F(2))),
    bindable(Act::Search, "search", control('f')),
    bindable(Act::PageUp, "page-up", plain(KeyCode::PageUp)),
    bindable(Act::PageDown, "page-down", plain(KeyCode::PageDown)),
    bindable(Act::LineUp, "line-up", Key { alt: true, ..plain(KeyCode::Up) }),
    bindable(Act::LineDown, "line-down", Key { alt: true, ..plain(KeyCode::Down) }),
    bindable(Act::Newest, "newest", plain(KeyCode::End)),
    bindable(Act::Unread, "unread", alt('a')),
    bindable(Act::Late, "late", alt('l')),
    bindable(Act::NamedUp, "named-up", alt('p')),
    bindable(Act::NamedDown, "named-down", alt('n')),
    bindable(Act::Editor, "editor", control('x')),
    bindable(Act::RoomBefore, "room-before", Key { alt: true, ..plain(KeyCode::Left) }),
    bindable(Act::RoomAfter, "room-after", Key { alt: true, ..plain(KeyCode::Right) }),
    bindable(Act::Redraw, "redraw", control('l')),
    bindable(Act::Suspend, "suspend", control('z')),
    bindable(Act::Leave, "leave", control('d')),
];

/// What F1 and `/help` show above the commands; an act's name stands for its key.
const HELP: &str = "\
Enter|send; Alt+Enter starts a new line
Tab|complete a name, a command, an invite; again: the next
Up Down|what you wrote before
{page-up} {page-down}|read back and forth; {line-up} {line-down} by a line
{newest}, Esc|back to the newest
{unread}|to the first new message
{late}|to what arrived late, further up
{named-up} {named-down}|to the message before, or after, that names you
Alt+1 ... Alt+9|to another room of this home; {room-before} {room-after} on an empty line
{search}|search through everything
{peers}|the peers, or not
{editor}|write with $EDITOR
Ctrl+W U K Y|remove a word, to the start, to the end; put it back
{suspend}|to the shell and back by fg
{leave}, Ctrl+C|leave, on an empty line";

/// A key, with what is held down beside it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Key {
    code: KeyCode,
    control: bool,
    alt: bool,
}

/// Why a word is no key that may be told what to do.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum KeyError {
    #[error("there is no such key; {}", near.map_or_else(
        || "write it as in \"alt+l\", \"ctrl+f\", \"pgup\" or \"f5\"".to_owned(),
        |near| format!("did you mean \"{near}\"?")))]
    Unknown { near: Option<&'static str> },
    #[error("a key without alt+ or ctrl+ is typed")]
    Typed,
    #[error(
        "that key has one meaning: Enter, Tab, Esc, Backspace and Ctrl+C, which some terminals send for others"
    )]
    Fixed,
}

/// Which key does what.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Bindings {
    keys: [Key; BINDABLE.len()],
}

impl Default for Bindings {
    fn default() -> Self {
        Self { keys: BINDABLE.map(|it| it.usual) }
    }
}

impl Bindings {
    /// What a key is to do.
    pub(crate) fn act(&self, event: &KeyEvent) -> Option<Act> {
        let pressed = Key::of(event);
        let at = self.keys.iter().position(|key| *key == pressed)?;
        Some(BINDABLE[at].act)
    }

    /// The key for something.
    pub(crate) fn key(&self, act: Act) -> Key {
        self.keys[act as usize]
    }

    pub(crate) fn set(&mut self, act: Act, key: Key) {
        self.keys[act as usize] = key;
    }

    /// What else a key is to do, beside this.
    pub(crate) fn other(&self, act: Act) -> Option<&'static str> {
        let is_other = |it: &&Bindable| it.act != act && self.key(it.act) == self.key(act);
        BINDABLE.iter().find(is_other).map(|it| it.name)
    }

    /// What the keys do, for people.
    pub(crate) fn help(&self) -> String {
        let line = |line: &str| {
            let mut line = line.to_owned();
            for it in &BINDABLE {
                line = line.replace(&format!("{{{}}}", it.name), &self.key(it.act).to_string());
            }
            let (keys, does) = line.split_once('|').unwrap_or((&line, ""));
            format!("{keys:<16} {does}\n")
        };
        HELP.lines().map(line).collect()
    }
}

impl Key {
    fn of(event: &KeyEvent) -> Self {
        let is_held = |modifier| event.modifiers.contains(modifier);
        let (control, alt) = (is_held(KeyModifiers::CONTROL), is_held(KeyModifiers::ALT));
        Self { code: event.code, control, alt }
    }

    /// Reads a key as the settings name it, whatever the case.
    ///
    /// # Errors
    /// When it is none, or none that may be told what to do.
    pub(crate) fn parse(words: &str) -> Result<Self, KeyError> {
        let words = words.trim().to_lowercase();
        let (mut control, mut alt, mut rest) = (false, false, words.as_str());
        // A plus may be the key itself.
        while let Some((held, key)) = rest.split_once('+').filter(|(_, key)| !key.is_empty()) {
            match held {
                "ctrl" => control = true,
                "alt" => alt = true,
                _ => return Err(KeyError::Unknown { near: None }),
            }
            rest = key;
        }
        let mut letters = rest.chars();
        let code = match (letters.next(), letters.next()) {
            (Some(letter), None) if !letter.is_whitespace() => KeyCode::Char(letter),
            _ => named(rest)?,
        };
        let is_fixed = match code {
            // Terminals send these for Tab, Enter, Backspace, and for each other.
            KeyCode::Char(letter) if control => matches!(letter, 'c' | 'i' | 'j' | 'm' | 'h' | '['),
            KeyCode::Enter | KeyCode::Esc | KeyCode::Tab | KeyCode::Backspace => true,
            _ => false,
        };
        match code {
            _ if is_fixed => Err(KeyError::Fixed),
            KeyCode::Char(_) if !control && !alt => Err(KeyError::Typed),
            code => Ok(Self { code, control, alt }),
        }
    }

    /// As the settings name it.
    pub(crate) fn setting(self) -> String {
        self.to_string().to_lowercase()
    }

    /// Whether the line that is typed knows it too. It has it then, unless it is empty.
    pub(crate) fn is_of_the_line(self) -> bool {
        use KeyCode::{Delete, Down, End, Home, Left, Right, Up};
        let moves = matches!(self.code, Home | End | Up | Down | Left | Right | Delete);
        let is_by_word = matches!(self.code, Left | Right);
        self == control('d') || moves && !self.control && (!self.alt || is_by_word)
    }
}

impl fmt::Display for Key {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(if self.control { "Ctrl+" } else { "" })?;
        out.write_str(if self.alt { "Alt+" } else { "" })?;
        match self.code {
            KeyCode::Char(letter) if self.control => write!(out, "{}", letter.to_uppercase()),
            KeyCode::Char(letter) => write!(out, "{letter}"),
            KeyCode::F(number) => write!(out, "F{number}"),
            code => {
                let name = NAMES.iter().find(|(_, known)| *known == code).map(|(name, _)| *name);
                out.write_str(name.unwrap_or("?"))
            }
        }
    }
}

fn named(name: &str) -> Result<KeyCode, KeyError> {
    if let Some(number) = name.strip_prefix('f').and_then(|number| number.parse().ok())
        && (1..=12).contains(&number)
    {
        return Ok(KeyCode::F(number));
    }
    let found = NAMES.iter().find(|(known, _)| known.to_lowercase() == name).map(|(_, code)| *code);
    let near = || text::nearest(name, NAMES.iter().map(|(name, _)| *name));
    found.ok_or_else(|| KeyError::Unknown { near: near() })
}

const NAMES: [(&str, KeyCode); 14] = [
    ("PgUp", KeyCode::PageUp),
    ("PgDn", KeyCode::PageDown),
    ("Home", KeyCode::Home),
    ("End", KeyCode::End),
    ("Up", KeyCode::Up),
    ("Down", KeyCode::Down),
    ("Left", KeyCode::Left),
    ("Right", KeyCode::Right),
    ("Ins", KeyCode::Insert),
    ("Del", KeyCode::Delete),
    ("Enter", KeyCode::Enter),
    ("Esc", KeyCode::Esc),
    ("Tab", KeyCode::Tab),
    ("Backspace", KeyCode::Backspace),
];

const fn bindable(act: Act, name: &'static str, usual: Key) -> Bindable {
    Bindable { act, name, usual }
}

const fn plain(code: KeyCode) -> Key {
    Key { code, control: false, alt: false }
}

const fn control(letter: char) -> Key {
    Key { code: KeyCode::Char(letter), control: true, alt: false }
}

const fn alt(letter: char) -> Key {
    Key { code: KeyCode::Char(letter), control: false, alt: true }
}
