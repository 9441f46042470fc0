//! The characters of a ticket, in pieces that each know whether they are as they were written.
//!
//! Every 29 characters are followed by two check characters: a Reed-Solomon code over the field of 32 elements, a
//! character being an element. Of a piece with one wrong character it tells which and what it was; with two, that
//! something is wrong. (R. Blahut, Algebraic Codes for Data Transmission, chapter 6.)

use std::ops::Range;

use data_encoding::BASE32_NOPAD;

/// The characters, by value: base32 as of RFC 4648.
const ALPHABET: &[u8; 32] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";

/// Characters of a piece with its two check characters: all that the field has places for.
const PIECE: usize = 31;

/// Characters of a piece without them.
const DATA: usize = PIECE - 2;

/// The value of a character, in either case.
pub(super) fn value(c: char) -> Option<u8> {
    let c = u8::try_from(c.to_ascii_uppercase()).ok()?;
    ALPHABET.iter().zip(0..).find(|(known, _)| **known == c).map(|(_, value)| value)
}

/// Bytes as characters, each piece with its check characters.
pub(super) fn write(bytes: &[u8]) -> String {
    let values: Vec<u8> = BASE32_NOPAD.encode(bytes).chars().filter_map(value).collect();
    let pieces = values.chunks(DATA).flat_map(|data| [data, &check_of(data)].concat());
    text_of(pieces).to_ascii_lowercase()
}

/// What the characters say, mended where each piece has one wrong character at most.
#[derive(Debug)]
pub(super) struct Reading {
    /// The bytes; none if they cannot be right.
    pub(super) bytes: Option<Vec<u8>>,
    /// The first place that was mended, from 0.
    pub(super) mended: Option<usize>,
    /// The first piece that is not as it was written: its places, from 0.
    pub(super) wrong: Option<Range<usize>>,
}

/// Reads characters by their values.
pub(super) fn read(values: &[u8]) -> Reading {
    let mut data = Vec::with_capacity(values.len());
    let (mut mended, mut wrong, mut is_whole) = (None, None, true);
    for (number, piece) in values.chunks(PIECE).enumerate() {
        let start = number * PIECE;
        let mut piece = piece.to_vec();
        match fault(&piece) {
            Fault::None => {}
            Fault::One { at, by } => {
                piece[at] ^= by;
                mended = mended.or(Some(start + at));
                wrong = wrong.or(Some(start..start + piece.len()));
            }
            Fault::More => {
                is_whole = false;
                wrong = wrong.or(Some(start..start + piece.len()));
            }
        }
        piece.truncate(piece.len().saturating_sub(2));
        data.extend(piece);
    }
    let bytes = BASE32_NOPAD.decode(text_of(data).as_bytes()).ok();
    Reading { bytes: bytes.filter(|_| is_whole), mended, wrong }
}

/// What is wrong with a piece.
enum Fault {
    None,
    One { at: usize, by: u8 },
    More,
}

/// A piece's characters c, counted from its end, are such that the sum of c(i) and that of c(i)·2^i are both zero.
fn fault(piece: &[u8]) -> Fault {
    if piece.len() <= 2 {
        return Fault::More;
    }
    match sums(piece) {
        (0, 0) => Fault::None,
        (sum, weighted) if sum != 0 && weighted != 0 => {
            // One wrong character adds e to the one sum and e·2^i to the other.
            let place = (logarithm(weighted) + 31 - logarithm(sum)) % 31;
            match piece.len().checked_sub(place + 1) {
                Some(at) => Fault::One { at, by: sum },
                None => Fault::More,
            }
        }
        _ => Fault::More,
    }
}

/// The two check characters that make both sums zero: a and b with a + b = s, 2a + b = w.
fn check_of(data: &[u8]) -> [u8; 2] {
    let (sum, weighted) = sums(&[data, &[0, 0]].concat());
    let first = divided_by_3(sum ^ weighted);
    [first, sum ^ first]
}

fn sums(piece: &[u8]) -> (u8, u8) {
    // Horner's rule, from the first character, which has the highest place.
    piece.iter().fold((0, 0), |(sum, weighted), value| (sum ^ value, doubled(weighted) ^ value))
}

/// Times 2 in the field of 32 elements, modulo x^5 + x^2 + 1.
fn doubled(value: u8) -> u8 {
    let shifted = value << 1;
    if shifted & 32 == 0 { shifted } else { shifted ^ 0b10_0101 }
}

/// `2a + a = 3a`: what was tripled.
fn divided_by_3(value: u8) -> u8 {
    (0..32).find(|third| doubled(*third) ^ third == value).unwrap_or(0)
}

/// Which power of 2 a value is.
fn logarithm(value: u8) -> usize {
    std::iter::successors(Some(1), |power| Some(doubled(*power)))
        .take(31)
        .position(|it| it == value)
        .unwrap_or(0)
}

fn text_of(values: impl IntoIterator<Item = u8>) -> String {
    values.into_iter().map(|value| char::from(ALPHABET[usize::from(value & 31)])).collect()
}
