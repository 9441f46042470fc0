//! What things look like. Colours only say again what signs, places and words say already.

use ratatui::style::{Color, Modifier, Style};
use replica::id::AuthorKey;

/// How to draw.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Theme {
    pub(crate) color: bool,
}

impl Theme {
    pub(crate) fn plain(self) -> Style {
        Style::new()
    }

    /// What is beside the conversation.
    pub(crate) fn quiet(self) -> Style {
        Style::new().add_modifier(Modifier::DIM)
    }

    pub(crate) fn strong(self) -> Style {
        Style::new().add_modifier(Modifier::BOLD)
    }

    /// What has been found, or is chosen.
    pub(crate) fn marked(self) -> Style {
        Style::new().add_modifier(Modifier::REVERSED)
    }

    /// The lines above and below the conversation.
    pub(crate) fn bar(self) -> Style {
        Style::new().add_modifier(Modifier::REVERSED)
    }

    /// Where something wants to be looked at.
    pub(crate) fn alert(self) -> Style {
        self.colored(Color::Yellow).add_modifier(Modifier::BOLD)
    }

    pub(crate) fn good(self) -> Style {
        self.colored(Color::Green)
    }

    /// A colour that stays with a person: public keys are spread evenly as they are.
    pub(crate) fn person(self, author: &AuthorKey) -> Style {
        self.colored(PEOPLE[usize::from(author.0[0]) % PEOPLE.len()])
    }

    /// What cameras read.
    pub(crate) fn code(self) -> Style {
        if self.color { Style::new().fg(Color::White).bg(Color::Black) } else { Style::new() }
    }

    fn colored(self, color: Color) -> Style {
        if self.color { Style::new().fg(color) } else { Style::new() }
    }
}

/// Those of the sixteen that can be read on black and on white.
const PEOPLE: [Color; 10] = [
    Color::Red,
    Color::Green,
    Color::Yellow,
    Color::Blue,
    Color::Magenta,
    Color::Cyan,
    Color::LightRed,
    Color::LightGreen,
    Color::LightBlue,
    Color::LightMagenta,
];
