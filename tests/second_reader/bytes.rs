//! Taking numbers and bytes off the front.

use sha2::{Digest as _, Sha256};

/// What a reader answers; the words say what was wrong.
pub(crate) type Read<T> = Result<T, &'static str>;

pub(crate) struct Bytes<'a>(pub(crate) &'a [u8]);

impl<'a> Bytes<'a> {
    pub(crate) fn take(&mut self, count: usize) -> Read<&'a [u8]> {
        let (head, tail) = self.0.split_at_checked(count).ok_or("cut off")?;
        self.0 = tail;
        Ok(head)
    }

    pub(crate) fn array<const N: usize>(&mut self) -> Read<[u8; N]> {
        Ok(self.take(N)?.try_into().unwrap())
    }

    /// A big-endian number of so many bytes.
    pub(crate) fn number(&mut self, bytes: usize) -> Read<u64> {
        Ok(self.take(bytes)?.iter().fold(0, |number, byte| number << 8 | u64::from(*byte)))
    }

    /// A block's integer: LEB128.
    pub(crate) fn integer(&mut self) -> Read<u64> {
        let mut value = 0_u128;
        for shift in (0..70).step_by(7) {
            let byte = self.number(1)?;
            value |= u128::from(byte & 0x7f) << shift;
            if byte < 0x80 {
                return u64::try_from(value).map_err(|_| "an integer of 2^64 or more");
            }
        }
        Err("an integer without an end")
    }

    pub(crate) fn length(&mut self) -> Read<usize> {
        usize::try_from(self.integer()?).map_err(|_| "a length that no machine has")
    }

    /// A block's signed integer: zigzag.
    pub(crate) fn signed(&mut self) -> Read<i64> {
        let value = self.integer()?;
        Ok((value >> 1).cast_signed() ^ -(value & 1).cast_signed())
    }

    /// A frame's number: u16, u32 and u64 are written alike.
    pub(crate) fn varied(&mut self) -> Read<u64> {
        match self.number(1)? {
            0xfb => self.number(2),
            0xfc => self.number(4),
            0xfd => self.number(8),
            0xfe | 0xff => Err("a number of no known length"),
            small => Ok(small),
        }
    }

    /// A frame's text or bytes.
    pub(crate) fn counted(&mut self) -> Read<&'a [u8]> {
        let count = usize::try_from(self.varied()?).map_err(|_| "a length that no machine has")?;
        self.take(count)
    }

    /// A frame's list.
    pub(crate) fn list<T>(&mut self, mut one: impl FnMut(&mut Self) -> Read<T>) -> Read<Vec<T>> {
        (0..self.varied()?).map(|_| one(self)).collect()
    }

    pub(crate) fn end(&self) -> Read<()> {
        if self.0.is_empty() { Ok(()) } else { Err("something follows") }
    }
}

pub(crate) fn hash(parts: &[&[u8]]) -> [u8; 32] {
    Sha256::digest(parts.concat()).into()
}

pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// The bytes of hex digits, between which there may be spaces.
pub(crate) fn unhex(text: &str) -> Vec<u8> {
    let digits: Vec<char> = text.chars().filter(|c| !c.is_whitespace()).collect();
    digits.chunks(2).map(|pair| u8::from_str_radix(&pair.iter().collect::<String>(), 16).unwrap()).collect()
}
