//! Frames as bytes. The only module that names bincode, so that it can be replaced.
//!
//! A frame is a version byte (1), a byte for its kind, and the fields in the order of the types in [`wire`](super), by
//! bincode 2 with big-endian, variable-length integers: below 251 one byte, else 251, 252 or 253 and 2, 4 or 8 bytes;
//! identifiers and signatures as they are; texts, blocks and lists after their length. A version's layout is frozen: a
//! field more is a new version or a new kind. The golden bytes in the tests hold it to that.
//!
//! Integers longer than they need be are accepted, so bytes are never compared or hashed in re-encoded form.

use bincode::config::{BigEndian, Configuration, Limit, Varint, standard};
use bincode::de::read::{Reader as _, SliceReader};
use bincode::de::{Decode, Decoder as _, DecoderImpl};
use bincode::enc::write::Writer;
use bincode::enc::{Encode, EncoderImpl};
use bincode::error::{DecodeError as Flaw, EncodeError};
use replica::id::{AuthorKey, ChainId, Digest, EntryId, StoreId};
use replica::identity::Signature;
use replica::limits::{BLOCK_BYTES_MAX, NAME_BYTES_MAX};

use crate::limits::{
    ADDRESS_RECORDS_PER_FRAME_MAX, ADDRESSES_PER_RECORD_MAX, BYE_TEXT_BYTES_MAX, DECODED_BYTES_MAX,
    FRAME_BYTES_MAX, KNOCKS_WAITING_MAX, LOCATOR_IDS_MAX, SEEN_HEADS_MAX, SEEN_RECORDS_PER_FRAME_MAX,
    TICKET_BYTES_MAX, TIPS_PER_FRAME_MAX, WANTS_PER_FRAME_MAX,
};
use crate::wire::{
    Ack, Address, AddressRecord, Bye, ByeReason, Credit, Data, Frame, Have, Hello, Knock, KnockNonce, Locate,
    Peers, Ping, Seen, SeenRecord, Tip, Want, WantChain, Yield,
};

/// Version of the layout, first in every frame.
const VERSION: u8 = 1;

/// Why bytes from a peer are not a frame. Fatal to the connection, never to the node.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum DecodeError {
    /// A later layout.
    #[error("frame version {0} is not known")]
    Version(u8),
    /// A kind of a later version, or none.
    #[error("frame kind {0} is not known")]
    Kind(u8),
    /// The frame, or a text, block or list in it, is over its limit; nothing was allocated for it.
    #[error("a frame is over its limits")]
    OverLimit,
    /// It ends before its fields do.
    #[error("a frame is cut short")]
    Short,
    /// A field that none of its type has: text that is not UTF-8, a boolean of 2.
    #[error("a frame has a malformed field")]
    Malformed,
    /// Bytes after the last field.
    #[error("a frame has bytes left over")]
    LeftOver,
}

/// A frame's bytes.
///
/// Frames are to be built within their limits: one over them would be refused by the peer. Debug builds panic on it.
#[must_use]
pub fn encode(frame: &Frame) -> Vec<u8> {
    let mut encoder = Encoder::new(Sink(vec![VERSION, kind(frame)]), CONFIG);
    put_fields(frame, &mut encoder).expect("a Vec takes every byte, and no field can fail");
    let bytes = encoder.into_writer().0;
    debug_assert_eq!(decode(&bytes).as_ref(), Ok(frame), "a frame built over its limits");
    bytes
}

/// Reads a frame, all of `bytes`.
///
/// # Errors
/// When they are not one frame within the limits. Takes no more memory than a few times the bytes' length.
pub fn decode(bytes: &[u8]) -> Result<Frame, DecodeError> {
    if bytes.len() > FRAME_BYTES_MAX {
        return Err(DecodeError::OverLimit);
    }
    let [version, rest @ ..] = bytes else { return Err(DecodeError::Short) };
    if *version != VERSION {
        return Err(DecodeError::Version(*version));
    }
    let [kind, rest @ ..] = rest else { return Err(DecodeError::Short) };
    let mut decoder = Decoder::new(SliceReader::new(rest), CONFIG, ());
    let frame = take_fields(*kind, &mut decoder)?.ok_or(DecodeError::Kind(*kind))?;
    if decoder.reader().peek_read(1).is_some() { Err(DecodeError::LeftOver) } else { Ok(frame) }
}

