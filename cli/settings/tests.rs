use clap::{CommandFactory as _, FromArgMatches as _};

use super::*;

/// What a setting is and where it comes from, with this in the file and on the command line.
fn setting(file: &str, arguments: &[&str], name: &str) -> (Option<String>, Origin) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("config.toml");
    fs::write(&path, file).unwrap();
    let all = [["replica", "--config", path.to_str().unwrap()].as_slice(), arguments].concat();
    let matches = Args::command().get_matches_from(all);
    let mut args = Args::from_arg_matches(&matches).unwrap();
    let chosen = apply(&mut args, &matches).unwrap();
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
