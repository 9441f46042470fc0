//! The three messages, from either end.

use replica::id::RoomId;
use snow::{Builder, HandshakeState, Keypair};

use crate::channel::proof::{self, Place, Proven};
use crate::channel::{Answers, Binding, Channel, Credentials, Established, Offer, Peer, PeerProof, RoomKey};
use crate::limits::{ROOMS_PER_LISTENER_MAX, STRANGER_MESSAGE_BYTES_MAX};

/// The protocol, as Noise names it; its hash is 32 bytes.
const PATTERN: &str = "Noise_XXpsk0_25519_ChaChaPoly_BLAKE2s";

/// Mixed into every handshake, so that versions that mean other bytes never agree on a channel.
const PROLOGUE: &[u8] = b"replica/1";

/// Why a handshake fails. Every case ends the connection and concerns nobody else.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum HandshakeError {
    /// The first message fits none of our rooms, and is no knock that we answer.
    #[error("the first message is for no room here")]
    NoRoom,
    /// A later message was altered, or the other side does not have the room's secret after all.
    #[error("a handshake message was altered")]
    Altered,
    /// A message does not say who sent it in the form it must have.
    #[error("a handshake message is malformed")]
    Malformed,
    /// The author key is no key that somebody could hold alone.
    #[error("the author key is not sound")]
    WeakKey,
    /// The author signed this channel as its other end: its own words, sent back.
    #[error("the signature is for the other end of the channel")]
    WrongRole,
    /// The author did not sign this channel: words from another one, or somebody else's.
    #[error("the signature is for another channel")]
    OtherChannel,
    /// The invite's key did not sign for this author on this channel.
    #[error("the invite's proof is for something else")]
    Invite,
    /// The system gives no random numbers.
    #[error("no random numbers are to be had")]
    NoRandomness,
}

/// The end that opened the connection, waiting for message 2.
pub struct Initiator {
    state: HandshakeState,
    offer: Offer,
    own_key: [u8; 32],
}

impl Initiator {
    /// Starts a handshake; the bytes are message 1.
    ///
    /// # Errors
    /// When there are no random numbers.
    pub fn new(offer: Offer) -> Result<(Self, Vec<u8>), HandshakeError> {
        let key = match &offer {
            Offer::Member(credentials) => credentials.key,
            Offer::Knock(_) => RoomKey::KNOCK,
        };
        let pair = key_pair()?;
        let mut state = start(&key, &pair, true)?;
        let message = write(&mut state, &[])?;
        Ok((Self { state, offer, own_key: public(&pair)? }, message))
    }

    /// Reads message 2; the bytes are message 3, after which the channel is open.
    ///
    /// # Errors
    /// When message 2 does not prove what it must.
    pub fn finish(mut self, answer: &[u8]) -> Result<(Vec<u8>, Established), HandshakeError> {
        let before_answer = hash(&self.state)?;
        let payload = read(&mut self.state, answer)?;
        let peer_key = peer_key(&self.state)?;
        let theirs = Place { initiator: false, channel: &before_answer, noise_key: &peer_key };
        let proven = match &self.offer {
            Offer::Member(credentials) => {
                Some((credentials.room, proof::read(&payload, Some(&credentials.room), theirs)?))
            }
            Offer::Knock(_) if payload.is_empty() => None,
            Offer::Knock(_) => return Err(HandshakeError::Malformed),
        };
        let before_last = hash(&self.state)?;
        let ours = Place { initiator: true, channel: &before_last, noise_key: &self.own_key };
        let payload = match &self.offer {
            Offer::Member(credentials) => proof::write(credentials, ours),
            Offer::Knock(identity) => proof::write_knock(identity, ours),
        };
        let message = write(&mut self.state, &payload)?;
        let channel = open(self.state, true, self.own_key, peer_key)?;
        let peer = match proven {
            Some((room, proven)) => Peer::Member(room, peer_proof(proven, &channel)),
            None => Peer::Answered,
        };
        Ok((message, Established { channel, peer }))
    }
}

/// The end that was connected to, waiting for message 3.
pub struct Responder {
    state: HandshakeState,
    room: Option<RoomId>,
    own_key: [u8; 32],
}

impl Responder {
    /// Reads message 1 and finds the room it is for; the bytes are message 2.
    ///
    /// # Errors
    /// When it is for none.
    pub fn answer(answers: &Answers, message: &[u8]) -> Result<(Self, Vec<u8>), HandshakeError> {
        let pair = key_pair()?;
        let rooms = answers.rooms.iter().take(ROOMS_PER_LISTENER_MAX).map(|room| (&room.key, Some(room)));
        let knock = answers.knocks.then_some((&RoomKey::KNOCK, None));
        for (key, credentials) in rooms.chain(knock) {
            let mut state = start(key, &pair, false)?;
            if read(&mut state, message).is_ok_and(|payload| payload.is_empty()) {
                return Self::reply(state, &pair, credentials);
            }
        }
        Err(HandshakeError::NoRoom)
    }

