//! What things look like. Colours only say again what signs, places and words say already.

use ratatui::style::{Color, Modifier, Style};
use replica::id::AuthorKey;

#[cfg(test)]
mod tests;

/// What may have a colour of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Role {
    Accent,
    Dim,
    Mention,
    Late,
    Alert,
    Good,
    Found,
}

/// Each with its name in the settings.
pub(crate) const ROLES: [(Role, &str); 7] = [
    (Role::Accent, "accent"),
    (Role::Dim, "dim"),
    (Role::Mention, "mention"),
    (Role::Late, "late"),
    (Role::Alert, "alert"),
    (Role::Good, "good"),
    (Role::Found, "found"),
];

/// The themes that have names. The first holds unless another is chosen.
pub(crate) const THEMES: [&str; 4] = ["usual", "dark", "light", "mono"];

/// How to draw.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Theme {
    /// Of which of [`THEMES`] it is a change.
    name: &'static str,
    has_colors: bool,
    pub(crate) nicks: Vec<Color>,
    roles: [Option<Color>; ROLES.len()],
}

/// How many colours a terminal has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Depth {
    /// None, or none that are wanted.
    Mono,
    Sixteen,
    Indexed,
    True,
}

impl Depth {
    /// What a terminal has that describes itself so, by COLORTERM and TERM.
    pub(crate) fn of(colorterm: &str, term: &str) -> Self {
        let says = |word| colorterm.contains(word) || term.contains(word);
        if says("truecolor") || says("24bit") || term.ends_with("-direct") {
            Self::True
        } else if says("256") {
            Self::Indexed
        } else {
            Self::Sixteen
        }
    }

    /// A colour, as far as it can be shown.
    fn fit(self, color: Color) -> Option<Color> {
        match (self, color) {
            (Self::Mono, _) | (Self::Sixteen, Color::Rgb(..) | Color::Indexed(_)) => None,
            (Self::Indexed, Color::Rgb(red, green, blue)) => {
                let [red, green, blue] = [red, green, blue].map(step);
                Some(Color::Indexed(16 + 36 * red + 6 * green + blue))
            }
            (_, color) => Some(color),
        }
    }
}

/// The nearest of the six steps that 256 colours have for each of red, green and blue.
fn step(value: u8) -> u8 {
    const STEPS: [(u8, u8); 6] = [(0, 0), (1, 95), (2, 135), (3, 175), (4, 215), (5, 255)];
    let nearest = STEPS.into_iter().min_by_key(|(_, step)| step.abs_diff(value));
    nearest.map_or(0, |(number, _)| number)
}

impl Default for Theme {
    fn default() -> Self {
        Self::named(THEMES[0])
    }
}

impl Theme {
    /// One of [`THEMES`]; the first, if it is none.
    pub(crate) fn named(name: &str) -> Self {
        use Color::{
            Blue, Cyan, DarkGray, Green, LightBlue, LightCyan, LightGreen, LightMagenta, LightRed,
            LightYellow, Magenta, Red, Yellow,
        };
        let (nicks, [accent, mention, late, alert, good, found]): (&[Color], _) = match name {
            "mono" => (&[], [None; 6]),
            "dark" => (
                &[LightRed, LightGreen, LightYellow, LightBlue, LightMagenta, LightCyan, Green, Yellow, Cyan],
                [Cyan, LightYellow, LightMagenta, LightYellow, LightGreen, LightYellow].map(Some),
            ),
            "light" => (
                &[Red, Green, Blue, Magenta, Cyan, DarkGray],
                [Blue, Red, Magenta, Red, Green, Blue].map(Some),
            ),
            // Those of the sixteen that can be read on black and on white.
            _ => (
                &[Red, Green, Yellow, Blue, Magenta, Cyan, LightRed, LightGreen, LightBlue, LightMagenta],
                [None, Some(Yellow), Some(Yellow), Some(Yellow), Some(Green), None],
            ),
        };
        Self {
            name: THEMES.into_iter().find(|known| *known == name).unwrap_or(THEMES[0]),
            has_colors: true,
            nicks: nicks.to_vec(),
            roles: [accent, None, mention, late, alert, good, found],
        }
    }

    /// As it can be shown with so many colours: where one cannot, that of the theme's name stands.
    pub(crate) fn on(mut self, depth: Depth) -> Self {
        let base = Self::named(self.name);
        for (own, usual) in self.roles.iter_mut().zip(base.roles) {
            *own = own.and_then(|color| depth.fit(color).or(usual)).and_then(|color| depth.fit(color));
        }
        let mut nicks: Vec<Color> = self.nicks.iter().filter_map(|color| depth.fit(*color)).collect();
        if nicks.is_empty() && !self.nicks.is_empty() && depth != Depth::Mono {
            nicks = base.nicks;
        }
        self.nicks = nicks;
        self.has_colors = depth != Depth::Mono;
        self
    }

    pub(crate) fn name(&self) -> &'static str {
        self.name
    }

    pub(crate) fn color(&self, role: Role) -> Option<Color> {
        self.roles[role as usize]
    }

    pub(crate) fn set(&mut self, role: Role, color: Color) {
        self.roles[role as usize] = Some(color);
    }

    pub(crate) fn plain(&self) -> Style {
        Style::new()
    }

    /// What is beside the conversation.
    pub(crate) fn quiet(&self) -> Style {
        match self.color(Role::Dim) {
            Some(color) => Style::new().fg(color),
            None => Style::new().add_modifier(Modifier::DIM),
        }
    }

    pub(crate) fn strong(&self) -> Style {
        Style::new().add_modifier(Modifier::BOLD)
    }

    /// What has been found, or is chosen.
    pub(crate) fn marked(&self) -> Style {
        self.colored(Role::Found).add_modifier(Modifier::REVERSED)
    }

    /// The lines above and below the conversation.
    pub(crate) fn bar(&self) -> Style {
        self.colored(Role::Accent).add_modifier(Modifier::REVERSED)
    }

    /// Where something wants to be looked at.
    pub(crate) fn alert(&self) -> Style {
        self.colored(Role::Alert).add_modifier(Modifier::BOLD)
    }

    /// Beside what names us.
    pub(crate) fn mention(&self) -> Style {
        self.colored(Role::Mention).add_modifier(Modifier::BOLD)
    }

    /// Beside what arrived late.
    pub(crate) fn late(&self) -> Style {
        self.colored(Role::Late).add_modifier(Modifier::BOLD)
    }

    pub(crate) fn good(&self) -> Style {
        self.colored(Role::Good)
    }

    /// A colour that stays with a person: public keys are spread evenly as they are.
    pub(crate) fn person(&self, author: &AuthorKey) -> Style {
        match self.nicks.len() {
            0 => Style::new(),
            count => Style::new().fg(self.nicks[usize::from(author.0[0]) % count]),
        }
    }

    /// What cameras read.
    pub(crate) fn code(&self) -> Style {
        if self.has_colors { Style::new().fg(Color::White).bg(Color::Black) } else { Style::new() }
    }

    fn colored(&self, role: Role) -> Style {
        self.color(role).map_or_else(Style::new, |color| Style::new().fg(color))
    }
}
