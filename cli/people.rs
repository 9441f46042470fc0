//! Who is who: names as they are shown, so that nobody can pass for somebody else.

use std::collections::{BTreeMap, BTreeSet};

use replica::entry::Kind;
use replica::id::AuthorKey;
use replica::identity::words;
use replica_sync::engine::Row;
use replica_sync::node::Status;

use crate::text;

#[cfg(test)]
mod tests;

/// The people of a room, by what they are called now.
#[derive(Clone, Debug, Default)]
pub(crate) struct People {
    names: BTreeMap<AuthorKey, String>,
    alike: BTreeMap<String, BTreeSet<AuthorKey>>,
    blocked: BTreeSet<AuthorKey>,
}

impl People {
    /// Everyone a node knows.
    pub(crate) fn of_status(status: &Status) -> Self {
        let mut people = Self { blocked: status.blocked.iter().copied().collect(), ..Self::default() };
        people.learn(status.me, &status.nick);
        for member in &status.members {
            people.learn(member.author, member.nick.as_deref().unwrap_or_default());
        }
        people
    }

    /// Notes what someone is called from now on; with no name, that they are there.
    pub(crate) fn learn(&mut self, author: AuthorKey, nick: &str) {
        let name = shown_name(&author, Some(nick));
        let before = self.names.insert(author, name.clone());
        if let Some(alike) = before.and_then(|name| self.alike.get_mut(&text::skeleton(&name))) {
            alike.remove(&author);
        }
        self.alike.entry(text::skeleton(&name)).or_default().insert(author);
    }

    /// Notes what a row says about its author's name.
    pub(crate) fn learn_row(&mut self, row: &Row) {
        if row.kind == Kind::Nickname.number() || !self.names.contains_key(&row.author) {
            self.learn(row.author, row.nick.as_deref().unwrap_or_default());
        }
    }

    /// Notes that someone's messages are to be folded, or not any more.
    pub(crate) fn block(&mut self, author: AuthorKey, blocked: bool) {
        match blocked {
            true => self.blocked.insert(author),
            false => self.blocked.remove(&author),
        };
    }

    /// Whether someone's messages are to be folded.
    pub(crate) fn is_blocked(&self, author: &AuthorKey) -> bool {
        self.blocked.contains(author)
    }

    /// Who may be meant: by the name as it is shown, by two words of the key, or by how the key begins.
    pub(crate) fn meant(&self, who: &str) -> Vec<AuthorKey> {
        let who = who.trim().trim_start_matches('@');
        let by_name = |author: &&AuthorKey| self.name(author) == who || self.names[*author] == who;
        let named: Vec<AuthorKey> = self.names.keys().filter(by_name).copied().collect();
        if !named.is_empty() {
            return named;
        }
        let is_key = |author: &AuthorKey| who.len() >= KEY_DIGITS_MIN && author.to_string().starts_with(who);
        self.names.keys().filter(|author| two_words(author) == who || is_key(author)).copied().collect()
    }

    /// What an entry about somebody says, with their name for the words of their key.
    pub(crate) fn named(&self, said: &str) -> String {
        let is_meant = |author: &&AuthorKey| said.contains(&words(author));
        let meant = self.names.keys().find(is_meant);
        meant.map_or_else(|| said.to_owned(), |author| said.replace(&words(author), &self.name(author)))
    }

    /// What someone is called now, as it is shown.
    pub(crate) fn name(&self, author: &AuthorKey) -> String {
        self.shown(author, self.names.get(author).map(String::as_str))
    }

    /// A name as it is shown: one that somebody else has too, or nearly, with two words of the key.
    pub(crate) fn shown(&self, author: &AuthorKey, nick: Option<&str>) -> String {
        let name = shown_name(author, nick);
        let alike = self.alike.get(&text::skeleton(&name));
        let is_shared = alike.is_some_and(|alike| alike.iter().any(|other| other != author));
        if is_shared { format!("{name}({})", two_words(author)) } else { name }
    }
}

/// From so many hexadecimal digits on a word is read as the beginning of a key.
const KEY_DIGITS_MIN: usize = 4;

/// The name without regard to others': the first two words of the key where there is none to be seen.
fn shown_name(author: &AuthorKey, nick: Option<&str>) -> String {
    let name = text::name(nick.unwrap_or_default());
    if name.is_empty() { two_words(author) } else { name }
}

/// The first two words of a key, as in `amber-tiger`.
pub(crate) fn two_words(author: &AuthorKey) -> String {
    let words = words(author);
    let mut words = words.split(' ');
    match (words.next(), words.next()) {
        (Some(first), Some(second)) => format!("{first}-{second}"),
        _ => author.to_string(),
    }
}
