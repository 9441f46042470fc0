//! `replica why`: why an entry stands where it stands.

use replica::id::EntryId;
use replica_sync::engine::Row;
use serde::Serialize;

use crate::client::Client;
use crate::commands::{reader, room};
use crate::config::Config;
use crate::failure::{Exit, Failure};
use crate::json;
use crate::output::Output;
use crate::people::People;
use crate::text;
use crate::time::LocalTime;

#[cfg(test)]
mod tests;

/// Explains the place of an entry, by how its id begins; of the newest one where none is named.
pub(crate) async fn run(config: &Config, entry: Option<&str>, output: &mut Output) -> anyhow::Result<Exit> {
    let wanted = entry.map(checked).transpose()?;
    let mut client = reader(config).await?;
    let status = client.status().await?;
    room(&status)?;
    let place = find(&mut client, wanted.as_deref()).await?;
    client.stop().await;
    let none =
        || Failure::new(Exit::Failed, "there is no such entry here", "`replica log --json --all` tells ids.");
    let place = place.ok_or_else(none)?;
    if config.json {
        output.json(&json::why(&place))?;
    } else {
        let teller = Teller { people: People::of_status(&status), local: LocalTime::of_system() };
        teller.lines(&place).iter().try_for_each(|line| output.data(line))?;
    }
    output.flush()?;
    Ok(Exit::Done)
}

/// An entry, and what its place follows from.
#[derive(Debug)]
pub(crate) struct Place {
    pub(crate) row: Row,
    /// What its author had seen last, in order: all else they had seen comes before one of these.
    pub(crate) seen: Vec<Row>,
    /// The row before it in the order.
    pub(crate) above: Option<Row>,
    /// The row after it.
    pub(crate) below: Option<Row>,
}

/// Which line of the rule gave an entry its time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Rule {
    /// Its author had seen nothing.
    First,
    /// The author's clock says a later time than all they had seen.
    OwnClock,
    /// It does not: the entry follows at once what they had seen last.
    AfterSeen,
    /// What they had seen claims a time that cannot be true: from here on true clocks count again.
    NewEra,
}

/// What decided which of two rows that follow each other comes first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Decided {
    /// The author of the later one had seen the other.
    Seen,
    /// They were written in parallel, and a new era began for the later one.
    Era,
    /// In parallel, by the clocks of their authors.
    Clock,
    /// In parallel and at one time: fewer entries lie between the earlier one and the clock that told it.
    Count,
    /// In parallel, and equal in all but their ids.
    Id,
}

impl Place {
    pub(crate) fn rule(&self) -> Rule {
        let clock = self.row.key.clock;
        match self.seen.iter().map(|seen| seen.key.clock).max() {
            None => Rule::First,
            Some(latest) if clock.era > latest.era => Rule::NewEra,
            Some(latest) if clock.time_ms > latest.time_ms => Rule::OwnClock,
            Some(_) => Rule::AfterSeen,
        }
    }
}

/// What decided between a row and the next one. Of neighbours, who had seen the other one names it: nothing is between.
pub(crate) fn decided(upper: &Row, lower: &Row) -> Decided {
    let (above, below) = (upper.key.clock, lower.key.clock);
    if lower.deps.contains(&upper.id) {
        Decided::Seen
    } else if above.era != below.era {
        Decided::Era
    } else if above.time_ms != below.time_ms {
        Decided::Clock
    } else if above.count != below.count {
        Decided::Count
    } else {
        Decided::Id
    }
}

/// Goes up from the newest row to the entry, and on to all that its author had seen last.
async fn find(client: &mut Client, wanted: Option<&str>) -> anyhow::Result<Option<Place>> {
    let mut place: Option<Place> = None;
    let mut lacking: Vec<EntryId> = Vec::new();
    let (mut before, mut last) = (None, None);
    loop {
        let page = client.page(before, PAGE_ROWS).await?;
        let is_end = page.len() < PAGE_ROWS;
        before = page.last().map(|row| row.key);
        for row in page {
            match &mut place {
                None if wanted.is_none_or(|wanted| row.id.to_string().starts_with(wanted)) => {
                    lacking.clone_from(&row.deps);
                    place = Some(Place { row, seen: Vec::new(), above: None, below: last.take() });
                }
                None => last = Some(row),
                Some(place) => {
                    if let Some(at) = lacking.iter().position(|id| *id == row.id) {
                        lacking.swap_remove(at);
                        place.seen.insert(0, row.clone());
                    }
                    place.above.get_or_insert(row);
                }
            }
        }
        let is_found = place.as_ref().is_some_and(|place| lacking.is_empty() && place.above.is_some());
        if is_found || is_end {
            return Ok(place);
        }
    }
}

