//! What the documents need of a store.

use crate::document::{Actor, DocumentRow};
use crate::id::Position;
use crate::order::OrderKey;
use crate::timeline::Span;

/// One entry as the log has it, ready for a document.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Row {
    /// Where it stands.
    pub key: OrderKey,
    /// Whose change it becomes.
    pub actor: Actor,
    /// The author's clock.
    pub claimed_ms: u64,
    /// What is read.
    pub text: String,
}

impl Row {
    pub(super) fn as_document_row(&self) -> DocumentRow<'_> {
        DocumentRow { key: self.key, actor: &self.actor, claimed_ms: self.claimed_ms, text: &self.text }
    }
}

/// Where documents are kept, and the log they can always be rebuilt from.
pub trait Shelf {
    /// Why the store failed. Nothing here retries.
    type Error;

    /// The log position the saved document of a span reaches, if there is one, without reading the document.
    ///
    /// # Errors
    /// When the store fails.
    fn reached(&mut self, span: &Span) -> Result<Option<Position>, Self::Error>;

    /// The saved document of a span and the log position it reaches: of the span's rows exactly those below that are
    /// inside. One whose bytes do not match their hash is none.
    ///
    /// # Errors
    /// When the store fails; a damaged document is not such a failure.
    fn load(&mut self, span: &Span) -> Result<Option<(Vec<u8>, Position)>, Self::Error>;

    /// Keeps the document of a span in place of the one before. A crash leaves one of the two, or none.
    ///
    /// # Errors
    /// When the store fails.
    fn save(&mut self, span: &Span, document: &[u8], reached: Position) -> Result<(), Self::Error>;

    /// Drops the saved document of a span, if there is one.
    ///
    /// # Errors
    /// When the store fails.
    fn forget(&mut self, span: &Span) -> Result<(), Self::Error>;

    /// Rows from the log, one for each position, in the order asked for.
    ///
    /// # Errors
    /// When the store fails, or the log has no such position.
    fn rows(&mut self, positions: &[Position]) -> Result<Vec<Row>, Self::Error>;
}
