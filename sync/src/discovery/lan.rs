//! The local network: multicast DNS (RFC 6762) and service discovery over it (RFC 6763).
//!
//! We are the instance `<tag>-<nonce>` of `_replica._tcp`, once for each tag that holds, at a host name made of the nonce.
//! What anybody on the network can see is that a replica is there, and today's tag.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{SocketAddr, SocketAddrV6};

use data_encoding::BASE32HEX_NOPAD;
use mdns_sd::{DaemonEvent, IfKind, ResolvedService, ScopedIp, ServiceDaemon, ServiceEvent, ServiceInfo};

use crate::discovery::{Condition, Desk, Tag, Told, Wanted};
use crate::limits::SIGHTING_ADDRESSES_MAX;

pub(super) async fn run(mut desk: Desk) {
    if let Err(error) = look(&mut desk).await {
        desk.condition(Condition::Failing(error.to_string())).await;
    }
}

/// Ends only when the daemon does.
async fn look(desk: &mut Desk) -> Result<(), mdns_sd::Error> {
    let daemon = Daemon(ServiceDaemon::new()?);
    daemon.0.disable_interface(vec![IfKind::LoopbackV4, IfKind::LoopbackV6])?;
    let events = daemon.0.browse(SERVICE)?;
    let monitor = daemon.0.monitor()?;
    let nonce = BASE32HEX_NOPAD.encode(&desk.slot.0[..8]).to_lowercase();
    let mut seen = BTreeMap::new();
    desk.condition(Condition::Working).await;
    loop {
        let wanted = desk.wanted();
        let announced = announce(&daemon.0, &wanted, &nonce)?;
        for service in seen.values() {
            tell(desk, &wanted, &nonce, service).await;
        }
        loop {
            tokio::select! {
                () = desk.changed() => break,
                event = events.recv_async() => match event {
                    Ok(ServiceEvent::ServiceResolved(service)) => {
                        tell(desk, &wanted, &nonce, &service).await;
                        // Kept for when other rooms are open, or other tags hold.
                        if seen.len() < SEEN_MAX {
                            seen.insert(service.fullname.clone(), *service);
                        }
                    }
                    Ok(ServiceEvent::ServiceRemoved(_, name)) => drop(seen.remove(&name)),
                    Ok(_) => {}
                    Err(_) => return Err(mdns_sd::Error::Msg("the daemon ended".to_owned())),
                },
                event = monitor.recv_async() => match event {
                    Ok(DaemonEvent::IpAdd(_) | DaemonEvent::IpDel(_)) => desk.tell(Told::Moved).await,
                    Ok(DaemonEvent::Error(error)) => tracing::debug!(%error, "multicast DNS"),
                    Ok(_) => {}
                    Err(_) => return Err(mdns_sd::Error::Msg("the daemon ended".to_owned())),
                },
            }
        }
        for name in announced {
            daemon.0.unregister(&name)?;
        }
    }
}

/// Announces us under every tag. Answers the names.
fn announce(daemon: &ServiceDaemon, wanted: &Wanted, nonce: &str) -> Result<Vec<String>, mdns_sd::Error> {
    let outside: Vec<&SocketAddr> = wanted.addresses.iter().filter(|it| !it.ip().is_loopback()).collect();
    let Some(first) = outside.first() else { return Ok(Vec::new()) };
    let ips: Vec<_> = outside.iter().map(|address| address.ip()).collect();
    let mut names = Vec::new();
    for tag in wanted.tags.keys() {
        let (instance, host) = (instance(tag, nonce), format!("{nonce}.local."));
        let info = ServiceInfo::new(SERVICE, &instance, &host, ips.as_slice(), first.port(), None)?;
        names.push(info.get_fullname().to_owned());
        daemon.register(info)?;
    }
    Ok(names)
}

/// Tells where a member may be, if that is one and not ourselves.
async fn tell(desk: &Desk, wanted: &Wanted, nonce: &str, service: &ResolvedService) {
    let is_wanted = |tag: &Tag| service.fullname.starts_with(&instance(tag, ""));
    let found = wanted.tags.iter().find(|(tag, _)| is_wanted(tag));
    let Some((_, tagged)) = found.filter(|_| !service.fullname.contains(nonce)) else { return };
    // IPv4 first, and always the same ones of many.
    let mut addresses = BTreeSet::new();
    for ip in &service.addresses {
        addresses.insert(address(ip, service.port));
    }
    let addresses = addresses.into_iter().take(SIGHTING_ADDRESSES_MAX).collect();
    desk.tell(Told::Found { room: tagged.room, addresses, relay: None }).await;
}

fn address(ip: &ScopedIp, port: u16) -> SocketAddr {
    match ip {
        ScopedIp::V6(v6) if v6.addr().is_unicast_link_local() => {
            SocketAddrV6::new(*v6.addr(), port, 0, v6.scope_id().index).into()
        }
        ip => SocketAddr::new(ip.to_ip_addr(), port),
    }
}

fn instance(tag: &Tag, nonce: &str) -> String {
    format!("{}-{nonce}", BASE32HEX_NOPAD.encode(tag).to_lowercase())
}

/// Stops its thread when dropped.
struct Daemon(ServiceDaemon);

impl Drop for Daemon {
    fn drop(&mut self) {
        // It fails when the thread has ended.
        self.0.shutdown().ok();
    }
}

const SERVICE: &str = "_replica._tcp.local.";

/// Instances kept in mind, of all rooms.
const SEEN_MAX: usize = 256;
