use super::*;

#[track_caller]
fn hint(line: &str) -> String {
    match read(line) {
        Meaning::Hint(hint) => hint,
        other => panic!("{line}: {other:?}"),
    }
}

#[test]
fn text_is_said() {
    for text in ["hi", " /who", "", "a /quit"] {
        assert_eq!(read(text), Meaning::Say(text.to_owned()));
    }
    assert_eq!(read("//who"), Meaning::Say("/who".to_owned()));
}

#[test]
fn commands_are_done() {
    for (line, slash) in [
        ("/help", Slash::Help),
        ("/nick ann lee", Slash::Nick("ann lee".to_owned())),
        ("/accept bob(amber-tiger)", Slash::Accept("bob(amber-tiger)".to_owned())),
        ("/peer 192.0.2.7", Slash::Peer("192.0.2.7:7400".to_owned())),
        ("/invite", Slash::Invite { expires: Some(INVITE_SPAN), uses: None }),
        ("/invite 1h 3", Slash::Invite { expires: Some(Duration::from_secs(3600)), uses: Some(3) }),
        ("/invite never", Slash::Invite { expires: None, uses: None }),
        ("/rooms", Slash::Rooms),
        ("/join work", Slash::Join("work".to_owned())),
        ("/dm bob", Slash::Dm("bob".to_owned())),
        ("/quit ", Slash::Quit),
    ] {
        assert_eq!(read(line), Meaning::Do(slash), "{line}");
    }
}

#[test]
fn a_typo_gets_the_nearest_and_nothing_is_sent() {
    assert!(hint("/acept bob").contains("did you mean /accept?"));
    assert!(hint("/hlep").contains("did you mean /help?"));
    assert!(hint("/frobnicate").contains("/help lists them"));
    assert!(!hint("/\x1b[2J").contains('\x1b'));
}

#[test]
fn what_is_missing_is_named() {
    for line in [
        "/nick",
        "/accept",
        "/peer",
        "/peer a b",
        "/invite soon",
        "/peer replica1abc",
        "/join",
        "/nick \u{200b}",
    ] {
        hint(line);
    }
}
