//! Items of the log as lines of a screen. All text of others is made safe here.

use ratatui::style::Style;
use ratatui::text::{Line, Span};
use replica::entry::Kind;
use replica::id::AuthorKey;
use replica::order::OrderKey;
use replica_sync::engine::Row;
use replica_sync::node::mentions;
use unicode_segmentation::UnicodeSegmentation as _;
use unicode_width::UnicodeWidthStr as _;

use crate::json::is_message;
use crate::people::People;
use crate::text;
use crate::time::LocalTime;
use crate::tui::causes::{Bracket, Causes};
use crate::tui::holders::Holders;
use crate::tui::theme::Theme;
use crate::tui::window::Item;

/// Everything that drawing an item needs to know.
pub(crate) struct Painter<'a> {
    pub(crate) people: &'a People,
    pub(crate) me: &'a AuthorKey,
    pub(crate) theme: &'a Theme,
    pub(crate) local: &'a LocalTime,
    pub(crate) columns: usize,
    pub(crate) causes: &'a Causes,
    pub(crate) holders: &'a Holders,
    /// What is being searched for, in small letters.
    pub(crate) found: Option<&'a str>,
    /// The last row that had been read.
    pub(crate) read_to: Option<OrderKey>,
}

/// An item as lines: those that only tell where it stands, and its own.
#[derive(Debug, Default)]
pub(crate) struct Painted {
    pub(crate) above: Vec<Line<'static>>,
    pub(crate) body: Vec<Line<'static>>,
}

