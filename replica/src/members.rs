//! What the conversation says about people and itself: names and topic, folded from its entries in order.

use std::collections::BTreeMap;

use crate::entry::{Body, Entry, Kind};
use crate::id::{AuthorKey, EntryId};
use crate::order::OrderKey;

#[cfg(test)]
mod tests;

/// One person the conversation knows.
#[derive(Clone, Debug, Default)]
pub struct Person {
    names: BTreeMap<OrderKey, String>,
    admitted_by: BTreeMap<OrderKey, AuthorKey>,
}

/// Everyone the conversation knows. Whether they are members now is the graph's to say.
#[derive(Clone, Debug, Default)]
pub struct Members {
    room_name: Option<String>,
    topics: BTreeMap<OrderKey, String>,
    people: BTreeMap<AuthorKey, Person>,
}

impl Members {
    /// Folds an entry in. Entries may come in any order that has causes first; the outcome is the same.
    pub fn apply(&mut self, entry: &Entry, key: OrderKey) {
        // Nearly all entries are messages, and need not be read.
        if entry.record().kind == Kind::Message.number() {
            return;
        }
        match entry.body() {
            Body::Room(room) => {
                self.room_name = Some(room.name);
                self.people.entry(entry.author()).or_default();
            }
            Body::Admit(admit) => {
                let person = self.people.entry(admit.key).or_default();
                person.admitted_by.insert(key, entry.author());
            }
            Body::Nickname(name) => {
                self.people.entry(entry.author()).or_default().names.insert(key, name);
            }
            Body::Topic(topic) => drop(self.topics.insert(key, topic)),
            _ => {}
        }
    }

    /// What the room is about, by the last of those entries that count.
    #[must_use]
    pub fn topic(&self, counts: impl Fn(&EntryId) -> bool) -> Option<&str> {
        let last = self.topics.iter().rev().find(|(key, _)| counts(&key.id));
        last.map(|(_, topic)| topic.as_str()).filter(|topic| !topic.is_empty())
    }

    /// What the creator called the room; none before its first entry is here.
    #[must_use]
    pub fn room_name(&self) -> Option<&str> {
        self.room_name.as_deref()
    }

    /// What someone is called now.
    #[must_use]
    pub fn name(&self, author: &AuthorKey) -> Option<&str> {
        self.people.get(author)?.names.values().next_back().map(String::as_str)
    }

    /// What someone was called at a place in the order; before their first name, that.
    #[must_use]
    pub fn name_at(&self, author: &AuthorKey, key: &OrderKey) -> Option<&str> {
        let names = &self.people.get(author)?.names;
        let name = names.range(..=key).next_back().or_else(|| names.first_key_value());
        name.map(|(_, name)| name.as_str())
    }

    /// Everyone, ascending by key.
    pub fn people(&self) -> impl Iterator<Item = &AuthorKey> {
        self.people.keys()
    }

    /// Who let someone in first; none for the creator.
    #[must_use]
    pub fn admitted_by(&self, author: &AuthorKey) -> Option<&AuthorKey> {
        self.people.get(author)?.admitted_by.values().next()
    }
}
