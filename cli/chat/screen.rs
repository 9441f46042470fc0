//! A terminal with a prompt of our own at its lower end, above which rows appear.

use std::io;
use std::sync::Once;

use crossterm::event::{DisableBracketedPaste, EnableBracketedPaste, Event, EventStream};
use crossterm::{execute, terminal};
use futures_util::StreamExt as _;

use crate::chat::editor::{Edit, Editor};
use crate::chat::typed::Typed;
use crate::output::Output;
use crate::text;

/// A terminal in raw mode, until dropped.
pub(crate) struct Screen {
    editor: Editor,
    keys: EventStream,
}

impl Screen {
    /// Takes the terminal over.
    ///
    /// # Errors
    /// When there is none, or it cannot do what is needed.
    pub(crate) fn open() -> io::Result<Self> {
        static HOOK: Once = Once::new();
        HOOK.call_once(|| {
            let before = std::panic::take_hook();
            std::panic::set_hook(Box::new(move |info| {
                restore();
                before(info);
            }));
        });
        terminal::enable_raw_mode()?;
        let screen = Self { editor: Editor::default(), keys: EventStream::new() };
        execute!(io::stdout(), EnableBracketedPaste)?;
        Ok(screen)
    }

    /// The next thing that was typed.
    ///
    /// # Cancel safety
    /// No key is lost.
    pub(crate) async fn next(&mut self) -> io::Result<Typed> {
        loop {
            let Some(event) = self.keys.next().await else { return Ok(Typed::End) };
            let edit = match event? {
                Event::Key(key) => self.editor.key(&key),
                Event::Paste(pasted) => {
                    self.editor.paste(&pasted);
                    Edit::Changed
                }
                Event::Resize(..) => Edit::Changed,
                _ => Edit::Nothing,
            };
            match edit {
                Edit::Nothing => {}
                Edit::Changed => return Ok(Typed::Edited),
                Edit::Redraw => return Ok(Typed::Cleared),
                Edit::Done(line) => return Ok(Typed::Line(line)),
                Edit::End => return Ok(Typed::End),
            }
        }
    }

    /// Writes lines above the prompt.
    pub(crate) fn above(&self, lines: &[String], output: &mut Output) -> io::Result<()> {
        let mut drawn = String::from(CLEAR_LINE);
        for line in lines {
            drawn.push_str(&text::guarded(line));
            drawn.push_str("\r\n");
        }
        self.put(drawn, output)
    }

    /// Draws the prompt anew.
    pub(crate) fn draw(&self, output: &mut Output) -> io::Result<()> {
        self.put(CLEAR_LINE.to_owned(), output)
    }

    /// Empties the screen.
    pub(crate) fn clear(&self, output: &mut Output) -> io::Result<()> {
        self.put("\x1b[2J\x1b[H".to_owned(), output)
    }

    /// Takes the prompt away.
    pub(crate) fn leave(&self, output: &mut Output) -> io::Result<()> {
        output.bytes(CLEAR_LINE.as_bytes())?;
        output.flush()
    }

    fn put(&self, mut drawn: String, output: &mut Output) -> io::Result<()> {
        let (window, column) = self.editor.window(columns().saturating_sub(PROMPT.len()));
        drawn.push_str(PROMPT);
        drawn.push_str(&window);
        drawn.push('\r');
        drawn.push_str(&format!("\x1b[{}C", PROMPT.len() + column));
        // In one write, and on terminals that know it in one frame: no flicker.
        output.bytes(format!("\x1b[?2026h{drawn}\x1b[?2026l").as_bytes())?;
        output.flush()
    }
}

impl Drop for Screen {
    fn drop(&mut self) {
        restore();
    }
}

/// How wide the terminal is now.
pub(crate) fn columns() -> usize {
    terminal::size().map_or(80, |(columns, _)| usize::from(columns))
}

/// Gives the terminal back as it was. There is nobody left to tell if that fails.
fn restore() {
    execute!(io::stdout(), DisableBracketedPaste).ok();
    terminal::disable_raw_mode().ok();
}

const PROMPT: &str = "> ";

const CLEAR_LINE: &str = "\r\x1b[K";
