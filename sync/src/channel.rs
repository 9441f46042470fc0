//! The channel between two replicas: `Noise_XXpsk0_25519_ChaChaPoly_BLAKE2s`, without IO.
//!
//! The key derived from a room's secret hides the room: who lacks it fails at the first message. Who is at the other
//! end is proven inside: messages 2 and 3 carry an author's signature over this channel, so that the Noise keys can be
//! fresh for every connection and say nothing about anybody. A knock uses a key that everybody has; then the side that
//! answers stays unnamed until it chooses to show itself.
//!
//! ```text
//! initiator                                  responder
//! Initiator::new      -- message 1 -->       Responder::answer    (tried against each room)
//! Initiator::finish   <-- message 2 --
//! Established         -- message 3 -->       Responder::finish -> Established
//! ```

pub use replica::graph::Card;
use replica::id::{AuthorKey, RoomId};
use replica::identity::{Identity, Purpose, Signature, verify};
use sha2::{Digest as _, Sha256};
use snow::TransportState;

use crate::limits::{FRAME_BYTES_MAX, REKEY_MESSAGES, TAG_BYTES};

mod handshake;
mod proof;
#[cfg(test)]
mod tests;

pub use handshake::{HandshakeError, Initiator, Responder};

/// What a channel's first message is keyed with: whoever has it may try to speak.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct RoomKey([u8; 32]);

impl RoomKey {
    /// The key of who has no room in common yet. Published, so it hides nothing; derived from `anybody may knock`.
    pub const KNOCK: Self = Self([
        0x52, 0x62, 0x67, 0x36, 0xa8, 0xc3, 0x90, 0x3f, 0xbe, 0x4d, 0x9a, 0xc6, 0x71, 0xf9, 0x55, 0x08, 0xd2,
        0x5e, 0xc3, 0x7c, 0x09, 0x5c, 0x55, 0xca, 0xf2, 0x73, 0x75, 0xa3, 0xd9, 0xd6, 0x7f, 0xd8,
    ]);

    /// The key of a room's secret: SHA-256 over a domain and the secret.
    #[must_use]
    pub fn from_secret(secret: &[u8]) -> Self {
        Self(Sha256::new().chain_update(b"replica/1/psk\0").chain_update(secret).finalize().into())
    }
}

impl std::fmt::Debug for RoomKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("RoomKey(…)")
    }
}

/// What we show in one room.
#[derive(Clone, Debug)]
pub struct Credentials {
    /// The room.
    pub room: RoomId,
    /// The key of the room's secret.
    pub key: RoomKey,
    /// Who we are.
    pub identity: Identity,
    /// From the creator's down to the one over our key. With more than [`CARDS_MAX`](crate::limits::CARDS_MAX) none is
    /// shown, which only delays: without cards a peer serves us once it has the entries that admit us.
    pub cards: Vec<Card>,
    /// The secret of an invite, as long as we need one.
    pub invite: Option<Identity>,
}

/// What a dialling side offers in message 1.
#[derive(Clone, Debug)]
pub enum Offer {
    /// To speak in a room.
    Member(Box<Credentials>),
    /// To be let into one, or to let in.
    Knock(Box<Identity>),
}

/// What a listening side answers.
#[derive(Clone, Debug, Default)]
pub struct Answers {
    /// The rooms, tried in this order; those beyond [`ROOMS_PER_LISTENER_MAX`](crate::limits::ROOMS_PER_LISTENER_MAX)
    /// are not.
    pub rooms: Vec<Credentials>,
    /// Whether knocks are answered.
    pub knocks: bool,
    /// Whether more are on their way: who asks for what is not there yet waits for them.
    pub awaits_more: bool,
}

/// Who is at the other end, as far as the handshake proves it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Peer {
    /// Somebody with the room's secret. Whether the author is a member is for the roster to say.
    Member(RoomId, Box<PeerProof>),
    /// Somebody who knocks here.
    Knocking(Box<PeerProof>),
    /// We knock there; who answers is not known.
    Answered,
}

/// What a peer has proven.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PeerProof {
    /// The key that signed this channel. Sound, not necessarily a member's.
    pub author: AuthorKey,
    /// From the creator's down to the one over the author; not verified, see [`PeerProof::are_cards_authentic`].
    pub cards: Vec<Card>,
    /// An invite the peer holds the secret of; verified.
    pub invite: Option<InviteShown>,
    /// Hash of the whole handshake: the channel's name, the same at both ends.
    pub channel: [u8; 32],
}

