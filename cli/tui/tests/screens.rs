//! Screens, each held against a file beside this one.

use replica_sync::discovery::{Condition, Means, MeansStatus};

use crate::tui::last_screen::LastScreen;

use super::*;

/// A morning as people have it.
fn morning() -> Story {
    let mut story = Story::new();
    story.says(ANN, 0, "I'll write this on the train");
    story.says(ANN, 0, "no network here");
    story.says(BOB, 8, "anyone awake?");
    story.says(CAROL, 9, "fixed it, fan was off");
    story.says(BOB, 24 * 60 + 13, "build is green");
    story.says(
        ANN,
        24 * 60 + 14,
        "@bob lunch?\ntwo lines, with a second that is so long that it has to be broken somewhere on its way",
    );
    story
}

fn partition() -> Story {
    let mut story = Story::new();
    let before = story.says(ANN, 0, "before the cable was pulled").id;
    let bob = story.row(BOB, 1, "is it only me?", &[before]).id;
    let carol = story.row(CAROL, 2, "server room is warm", &[before]).id;
    let bob = story.row(BOB, 3, "hello?\nhello again", &[bob]).id;
    let carol = story.row(CAROL, 4, "fixed it, fan was off", &[carol]).id;
    story.row(ANN, 5, "and we are back", &[bob, carol]);
    story
}

fn away(person: u8, address: &str, failures: u32, retry_ms: u64) -> PeerStatus {
    PeerStatus {
        author: (person > 0).then(|| key_of(person)),
        standing: None,
        failures,
        retry_ms: Some(retry_ms),
        ..peer(BOB, address)
    }
}

#[test]
fn an_empty_room_says_what_to_do() {
    let story = Story::named(&[(ANN, "ann")]);
    let mut status = story.status();
    status.peers.clear();
    for (name, columns, lines) in
        [("first-run", 80, 24), ("first-run-narrow", 34, 20), ("first-run-tiny", 20, 6)]
    {
        let mut shown = story.open_with(status.clone(), None, columns, lines);
        shown.app.reachable = vec!["192.0.2.7:7400".to_owned()];
        shown.check(name);
    }
}

#[test]
fn who_waits_to_be_let_in_is_told_so() {
    let story = Story::named(&[(ANN, "ann")]);
    let mut status = story.status();
    (status.entries, status.is_member) = (0, false);
    status.peers = vec![away(0, "192.0.2.9:7400", 3, 14_000)];
    status.drafts = vec![(MORNING, "is anybody there?".to_owned())];
    story.open_with(status.clone(), None, 80, 20).check("waiting-with-a-draft");
    status.room = None;
    status.members.clear();
    story.open_with(status, None, 80, 20).check("no-room-yet");
}

#[test]
fn a_talk_at_every_width() {
    let story = morning();
    for (name, columns, lines) in [
        ("talk", 80, 24),
        ("talk-with-peers", 110, 24),
        ("talk-wide", 300, 24),
        ("talk-narrow", 40, 24),
        ("talk-tiny", 20, 6),
        ("talk-low", 80, 7),
    ] {
        story.open(columns, lines).check(name);
    }
}

#[test]
fn late_rows_are_marked_and_announced() {
    let mut story = morning();
    let mut shown = story.open(80, 24);
    for (person, minute, text) in [(CAROL, 4, "written on a train"), (BOB, 5, "in a tunnel")] {
        let row = story.row(person, minute, text, &[]);
        shown.comes(row);
    }
    shown.check("late");
    let mut narrow = story.open(40, 12);
    let row = story.row(CAROL, 6, "late on a narrow screen", &[]);
    narrow.comes(row);
    narrow.press(&["<a-l>"]);
    narrow.check("late-narrow");
}

#[test]
fn a_partition_stands_in_a_bracket() {
    partition().open(80, 14).check("partition");
    partition().open(40, 22).check("partition-narrow");
}

#[test]
fn wide_letters_and_emoji_keep_their_columns() {
    let mut story = Story::named(&[(ANN, "ann"), (BOB, "鈴木"), (CAROL, "👩‍👩‍👧")]);
    story.says(BOB, 0, &"漢字かな交じり文を折り返す".repeat(5));
    story.says(CAROL, 1, "👩‍👩‍👧 👍🏽 🇩🇪 e\u{301}a\u{308} ok");
    story.says(BOB, 2, "עברית and العربية in one line");
    story.open(80, 16).check("wide-letters");
    story.open(30, 20).check("wide-letters-narrow");
}

