//! The chat: what is typed is said, what is said elsewhere appears.

mod arrivals;
mod delivery;
mod full;
mod history;
mod news;
mod rooms;
pub(crate) mod slash;
mod talk;
mod typed;
mod welcome;

use std::collections::{BTreeMap, BTreeSet};
use std::io::{self, IsTerminal as _};

use replica::home::Home;
use replica::id::{AuthorKey, EntryId};
use replica_sync::conversation::Tag;
use replica_sync::engine::Row;
use replica_sync::node::{NodeEvent, Options};

use crate::chat::arrivals::Arrivals;
use crate::chat::delivery::Delivery;
use crate::chat::history::History;
use crate::chat::news::News;
use crate::chat::typed::{Source, Typed};
use crate::client::{Client, Opened, open_home, user_name};
use crate::config::{Config, Role, checked_nick, is_dumb};
use crate::failure::Exit;
use crate::output::Output;
use crate::people::People;
use crate::presence::Presence;
use crate::render::Renderer;
use crate::signals::Signals;
use crate::text;
use crate::time::LocalTime;
use crate::tui::last_screen::LastScreen;
use crate::tui::{Action, Told, Tui};

/// Runs the chat until its input ends.
pub(crate) async fn run(config: &Config, output: &mut Output) -> anyhow::Result<Exit> {
    let is_person = io::stdin().is_terminal();
    let mut home = open_home(config)?;
    if let Some(home) = home.home() {
        name_owner(config, home, is_person, output)?;
    }
    let mut options = config.options(Role::Serves);
    options.makes_room = config.peers.is_empty() && config.ticket.is_none();
    options.attended = is_person;
    // A name that nobody gave now is not set anew: in this room, or by another home, it may be another one by now.
    let options = Options { nick: config.nick.clone(), ..options };
    let mut signals = Signals::listen()?;
    let mut shown = last_screen(config, is_person, &mut home);
    let mut client = match &mut shown {
        None => match signals.race(Client::start(home, options)).await {
            Some(client) => client?,
            None => return Ok(Exit::Interrupted),
        },
        Some(tui) => tokio::select! {
            () = signals.next() => return Ok(Exit::Interrupted),
            client = tui.meanwhile(Client::start(home, options)) => match client? {
                Some(client) => client?,
                None => return Ok(Exit::Done),
            },
        },
    };
    let beside = client.ask_holder(config).await?;
    let source = shown.or_else(|| screen(config, is_person, client.me));
    let source = source.map_or_else(Source::stdin, |tui| Source::Full(Box::new(tui)));
    let on_screen = io::stdout().is_terminal() && !config.json;
    let mut chat = Chat {
        config,
        output,
        delivery: Delivery::new(config),
        client,
        people: People::default(),
        renderer: Renderer::new(LocalTime::of_system(), config.color, on_screen),
        is_person,
        on_screen,
        echoes: config.json,
        source,
        asked: BTreeMap::new(),
        own: BTreeSet::new(),
        seen: BTreeSet::new(),
        arrivals: Arrivals::default(),
        presence: Presence::default(),
        news: News::default(),
        history: History::default(),
        listening: Vec::new(),
        was_in_a_room: false,
        beside,
        failed: None,
    };
    if chat.full().is_none() {
        chat.tell_beside()?;
    }
    let end = chat.talk(&mut signals).await;
    // The terminal is given back first: what follows may take a moment, and says so there.
    chat.leave_screen();
    let exit = match end {
        Ok(Ending::Input) => {
            tokio::select! {
                () = signals.next() => Ok(Exit::Interrupted),
                done = chat.deliver() => done,
            }
        }
        Ok(Ending::Signal) => Ok(Exit::Interrupted),
        Err(error) => Err(error),
    };
    let Chat { client, .. } = chat;
    tokio::select! {
        () = client.stop() => {}
        () = signals.next() => {}
    }
    exit
}

/// What the chat ended with.
enum Ending {
    Input,
    Signal,
}

/// What an open request will be answered with.
#[derive(Clone, Copy, Debug)]
enum Asked {
    Say,
    Nick,
    Invite,
    Act,
}

struct Chat<'a> {
    config: &'a Config,
    output: &'a mut Output,
    client: Client,
    people: People,
    renderer: Renderer,
    source: Source,
    /// Whether somebody sits at the input: then a slash is a command.
    is_person: bool,
    /// Whether somebody reads the output.
    on_screen: bool,
    /// Whether rows written here are printed.
    echoes: bool,
    /// Commands under way.
    asked: BTreeMap<Tag, Asked>,
    /// Entries written here whose rows are still to come.
    own: BTreeSet<EntryId>,
    /// Rows of the first page, which may come again.
    seen: BTreeSet<EntryId>,
    arrivals: Arrivals,
    delivery: Delivery,
    presence: Presence,
    news: News,
    history: History,
    listening: Vec<std::net::SocketAddr>,
    was_in_a_room: bool,
    /// What the process that has the home open does otherwise, as long as it was not told.
    beside: Vec<&'static str>,
    /// The exit code of the first that could not be sent, where nobody sits at the input.
    failed: Option<Exit>,
}

/// What happened next.
enum Step {
    Event(Box<NodeEvent>),
    Typed(Typed),
    Told(Told),
    Flush,
    HistoryDue,
}

