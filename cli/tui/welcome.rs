//! What stands where nothing was said yet: an empty room is no empty screen.

use crate::json::is_message;
use crate::people::two_words;
use crate::text;
use crate::tui::app::App;
use crate::tui::bindings::Act;

/// What a newcomer reads first, on so many columns; nothing once there is something to read.
pub(crate) fn lines(app: &App, columns: usize) -> Vec<String> {
    let Some(status) = &app.status else { return Vec::new() };
    if app.window.has_older || app.window.rows().any(is_message) || app.progress.is_some() {
        return Vec::new();
    }
    let me = format!("{} ({})", text::name(&status.nick), two_words(&status.me));
    let others = status.members.iter().filter(|it| it.role.is_member() && it.author != status.me).count();
    let mut words = vec![String::new()];
    match &status.room {
        None => {
            words.push(format!("You are {me}. You have no room yet."));
            words.push(
                "It opens as soon as somebody you dial lets you in. What you write now is kept.".to_owned(),
            );
        }
        Some((_, name)) if status.entries == 0 => {
            words.push(format!("You are {me}. You have a place in \"{}\".", text::name(name)));
            words.push("Its history comes with the first sync: somebody of it has to be there.".to_owned());
            words.push("What you write now is kept until then.".to_owned());
        }
        Some((_, name)) => {
            words.push(format!("You are {me}. This is the room \"{}\".", text::name(name)));
            words.push(match others {
                0 => "Nobody else is in it yet: what you write is kept, and delivered later.".to_owned(),
                _ => "Nothing was said yet.".to_owned(),
            });
        }
    }
    if others == 0 && status.entries > 0 {
        words.push(String::new());
        words.push("Others come in".to_owned());
        words.push("  with a ticket: type /invite and hand it over, as text or as a QR code".to_owned());
        if let Some(address) = app.reachable.first() {
            words.push(format!("  or from your network: they run  replica --peer {address}"));
            words.push("  and you let them in with /accept NAME".to_owned());
        }
    }
    words.push(String::new());
    let (help, leave) = (app.bindings.key(Act::Help), app.bindings.key(Act::Leave));
    words.push(format!("Type and press Enter. {help} shows all keys and commands, {leave} leaves."));
    let wrap = |line: &String| {
        let indent = if line.starts_with("  ") { "  " } else { "" };
        let parts = text::wrap(line.trim_start(), columns.saturating_sub(2 + indent.len()));
        parts.into_iter().map(move |part| format!(" {indent}{part}")).collect::<Vec<_>>()
    };
    words.iter().flat_map(wrap).collect()
}