/// Kinds are for ever.
fn kind(frame: &Frame) -> u8 {
    match frame {
        Frame::Hello(_) => 1,
        Frame::Have(_) => 2,
        Frame::Want(_) => 3,
        Frame::Locate(_) => 4,
        Frame::Preview(_) => 5,
        Frame::Data(_) => 6,
        Frame::Live(_) => 7,
        Frame::Ack(_) => 8,
        Frame::Credit(_) => 9,
        Frame::Peers(_) => 10,
        Frame::Ping(_) => 11,
        Frame::Bye(_) => 12,
        Frame::Seen(_) => 13,
        Frame::Knock(_) => 16,
        Frame::Ticket(_) => 17,
        Frame::Yield(_) => 18,
    }
}

fn put_fields(frame: &Frame, to: &mut Encoder) -> Result<(), EncodeError> {
    match frame {
        Frame::Hello(it) => it.put(to),
        Frame::Have(it) => it.put(to),
        Frame::Want(it) => it.put(to),
        Frame::Locate(it) => it.put(to),
        Frame::Preview(block) | Frame::Live(block) => block.put_limited(to),
        Frame::Data(it) => it.put(to),
        Frame::Ack(it) => it.put(to),
        Frame::Credit(it) => it.put(to),
        Frame::Peers(it) => it.put(to),
        Frame::Ping(it) => it.put(to),
        Frame::Bye(it) => it.put(to),
        Frame::Seen(it) => it.put(to),
        Frame::Knock(it) => it.put(to),
        Frame::Ticket(text) => text.put_limited(to),
        Frame::Yield(it) => it.put(to),
    }
}

fn take_fields(kind: u8, from: &mut Decoder<'_>) -> Result<Option<Frame>, Flaw> {
    Ok(Some(match kind {
        1 => Frame::Hello(Field::take(from)?),
        2 => Frame::Have(Field::take(from)?),
        3 => Frame::Want(Field::take(from)?),
        4 => Frame::Locate(Field::take(from)?),
        5 => Frame::Preview(Limited::take_limited(from, BLOCK_BYTES_MAX)?),
        6 => Frame::Data(Field::take(from)?),
        7 => Frame::Live(Limited::take_limited(from, BLOCK_BYTES_MAX)?),
        8 => Frame::Ack(Field::take(from)?),
        9 => Frame::Credit(Field::take(from)?),
        10 => Frame::Peers(Field::take(from)?),
        11 => Frame::Ping(Field::take(from)?),
        12 => Frame::Bye(Field::take(from)?),
        13 => Frame::Seen(Field::take(from)?),
        16 => Frame::Knock(Field::take(from)?),
        17 => Frame::Ticket(Limited::take_limited(from, TICKET_BYTES_MAX)?),
        18 => Frame::Yield(Field::take(from)?),
        _ => return Ok(None),
    }))
}

/// What a field is as bytes. Private, so that no public type shows what encodes it.
trait Field: Sized {
    fn put(&self, to: &mut Encoder) -> Result<(), EncodeError>;
    fn take(from: &mut Decoder<'_>) -> Result<Self, Flaw>;
}

/// A field of variable length, after its length, with the limit that its place gives it.
trait Limited: Sized {
    fn put_limited(&self, to: &mut Encoder) -> Result<(), EncodeError>;
    fn take_limited(from: &mut Decoder<'_>, max: usize) -> Result<Self, Flaw>;
}

/// The fields of a structure in their order on the wire, those of variable length with their limit.
macro_rules! structure {
    ($name:ident { $($field:ident $(<= $max:expr)?),* }) => {
        impl Field for $name {
            fn put(&self, to: &mut Encoder) -> Result<(), EncodeError> {
                $(structure!(@put self.$field, to $(, $max)?);)*
                Ok(())
            }

            fn take(from: &mut Decoder<'_>) -> Result<Self, Flaw> {
                Ok(Self { $($field: structure!(@take from $(, $max)?)),* })
            }
        }
    };
    (@put $value:expr, $to:ident) => { $value.put($to)? };
    (@put $value:expr, $to:ident, $max:expr) => { $value.put_limited($to)? };
    (@take $from:ident) => { Field::take($from)? };
    (@take $from:ident, $max:expr) => { Limited::take_limited($from, $max)? };
}

structure!(Hello { protocol, store, digest, entries });
structure!(Tip { chain, seq, id, signature });
structure!(Have { tips <= TIPS_PER_FRAME_MAX, last });
structure!(WantChain { tip, from <= LOCATOR_IDS_MAX });
structure!(Want { chains <= WANTS_PER_FRAME_MAX, last });
structure!(Locate { tips <= WANTS_PER_FRAME_MAX });
structure!(Data { block <= BLOCK_BYTES_MAX, remaining });
structure!(Ack { frames });
structure!(Credit { bytes });
structure!(Address { ip, port });
structure!(AddressRecord { author, store, expires_ms, addresses <= ADDRESSES_PER_RECORD_MAX, signature });
structure!(Peers { records <= ADDRESS_RECORDS_PER_FRAME_MAX });
structure!(SeenRecord { author, store, number, heads <= SEEN_HEADS_MAX, signature });
structure!(Seen { mark, records <= SEEN_RECORDS_PER_FRAME_MAX });
structure!(Ping { digest, at_rest });
structure!(Bye { reason, text <= BYE_TEXT_BYTES_MAX });
structure!(Knock { nick <= NAME_BYTES_MAX, alone, nonce, heard <= KNOCKS_WAITING_MAX });
structure!(Yield { author, signature });

/// Fields that are, or wrap, what bincode itself knows.
macro_rules! plain {
    ($($name:ty: $inner:ty, $into:expr, $from:expr;)*) => {$(
        impl Field for $name {
            fn put(&self, to: &mut Encoder) -> Result<(), EncodeError> {
                let inner: $inner = $into(*self);
                inner.encode(to)
            }

            fn take(from: &mut Decoder<'_>) -> Result<Self, Flaw> {
                <$inner>::decode(from).map($from)
            }
        }
    )*};
}

plain! {
    bool: Self, |it| it, |it| it;
    u16: Self, |it| it, |it| it;
    u32: Self, |it| it, |it| it;
    u64: Self, |it| it, |it| it;
    [u8; 16]: Self, |it| it, |it| it;
    KnockNonce: [u8; 16], |it: Self| it.0, Self;
    EntryId: [u8; 32], |it: Self| it.0, Self;
    AuthorKey: [u8; 32], |it: Self| it.0, Self;
    Digest: [u8; 32], |it: Self| it.0, Self;
    StoreId: [u8; 16], |it: Self| it.0, Self;
    Signature: [u8; 64], |it: Self| it.0, Self;
    ChainId: [u8; Self::BYTES], Self::to_bytes, |it| Self::from_bytes(&it);
    ByeReason: u16, Self::number, Self::from_number;
}

impl Limited for Vec<u8> {
    fn put_limited(&self, to: &mut Encoder) -> Result<(), EncodeError> {
        self.encode(to)
    }

