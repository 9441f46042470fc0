use automerge::sync::{self, SyncDoc as _};
use proptest::prelude::*;

use super::*;
use crate::id::{AuthorKey, ChainId, EntryId};
use crate::order::Clock;

#[derive(Clone, Debug)]
struct Said {
    key: OrderKey,
    actor: Actor,
    claimed_ms: u64,
    text: String,
}

impl Said {
    fn row(&self) -> DocumentRow<'_> {
        DocumentRow { key: self.key, actor: &self.actor, claimed_ms: self.claimed_ms, text: &self.text }
    }
}

fn chain(number: u32) -> ChainId {
    let mut author = [7; 32];
    author[..4].copy_from_slice(&number.to_be_bytes());
    ChainId { author: AuthorKey(author), incarnation: 3 }
}

fn said(author: u32, time_ms: u64, text: &str) -> Said {
    let mut id = [0; 32];
    id[..4].copy_from_slice(&author.to_be_bytes());
    let key = OrderKey { clock: Clock { era: 0, time_ms, count: 0 }, id: EntryId(id) };
    Said { key, actor: chain(author).into(), claimed_ms: time_ms, text: text.to_owned() }
}

fn apply(document: &mut Document, rows: &[Said]) -> Result<(), DocumentError> {
    document.apply(&rows.iter().map(Said::row).collect::<Vec<_>>())
}

fn document(rows: &[Said]) -> Document {
    let mut document = Document::new();
    apply(&mut document, rows).unwrap();
    document
}

/// Saves and loads, and checks that every row is read back in order, before and after.
fn check(rows: &[Said]) -> Document {
    let document = document(rows);
    let mut expected: Vec<_> = rows.iter().map(|row| (KeyPrefix::from(&row.key), row.text.clone())).collect();
    expected.sort();
    expected.reverse();
    assert_eq!(document.rows(None, usize::MAX).unwrap(), expected);

    let loaded = Document::load(&document.save().unwrap()).unwrap();
    assert_eq!(loaded.rows(None, usize::MAX).unwrap(), expected);
    assert_eq!(loaded.heads(), document.heads());
    assert_eq!(loaded.len(), rows.len());
    loaded
}

#[test]
fn rows_are_read_newest_first_by_key_range() {
    let rows: Vec<Said> = (0..200).map(|n| said(n % 3, 1_000 + u64::from(n), &format!("row {n}"))).collect();
    let document = check(&rows);
    let texts = |rows: Vec<(KeyPrefix, String)>| rows.into_iter().map(|(_, text)| text).collect::<Vec<_>>();
    assert_eq!(texts(document.rows(None, 2).unwrap()), ["row 199", "row 198"]);
    let key = |n: usize| KeyPrefix::from(&rows[n].key);
    assert_eq!(texts(document.rows(Some(&key(150)), 2).unwrap()), ["row 149", "row 148"]);
    assert_eq!(texts(document.rows_between(&key(12), &key(10)).unwrap()), ["row 12", "row 11", "row 10"]);
    assert!(document.rows_between(&key(10), &key(12)).unwrap().is_empty());
    assert!(document.rows(Some(&key(0)), 2).unwrap().is_empty());
    assert_eq!(document.text(&key(7)).unwrap().as_deref(), Some("row 7"));
    assert_eq!(document.text(&KeyPrefix([0; KeyPrefix::BYTES])).unwrap(), None);
}

#[test]
fn the_hardest_rows_survive_saving_and_loading() {
    let odd = ["", "\0", "\u{202e}rtl\u{feff}", "👩‍👩‍👧‍👦 e\u{301}\u{10ffff}", "a\r\nb\tc\u{7f}\u{1b}[31m"];
    let mut rows: Vec<Said> = odd.iter().enumerate().map(|(n, text)| said(1, 10 + n as u64, text)).collect();
    rows.push(said(2, 0, &"x".repeat(16 * 1024)));
    rows.push(said(3, 0, &"\u{1f600}".repeat(4 * 1024)));
    rows.push(said(2, TIME_MS_MAX, "the last millisecond"));
    rows.push(Said { claimed_ms: 0, ..said(3, TIME_MS_MAX, "claims the first") });
    rows.push(Said { claimed_ms: TIME_MS_MAX, ..said(4, 0, "claims the last") });
    rows.push(Said { claimed_ms: 0, ..said(4, 5, "and then the first") });
    check(&rows);
}

