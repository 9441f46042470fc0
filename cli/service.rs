//! What a service manager is told by the protocol of `sd_notify`: that the program is ready, that it reads its settings
//! again, and that it ends.

use std::ffi::OsStr;
use std::io;
use std::net::SocketAddr;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::net::{SocketAddr as SocketName, UnixDatagram};

#[cfg(test)]
mod tests;

/// Connections are accepted.
pub(crate) fn ready(listening: SocketAddr) {
    tell(&format!("READY=1\nSTATUS=listening at {listening}"));
}

/// The settings are being read again; [`ready`] follows.
pub(crate) fn reloading() {
    let now = rustix::time::clock_gettime(rustix::time::ClockId::Monotonic);
    tell(&format!("RELOADING=1\nMONOTONIC_USEC={}", now.tv_sec * 1_000_000 + now.tv_nsec / 1_000));
}

/// The end has begun.
pub(crate) fn stopping() {
    tell("STOPPING=1");
}

/// Tells whoever asked to be told. A manager that does not hear it ends or restarts us by its own rules.
fn tell(words: &str) {
    let Some(name) = std::env::var_os("NOTIFY_SOCKET").filter(|name| !name.is_empty()) else { return };
    if let Err(error) = tell_at(&name, words) {
        tracing::warn!(%error, "the service manager was not told");
    }
}

fn tell_at(name: &OsStr, words: &str) -> io::Result<()> {
    let socket = UnixDatagram::unbound()?;
    // A manager that does not read must not hold up the conversation.
    socket.set_nonblocking(true)?;
    socket.send_to_addr(words.as_bytes(), &socket_name(name)?)?;
    Ok(())
}

fn socket_name(name: &OsStr) -> io::Result<SocketName> {
    match name.as_bytes().strip_prefix(b"@") {
        Some(name) => abstract_name(name),
        None => SocketName::from_pathname(name),
    }
}

#[cfg(target_os = "linux")]
fn abstract_name(name: &[u8]) -> io::Result<SocketName> {
    <SocketName as std::os::linux::net::SocketAddrExt>::from_abstract_name(name)
}

#[cfg(not(target_os = "linux"))]
fn abstract_name(_: &[u8]) -> io::Result<SocketName> {
    Err(io::ErrorKind::Unsupported.into())
}