    /// Takes the bytes only if they are there, so that a claim alone costs nothing.
    fn take_limited(from: &mut Decoder<'_>, max: usize) -> Result<Self, Flaw> {
        let length = take_length(from, max)?;
        from.claim_bytes_read(length)?;
        let bytes =
            from.reader().peek_read(length).ok_or(Flaw::UnexpectedEnd { additional: length })?.to_vec();
        from.reader().consume(length);
        Ok(bytes)
    }
}

impl Limited for String {
    fn put_limited(&self, to: &mut Encoder) -> Result<(), EncodeError> {
        self.encode(to)
    }

    fn take_limited(from: &mut Decoder<'_>, max: usize) -> Result<Self, Flaw> {
        let bytes = Vec::<u8>::take_limited(from, max)?;
        Self::from_utf8(bytes).map_err(|error| Flaw::Utf8 { inner: error.utf8_error() })
    }
}

impl<T: Field> Limited for Vec<T> {
    fn put_limited(&self, to: &mut Encoder) -> Result<(), EncodeError> {
        (self.len() as u64).encode(to)?;
        self.iter().try_for_each(|element| element.put(to))
    }

    /// Grows with the elements that are there, whatever number is claimed.
    fn take_limited(from: &mut Decoder<'_>, max: usize) -> Result<Self, Flaw> {
        let length = take_length(from, max)?;
        (0..length).map(|_| T::take(from)).collect::<Result<_, _>>()
    }
}

fn take_length(from: &mut Decoder<'_>, max: usize) -> Result<usize, Flaw> {
    let length = u64::decode(from)?;
    usize::try_from(length).ok().filter(|length| *length <= max).ok_or(Flaw::LimitExceeded)
}

type Config = Configuration<BigEndian, Varint, Limit<DECODED_BYTES_MAX>>;
type Encoder = EncoderImpl<Sink, Config>;
type Decoder<'a> = DecoderImpl<SliceReader<'a>, Config, ()>;

const CONFIG: Config = standard().with_big_endian().with_limit::<DECODED_BYTES_MAX>();

struct Sink(Vec<u8>);

impl Writer for Sink {
    fn write(&mut self, bytes: &[u8]) -> Result<(), EncodeError> {
        self.0.extend_from_slice(bytes);
        Ok(())
    }
}

impl From<Flaw> for DecodeError {
    fn from(flaw: Flaw) -> Self {
        match flaw {
            Flaw::LimitExceeded => Self::OverLimit,
            Flaw::UnexpectedEnd { .. } => Self::Short,
            _ => Self::Malformed,
        }
    }
}
