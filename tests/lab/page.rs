//! `docs/dataplane.md`: what a run proved, as tables.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::path::PathBuf;
use std::sync::{Mutex, PoisonError};

use serde::{Deserialize, Serialize};

use crate::cases::CASES;
use crate::common;
use crate::data_plane::DataPlane;
use crate::faults::FAULTS;
use crate::ipvs;
use crate::life::{LIVES, faults::FAULTS as LIFE_FAULTS, neighbours};
use crate::matrix::{Cell, DATA_PLANES, Met};
use crate::net::{FAMILIES, Family};
use crate::probe::{PROBES, Probe};
use crate::refusals::REFUSALS;
use crate::traffic::Outcome;

/// What is known of one case on one data plane.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Proof {
    /// In the matrix.
    pub verdict: String,
    /// What each probe met, by its title; what was not asked is not here.
    pub probes: BTreeMap<String, String>,
}

/// Proofs from a kernel that is not always at hand.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Recorded {
    /// By the case's title.
    pub cases: BTreeMap<String, On<Proof>>,
    /// What came of what is refused there, by rule.
    pub refusals: BTreeMap<String, On<String>>,
}

/// Something seen on a day.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct On<T> {
    /// When, as a date, and with which kernel and kube-proxy.
    pub when: String,
    /// What.
    pub seen: T,
}

/// What a run has proved so far.
#[derive(Default)]
pub struct Board {
    /// By the case's title and the data plane's name.
    pub cells: BTreeMap<(String, String), Proof>,
    /// By title: refusals, faults, life on a node.
    pub lines: BTreeMap<String, String>,
}

static BOARD: Mutex<Option<Board>> = Mutex::new(None);

/// Writes something on the board of this run.
pub fn note(what: impl FnOnce(&mut Board)) {
    what(BOARD.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert_default());
}

/// Both families' outcomes in one text.
fn both<T: PartialEq>(values: &BTreeMap<Family, T>, say: impl Fn(&T) -> String) -> String {
    match (values.get(&Family::V4), values.get(&Family::V6)) {
        (Some(v4), Some(v6)) if v4 == v6 => say(v4),
        (Some(v4), Some(v6)) => format!("IPv4: {}; IPv6: {}", say(v4), say(v6)),
        (Some(v4), None) => format!("IPv4: {}; IPv6: not proven", say(v4)),
        (None, Some(v6)) => format!("IPv4: not proven; IPv6: {}", say(v6)),
        (None, None) => "not proven".to_owned(),
    }
}

impl Proof {
    /// What a cell says.
    pub fn of(cell: &Cell) -> Self {
        match cell {
            Cell::Refused(rule, probe, met) => {
                let who = if *probe == Probe::Http { String::new() } else { format!("{}: ", probe.title()) };
                let verdict = format!("fails as predicted (`{rule}`): {who}{}", both(met, Outcome::to_string));
                Self { verdict, probes: BTreeMap::new() }
            }
            Cell::Works(met) => {
                let asked = |probe| -> BTreeMap<Family, Outcome> {
                    let of = |(family, met): (&Family, &Met)| met.get(&probe).map(|outcome| (*family, outcome.clone()));
                    met.iter().filter_map(of).collect()
                };
                let probes = PROBES.into_iter().filter_map(|probe| {
                    let outcomes = asked(probe);
                    (!outcomes.is_empty()).then(|| (probe.title().to_owned(), both(&outcomes, Outcome::to_string)))
                });
                let families: Vec<&str> =
                    FAMILIES.into_iter().filter(|one| met.contains_key(one)).map(Family::name).collect();
                let verdict =
                    if families.len() == 2 { "works".to_owned() } else { format!("works, {}", families.join("")) };
                Self { verdict, probes: probes.collect() }
            }
        }
    }
}

/// Why something is not asked on a data plane where it is asked on others.
fn not_asked(data_plane: DataPlane) -> &'static str {
    match data_plane {
        DataPlane::Cilium => "not proven ²",
        DataPlane::Ipvs => "not proven ¹",
        DataPlane::Iptables(_) | DataPlane::Nftables => "–",
    }
}

/// Where the page is.
pub fn path() -> PathBuf {
    common::root().join("docs/dataplane.md")
}

