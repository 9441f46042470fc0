//! The file of settings: what holds where neither a flag nor the environment says otherwise.

use std::borrow::Cow;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use clap::parser::ValueSource;
use clap::{ArgMatches, CommandFactory as _, FromArgMatches as _};
use serde::Deserialize;

use crate::args::{Args, ColorWhen};
use crate::config::default_home;
use crate::failure::{Exit, Failure};
use crate::text;
use crate::tui::Look;

mod look;
#[cfg(test)]
mod tests;

/// What may stand in the file. Each is as its flag, but for the tables, which are of the screen.
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
struct Settings {
    home: Option<PathBuf>,
    nick: Option<String>,
    room: Option<String>,
    peer: Option<Vec<String>>,
    listen: Option<String>,
    color: Option<ColorWhen>,
    open: Option<bool>,
    offline: Option<bool>,
    no_lan: Option<bool>,
    no_port_mapping: Option<bool>,
    rendezvous: Option<Vec<String>>,
    dht: Option<bool>,
    dht_bootstrap: Option<Vec<String>>,
    plain: Option<bool>,
    quiet: Option<bool>,
    no_input: Option<bool>,
    verbose: Option<u8>,
    log_file: Option<PathBuf>,
    passphrase_file: Option<PathBuf>,
    theme: look::Table,
    keys: look::Table,
}

/// Where a value comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Origin {
    Flag,
    Environment,
    File,
    Default,
}

impl Origin {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Flag => "flag",
            Self::Environment => "environment",
            Self::File => "file",
            Self::Default => "default",
        }
    }
}

/// One setting, as this run has it.
#[derive(Clone, Debug)]
pub(crate) struct Setting {
    pub(crate) name: Cow<'static, str>,
    pub(crate) value: Option<String>,
    pub(crate) origin: Origin,
}

/// All settings of this run.
#[derive(Clone, Debug, Default)]
pub(crate) struct Chosen {
    /// Where the file is, or would be.
    pub(crate) file: Option<PathBuf>,
    pub(crate) settings: Vec<Setting>,
    pub(crate) look: Look,
}

impl Chosen {
    /// What a setting is, if it has a value.
    pub(crate) fn value(&self, name: &str) -> Option<&str> {
        self.settings.iter().find(|setting| setting.name == name)?.value.as_deref()
    }

    /// Whether a setting stands on the command line.
    pub(crate) fn is_flag(&self, name: &str) -> bool {
        self.settings.iter().any(|setting| setting.name == name && setting.origin == Origin::Flag)
    }
}

/// Reads the file once more; the command line is as it was.
///
/// # Errors
/// Those of [`apply`].
pub(crate) fn again() -> Result<(Args, Chosen), Failure> {
    let matches = Args::command().get_matches();
    let mut args = Args::from_arg_matches(&matches).unwrap_or_else(|error| error.exit());
    let chosen = apply(&mut args, &matches)?;
    Ok((args, chosen))
}

