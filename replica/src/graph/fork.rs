//! Forks: an author (or a copied home) wrote two entries after one. Both are kept; the chain then has branches.
//!
//! The child with the lowest id stays on its parent's line, each other child begins one of its own. That is a function
//! of the set of entries, so every replica names the same Automerge actors. A line is kept as pieces of runs: whoever
//! forks a long chain again and again has few of them moved each time, and not all its entries.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

use crate::document::Actor;
use crate::graph::Graph;
use crate::graph::pieces::{Piece, Pieces, Run};
use crate::id::{ChainId, EntryId, Position};
use crate::order::OrderKey;

type LineIndex = usize;

/// Entries that share an actor, from the first to the last.
#[derive(Debug)]
struct Line {
    chain: ChainId,
    /// Its first entry; none of a chain's own line.
    first: Option<EntryId>,
    /// Ascending by seq.
    pieces: Vec<Piece>,
}

/// How to get from a run to those it began beside, in steps that double: a list that skips (Myers, "An applicative
/// random-access stack", 1983).
#[derive(Clone, Copy, Debug)]
struct Climb {
    /// The run that the entry before its first one is in.
    parent: Option<Run>,
    /// One farther up.
    jump: Run,
    depth: u32,
}

/// The lines of forked chains.
#[derive(Debug, Default)]
pub(super) struct Branches {
    lines: Vec<Line>,
    /// Which line a piece is on. A chain's own is noted once something else is.
    pieces: Pieces<LineIndex>,
    /// Of runs that began beside others, by their first entry.
    climbs: BTreeMap<Position, Climb>,
    /// By chain and parent: the child that stays on its parent's line, where that is not the first admitted entry of
    /// its seq.
    heirs: BTreeMap<(u32, Option<Position>), Position>,
}

/// Where an inserted entry went, and how to take that back.
#[derive(Debug)]
pub(super) struct Placed {
    /// Who went on before from the same parent, if that was noted anew.
    heir: Option<Option<Position>>,
    twin: Option<Twin>,
}

/// What an entry did that follows what another one follows.
#[derive(Debug)]
enum Twin {
    /// It began a line of its own.
    Begins,
    /// It goes on on its parent's. What went on there before, from `heir` on, is on a line of its own now.
    Takes {
        upper: LineIndex,
        lower: LineIndex,
        /// Whether the lower one begins within a piece.
        is_cut: bool,
        /// Whether the upper one is the chain's own, and was not noted before.
        is_noted: bool,
        heir: Position,
    },
}

/// What became of lines by some entries.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Relined {
    /// Whose changes these pieces are now.
    pub actors: BTreeMap<Piece, Actor>,
    /// From here on in order, durable entries are among them.
    pub from: Option<OrderKey>,
}

impl Line {
    fn actor(&self) -> Actor {
        self.first.as_ref().map_or(Actor::from(self.chain), |first| Actor::branch(self.chain, first))
    }
}

impl Branches {
    fn add(&mut self, line: Line) -> LineIndex {
        self.lines.push(line);
        let index = self.lines.len() - 1;
        self.relabel(index);
        index
    }

    fn relabel(&mut self, index: LineIndex) {
        self.lines[index].pieces.iter().for_each(|&piece| self.pieces.set(piece, index));
    }

    /// Cuts the line of a chain's entry in two above it; its id names the lower one. A piece costs something only where it
    /// is on the shorter one.
    fn cut(&mut self, chain: ChainId, at: Piece, first: EntryId, heir: Position) -> Twin {
        let noted = self.pieces.value(at.0, at.1);
        let own = || Line { chain, first: None, pieces: vec![(Run::Chain(chain), 1)] };
        let line = noted.unwrap_or_else(|| self.add(own()));
        let above = &mut self.lines[line];
        let mut pieces = above.pieces.split_off(above.pieces.partition_point(|(_, seq)| *seq < at.1));
        let is_cut = pieces.first() != Some(&at);
        if is_cut {
            pieces.insert(0, at);
            self.pieces.set(at, line);
        }
        let mut other = Line { chain, first: Some(first), pieces };
        let is_shorter = other.pieces.len() <= above.pieces.len();
        if !is_shorter {
            std::mem::swap(above, &mut other);
        }
        let new = self.add(other);
        let (upper, lower) = if is_shorter { (line, new) } else { (new, line) };
        Twin::Takes { upper, lower, is_cut, is_noted: noted.is_none(), heir }
    }

