//! The full-screen chat: keys come in, the screen is drawn when it changed. [`app::App`] is all that it knows and
//! decides; here are the terminal and the waits.

mod app;
pub(crate) mod bindings;
mod causes;
mod complete;
mod holders;
mod input;
mod keys;
pub(crate) mod last_screen;
mod layout;
mod overlay;
mod paging;
mod paint;
mod panes;
pub(crate) mod read_mark;
mod reading;
mod rooms;
mod seek;
mod terminal;
#[cfg(test)]
pub(crate) mod tests;
pub(crate) mod theme;
mod view;
mod welcome;
mod window;

use std::collections::VecDeque;
use std::io;
use std::pin::{Pin, pin};
use std::time::Duration;

use crossterm::event::{Event, EventStream};
use futures_util::StreamExt as _;
use replica::id::AuthorKey;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::time::{Sleep, sleep};

pub(crate) use app::{Action, App, Purpose};
pub(crate) use window::PAGE_ROWS;

use crate::time::LocalTime;
use crate::tui::bindings::Bindings;
use crate::tui::terminal::Screen;
use crate::tui::theme::{Depth, Theme};

/// What its owner chose of the screen.
#[derive(Clone, Debug, Default)]
pub(crate) struct Look {
    pub(crate) theme: Theme,
    pub(crate) bindings: Bindings,
}

/// The terminal, what is shown on it, and when it is time to draw.
pub(crate) struct Tui {
    app: App,
    screen: Screen,
    /// None while another program has the terminal.
    keys: Option<EventStream>,
    stops: Signal,
    /// Whether what is shown may not be what is.
    is_dirty: bool,
    /// Until when the last frame stays.
    rest: Option<Pin<Box<Sleep>>>,
    /// When to ask how the node stands.
    look: Option<Pin<Box<Sleep>>>,
}

/// What comes of a terminal.
#[derive(Debug)]
pub(crate) enum Told {
    Wants(Action),
    /// It is time to ask how the node stands.
    Look,
    /// The terminal is gone.
    End,
}

impl Tui {
    /// Takes the terminal over.
    ///
    /// # Errors
    /// When it is none that can be drawn on.
    pub(crate) fn open(me: AuthorKey, look: &Look, color: bool) -> io::Result<Self> {
        let stops = signal(SignalKind::from_raw(rustix::process::Signal::TSTP.as_raw()))?;
        let screen = Screen::open()?;
        let depth = if color { terminal::depth() } else { Depth::Mono };
        let mut app = App::new(me, look.theme.clone().on(depth), LocalTime::of_system(), terminal::size());
        app.bindings = look.bindings.clone();
        Ok(Self {
            app,
            screen,
            keys: Some(EventStream::new()),
            stops,
            is_dirty: true,
            rest: None,
            look: None,
        })
    }

    /// The state, to be changed: it is drawn anew.
    pub(crate) fn app(&mut self) -> &mut App {
        self.is_dirty = true;
        &mut self.app
    }

    /// How the node stands may be another way than is shown.
    pub(crate) fn look_in(&mut self, time: Duration) {
        self.look.get_or_insert_with(|| Box::pin(sleep(time)));
    }

    /// What somebody wants next. Draws meanwhile.
    ///
    /// # Cancel safety
    /// No key is lost.
    pub(crate) async fn next(&mut self) -> io::Result<Told> {
        loop {
            if let Some(action) = self.app.action() {
                match action {
                    Action::Redraw => self.screen.clear()?,
                    Action::Notify { words, is_away } => self.screen.notify(is_away.then_some(&words))?,
                    Action::Suspend => self.suspend()?,
                    action => return Ok(Told::Wants(action)),
                }
                self.is_dirty = true;
                continue;
            }
            let (keys, rest, look) = (&mut self.keys, &mut self.rest, &mut self.look);
            let event = tokio::select! {
                biased;
                event = next_key(keys) => event,
                () = due(look), if look.is_some() => {
                    self.look = None;
                    return Ok(Told::Look);
                }
                _ = self.stops.recv() => {
                    self.suspend()?;
                    continue;
                }
                () = due(rest), if self.is_dirty => {
                    self.draw()?;
                    continue;
                }
            };
            let Some(event) = event else { return Ok(Told::End) };
            self.is_dirty = true;
            match event? {
                Event::Key(key) => self.app.on_key(&key),
                Event::Paste(pasted) => self.app.on_paste(&pasted),
                Event::Resize(columns, lines) => self.app.on_resize(columns, lines),
                Event::FocusGained => self.app.on_focus(true),
                Event::FocusLost => self.app.on_focus(false),
                Event::Mouse(_) => {}
            }
        }
    }

    /// Awaits something, draws and takes keys meanwhile. What they ask for is done after it. None if that was to leave,
    /// which is asked for again.
    ///
    /// # Errors
    /// When the terminal fails.
    pub(crate) async fn meanwhile<T>(&mut self, done: impl Future<Output = T>) -> io::Result<Option<T>> {
        let mut done = pin!(done);
        let mut asked = VecDeque::new();
        let mut is_look_due = false;
        let answer = loop {
            tokio::select! {
                biased;
                answer = &mut done => break Some(answer),
                told = self.next() => match told? {
                    Told::Wants(Action::Quit) | Told::End => {
                        asked.push_back(Action::Quit);
                        break None;
                    }
                    Told::Wants(action) => asked.push_back(action),
                    Told::Look => is_look_due = true,
                },
            }
        };
        asked.append(&mut self.app.actions);
        self.app.actions = asked;
        if is_look_due {
            self.look_in(Duration::ZERO);
        }
        Ok(answer)
    }

    fn draw(&mut self) -> io::Result<()> {
        if self.keys.is_none() {
            return Ok(());
        }
        self.app.settle();
        self.is_dirty = false;
        self.rest = Some(Box::pin(sleep(FRAME_TIME)));
        self.screen.draw(&self.app)
    }

    /// Goes to sleep as the shell wants it, and comes back. Where no shell could wake it, it comes back at once: the system
    /// lets this signal stop nobody whose group has no parent in the session, as it does with the one of Ctrl+Z, which we
    /// handle ourselves.
    fn suspend(&mut self) -> io::Result<()> {
        self.pause();
        rustix::process::kill_process(rustix::process::getpid(), rustix::process::Signal::TTIN)?;
        self.resume()
    }

    /// Gives the terminal to another program.
    pub(crate) fn pause(&mut self) {
        self.keys = None;
        self.screen.pause();
    }

    /// Takes it over again.
    ///
    /// # Errors
    /// When it cannot be had any more.
    pub(crate) fn resume(&mut self) -> io::Result<()> {
        self.screen.resume()?;
        self.keys = Some(EventStream::new());
        let (columns, lines) = terminal::size();
        self.app().on_resize(columns, lines);
        Ok(())
    }
}

async fn next_key(keys: &mut Option<EventStream>) -> Option<io::Result<Event>> {
    match keys {
        Some(keys) => keys.next().await,
        None => std::future::pending().await,
    }
}

/// Until a time has come; at once where there is none to wait for.
async fn due(time: &mut Option<Pin<Box<Sleep>>>) {
    if let Some(time) = time {
        time.await;
    }
    *time = None;
}

/// A row is on the screen within a frame of being durable, and a flood of them draws a hundred times a second at most.
const FRAME_TIME: Duration = Duration::from_millis(10);
