//! What Tab completes: names, commands, invites.

use crate::chat::slash;
use crate::tui::app::App;

#[cfg(test)]
mod tests;

/// A word that is being completed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Completion {
    /// What stands before the word.
    head: String,
    /// What it may become.
    pub(crate) words: Vec<String>,
    /// Which of them it is.
    pub(crate) at: usize,
}

impl App {
    /// Completes the word before the cursor, or puts the next one for it.
    pub(super) fn complete(&mut self) {
        let completion = match self.completion.take() {
            Some(mut completion) => {
                completion.at = (completion.at + 1) % completion.words.len();
                completion
            }
            None => match self.candidates() {
                Some(completion) => completion,
                None => return,
            },
        };
        self.input.set_head(&format!("{}{}", completion.head, completion.words[completion.at]));
        // With one candidate there is nothing to go through.
        self.completion = (completion.words.len() > 1).then_some(completion);
    }

    fn candidates(&self) -> Option<Completion> {
        let head = self.input.head();
        let names = || self.names();
        let (before, begun, all): (&str, &str, Vec<String>) = match head.strip_prefix('/') {
            Some(command) => match command.split_once(' ') {
                None => {
                    let words = slash::words().map(|word| format!("/{word} ")).collect();
                    ("", head, words)
                }
                Some(("revoke", begun)) => (&head[..head.len() - begun.len()], begun, self.invites()),
                Some((_, begun)) => (&head[..head.len() - begun.len()], begun, names().collect()),
            },
            None => {
                let start = head.rfind(char::is_whitespace).map_or(0, |at| at + 1);
                let word = &head[start..];
                let at = |name: String| format!("@{name} ");
                let behind = if start == 0 { ": " } else { " " };
                let plain = |name: String| format!("{name}{behind}");
                let all = if word.starts_with('@') {
                    names().map(at).collect()
                } else {
                    names().map(plain).collect()
                };
                (&head[..start], word, all)
            }
        };
        let begun = begun.to_lowercase();
        let words: Vec<String> = all.into_iter().filter(|it| it.to_lowercase().starts_with(&begun)).collect();
        let is_something = !words.is_empty() && !head.is_empty();
        is_something.then(|| Completion { head: before.to_owned(), words, at: 0 })
    }

    /// The members' names but for our own; who is here first.
    fn names(&self) -> impl Iterator<Item = String> {
        let status = self.status.iter();
        let mut members: Vec<_> = status
            .flat_map(|status| &status.members)
            .filter(|member| member.author != self.me)
            .map(|member| (!self.is_here(&member.author), self.people.name(&member.author)))
            .collect();
        members.sort();
        members.into_iter().map(|(_, name)| name)
    }

    fn invites(&self) -> Vec<String> {
        let invites = self.status.iter().flat_map(|status| &status.invites);
        invites
            .map(|invite| invite.id.to_string()[..crate::commands::members::INVITE_DIGITS].to_owned())
            .collect()
    }
}