/// Fills in from the file what the command line and the environment leave open.
///
/// # Errors
/// When the file cannot be read or says what cannot be, or one that was named is not there.
pub(crate) fn apply(args: &mut Args, matches: &ArgMatches) -> Result<Chosen, Failure> {
    let usual = directories::ProjectDirs::from("", "", "replica")
        .map(|folders| folders.config_dir().join("config.toml"));
    let (file, is_named) = match args.config.take() {
        Some(named) => (Some(named), true),
        None => (usual, false),
    };
    let (settings, look) = match &file {
        Some(path) => read(path, is_named)?,
        None => Default::default(),
    };
    let mut fill = Fill { matches, settings: Vec::new() };
    let shown_path = |path: &PathBuf| path.display().to_string();
    fill.option("home", &mut args.home, settings.home, shown_path);
    if args.home.is_none() {
        args.home = default_home().ok();
        fill.settings[0].value = args.home.as_ref().map(shown_path);
    }
    fill.option("nick", &mut args.nick, settings.nick, String::clone);
    fill.option("room", &mut args.room, settings.room, String::clone);
    fill.list("peer", &mut args.peer, settings.peer);
    fill.option("listen", &mut args.listen, settings.listen, String::clone);
    let color = |when: &ColorWhen| format!("{when:?}").to_lowercase();
    fill.option("color", &mut args.color, settings.color, color);
    fill.flag("open", &mut args.open, settings.open);
    fill.flag("offline", &mut args.offline, settings.offline);
    fill.flag("no-lan", &mut args.no_lan, settings.no_lan);
    fill.flag("no-port-mapping", &mut args.no_port_mapping, settings.no_port_mapping);
    fill.list("rendezvous", &mut args.rendezvous, settings.rendezvous);
    fill.flag("dht", &mut args.dht, settings.dht);
    fill.list("dht-bootstrap", &mut args.dht_bootstrap, settings.dht_bootstrap);
    fill.flag("plain", &mut args.plain, settings.plain);
    fill.flag("quiet", &mut args.quiet, settings.quiet);
    fill.flag("no-input", &mut args.no_input, settings.no_input);
    let mut verbose = Some(args.verbose).filter(|verbose| *verbose > 0);
    fill.option("verbose", &mut verbose, settings.verbose, u8::to_string);
    args.verbose = verbose.unwrap_or_default();
    fill.option("log-file", &mut args.log_file, settings.log_file, shown_path);
    fill.option("passphrase-file", &mut args.passphrase_file, settings.passphrase_file, shown_path);
    fill.settings.extend(look::settings(&look, &settings.theme, &settings.keys));
    let chosen = Chosen { file, settings: fill.settings, look };
    if args.offline && !chosen.is_flag("listen") {
        // What usually holds is not what this run was asked for.
        args.listen = None;
    }
    if chosen.is_flag("dht-bootstrap") && !args.dht {
        let what = "--dht-bootstrap says how to enter a table that is not asked for";
        return Err(Failure::new(Exit::Usage, what, "Add --dht, or leave it out."));
    }
    Ok(chosen)
}

/// Takes the values of the file where there are no others, and notes what comes from where.
struct Fill<'a> {
    matches: &'a ArgMatches,
    settings: Vec<Setting>,
}

impl Fill<'_> {
    fn option<T>(
        &mut self,
        name: &'static str,
        given: &mut Option<T>,
        of_file: Option<T>,
        shown: impl Fn(&T) -> String,
    ) {
        let origin = match (&given, &of_file) {
            (Some(_), _) => self.given(name),
            (None, Some(_)) => Origin::File,
            (None, None) => Origin::Default,
        };
        *given = given.take().or(of_file);
        self.settings.push(Setting { name: name.into(), value: given.as_ref().map(shown), origin });
    }

    fn list(&mut self, name: &'static str, given: &mut Vec<String>, of_file: Option<Vec<String>>) {
        let mut chosen = Some(std::mem::take(given)).filter(|all| !all.is_empty());
        self.option(name, &mut chosen, of_file, |all| all.join(","));
        *given = chosen.unwrap_or_default();
    }

    fn flag(&mut self, name: &'static str, given: &mut bool, of_file: Option<bool>) {
        // The environment may also say no.
        let is_said = *given || self.given(name) == Origin::Environment;
        let mut chosen = is_said.then_some(*given);
        self.option(name, &mut chosen, of_file, bool::to_string);
        *given = chosen.unwrap_or_default();
    }

    fn given(&self, name: &str) -> Origin {
        match self.matches.value_source(&name.replace('-', "_")) {
            Some(ValueSource::EnvVariable) => Origin::Environment,
            _ => Origin::Flag,
        }
    }
}

fn read(path: &Path, is_named: bool) -> Result<(Settings, Look), Failure> {
    let cannot = |why: &str| {
        let what = format!("the settings in {} cannot be used: {}", path.display(), text::line(why));
        Failure::new(Exit::Usage, what, "Mend the file, or name another one: --config FILE.")
    };
    let text = match fs::read_to_string(path) {
        Ok(text) => text,
        Err(error) if error.kind() == io::ErrorKind::NotFound && !is_named => return Ok(Default::default()),
        Err(error) => return Err(cannot(&error.to_string())),
    };
    let settings: Settings = toml::from_str(&text).map_err(|error| cannot(error.to_string().trim_end()))?;
    let look = look::read(&settings.theme, &settings.keys).map_err(|wrong| {
        let line = 1 + text.bytes().take(wrong.at).filter(|byte| *byte == b'\n').count();
        cannot(&format!("line {line}: {}", wrong.why))
    })?;
    Ok((settings, look))
}
