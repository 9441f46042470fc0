//! How long and how many a transport puts up with.

use std::time::Duration;

use crate::limits;

/// Times and numbers that a transport keeps to. The default is that of [`limits`].
#[derive(Clone, Copy, Debug)]
pub struct TransportLimits {
    /// See [`limits::CONNECT_TIME`].
    pub connect_time: Duration,
    /// See [`limits::HANDSHAKE_TIME`].
    pub handshake_time: Duration,
    /// See [`limits::FLUSH_TIME`].
    pub flush_time: Duration,
    /// See [`limits::CONNECTIONS_MAX`].
    pub connections: usize,
    /// See [`limits::CONNECTIONS_PER_ADDRESS_MAX`].
    pub per_address: usize,
    /// See [`limits::CONNECTIONS_PER_LOOPBACK_MAX`].
    pub per_loopback: usize,
    /// See [`limits::HANDSHAKES_MAX`].
    pub handshakes: usize,
}

impl TransportLimits {
    /// With place for the links of so many rooms.
    #[must_use]
    pub fn for_rooms(self, rooms: usize) -> Self {
        let further = rooms.saturating_sub(1);
        Self {
            connections: self.connections + further * limits::CONNECTIONS_PER_FURTHER_ROOM,
            per_address: self.per_address + further * limits::CONNECTIONS_PER_ADDRESS_AND_FURTHER_ROOM,
            per_loopback: self.per_loopback + further * limits::CONNECTIONS_PER_ADDRESS_AND_FURTHER_ROOM,
            ..self
        }
    }
}

impl Default for TransportLimits {
    fn default() -> Self {
        Self {
            connect_time: limits::CONNECT_TIME,
            handshake_time: limits::HANDSHAKE_TIME,
            flush_time: limits::FLUSH_TIME,
            connections: limits::CONNECTIONS_MAX,
            per_address: limits::CONNECTIONS_PER_ADDRESS_MAX,
            per_loopback: limits::CONNECTIONS_PER_LOOPBACK_MAX,
            handshakes: limits::HANDSHAKES_MAX,
        }
    }
}
