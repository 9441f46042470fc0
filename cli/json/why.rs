//! Why an entry stands where it stands.

use replica_sync::engine::Row;
use serde::Serialize;

use crate::commands::why::{Decided, Place, Rule, decided};
use crate::json::{hex, tagged};
use crate::time::rfc3339;

/// The place of an entry, and what decided it.
pub(crate) fn why(place: &Place) -> impl Serialize {
    #[derive(Serialize)]
    struct Why {
        id: String,
        time: String,
        order: String,
        rule: Rule,
        seen: Vec<Other>,
        above: Option<Neighbour>,
        below: Option<Neighbour>,
    }
    #[derive(Serialize)]
    struct Other {
        id: String,
        author: String,
        time: String,
        order: String,
    }
    #[derive(Serialize)]
    struct Neighbour {
        #[serde(flatten)]
        row: Other,
        by: Decided,
    }
    let order = |row: &Row| hex(&row.key.clock.to_bytes());
    let other = |row: &Row| Other {
        id: row.id.to_string(),
        author: row.author.to_string(),
        time: rfc3339(row.claimed_ms),
        order: order(row),
    };
    let row = &place.row;
    let neighbour = |row: &Row, by| Neighbour { row: other(row), by };
    let fields = Why {
        id: row.id.to_string(),
        time: rfc3339(row.claimed_ms),
        order: order(row),
        rule: place.rule(),
        seen: place.seen.iter().map(other).collect(),
        above: place.above.as_ref().map(|above| neighbour(above, decided(above, row))),
        below: place.below.as_ref().map(|below| neighbour(below, decided(row, below))),
    };
    tagged("why", fields)
}
