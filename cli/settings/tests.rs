use clap::{CommandFactory as _, FromArgMatches as _};

use super::*;

/// What holds with this in the file and on the command line.
fn applied(file: &str, arguments: &[&str]) -> (Args, Chosen) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("config.toml");
    fs::write(&path, file).unwrap();
    let all = [["replica", "--config", path.to_str().unwrap()].as_slice(), arguments].concat();
    let matches = Args::command().get_matches_from(all);
    let mut args = Args::from_arg_matches(&matches).unwrap();
    let chosen = apply(&mut args, &matches).unwrap();
    (args, chosen)
}

/// What a setting is and where it comes from.
fn setting(file: &str, arguments: &[&str], name: &str) -> (Option<String>, Origin) {
    let (_, chosen) = applied(file, arguments);
    let found = chosen.settings.into_iter().find(|setting| setting.name == name).unwrap();
    (found.value, found.origin)
}

#[test]
fn a_flag_wins_over_the_file_and_the_file_over_what_is_usual() {
    let file = "nick = \"ann\"\npeer = [\"a:1\", \"b:2\"]\noffline = true\ncolor = \"never\"\n";
    let ann = Some("ann".to_owned());
    assert_eq!(setting(file, &[], "nick"), (ann, Origin::File));
    assert_eq!(setting(file, &["--nick", "bob"], "nick"), (Some("bob".to_owned()), Origin::Flag));
    // Also behind a subcommand.
    assert_eq!(setting(file, &["log", "--nick", "bob"], "nick"), (Some("bob".to_owned()), Origin::Flag));
    assert_eq!(setting("", &[], "nick"), (None, Origin::Default));
    assert_eq!(setting(file, &[], "peer"), (Some("a:1,b:2".to_owned()), Origin::File));
    assert_eq!(setting(file, &["--peer", "c:3"], "peer"), (Some("c:3".to_owned()), Origin::Flag));
    assert_eq!(setting(file, &[], "offline"), (Some("true".to_owned()), Origin::File));
    assert_eq!(setting("", &["--offline"], "offline"), (Some("true".to_owned()), Origin::Flag));
    assert_eq!(setting(file, &[], "color"), (Some("never".to_owned()), Origin::File));
}

#[test]
fn where_to_enter_the_table_goes_with_the_table_wherever_that_is_asked_for() {
    let file = "dht = true\ndht-bootstrap = [\"a:1\"]\n";
    assert_eq!(setting(file, &[], "dht-bootstrap"), (Some("a:1".to_owned()), Origin::File));
    assert_eq!(applied(file, &["--dht-bootstrap", "b:2"]).0.dht_bootstrap, ["b:2"]);
    // It may stand there for those times when the table is asked for.
    assert_eq!(applied("dht-bootstrap = [\"a:1\"]", &[]).0.dht_bootstrap, ["a:1"]);
    let matches = Args::command().get_matches_from(["replica", "--dht-bootstrap", "b:2"]);
    let mut args = Args::from_arg_matches(&matches).unwrap();
    args.config = Some("/dev/null".into());
    let refused = apply(&mut args, &matches).unwrap_err();
    assert!(refused.to_string().contains("--dht-bootstrap"), "{refused}");
}

#[test]
fn offline_goes_with_where_one_usually_listens_and_not_with_where_one_is_told_to() {
    let file = "listen = \"127.0.0.1:7400\"";
    assert!(applied(file, &[]).0.listen.is_some());
    assert_eq!(applied(file, &["--offline"]).0.listen, None);
    // That is a contradiction, which is told.
    assert!(applied("", &["--offline", "--listen", "127.0.0.1:7400"]).0.listen.is_some());
}

/// What is told of a file that cannot be used.
fn refused(file: &str) -> String {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("config.toml");
    fs::write(&path, file).unwrap();
    read(&path, false).unwrap_err().to_string()
}

#[test]
fn the_screen_is_as_the_file_says_and_each_choice_is_told() {
    use crate::tui::bindings::{Act, Key};
    use crate::tui::theme::Role;
    let file = "[theme]\nname = \"light\"\nnicks = [\"red\", 99]\nlate = \"#ff8700\"\n\
                [keys]\nlate = \"alt+a\"\nunread = \"ALT+L\"\n";
    let look = applied(file, &[]).1.look;
    assert_eq!(look.theme.name(), "light");
    assert_eq!(look.theme.nicks.len(), 2);
    assert_eq!(look.theme.color(Role::Late).unwrap().to_string(), "#FF8700");
    // Two may change places.
    assert_eq!(Ok(look.bindings.key(Act::Late)), Key::parse("alt+a"));
    assert_eq!(Ok(look.bindings.key(Act::Unread)), Key::parse("alt+l"));
    let shown = |name| setting(file, &[], name);
    assert_eq!(shown("theme.nicks"), (Some("red,99".to_owned()), Origin::File));
    assert_eq!(shown("theme.dim"), (None, Origin::Default));
    assert_eq!(shown("keys.late"), (Some("alt+a".to_owned()), Origin::File));
    assert_eq!(shown("keys.search"), (Some("ctrl+f".to_owned()), Origin::Default));
}

#[test]
fn what_the_screen_cannot_be_is_told_with_its_line_and_what_may_have_been_meant() {
    for (file, told) in [
        ("[theme]\n\nnmae = \"dark\"", "line 3: there is no `nmae` in [theme]; did you mean `name`?"),
        ("[theme]\nname = \"drak\"", "line 2: there is no theme of that name; did you mean `dark`?"),
        ("[theme]\nlate = \"redish-blue\"", "line 2: a colour is"),
        ("[theme]\nlate = 256", "line 2: a colour is"),
        ("[theme]\nnicks = \"red\"", "line 2: a list of colours"),
        ("nick = \"a\"\n[keys]\nlast = \"f5\"", "line 3: there is no `last` in [keys]; did you mean `late`?"),
        ("[keys]\nlate = \"pgpu\"", "line 2: there is no such key; did you mean \"PgUp\"?"),
        ("[keys]\nlate = \"l\"", "line 2: a key without"),
        ("[keys]\nlate = 5", "line 2: a key is a text"),
        ("[keys]\nhelp = \"f5\"\nlate = \"f5\"", "line 2: `help` and `late` would be the same key"),
        ("[keys]\nlate = \"alt+a\"", "line 2: `late` and `unread` would be the same key"),
    ] {
        let what = refused(file);
        assert!(what.contains(told), "{what}\nand not:\n{told}");
    }
}

#[test]
fn what_is_wrong_in_the_file_is_told_with_its_name() {
    let folder = tempfile::tempdir().unwrap();
    for wrong in ["nik = \"ann\"", "offline = 3", "peer = \"a\" b"] {
        let told = refused(wrong);
        assert!(told.contains("config.toml"), "{told}");
    }
    let absent = folder.path().join("absent.toml");
    assert!(read(&absent, true).is_err(), "one that was named must be there");
    assert!(read(&absent, false).is_ok());
}
