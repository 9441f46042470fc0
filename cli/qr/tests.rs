use super::*;

/// The cells of a drawn code, true where it is dark.
fn cells(lines: &[String]) -> Vec<Vec<bool>> {
    let dark = |wanted: [char; 2]| {
        lines.iter().map(move |line| line.chars().map(|c| !wanted.contains(&c)).collect())
    };
    dark(['█', '▀'])
        .zip(dark(['█', '▄']))
        .flat_map(|(upper, lower): (Vec<_>, Vec<_>)| [upper, lower])
        .collect()
}

#[test]
fn what_is_drawn_is_the_code_in_a_light_border() {
    let text = format!("replica1{}", "k7".repeat(120));
    let drawn = cells(&lines(&text, false).unwrap());
    let code = QrCode::with_error_correction_level(text.to_ascii_uppercase(), EcLevel::L).unwrap();
    let width = code.width();
    for (y, row) in drawn.iter().enumerate() {
        assert_eq!(row.len(), width + 2 * BORDER);
        for (x, is_dark) in row.iter().enumerate() {
            let inside = |at: usize| (BORDER..BORDER + width).contains(&at);
            let is_meant = inside(x)
                && inside(y)
                && code.to_colors()[(y - BORDER) * width + x - BORDER] == qrcode2::Color::Dark;
            assert_eq!(*is_dark, is_meant, "at {x}, {y}");
        }
    }
}

#[test]
fn a_usual_ticket_fits_a_terminal() {
    let lines = lines(&"K".repeat(300), false).unwrap();
    assert!(lines[0].chars().count() <= 80, "{}", lines[0].chars().count());
}

#[test]
fn colours_are_on_every_line_and_end_there() {
    for line in lines("replica1", true).unwrap() {
        assert!(line.starts_with('\x1b') && line.ends_with("\x1b[0m"));
    }
}

#[test]
fn what_no_code_can_hold_is_none() {
    assert_eq!(lines(&"K".repeat(5_000), false), None);
}