#[test]
fn long_names_are_cut_and_names_alike_are_told_apart() {
    let long = "a name that is much longer than any column";
    let mut story = Story::named(&[(ANN, "ann"), (BOB, long), (CAROL, "Ann")]);
    story.says(BOB, 0, "x");
    story.says(CAROL, 1, "I am not ann");
    story.open(80, 12).check("long-names");
    story.open(110, 12).check("long-names-roomy");
}

#[test]
fn nothing_of_others_is_obeyed() {
    let nasty = "a\x1b]0;owned\x07\x1b[2J\u{9b}5A\u{202e}b\u{2066}c\u{200b}d\u{2028}e\rf\x08";
    let mut story = Story::named(&[(ANN, "ann"), (BOB, nasty)]);
    story.says(BOB, 0, nasty);
    story.says(BOB, 0, &format!("z{}", "\u{301}".repeat(50)));
    story.says(BOB, 1, "/me let ann in\n09:02         ann │ I agree");
    let mut status = story.status();
    status.peers = vec![away(0, nasty, 1, 1_000)];
    let mut shown = story.open_with(status, None, 110, 16);
    shown.app.note(nasty);
    shown.check("hostile");
}

#[test]
fn acts_and_events_do_not_look_like_words() {
    let mut story = Story::new();
    let mut named = story.says(BOB, 0, "is called bob");
    named.kind = Kind::Nickname.number();
    story.rows[0] = named;
    story.says(BOB, 1, "/me waves");
    let mut folded = story.says(CAROL, 2, "never read");
    folded.counts = false;
    *story.rows.last_mut().unwrap() = folded;
    story.open(80, 12).check("events");
}

#[test]
fn delivery_is_told_as_far_as_it_is_known() {
    let mut story = Story::new();
    story.says(BOB, 0, "hi");
    let mut shown = story.open(80, 12);
    for (minute, text) in ["all have this", "bob has this", "only here"].into_iter().enumerate() {
        let row = story.says(ANN, minute as u64 + 1, text);
        shown.comes(row);
        if minute < 1 {
            shown.app.on_event(&Event::Held { author: key_of(CAROL) });
        }
        if minute < 2 {
            shown.app.on_event(&Event::Held { author: key_of(BOB) });
        }
    }
    shown.check("delivery");
}

#[test]
fn a_long_history_on_its_way_is_counted() {
    let story = Story::new();
    let mut status = story.status();
    status.peers[0].missing_here = 67_600;
    status.peers[0].standing = Some(Standing::Behind);
    let mut shown = story.open_with(status, None, 110, 12);
    shown.app.progress = Some(crate::progress::Part { done: 12_400, total: 80_000 });
    shown.app.foresee(vec![glimpse(BOB, "the newest there is")]);
    shown.check("progress");
}

#[test]
fn how_members_are_looked_for_stands_below_the_peers() {
    let story = morning();
    let mut status = story.status();
    status.peers.push(away(0, "via/meet.example:7401/000102030405060708090a0b0c0d0e0f", 1, 800));
    status.outside = Some("203.0.113.7:7400".parse().unwrap());
    let failing = Condition::Failing("nobody answers".to_owned());
    for (means, server, condition, found) in [
        (Means::Router, None, Condition::Working, 0),
        (Means::Lan, None, Condition::Working, 2),
        (Means::Dht, None, failing, 0),
        (Means::Rendezvous, Some("meet.example:7401".to_owned()), Condition::Starting, 0),
    ] {
        status.discovery.push(MeansStatus { means, server, condition, found });
    }
    story.open_with(status, None, 110, 24).check("finding");
}

#[test]
fn who_is_not_connected_is_told_when_it_is_tried_again() {
    let story = morning();
    let mut status = story.status();
    status.peers = vec![away(0, "192.0.2.2:7400", 4, 13_200), away(0, "192.0.2.3:7400", 0, 0)];
    let mut shown = story.open_with(status.clone(), None, 80, 16);
    shown.check("disconnected");
    shown.press(&["<f2>"]);
    shown.check("disconnected-with-peers");
    status.is_offline = true;
    story.open_with(status, None, 80, 16).check("offline");
}

#[test]
fn ten_thousand_unread_are_one_key_away() {
    let mut story = morning();
    let read = Read { key: story.rows[5].key, messages: 6 };
    for number in 0..10_000 {
        story.says(BOB, 2_000 + number / 20, &format!("unread {number}"));
    }
    let mut shown = story.open_with(story.status(), Some(read), 80, 14);
    shown.check("unread");
    shown.press(&["<a-a>"]);
    shown.check("unread-first");
}