impl Painter<'_> {
    /// Draws an item that follows a row, or nothing.
    pub(crate) fn paint(&self, item: &Item, before: Option<&Row>) -> Painted {
        match item {
            Item::Row { row, is_late } => self.row(row, *is_late, before),
            Item::Note(words) => Painted { above: Vec::new(), body: self.note(words) },
            Item::Draft { written_ms, text } => {
                let name = self.people.name(self.me);
                let head =
                    Head { time: Some(*written_ms), mark: "…", ..Head::of(&name, self.theme.quiet()) };
                let mut body = self.said(&head, &text::lines(text), self.theme.quiet());
                body.extend(self.note("a draft: it waits here until you are let in"));
                Painted { above: Vec::new(), body }
            }
            Item::Glimpse(glimpse) => {
                let name = self.people.name(&glimpse.author);
                let time = Some(glimpse.claimed_ms);
                let head = Head { time, mark: "⋯", ..Head::of(&name, self.theme.quiet()) };
                let body = self.said(&head, &text::lines(&glimpse.text), self.theme.quiet());
                Painted { above: Vec::new(), body }
            }
        }
    }

    fn row(&self, row: &Row, is_late: bool, before: Option<&Row>) -> Painted {
        let above = self.lines_above(row, before);
        let minute = |row: &Row| self.local.full(row.claimed_ms);
        let is_same_time = above.is_empty() && before.is_some_and(|before| minute(before) == minute(row));
        let is_naming = row.kind == Kind::Nickname.number();
        let name = self.people.shown(&row.author, row.nick.as_deref().filter(|_| !is_naming));
        let is_own = row.author == *self.me;
        let (mut mark, mut style) = ("", self.theme.plain());
        let mut lines = text::lines(&row.text);
        let mut head = Head::of(&name, self.theme.person(&row.author));
        if !is_message(row) {
            let said = lines.join(" ");
            let said = if Kind::is_roster(row.kind) { self.people.named(&said) } else { said };
            lines = vec![format!("{name} {said}")];
            style = self.theme.quiet();
            head = Head::of("·", style);
        } else if let Some(why) = self.folded(row) {
            lines = vec![why.to_owned()];
            style = self.theme.quiet();
        } else {
            if let Some(does) = row.text.strip_prefix("/me ") {
                lines = text::lines(&format!("{name} {does}"));
                head = Head::of("*", self.theme.person(&row.author));
            }
            head.is_strong = is_own;
            head.is_mention = !is_own && self.mentions_me(&row.text);
            if is_own {
                mark = self.holders.sign(row);
            }
        }
        head.time = (!is_same_time).then_some(row.claimed_ms);
        head.is_again = is_same_time && before.is_some_and(|it| it.author == row.author && is_message(it));
        head.bracket = self.causes.brackets.get(&row.key).copied();
        head.mark = mark;
        head.is_late = is_late;
        Painted { above, body: self.said(&head, &lines, style) }
    }

    /// The day where it changes, and where what is new begins.
    fn lines_above(&self, row: &Row, before: Option<&Row>) -> Vec<Line<'static>> {
        let mut above = Vec::new();
        let day = self.local.day(row.claimed_ms);
        if before.is_none_or(|before| self.local.day(before.claimed_ms) != day) {
            above.push(self.rule(&day, self.theme.quiet()));
        }
        let is_new = self.read_to.is_some_and(|read| row.key > read);
        if is_new && before.is_some_and(|before| self.read_to.is_some_and(|read| before.key <= read)) {
            above.push(self.rule("new", self.theme.alert()));
        }
        above
    }

    fn rule(&self, words: &str, style: Style) -> Line<'static> {
        let behind = self.columns.saturating_sub(words.width() + 4);
        Line::styled(format!("── {words} {}", "─".repeat(behind)), style)
    }

    /// Why a message is folded, if it is.
    fn folded(&self, row: &Row) -> Option<&'static str> {
        if !row.counts {
            return Some("(folded: written after they were removed)");
        }
        self.people.is_blocked(&row.author).then_some("(folded: blocked by you)")
    }

    /// Whether a message is meant for us by name.
    pub(crate) fn mentions_me(&self, said: &str) -> bool {
        mentions(said, &self.people.name(self.me))
    }

    fn note(&self, words: &str) -> Vec<Line<'static>> {
        let indent = if self.is_wide() { TIME_WIDTH + 3 } else { 0 };
        let columns = self.columns.saturating_sub(indent + 2);
        let parts = words.lines().map(text::line).flat_map(|line| text::wrap(&line, columns));
        let signs = std::iter::once("┄ ").chain(std::iter::repeat("  "));
        let line = |(sign, part): (&str, String)| {
            Line::styled(format!("{:indent$}{sign}{part}", ""), self.theme.quiet())
        };
        signs.zip(parts).map(line).collect()
    }

    pub(crate) fn is_wide(&self) -> bool {
        self.columns >= WIDE_COLUMNS
    }

    /// A text beside its head.
    fn said(&self, head: &Head<'_>, lines: &[String], style: Style) -> Vec<Line<'static>> {
        let time = head.time.map_or_else(String::new, |ms| self.local.minute(ms));
        let bracket = match head.bracket {
            Some(Bracket::First) => "┌",
            Some(Bracket::Inner) => "│",
            Some(Bracket::Last) => "└",
            None => " ",
        };
        // What is below the first line of a row belongs to the stretch too, unless it ends there.
        let below = if matches!(head.bracket, Some(Bracket::First | Bracket::Inner)) { "│" } else { " " };
        let name_style = if head.is_strong { head.style.patch(self.theme.strong()) } else { head.style };
        let bar = if head.is_mention { "▌" } else { "│" };
        let bar_style = if head.is_mention { self.theme.mention() } else { self.theme.quiet() };
        let mut drawn = Vec::new();
        let (indent, name_width) = if self.is_wide() {
            let name_width = (self.columns / 8).clamp(9, 24);
            (TIME_WIDTH + 3 + name_width + 3, name_width)
        } else {
            (3, 0)
        };
        let columns = self.columns.saturating_sub(indent + MARK_WIDTH);
        let parts: Vec<String> = lines.iter().flat_map(|line| text::wrap(line, columns)).collect();
        if !self.is_wide() && !head.is_again {
            let name = cut(head.name, self.columns.saturating_sub(TIME_WIDTH + 3));
            drawn.push(Line::from(vec![
                Span::styled(format!("{time:TIME_WIDTH$} "), self.theme.quiet()),
                Span::styled(name, name_style),
            ]));
        }
        for (at, part) in parts.into_iter().enumerate() {
            let mut spans = Vec::new();
            if self.is_wide() {
                let (time, name, bracket) =
                    if at == 0 { (time.as_str(), head.name, bracket) } else { ("", "", below) };
                spans.push(Span::styled(format!("{time:TIME_WIDTH$} {bracket} "), self.theme.quiet()));
                let name = cut(name, name_width);
                spans.push(Span::raw(" ".repeat(name_width.saturating_sub(name.width()))));
                spans.push(Span::styled(name, name_style));
                spans.push(Span::styled(format!(" {bar} "), bar_style));
            } else {
                let bracket = if at == 0 { bracket } else { below };
                let bar = if head.is_mention { "▌" } else { " " };
                spans.push(Span::styled(format!("{bracket}{bar} "), bar_style));
            }
            let mark = if at == 0 { self.mark(head, columns.saturating_sub(part.width())) } else { None };
            let width = part.width();
            self.highlight(&part, style, &mut spans);
            if let Some((mark, mark_style)) = mark {
                let gap = (columns + MARK_WIDTH).saturating_sub(width + mark.width());
                spans.push(Span::raw(" ".repeat(gap)));
                spans.push(Span::styled(mark, mark_style));
            }
            drawn.push(Line::from(spans));
        }
        drawn
    }

    /// What stands at the right edge of a row with so much room to its left.
    fn mark(&self, head: &Head<'_>, room: usize) -> Option<(String, Style)> {
        if head.is_late {
            let words = if room > 6 { "↷ late" } else { "↷" };
            let mark = if head.mark.is_empty() { words.to_owned() } else { format!("{words} {}", head.mark) };
            return Some((mark, self.theme.late()));
        }
        let style = if head.mark == "●" { self.theme.good() } else { self.theme.plain() };
        (!head.mark.is_empty()).then(|| (head.mark.to_owned(), style))
    }

    /// The part of a text, with what is searched for made to stand out.
    fn highlight(&self, part: &str, style: Style, spans: &mut Vec<Span<'static>>) {
        let Some(wanted) = self.found.filter(|wanted| !wanted.is_empty()) else {
            return spans.push(Span::styled(part.to_owned(), style));
        };
        let mut rest = part;
        while let Some((from, to)) = find(rest, wanted) {
            spans.push(Span::styled(rest[..from].to_owned(), style));
            spans.push(Span::styled(rest[from..to].to_owned(), self.theme.marked()));
            rest = &rest[to..];
        }
        spans.push(Span::styled(rest.to_owned(), style));
    }
}

