use super::*;

fn explained(error: impl Into<anyhow::Error>) -> (Exit, String, String) {
    let Explained { exit, what, next } = explain(&error.into());
    (exit, what, next.unwrap_or_default())
}

#[test]
fn a_locked_home_names_who_holds_it() {
    let (exit, what, _) = explained(NodeError::Home(HomeError::Locked { pid: Some(4711) }));
    assert_eq!(exit, Exit::Store);
    assert!(what.contains("process 4711"), "{what}");
}

#[test]
fn a_damaged_store_names_the_folder_and_the_cure() {
    let source = StoreError::Damaged(replica::store::Damage::Files);
    let (exit, what, next) = explained(NodeError::Store { folder: "/h/rooms/1/store".into(), source });
    assert_eq!(exit, Exit::Store);
    assert!(what.contains("/h/rooms/1/store") && next.contains("replica sync"), "{what} {next}");
}

#[test]
fn a_wrong_ticket_is_refused() {
    let error = "replica1x".parse::<replica_sync::ticket::Ticket>().unwrap_err();
    assert_eq!(explained(error).0, Exit::Refused);
}

#[test]
fn the_words_of_whoever_refuses_are_made_safe() {
    let bye = Bye::new(ByeReason::InviteExpired, "\x1b[2Jgone");
    let failure = Failure::refused("192.0.2.7:7400", &bye);
    assert!(!failure.to_string().contains('\x1b'));
    assert_eq!(explained(failure).0, Exit::Refused);
}

#[test]
fn a_closed_pipe_is_told_from_other_errors() {
    assert!(is_broken_pipe(&io::Error::from(io::ErrorKind::BrokenPipe).into()));
    assert!(!is_broken_pipe(&io::Error::from(io::ErrorKind::NotFound).into()));
    // As serde_json passes it on.
    assert!(is_broken_pipe(&io::Error::from(serde_json::Error::io(io::ErrorKind::BrokenPipe.into())).into()));
}

#[test]
fn causes_are_told_once() {
    let source = io::Error::new(io::ErrorKind::PermissionDenied, "no");
    let (_, what, _) = explained(HomeError::Io { path: "/h".into(), source });
    assert_eq!(what, "/h cannot be read or written: no");
}