    /// Takes back the line that was added last, and the piece of the twin that made it.
    fn take_back(&mut self, twin: &Twin, piece: Piece) {
        self.pieces.join(piece);
        let Some(mut added) = self.lines.pop() else { return };
        let Twin::Takes { upper, lower, is_cut, is_noted, .. } = *twin else { return };
        let older = upper.min(lower);
        let line = &mut self.lines[older];
        if older == lower {
            std::mem::swap(line, &mut added);
        }
        line.pieces.pop();
        let cut = added.pieces.first().copied().filter(|_| is_cut);
        cut.into_iter().for_each(|cut| self.pieces.join(cut));
        let below = &added.pieces[usize::from(is_cut)..];
        let moved = if older == lower { line.pieces.as_slice() } else { below };
        moved.iter().for_each(|&piece| self.pieces.set(piece, older));
        line.pieces.extend(below);
        if is_noted {
            self.lines.pop().into_iter().flat_map(|own| own.pieces).for_each(|piece| self.pieces.join(piece));
        }
    }

    fn climb(&self, run: Run) -> Climb {
        let noted = if let Run::Twin(first) = run { self.climbs.get(&first) } else { None };
        noted.copied().unwrap_or(Climb { parent: None, jump: run, depth: 0 })
    }

    /// Notes a run that begins beside others after an entry of `parent`.
    fn begin(&mut self, first: Position, parent: Option<Run>) {
        let climb = parent.map_or(Climb { parent, jump: Run::Twin(first), depth: 0 }, |run| {
            let above = self.climb(run);
            let farther = self.climb(above.jump);
            let is_even = above.depth - farther.depth == farther.depth - self.climb(farther.jump).depth;
            Climb { parent, jump: if is_even { farther.jump } else { run }, depth: above.depth + 1 }
        });
        self.climbs.insert(first, climb);
        self.pieces.put(first, Run::Twin(first));
    }
}

impl Graph {
    /// Whose Automerge changes an entry belongs to: its chain's, or its line's where the author forked the chain.
    #[must_use]
    pub fn actor(&self, at: Position) -> Actor {
        let branches = &self.branches;
        let line = branches.pieces.value(self.run(at), self.seq(at));
        line.map_or_else(|| Actor::from(self.chain(at)), |line| branches.lines[line].actor())
    }

    /// Which run an entry is in.
    #[must_use]
    pub fn run(&self, at: Position) -> Run {
        self.branches.pieces.run(at, self.chain(at))
    }

    /// Whether a chain's author wrote two entries after one, as far as is known here.
    #[must_use]
    pub fn is_forked(&self, chain: &ChainId) -> bool {
        let index = self.chain_index.get(chain);
        index.is_some_and(|&index| !self.chains[index as usize].forks.is_empty())
    }

    /// How many chains have more than one branch.
    #[must_use]
    pub fn fork_count(&self) -> usize {
        self.chains.iter().filter(|chain| !chain.forks.is_empty()).count()
    }

    /// Whose changes all pieces of forked chains are, but for those of a chain's own line that were never told apart.
    pub fn lines(&self) -> impl Iterator<Item = (Piece, Actor)> {
        let of_line = |line: &'_ Line| std::iter::zip(line.pieces.clone(), std::iter::repeat(line.actor()));
        self.branches.lines.iter().flat_map(of_line)
    }

    /// Whether an admission put other entries on another line. Only that of an entry that is not durable yet is known.
    #[must_use]
    pub fn has_moved(&self, admitted: Position) -> bool {
        matches!(self.twin(admitted), Some(Twin::Takes { .. }))
    }

