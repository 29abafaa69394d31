//! Everything that netfilter holds on a machine, as text that can be compared.

use similar::{ChangeTag, TextDiff};

use crate::data_plane::DataPlane;
use crate::net::Machine;

const SAVES: [&str; 4] = ["iptables-nft-save", "ip6tables-nft-save", "iptables-legacy-save", "ip6tables-legacy-save"];

/// Every table, chain and rule of nft and of both iptables, in order, without what traffic counts up.
pub fn all(machine: &Machine) -> String {
    let saved = SAVES.map(|program| format!("# {program}\n{}", save(machine, program)));
    machine.sh("nft -s list ruleset") + &saved.concat()
}

/// What portgen has there.
pub fn own(machine: &Machine) -> String {
    table(machine) + &limits(machine)
}

/// What of it is in iptables' tables.
pub fn limits(machine: &Machine) -> String {
    SAVES.map(|program| lines(&save(machine, program), "PORTGEN-")).concat()
}

/// The table of its own.
pub fn table(machine: &Machine) -> String {
    let table = machine.try_command(&["nft", "-s", "list", "table", "inet", "portgen"], "");
    // Where there is none, that is an error, and nothing is printed.
    String::from_utf8_lossy(&table.stdout).into_owned()
}

/// What kube-proxy has there.
pub fn kube_proxy(machine: &Machine, data_plane: DataPlane) -> String {
    match data_plane {
        DataPlane::Iptables(variant) => {
            let saves = ["iptables", "ip6tables"].map(|program| format!("{program}-{}-save", variant.name()));
            saves.map(|program| lines(&save(machine, &program), "KUBE-")).concat()
        }
        _ => machine.sh("nft -s list table ip kube-proxy; nft -s list table ip6 kube-proxy"),
    }
}

/// What a program saves, without the time of day and the chains' counters.
fn save(machine: &Machine, program: &str) -> String {
    let saved = machine.sh(program);
    let lines = saved.lines().filter(|line| !line.starts_with("# Generated") && !line.starts_with("# Completed"));
    lines.map(|line| line.split(" [").next().unwrap_or(line).to_owned() + "\n").collect()
}

fn lines(text: &str, word: &str) -> String {
    text.split_inclusive('\n').filter(|line| line.contains(word)).collect()
}

/// Nothing may have changed.
pub fn same(before: &str, after: &str, when: &str) -> Result<(), String> {
    if before == after {
        return Ok(());
    }
    let changes = changes(before, after);
    let first = changes.iter().find(|line| line.len() > 1).map_or("empty lines", String::as_str);
    Err(format!("{when}: {first}\n{}", TextDiff::from_lines(before, after).unified_diff()))
}

/// The lines that came and went, each after a plus or a minus.
pub fn changes(before: &str, after: &str) -> Vec<String> {
    let diff = TextDiff::from_lines(before, after);
    let changed = diff.iter_all_changes().filter(|change| change.tag() != ChangeTag::Equal);
    changed.map(|change| format!("{}{}", change.tag(), change.value().trim())).collect()
}
