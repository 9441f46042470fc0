//! Objects about a home: its owner, its rooms, its settings, its health, what is carried in and out.

use replica::id::{AuthorKey, RoomId};
use replica_sync::node::Verified;
use serde::Serialize;

use crate::commands::doctor::Check;
use crate::json::tagged;
use crate::settings::Setting;

/// Who we are.
pub(crate) fn whoami(author: &AuthorKey, nick: &str, home: &std::path::Path) -> impl Serialize {
    #[derive(Serialize)]
    struct Whoami {
        author: String,
        words: String,
        nick: String,
        home: String,
    }
    let words = replica::identity::words(author);
    let fields =
        Whoami { author: author.to_string(), words, nick: nick.to_owned(), home: home.display().to_string() };
    tagged("whoami", fields)
}

/// What a verification went through.
pub(crate) fn verify(verified: &Verified) -> impl Serialize {
    #[derive(Serialize)]
    struct Verify {
        digest: String,
        entries: u32,
        signatures: usize,
        documents: usize,
    }
    let fields = Verify {
        // Called so from the first version on, of what the words call the order.
        digest: verified.order.to_string(),
        entries: verified.entries,
        signatures: verified.signatures,
        documents: verified.documents,
    };
    tagged("verify", fields)
}

/// What the doctor found.
pub(crate) fn check(check: &Check) -> impl Serialize {
    #[derive(Serialize)]
    struct Fields {
        name: &'static str,
        state: &'static str,
        what: String,
        cure: Option<String>,
    }
    let (what, cure) = (check.what.clone(), check.cure.clone());
    tagged("check", Fields { name: check.name, state: check.verdict.name(), what, cure })
}

/// What was exported.
pub(crate) fn export(file: &std::path::Path, bytes: usize) -> impl Serialize {
    #[derive(Serialize)]
    struct Export {
        file: String,
        bytes: usize,
    }
    tagged("export", Export { file: file.display().to_string(), bytes })
}

/// A room of the home.
pub(crate) fn room(id: &RoomId, name: &str, is_current: bool) -> impl Serialize {
    #[derive(Serialize)]
    struct Listed {
        id: String,
        name: String,
        current: bool,
    }
    tagged("room", Listed { id: id.to_string(), name: name.to_owned(), current: is_current })
}

/// A setting of this run.
pub(crate) fn setting(setting: &Setting) -> impl Serialize {
    #[derive(Serialize)]
    struct Fields {
        name: String,
        value: Option<String>,
        origin: &'static str,
    }
    let (name, value, origin) = (setting.name.to_string(), setting.value.clone(), setting.origin.name());
    tagged("setting", Fields { name, value, origin })
}

/// What a bundle brought.
pub(crate) fn import(file: &std::path::Path, author: &AuthorKey, new: u64, entries: u64) -> impl Serialize {
    #[derive(Serialize)]
    struct Import {
        file: String,
        author: String,
        new: u64,
        entries: u64,
    }
    let (file, author) = (file.display().to_string(), author.to_string());
    tagged("import", Import { file, author, new, entries })
}
