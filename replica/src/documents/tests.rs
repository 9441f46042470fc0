use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;

use super::*;
use crate::document::Actor;
use crate::id::{AuthorKey, ChainId, EntryId};
use crate::limits::DOCUMENT_ENTRIES_MAX;
use crate::order::Clock;

const WEEK_MS: u64 = 7 * 24 * 60 * 60 * 1000;

#[derive(Debug, PartialEq, Eq)]
struct Broken;

/// A store in memory, which counts what it is asked for.
#[derive(Default)]
struct FakeShelf {
    log: Vec<Row>,
    saved: BTreeMap<Span, (Vec<u8>, Position)>,
    rows_read: usize,
    loads: usize,
    saves: usize,
    /// A crash between the bytes of a document and the pointer to it: saves leave nothing behind.
    loses_saves: bool,
    is_broken: bool,
}

impl FakeShelf {
    fn check(&self) -> Result<(), Broken> {
        if self.is_broken { Err(Broken) } else { Ok(()) }
    }
}

impl Shelf for FakeShelf {
    type Error = Broken;

    fn reached(&mut self, span: &Span) -> Result<Option<Position>, Broken> {
        self.check()?;
        Ok(self.saved.get(span).map(|(_, reached)| *reached))
    }

    fn load(&mut self, span: &Span) -> Result<Option<(Vec<u8>, Position)>, Broken> {
        self.check()?;
        let saved = self.saved.get(span).cloned();
        self.loads += usize::from(saved.is_some());
        Ok(saved)
    }

    fn save(&mut self, span: &Span, document: &[u8], reached: Position) -> Result<(), Broken> {
        self.check()?;
        self.saves += 1;
        if !self.loses_saves {
            self.saved.insert(*span, (document.to_vec(), reached));
        }
        Ok(())
    }

    fn forget(&mut self, span: &Span) -> Result<(), Broken> {
        self.check()?;
        self.saved.remove(span);
        Ok(())
    }

    fn rows(&mut self, positions: &[Position]) -> Result<Vec<Row>, Broken> {
        self.check()?;
        self.rows_read += positions.len();
        positions.iter().map(|position| self.log.get(*position as usize).cloned().ok_or(Broken)).collect()
    }
}

/// A room: its log, its timeline, and its documents.
struct Room {
    shelf: FakeShelf,
    timeline: Timeline,
    documents: Documents,
}

impl Room {
    fn new(period_ms: u64, span_rows_max: usize) -> Self {
        let timeline = Timeline::with_span_rows_max(period_ms, span_rows_max);
        Self { shelf: FakeShelf::default(), timeline, documents: Documents::default() }
    }

    fn by_week() -> Self {
        Self::new(WEEK_MS, DOCUMENT_ENTRIES_MAX)
    }

    /// Admits a row without its becoming durable.
    fn admit(&mut self, row: Row) -> Position {
        let position = Position::try_from(self.shelf.log.len()).unwrap();
        let placed = self.timeline.insert(row.key);
        self.shelf.log.push(row);
        if let Some(span) = placed.split {
            self.documents.split(&self.timeline, &mut self.shelf, &span).unwrap();
        }
        position
    }

    fn write(&mut self, row: Row) {
        let key = row.key;
        let position = self.admit(row);
        self.documents.note(&self.timeline, &key, position);
    }

    fn maintain(&mut self, budget_rows: usize) -> bool {
        self.documents.maintain(&self.timeline, &mut self.shelf, budget_rows, true).unwrap()
    }

    fn settle(&mut self) {
        while self.maintain(100_000) {}
        assert_eq!(self.documents.behind(), 0);
    }

    /// A crash: what was in memory is gone.
    fn reopen(&mut self) {
        self.documents = Documents::open(&self.timeline, &mut self.shelf).unwrap();
    }

    fn page(&mut self, before: Option<&OrderKey>, count: usize) -> Vec<PageRow> {
        self.documents.page(&self.timeline, &mut self.shelf, before, count).unwrap()
    }

    fn heads(&mut self) -> BTreeMap<Span, Vec<[u8; 32]>> {
        let spans: Vec<Span> = self.timeline.spans().collect();
        let heads =
            |span| Some((span, self.documents.heads(&self.timeline, &mut self.shelf, &span).unwrap()?));
        spans.into_iter().filter_map(heads).collect()
    }

