//! Integers of a block: LEB128, and zigzag for signed ones.

use crate::block::DecodeError;

/// Appends 7 bits a byte, low ones first.
pub(super) fn put(bytes: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        bytes.push((value & 0x7f) as u8 | 0x80);
        value >>= 7;
    }
    bytes.push(value.to_le_bytes()[0]);
}

/// Appends a signed integer, small ones of either sign in few bytes.
pub(super) fn put_signed(bytes: &mut Vec<u8>, value: i64) {
    put(bytes, ((value << 1) ^ (value >> 63)).cast_unsigned());
}

/// Takes integers and bytes off the front.
pub(super) struct Reader<'a>(pub(super) &'a [u8]);

impl<'a> Reader<'a> {
    pub(super) fn integer(&mut self) -> Result<u64, DecodeError> {
        let mut value = 0_u64;
        for shift in (0..64).step_by(7) {
            let [byte] = self.array()?;
            let bits = u64::from(byte & 0x7f);
            if bits << shift >> shift != bits {
                return Err(DecodeError::Malformed("integer"));
            }
            value |= bits << shift;
            if byte & 0x80 == 0 {
                return Ok(value);
            }
        }
        Err(DecodeError::Malformed("integer"))
    }

    pub(super) fn signed(&mut self) -> Result<i64, DecodeError> {
        let value = self.integer()?;
        Ok((value >> 1).cast_signed() ^ -(value & 1).cast_signed())
    }

    /// An integer that must be at most `max`.
    pub(super) fn at_most(&mut self, max: usize, what: &'static str) -> Result<usize, DecodeError> {
        let value = usize::try_from(self.integer()?).map_err(|_| DecodeError::Malformed(what))?;
        if value <= max { Ok(value) } else { Err(DecodeError::Malformed(what)) }
    }

    pub(super) fn array<const N: usize>(&mut self) -> Result<[u8; N], DecodeError> {
        let (head, tail) = self.0.split_first_chunk().ok_or(DecodeError::Malformed("length"))?;
        self.0 = tail;
        Ok(*head)
    }

    pub(super) fn slice(&mut self, length: usize) -> Result<&'a [u8], DecodeError> {
        let (head, tail) = self.0.split_at_checked(length).ok_or(DecodeError::Malformed("length"))?;
        self.0 = tail;
        Ok(head)
    }
}
