//! How things go wrong, as people read it and as scripts see it: what happened, what to do next, an exit code.

use std::fmt;
use std::io;

use replica::home::HomeError;
use replica::identity::sealed::UnsealError;
use replica::store::StoreError;
use replica_sync::conversation::SayError;
use replica_sync::node::{AttachError, NodeError};
use replica_sync::ticket::ParseTicketError;
use replica_sync::wire::{Bye, ByeReason};

use crate::text;

/// The exit codes. They are promises to scripts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Exit {
    Done = 0,
    Failed = 1,
    Usage = 2,
    /// No peer could be reached.
    Unreached = 3,
    /// The store, or the home, is locked or damaged.
    Store = 4,
    /// A ticket or a membership was refused.
    Refused = 5,
    Interrupted = 130,
}

/// A failure that was found here, with its two lines.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Failure {
    exit: Exit,
    what: String,
    pub(crate) next: String,
}

impl Failure {
    pub(crate) fn new(exit: Exit, what: impl Into<String>, next: impl Into<String>) -> Self {
        Self { exit, what: what.into(), next: next.into() }
    }

    /// A peer would not have us.
    pub(crate) fn refused(address: &str, bye: &Bye) -> Self {
        let next = match bye.reason {
            ByeReason::InviteExpired | ByeReason::InviteUsedUp | ByeReason::InviteRevoked => {
                "Ask for a new ticket."
            }
            ByeReason::Removed => "Only an admin of the room can let you in again.",
            ByeReason::InviteUnknown => {
                "Try again once that replica has met the one that made the ticket, or ask for a new ticket."
            }
            ByeReason::KnockRefused => "Ask them for a ticket (`replica invite`), or to accept you.",
            _ => "Ask a member for a ticket: `replica invite` prints one.",
        };
        let what = format!("{} would not let us in: {}", text::line(address), text::line(&bye.text));
        Self::new(Exit::Refused, what, next)
    }

    /// Whoever is at an address that was named is in another room, and does not answer knocks.
    pub(crate) fn other_room(address: &str) -> Self {
        let what = format!("{} is in a room that we are not in", text::line(address));
        let next = "Ask there for a ticket (`replica invite` prints one), then run `replica join TICKET`.";
        Self::new(Exit::Refused, what, next)
    }

    /// The store failed under way.
    pub(crate) fn of_store(why: &str) -> Self {
        let next = "What was confirmed is kept. Check the disk, then run `replica verify`.";
        Self::new(Exit::Store, format!("the store failed: {}", text::line(why)), next)
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.what)
    }
}

impl std::error::Error for Failure {}

/// The store failed before.
pub(crate) fn store_failed() -> Failure {
    Failure::of_store("nothing more can be written")
}

/// Whether a peer's goodbye says that it will not have us.
pub(crate) fn is_refusal(reason: ByeReason) -> bool {
    matches!(
        reason,
        ByeReason::NotMember
            | ByeReason::InviteExpired
            | ByeReason::InviteUsedUp
            | ByeReason::InviteUnknown
            | ByeReason::InviteRevoked
            | ByeReason::Removed
            | ByeReason::KnockRefused
    )
}

/// What is told of a failure.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Explained {
    pub(crate) exit: Exit,
    pub(crate) what: String,
    pub(crate) next: Option<String>,
}

/// Whether stdout was closed by whoever read it: then we are done.
pub(crate) fn is_broken_pipe(error: &anyhow::Error) -> bool {
    let broken = |io: &io::Error| io.kind() == io::ErrorKind::BrokenPipe;
    error.chain().filter_map(|cause| cause.downcast_ref()).any(broken)
}

/// Finds the words and the exit code of any failure.
pub(crate) fn explain(error: &anyhow::Error) -> Explained {
    for cause in error.chain() {
        if let Some(failure) = cause.downcast_ref::<Failure>() {
            let Failure { exit, what, next } = failure.clone();
            return Explained { exit, what, next: Some(next) };
        }
        if let Some(error) = cause.downcast_ref::<NodeError>() {
            return of_node(error);
        }
        if let Some(error) = cause.downcast_ref::<HomeError>() {
            return of_home(error);
        }
        if let Some(error) = cause.downcast_ref::<ParseTicketError>() {
            let next = "Copy the whole ticket, from `replica1` to its end; or ask for a new one.";
            return told(Exit::Refused, format!("this is not a ticket: {error}"), next);
        }
    }
    Explained { exit: Exit::Failed, what: with_causes(error.as_ref()), next: None }
}

