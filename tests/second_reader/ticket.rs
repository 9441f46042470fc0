//! PROTOCOL.md, "Ticket".

use super::bytes::{Bytes, Read, hash};
use super::entry::Id;

pub(crate) struct Ticket {
    pub(crate) room: Id,
    pub(crate) secret: [u8; 32],
    pub(crate) invite: Option<[u8; 32]>,
    pub(crate) addresses: Vec<String>,
}

pub(crate) fn read(text: &str) -> Read<Ticket> {
    let ignored = |c: &char| c.is_whitespace() || ['\u{200b}', '\u{2060}', '\u{feff}'].contains(c);
    let text: String = text.chars().filter(|c| !ignored(c)).collect::<String>().to_lowercase();
    let text = text.strip_prefix("replica1").ok_or("no ticket")?;
    let values: Vec<u8> = text.chars().map(value).collect::<Option<_>>().ok_or("a strange character")?;
    let mut data: Vec<u8> = Vec::new();
    for piece in values.chunks(31) {
        let counted = || piece.iter().rev().enumerate();
        let sum = counted().fold(0, |sum, (_, c)| sum ^ c);
        let weighted = counted().fold(0, |sum, (i, c)| sum ^ (0..i).fold(*c, |c, _| times_x(c)));
        if (sum, weighted) != (0, 0) {
            return Err("a typo");
        }
        data.extend(&piece[..piece.len() - 2]);
    }
    let bits = |at: usize| data[at / 5] >> (4 - at % 5) & 1;
    let whole = data.len() * 5 / 8;
    if (whole * 8..data.len() * 5).any(|at| bits(at) == 1) {
        return Err("unused bits that are not zero");
    }
    let bytes: Vec<u8> =
        (0..whole).map(|byte| (0..8).fold(0, |all, bit| all << 1 | bits(byte * 8 + bit))).collect();
    fields(&bytes)
}

fn fields(all: &[u8]) -> Read<Ticket> {
    let mut bytes = Bytes(all);
    let room = bytes.array()?;
    let secret = bytes.array()?;
    let invite = match bytes.number(1)? {
        0 => None,
        1 => Some(bytes.array()?),
        _ => return Err("neither with nor without an invite"),
    };
    let count = bytes.number(1)?;
    let mut addresses = Vec::new();
    for _ in 0..count {
        let length = usize::try_from(bytes.number(1)?).unwrap();
        addresses.push(String::from_utf8(bytes.take(length)?.to_vec()).map_err(|_| "no text")?);
    }
    if count > 12 || hash(&[&all[..all.len() - bytes.0.len()]])[..4] != *bytes.take(4)? {
        return Err("not what was written");
    }
    bytes.end()?;
    Ok(Ticket { room, secret, invite, addresses })
}

fn value(c: char) -> Option<u8> {
    "abcdefghijklmnopqrstuvwxyz234567".chars().position(|it| it == c).and_then(|at| at.try_into().ok())
}

/// In GF(2)[x] / (x⁵ + x² + 1).
fn times_x(c: u8) -> u8 {
    let shifted = c << 1;
    if shifted & 0b10_0000 == 0 { shifted } else { shifted ^ 0b10_0101 }
}
