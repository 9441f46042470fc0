//! `replica rendezvous`

use std::net::{Ipv6Addr, SocketAddr};

use replica_sync::rendezvous::Server;

use crate::config::{Config, RENDEZVOUS_PORT};
use crate::failure::{Exit, Failure};
use crate::json;
use crate::output::Output;
use crate::signals::Signals;

/// A server that introduces members to each other, until it is stopped. It needs no home.
pub(crate) async fn run(config: &Config, relay: bool, output: &mut Output) -> anyhow::Result<Exit> {
    let mut signals = Signals::listen()?;
    let usual = SocketAddr::from((Ipv6Addr::UNSPECIFIED, RENDEZVOUS_PORT));
    let wanted = config.listen.unwrap_or(usual);
    let server = Server::bind(wanted, relay).map_err(|error| {
        let what = format!("cannot listen at {wanted}: {error}");
        Failure::new(Exit::Failed, what, "Choose another address: --listen ADDR; port 0 picks any.")
    })?;
    let address = server.address()?;
    if config.json {
        output.json(&json::listening(address))?;
    } else {
        output.data(&format!("listening {address}"))?;
    }
    output.flush()?;
    let relays = if relay { ", and members who cannot reach each other are joined here" } else { "" };
    output.note(&format!(
        "Members who start with --rendezvous HOST:{} find each other{relays}.",
        address.port()
    ));
    tokio::select! {
        () = signals.next() => {}
        () = server.run() => {}
    }
    Ok(Exit::Done)
}
