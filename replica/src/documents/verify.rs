//! Documents and log held against each other, and one document of everything.

use crate::document::{Document, DocumentError, KeyPrefix};
use crate::id::Position;
use crate::timeline::{Slot, Span, Timeline};

use super::upkeep::{BATCH_ROWS_MAX, checked};
use super::{Documents, Row, Shelf};

/// What [`Documents::verify`] found.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct Verified {
    /// Documents looked at.
    pub documents: usize,
    /// Rows looked at.
    pub rows: usize,
    /// Spans whose document is not what the log makes. [`Documents::stale`] has them built again.
    pub wrong: Vec<Span>,
}

/// Why a conversation cannot be exported.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ExportError<E> {
    /// The store failed.
    #[error("the log cannot be read")]
    Shelf(E),
    /// The rows make no document.
    #[error(transparent)]
    Document(DocumentError),
}

impl Documents {
    /// Holds every document against one built anew from the log: the same rows as the timeline has, the log's texts,
    /// the same heads. Documents are brought up to date first, and may be saved.
    ///
    /// # Errors
    /// When the store fails.
    pub fn verify<S: Shelf>(&mut self, timeline: &Timeline, shelf: &mut S) -> Result<Verified, S::Error> {
        let mut verified = Verified::default();
        for span in timeline.spans() {
            let is_durable = |slot: &Slot| slot.position < self.durable;
            let mut slots: Vec<Slot> = timeline.slots(&span).filter(is_durable).collect();
            verified.documents += 1;
            verified.rows += slots.len();
            slots.sort_unstable_by_key(|slot| slot.position);
            let expected = build(shelf, &slots)?;
            let document = self.whole(timeline, shelf, &span)?;
            let is_right = matches!((expected, document), (Some(expected), Some(document)) if is_same(&expected, document));
            if !is_right {
                verified.wrong.push(span);
            }
        }
        Ok(verified)
    }
}

/// The document the log makes of these slots, unless it makes none or has other rows there.
fn build<S: Shelf>(shelf: &mut S, slots: &[Slot]) -> Result<Option<Document>, S::Error> {
    let mut document = Document::new();
    let mut is_right = true;
    for batch in slots.chunks(BATCH_ROWS_MAX) {
        let rows = shelf.rows(&batch.iter().map(|slot| slot.position).collect::<Vec<_>>())?;
        is_right &= rows.iter().map(|row| row.key).eq(batch.iter().map(|slot| slot.key));
        is_right = is_right && apply(&mut document, &rows).is_ok();
    }
    let keys =
        document.rows(None, usize::MAX).map(|rows| rows.into_iter().map(|(key, _)| key).collect::<Vec<_>>());
    let mut expected: Vec<KeyPrefix> = slots.iter().map(|slot| KeyPrefix::from(&slot.key)).collect();
    expected.sort_unstable_by(|one, other| other.cmp(one));
    Ok((is_right && keys == Ok(expected)).then_some(document))
}

fn is_same(expected: &Document, document: &Document) -> bool {
    let rows = |document: &Document| document.rows(None, usize::MAX);
    expected.heads() == document.heads() && rows(expected).is_ok() && rows(expected) == rows(document)
}

/// One Automerge document of the first `end` entries of the log, as any Automerge program opens it. An actor's places
/// count over all of its entries.
///
/// # Errors
/// When the store fails, or the rows make no document.
pub fn export<S: Shelf>(shelf: &mut S, end: Position) -> Result<Vec<u8>, ExportError<S::Error>> {
    let mut document = Document::new();
    let positions: Vec<Position> = (0..end).collect();
    for batch in positions.chunks(BATCH_ROWS_MAX) {
        let rows = shelf.rows(batch).map_err(ExportError::Shelf)?;
        apply(&mut document, &rows).map_err(ExportError::Document)?;
    }
    document.export().and_then(|bytes| checked(&document, bytes)).map_err(ExportError::Document)
}

fn apply(document: &mut Document, rows: &[Row]) -> Result<(), DocumentError> {
    document.apply(&rows.iter().map(Row::as_document_row).collect::<Vec<_>>())
}
