//! What messages 2 and 3 carry, as bytes: version (1), author key, its signature over the channel, the number of cards
//! and the cards (admitter's key, signature), then 0, or 1 with an invite's key and signature. Nothing after it.

use replica::id::{AuthorKey, RoomId};
use replica::identity::{Identity, Purpose, Signature, is_sound, verify};

use crate::channel::handshake::HandshakeError;
use crate::channel::{Card, Credentials, InviteShown};
use crate::limits::CARDS_MAX;

const VERSION: u8 = 1;

/// Where in which handshake a proof is made.
#[derive(Clone, Copy)]
pub(super) struct Place<'a> {
    /// Whether the initiator makes it.
    pub(super) initiator: bool,
    /// Hash of the handshake before the message that carries it.
    pub(super) channel: &'a [u8; 32],
    /// The Noise key of who makes it.
    pub(super) noise_key: &'a [u8; 32],
}

impl Place<'_> {
    fn purpose(&self) -> Purpose<'_> {
        let Place { initiator, channel, noise_key } = *self;
        Purpose::Channel { initiator, channel, noise_key }
    }
}

/// What a proof proved.
#[derive(Debug)]
pub(super) struct Proven {
    pub(super) author: AuthorKey,
    pub(super) cards: Vec<Card>,
    pub(super) invite: Option<InviteShown>,
}

/// The proof of who speaks in a room.
pub(super) fn write(credentials: &Credentials, place: Place<'_>) -> Vec<u8> {
    let Credentials { room, identity, cards, invite, .. } = credentials;
    let cards = if cards.len() > CARDS_MAX { &[] } else { cards.as_slice() };
    write_parts(identity, cards, invite.as_ref().map(|invite| (invite, room)), place)
}

/// The proof of who knocks.
pub(super) fn write_knock(identity: &Identity, place: Place<'_>) -> Vec<u8> {
    write_parts(identity, &[], None, place)
}

fn write_parts(
    identity: &Identity,
    cards: &[Card],
    invite: Option<(&Identity, &RoomId)>,
    place: Place<'_>,
) -> Vec<u8> {
    let mut bytes = vec![VERSION];
    bytes.extend_from_slice(&identity.key().0);
    bytes.extend_from_slice(&identity.sign(place.purpose()).0);
    bytes.push(u8::try_from(cards.len()).unwrap_or(u8::MAX));
    for card in cards {
        bytes.extend_from_slice(&card.admitter.0);
        bytes.extend_from_slice(&card.signature.0);
    }
    bytes.push(u8::from(invite.is_some()));
    if let Some((invite, room)) = invite {
        let purpose = Purpose::Invite { room, key: &identity.key(), channel: place.channel };
        bytes.extend_from_slice(&invite.key().0);
        bytes.extend_from_slice(&invite.sign(purpose).0);
    }
    bytes
}

/// Reads a proof and verifies what it signs. `room` is none for a knock, which has neither cards nor an invite.
pub(super) fn read(bytes: &[u8], room: Option<&RoomId>, place: Place<'_>) -> Result<Proven, HandshakeError> {
    let mut rest = bytes;
    if take(&mut rest)? != [VERSION] {
        return Err(HandshakeError::Malformed);
    }
    let author = AuthorKey(take(&mut rest)?);
    let signature = Signature(take(&mut rest)?);
    let [count] = take(&mut rest)?;
    if usize::from(count) > CARDS_MAX {
        return Err(HandshakeError::Malformed);
    }
    let mut cards = Vec::with_capacity(usize::from(count));
    for _ in 0..count {
        cards.push(Card { admitter: AuthorKey(take(&mut rest)?), signature: Signature(take(&mut rest)?) });
    }
    let invite = match take(&mut rest)? {
        [0] => None,
        [1] => Some((AuthorKey(take(&mut rest)?), Signature(take(&mut rest)?))),
        _ => return Err(HandshakeError::Malformed),
    };
    let bare = cards.is_empty() && invite.is_none();
    if !rest.is_empty() || room.is_none() && !bare {
        return Err(HandshakeError::Malformed);
    }
    check_author(&author, &signature, place)?;
    let invite = match (invite, room) {
        (Some((key, signature)), Some(room)) => Some(check_invite(key, signature, room, &author, place)?),
        _ => None,
    };
    Ok(Proven { author, cards, invite })
}

fn check_author(author: &AuthorKey, signature: &Signature, place: Place<'_>) -> Result<(), HandshakeError> {
    let swapped = Place { initiator: !place.initiator, ..place };
    if !is_sound(author) {
        Err(HandshakeError::WeakKey)
    } else if verify(author, place.purpose(), signature) {
        Ok(())
    } else if verify(author, swapped.purpose(), signature) {
        Err(HandshakeError::WrongRole)
    } else {
        Err(HandshakeError::OtherChannel)
    }
}

fn check_invite(
    key: AuthorKey,
    signature: Signature,
    room: &RoomId,
    author: &AuthorKey,
    place: Place<'_>,
) -> Result<InviteShown, HandshakeError> {
    let purpose = Purpose::Invite { room, key: author, channel: place.channel };
    if !verify(&key, purpose, &signature) {
        return Err(HandshakeError::Invite);
    }
    Ok(InviteShown { key, channel: *place.channel, signature })
}

fn take<const N: usize>(rest: &mut &[u8]) -> Result<[u8; N], HandshakeError> {
    let (head, tail) = rest.split_first_chunk().ok_or(HandshakeError::Malformed)?;
    *rest = tail;
    Ok(*head)
}
