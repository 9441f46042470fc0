//! What lies over the conversation until it is closed.

use replica::limits::MESSAGE_BYTES_MAX;

use crate::qr;
use crate::text;
use crate::tui::app::App;
use crate::tui::input::normalised;

/// What it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Overlay {
    /// Something to read.
    Text { title: String, lines: Vec<String>, scroll: usize },
    /// A ticket to be handed over.
    Ticket(String),
    /// Much was pasted: whether it is meant.
    Paste(String),
}

impl Overlay {
    pub(crate) fn text(title: &str, words: &str) -> Self {
        let lines = words.lines().map(text::line).collect();
        Self::Text { title: title.to_owned(), lines, scroll: 0 }
    }

    pub(crate) fn title(&self) -> &str {
        match self {
            Self::Text { title, .. } => title,
            Self::Ticket(_) => "a ticket",
            Self::Paste(_) => "paste",
        }
    }

    /// What to press.
    pub(crate) fn keys(&self) -> &'static str {
        match self {
            Self::Text { .. } => "↑ ↓ · Esc closes",
            Self::Ticket(_) => "Esc closes",
            Self::Paste(_) => "Enter takes it · Esc drops it",
        }
    }

    /// Its lines on so many columns and lines.
    pub(crate) fn lines(&self, columns: usize, height: usize) -> Vec<String> {
        match self {
            Self::Text { lines, .. } => lines.iter().flat_map(|line| wrap_indented(line, columns)).collect(),
            Self::Ticket(ticket) => {
                let mut lines = text::wrap("Whoever has this comes in, by running:", columns);
                lines.push(String::new());
                let command: Vec<char> = format!("replica join {ticket}").chars().collect();
                lines.extend(command.chunks(columns.max(1)).map(|part| part.iter().collect::<String>()));
                lines.push(String::new());
                let code = qr::lines(ticket, false).unwrap_or_default();
                let fits = code.first().is_some_and(|line| line.chars().count() <= columns);
                if fits && lines.len() + code.len() <= height {
                    lines.extend(code);
                } else {
                    let words = "Keep replica running, so that somebody answers. In a larger window, or by \
                                 `replica invite --qr`, it is drawn as a QR code too.";
                    lines.extend(text::wrap(words, columns));
                }
                lines
            }
            Self::Paste(pasted) => {
                let count = pasted.lines().count();
                let mut lines = text::wrap(&format!("{count} lines were pasted, beginning with:"), columns);
                lines.push(String::new());
                lines
                    .extend(pasted.lines().take(3).map(|line| super::paint::cut(&text::line(line), columns)));
                lines.push("…".to_owned());
                lines.push(String::new());
                lines.extend(text::wrap("Take them into the message? It is not sent before Enter.", columns));
                lines
            }
        }
    }
}

/// Wraps a line; what follows stands under what stands behind its first word, as in a list of commands.
fn wrap_indented(line: &str, columns: usize) -> Vec<String> {
    let indent = line.find("  ").map_or(0, |gap| gap + line[gap..].len() - line[gap..].trim_start().len());
    if indent == 0 || indent > columns / 2 || line.chars().count() <= columns {
        return text::wrap(line, columns);
    }
    let (head, tail) = line.split_at(indent);
    let mut parts = text::wrap(tail, columns - indent).into_iter();
    let first = format!("{head}{}", parts.next().unwrap_or_default());
    std::iter::once(first).chain(parts.map(|part| format!("{:indent$}{part}", ""))).collect()
}

impl App {
    /// Shows something to read.
    pub(crate) fn show_text(&mut self, title: &str, words: &str) {
        self.overlay = Some(Overlay::text(title, words));
    }

    pub(crate) fn show_ticket(&mut self, ticket: String) {
        self.overlay = Some(Overlay::Ticket(ticket));
    }

    /// Something was pasted. Much of it is asked about: it may have been meant for another window.
    pub(crate) fn on_paste(&mut self, pasted: &str) {
        self.hint = None;
        self.completion = None;
        let pasted = normalised(pasted);
        if self.prompt.is_some() {
            self.paste(&pasted.replace('\n', " "));
        } else if pasted.lines().count() > PASTED_LINES_MAX {
            self.overlay = Some(Overlay::Paste(pasted));
        } else {
            self.overlay = None;
            self.paste(&pasted);
        }
    }

    pub(super) fn paste(&mut self, pasted: &str) {
        if !self.prompt.as_mut().unwrap_or(&mut self.input).paste(pasted) {
            self.hint = Some(format!("Not pasted: a message has at most {MESSAGE_BYTES_MAX} bytes."));
        }
    }

    pub(super) fn scroll_overlay(&mut self, by: isize) {
        let areas = self.areas();
        let (columns, height) = (usize::from(areas.inner().width), usize::from(areas.inner().height));
        if let Some(overlay) = &mut self.overlay {
            let count = overlay.lines(columns, height).len();
            if let Overlay::Text { scroll, .. } = overlay {
                *scroll = scroll.saturating_add_signed(by).min(count.saturating_sub(height));
            }
        }
    }
}

/// More lines than these are asked about.
const PASTED_LINES_MAX: usize = 5;
