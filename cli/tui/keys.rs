//! What keys do.

use crossterm::event::{KeyCode, KeyEvent, KeyEventKind, KeyModifiers};

use crate::tui::app::{Action, App};
use crate::tui::bindings::Act;
use crate::tui::input::{Edit, Input};
use crate::tui::overlay::Overlay;
use crate::tui::seek::{Goal, Seek};

impl App {
    /// Takes a key.
    pub(crate) fn on_key(&mut self, key: &KeyEvent) {
        if key.kind == KeyEventKind::Release {
            return;
        }
        let is_tab = key.code == KeyCode::Tab;
        self.hint = None;
        if self.overlay.is_some() && self.on_overlay_key(key) {
            return;
        }
        if self.prompt.is_some() {
            return self.on_prompt_key(key);
        }
        if !is_tab {
            self.completion = None;
        }
        let control = key.modifiers.contains(KeyModifiers::CONTROL);
        let is_free = |act: &Act| self.input.is_empty() || !self.bindings.key(*act).is_of_the_line();
        if let Some(act) = self.bindings.act(key).filter(is_free) {
            return self.act(act);
        }
        if control && self.on_control_key(key.code) {
            return;
        }
        if let KeyCode::Char(digit @ '1'..='9') = key.code
            && key.modifiers.contains(KeyModifiers::ALT)
        {
            return self.switch(digit.to_digit(10).and_then(|number| self.rooms.at(number as usize)));
        }
        match key.code {
            KeyCode::Tab => self.complete(),
            KeyCode::Esc => {
                self.seek = None;
                self.reading.new_after = None;
                self.reading.late.clear();
                self.go_to_end();
            }
            _ => match self.input.key(key) {
                Edit::Done(text) => {
                    if !text.trim().is_empty() {
                        self.go_to_end();
                        self.actions.push_back(Action::Say(text));
                    }
                }
                Edit::Nothing | Edit::Changed => {}
            },
        }
    }

    fn act(&mut self, act: Act) {
        let page = isize::try_from(self.areas().log.height.saturating_sub(2).max(1)).unwrap_or(1);
        match act {
            Act::Help => self.show_help(),
            Act::Peers => self.pane = Some(self.areas().pane.is_none()),
            Act::Search => self.prompt = Some(Input::default()),
            Act::PageUp => self.scroll(-page),
            Act::PageDown => self.scroll(page),
            Act::LineUp => self.scroll(-1),
            Act::LineDown => self.scroll(1),
            Act::Newest => self.go_to_end(),
            Act::Unread => self.go_to_unread(),
            Act::Late => self.go_to_late(),
            Act::NamedUp => self.go_to_mention(true),
            Act::NamedDown => self.go_to_mention(false),
            Act::Editor => self.actions.push_back(Action::Edit(self.input.text().to_owned())),
            Act::RoomBefore => self.switch(self.rooms.beside(false)),
            Act::RoomAfter => self.switch(self.rooms.beside(true)),
            Act::Redraw => self.actions.push_back(Action::Redraw),
            Act::Suspend => self.actions.push_back(Action::Suspend),
            Act::Leave => self.actions.push_back(Action::Quit),
        }
    }

    fn on_control_key(&mut self, code: KeyCode) -> bool {
        match code {
            KeyCode::Char('c') if !self.input.is_empty() => {
                self.input.clear();
                self.hint = Some("Ctrl+Y puts it back; Ctrl+C again leaves.".to_owned());
            }
            KeyCode::Char('c') => self.actions.push_back(Action::Quit),
            KeyCode::End => self.go_to_end(),
            _ => return false,
        }
        true
    }

    /// Says whether the key meant what lies over the conversation. Typing goes on below it, and takes it away.
    fn on_overlay_key(&mut self, key: &KeyEvent) -> bool {
        let page = isize::try_from(self.areas().inner().height.max(1)).unwrap_or(1);
        match (key.code, self.overlay.take()) {
            (KeyCode::Enter, Some(Overlay::Paste(pasted))) => self.paste(&pasted),
            (KeyCode::Esc, Some(Overlay::Paste(_))) => {}
            (_, Some(paste @ Overlay::Paste(_))) => self.overlay = Some(paste),
            (KeyCode::Esc | KeyCode::Enter, _) => {}
            _ if self.bindings.act(key) == Some(Act::Help) => {}
            (code, Some(text @ Overlay::Text { .. })) => {
                let by = match code {
                    KeyCode::Up => -1,
                    KeyCode::Down => 1,
                    KeyCode::PageUp => -page,
                    KeyCode::PageDown | KeyCode::Char(' ') => page,
                    KeyCode::Char('q') => return true,
                    _ => return false,
                };
                self.overlay = Some(text);
                self.scroll_overlay(by);
            }
            (KeyCode::Char('q'), _) => {}
            _ => return false,
        }
        true
    }

    fn on_prompt_key(&mut self, key: &KeyEvent) {
        let control = key.modifiers.contains(KeyModifiers::CONTROL);
        let Some(prompt) = &mut self.prompt else { return };
        let wanted = prompt.text().trim().to_lowercase();
        let is_same = self.seek.as_ref().and_then(Seek::words) == Some(wanted.as_str());
        match key.code {
            KeyCode::Esc => (self.prompt, self.seek) = (None, None),
            KeyCode::Char('c') if control => (self.prompt, self.seek) = (None, None),
            KeyCode::Enter | KeyCode::Up if is_same => self.seek_older(),
            KeyCode::Down if is_same => self.seek_newer(),
            _ if is_same && self.bindings.act(key) == Some(Act::Search) => self.seek_older(),
            KeyCode::Enter if wanted.is_empty() => self.prompt = None,
            KeyCode::Enter => self.seek(Goal::Text(wanted)),
            KeyCode::Up | KeyCode::Down => {}
            _ => drop(prompt.key(key)),
        }
    }

    /// Searches for something, as if it had been typed behind Ctrl+F.
    pub(crate) fn search(&mut self, words: &str) {
        let mut prompt = Input::default();
        prompt.insert(words);
        self.prompt = Some(prompt);
        self.seek(Goal::Text(words.to_lowercase()));
    }

    pub(crate) fn show_help(&mut self) {
        self.show_text("help", &format!("{}\n{SIGNS}\n{}", self.bindings.help(), crate::chat::slash::HELP));
    }

    /// The text comes back from another program. Says whether it fits; if not, it is as it was.
    pub(crate) fn edited(&mut self, text: &str) -> bool {
        let text = crate::tui::input::normalised(text);
        self.input.set(text.trim_end_matches('\n'))
    }
}

/// What F1 and `/help` show between the keys and the commands.
const SIGNS: &str = "\
○ only here   ◐ some members have it   ● all do, as far as is known
↷ arrived above what you had read   ┌│└ written in parallel
";
