//! A late join whose connection breaks again and again: how much is sent twice.

use replica_sync::engine::{Command, Event};
use replica_sync::node::Options;
use tokio::time::timeout;

use crate::Bench;
use crate::figure::Figure;
use crate::history::History;
use crate::proxy::Proxy;
use crate::running::{PATIENCE, Running, options};

const CUTS: u64 = 20;

/// What the places of the cuts are drawn from.
const SEED: u64 = 4;

pub(crate) fn run(bench: &mut Bench) {
    let whole = bench.runtime.block_on(join(bench.long(), Vec::new()));
    let mut cuts: Vec<u64> = (0..CUTS).map(|number| draw(number) % whole[0]).collect();
    cuts.sort_unstable();
    let broken = bench.runtime.block_on(join(bench.long(), cuts));
    let [whole, broken] = [whole, broken].map(|[down, up]| (down + up) as f64 / 1024.0);
    bench.figures.push(
        Figure::new("join 100k, cut 20 times: bytes in all", broken, "kB")
            .at_most(1.05 * whole)
            .floor("never cut", whole),
    );
}

fn draw(number: u64) -> u64 {
    let mut state = (SEED << 32 | number).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    state ^= state >> 29;
    state.wrapping_mul(0xbf58_476d_1ce4_e5b9) >> 16
}

/// Joins over a line that breaks at these places. Bytes of TCP each way, handshakes and all.
async fn join(history: &History, cuts: Vec<u64>) -> [u64; 2] {
    let (folder, other) = (history.home(0), tempfile::tempdir().unwrap());
    // Tells nobody the way around the proxy.
    let mut ann = Running::start(folder.path(), Options { dials: false, ..options() }).await;
    let expected = cuts.len() as u64;
    let proxy = Proxy::new(ann.port, cuts);
    let ticket = ann.ticket(proxy.port).await;
    let mut bob = Running::start(other.path(), Options { ticket: Some(ticket), ..options() }).await;
    // The newcomer's own name comes on top.
    let mut left = history.messages;
    let joining = async {
        let mut ends = 0;
        while left > 0 {
            let mut is_gone = false;
            bob.wait(|event| {
                is_gone = matches!(event, Event::PeerGone { .. });
                left -= usize::from(
                    matches!(event, Event::Row(row) if row.kind == replica::entry::Kind::Message.number()),
                );
                is_gone || left == 0
            })
            .await;
            if is_gone && left > 0 {
                ends += 1;
                // At once: the pauses of redialling are no subject here.
                let address = format!("127.0.1.{}:{}", ends % 250 + 1, proxy.port);
                bob.node.command(Command::Dial(address)).await.unwrap();
            }
        }
    };
    let listening = async { while ann.events.recv().await.is_some() {} };
    tokio::select! {
        joined = timeout(PATIENCE, joining) => joined.expect("the join does not end"),
        () = listening => panic!("the listener stopped"),
    }
    // A break so near the end that all had come already changes nothing.
    assert!(proxy.breaks() + 1 >= expected, "{} of {expected} breaks", proxy.breaks());
    let passed = proxy.passed();
    tokio::join!(ann.stop(), bob.stop());
    passed
}