#[test]
fn thousands_of_chains_fit_one_document() {
    let rows: Vec<Said> = (0..6_000).map(|n| said(n % 3_000, u64::from(n), "hi")).collect();
    let mut document = check(&rows);
    apply(&mut document, &[said(5, 10_000, "on")]).unwrap();
    assert_eq!(document.len(), 6_001);
}

#[test]
fn a_loaded_document_goes_on_as_if_it_had_never_been_saved() {
    let rows: Vec<Said> = (0..60).map(|n| said(n % 4, u64::from(n), "text")).collect();
    let mut loaded = check(&rows[..33]);
    apply(&mut loaded, &rows[33..]).unwrap();
    let whole = document(&rows);
    assert_eq!(loaded.heads(), whole.heads());
    assert_eq!(loaded.save().unwrap(), whole.save().unwrap());
}

#[test]
fn an_empty_document_can_be_saved() {
    assert!(check(&[]).is_empty());
}

#[test]
fn the_change_of_a_row_is_fixed() {
    // A different hash here means that replicas of this and an older build disagree for ever.
    let document = document(&[said(1, 1_700_000_000_000, "first"), said(1, 1_700_000_000_001, "second")]);
    let heads: Vec<String> =
        document.heads().iter().map(|head| data_encoding::HEXLOWER.encode(head)).collect();
    assert_eq!(heads, ["7721aaf12c0f882f11c4745b492c4206899335f16ac63dd0d675e7bd84b16c91"]);
}

#[test]
fn a_branch_is_an_actor_of_its_own() {
    let (first, second) = (EntryId([1; 32]), EntryId([2; 32]));
    let branch = Actor::branch(chain(1), &first);
    assert_ne!(branch, Actor::branch(chain(1), &second));
    assert_ne!(branch, Actor::branch(chain(2), &first));
    assert_eq!(Actor::from_bytes(branch.as_bytes()), Some(branch));
    assert_eq!(Actor::from_bytes(&chain(1).to_bytes()), Some(chain(1).into()));
    assert_eq!(Actor::from_bytes(&[0; 16]), None);
    check(&[said(1, 1, "stem"), Said { actor: branch, ..said(2, 2, "branch") }, said(1, 3, "stem")]);
}

#[test]
fn bytes_that_are_no_document_are_refused() {
    let saved = document(&[said(1, 1, "one"), said(2, 2, "two")]).save().unwrap();
    assert!(Document::load(b"").is_err() || Document::load(b"").unwrap().is_empty());
    assert!(Document::load(b"not a document").is_err());
    for cut in 1..saved.len() {
        assert!(Document::load(&saved[..cut]).is_err(), "cut to {cut} bytes");
    }
    for at in 0..saved.len() {
        let mut bad = saved.clone();
        bad[at] ^= 1;
        assert!(Document::load(&bad).is_err(), "bit flipped in byte {at}");
    }
}

#[test]
fn a_stock_document_of_something_else_is_refused() {
    use automerge::transaction::Transactable as _;
    let mut other = Automerge::new().with_actor(ActorId::from(chain(1).to_bytes()));
    let mut transaction = other.transaction();
    transaction.put(ROOT, "title", "not a conversation").unwrap();
    transaction.commit();
    let loaded = Document::load(&other.save());
    assert!(loaded.is_err() || loaded.unwrap().rows(None, 9) == Err(DocumentError::Unreadable));

    let mut other = Automerge::new().with_actor(ActorId::from([1; 16]));
    other.empty_commit(automerge::transaction::CommitOptions::default());
    assert_eq!(Document::load(&other.save()).unwrap_err(), DocumentError::Unreadable);
}

#[test]
fn a_document_whose_chains_lean_on_each_other_is_refused() {
    let mut other = document(&[said(1, 1, "one")]).inner.with_actor(ActorId::from(chain(2).to_bytes()));
    other.empty_commit(automerge::transaction::CommitOptions::default());
    assert_eq!(Document::load(&other.save()).unwrap_err(), DocumentError::Unreadable);
}

#[test]
fn a_row_that_automerge_only_queues_is_an_error() {
    let mut document = document(&[said(1, 1, "one")]);
    document.tips.values_mut().for_each(|tip| tip.hash = ChangeHash([1; 32]));
    assert_eq!(apply(&mut document, &[said(1, 2, "two")]), Err(DocumentError::Refused));
}

