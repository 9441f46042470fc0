//! Messages in a stream of bytes: each after its length, a big-endian u16.

#[cfg(test)]
mod tests;

/// Finds messages in bytes that arrive in any pieces. Holds at most one message and the rest of the last piece, if every
/// message is taken out before the next piece is put in.
#[derive(Debug)]
pub struct Deframer {
    buffer: Vec<u8>,
    /// Where in the buffer the bytes start that were not taken yet.
    start: usize,
    max: usize,
}

/// A length announced by the peer is over the limit; nothing was kept for it. The stream cannot go on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a message of {announced} bytes is over the limit")]
pub struct TooLong {
    /// The length announced.
    pub announced: usize,
}

impl Deframer {
    /// A deframer that refuses messages longer than `max`.
    #[must_use]
    pub fn new(max: usize) -> Self {
        Self { buffer: Vec::new(), start: 0, max }
    }

    /// Changes the longest message taken from here on.
    pub fn set_max(&mut self, max: usize) {
        self.max = max;
    }

    /// Adds bytes as they came.
    pub fn push(&mut self, piece: &[u8]) {
        self.buffer.drain(..self.start);
        self.start = 0;
        self.buffer.extend_from_slice(piece);
    }

    /// The next message, or none until more bytes come.
    ///
    /// # Errors
    /// When the length that comes next is over the limit; then for ever.
    pub fn poll_message(&mut self) -> Result<Option<&[u8]>, TooLong> {
        let Some((prefix, rest)) = self.buffer[self.start..].split_first_chunk::<PREFIX_BYTES>() else {
            return Ok(None);
        };
        let length = usize::from(u16::from_be_bytes(*prefix));
        if length > self.max {
            return Err(TooLong { announced: length });
        }
        let Some(message) = rest.get(..length) else { return Ok(None) };
        self.start += PREFIX_BYTES + length;
        Ok(Some(message))
    }
}

const PREFIX_BYTES: usize = 2;
