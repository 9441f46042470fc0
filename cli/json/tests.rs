use replica::id::EntryId;
use replica::identity::Identity;
use replica::order::{Clock, OrderKey};

use super::*;

pub(crate) fn message(text: &str) -> Row {
    let clock = Clock { era: 0, time_ms: 1_795_338_843_120, count: 2 };
    Row {
        id: EntryId([1; 32]),
        position: 3,
        key: OrderKey { clock, id: EntryId([1; 32]) },
        author: Identity::from_secret(&[7; 32]).key(),
        nick: Some("ann".to_owned()),
        claimed_ms: 1_795_338_843_120,
        kind: Kind::Message.number(),
        text: text.to_owned(),
        deps: vec![EntryId([9; 32]), EntryId([2; 32])],
        incarnation: Some(1),
        rows_after: 0,
        counts: true,
    }
}

fn text_of(object: &impl Serialize) -> String {
    serde_json::to_string(object).unwrap()
}

#[test]
fn a_message_has_the_promised_fields_in_their_order() {
    let author = Identity::from_secret(&[7; 32]).key();
    let expected = format!(
        r#"{{"v":1,"type":"message","id":"{}","author":"{author}","nick":"ann","time":"2026-11-22T09:14:03.120Z","text":"lunch?","deps":["{}","{}"],"order":"0000000001a202d8ecb000000002"}}"#,
        "01".repeat(32),
        "02".repeat(32),
        "09".repeat(32),
    );
    let clock = Clock { era: 0, time_ms: 1_795_338_843_120, count: 2 };
    let expected = expected.replace("0000000001a202d8ecb000000002", &hex(&clock.to_bytes()));
    assert_eq!(text_of(&row(&message("lunch?"))), expected);
    assert_eq!(hex(&clock.to_bytes()).len(), 28);
}

#[test]
fn a_late_row_says_how_far_from_the_end_it_stands() {
    let late = Row { rows_after: 12, ..message("x") };
    assert!(text_of(&row(&late)).ends_with(r#","late":true,"at":12}"#));
}

#[test]
fn what_is_not_a_message_is_an_event_of_its_kind() {
    let event = Row { kind: Kind::Nickname.number(), ..message("is called ann") };
    assert!(text_of(&row(&event)).starts_with(r#"{"v":1,"type":"event","kind":"nickname","id":"#));
    let unknown = Row { kind: 999, ..message("?") };
    assert!(text_of(&row(&unknown)).starts_with(r#"{"v":1,"type":"event","kind":"999","#));
}

#[test]
fn a_row_is_one_line_whatever_its_text() {
    let nasty = "a\nb\r\u{2028}\u{1b}[2J\0\"\\";
    let line = text_of(&row(&message(nasty)));
    assert!(!line.chars().any(|c| c.is_control()), "{line}");
    let back: serde_json::Value = serde_json::from_str(&line).unwrap();
    assert_eq!(back["text"], nasty);
}

#[test]
fn who_has_no_name_gets_words_of_the_key() {
    let nameless = Row { nick: None, ..message("x") };
    let back: serde_json::Value = serde_json::from_str(&text_of(&row(&nameless))).unwrap();
    assert_eq!(back["nick"], two_words(&nameless.author));
}

#[test]
fn the_other_objects_have_the_promised_fields_in_their_order() {
    let key = Identity::from_secret(&[7; 32]).key();
    let address = "127.0.0.1:7400".parse().unwrap();
    assert_eq!(text_of(&listening(address)), r#"{"v":1,"type":"listening","addr":"127.0.0.1:7400"}"#);
    assert_eq!(
        text_of(&draft(0, "hi")),
        r#"{"v":1,"type":"draft","time":"1970-01-01T00:00:00.000Z","text":"hi"}"#
    );
    assert_eq!(
        text_of(&invite("replica1x", Some(0), None)),
        r#"{"v":1,"type":"invite","ticket":"replica1x","expires":"1970-01-01T00:00:00.000Z","uses":null}"#
    );
    let words = replica::identity::words(&key);
    assert_eq!(
        text_of(&whoami(&key, "ann", "/h".as_ref())),
        format!(r#"{{"v":1,"type":"whoami","author":"{key}","words":"{words}","nick":"ann","home":"/h"}}"#)
    );
    let outcome = Outcome {
        address: "192.0.2.7:7400".to_owned(),
        author: Some(key),
        sent: 3,
        received: 41,
        millis: 120,
        agreed: true,
    };
    assert_eq!(
        text_of(&sync(&outcome)),
        format!(
            r#"{{"v":1,"type":"sync","peer":"192.0.2.7:7400","author":"{key}","sent":3,"received":41,"millis":120,"agreed":true}}"#
        )
    );
}
