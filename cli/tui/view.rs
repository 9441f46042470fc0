//! Drawing: a function of the state.

use ratatui::Frame;
use ratatui::buffer::Buffer;
use ratatui::layout::{Position, Rect};
use ratatui::style::Style;
use ratatui::text::{Line, Span};
use unicode_width::UnicodeWidthStr as _;

use crate::text;
use crate::tui::app::App;
use crate::tui::overlay::Overlay;
use crate::tui::paint::cut;
use crate::tui::welcome;

/// Draws the screen. [`App::settle`] comes first.
pub(crate) fn draw(app: &App, frame: &mut Frame<'_>) {
    let areas = app.areas();
    let theme = &app.theme;
    let buffer = frame.buffer_mut();
    if let Some(title) = areas.title {
        let width = usize::from(title.width);
        let ([before, open, behind], right) = app.title(width);
        let before = cut(&before, width);
        let open = cut(&open, width.saturating_sub(before.width()));
        let behind = cut(&behind, width.saturating_sub(before.width() + open.width()));
        let left = before.width() + open.width() + behind.width();
        // Where the peers are listed they need not be named here as well.
        let right = if areas.pane.is_some() { String::new() } else { right };
        let right = cut(&right, width.saturating_sub(left + 2));
        let room = width.saturating_sub(left + right.width() + 5);
        let topic = app.topic().filter(|_| room >= TOPIC_COLUMNS_MIN);
        let topic = topic.map_or(String::new(), |topic| format!(" · {}", cut(&topic, room)));
        let gap = width.saturating_sub(left + topic.width() + right.width());
        let bar = |words: String| Span::styled(words, theme.bar());
        let open = Span::styled(open, theme.bar().patch(theme.strong()));
        let line = vec![bar(before), open, bar(behind), bar(format!("{topic}{:gap$}{right}", ""))];
        put_line(buffer, title, 0, &Line::from(line));
    }
    let welcome = welcome::lines(app, usize::from(areas.log.width));
    let room = usize::from(areas.log.height).saturating_sub(app.laid.lines.len());
    let welcome = welcome.iter().take(room).map(|line| Line::raw(line.clone()));
    for (at, line) in app.laid.lines.iter().cloned().chain(welcome).enumerate() {
        put_line(buffer, areas.log, at, &line);
    }
    if let Some(pane) = areas.pane {
        let edge = Rect { x: pane.x - 1, width: 1, ..pane };
        (0..usize::from(pane.height)).for_each(|at| put(buffer, edge, at, "│", theme.quiet()));
        for (at, line) in app.peer_lines(usize::from(pane.width)).iter().enumerate() {
            put_line(buffer, pane, at, line);
        }
    }
    if let (Some(notice), Some(words)) = (areas.notice, app.notice()) {
        put(buffer, notice, 0, &words, theme.alert());
    }
    if let Some(status) = areas.status {
        let line = cut(&app.status_line(), usize::from(status.width));
        let gap = usize::from(status.width).saturating_sub(line.width());
        put(buffer, status, 0, &format!("{line}{:gap$}", ""), theme.bar());
    }
    let cursor = draw_input(app, areas.input, buffer);
    if let Some(overlay) = &app.overlay {
        draw_overlay(app, overlay, buffer);
    }
    guard(buffer);
    frame.set_cursor_position(cursor);
}

fn draw_input(app: &App, area: Rect, buffer: &mut Buffer) -> Position {
    let (prompt, input) = match &app.prompt {
        Some(input) => ("search: ", input),
        None => ("> ", &app.input),
    };
    let indent = prompt.width();
    let (lines, line, column) = input.lines(usize::from(area.width).saturating_sub(indent));
    let first = (line + 1).saturating_sub(usize::from(area.height));
    for (at, text) in lines.iter().skip(first).take(usize::from(area.height)).enumerate() {
        let sign = if at + first == 0 { prompt } else { "  " };
        put(buffer, area, at, &format!("{sign:indent$}{text}"), app.theme.plain());
    }
    let x = u16::try_from(indent + column).unwrap_or(u16::MAX).min(area.width.saturating_sub(1));
    let y = u16::try_from(line.saturating_sub(first)).unwrap_or(0);
    Position { x: area.x + x, y: area.y + y }
}

fn draw_overlay(app: &App, overlay: &Overlay, buffer: &mut Buffer) {
    let (over, inner) = (app.areas().over(), app.areas().inner());
    for y in 0..usize::from(over.height) {
        put(buffer, over, y, &" ".repeat(usize::from(over.width)), app.theme.plain());
    }
    let lines = overlay.lines(usize::from(inner.width), usize::from(inner.height));
    let scroll = match overlay {
        Overlay::Text { scroll, .. } => (*scroll).min(lines.len().saturating_sub(usize::from(inner.height))),
        _ => 0,
    };
    let more = lines.len() > usize::from(inner.height);
    let part = if more {
        format!(
            " {}-{} of {} ·",
            scroll + 1,
            lines.len().min(scroll + usize::from(inner.height)),
            lines.len()
        )
    } else {
        String::new()
    };
    let head = format!("─ {} ·{part} {} ", overlay.title(), overlay.keys());
    let rest = usize::from(over.width).saturating_sub(head.width());
    put(buffer, over, 0, &format!("{head}{}", "─".repeat(rest)), app.theme.strong());
    for (at, line) in lines.iter().skip(scroll).take(usize::from(inner.height)).enumerate() {
        // A code is read by its contrast, which a light screen would turn around.
        let is_code = matches!(overlay, Overlay::Ticket(_)) && line.starts_with('█');
        put(buffer, inner, at, line, if is_code { app.theme.code() } else { app.theme.plain() });
    }
    let bottom = usize::from(inner.y + inner.height - over.y);
    if bottom < usize::from(over.height) {
        put(buffer, over, bottom, &"─".repeat(usize::from(over.width)), app.theme.strong());
    }
}

fn put(buffer: &mut Buffer, area: Rect, line: usize, text: &str, style: Style) {
    put_line(buffer, area, line, &Line::styled(text.to_owned(), style));
}

fn put_line(buffer: &mut Buffer, area: Rect, line: usize, text: &Line<'_>) {
    let Ok(line) = u16::try_from(line) else { return };
    let area = area.intersection(buffer.area);
    if line < area.height {
        buffer.set_line(area.x, area.y + line, text, area.width);
    }
}

/// Nothing that a terminal obeys is drawn, wherever it came from.
fn guard(buffer: &mut Buffer) {
    for cell in &mut buffer.content {
        if !cell.symbol().is_ascii() || cell.symbol().contains(|c: char| c.is_ascii_control()) {
            let safe = text::line(cell.symbol());
            if safe != cell.symbol() {
                cell.set_symbol(if safe.is_empty() { " " } else { &safe });
            }
        }
    }
}

/// In fewer columns a topic says nothing.
const TOPIC_COLUMNS_MIN: usize = 12;
