//! Tickets: one word of text that lets its holder into a room.
//!
//! `replica1` and base32 (RFC 4648, lower case, no padding) of: room id (32 bytes), room secret (32), 0 or 1 and an
//! invite's secret (32), the number of addresses (1), each as its length (1) and text, and the first 4 bytes of the
//! SHA-256 of all that. In between stand check characters, which tell where a typo is: see `pieces`.

use std::fmt;
use std::str::FromStr;

use sha2::{Digest as _, Sha256};

use replica::id::RoomId;

use crate::limits::{TICKET_ADDRESS_BYTES_MAX, TICKET_ADDRESSES_MAX, TICKET_BYTES_MAX};

mod pieces;
#[cfg(test)]
mod tests;

/// What lets its holder into a room.
#[derive(Clone, PartialEq, Eq)]
pub struct Ticket {
    /// Which room.
    pub room: RoomId,
    /// Hides the room from strangers.
    pub secret: [u8; 32],
    /// The secret key of an invite, unless the holder is let in otherwise.
    pub invite: Option<[u8; 32]>,
    /// Where members may be found.
    pub addresses: Vec<String>,
}

/// Why text is not a ticket.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ParseTicketError {
    /// It does not begin like one.
    #[error("a ticket begins with `{PREFIX}`")]
    Prefix,
    /// A character that tickets do not have.
    #[error("there is a typo near character {0}")]
    Character(usize),
    /// Characters are missing, added or altered, and which cannot be told.
    #[error("there are typos, or something is missing, between characters {from} and {to}")]
    Between {
        /// The first of the characters that do not fit together, from 1.
        from: usize,
        /// The last of them.
        to: usize,
    },
    /// Part of it is missing.
    #[error("the ticket is incomplete: copy it as a whole")]
    Incomplete,
    /// It has no typo, but what it says makes no sense here.
    #[error("the ticket is copied well, but this version of the program cannot read it")]
    Unreadable,
}

/// How every ticket begins.
const PREFIX: &str = "replica1";

impl Ticket {
    fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = [self.room.0, self.secret].concat();
        bytes.push(u8::from(self.invite.is_some()));
        bytes.extend(self.invite.iter().flatten());
        let short = |address: &&String| address.len() <= TICKET_ADDRESS_BYTES_MAX;
        let addresses: Vec<&String> =
            self.addresses.iter().filter(short).take(TICKET_ADDRESSES_MAX).collect();
        bytes.push(u8::try_from(addresses.len()).unwrap_or(0));
        for address in addresses {
            bytes.push(u8::try_from(address.len()).unwrap_or(0));
            bytes.extend_from_slice(address.as_bytes());
        }
        let sum = Sha256::digest(&bytes);
        bytes.extend_from_slice(&sum[..4]);
        bytes
    }

    fn from_bytes(mut rest: &[u8]) -> Option<Self> {
        let mut take = |length: usize| {
            let (head, tail) = rest.split_at_checked(length)?;
            rest = tail;
            Some(head)
        };
        let room = RoomId(take(32)?.try_into().ok()?);
        let secret = take(32)?.try_into().ok()?;
        let invite = match take(1)? {
            [0] => None,
            [1] => Some(take(32)?.try_into().ok()?),
            _ => return None,
        };
        let count = take(1)?[0];
        let mut address = || {
            let length = take(1)?[0];
            String::from_utf8(take(usize::from(length))?.to_vec()).ok()
        };
        let addresses = (0..count).map(|_| address()).collect::<Option<Vec<_>>>()?;
        let is_well_formed =
            addresses.len() <= TICKET_ADDRESSES_MAX && addresses.iter().all(|it| is_address(it));
        (rest.is_empty() && is_well_formed).then_some(Self { room, secret, invite, addresses })
    }
}

/// Addresses come from whoever wrote the ticket and are shown: nothing but what addresses and host names are made of.
fn is_address(text: &str) -> bool {
    let plain = |c: char| c.is_ascii_alphanumeric() || ".:-_[]%".contains(c);
    !text.is_empty() && text.len() <= TICKET_ADDRESS_BYTES_MAX && text.chars().all(plain)
}

impl fmt::Display for Ticket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{PREFIX}{}", pieces::write(&self.to_bytes()))
    }
}

impl fmt::Debug for Ticket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Ticket")
            .field("room", &self.room)
            .field("addresses", &self.addresses)
            .finish_non_exhaustive()
    }
}

impl FromStr for Ticket {
    type Err = ParseTicketError;

    fn from_str(text: &str) -> Result<Self, ParseTicketError> {
        let is_shown = |c: &char| !c.is_whitespace() && !matches!(c, '\u{200b}' | '\u{2060}' | '\u{feff}');
        let text: String = text.chars().filter(is_shown).take(TICKET_BYTES_MAX + 1).collect();
        let code = text.get(PREFIX.len()..).filter(|_| is_ticket(&text)).ok_or(ParseTicketError::Prefix)?;
        if text.len() > TICKET_BYTES_MAX {
            return Err(ParseTicketError::Unreadable);
        }
        let at = |place: usize| PREFIX.len() + place + 1;
        let mut values = Vec::with_capacity(code.len());
        for (place, c) in code.chars().enumerate() {
            values.push(pieces::value(c).ok_or(ParseTicketError::Character(at(place)))?);
        }
        let reading = pieces::read(&values);
        let bytes = reading.bytes.as_deref().and_then(checked);
        match (reading.wrong, reading.mended, bytes) {
            (None, _, Some(bytes)) => Self::from_bytes(bytes).ok_or(ParseTicketError::Unreadable),
            (Some(_), Some(place), Some(_)) => Err(ParseTicketError::Character(at(place))),
            (Some(wrong), ..) => {
                Err(ParseTicketError::Between { from: at(wrong.start), to: at(wrong.end - 1) })
            }
            (None, ..) => Err(ParseTicketError::Incomplete),
        }
    }
}

/// The bytes before their sum, if that is right.
fn checked(bytes: &[u8]) -> Option<&[u8]> {
    let (bytes, sum) = bytes.split_last_chunk::<4>()?;
    (Sha256::digest(bytes)[..4] == *sum).then_some(bytes)
}

/// Whether text is meant to be a ticket.
#[must_use]
pub fn is_ticket(text: &str) -> bool {
    text.trim_start().get(..PREFIX.len()).is_some_and(|head| head.eq_ignore_ascii_case(PREFIX))
}