/// Where a text in small letters stands first, whatever the case.
fn find(text: &str, wanted: &str) -> Option<(usize, usize)> {
    text.char_indices().find_map(|(from, _)| {
        let mut left = wanted;
        for (at, c) in text[from..].char_indices() {
            for small in c.to_lowercase() {
                left = left.strip_prefix(small)?;
            }
            if left.is_empty() {
                return Some((from, from + at + c.len_utf8()));
            }
        }
        None
    })
}

/// A name in so many columns.
pub(crate) fn cut(name: &str, columns: usize) -> String {
    if name.width() <= columns {
        return name.to_owned();
    }
    let mut kept = String::new();
    for cell in name.graphemes(true) {
        if kept.width() + cell.width() + 1 > columns {
            break;
        }
        kept.push_str(cell);
    }
    if columns > 0 { format!("{kept}…") } else { kept }
}

/// What stands beside a text.
struct Head<'a> {
    name: &'a str,
    style: Style,
    /// None where it is the same minute as above.
    time: Option<u64>,
    bracket: Option<Bracket>,
    mark: &'a str,
    is_late: bool,
    is_strong: bool,
    is_mention: bool,
    /// Whether the head of the row above says all of it.
    is_again: bool,
}

impl<'a> Head<'a> {
    fn of(name: &'a str, style: Style) -> Self {
        Self {
            name,
            style,
            time: None,
            bracket: None,
            mark: "",
            is_late: false,
            is_strong: false,
            is_mention: false,
            is_again: false,
        }
    }
}

/// From here on names stand beside the text and not above it.
const WIDE_COLUMNS: usize = 48;

const TIME_WIDTH: usize = 5;

/// The right edge.
const MARK_WIDTH: usize = 2;
