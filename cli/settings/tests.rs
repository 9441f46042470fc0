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
fn offline_goes_with_where_one_usually_listens_and_not_with_where_one_is_told_to() {
    let file = "listen = \"127.0.0.1:7400\"";
    assert!(applied(file, &[]).0.listen.is_some());
    assert_eq!(applied(file, &["--offline"]).0.listen, None);
    // That is a contradiction, which is told.
    assert!(applied("", &["--offline", "--listen", "127.0.0.1:7400"]).0.listen.is_some());
}

#[test]
fn what_is_wrong_in_the_file_is_told_with_its_name() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("config.toml");
    for wrong in ["nik = \"ann\"", "offline = 3", "peer = \"a\" b"] {
        fs::write(&path, wrong).unwrap();
        let told = read(&path, false).unwrap_err().to_string();
        assert!(told.contains("config.toml"), "{told}");
    }
    let absent = folder.path().join("absent.toml");
    assert!(read(&absent, true).is_err(), "one that was named must be there");
    assert!(read(&absent, false).is_ok());
}
