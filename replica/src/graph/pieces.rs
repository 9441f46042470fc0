//! Runs of entries, and what is known of each piece of one.

use std::collections::BTreeMap;

use crate::id::{ChainId, Position};

/// Entries of one chain, each the first that came here to follow the one before. Which run an entry is in never changes,
/// so what changes for very many entries at once is said of few pieces of runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Run {
    /// That of the chain's first entry.
    Chain(ChainId),
    /// One that began beside another, by the position of its first entry.
    Twin(Position),
}

/// A piece of a run, by the seq of its first entry. It ends where the next one of its run begins.
pub type Piece = (Run, u32);

/// The runs entries are in, and a value for each piece. Where there is none, nothing was said of that piece.
#[derive(Clone, Debug)]
pub(crate) struct Pieces<T> {
    /// Of the entries whose run began beside another. What was taken back may be in it until its position is given again.
    twins: BTreeMap<Position, Position>,
    values: BTreeMap<Piece, T>,
}

impl<T> Default for Pieces<T> {
    fn default() -> Self {
        Self { twins: BTreeMap::new(), values: BTreeMap::new() }
    }
}

impl<T: Copy> Pieces<T> {
    /// The run of an entry of a chain.
    pub(crate) fn run(&self, at: Position, chain: ChainId) -> Run {
        self.twins.get(&at).map_or(Run::Chain(chain), |&first| Run::Twin(first))
    }

    /// Notes the run of an entry.
    pub(crate) fn put(&mut self, at: Position, run: Run) {
        match run {
            Run::Chain(_) => self.twins.remove(&at),
            Run::Twin(first) => self.twins.insert(at, first),
        };
    }

    /// What is said of the entry with this seq of a run.
    pub(crate) fn value(&self, run: Run, seq: u32) -> Option<T> {
        let (piece, value) = self.values.range(..=(run, seq)).next_back()?;
        (piece.0 == run).then_some(*value)
    }

    /// Says something of a piece, which begins here from now on.
    pub(crate) fn set(&mut self, piece: Piece, value: T) {
        self.values.insert(piece, value);
    }

    /// Has a piece belong to the one before it in its run again.
    pub(crate) fn join(&mut self, piece: Piece) {
        self.values.remove(&piece);
    }
}
