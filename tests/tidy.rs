//! Rules of the house that no lint knows.

use std::fs;
use std::path::{Path, PathBuf};

use crate::program::repository;

/// Most lines of a file, tests aside.
const LINES_MAX: usize = 400;

fn sources(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(sources(&path));
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(path);
        }
    }
    found
}

fn all() -> Vec<PathBuf> {
    let folders = ["replica/src", "sync/src", "cli", "tests", "fuzz"];
    let found: Vec<PathBuf> = folders.iter().flat_map(|folder| sources(&repository().join(folder))).collect();
    assert!(found.len() > 60, "the sources were not found");
    found.into_iter().filter(|path| !path.components().any(|part| part.as_os_str() == "target")).collect()
}

fn check(what: &str, is_wrong: impl Fn(&Path, &str) -> bool) {
    let wrong: Vec<PathBuf> =
        all().into_iter().filter(|path| is_wrong(path, &fs::read_to_string(path).unwrap())).collect();
    assert!(wrong.is_empty(), "{what}: {wrong:#?}");
}

fn is_test(path: &Path) -> bool {
    let path = path.strip_prefix(repository()).unwrap_or(path).to_string_lossy().into_owned();
    path.contains("tests") || path.contains("testing")
}

#[test]
fn no_file_is_too_long_to_read() {
    check("files over the limit", |path, text| !is_test(path) && text.lines().count() > LINES_MAX);
}

#[test]
fn every_file_ends_with_one_newline() {
    check("files with a ragged end", |_, text| {
        !text.is_empty() && (!text.ends_with('\n') || text.ends_with("\n\n"))
    });
}

#[test]
fn only_their_modules_name_the_libraries_behind_seams() {
    let seams = [
        ("automerge::", "replica/src/document"),
        ("sled::", "replica/src/store"),
        ("bincode::", "sync/src/wire/codec"),
        ("snow::", "sync/src/channel"),
    ];
    for (library, home) in seams {
        check(library, |path, text| {
            let uses =
                text.lines().any(|line| line.contains(library) && !line.trim_start().starts_with("//"));
            let inside = path.strip_prefix(repository()).unwrap_or(path).starts_with(home)
                || path.to_string_lossy().contains(home);
            uses && !inside && !is_test(path) && !path.to_string_lossy().contains("fuzz")
        });
    }
}

#[test]
fn the_core_knows_no_runtime() {
    let core =
        ["replica/src", "sync/src/engine", "sync/src/session", "sync/src/conversation", "sync/src/wire"];
    check("core modules that name tokio", |path, text| {
        let inside = core.iter().any(|part| path.to_string_lossy().contains(part));
        inside && text.lines().any(|line| line.contains("tokio::") && !line.trim_start().starts_with("//"))
    });
}

#[test]
fn every_promise_names_tests_that_exist() {
    let promises = fs::read_to_string(repository().join("SECURITY.md")).unwrap();
    let named = promises.split('`').skip(1).step_by(2).filter(|it| it.matches('_').count() > 2);
    let sources: String = all().into_iter().map(|path| fs::read_to_string(path).unwrap()).collect();
    let named: Vec<&str> = named.collect();
    assert!(named.len() > 20, "the tests are not named any more");
    let missing: Vec<&&str> = named.iter().filter(|name| !sources.contains(&format!("fn {name}("))).collect();
    assert!(missing.is_empty(), "SECURITY.md names tests that do not exist: {missing:?}");
}
