//! Tickets: one word of text that lets its holder into a room.
//!
//! `replica1` and base32 (RFC 4648, lower case, no padding) of: room id (32 bytes), room secret (32), 0 or 1 and an
//! invite's secret (32), the number of addresses (1), each as its length (1) and text, and the first 4 bytes of the
//! SHA-256 of all that.

use std::fmt;
use std::str::FromStr;

use data_encoding::BASE32_NOPAD;
use sha2::{Digest as _, Sha256};

use replica::id::RoomId;

use crate::limits::{TICKET_ADDRESS_BYTES_MAX, TICKET_ADDRESSES_MAX, TICKET_BYTES_MAX};

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
    /// Something is missing, added or altered.
    #[error("the ticket is incomplete or has a typo: copy it as a whole")]
    Checksum,
}

/// How every ticket begins.
pub const PREFIX: &str = "replica1";

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

    fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let (mut rest, sum) = bytes.split_last_chunk::<4>()?;
        if Sha256::digest(rest)[..4] != *sum {
            return None;
        }
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
        write!(f, "{PREFIX}{}", BASE32_NOPAD.encode(&self.to_bytes()).to_ascii_lowercase())
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
        let text = text.trim();
        let code = text.strip_prefix(PREFIX).ok_or(ParseTicketError::Prefix)?;
        if text.len() > TICKET_BYTES_MAX {
            return Err(ParseTicketError::Checksum);
        }
        if let Some(at) = code.find(|c: char| !matches!(c.to_ascii_lowercase(), 'a'..='z' | '2'..='7')) {
            return Err(ParseTicketError::Character(PREFIX.len() + at + 1));
        }
        let bytes = BASE32_NOPAD.decode(code.to_ascii_uppercase().as_bytes());
        let bytes = bytes.map_err(|_| ParseTicketError::Checksum)?;
        Self::from_bytes(&bytes).ok_or(ParseTicketError::Checksum)
    }
}
