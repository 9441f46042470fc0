//! What keys do.

use crossterm::event::{KeyCode, KeyEvent, KeyEventKind, KeyModifiers};

use crate::tui::app::{Action, App};
use crate::tui::input::{Edit, Input};
use crate::tui::overlay::Overlay;
use crate::tui::seek::{Goal, Seek};

/// What F1 and `/help` show above the commands.
pub(crate) const KEYS: &str = "\
Enter            send; Alt+Enter starts a new line
Tab              complete a name, a command, an invite; again: the next
Up Down          what you wrote before
PgUp PgDn        read back and forth; Alt+Up Alt+Down by a line
End, Esc         back to the newest
Alt+a            to the first new message
Alt+l            to what arrived late, further up
Alt+p Alt+n      to the message before, or after, that names you
Ctrl+F           search through everything
F2               the peers, or not
Ctrl+X           write with $EDITOR
Ctrl+W U K Y     remove a word, to the start, to the end; put it back
Ctrl+Z           to the shell and back by fg
Ctrl+D, Ctrl+C   leave, on an empty line

○ only here   ◐ some members have it   ● all do, as far as is known
↷ arrived above what you had read   ┌│└ written in parallel
";

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
        let alt = key.modifiers.contains(KeyModifiers::ALT);
        if alt && self.on_alt_key(key.code) || control && self.on_control_key(key.code) {
            return;
        }
        let page = isize::try_from(self.areas().log.height.saturating_sub(2).max(1)).unwrap_or(1);
        match key.code {
            KeyCode::PageUp => self.scroll(-page),
            KeyCode::PageDown => self.scroll(page),
            KeyCode::F(1) => self.show_help(),
            KeyCode::F(2) => self.pane = Some(self.areas().pane.is_none()),
            KeyCode::Tab => self.complete(),
            KeyCode::End if self.input.is_empty() => self.go_to_end(),
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

    fn on_alt_key(&mut self, code: KeyCode) -> bool {
        match code {
            KeyCode::Char('a') => self.go_to_unread(),
            KeyCode::Char('l') => self.go_to_late(),
            KeyCode::Char('p') => self.go_to_mention(true),
            KeyCode::Char('n') => self.go_to_mention(false),
            KeyCode::Up => self.scroll(-1),
            KeyCode::Down => self.scroll(1),
            _ => return false,
        }
        true
    }

    fn on_control_key(&mut self, code: KeyCode) -> bool {
        match code {
            KeyCode::Char('c') if !self.input.is_empty() => {
                self.input.clear();
                self.hint = Some("Ctrl+Y puts it back; Ctrl+C again leaves.".to_owned());
            }
            KeyCode::Char('c') => self.actions.push_back(Action::Quit),
            KeyCode::Char('d') if self.input.is_empty() => self.actions.push_back(Action::Quit),
            KeyCode::Char('f') => self.prompt = Some(Input::default()),
            KeyCode::Char('l') => self.actions.push_back(Action::Redraw),
            KeyCode::Char('x') => self.actions.push_back(Action::Edit(self.input.text().to_owned())),
            KeyCode::Char('z') => self.actions.push_back(Action::Suspend),
            KeyCode::End => self.go_to_end(),
            _ => return false,
        }
        true
    }

    /// Says whether the key meant what lies over the conversation. Typing goes on below it, and takes it away.
    fn on_overlay_key(&mut self, key: &KeyEvent) -> bool {
        let page = isize::try_from(self.areas().inner().height.max(1)).unwrap_or(1);
        match (key.code, self.overlay.take()) {
            (KeyCode::Enter, Some(Overlay::Paste(pasted))) => self.input.paste(&pasted),
            (KeyCode::Esc, Some(Overlay::Paste(_))) => {}
            (_, Some(paste @ Overlay::Paste(_))) => self.overlay = Some(paste),
            (KeyCode::Esc | KeyCode::Enter | KeyCode::F(1), _) => {}
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
            KeyCode::Char('f') if control && is_same => self.seek_older(),
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
        self.show_text("help", &format!("{KEYS}\n{}", crate::chat::slash::HELP));
    }

    /// The text comes back from another program.
    pub(crate) fn edited(&mut self, text: &str) {
        let text = crate::tui::input::normalised(text);
        self.input.set(text.trim_end_matches('\n'));
    }
}