    fn reply(
        mut state: HandshakeState,
        pair: &Keypair,
        credentials: Option<&Credentials>,
    ) -> Result<(Self, Vec<u8>), HandshakeError> {
        let own_key = public(pair)?;
        let before_answer = hash(&state)?;
        let ours = Place { initiator: false, channel: &before_answer, noise_key: &own_key };
        let payload = credentials.map_or_else(Vec::new, |credentials| proof::write(credentials, ours));
        let message = write(&mut state, &payload)?;
        Ok((Self { state, room: credentials.map(|credentials| credentials.room), own_key }, message))
    }

    /// Reads message 3, after which the channel is open.
    ///
    /// # Errors
    /// When it does not prove what it must.
    pub fn finish(mut self, message: &[u8]) -> Result<Established, HandshakeError> {
        let before_last = hash(&self.state)?;
        let payload = read(&mut self.state, message)?;
        let peer_key = peer_key(&self.state)?;
        let theirs = Place { initiator: true, channel: &before_last, noise_key: &peer_key };
        let proven = proof::read(&payload, self.room.as_ref(), theirs)?;
        let channel = open(self.state, false, self.own_key, peer_key)?;
        let proof = peer_proof(proven, &channel);
        let peer = match self.room {
            Some(room) => Peer::Member(room, proof),
            None => Peer::Knocking(proof),
        };
        Ok(Established { channel, peer })
    }
}

fn peer_proof(proven: Proven, channel: &Channel) -> Box<PeerProof> {
    let Proven { author, cards, invite } = proven;
    Box::new(PeerProof { author, cards, invite, channel: channel.binding.channel })
}

/// A fresh Noise key: one for each connection.
pub(super) fn key_pair() -> Result<Keypair, HandshakeError> {
    builder()?.generate_keypair().map_err(|_| HandshakeError::NoRandomness)
}

/// The state before message 1.
pub(super) fn start(
    key: &RoomKey,
    pair: &Keypair,
    initiator: bool,
) -> Result<HandshakeState, HandshakeError> {
    let builder = builder()?.psk(0, &key.0).and_then(|builder| builder.local_private_key(&pair.private));
    let builder = builder.and_then(|builder| builder.prologue(PROLOGUE));
    let state = builder.and_then(|b| if initiator { b.build_initiator() } else { b.build_responder() });
    state.map_err(|_| HandshakeError::NoRandomness)
}

fn builder<'a>() -> Result<Builder<'a>, HandshakeError> {
    Ok(Builder::new(PATTERN.parse().map_err(|_| HandshakeError::NoRandomness)?))
}

pub(super) fn write(state: &mut HandshakeState, payload: &[u8]) -> Result<Vec<u8>, HandshakeError> {
    let mut message = vec![0; STRANGER_MESSAGE_BYTES_MAX];
    let length = state.write_message(payload, &mut message).map_err(|_| HandshakeError::NoRandomness)?;
    message.truncate(length);
    Ok(message)
}

pub(super) fn read(state: &mut HandshakeState, message: &[u8]) -> Result<Vec<u8>, HandshakeError> {
    if message.len() > STRANGER_MESSAGE_BYTES_MAX {
        return Err(HandshakeError::Malformed);
    }
    let mut payload = vec![0; message.len()];
    let length = state.read_message(message, &mut payload).map_err(|_| HandshakeError::Altered)?;
    payload.truncate(length);
    Ok(payload)
}

pub(super) fn hash(state: &HandshakeState) -> Result<[u8; 32], HandshakeError> {
    state.get_handshake_hash().try_into().map_err(|_| HandshakeError::Malformed)
}

fn peer_key(state: &HandshakeState) -> Result<[u8; 32], HandshakeError> {
    let key = state.get_remote_static().ok_or(HandshakeError::Malformed)?;
    key.try_into().map_err(|_| HandshakeError::Malformed)
}

pub(super) fn public(pair: &Keypair) -> Result<[u8; 32], HandshakeError> {
    pair.public.as_slice().try_into().map_err(|_| HandshakeError::Malformed)
}

fn open(
    state: HandshakeState,
    initiator: bool,
    own_key: [u8; 32],
    peer_key: [u8; 32],
) -> Result<Channel, HandshakeError> {
    let binding = Binding { initiator, channel: hash(&state)?, own_key, peer_key };
    let noise = state.into_transport_mode().map_err(|_| HandshakeError::Altered)?;
    Ok(Channel { noise, binding, sealed: 0, opened: 0 })
}