    /// What became of lines by the admission of these entries, which are not durable yet, and of all after them.
    #[must_use]
    pub fn relined(&self, admitted: Range<Position>) -> Relined {
        let mut relined = Relined::default();
        let mut cut: BTreeSet<LineIndex> = BTreeSet::new();
        for at in admitted {
            let Some(twin) = self.twin(at) else { continue };
            relined.actors.insert((Run::Twin(at), self.seq(at)), self.actor(at));
            if let Twin::Takes { heir, .. } = *twin {
                cut.extend(self.branches.pieces.value(self.run(heir), self.seq(heir)));
                let from = (heir < self.durable).then(|| self.key(heir));
                relined.from = relined.from.into_iter().chain(from).min();
            }
        }
        for line in cut.into_iter().map(|line| &self.branches.lines[line]) {
            relined.actors.extend(line.pieces.iter().map(|&piece| (piece, line.actor())));
        }
        relined
    }

    fn twin(&self, admitted: Position) -> Option<&Twin> {
        let undo = self.undo.get(admitted.checked_sub(self.durable)? as usize)?;
        undo.placed.twin.as_ref()
    }

    /// Puts an entry about to be inserted on a line, and what it takes the place of on another.
    pub(super) fn place_on_branch(
        &mut self,
        id: EntryId,
        chain: u32,
        seq: u32,
        previous: Option<Position>,
    ) -> Placed {
        let at = self.len();
        let line = &self.chains[chain as usize];
        let (chain_id, is_first_of_seq) = (line.id, line.by_seq.len() < seq as usize);
        let parent = previous.map(|previous| self.run(previous));
        let Some(heir) = self.heir(chain, seq, previous) else {
            self.branches.pieces.put(at, parent.unwrap_or(Run::Chain(chain_id)));
            let heir = (!is_first_of_seq).then(|| self.branches.heirs.insert((chain, previous), at));
            return Placed { heir, twin: None };
        };
        self.branches.begin(at, parent);
        let (piece, heirs) = ((Run::Twin(at), seq), (self.run(heir), seq));
        if self.id(heir) < id {
            self.branches.add(Line { chain: chain_id, first: Some(id), pieces: vec![piece] });
            return Placed { heir: None, twin: Some(Twin::Begins) };
        }
        let first = self.id(heir);
        let twin = self.branches.cut(chain_id, heirs, first, heir);
        if let Twin::Takes { upper, .. } = twin {
            self.branches.lines[upper].pieces.push(piece);
            self.branches.pieces.set(piece, upper);
        }
        Placed { heir: Some(self.branches.heirs.insert((chain, previous), at)), twin: Some(twin) }
    }

    /// Takes back what [`Graph::place_on_branch`] did for an entry that is removed already.
    pub(super) fn unplace(&mut self, chain: u32, seq: u32, previous: Option<Position>, placed: &Placed) {
        let at = self.len();
        match placed.heir {
            Some(Some(heir)) => drop(self.branches.heirs.insert((chain, previous), heir)),
            Some(None) => drop(self.branches.heirs.remove(&(chain, previous))),
            None => {}
        }
        if let Some(twin) = &placed.twin {
            self.branches.take_back(twin, (Run::Twin(at), seq));
            self.branches.climbs.remove(&at);
        }
    }

    /// The child of `previous`, which would have this seq, that stays on its line.
    fn heir(&self, chain: u32, seq: u32, previous: Option<Position>) -> Option<Position> {
        let first = || self.chains.get(chain as usize)?.by_seq.get((seq as usize).checked_sub(1)?).copied();
        let noted = self.branches.heirs.get(&(chain, previous)).copied();
        noted.or_else(|| first().filter(|&first| self.previous(first) == previous))
    }

    /// Whether an entry is another or stands before it in its chain, by whichever branch.
    pub(super) fn is_on_line(&self, at: Position, tip: Position) -> bool {
        let (node, end) = (&self.nodes[at as usize], &self.nodes[tip as usize]);
        if node.chain != end.chain || node.seq > end.seq {
            return false;
        }
        let starts_after = |run: Run| matches!(run, Run::Twin(first) if self.seq(first) > node.seq);
        let mut run = self.run(tip);
        while starts_after(run) {
            let climb = self.branches.climb(run);
            let Some(parent) = climb.parent else { return false };
            run = if starts_after(climb.jump) { climb.jump } else { parent };
        }
        run == self.run(at)
    }
}