    /// A page is what sorting the log gives.
    fn check(&mut self, before: Option<&OrderKey>, count: usize) {
        let below = |key: &OrderKey| before.is_none_or(|before| key < before);
        let mut expected: Vec<PageRow> = (0..)
            .zip(&self.shelf.log)
            .map(|(position, row)| PageRow { key: row.key, position, text: row.text.clone() })
            .filter(|row| below(&row.key))
            .collect();
        expected.sort_by_key(|row| row.key);
        let expected: Vec<PageRow> = expected.into_iter().rev().take(count).collect();
        assert_eq!(self.page(before, count), expected);
        assert!(self.documents.in_use() <= LOADED_MAX);
    }

    fn check_verified(&mut self) {
        let verified = self.documents.verify(&self.timeline, &mut self.shelf).unwrap();
        assert_eq!(verified.wrong, []);
        assert_eq!(verified.rows, self.shelf.log.len());
    }
}

fn row(author: u32, time_ms: u64) -> Row {
    let mut key = [7; 32];
    key[..4].copy_from_slice(&author.to_be_bytes());
    let chain = ChainId { author: AuthorKey(key), incarnation: 1 };
    let key = OrderKey { clock: Clock { era: 0, time_ms, count: 0 }, id: EntryId(key) };
    Row { key, actor: chain.into(), claimed_ms: time_ms, text: format!("{author} at {time_ms}") }
}

fn rows(range: std::ops::Range<u64>, step_ms: u64) -> impl Iterator<Item = Row> {
    range.map(move |n| row((n % 3) as u32, n * step_ms))
}

#[test]
fn a_row_is_shown_before_and_after_it_is_in_its_document() {
    let mut room = Room::by_week();
    rows(0..40, 1_000).for_each(|row| room.write(row));
    assert_eq!(room.documents.behind(), 40);
    room.check(None, 50);
    assert!(room.maintain(25), "15 rows are left");
    assert_eq!(room.documents.behind(), 15);
    room.check(None, 50);
    room.settle();
    room.shelf.rows_read = 0;
    room.check(None, 50);
    assert_eq!(room.shelf.rows_read, 0, "what is in a document is read from there");
    room.check_verified();
}

#[test]
fn late_rows_of_many_weeks_have_one_document_loaded_at_a_time() {
    let mut room = Room::by_week();
    rows(0..4 * 168, 60 * 60 * 1000).for_each(|row| room.write(row));
    let weeks = |room: &Room| room.documents.behind().div_ceil(168);
    for left in [3, 2, 1, 0] {
        assert!(room.maintain(10_000));
        assert_eq!(weeks(&room), left);
    }
    room.check_verified();
}

#[test]
fn a_year_holds_few_documents_in_memory_and_takes_late_entries() {
    let mut room = Room::by_week();
    // A year of entries every two hours.
    for row in rows(0..52 * 84, 2 * 60 * 60 * 1000) {
        room.write(row);
        if room.documents.behind() == 12 {
            room.maintain(10);
        }
        assert!(room.documents.in_use() <= LOADED_MAX);
    }
    room.settle();
    assert_eq!(room.timeline.spans().count(), 52);
    let is_kept = |span| room.shelf.saved.contains_key(&span) || room.documents.loaded.contains_key(&span);
    assert!(room.timeline.spans().all(is_kept), "a document was dropped before it was ever saved");

    // Someone who was offline since the third week comes back.
    let late: Vec<Row> = (0..20).map(|n| row(9, 2 * WEEK_MS + n * 1_000 + 1)).collect();
    late.iter().cloned().for_each(|row| room.write(row));
    room.settle();
    room.shelf.rows_read = 0;
    room.check(Some(&row(9, 2 * WEEK_MS + 20_000).key), 30);
    assert_eq!(room.shelf.rows_read, 0, "late entries are in the old document");
    room.check(None, 5_000);
    room.check_verified();
    assert!(room.documents.in_use() <= LOADED_MAX);
}

