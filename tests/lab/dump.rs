//! kube-proxy's rules in a form that two dumps can be compared in.

use std::collections::BTreeMap;

use crate::data_plane::DataPlane;
use crate::net::{Family, Machine};

/// The rules of each chain, and the elements of each set and map, by name.
pub type Dump = BTreeMap<String, Vec<String>>;

/// What is loaded on a machine in one family.
pub fn live(machine: &Machine, data_plane: DataPlane, family: Family) -> Dump {
    let (program, ip) = match family {
        Family::V4 => ("iptables", "ip"),
        Family::V6 => ("ip6tables", "ip6"),
    };
    match data_plane {
        DataPlane::Iptables(variant) => iptables(&machine.sh(&format!("{program}-{}-save", variant.name()))),
        DataPlane::Nftables => nftables(&machine.sh(&format!("nft list table {ip} kube-proxy 2>/dev/null || true"))),
        DataPlane::Ipvs | DataPlane::Cilium => panic!("there is no dump of {}", data_plane.name()),
    }
}

/// Reads what iptables-save prints.
pub fn iptables(text: &str) -> Dump {
    let mut dump = Dump::new();
    let mut table = "";
    for line in text.lines() {
        if let Some(name) = line.strip_prefix('*') {
            table = name;
        }
        let Some(rule) = line.strip_prefix("-A ").filter(|rule| rule.contains("KUBE-") && !rule.contains("CANARY"))
        else {
            continue;
        };
        // Counters of their own: they match everything, and only a newer kube-proxy has them.
        if rule.contains("localhost_nps_accepted_pkts") {
            continue;
        }
        let mut words = shlex::split(rule).unwrap_or_default();
        for (option, length) in [("comment", 4), ("nfacct", 4)] {
            while let Some(at) = words.windows(2).position(|pair| pair[0] == "-m" && pair[1] == option) {
                words.drain(at..at + length);
            }
        }
        let chain = words.remove(0);
        dump.entry(format!("{table} {chain}")).or_default().push(words.join(" "));
    }
    for (chain, rules) in &mut dump {
        // kube-proxy walks its Services in no order, and each jump is put in front of those before it.
        if !["KUBE-SVC-", "KUBE-SVL-", "KUBE-SEP-", "KUBE-EXT-", "KUBE-POSTROUTING"]
            .iter()
            .any(|name| chain.contains(name))
        {
            rules.sort();
        }
    }
    dump
}

/// Reads what `nft list table` prints.
pub fn nftables(text: &str) -> Dump {
    let mut dump = Dump::new();
    let mut name = String::new();
    let mut elements = false;
    for line in text.lines().map(str::trim) {
        let block = ["chain ", "set ", "map "].iter().any(|kind| line.starts_with(kind));
        if let Some(opened) = line.strip_suffix(" {").filter(|_| block) {
            opened.clone_into(&mut name);
            dump.entry(name.clone()).or_default();
            continue;
        }
        let (mut line, first) = match line.strip_prefix("elements = {") {
            Some(rest) => (rest.trim(), true),
            None => (line, false),
        };
        elements |= first;
        let last = elements && line.ends_with('}');
        if last {
            line = line.trim_end_matches('}').trim();
        }
        let rules = dump.entry(name.clone()).or_default();
        if elements {
            rules.extend(line.split(',').map(without_comment).filter(|element| !element.is_empty()));
        } else if !line.is_empty() && line != "}" && !line.starts_with("comment") && !line.starts_with("table") {
            rules.push(priority(&without_comment(line)));
        }
        elements &= !last;
    }
    dump.remove("");
    for (name, rules) in &mut dump {
        if !name.starts_with("chain") {
            rules.sort();
        }
    }
    // A Service that is gone leaves its chains behind, empty.
    dump.retain(|name, rules| !(name.starts_with("chain") && rules.is_empty()));
    dump
}

fn without_comment(text: &str) -> String {
    let mut words = text.to_owned();
    while let Some(start) = words.find("comment \"") {
        let rest = &words[start + "comment \"".len()..];
        let end = rest.find('"').map_or(words.len(), |end| words.len() - rest.len() + end + 1);
        words.replace_range(start..end, "");
    }
    words.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// A priority as a number: nft prints names where it knows one.
fn priority(line: &str) -> String {
    line.replace("priority filter;", "priority 0;")
        .replace("priority srcnat;", "priority 100;")
        .replace("priority dstnat;", "priority -100;")
        .replace("priority dstnat - 10;", "priority -110;")
}
