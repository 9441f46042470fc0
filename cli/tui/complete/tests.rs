use crate::tui::tests::Story;

/// What Tab makes of a text, pressed so often.
#[track_caller]
fn check(typed: &str, times: usize, completed: &str) {
    let names = [(1, "ann"), (2, "bob"), (3, "Bo Peep"), (4, "漢字")];
    let mut shown = Story::named(&names).open(80, 24);
    shown.press(&[typed]);
    shown.press(&vec!["<tab>"; times]);
    assert_eq!(shown.app.input.text(), completed, "{typed} {times}");
}

#[test]
fn names_are_completed_and_gone_through() {
    check("bo", 1, "bob: ");
    check("bo", 2, "Bo Peep: ");
    check("bo", 3, "bob: ");
    check("hi @b", 1, "hi @bob ");
    check("hi 漢", 1, "hi 漢字 ");
    check("x", 1, "x");
    check("", 1, "");
}

#[test]
fn commands_are_completed_and_then_who_is_meant() {
    check("/acc", 1, "/accept ");
    check("/kick b", 1, "/kick bob");
    check("/kick Bo P", 1, "/kick Bo Peep");
    check("/zzz", 1, "/zzz");
}

#[test]
fn invites_are_completed() {
    let mut shown = Story::new().open(80, 24);
    let id = replica::id::EntryId([0xab; 32]);
    let invite = replica_sync::node::InviteStatus {
        id,
        key: crate::tui::tests::key_of(1),
        by: crate::tui::tests::key_of(1),
        expires_ms: None,
        uses: None,
        used: 0,
    };
    let mut status = Story::new().status();
    status.invites.push(invite);
    shown.app.on_status(status);
    shown.press(&["/revoke ab", "<tab>"]);
    assert_eq!(shown.app.input.text(), "/revoke abababababab");
}
