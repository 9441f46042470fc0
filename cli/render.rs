//! Rows as people read them.

use replica::entry::Kind;
use replica::id::AuthorKey;
use replica_sync::engine::{Glimpse, Row};
use unicode_width::UnicodeWidthStr as _;

use crate::json::is_message;
use crate::people::People;
use crate::text;
use crate::time::LocalTime;

#[cfg(test)]
mod tests;

/// Draws rows, one after the other.
pub(crate) struct Renderer {
    local: LocalTime,
    color: bool,
    /// On a screen: the day stands above the first row of it. Elsewhere every row has its date, for `grep`.
    screen: bool,
    /// Where longer lines are broken.
    columns: Option<usize>,
    day: Option<String>,
}

impl Renderer {
    pub(crate) fn new(local: LocalTime, color: bool, screen: bool) -> Self {
        Self { local, color, screen, columns: None, day: None }
    }

    /// From now on lines are broken at so many columns.
    pub(crate) fn set_columns(&mut self, columns: Option<usize>) {
        self.columns = columns;
    }

    /// The lines of a row. One that came late, into what could have been read already, is marked.
    pub(crate) fn row(&mut self, row: &Row, people: &People) -> Vec<String> {
        let mut drawn = Vec::new();
        let time = if self.screen {
            drawn.extend(self.day_line(row.claimed_ms));
            self.local.minute(row.claimed_ms)
        } else {
            self.local.full(row.claimed_ms)
        };
        let late = if row.rows_after > 0 { "↷ " } else { "  " };
        let is_naming = row.kind == Kind::Nickname.number();
        let nick = row.nick.as_deref().filter(|_| !is_naming);
        let name = people.shown(&row.author, nick);
        let said = text::lines(&row.text);
        if !is_message(row) {
            let is_about_somebody = Kind::is_roster(row.kind);
            let said = said.join(" ");
            let line = format!("* {name} {}", if is_about_somebody { people.named(&said) } else { said });
            drawn.push(format!("{time} {late}{}", self.dim(&line)));
            return drawn;
        }
        if let Some(why) = folded(row, people) {
            drawn.push(format!("{time} {late}{}", self.dim(&format!("* {name}: {why}"))));
            return drawn;
        }
        let does = row.text.strip_prefix("/me ").map(|does| text::lines(&format!("{name} {does}")));
        let (name, mut said) = does.map_or((name, said), |does| ("*".to_owned(), does));
        let room = " ".repeat(NAME_WIDTH.saturating_sub(name.width()));
        let indent = time.width() + 1 + 2 + NAME_WIDTH.max(name.width());
        if let Some(columns) = self.columns {
            let columns = columns.saturating_sub(indent + 3);
            said = said.iter().flat_map(|line| text::wrap(line, columns)).collect();
        }
        let name = self.paint(&row.author, &name);
        let mut said = said.into_iter();
        drawn.push(format!("{time} {late}{room}{name} │ {}", said.next().unwrap_or_default()));
        drawn.extend(said.map(|line| format!("{:indent$} │ {line}", "")));
        drawn
    }

    /// The lines of a message whose past is not here yet.
    pub(crate) fn glimpse(&self, glimpse: &Glimpse, people: &People) -> Vec<String> {
        let time = self.local.full(glimpse.claimed_ms);
        let name = people.name(&glimpse.author);
        let mut said = text::lines(&glimpse.text);
        if let Some(columns) = self.columns {
            let columns = columns.saturating_sub(time.width() + name.width() + 4);
            said = said.iter().flat_map(|line| text::wrap(line, columns)).collect();
        }
        let line = |(index, line): (usize, &String)| match index {
            0 => self.dim(&format!("{time} {name} │ {line}")),
            _ => self.dim(&format!("{:indent$} │ {line}", "", indent = time.width() + 1 + name.width())),
        };
        said.iter().enumerate().map(line).collect()
    }

    fn day_line(&mut self, ms: u64) -> Option<String> {
        let day = self.local.day(ms);
        if self.day.as_ref() == Some(&day) {
            return None;
        }
        let line = self.dim(&format!("── {day} ──"));
        self.day = Some(day);
        Some(line)
    }

    fn dim(&self, words: &str) -> String {
        if self.color { format!("\x1b[2m{words}\x1b[0m") } else { words.to_owned() }
    }

    fn paint(&self, author: &AuthorKey, name: &str) -> String {
        if self.color { format!("\x1b[{}m{name}\x1b[0m", color_of(author)) } else { name.to_owned() }
    }
}

/// Why a message is folded, if it is.
fn folded(row: &Row, people: &People) -> Option<&'static str> {
    if !row.counts {
        return Some("(folded: written after they were removed)");
    }
    people.is_blocked(&row.author).then_some("(folded: blocked by you)")
}

/// A colour that stays with a person: public keys are spread evenly as they are.
fn color_of(author: &AuthorKey) -> u8 {
    COLORS[usize::from(author.0[0]) % COLORS.len()]
}

/// Those that can be read on black and on white.
const COLORS: [u8; 10] = [31, 32, 33, 34, 35, 36, 91, 92, 94, 95];

/// Names are set to the right of a column of this width; longer ones reach over it.
const NAME_WIDTH: usize = 8;
