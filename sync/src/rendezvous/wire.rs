//! What is said to a rendezvous and by it, as bytes: PROTOCOL.md, "Rendezvous".
//!
//! A message is its length (u16, big endian), its kind (u8) and its fields, one after the other.

use std::io;
use std::net::SocketAddr;

use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};

use crate::discovery::Tag;
use crate::limits::SIGHTING_BYTES;
use crate::rendezvous::{Cookie, Slot};
use crate::wire::Address;

#[cfg(test)]
mod tests;

/// To the server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Request {
    /// Keep this for whoever knows the tag, and tell us what others leave there. Repeated, it holds longer.
    Announce { tag: Tag, slot: Slot, sealed: Vec<u8> },
    /// Tell us what others leave there.
    Watch(Tag),
    /// Join this connection with one of whoever is known so.
    Call(Slot),
    /// Join this connection with the call.
    PickUp(Cookie),
}

/// From the server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Answer {
    /// Done; this is where the server sees us.
    Seen(Address),
    /// Left by somebody under a tag.
    Record { tag: Tag, slot: Slot, sealed: Vec<u8> },
    /// Somebody calls this slot.
    Ring { slot: Slot, cookie: Cookie },
    /// From here on, what comes is from the other one, who is seen here: by connecting to each other from where both
    /// connected to the server, at once, they may do without it.
    Joined(Address),
    /// It is not done; the connection ends.
    No(Refusal),
}

/// Why something is not done.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Refusal {
    #[error("it does not understand us")]
    Malformed,
    #[error("it has too much to do for others")]
    Full,
    #[error("it does not relay")]
    NoRelay,
    #[error("nobody is there under that name")]
    NobodyThere,
}

/// Longest message: its kind, a tag, a slot and what is sealed.
pub(crate) const MESSAGE_BYTES_MAX: usize = 1 + 20 + 16 + SIGHTING_BYTES;

impl Request {
    fn to_bytes(&self) -> Vec<u8> {
        match self {
            Self::Announce { tag, slot, sealed } => {
                [&[1], tag.as_slice(), slot.0.as_slice(), sealed].concat()
            }
            Self::Watch(tag) => [&[2], tag.as_slice()].concat(),
            Self::Call(slot) => [&[3], slot.0.as_slice()].concat(),
            Self::PickUp(cookie) => [&[4], cookie.0.as_slice()].concat(),
        }
    }

    fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let (kind, mut fields) = bytes.split_first()?;
        let request = match kind {
            1 => Self::Announce {
                tag: take(&mut fields)?,
                slot: Slot(take(&mut fields)?),
                sealed: take::<SIGHTING_BYTES>(&mut fields)?.to_vec(),
            },
            2 => Self::Watch(take(&mut fields)?),
            3 => Self::Call(Slot(take(&mut fields)?)),
            4 => Self::PickUp(Cookie(take(&mut fields)?)),
            _ => return None,
        };
        fields.is_empty().then_some(request)
    }
}

impl Answer {
    fn to_bytes(&self) -> Vec<u8> {
        match self {
            Self::Seen(address) => place(17, address),
            Self::Record { tag, slot, sealed } => [&[18], tag.as_slice(), slot.0.as_slice(), sealed].concat(),
            Self::Ring { slot, cookie } => [&[19], slot.0.as_slice(), cookie.0.as_slice()].concat(),
            Self::Joined(address) => place(20, address),
            Self::No(refusal) => vec![21, refusal.number()],
        }
    }

    fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let (kind, mut fields) = bytes.split_first()?;
        let answer = match kind {
            17 => Self::Seen(take_place(&mut fields)?),
            18 => Self::Record {
                tag: take(&mut fields)?,
                slot: Slot(take(&mut fields)?),
                sealed: take::<SIGHTING_BYTES>(&mut fields)?.to_vec(),
            },
            19 => Self::Ring { slot: Slot(take(&mut fields)?), cookie: Cookie(take(&mut fields)?) },
            20 => Self::Joined(take_place(&mut fields)?),
            21 => Self::No(Refusal::of_number(take::<1>(&mut fields)?[0])?),
            _ => return None,
        };
        fields.is_empty().then_some(answer)
    }

    /// Where the server sees us.
    pub(crate) fn seen(address: SocketAddr) -> Self {
        Self::Seen(address.into())
    }
}

impl Refusal {
    const ALL: [Self; 4] = [Self::Malformed, Self::Full, Self::NoRelay, Self::NobodyThere];

    fn number(self) -> u8 {
        match self {
            Self::Malformed => 1,
            Self::Full => 2,
            Self::NoRelay => 3,
            Self::NobodyThere => 4,
        }
    }

    fn of_number(number: u8) -> Option<Self> {
        Self::ALL.into_iter().find(|refusal| refusal.number() == number)
    }
}

/// What can be sent.
pub(crate) trait Message: Sized {
    fn encode(&self) -> Vec<u8>;
    fn decode(bytes: &[u8]) -> Option<Self>;
}

impl Message for Request {
    fn encode(&self) -> Vec<u8> {
        self.to_bytes()
    }

    fn decode(bytes: &[u8]) -> Option<Self> {
        Self::from_bytes(bytes)
    }
}

impl Message for Answer {
    fn encode(&self) -> Vec<u8> {
        self.to_bytes()
    }

    fn decode(bytes: &[u8]) -> Option<Self> {
        Self::from_bytes(bytes)
    }
}

/// Sends a message.
pub(crate) async fn write_message<M: Message>(
    to: &mut (impl AsyncWrite + Unpin),
    message: &M,
) -> io::Result<()> {
    let bytes = message.encode();
    let length = u16::try_from(bytes.len()).map_err(|_| io::ErrorKind::InvalidInput)?;
    to.write_all(&[&length.to_be_bytes(), bytes.as_slice()].concat()).await
}

/// Reads a message and not a byte more. What is none is an error of the kind `InvalidData`.
pub(crate) async fn read_message<M: Message>(from: &mut (impl AsyncRead + Unpin)) -> io::Result<M> {
    let length = usize::from(from.read_u16().await?);
    if length > MESSAGE_BYTES_MAX {
        return Err(io::ErrorKind::InvalidData.into());
    }
    let mut bytes = [0; MESSAGE_BYTES_MAX];
    from.read_exact(&mut bytes[..length]).await?;
    M::decode(&bytes[..length]).ok_or_else(|| io::ErrorKind::InvalidData.into())
}

/// The message at the beginning of a stream to a server, or from one, as it would be written again. For fuzzing.
#[cfg(feature = "sim")]
#[must_use]
pub fn rewritten(stream: &[u8], is_to_server: bool) -> Option<Vec<u8>> {
    async fn rewrite<M: Message>(mut stream: &[u8]) -> io::Result<Vec<u8>> {
        let mut written = Vec::new();
        write_message(&mut written, &read_message::<M>(&mut stream).await?).await?;
        Ok(written)
    }
    use futures_util::FutureExt as _;
    let rewritten = if is_to_server {
        rewrite::<Request>(stream).now_or_never()
    } else {
        rewrite::<Answer>(stream).now_or_never()
    };
    rewritten?.ok()
}

fn place(kind: u8, Address { ip, port }: &Address) -> Vec<u8> {
    [&[kind], ip.as_slice(), &port.to_be_bytes()].concat()
}

fn take_place(rest: &mut &[u8]) -> Option<Address> {
    let ip = take(rest)?;
    Some(Address { ip, port: u16::from_be_bytes(take(rest)?) })
}

fn take<const N: usize>(rest: &mut &[u8]) -> Option<[u8; N]> {
    let (head, tail) = rest.split_first_chunk()?;
    *rest = tail;
    Some(*head)
}
