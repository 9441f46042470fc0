//! The terminal as long as it is ours. Whatever ends the program, it is given back as it was.

use std::io::{self, BufWriter, Stdout};
use std::panic::{self, PanicHookInfo};
use std::sync::Once;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use crossterm::event::{DisableBracketedPaste, DisableFocusChange, EnableBracketedPaste, EnableFocusChange};
use crossterm::style::Print;
use crossterm::terminal::{
    self, BeginSynchronizedUpdate, EndSynchronizedUpdate, EnterAlternateScreen, LeaveAlternateScreen,
};
use crossterm::{cursor, execute, queue};
use ratatui::Terminal;
use ratatui::backend::CrosstermBackend;
use ratatui::layout::{Rect, Size};

use crate::text;
use crate::tui::app::App;
use crate::tui::theme::Depth;
use crate::tui::view;

#[cfg(test)]
mod tests;

/// A terminal that is drawn on, until dropped.
pub(crate) struct Screen {
    terminal: Terminal<CrosstermBackend<BufWriter<Stdout>>>,
}

impl Screen {
    /// Takes the terminal over.
    ///
    /// # Errors
    /// When there is none, or it cannot do what is needed.
    pub(crate) fn open() -> io::Result<Self> {
        static HOOK: Once = Once::new();
        HOOK.call_once(|| panic::set_hook(hook(panic::take_hook(), restore)));
        enter()?;
        let backend = CrosstermBackend::new(BufWriter::with_capacity(FRAME_BYTES, io::stdout()));
        let terminal = Terminal::new(backend).inspect_err(|_| restore())?;
        Ok(Self { terminal })
    }

    /// Draws what changed, on terminals that know it in one frame.
    pub(crate) fn draw(&mut self, app: &App) -> io::Result<()> {
        queue!(self.terminal.backend_mut(), BeginSynchronizedUpdate)?;
        self.terminal.draw(|frame| view::draw(app, frame))?;
        execute!(self.terminal.backend_mut(), EndSynchronizedUpdate)
    }

    /// Has everything drawn anew next time.
    pub(crate) fn clear(&mut self) -> io::Result<()> {
        // `Terminal::clear` asks the terminal where its cursor is, and waits for a reader of keys to hear the answer.
        let Size { width, height } = self.terminal.size()?;
        self.terminal.resize(Rect::new(0, 0, width, height))
    }

    /// Rings, and has a terminal that can tell the desktop.
    pub(crate) fn notify(&mut self, words: Option<&String>) -> io::Result<()> {
        let notice = words.map_or_else(String::new, |words| {
            // What would end the sequence, or make it another one, is not in it.
            let words: String = text::line(words).chars().filter(|c| *c != ';').take(NOTICE_CHARS).collect();
            format!("\x1b]9;{words}\x07")
        });
        execute!(self.terminal.backend_mut(), Print(format!("\x07{notice}")))
    }

    /// Gives the terminal to another program for a while.
    pub(crate) fn pause(&self) {
        restore();
    }

    /// Takes it over again.
    pub(crate) fn resume(&mut self) -> io::Result<()> {
        enter()?;
        self.clear()
    }
}

impl Drop for Screen {
    fn drop(&mut self) {
        restore();
    }
}

/// The size now: columns and lines.
pub(crate) fn size() -> (u16, u16) {
    terminal::size().unwrap_or((80, 24))
}

/// How many colours there are, as far as the environment says.
pub(crate) fn depth() -> Depth {
    let variable = |name| std::env::var(name).unwrap_or_default();
    Depth::of(&variable("COLORTERM"), &variable("TERM"))
}

/// What is done about a panic of this thread, which ends the program: the terminal is given back before it is told. A
/// panic of another thread is caught there, and the drawing goes on: it goes to the log, and not on the screen.
fn hook(before: Hook, restore: fn()) -> Hook {
    let ours = thread::current().id();
    Box::new(move |info| {
        if thread::current().id() == ours {
            restore();
        } else if IS_UP.load(Ordering::Relaxed) {
            let name = thread::current().name().unwrap_or_default().to_owned();
            return tracing::error!(thread = name, "{info}");
        }
        before(info);
    })
}

fn enter() -> io::Result<()> {
    terminal::enable_raw_mode()?;
    IS_UP.store(true, Ordering::Relaxed);
    execute!(io::stdout(), EnterAlternateScreen, EnableBracketedPaste, EnableFocusChange)
        .inspect_err(|_| restore())
}

/// Gives the terminal back as it was. There is nobody left to tell if that fails.
fn restore() {
    execute!(
        io::stdout(),
        EndSynchronizedUpdate,
        DisableFocusChange,
        DisableBracketedPaste,
        LeaveAlternateScreen,
        cursor::Show
    )
    .ok();
    terminal::disable_raw_mode().ok();
    IS_UP.store(false, Ordering::Relaxed);
}

/// Whether the terminal is drawn on.
static IS_UP: AtomicBool = AtomicBool::new(false);

type Hook = Box<dyn Fn(&PanicHookInfo<'_>) + Send + Sync>;

/// A whole frame is written at once.
const FRAME_BYTES: usize = 1 << 16;

/// A desktop shows no more of it.
const NOTICE_CHARS: usize = 120;
