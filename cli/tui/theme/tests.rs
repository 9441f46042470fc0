use super::*;

const ORANGE: Color = Color::Rgb(255, 135, 0);

/// The usual theme with late rows in orange.
fn orange() -> Theme {
    let mut theme = Theme::default();
    theme.set(Role::Late, ORANGE);
    theme.nicks = vec![ORANGE, Color::Indexed(99)];
    theme
}

#[test]
fn a_terminal_is_given_the_colours_that_it_has() {
    let late = |depth| orange().on(depth).color(Role::Late);
    assert_eq!(late(Depth::True), Some(ORANGE));
    assert_eq!(late(Depth::Indexed), Some(Color::Indexed(208)));
    assert_eq!(late(Depth::Sixteen), Theme::default().color(Role::Late));
    assert_eq!(orange().on(Depth::Sixteen).nicks, Theme::default().nicks);
}

#[test]
fn without_colours_nothing_is_coloured_whatever_the_theme() {
    for theme in THEMES.map(Theme::named).into_iter().chain([orange()]) {
        let plain = theme.on(Depth::Mono);
        assert!(ROLES.iter().all(|(role, _)| plain.color(*role).is_none()) && plain.nicks.is_empty());
        assert_eq!(plain.code(), Style::new());
    }
}

#[test]
fn themes_with_names_are_shown_alike_on_every_terminal_with_colours() {
    for name in THEMES {
        assert_eq!(Theme::named(name).name(), name);
        assert_eq!(Theme::named(name).on(Depth::Sixteen), Theme::named(name));
    }
}

#[test]
fn a_terminal_says_how_many_colours_it_has() {
    assert_eq!(Depth::of("truecolor", "xterm-256color"), Depth::True);
    assert_eq!(Depth::of("", "xterm-256color"), Depth::Indexed);
    assert_eq!(Depth::of("1", "linux"), Depth::Sixteen);
    assert_eq!(Depth::of("", "xterm-direct"), Depth::True);
}

#[test]
fn the_guide_lists_what_may_have_a_colour() {
    let guide = include_str!("../../../docs/guide.md");
    let table = guide.split("| in `[theme]` |").nth(1).unwrap();
    let rows: Vec<&str> = table.lines().skip(2).take_while(|line| line.starts_with('|')).collect();
    let names = ["name", "nicks"].into_iter().chain(ROLES.map(|(_, name)| name));
    assert_eq!(rows.len(), ROLES.len() + 2, "{rows:#?}");
    for (row, name) in rows.iter().zip(names) {
        assert!(row.starts_with(&format!("| `{name}` |")), "{row} is not about {name}");
    }
    assert!(THEMES.iter().all(|name| rows[0].contains(&format!("`{name}`"))), "{}", rows[0]);
}
