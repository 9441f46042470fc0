//! What a room is called where its members look for each other, and how they hide there what they say.
//!
//! Pure. All of it comes from the room's secret, a means and a day: who lacks the secret can neither compute a tag, nor
//! link one day's to another's, nor one means' to another's.

use std::fmt;
use std::net::SocketAddr;

use chacha20poly1305::aead::Aead as _;
use chacha20poly1305::{KeyInit as _, XChaCha20Poly1305, XNonce};
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use crate::limits::{SIGHTING_ADDRESSES_MAX, SIGHTING_BYTES};
use crate::wire::Address;

#[cfg(test)]
mod tests;

/// By which means members look for each other.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Deserialize, Serialize)]
pub enum Means {
    /// Multicast DNS on the local network.
    Lan,
    /// A server that introduces.
    Rendezvous,
    /// The BitTorrent network's distributed hash table.
    Dht,
    /// The router, which lets others in: it finds nobody, and makes us be found.
    Router,
}

impl Means {
    /// As people and scripts read it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Lan => "lan",
            Self::Rendezvous => "rendezvous",
            Self::Dht => "dht",
            Self::Router => "router",
        }
    }
}

impl fmt::Display for Means {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// The name of a room at one means on one day.
pub(crate) type Tag = [u8; 20];

/// The tag of a room.
pub(crate) fn tag(secret: &[u8; 32], means: Means, day: u64) -> Tag {
    let hash = derived(secret, means, b"tag", day);
    *hash.first_chunk().unwrap_or(&[0; 20])
}

/// The days whose tags hold at a time: two near midnight (UTC), so that clocks may differ by some hours.
pub(crate) fn days(wall_ms: u64) -> impl Iterator<Item = u64> + Clone {
    wall_ms.saturating_sub(OVERLAP_MS) / DAY_MS..=wall_ms.saturating_add(OVERLAP_MS) / DAY_MS
}

/// Milliseconds from a time until [`days`] answers otherwise.
pub(crate) fn until_next(wall_ms: u64) -> u64 {
    let of_day = wall_ms % DAY_MS;
    let changes = [OVERLAP_MS, DAY_MS - OVERLAP_MS, DAY_MS + OVERLAP_MS];
    changes.into_iter().find(|change| *change > of_day).unwrap_or(DAY_MS + OVERLAP_MS) - of_day
}

/// Where somebody is, for members alone: always [`SIGHTING_BYTES`] long.
pub(crate) fn seal(secret: &[u8; 32], day: u64, nonce: [u8; 24], addresses: &[SocketAddr]) -> Vec<u8> {
    let mut plain = [0; 1 + SIGHTING_ADDRESSES_MAX * ADDRESS_BYTES];
    let addresses = addresses.iter().take(SIGHTING_ADDRESSES_MAX);
    plain[0] = u8::try_from(addresses.len()).unwrap_or(0);
    for (place, address) in plain[1..].chunks_exact_mut(ADDRESS_BYTES).zip(addresses) {
        let Address { ip, port } = (*address).into();
        place[..16].copy_from_slice(&ip);
        place[16..].copy_from_slice(&port.to_be_bytes());
    }
    let sealed = cipher(secret, day).encrypt(&XNonce::from(nonce), plain.as_slice()).unwrap_or_default();
    [nonce.as_slice(), &sealed].concat()
}

/// What [`seal`] hid, if it was sealed for this room and day.
pub(crate) fn open(secret: &[u8; 32], day: u64, sealed: &[u8]) -> Option<Vec<SocketAddr>> {
    let (nonce, sealed) = sealed.split_first_chunk::<24>()?;
    let plain = cipher(secret, day).decrypt(&XNonce::from(*nonce), sealed).ok()?;
    let (count, places) = plain.split_first()?;
    let address = |place: &[u8]| {
        let (ip, port) = place.split_first_chunk()?;
        Some(SocketAddr::from(Address { ip: *ip, port: u16::from_be_bytes(port.try_into().ok()?) }))
    };
    places.chunks_exact(ADDRESS_BYTES).take(usize::from(*count)).map(address).collect()
}

fn cipher(secret: &[u8; 32], day: u64) -> XChaCha20Poly1305 {
    XChaCha20Poly1305::new(&derived(secret, Means::Rendezvous, b"seal", day).into())
}

fn derived(secret: &[u8; 32], means: Means, purpose: &[u8], day: u64) -> [u8; 32] {
    let hash = Sha256::new().chain_update(b"replica/1/find\0").chain_update(secret);
    let hash = hash.chain_update(means.name()).chain_update([0]).chain_update(purpose).chain_update([0]);
    hash.chain_update(day.to_be_bytes()).finalize().into()
}

const ADDRESS_BYTES: usize = 18;

const DAY_MS: u64 = 86_400_000;

/// How long before and after midnight two days' tags hold.
const OVERLAP_MS: u64 = 3 * 3_600_000;

const _: () = assert!(SIGHTING_BYTES == 24 + 1 + SIGHTING_ADDRESSES_MAX * ADDRESS_BYTES + 16);
