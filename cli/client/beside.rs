//! What a run was asked for that the process decides which has the home open.

use replica_sync::discovery::rendezvous_address;
use replica_sync::engine::Command;
use replica_sync::node::NodeError;

use crate::client::Client;
use crate::config::Config;

impl Client {
    /// Has the process that has the home open meet members at the servers that were named. Answers what else it does
    /// otherwise than was asked for here, in lines.
    pub(crate) async fn ask_holder(&mut self, config: &Config) -> Result<Vec<&'static str>, NodeError> {
        let Some(is_online) = self.holder().map(|holder| holder.dials) else { return Ok(Vec::new()) };
        for server in &config.discovery.rendezvous {
            self.command(Command::Dial(rendezvous_address(server))).await?;
        }
        let otherwise = [
            (config.offline && is_online, OFFLINE),
            (config.chosen.is_flag("listen"), LISTEN),
            (config.chosen.is_flag("dht"), DHT),
        ];
        Ok(otherwise.into_iter().filter(|(is_so, _)| *is_so).map(|(_, words)| words).collect())
    }
}

const OFFLINE: &str = "The process that has the home open is online: what is written goes out at once (--offline does not \
                       hold here).";

const LISTEN: &str =
    "The process that has the home open listens where it was told to (--listen does not hold here).";

const DHT: &str = "The process that has the home open is found by the means it was started with (--dht does not hold here).";
