//! The router between us and the internet, asked to let others in: UPnP, NAT-PMP (RFC 6886) and PCP (RFC 6887).

use std::net::{Ipv4Addr, SocketAddr};
use std::num::NonZeroU16;
use std::time::Duration;

use portmapper::{Client, Config, Protocol};
use tokio::time::{sleep, timeout};

use crate::discovery::{Condition, Desk, Told, is_public};

pub(super) async fn run(mut desk: Desk) {
    let client = Client::new(Config { protocol: Protocol::Tcp, ..Config::default() });
    let mut outside = client.watch_external_address();
    loop {
        let addresses = desk.announcement.borrow_and_update().addresses.clone();
        let port = addresses.iter().find(|address| !address.ip().is_loopback()).map(SocketAddr::port);
        let is_asked = match port.and_then(NonZeroU16::new) {
            Some(port) => match look(&client).await {
                Ok(()) => {
                    client.update_local_port(port);
                    client.procure_mapping();
                    true
                }
                Err(why) => {
                    desk.condition(Condition::Failing(why)).await;
                    false
                }
            },
            None => {
                client.deactivate();
                false
            }
        };
        let mut patience = std::pin::pin!(sleep(PATIENCE));
        let mut retry = std::pin::pin!(sleep(RETRY));
        loop {
            tokio::select! {
                () = desk.changed() => break,
                () = &mut retry => break,
                Ok(()) = outside.changed() => {
                    let at = *outside.borrow_and_update();
                    desk.condition(condition(at.map(|at| *at.ip()))).await;
                    desk.tell(Told::Outside(at.filter(|at| is_public(*at.ip())).map(SocketAddr::V4))).await;
                }
                () = &mut patience, if is_asked && !patience.is_elapsed() => {
                    if outside.borrow().is_none() {
                        let why = "the router answers, and gives no port".to_owned();
                        desk.condition(Condition::Failing(why)).await;
                    }
                }
            }
        }
    }
}

/// Whether there is a router to ask.
async fn look(client: &Client) -> Result<(), String> {
    match timeout(PATIENCE, client.probe()).await {
        Ok(Ok(Ok(found))) if found.upnp || found.pcp || found.nat_pmp => Ok(()),
        Ok(Ok(Err(error))) => Err(error.to_string()),
        _ => Err("no router here maps ports (UPnP, NAT-PMP, PCP)".to_owned()),
    }
}

fn condition(outside: Option<Ipv4Addr>) -> Condition {
    match outside {
        Some(ip) if is_public(ip) => Condition::Working,
        Some(ip) => Condition::Failing(format!("the router is itself behind another one, as {ip}")),
        None => Condition::Failing("the router took the port back".to_owned()),
    }
}

/// How long the router is waited for before it is said that it does nothing.
const PATIENCE: Duration = Duration::from_secs(10);

/// When it is asked again, though nothing changed: it may have been replaced.
const RETRY: Duration = Duration::from_secs(900);
