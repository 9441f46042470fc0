//! What the file of settings says of the screen: `[theme]` and `[keys]`.

use std::collections::BTreeMap;

use ratatui::style::Color;
use toml::{Spanned, Value};

use crate::settings::{Origin, Setting};
use crate::text;
use crate::tui::Look;
use crate::tui::bindings::{Act, BINDABLE, Bindings, Key, KeyError};
use crate::tui::theme::{ROLES, THEMES, Theme};

/// A table, with where each value stands in the file.
pub(super) type Table = BTreeMap<String, Spanned<Value>>;

/// What is wrong, and at which byte of the file.
#[derive(Debug)]
pub(super) struct Wrong {
    pub(super) at: usize,
    pub(super) why: LookError,
}

/// Why a table says nothing of the screen.
#[derive(Debug, thiserror::Error)]
pub(super) enum LookError {
    #[error("there is no `{}` in [{table}]{}", text::line(name), meant(*near))]
    Name { table: &'static str, name: String, near: Option<&'static str> },
    #[error("there is no theme of that name{}: {}", meant(*near), THEMES.join(", "))]
    Theme { near: Option<&'static str> },
    #[error("a colour is a name as in \"light-blue\", or \"#rrggbb\", or a number up to 255")]
    Color,
    #[error("a list of colours stands in brackets, as in [\"red\", \"#00afd7\"]")]
    Colors,
    #[error("{0}")]
    Key(#[from] KeyError),
    #[error("a key is a text, as in \"alt+l\"")]
    NoKey,
    #[error("`{name}` and `{other}` would be the same key: give one of them another")]
    Taken { name: &'static str, other: &'static str },
}

fn meant(near: Option<&str>) -> String {
    near.map_or_else(String::new, |near| format!("; did you mean `{near}`?"))
}

/// Reads both tables.
///
/// # Errors
/// With the first thing that cannot be, by its place in the file.
pub(super) fn read(theme: &Table, keys: &Table) -> Result<Look, Wrong> {
    Ok(Look { theme: read_theme(theme)?, bindings: read_keys(keys)? })
}

fn read_theme(table: &Table) -> Result<Theme, Wrong> {
    let mut theme = Theme::default();
    if let Some(name) = table.get("name") {
        let name_of = name.get_ref().as_str().unwrap_or_default();
        if !THEMES.contains(&name_of) {
            return Err(wrong(name, LookError::Theme { near: text::nearest(name_of, THEMES) }));
        }
        theme = Theme::named(name_of);
    }
    for (name, value) in table.iter().filter(|(name, _)| *name != "name") {
        let role = ROLES.into_iter().find(|(_, known)| known == name).map(|(role, _)| role);
        match role {
            Some(role) => {
                theme.set(role, color(value.get_ref()).ok_or_else(|| wrong(value, LookError::Color))?)
            }
            None if name == "nicks" => {
                let all = value.get_ref().as_array().ok_or_else(|| wrong(value, LookError::Colors))?;
                let nicks: Option<Vec<Color>> = all.iter().map(color).collect();
                theme.nicks = nicks.ok_or_else(|| wrong(value, LookError::Color))?;
            }
            None => {
                let known = ["name", "nicks"].into_iter().chain(ROLES.map(|(_, name)| name));
                return Err(no_name("theme", name, value, known));
            }
        }
    }
    Ok(theme)
}

fn read_keys(table: &Table) -> Result<Bindings, Wrong> {
    let mut bindings = Bindings::default();
    let mut set: Vec<(Act, &'static str, &Spanned<Value>)> = Vec::new();
    for (name, value) in table {
        let Some(it) = BINDABLE.iter().find(|it| it.name == name) else {
            return Err(no_name("keys", name, value, BINDABLE.iter().map(|it| it.name)));
        };
        let words = value.get_ref().as_str().ok_or_else(|| wrong(value, LookError::NoKey))?;
        bindings.set(it.act, Key::parse(words).map_err(|error| wrong(value, error.into()))?);
        set.push((it.act, it.name, value));
    }
    // Only when all are set: two may have changed places.
    for (act, name, value) in set {
        if let Some(other) = bindings.other(act) {
            return Err(wrong(value, LookError::Taken { name, other }));
        }
    }
    Ok(bindings)
}

fn color(value: &Value) -> Option<Color> {
    match value {
        Value::String(words) => words.parse().ok(),
        Value::Integer(number) => u8::try_from(*number).ok().map(Color::Indexed),
        _ => None,
    }
}

fn wrong(value: &Spanned<Value>, why: LookError) -> Wrong {
    Wrong { at: value.span().start, why }
}

fn no_name(
    table: &'static str,
    name: &str,
    value: &Spanned<Value>,
    known: impl IntoIterator<Item = &'static str>,
) -> Wrong {
    let near = text::nearest(name, known);
    wrong(value, LookError::Name { table, name: name.to_owned(), near })
}

/// Each choice as it holds, by its name in the file.
pub(super) fn settings(look: &Look, theme: &Table, keys: &Table) -> Vec<Setting> {
    let origin =
        |table: &Table, name: &str| if table.contains_key(name) { Origin::File } else { Origin::Default };
    let shown = |color: &Color| color.to_string().to_lowercase();
    let of_theme = |name: &str, value| Setting {
        name: format!("theme.{name}").into(),
        value,
        origin: origin(theme, name),
    };
    let nicks: Vec<String> = look.theme.nicks.iter().map(shown).collect();
    let mut all = vec![
        of_theme("name", Some(look.theme.name().to_owned())),
        of_theme("nicks", (!nicks.is_empty()).then(|| nicks.join(","))),
    ];
    all.extend(ROLES.map(|(role, name)| of_theme(name, look.theme.color(role).as_ref().map(shown))));
    all.extend(BINDABLE.iter().map(|it| Setting {
        name: format!("keys.{}", it.name).into(),
        value: Some(look.bindings.key(it.act).setting()),
        origin: origin(keys, it.name),
    }));
    all
}
