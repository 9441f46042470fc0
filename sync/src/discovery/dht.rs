//! The BitTorrent network's distributed hash table (BEP 5): millions of nodes, and a server of nobody's.
//!
//! Our address is announced there under today's tag. Anybody may see that somebody with this address looks for something,
//! and not for what; whoever has the room's secret can ask who is there.

use std::collections::BTreeSet;
use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use futures_util::StreamExt as _;
use mainline::async_dht::AsyncDht;
use mainline::{Dht, Id};
use tokio::net::lookup_host;
use tokio::time::{sleep, timeout};

use crate::discovery::{Condition, Desk, Tag, Tagged, Told, Wanted, is_public};
use crate::limits::DHT_ANSWERS_MAX;

pub(super) async fn run(mut desk: Desk, bootstrap: Vec<String>) {
    let mut pause = FIRST_PAUSE;
    let node = loop {
        match join(&bootstrap).await {
            Ok(node) => break node,
            Err(why) => desk.condition(Condition::Failing(why)).await,
        }
        sleep(pause).await;
        pause = LAST_PAUSE.min(2 * pause);
    };
    let mut pause = FIRST_PAUSE;
    loop {
        let wanted = desk.wanted();
        match look(&desk, &node, &wanted).await {
            Ok(()) => desk.condition(Condition::Working).await,
            Err(why) => desk.condition(Condition::Failing(why)).await,
        }
        tokio::select! {
            () = sleep(pause) => pause = LAST_PAUSE.min(2 * pause),
            () = desk.changed() => pause = FIRST_PAUSE,
        }
    }
}

struct Node {
    dht: AsyncDht,
    /// Whether it is a network of this machine's: a test's.
    is_local: bool,
}

async fn join(bootstrap: &[String]) -> Result<Node, String> {
    let mut known = Vec::new();
    for name in bootstrap {
        let found = timeout(LOOKUP_TIME, lookup_host(name)).await;
        known.extend(found.into_iter().flatten().flatten().filter(SocketAddr::is_ipv4));
    }
    if known.is_empty() {
        return Err("none of its first nodes is known".to_owned());
    }
    let is_local = known.iter().all(|address| address.ip().is_loopback());
    let mut builder = Dht::builder();
    builder.bootstrap(&known).request_timeout(NODE_TIME);
    if is_local {
        builder.bind_address(Ipv4Addr::LOCALHOST);
    }
    let dht = builder.build().map_err(|error| error.to_string())?.as_async();
    Ok(Node { dht, is_local })
}

/// Announces us, and asks who else is there.
async fn look(desk: &Desk, node: &Node, wanted: &Wanted) -> Result<(), String> {
    for (tag, tagged) in &wanted.tags {
        ask(desk, node, tag, tagged).await;
        announce(node, Id::from(*tag), wanted).await?;
    }
    Ok(())
}

async fn announce(node: &Node, id: Id, wanted: &Wanted) -> Result<(), String> {
    let Some(first) = wanted.addresses.first() else { return Ok(()) };
    let announced = timeout(QUERY_TIME, node.dht.announce_peer(id, Some(first.port()))).await;
    announced.map_err(|_| "nobody answers".to_owned())?.map_err(|error| error.to_string()).map(drop)
}

async fn ask(desk: &Desk, node: &Node, tag: &Tag, tagged: &Tagged) {
    let mut peers = node.dht.get_peers(Id::from(*tag));
    // Many nodes say the same.
    let mut seen = BTreeSet::new();
    while seen.len() < DHT_ANSWERS_MAX
        && let Ok(Some(found)) = timeout(QUERY_TIME, peers.next()).await
    {
        for address in found.into_iter().filter(|address| node.is_local || is_public(*address.ip())) {
            if seen.insert(address) {
                let (room, addresses) = (tagged.room, vec![address.into()]);
                desk.tell(Told::Found { room, addresses, relay: None }).await;
            }
        }
    }
}

/// Members that are up announce themselves again, and tables forget: looked at soon at first, then each quarter of an hour.
const FIRST_PAUSE: Duration = Duration::from_secs(1);
const LAST_PAUSE: Duration = Duration::from_secs(900);

/// How long one node is waited for: of those that are far, others are asked too.
const NODE_TIME: Duration = Duration::from_secs(1);

const LOOKUP_TIME: Duration = Duration::from_secs(10);

/// How long one question may take: it goes around half the world several times.
const QUERY_TIME: Duration = Duration::from_secs(15);