#[test]
fn a_document_is_saved_when_what_came_since_outgrows_a_quarter() {
    let mut room = Room::by_week();
    for row in rows(0..8_000, 10_000) {
        room.write(row);
        if room.documents.behind() == 32 {
            room.settle();
        }
    }
    // 256, 512, … while a quarter is less; then by a quarter each: 1280, 1600, 2000, … 7629.
    assert!((10..=14).contains(&room.shelf.saves), "{} saves", room.shelf.saves);
    let (_, reached) = *room.shelf.saved.values().next().unwrap();
    assert!(reached > 8_000 / 5 * 4, "{reached}");
    room.check_verified();
}

#[test]
fn what_takes_long_is_done_only_where_it_may() {
    let mut room = Room::by_week();
    rows(0..300 * 6, WEEK_MS / 300).for_each(|row| room.write(row));
    let Room { shelf, timeline, documents } = &mut room;
    while documents.maintain(timeline, shelf, 100, false).unwrap() {}
    assert_eq!(
        (shelf.saves, documents.in_use()),
        (0, LOADED_MAX),
        "only what is dropped would have to be saved"
    );
    assert_eq!(documents.behind(), 300 * 2);
    room.check(None, 300 * 6);
    room.settle();
    assert_eq!(room.shelf.saves, 6);
    assert!(!room.documents.is_due());
}

#[test]
fn a_clean_end_leaves_nothing_to_do() {
    let mut room = Room::by_week();
    rows(0..300, WEEK_MS / 90).for_each(|row| room.write(row));
    room.settle();
    room.documents.save_all(&room.timeline, &mut room.shelf).unwrap();
    room.reopen();
    room.shelf.rows_read = 0;
    assert!(!room.maintain(1_000));
    assert_eq!((room.shelf.loads, room.documents.in_use()), (0, 0));
    room.check(None, 300);
    assert_eq!(room.shelf.rows_read, 0);
}

#[test]
fn a_crash_before_the_pointer_moves_only_costs_work() {
    let mut room = Room::by_week();
    rows(0..500, 1_000).for_each(|row| room.write(row));
    room.settle();
    room.shelf.loses_saves = true;
    rows(500..2_000, 1_000).for_each(|row| room.write(row));
    room.settle();
    let heads = room.heads();
    room.shelf.loses_saves = false;
    room.reopen();
    room.check(None, 70);
    room.settle();
    assert_eq!(room.heads(), heads);
    room.check_verified();

    room.shelf.saved.clear();
    room.reopen();
    assert_eq!(room.documents.behind(), 2_000);
    room.check(None, 70);
    room.settle();
    assert_eq!(room.heads(), heads);
}

#[test]
fn a_damaged_document_is_built_again_from_the_log() {
    let mut room = Room::by_week();
    rows(0..500, 1_000).for_each(|row| room.write(row));
    room.settle();
    let heads = room.heads();
    for damage in
        [b"".to_vec(), b"garbage".to_vec(), room.shelf.saved.values().next().unwrap().0[..900].to_vec()]
    {
        room.documents.save_all(&room.timeline, &mut room.shelf).unwrap();
        room.shelf.saved.values_mut().for_each(|saved| saved.0.clone_from(&damage));
        room.reopen();
        room.check(None, 70);
        room.settle();
        assert_eq!(room.heads(), heads);
        assert!(room.shelf.saved.values().all(|(bytes, _)| *bytes != damage));
    }
    room.check_verified();
}

#[test]
fn a_sound_document_of_other_rows_is_built_again() {
    let mut room = Room::by_week();
    rows(0..300, 1_000).for_each(|row| room.write(row));
    room.settle();
    room.documents.save_all(&room.timeline, &mut room.shelf).unwrap();
    // The pointer claims fewer rows than are inside: applying the rest would say them twice.
    room.shelf.saved.values_mut().for_each(|saved| saved.1 -= 7);
    room.reopen();
    room.check(None, 300);
    room.settle();
    room.check_verified();
}