impl PeerProof {
    /// Whether every card is its admitter's signature over the next one's admitter, and the last one's over the author.
    /// Says nothing about the first admitter: compare it with the room's creator. False without cards.
    ///
    /// Up to 32 verifications, so ask only for authors not known otherwise.
    #[must_use]
    pub fn are_cards_authentic(&self, room: &RoomId) -> bool {
        let admitted = self.cards.iter().skip(1).map(|card| &card.admitter).chain([&self.author]);
        let mut pairs = self.cards.iter().zip(admitted);
        !self.cards.is_empty()
            && pairs.all(|(card, key)| verify(&card.admitter, Purpose::Card { room, key }, &card.signature))
    }
}

/// Proof that a peer holds the secret of an invite, for an entry that admits it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct InviteShown {
    /// The invite's public key.
    pub key: AuthorKey,
    /// Hash of the handshake up to where the proof was made: not that of the whole.
    pub channel: [u8; 32],
    /// The invite key's, over room, author and that hash.
    pub signature: Signature,
}

/// What makes a channel this one: with it an author signs, after the handshake, that it speaks here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Binding {
    /// Whether we opened the connection.
    pub initiator: bool,
    /// Hash of the whole handshake.
    pub channel: [u8; 32],
    /// Our Noise key on this channel.
    pub own_key: [u8; 32],
    /// The peer's.
    pub peer_key: [u8; 32],
}

impl Binding {
    /// Our signature over the channel, in our role.
    #[must_use]
    pub fn sign(&self, identity: &Identity) -> Signature {
        let Self { initiator, channel, own_key, .. } = self;
        identity.sign(Purpose::Channel { initiator: *initiator, channel, noise_key: own_key })
    }

    /// Whether it is the author's signature over the channel, in the peer's role.
    #[must_use]
    pub fn is_signed_by(&self, author: &AuthorKey, signature: &Signature) -> bool {
        let Self { initiator, channel, peer_key, .. } = self;
        verify(author, Purpose::Channel { initiator: !initiator, channel, noise_key: peer_key }, signature)
    }
}

/// A handshake that succeeded.
#[derive(Debug)]
pub struct Established {
    /// For what is said from here on.
    pub channel: Channel,
    /// Who is at the other end.
    pub peer: Peer,
}

/// Seals and opens frames. Each direction is a sequence: frames are opened in the order they were sealed, each once.
pub struct Channel {
    noise: TransportState,
    binding: Binding,
    sealed: u64,
    opened: u64,
}

/// A frame longer than a channel carries.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a frame of {bytes} bytes does not fit a message")]
pub struct TooLongToSeal {
    /// Its length.
    pub bytes: usize,
}

/// A message is not the next one sealed by the other end: altered, repeated, left out or reordered on the way. The
/// channel cannot go on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a message was altered on its way")]
pub struct Altered;

impl Channel {
    /// What makes this channel this one.
    #[must_use]
    pub fn binding(&self) -> &Binding {
        &self.binding
    }

    /// Appends the sealed frame to `out`: its length and 16 bytes.
    ///
    /// # Errors
    /// When the frame is over [`FRAME_BYTES_MAX`]; then nothing is appended.
    pub fn seal(&mut self, frame: &[u8], out: &mut Vec<u8>) -> Result<(), TooLongToSeal> {
        let start = out.len();
        let too_long = TooLongToSeal { bytes: frame.len() };
        if frame.len() > FRAME_BYTES_MAX {
            return Err(too_long);
        }
        out.resize(start + frame.len() + TAG_BYTES, 0);
        let written = self.noise.write_message(frame, &mut out[start..]);
        if written.is_err() {
            out.truncate(start);
            return Err(too_long);
        }
        self.sealed += 1;
        if self.sealed.is_multiple_of(REKEY_MESSAGES) {
            self.noise.rekey_outgoing();
        }
        Ok(())
    }

    /// The frame in a sealed message.
    ///
    /// # Errors
    /// When it is not the next message of the other end.
    pub fn open(&mut self, message: &[u8]) -> Result<Vec<u8>, Altered> {
        let mut frame = vec![0; message.len().saturating_sub(TAG_BYTES)];
        let length = self.noise.read_message(message, &mut frame).map_err(|_| Altered)?;
        frame.truncate(length);
        self.opened += 1;
        if self.opened.is_multiple_of(REKEY_MESSAGES) {
            self.noise.rekey_incoming();
        }
        Ok(frame)
    }
}

impl std::fmt::Debug for Channel {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Channel")
            .field("sealed", &self.sealed)
            .field("opened", &self.opened)
            .finish_non_exhaustive()
    }
}
