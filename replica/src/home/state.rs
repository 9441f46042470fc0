//! What a home keeps beside the stores, as a file of JSON.

use std::fmt;
use std::fs;
use std::io;
use std::net::SocketAddr;
use std::path::Path;
use std::str::FromStr;

use data_encoding::HEXLOWER;
use serde::{Deserialize, Serialize};

use super::{HomeError, Place, at};
use crate::files;
use crate::id::{AuthorKey, RoomId};

/// Version of the file. A later one is refused: writing it back would lose what this version does not know.
const VERSION: u32 = 1;

/// What a home keeps beside the stores.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct State {
    version: u32,
    /// The name shown beside this author's key.
    pub nick: Option<String>,
    /// The room that a plain call opens.
    #[serde(with = "text::option")]
    pub current_room: Option<RoomId>,
    /// Where it listened last.
    pub listened_at: Option<SocketAddr>,
    /// The rooms, in the order in which they came.
    pub rooms: Vec<RoomState>,
    /// What was written before there was a room; it goes into the first one.
    #[serde(default)]
    pub drafts: Vec<HomeDraft>,
    /// The number of the next of them.
    #[serde(default)]
    pub next_draft: u64,
    /// Whose messages this home does not show. Nobody else hears of it.
    #[serde(default, with = "text::list")]
    pub blocked: Vec<AuthorKey>,
    /// Where the home lay when its rooms got their incarnations.
    pub(super) place: Place,
}

/// One room of a home.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RoomState {
    /// Which room.
    #[serde(with = "text")]
    pub id: RoomId,
    /// What this home calls it.
    pub name: String,
    /// Hides the room from strangers.
    #[serde(with = "text")]
    pub secret: Secret,
    /// The secret of a ticket's invite key, until it has let us in.
    #[serde(with = "text::option")]
    pub invite_secret: Option<Secret>,
    /// Whether its store must take a new name and chain when it is next opened: the home may be a copy.
    pub renew: bool,
    /// Addresses to dial, as they were given.
    pub peers: Vec<String>,
}

/// Something written before there was a room.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct HomeDraft {
    /// Counts all that the home ever kept.
    pub number: u64,
    /// When it was written, in milliseconds since 1970.
    pub written_ms: u64,
    /// What it says.
    pub text: String,
}

/// Thirty-two bytes that are not shown by mistake. In the file, and as text, they are hex digits.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Secret(pub [u8; 32]);

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(..)")
    }
}

impl State {
    pub(super) fn new(place: Place) -> Self {
        Self {
            version: VERSION,
            nick: None,
            current_room: None,
            listened_at: None,
            rooms: Vec::new(),
            drafts: Vec::new(),
            next_draft: 0,
            blocked: Vec::new(),
            place,
        }
    }

    /// The room with this id.
    #[must_use]
    pub fn room(&self, id: &RoomId) -> Option<&RoomState> {
        self.rooms.iter().find(|room| room.id == *id)
    }

    /// The room with this id, to change it.
    pub fn room_mut(&mut self, id: &RoomId) -> Option<&mut RoomState> {
        self.rooms.iter_mut().find(|room| room.id == *id)
    }

    /// Reads the file; none when there is no file.
    pub(super) fn read(path: &Path) -> Result<Option<Self>, HomeError> {
        #[derive(Deserialize)]
        struct Version {
            version: u32,
        }
        let bytes = match fs::read(path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            read => read.map_err(at(path))?,
        };
        match serde_json::from_slice(&bytes) {
            Ok(Version { version: VERSION }) => {}
            Ok(Version { version }) if version > VERSION => {
                return Err(HomeError::Newer { path: path.to_owned() });
            }
            _ => return Err(HomeError::Damaged { path: path.to_owned() }),
        }
        serde_json::from_slice(&bytes).map(Some).map_err(|_| HomeError::Damaged { path: path.to_owned() })
    }

    /// Writes the file, durably and as a whole, and gives the state back.
    pub(super) fn write(self, path: &Path) -> Result<Self, HomeError> {
        let bytes = serde_json::to_vec_pretty(&self).map_err(io::Error::from);
        bytes.and_then(|bytes| files::replace(path, &bytes)).map_err(at(path))?;
        Ok(self)
    }
}

impl fmt::Display for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&HEXLOWER.encode(&self.0))
    }
}

/// Why text is not a secret.
#[derive(Debug, thiserror::Error)]
#[error("not 64 lower-case hex digits")]
pub struct ParseSecretError;

impl FromStr for Secret {
    type Err = ParseSecretError;

    fn from_str(text: &str) -> Result<Self, ParseSecretError> {
        let bytes = HEXLOWER.decode(text.as_bytes()).map_err(|_| ParseSecretError)?;
        bytes.try_into().map(Self).map_err(|_| ParseSecretError)
    }
}

/// Serde by `Display` and `FromStr`.
mod text {
    use std::fmt::Display;
    use std::str::FromStr;

    use serde::de::{Deserialize as _, Deserializer, Error as _};
    use serde::ser::Serializer;

    pub(super) fn serialize<S: Serializer>(value: &impl Display, to: S) -> Result<S::Ok, S::Error> {
        to.collect_str(value)
    }

    pub(super) fn deserialize<'de, D, T>(from: D) -> Result<T, D::Error>
    where
        D: Deserializer<'de>,
        T: FromStr<Err: Display>,
    {
        String::deserialize(from)?.parse().map_err(D::Error::custom)
    }

    /// The same for what may be absent.
    pub(super) mod option {
        use super::{Deserializer, Display, FromStr, Serializer};
        use serde::de::{Deserialize as _, Error as _};

        pub(in super::super) fn serialize<S: Serializer>(
            value: &Option<impl Display>,
            to: S,
        ) -> Result<S::Ok, S::Error> {
            match value {
                Some(value) => to.collect_str(value),
                None => to.serialize_none(),
            }
        }

        pub(in super::super) fn deserialize<'de, D, T>(from: D) -> Result<Option<T>, D::Error>
        where
            D: Deserializer<'de>,
            T: FromStr<Err: Display>,
        {
            let text = Option::<String>::deserialize(from)?;
            text.map(|text| text.parse().map_err(D::Error::custom)).transpose()
        }
    }

    /// The same for several.
    pub(super) mod list {
        use super::{Deserializer, Display, FromStr, Serializer};
        use serde::de::{Deserialize as _, Error as _};

        pub(in super::super) fn serialize<S: Serializer>(
            values: &[impl Display],
            to: S,
        ) -> Result<S::Ok, S::Error> {
            to.collect_seq(values.iter().map(ToString::to_string))
        }

        pub(in super::super) fn deserialize<'de, D, T>(from: D) -> Result<Vec<T>, D::Error>
        where
            D: Deserializer<'de>,
            T: FromStr<Err: Display>,
        {
            let texts = Vec::<String>::deserialize(from)?;
            texts.into_iter().map(|text| text.parse().map_err(D::Error::custom)).collect()
        }
    }
}