/// The beginning of an id.
fn checked(text: &str) -> Result<String, Failure> {
    let is_hex = text.chars().all(|c| c.is_ascii_hexdigit());
    if is_hex && (ID_DIGITS_MIN..=64).contains(&text.len()) {
        return Ok(text.to_ascii_lowercase());
    }
    let what = format!("{} is not how the id of an entry begins", text::line(text));
    let next =
        format!("Name {ID_DIGITS_MIN} hexadecimal digits or more: `replica log --json --all` tells ids.");
    Err(Failure::new(Exit::Usage, what, next))
}

/// Says it in words.
struct Teller {
    people: People,
    local: LocalTime,
}

impl Teller {
    fn lines(&self, place: &Place) -> Vec<String> {
        let row = &place.row;
        let mut lines = vec![self.shown(row), format!("id       {}", row.id)];
        if !place.seen.is_empty() {
            lines.push(format!("after    what {} had seen last:", self.people.name(&row.author)));
            lines.extend(place.seen.iter().map(|seen| format!("         {}", self.shown(seen))));
        }
        lines.push(format!("time     {}", self.time(place)));
        let neighbours = [("above", place.above.as_ref()), ("below", place.below.as_ref())];
        for (label, other) in neighbours.into_iter().filter_map(|(label, other)| Some((label, other?))) {
            let (upper, lower) = if label == "above" { (other, row) } else { (row, other) };
            lines.push(format!("{label:8} {}", self.shown(other)));
            lines.push(format!("         {}", self.words(upper, lower)));
        }
        lines
    }

    fn time(&self, place: &Place) -> String {
        let Place { row, seen, .. } = place;
        let name = self.people.name(&row.author);
        let says = format!("{name}'s clock said {}", self.local.full(row.claimed_ms));
        let latest = seen.iter().max_by_key(|seen| seen.key);
        let latest_ms = latest.map_or(0, |latest| latest.key.clock.time_ms);
        match place.rule() {
            Rule::First => format!("{says}, and nothing had been seen: it counts"),
            Rule::OwnClock => format!("{says}, later than all that had been seen: it counts"),
            Rule::AfterSeen => {
                let latest = self.local.full(latest_ms);
                format!("{says}, not later than what had been seen: it follows that at once, at {latest}")
            }
            Rule::NewEra => {
                let latest = self.local.full(latest_ms);
                format!(
                    "{says}, and {latest}, which had been seen, cannot be true: a new era begins, by true clocks"
                )
            }
        }
    }

    fn words(&self, upper: &Row, lower: &Row) -> String {
        let (above, below) = (self.people.name(&upper.author), self.people.name(&lower.author));
        let time = |row: &Row| self.local.full(row.key.clock.time_ms);
        match decided(upper, lower) {
            Decided::Seen => format!("{below} had seen what {above} wrote"),
            Decided::Era => "written in parallel; the lower one belongs to a later era".to_owned(),
            Decided::Clock => format!("written in parallel: {} comes before {}", exact(upper), exact(lower)),
            Decided::Count => {
                format!(
                    "written in parallel, at {}: fewer entries at that time came before the upper one",
                    time(upper)
                )
            }
            Decided::Id => format!("written in parallel, at {}: the smaller id comes first", time(upper)),
        }
    }

    /// Who wrote it, when by their clock, and how it begins.
    fn shown(&self, row: &Row) -> String {
        let mut words = text::line(&row.text);
        if let Some((end, _)) = words.char_indices().nth(SHOWN_CHARS) {
            words.truncate(end);
            words.push('…');
        }
        format!("{} at {}: {words}", self.people.name(&row.author), self.local.full(row.claimed_ms))
    }
}

/// The time by which a row stands, to the millisecond: what is compared.
fn exact(row: &Row) -> String {
    crate::time::rfc3339(row.key.clock.time_ms)
}

/// Rows of one request.
const PAGE_ROWS: usize = 512;

/// So many digits of an id are nobody else's by chance.
const ID_DIGITS_MIN: usize = 8;

/// So much of a text says which one is meant.
const SHOWN_CHARS: usize = 60;