#[test]
fn verify_finds_a_document_that_says_something_else() {
    let mut room = Room::by_week();
    rows(0..300, WEEK_MS / 100).for_each(|row| room.write(row));
    room.settle();
    room.documents.save_all(&room.timeline, &mut room.shelf).unwrap();
    room.reopen();
    room.shelf.log[150].text = "something else".to_owned();
    let span = room.timeline.span_of(&room.shelf.log[150].key.clock);
    let verified = room.documents.verify(&room.timeline, &mut room.shelf).unwrap();
    assert_eq!(verified, Verified { documents: 3, rows: 300, wrong: vec![span] });
    room.documents.stale(&room.timeline, &mut room.shelf, &span).unwrap();
    room.check(None, 300);
    room.check_verified();
}

#[test]
fn rows_that_make_no_document_are_still_shown() {
    let mut room = Room::by_week();
    rows(0..20, WEEK_MS / 10).for_each(|row| room.write(row));
    room.write(Row { claimed_ms: u64::MAX, ..row(5, 5) });
    room.settle();
    assert_eq!(room.documents.given_up().count(), 1);
    room.check(None, 30);
    room.write(row(5, 6));
    room.settle();
    room.check(None, 30);
    let wrong = room.documents.verify(&room.timeline, &mut room.shelf).unwrap().wrong;
    assert_eq!(wrong, room.documents.given_up().copied().collect::<Vec<_>>());

    // Once the log makes a document again, it is built when asked for.
    room.shelf.log[20].claimed_ms = 5;
    room.documents.stale(&room.timeline, &mut room.shelf, &wrong[0]).unwrap();
    room.settle();
    room.check_verified();
}

#[test]
fn what_is_not_durable_is_neither_shown_nor_saved() {
    let mut room = Room::by_week();
    rows(0..300, 1_000).for_each(|row| room.write(row));
    let key = row(4, 10).key;
    let position = room.admit(row(4, 10));
    room.settle();
    assert_eq!(room.page(None, 500).len(), 300);
    room.documents.save_all(&room.timeline, &mut room.shelf).unwrap();
    assert!(room.shelf.saved.values().all(|(_, reached)| *reached <= position));
    room.documents.note(&room.timeline, &key, position);
    room.check(None, 500);
    room.settle();
    room.check_verified();
}

#[test]
fn a_span_that_splits_is_built_again_in_pieces() {
    let mut room = Room::new(7_000, 100);
    rows(0..100, 70).for_each(|row| room.write(row));
    room.settle();
    room.documents.save_all(&room.timeline, &mut room.shelf).unwrap();
    let week = room.timeline.spans().next().unwrap();
    room.write(row(8, 5));
    assert!(!room.shelf.saved.contains_key(&week), "its document is dropped");
    assert_eq!(room.documents.behind(), 101);
    room.check(None, 200);
    room.settle();
    assert_eq!(room.timeline.spans().count(), 7);
    room.check(None, 200);
    room.check_verified();
}

#[test]
fn a_late_lower_twin_changes_actors_and_the_document_is_built_again() {
    let chain = ChainId { author: AuthorKey([7; 32]), incarnation: 1 };
    let with = |time_ms, id: u8, actor: Actor| Row {
        key: OrderKey { id: EntryId([id; 32]), ..row(0, time_ms).key },
        actor,
        ..row(0, time_ms)
    };
    let branch = Actor::branch(chain, &EntryId([9; 32]));
    let mut room = Room::by_week();
    room.write(with(1, 1, chain.into()));
    room.write(with(2, 9, chain.into()));
    room.settle();
    // The twin's id is lower: it goes on under the chain, and the one before becomes a branch.
    room.shelf.log[1].actor = branch;
    let twin = with(2, 3, chain.into());
    let span = room.timeline.span_of(&twin.key.clock);
    room.write(twin.clone());
    room.documents.stale(&room.timeline, &mut room.shelf, &span).unwrap();
    room.check(None, 9);
    room.settle();

    let mut other = Room::by_week();
    [with(1, 1, chain.into()), twin, with(2, 9, branch)].into_iter().for_each(|row| other.write(row));
    assert_eq!(room.heads(), other.heads());
}

