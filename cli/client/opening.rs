//! A home that was named: opened here, or open in another process.

use replica::home::{Home, HomeError, rooms_called};
use replica::id::RoomId;

use crate::config::{Config, checked_nick};
use crate::failure::{Exit, Failure};
use crate::text;

/// A home, and who has it.
pub(crate) enum Opened {
    /// This process has it.
    Here(Box<Home>),
    /// Another one has it, and may let us work through it.
    There(Box<Config>),
}

impl Opened {
    /// The home, if it is ours.
    pub(crate) fn home(&mut self) -> Option<&mut Home> {
        match self {
            Self::Here(home) => Some(home),
            Self::There(_) => None,
        }
    }
}

/// Opens the home that was named, and the room, if one was.
///
/// # Errors
/// When there is no such room, or the home cannot be used.
pub(crate) fn open_home(config: &Config) -> Result<Opened, anyhow::Error> {
    match Home::open_with(&config.home, config.unsealed.as_ref()) {
        Ok(mut home) => {
            enter_room(&mut home, config)?;
            Ok(Opened::Here(Box::new(home)))
        }
        // Where its key is sealed, another one had it a moment ago.
        Err(HomeError::Locked { .. } | HomeError::Sealed { .. }) => {
            Ok(Opened::There(Box::new(config.clone())))
        }
        Err(error) => Err(error.into()),
    }
}

/// Opens the home that was named for what only its holder can do.
///
/// # Errors
/// Also when another process has it.
pub(crate) fn open_own_home(config: &Config) -> Result<Home, anyhow::Error> {
    let mut home = Home::open_with(&config.home, config.unsealed.as_ref())?;
    enter_room(&mut home, config)?;
    Ok(home)
}

/// Makes the room that was named the current one.
pub(super) fn enter_room(home: &mut Home, config: &Config) -> Result<(), anyhow::Error> {
    if let Some(wanted) = &config.room {
        let rooms: Vec<(RoomId, String)> =
            home.state().rooms.iter().map(|room| (room.id, room.name.clone())).collect();
        let id = find_room(&rooms, wanted)?;
        home.change(|state| state.current_room = Some(id))?;
    }
    Ok(())
}

/// The room with a name, or whose id begins so.
///
/// # Errors
/// When there is none, or more than one.
pub(crate) fn find_room(rooms: &[(RoomId, String)], wanted: &str) -> Result<RoomId, Failure> {
    let found = rooms_called(rooms, wanted);
    if let [room] = found.as_slice() {
        return Ok(*room);
    }
    let what = if found.is_empty() { "there is no room" } else { "there is more than one room" };
    let what = format!("{what} {} in this home", text::name(wanted));
    let names: Vec<String> =
        rooms.iter().map(|(id, name)| format!("{} ({})", text::name(name), &id.to_string()[..8])).collect();
    let next = match names.as_slice() {
        [] => "It has none yet: `replica` makes one, `replica join TICKET` enters one.".to_owned(),
        names => format!("Its rooms are {}.", names.join(", ")),
    };
    Err(Failure::new(Exit::Failed, what, next))
}

/// What this author is to be called, if that is to be set: what was named, or on the first run the user's name.
pub(crate) fn nick_to_set(config: &Config, opened: &Opened) -> Option<String> {
    match (&config.nick, opened) {
        (Some(nick), _) => Some(nick.clone()),
        (None, Opened::Here(home)) if home.state().nick.is_none() => Some(user_name()),
        (None, _) => None,
    }
}

/// What the system calls the user.
pub(crate) fn user_name() -> String {
    let of_system = ["USER", "LOGNAME"].into_iter().filter_map(|name| std::env::var(name).ok());
    of_system.filter_map(|name| checked_nick(&name).ok()).next().unwrap_or_else(|| "someone".to_owned())
}