/// The page of a whole run.
pub fn text(recorded: Option<&Recorded>) -> String {
    let board = BOARD.lock().unwrap_or_else(PoisonError::into_inner);
    let board = board.as_ref().expect("something was proved");
    let [nft, legacy, nftables, cilium] = DATA_PLANES;
    let columns = [nft, legacy, nftables, DataPlane::Ipvs, cilium];
    let proof = |title: &str, data_plane: DataPlane| -> Option<&Proof> {
        match data_plane {
            DataPlane::Ipvs => recorded.and_then(|recorded| recorded.cases.get(title)).map(|on| &on.seen),
            _ => board.cells.get(&(title.to_owned(), data_plane.name().to_owned())),
        }
    };
    let heads = "| kube-proxy iptables (nft) | kube-proxy iptables (legacy) | kube-proxy nftables | kube-proxy IPVS ¹ | Cilium ² |";
    let mut page = String::from(include_str!("page.head.md"));
    line(&mut page, &format!("\n## The matrix\n\n| way {heads}\n|---|---|---|---|---|---|"));
    for case in CASES {
        let cells = columns.map(|column| {
            proof(case.title, column).map_or_else(|| not_asked(column).to_owned(), |proof| proof.verdict.clone())
        });
        line(&mut page, &format!("| {} | {} |", case.title, cells.join(" | ")));
    }
    let with = match recorded {
        Some(recorded) => {
            let cases = recorded.cases.values().map(|on| on.when.as_str());
            let when: BTreeSet<&str> = cases.chain(recorded.refusals.values().map(|on| on.when.as_str())).collect();
            format!("recorded on {}", when.into_iter().collect::<Vec<_>>().join(" and on "))
        }
        None => "never recorded".to_owned(),
    };
    line(&mut page, &format!("\n{}", include_str!("page.notes.md").replace("RECORDED", &with).trim_end()));
    line(&mut page, "\n## What each client meets");
    for case in CASES {
        let asked: Vec<&str> = PROBES
            .into_iter()
            .map(Probe::title)
            .filter(|title| {
                columns
                    .iter()
                    .any(|&column| proof(case.title, column).is_some_and(|one| one.probes.contains_key(*title)))
            })
            .collect();
        if asked.is_empty() {
            continue;
        }
        line(
            &mut page,
            &format!(
                "\n### {}\n\n`exposure: {}`\n\n| probe {heads}\n|---|---|---|---|---|---|",
                case.title, case.exposure
            ),
        );
        for title in asked {
            let cells = columns.map(|column| match proof(case.title, column) {
                Some(proof) if proof.probes.is_empty() => "refused by portgen".to_owned(),
                Some(proof) => proof.probes.get(title).cloned().unwrap_or_else(|| not_asked(column).to_owned()),
                None => not_asked(column).to_owned(),
            });
            line(&mut page, &format!("| {title} | {} |", cells.join(" | ")));
        }
    }
    line(&mut page, include_str!("page.life.md").trim_end());
    line(&mut page, "\n| what happens | data plane | what is seen |\n|---|---|---|");
    for life in LIVES {
        for data_plane in life.data_planes {
            let seen = &board.lines[&life.on(*data_plane)];
            line(&mut page, &format!("| {} | {} | {seen} |", life.title, data_plane.name()));
        }
    }
    let committed = std::fs::read_to_string(path()).unwrap_or_default();
    for life in neighbours::LIVES {
        for data_plane in life.data_planes {
            let start = format!("| {} | {} | ", life.title, data_plane.name());
            // Not everybody has these neighbours, in these releases: then the line stays what it is.
            let line_there = committed.lines().find(|line| line.starts_with(&start));
            let seen = board.lines.get(&life.on(*data_plane)).map(|seen| format!("{start}{seen} |"));
            let seen = seen.or_else(|| line_there.map(str::to_owned));
            line(&mut page, &seen.unwrap_or_else(|| format!("{start}not proven |")));
        }
    }
    line(&mut page, include_str!("page.refusals.md").trim_end());
    line(&mut page, "\n| rule | built by hand | what happened |\n|---|---|---|");
    for refusal in REFUSALS {
        let rule = if refusal.rule.contains(' ') { refusal.rule.to_owned() } else { format!("`{}`", refusal.rule) };
        line(&mut page, &format!("| {rule} | {} | {} |", refusal.built, board.lines[refusal.built]));
    }
    for (rule, built, _) in ipvs::REFUSALS {
        let seen =
            recorded.and_then(|recorded| recorded.refusals.get(rule)).map_or("not proven ¹", |on| on.seen.as_str());
        line(&mut page, &format!("| `{rule}` | {built} | {seen} |"));
    }
    line(&mut page, include_str!("page.faults.md").trim_end());
    line(&mut page, "\n| fault | what the lab saw |\n|---|---|");
    for fault in FAULTS {
        line(&mut page, &format!("| {} | {} |", fault.name, board.lines[fault.name]));
    }
    for fault in LIFE_FAULTS {
        line(&mut page, &format!("| {} | not what is promised of: {} |", fault.name, fault.seen));
    }
    page
}

fn line(page: &mut String, text: &str) {
    writeln!(page, "{text}").expect("a string takes it");
}

/// The matrix alone, for the terminal.
pub fn matrix(page: &str) -> &str {
    let start = page.find("## The matrix").unwrap_or(0);
    let end = page[start..].find("## What each client meets").map_or(page.len(), |end| start + end);
    page[start..end].trim_end()
}

/// Proofs for the IPVS column, from the last time there was a kernel that has it.
pub fn recorded() -> Option<Recorded> {
    let path = common::root().join("tests/lab/recorded/ipvs.json");
    let text = std::fs::read_to_string(path).ok()?;
    Some(serde_json::from_str(&text).expect("what this program wrote"))
}

/// What a recording is made with, where this run is to record the IPVS column: a date, a kernel and a kube-proxy.
pub fn recording() -> Option<String> {
    std::env::var("PORTGEN_LAB_RECORD").ok()
}

/// Prints what is recorded so far, between two lines that a script finds; tells whether this run records.
pub fn print_recording() -> bool {
    let Some(when) = recording() else { return false };
    let mut all = recorded().unwrap_or_default();
    let mut board = BOARD.lock().unwrap_or_else(PoisonError::into_inner);
    let board = board.get_or_insert_default();
    for ((title, data_plane), proof) in &board.cells {
        if data_plane == DataPlane::Ipvs.name() {
            all.cases.insert(title.clone(), On { when: when.clone(), seen: proof.clone() });
        }
    }
    for (rule, seen) in &board.lines {
        all.refusals.insert(rule.clone(), On { when: when.clone(), seen: seen.clone() });
    }
    let text = serde_json::to_string_pretty(&all).expect("it is JSON");
    // On lines of its own, wherever the runner is in one of its.
    println!("\n--- recorded\n{text}\n--- end");
    true
}