#[test]
fn an_export_is_one_document_of_all_rows() {
    let mut room = Room::by_week();
    rows(0..3_000, WEEK_MS / 100).for_each(|row| room.write(row));
    let exported = Document::load(&export(&mut room.shelf, 3_000).unwrap()).unwrap();
    let expected: Vec<_> =
        room.page(None, 5_000).into_iter().map(|row| (KeyPrefix::from(&row.key), row.text)).collect();
    assert_eq!(exported.rows(None, 5_000).unwrap(), expected);
    assert_eq!(exported.heads().len(), 3);
    assert!(matches!(export(&mut room.shelf, 3_001), Err(ExportError::Shelf(Broken))));
}

#[test]
fn a_store_that_fails_is_said_to() {
    let mut room = Room::by_week();
    rows(0..300, 1_000).for_each(|row| room.write(row));
    room.shelf.is_broken = true;
    let Room { shelf, timeline, documents } = &mut room;
    assert_eq!(documents.maintain(timeline, shelf, 10, true), Err(Broken));
    assert_eq!(documents.page(timeline, shelf, None, 10), Err(Broken));
    assert!(Documents::open(timeline, shelf).is_err());
    room.shelf.is_broken = false;
    room.settle();
    room.check(None, 300);
}

#[derive(Clone, Debug)]
enum Step {
    Write { author: u32, after_ms: u64 },
    Maintain(usize),
    Page { before: usize, count: usize },
    SaveAll,
    Reopen,
    LoseSaves(bool),
    Damage(usize),
    Stale(usize),
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let after_ms = prop_oneof![0..20_u64, 0..2_000_u64];
    let step = prop_oneof![
        30 => (0..4_u32, after_ms).prop_map(|(author, after_ms)| Step::Write { author, after_ms }),
        4 => (0..30_usize).prop_map(Step::Maintain),
        4 => (0..200_usize, 0..60_usize).prop_map(|(before, count)| Step::Page { before, count }),
        1 => Just(Step::SaveAll),
        1 => Just(Step::Reopen),
        1 => any::<bool>().prop_map(Step::LoseSaves),
        1 => (0..9_usize).prop_map(Step::Damage),
        1 => (0..9_usize).prop_map(Step::Stale),
    ];
    prop::collection::vec(step, 1..250)
}

fn run(steps: Vec<Step>) -> Room {
    let mut room = Room::new(1_000, 12);
    let mut clocks = [0; 4];
    for step in steps {
        let nth = |n: usize, room: &Room| room.timeline.spans().nth(n);
        match step {
            Step::Write { author, after_ms } => {
                clocks[author as usize] += after_ms + 1;
                room.write(row(author, clocks[author as usize]));
            }
            Step::Maintain(budget) => _ = room.maintain(budget),
            Step::Page { before, count } => {
                let before = room.shelf.log.get(before).map(|row| row.key);
                room.check(before.as_ref(), count);
            }
            Step::SaveAll => room.documents.save_all(&room.timeline, &mut room.shelf).unwrap(),
            Step::Reopen => room.reopen(),
            Step::LoseSaves(loses) => room.shelf.loses_saves = loses,
            Step::Damage(n) => {
                if let Some(saved) = nth(n, &room).and_then(|span| room.shelf.saved.get_mut(&span)) {
                    saved.0.truncate(saved.0.len() / 2);
                }
            }
            Step::Stale(n) => {
                if let Some(span) = nth(n, &room) {
                    room.documents.stale(&room.timeline, &mut room.shelf, &span).unwrap();
                }
            }
        }
        assert!(room.documents.in_use() <= LOADED_MAX);
    }
    room
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(40))]

    #[test]
    fn whatever_happens_pages_are_sorted_and_documents_agree(steps in steps()) {
        let mut room = run(steps);
        room.check(None, 1_000);
        room.settle();
        room.check(None, 1_000);
        room.check_verified();
        let spans: BTreeSet<Span> = room.timeline.spans().collect();
        prop_assert!(room.shelf.saved.keys().all(|span| spans.contains(span)), "no document of a span that is gone");

        // Another replica that got the same rows in another order, chain by chain, has the same documents.
        let mut log = room.shelf.log.clone();
        log.sort_by_key(|row| (row.actor, row.key));
        let mut other = Room::new(1_000, 12);
        log.into_iter().for_each(|row| other.write(row));
        prop_assert_eq!(room.heads(), other.heads());
    }
}
