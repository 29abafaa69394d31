//! The house: a room uses only rooms below it, and every arrow that is drawn is walked.

mod common;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;

/// The floors, lowest first. A room may use the rooms of lower floors.
const FLOORS: [&[&str]; 9] = [
    &["grammar"],
    &["source", "artifact"],
    &["chart", "finding", "compare"],
    &["input", "report", "disk"],
    &["plan", "cli"],
    &["check", "output"],
    &["migrate", "trace"],
    &["commands"],
    &["main"],
];

/// Who uses whom today. An arrow that is no longer used is taken out; a new one is thought about.
const ARROWS: &[(&str, &[&str])] = &[
    ("artifact", &[]),
    ("chart", &["grammar", "source"]),
    ("check", &["chart", "finding", "grammar", "input", "plan"]),
    ("cli", &["chart", "report"]),
    (
        "commands",
        &[
            "artifact", "chart", "check", "cli", "compare", "disk", "finding", "grammar", "input", "migrate", "output",
            "plan", "report", "source", "trace",
        ],
    ),
    ("compare", &["artifact"]),
    ("disk", &["artifact"]),
    ("finding", &["grammar", "source"]),
    ("grammar", &[]),
    ("input", &["finding", "grammar", "source"]),
    ("main", &["cli", "commands"]),
    ("migrate", &["artifact", "check", "compare", "finding", "grammar", "output", "plan"]),
    ("output", &["artifact", "chart", "compare", "finding", "grammar", "input", "plan", "report", "source"]),
    ("plan", &["chart", "finding", "grammar", "input"]),
    ("report", &["finding", "source"]),
    ("source", &["grammar"]),
    ("trace", &["finding", "grammar", "output", "plan"]),
];

/// Every room with the rooms its code names.
fn uses() -> BTreeMap<String, BTreeSet<String>> {
    let rooms: BTreeSet<String> = FLOORS.iter().flat_map(|floor| floor.iter().map(ToString::to_string)).collect();
    let mut uses: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for (name, path) in common::files(&common::root().join("src")) {
        if !name.ends_with(".rs") || name == "lib.rs" {
            continue;
        }
        let room = name.split('/').next().unwrap().trim_end_matches(".rs").to_owned();
        let text = fs::read_to_string(path).unwrap();
        // What tests use is no part of the house.
        let code = text.split("#[cfg(test)]").next().unwrap();
        let used = uses.entry(room.clone()).or_default();
        if name.ends_with("/tests.rs") {
            continue;
        }
        for other in rooms.iter().filter(|other| **other != room) {
            let named = |prefix: &str| {
                code.contains(&format!("{prefix}::{other}::")) || code.contains(&format!("{prefix}::{other};"))
            };
            let grouped = code
                .split("use crate::{")
                .skip(1)
                .any(|rest| rest.split('}').next().unwrap().split(',').any(|word| word.trim() == *other));
            let from_main = room == "main" && (named("portgen") || code.contains(&format!("use portgen::{other}")));
            if named("crate") || grouped || from_main {
                used.insert(other.clone());
            }
        }
    }
    uses
}

fn floor(room: &str) -> usize {
    FLOORS.iter().position(|floor| floor.contains(&room)).unwrap_or_else(|| panic!("room `{room}` is on no floor"))
}

#[test]
fn no_arrow_runs_upward() {
    for (room, used) in uses() {
        for other in used {
            assert!(floor(&other) < floor(&room), "`{room}` uses `{other}`, which is not below it");
        }
    }
}

#[test]
fn the_arrows_are_those_that_are_drawn() {
    let drawn: BTreeMap<String, BTreeSet<String>> = ARROWS
        .iter()
        .map(|(room, used)| ((*room).to_owned(), used.iter().map(ToString::to_string).collect()))
        .collect();
    assert_eq!(uses(), drawn);
}

#[test]
fn only_the_disk_touches_files_and_only_main_the_streams() {
    for (name, path) in common::files(&common::root().join("src")) {
        if !name.ends_with(".rs") || name.starts_with("disk/") {
            continue;
        }
        let text = fs::read_to_string(path).unwrap();
        let code = text.split("#[cfg(test)]").next().unwrap();
        for word in ["std::fs", "File::", "OpenOptions"] {
            assert!(!code.contains(word), "{name} uses {word}");
        }
        for word in ["println!", "print!(", "io::stdout", "io::stderr", "dbg!"] {
            assert!(name == "main.rs" || !code.contains(word), "{name} uses {word}");
        }
    }
}

#[test]
fn every_file_says_what_it_is_for() {
    for (name, path) in common::files(&common::root().join("src")) {
        if name.ends_with(".rs") {
            assert!(fs::read_to_string(path).unwrap().starts_with("//! "), "{name}");
        }
    }
}