#[test]
fn a_time_beyond_48_bits_is_refused() {
    let row = Said { claimed_ms: TIME_MS_MAX + 1, ..said(1, 1, "late") };
    assert_eq!(apply(&mut Document::new(), &[row]), Err(DocumentError::Time));
}

#[test]
fn automerge_merges_two_agreed_replicas_to_the_same_heads() {
    let rows: Vec<Said> = (0..80).map(|n| said(n % 5, u64::from(n), "text")).collect();
    let by_chain = {
        let mut rows = rows.clone();
        rows.sort_by_key(|row| (row.actor, row.key));
        document(&rows)
    };
    let mut one = document(&rows).inner;
    let mut two = by_chain.inner;
    assert!(one.get_changes_added(&two).is_empty(), "agreed replicas found changes in each other");
    assert_eq!(one.merge(&mut two).unwrap(), two.get_heads());

    // And two that each lack something agree, by Automerge's own protocol, on what we compute.
    let mut even =
        document(&rows.iter().filter(|row| row.key.clock.time_ms % 5 < 2).cloned().collect::<Vec<_>>()).inner;
    let mut odd =
        document(&rows.iter().filter(|row| row.key.clock.time_ms % 5 > 1).cloned().collect::<Vec<_>>()).inner;
    let (mut even_state, mut odd_state) = (sync::State::new(), sync::State::new());
    loop {
        let to_odd = even.generate_sync_message(&mut even_state);
        let to_even = odd.generate_sync_message(&mut odd_state);
        if to_odd.is_none() && to_even.is_none() {
            break;
        }
        if let Some(message) = to_odd {
            odd.receive_sync_message(&mut odd_state, message).unwrap();
        }
        if let Some(message) = to_even {
            even.receive_sync_message(&mut even_state, message).unwrap();
        }
    }
    assert_eq!(even.get_heads(), one.get_heads());
    assert_eq!(odd.get_heads(), one.get_heads());
}

/// Rows of some chains, an order of arrival that keeps each chain's own, and where to cut it into batches.
fn arrivals() -> impl Strategy<Value = (Vec<Said>, Vec<Said>, Vec<usize>)> {
    let row = (0..5_u32, 0..50_u64, ".{0,12}");
    (
        prop::collection::vec(row, 0..60),
        prop::collection::vec(any::<u32>(), 60),
        prop::collection::vec(0..60_usize, 0..9),
    )
        .prop_map(|(rows, weights, cuts)| {
            let step = |n: usize| n as u64 * 64;
            let rows = rows.into_iter().enumerate();
            let rows: Vec<Said> =
                rows.map(|(n, (author, skew, text))| said(author, step(n) + skew, &text)).collect();
            // Chains are dealt out at random: the n-th arrival of a chain is its n-th row.
            let mut dealt: Vec<(u32, usize)> = weights.into_iter().take(rows.len()).zip(0..).collect();
            dealt.sort_unstable();
            let mut rest: BTreeMap<Actor, std::collections::VecDeque<Said>> = BTreeMap::new();
            rows.iter().for_each(|row| rest.entry(row.actor).or_default().push_back(row.clone()));
            let next = |(_, n): (u32, usize)| rest.get_mut(&rows[n].actor).unwrap().pop_front().unwrap();
            let arrived = dealt.into_iter().map(next).collect();
            (rows.clone(), arrived, cuts)
        })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(60))]

    #[test]
    fn equal_rows_give_equal_heads_in_any_order_and_any_batches((rows, arrived, mut cuts) in arrivals()) {
        let expected = document(&rows);
        cuts.push(arrived.len());
        cuts.sort_unstable();
        let mut document = Document::new();
        let mut done = 0;
        for cut in cuts {
            let cut = cut.min(arrived.len());
            apply(&mut document, &arrived[done..cut]).unwrap();
            done = cut;
            if cut % 2 == 0 {
                document = Document::load(&document.save().unwrap()).unwrap();
            }
        }
        prop_assert_eq!(document.heads(), expected.heads());
        prop_assert_eq!(document.rows(None, 99).unwrap(), expected.rows(None, 99).unwrap());
        prop_assert!(document.inner.get_changes_added(&expected.inner).is_empty());
        prop_assert!(expected.inner.get_changes_added(&document.inner).is_empty());
    }
}
