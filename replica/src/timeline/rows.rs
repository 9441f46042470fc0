//! A sorted sequence that takes a row anywhere without moving the rest, and knows how many stand behind it.

use crate::id::Position;
use crate::order::OrderKey;

use super::Slot;

/// Rows in chunks, ascending within and across them. A late row moves at most a chunk; counting the rows behind it adds
/// up the lengths of the chunks behind. A row is four bytes, beside its key.
#[derive(Clone, Debug, Default)]
pub(super) struct Rows {
    /// By position; each once, however the rows are sorted.
    keys: Vec<OrderKey>,
    /// None of them empty.
    chunks: Vec<Vec<Position>>,
    len: usize,
}

/// 8 kB: moving one costs a tenth of a microsecond, and a million rows make some 500 of them.
pub(super) const CHUNK_ROWS_MAX: usize = 2_048;

/// The first row not below a key: a chunk and a place in it.
#[derive(Clone, Copy)]
struct Cursor {
    chunk: usize,
    place: usize,
}

impl Rows {
    pub(super) fn len(&self) -> usize {
        self.len
    }

    pub(super) fn reserve(&mut self, more: usize) {
        self.keys.reserve(more);
    }

    pub(super) fn key(&self, position: Position) -> Option<&OrderKey> {
        self.keys.get(position as usize)
    }

    /// Gives a key the next position and a row in its place, unless it has one. Says whether it was put, and how many
    /// rows are behind it.
    pub(super) fn insert(&mut self, key: OrderKey) -> (bool, usize) {
        let position = Position::try_from(self.keys.len()).expect("a log has fewer than 2^32 entries");
        self.keys.push(key);
        if self.chunks.last().and_then(|chunk| chunk.last()).is_none_or(|&last| *self.at(last) < key) {
            self.push(position);
            return (true, 0);
        }
        // Some row is above, so a chunk holds the place.
        let Cursor { chunk: at, place } = self.find(&key);
        let is_new = *self.at(self.chunks[at][place]) != key;
        let chunk = &mut self.chunks[at];
        if is_new {
            chunk.insert(place, position);
            self.len += 1;
        }
        let rows_after = chunk.len() - place - 1 + self.chunks[at + 1..].iter().map(Vec::len).sum::<usize>();
        self.split_if_full(at);
        (is_new, rows_after)
    }

    fn push(&mut self, position: Position) {
        self.len += 1;
        match self.chunks.last_mut() {
            Some(chunk) if chunk.len() < CHUNK_ROWS_MAX => chunk.push(position),
            // A first chunk may stay small for ever; the others are filled by what follows.
            None => self.chunks.push(vec![position]),
            Some(_) => {
                let mut chunk = Vec::with_capacity(CHUNK_ROWS_MAX);
                chunk.push(position);
                self.chunks.push(chunk);
            }
        }
    }

    fn split_if_full(&mut self, at: usize) {
        let chunk = &mut self.chunks[at];
        if chunk.len() > CHUNK_ROWS_MAX {
            let upper = chunk.split_off(chunk.len() / 2);
            chunk.shrink_to_fit();
            self.chunks.insert(at + 1, upper);
        }
    }

    #[cfg(test)]
    pub(super) fn chunk_lengths(&self) -> Vec<usize> {
        self.chunks.iter().map(Vec::len).collect()
    }

    /// How many rows are above a key.
    pub(super) fn rank(&self, key: &OrderKey) -> usize {
        let Cursor { chunk: at, place } = self.find(key);
        let Some(chunk) = self.chunks.get(at) else { return 0 };
        let is_there = usize::from(self.at(chunk[place]) == key);
        chunk.len() - place - is_there + self.chunks[at + 1..].iter().map(Vec::len).sum::<usize>()
    }

    /// The rows from one key up to but not including another, ascending.
    pub(super) fn between(
        &self,
        from: OrderKey,
        to: OrderKey,
    ) -> impl DoubleEndedIterator<Item = Slot> + use<'_> {
        self.range(self.find(&from), self.find(&to))
    }

    /// The rows below a key, or all, ascending.
    pub(super) fn before<'a>(
        &'a self,
        key: Option<&OrderKey>,
    ) -> impl DoubleEndedIterator<Item = Slot> + use<'a> {
        self.range(Cursor { chunk: 0, place: 0 }, key.map_or(self.end(), |key| self.find(key)))
    }

    /// The rows above a key, ascending.
    pub(super) fn after<'a>(&'a self, key: &OrderKey) -> impl DoubleEndedIterator<Item = Slot> + use<'a> {
        let mut from = self.find(key);
        if self.chunks.get(from.chunk).is_some_and(|chunk| self.at(chunk[from.place]) == key) {
            from.place += 1;
        }
        self.range(from, self.end())
    }

    fn range(&self, from: Cursor, to: Cursor) -> impl DoubleEndedIterator<Item = Slot> {
        // Whole chunks in between are taken by reference, so that a range costs nothing before it is walked.
        let same = from.chunk == to.chunk;
        let part = |at: usize, from: usize, to: Option<usize>| -> &[Position] {
            self.chunks.get(at).map_or(&[], |chunk| &chunk[from..to.unwrap_or(chunk.len())])
        };
        let first = part(from.chunk, from.place, same.then_some(to.place));
        let middle = self.chunks.get(from.chunk + 1..to.chunk).unwrap_or(&[]);
        let last = if same { &[] } else { part(to.chunk, 0, Some(to.place)) };
        let positions = first.iter().chain(middle.iter().flatten()).chain(last);
        positions.map(|&position| Slot { key: *self.at(position), position })
    }

    fn end(&self) -> Cursor {
        Cursor { chunk: self.chunks.len(), place: 0 }
    }

    fn find(&self, key: &OrderKey) -> Cursor {
        let is_below = |&position: &Position| self.at(position) < key;
        let chunk = self.chunks.partition_point(|chunk| chunk.last().is_some_and(is_below));
        let place = self.chunks.get(chunk).map_or(0, |chunk| chunk.partition_point(is_below));
        Cursor { chunk, place }
    }

    /// The key of a row that is there.
    fn at(&self, position: Position) -> &OrderKey {
        &self.keys[position as usize]
    }
}
