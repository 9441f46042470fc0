//! A text as a QR code, drawn with half blocks: two rows of it on one line.

use qrcode2::{EcLevel, QrCode};

#[cfg(test)]
mod tests;

/// The lines of a code, with the light border that readers need. None if it is too long for one.
///
/// Black on white by its own colours where they may be used; else the light parts are drawn, as for a dark terminal.
pub(crate) fn lines(text: &str, color: bool) -> Option<Vec<String>> {
    // Capital letters and digits take less room; a ticket may be read in either case.
    let code = QrCode::with_error_correction_level(text.to_ascii_uppercase(), EcLevel::L).ok()?;
    let (width, cells) = (code.width(), code.to_colors());
    let is_light = |x: usize, y: usize| match (x.checked_sub(BORDER), y.checked_sub(BORDER)) {
        (Some(x), Some(y)) if x < width && y < width => {
            cells.get(y * width + x).is_none_or(|cell| *cell == qrcode2::Color::Light)
        }
        _ => true,
    };
    let all = width + 2 * BORDER;
    let line = |y: usize| {
        let cells = (0..all).map(|x| match (is_light(x, y), is_light(x, y + 1)) {
            (true, true) => '█',
            (true, false) => '▀',
            (false, true) => '▄',
            (false, false) => ' ',
        });
        let cells: String = cells.collect();
        if color { format!("\x1b[38;5;231;48;5;16m{cells}\x1b[0m") } else { cells }
    };
    Some((0..all).step_by(2).map(line).collect())
}

/// Light cells around the code.
const BORDER: usize = 4;