#[test]
fn a_search_shows_what_it_found() {
    let mut story = morning();
    (0..30).for_each(|minute| drop(story.says(BOB, 2_000 + minute, "hay")));
    let mut shown = story.open(80, 16);
    shown.press(&["<c-f>", "fan was", "<enter>"]);
    shown.check("search");
    shown.press(&["<esc>", "<c-f>", "nowhere", "<enter>"]);
    shown.check("search-nothing");
}

#[test]
fn help_fits_where_there_is_room_and_scrolls_where_not() {
    let mut shown = morning().open(80, 50);
    shown.press(&["<f1>"]);
    shown.check("help");
    let mut small = morning().open(36, 12);
    small.press(&["<f1>", "<pgdn>"]);
    small.check("help-narrow");
}

#[test]
fn a_ticket_is_whole_and_drawn_where_it_fits() {
    let ticket = "replica1qqqsyqcyq5rqwzqfpg9scrgwpugpzysnzs23v9ccrydpk8qarc0jq".to_owned();
    let mut shown = morning().open(80, 40);
    shown.app.show_ticket(ticket.clone());
    shown.check("ticket");
    let mut small = morning().open(40, 14);
    small.app.show_ticket(ticket);
    small.check("ticket-narrow");
}

#[test]
fn what_is_typed_grows_upwards() {
    let mut shown = morning().open(80, 20);
    shown.press(&["first", "<alt-enter>", "second line", "<alt-enter>", &"long ".repeat(30)]);
    shown.check("typing");
    shown.press(&["<alt-enter>", "b", "<alt-enter>", "c", "<alt-enter>", "d", "<alt-enter>", "e"]);
    shown.check("typing-more-than-fits");
}

#[test]
fn a_paste_of_many_lines_is_asked_about() {
    let mut shown = morning().open(80, 16);
    shown.app.on_paste("fn main() {\n    one();\n    two();\n    three();\n    four();\n}\n");
    shown.check("paste");
}

#[test]
fn completion_says_what_else_there_is() {
    let mut shown = morning().open(80, 12);
    shown.press(&["/wh", "<tab>"]);
    shown.check("completion");
}

#[test]
fn a_store_that_failed_is_said_where_it_is_read() {
    let story = morning();
    let mut status = story.status();
    status.is_read_only = true;
    story.open_with(status, None, 80, 12).check("read-only");
}

#[test]
fn a_mention_has_a_sign_of_its_own() {
    let mut story = Story::new();
    story.says(BOB, 0, "ann, are you there?");
    story.says(BOB, 1, "annual report");
    story.open(80, 10).check("mention");
}

#[test]
fn several_rooms_stand_at_the_top_with_what_waits_in_them() {
    let story = morning();
    let mut status = story.status();
    status.rooms = vec![
        room(7, "home", 0, false),
        room(2, "work", 3, false),
        room(3, "family", 12, true),
        room(4, "a quiet room with a long name", 0, false),
    ];
    for (name, columns, lines) in
        [("rooms", 80, 12), ("rooms-wide", 110, 12), ("rooms-narrow", 34, 12), ("rooms-tiny", 20, 6)]
    {
        story.open_with(status.clone(), None, columns, lines).check(name);
    }
}

#[test]
fn colours_add_nothing_that_is_not_said_already() {
    let mut plain = partition().open(80, 14);
    let mut colored = partition().open(80, 14);
    colored.app.theme = Theme::default();
    assert_eq!(plain.screen(), colored.screen());
}

#[test]
fn a_room_that_is_being_opened_shows_how_it_was_left() {
    let story = morning();
    let mut shown = story.open(60, 14);
    let last = LastScreen::of(&shown.app).unwrap();
    shown.app.foreshow(last);
    shown.check("opening");
    assert_eq!(shown.app.action(), None, "nothing is asked of a node that is not there yet");
    shown.app.open(story.status(), story.rows.iter().rev().cloned().collect(), 100, None);
    shown.check("opened");
}

#[test]
fn the_topic_stands_above_the_conversation_where_there_is_room() {
    let story = morning();
    let with_topic = |columns, lines| {
        let mut status = story.status();
        status.topic = Some("lunch on Monday: who brings what? \u{1b}[31m".to_owned());
        story.open_with(status, None, columns, lines)
    };
    with_topic(100, 10).check("topic");
    with_topic(60, 10).check("topic-narrow");
}