impl Chat<'_> {
    /// Until the input ends or a signal comes, be it while an answer is awaited.
    async fn talk(&mut self, signals: &mut Signals) -> anyhow::Result<Ending> {
        if self.full().is_some() && signals.race(self.look()).await.transpose()?.is_none() {
            return Ok(Ending::Signal);
        }
        loop {
            let takes_more = self.asked.len() < ASKED_MAX;
            let step = tokio::select! {
                () = signals.next() => return Ok(Ending::Signal),
                event = self.client.next() => Step::Event(Box::new(event?)),
                typed = self.source.next(takes_more) => typed?,
                () = self.arrivals.due() => Step::Flush,
                () = self.history.due() => Step::HistoryDue,
            };
            let is_edit = matches!(step, Step::Told(Told::Wants(Action::Edit(_))));
            let done = self.on_step(step);
            let done = match is_edit {
                true => signals.race_beside_another(done).await,
                false => signals.race(done).await,
            };
            match done.transpose()? {
                Some(false) => {}
                Some(true) => return Ok(Ending::Input),
                None => return Ok(Ending::Signal),
            }
        }
    }

    /// Does what follows. Says whether that was the end.
    async fn on_step(&mut self, step: Step) -> anyhow::Result<bool> {
        match step {
            Step::Typed(Typed::End) | Step::Told(Told::End) => return Ok(true),
            Step::Event(event) => self.on_event(*event).await?,
            Step::Told(Told::Look) => self.look().await?,
            Step::Told(Told::Wants(action)) => return self.on_wanted(action).await,
            Step::Typed(typed) => return self.on_typed(typed).await,
            Step::Flush => self.flush()?,
            Step::HistoryDue => self.on_history_due().await?,
        }
        Ok(false)
    }

    /// The lines of a row, as wide as the terminal is now.
    fn render(&mut self, row: &Row) -> Vec<String> {
        self.renderer.set_columns(self.on_screen.then(columns));
        self.renderer.row(row, &self.people)
    }

    /// Prints lines of data.
    fn print(&mut self, lines: &[String]) -> io::Result<()> {
        lines.iter().try_for_each(|line| self.output.data(line))?;
        self.output.flush()
    }

    /// Tells something beside the conversation.
    fn note(&mut self, words: &str) -> io::Result<()> {
        match &mut self.source {
            Source::Full(_) if self.config.quiet => {}
            Source::Full(tui) => tui.app().note(words),
            _ => self.output.note(words),
        }
        Ok(())
    }

    /// Tells what was asked for: on the full screen over the conversation.
    fn tell(&mut self, title: &str, words: &str) -> io::Result<()> {
        match &mut self.source {
            Source::Full(tui) => tui.app().show_text(title, words),
            _ => self.output.note(words),
        }
        Ok(())
    }
}

/// The full screen, where there is a terminal that can be drawn on.
fn screen(config: &Config, is_person: bool, me: AuthorKey) -> Option<Tui> {
    // Lines of the log would be written over it.
    let is_logged_on = config.verbose > 0 && config.log_file.is_none() && io::stderr().is_terminal();
    let is_plain = config.json || config.plain || is_dumb() || is_logged_on;
    if !is_person || !io::stdout().is_terminal() || is_plain {
        return None;
    }
    let mut tui = Tui::open(me, &config.chosen.look, config.color).ok()?;
    tui.app().notifies = std::env::var_os("REPLICA_NOTIFY").is_none_or(|it| it != "0");
    Some(tui)
}

/// The full screen as it was left, where the room to be opened is the one it was left in.
fn last_screen(config: &Config, is_person: bool, opened: &mut Opened) -> Option<Tui> {
    let home = opened.home().filter(|_| config.ticket.is_none())?;
    let last = LastScreen::load(home.folder(), &home.state().current_room?)?;
    let mut tui = screen(config, is_person, home.identity().key())?;
    tui.app().foreshow(last);
    Some(tui)
}

/// How wide the terminal is now.
fn columns() -> usize {
    crossterm::terminal::size().map_or(80, |(columns, _)| usize::from(columns))
}

/// On the first run, asks what the owner wants to be called, or takes the user's name.
fn name_owner(config: &Config, home: &mut Home, is_person: bool, output: &mut Output) -> anyhow::Result<()> {
    let nick = match &config.nick {
        Some(nick) => nick.clone(),
        None if home.state().nick.is_some() => return Ok(()),
        None if is_person && io::stderr().is_terminal() && !config.no_input => ask_name(output)?,
        None => user_name(),
    };
    home.change(|state| state.nick = Some(nick))?;
    Ok(())
}

fn ask_name(output: &mut Output) -> io::Result<String> {
    let usual = user_name();
    loop {
        output.ask(&format!("What should others call you? [{}] ", text::name(&usual)));
        let mut line = String::new();
        if io::stdin().read_line(&mut line)? == 0 || line.trim().is_empty() {
            return Ok(usual);
        }
        match checked_nick(&line) {
            Ok(nick) if nick.starts_with('/') => output.note("First a name; commands come after it."),
            Ok(nick) => return Ok(nick),
            Err(wrong) => output.note(&format!("No: {wrong}.")),
        }
    }
}

/// Messages under way to the disk. More wait in the pipe.
const ASKED_MAX: usize = 512;
