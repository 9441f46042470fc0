//! Whether members are found without being told an address.

use replica_sync::discovery::{Condition, Means, MeansStatus};

use super::Check;
use crate::commands::status::means_line;

/// How a means stands. None of them is needed where others work.
pub(super) fn check(means: &MeansStatus) -> Check {
    let what = means_line(means);
    let cure = match (means.means, &means.condition) {
        (_, Condition::Starting | Condition::Working) => return Check::ok("finding", what),
        (Means::Lan, _) => {
            "Multicast must be allowed on this network (UDP port 5353); --no-lan does without it."
        }
        (Means::Rendezvous, _) => "Is `replica rendezvous` running there? Another may be named beside it.",
        (Means::Dht, _) => "UDP must reach the internet; --dht-bootstrap names other nodes to begin with.",
        (Means::Router, _) => {
            "Switch UPnP, NAT-PMP or PCP on in the router, forward the port by hand, or use a rendezvous with \
             --relay; --no-port-mapping does without."
        }
    };
    Check::warn("finding", what, cure)
}