fn of_node(error: &NodeError) -> Explained {
    match error {
        NodeError::Home(home) => of_home(home),
        NodeError::Store { folder, source: StoreError::Locked } => told(
            Exit::Store,
            format!("the store in {} is in use by another process", folder.display()),
            "Close the other one, or work in another home (--home DIR).",
        ),
        NodeError::Store { folder, source: source @ StoreError::Damaged(_) } => {
            let folder = folder.display();
            let next = "Nothing was changed. `replica doctor --repair` keeps what can be read and sets the damaged folder \
                        aside; `replica sync` then fetches the rest from your peers. Or put it back from a backup.";
            told(Exit::Store, format!("the room's store in {folder} cannot be used: {source}"), next)
        }
        NodeError::Store { folder, source } => {
            let what = format!("the room's store in {}: {}", folder.display(), with_causes(source));
            told(Exit::Failed, what, "Check the disk: is it full, or the folder not yours to write?")
        }
        NodeError::Listen { .. } => {
            let next = "Name another address with --listen (port 0 picks any), or go without: --offline.";
            told(Exit::Failed, error.to_string(), next)
        }
        NodeError::NoRoom => {
            let next = "`replica` makes a room, `replica join TICKET` enters one.";
            told(Exit::Failed, error.to_string(), next)
        }
        NodeError::Verify(replica::archive::VerifyError::Documents(_)) => {
            told(Exit::Store, error.to_string(), "Run `replica verify` once more; nothing was lost.")
        }
        NodeError::Verify(verify) => told(Exit::Store, with_causes(verify), MEND),
        NodeError::Attach(AttachError::Version { .. } | AttachError::OtherUser) => {
            told(Exit::Store, error.to_string(), "End it first, or work in another home (--home DIR).")
        }
        NodeError::Attach(AttachError::Silent { .. }) => {
            told(Exit::Store, error.to_string(), "If it sleeps (Ctrl+Z), wake it with `fg`; or end it.")
        }
        NodeError::TooManyRooms => {
            told(Exit::Failed, error.to_string(), "`replica --room NAME` opens one of the others first.")
        }
        NodeError::Elsewhere { words, is_damage: true }
        | NodeError::Attach(AttachError::Room { words, is_damage: true }) => {
            told(Exit::Store, words.clone(), MEND)
        }
        NodeError::Say(say) => of_say(say),
        NodeError::NobodyKnocks => {
            told(Exit::Failed, error.to_string(), "Names of those who knock are shown when they do.")
        }
        other => Explained { exit: Exit::Failed, what: with_causes(other), next: None },
    }
}

/// What to do about damage.
const MEND: &str = "`replica doctor --repair` keeps what can be read and sets the damaged folder aside; `replica sync` \
                    then fetches the rest from your peers. Or put the home back from a backup.";

/// Why something could not be written.
pub(crate) fn of_say(error: &SayError) -> Explained {
    let (exit, next) = match error {
        SayError::NotMember => (Exit::Refused, "Ask a member for a ticket: `replica invite` prints one."),
        SayError::Removed => {
            (Exit::Refused, "What is here can still be read. Ask an admin: `replica members` lists them.")
        }
        SayError::NotAdmin => (Exit::Refused, "`replica members` lists the admins, highest rank first."),
        SayError::NobodyThere => (Exit::Failed, "`replica members` lists who is there."),
        SayError::NotSound | SayError::Incomplete => (
            Exit::Refused,
            "What came before it was taken in. Have the bundle made once more, by somebody else.",
        ),
        SayError::ReadOnly => (Exit::Store, "Check the disk, then start replica again."),
        SayError::TooManyDrafts => {
            (Exit::Failed, "Connect to a member first, so that they can be delivered.")
        }
        _ => (Exit::Failed, "Say it in fewer words, or in several messages."),
    };
    told(exit, error.to_string(), next)
}

fn of_home(error: &HomeError) -> Explained {
    let (exit, next) = match error {
        HomeError::Locked { .. } => {
            (Exit::Store, "Close that one first, or work in another home (--home DIR).".to_owned())
        }
        HomeError::Damaged { .. } | HomeError::IdentityLost { .. } => {
            let next =
                "Without a backup, start over in another home (--home DIR) and ask a member for a ticket.";
            (Exit::Store, next.to_owned())
        }
        HomeError::Sealed { .. } => {
            let next = "Set REPLICA_PASSPHRASE, or name a file that holds it: --passphrase-file FILE.";
            (Exit::Failed, next.to_owned())
        }
        HomeError::Unseal { source: UnsealError::WrongPassphrase, .. } => {
            let next = "Nobody can open it without the right one. Another home (--home DIR) makes a new key.";
            (Exit::Failed, next.to_owned())
        }
        HomeError::OtherIdentity { .. } => {
            let next = "A home keeps its key. Import into another one: --home DIR.";
            (Exit::Failed, next.to_owned())
        }
        HomeError::Newer { .. } => (Exit::Store, "Run the newer version of replica.".to_owned()),
        HomeError::Exposed { .. } => (Exit::Failed, "Then run this again.".to_owned()),
        HomeError::Io { .. } => {
            (Exit::Failed, "Check that the folder is yours to write, or name another: --home DIR.".to_owned())
        }
        _ => (Exit::Failed, "Try again.".to_owned()),
    };
    told(exit, with_causes(error), next)
}

fn told(exit: Exit, what: impl Into<String>, next: impl Into<String>) -> Explained {
    Explained { exit, what: what.into(), next: Some(next.into()) }
}

/// An error and its causes on one line, each once.
fn with_causes(error: &(dyn std::error::Error + 'static)) -> String {
    let mut words = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let more = error.to_string();
        if !words.ends_with(&more) {
            words.push_str(": ");
            words.push_str(&more);
        }
        cause = error.source();
    }
    words
}

#[cfg(test)]
mod tests;
