//! Which part of the log is on the screen: the part that is being read stays where it is, whatever arrives.

use ratatui::text::Line;

use crate::tui::paint::{Painted, Painter};
use crate::tui::window::{Item, Place, Window};

#[cfg(test)]
mod tests;

/// What is looked at.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum View {
    /// The end, whatever it is.
    #[default]
    End,
    /// This item, its own first line so many lines below the upper edge.
    At { place: Place, top: isize },
}

/// A screen of the log.
#[derive(Debug, Default)]
pub(crate) struct Laid {
    pub(crate) lines: Vec<Line<'static>>,
    /// The same look, held by an item that is seen.
    pub(crate) held: Option<(Place, isize)>,
    pub(crate) view: View,
    /// What is seen, first and last.
    pub(crate) seen: Option<(Place, Place)>,
}

/// Lays out the log on so many lines.
pub(crate) fn lay_out(window: &Window, painter: &Painter<'_>, view: View, height: usize) -> Laid {
    let Some(last) = window.last() else { return Laid::default() };
    match view {
        View::End => end(window, painter, last, height),
        View::At { place, top } => {
            let found = window.from(place).next().map_or(last, |(place, _)| place);
            at(window, painter, found, top, height).unwrap_or_else(|| end(window, painter, last, height))
        }
    }
}

fn end(window: &Window, painter: &Painter<'_>, last: Place, height: usize) -> Laid {
    let mut stack = Stack::default();
    stack.climb(window, painter, last, height);
    let cut = stack.lines.len().saturating_sub(height);
    stack.finish(View::End, cut, height)
}

/// None if what is below ends before the screen does: then the end is looked at.
fn at(window: &Window, painter: &Painter<'_>, place: Place, top: isize, height: usize) -> Option<Laid> {
    let mut stack = Stack::default();
    let wanted = usize::try_from(top).unwrap_or(0);
    if let Some((above, _)) = window.above(place) {
        stack.climb(window, painter, above, wanted);
    }
    let (_, item) = window.from(place).next()?;
    let own = paint(window, painter, place, item);
    let above = stack.lines.len() + own.above.len();
    // Where the log begins further down than that, it begins at the upper edge.
    let cut = isize::try_from(above).ok()? - top;
    let cut = usize::try_from(cut).unwrap_or(0);
    stack.put(place, own);
    for (place, item) in window.from(place).skip(1) {
        if stack.lines.len() >= cut + height {
            break;
        }
        stack.put(place, paint(window, painter, place, item));
    }
    (stack.lines.len() >= cut + height).then(|| {
        let held = isize::try_from(above).unwrap_or(0) - isize::try_from(cut).unwrap_or(0);
        stack.finish(View::At { place, top: held }, cut, height)
    })
}

fn paint(window: &Window, painter: &Painter<'_>, place: Place, item: &Item) -> Painted {
    painter.paint(item, window.row_above(place))
}

/// Lines from above to below, and at which of them items begin.
#[derive(Default)]
struct Stack {
    lines: Vec<Line<'static>>,
    items: Vec<(Place, usize)>,
}

impl Stack {
    fn put(&mut self, place: Place, painted: Painted) {
        self.lines.extend(painted.above);
        self.items.push((place, self.lines.len()));
        self.lines.extend(painted.body);
    }

    /// Puts items that end with this one: as many as fill so many lines.
    fn climb(&mut self, window: &Window, painter: &Painter<'_>, from: Place, height: usize) {
        let mut painted = Vec::new();
        let mut lines = 0;
        for (place, item) in window.up_to(from) {
            if lines >= height {
                break;
            }
            let drawn = paint(window, painter, place, item);
            lines += drawn.above.len() + drawn.body.len();
            painted.push((place, drawn));
        }
        painted.into_iter().rev().for_each(|(place, drawn)| self.put(place, drawn));
    }

    fn finish(self, view: View, cut: usize, height: usize) -> Laid {
        let row = |line: usize| isize::try_from(line).unwrap_or(0) - isize::try_from(cut).unwrap_or(0);
        let is_seen = |(_, line): &&(Place, usize)| (cut..cut + height).contains(line);
        // A message longer than the screen is held by itself, wherever it begins.
        let first = self.items.iter().find(is_seen);
        let around = || self.items.iter().rev().find(|(_, line)| *line < cut + height);
        let held = first.or_else(around).map(|(place, line)| (*place, row(*line)));
        let view = match (view, held) {
            (View::At { .. }, Some((place, top))) => View::At { place, top },
            (view, _) => view,
        };
        let top = self.items.iter().rev().find(|(_, line)| *line <= cut).or(self.items.first());
        let bottom = self.items.iter().rev().find(|(_, line)| *line < cut + height);
        let seen = top.zip(bottom).map(|((top, _), (bottom, _))| (*top, *bottom));
        let lines = self.lines.into_iter().skip(cut).take(height).collect();
        Laid { lines, held, view, seen }
    }
}
