//! Faults that the unit could have, put into rendered trees one by one: the trials of `LIVES` catch each.

use super::{LIVES, Life, Stage, neighbours};
use crate::data_plane::DataPlane;
use crate::node::{Tree, Variant};

/// A fault, where it is planted, and what it does to the text.
pub struct Fault {
    pub name: &'static str,
    /// The trial that must see it, by title.
    pub seen: &'static str,
    pub file: &'static str,
    pub change: fn(&str) -> String,
}

impl Fault {
    /// The trial that must see it.
    fn life(&self) -> &'static Life {
        LIVES.iter().chain(neighbours::LIVES).find(|life| life.title == self.seen).expect("the trial")
    }

    /// Whether it takes a neighbour to see it.
    pub fn needs_neighbours(&self) -> bool {
        neighbours::LIVES.iter().any(|life| life.title == self.seen)
    }

    /// Spoils the file, where the tree has it and the fault finds its place there.
    pub fn plant(&self, tree: &Tree) {
        if tree.node_file(self.file).is_some_and(|text| (self.change)(&text) != text) {
            tree.mutate(self.file, self.change);
        }
    }
}

const UNIT: &str = "systemd/system/portgen.service";

/// The text without the lines that have all of some words.
fn without(text: &str, words: &[&str]) -> String {
    text.split_inclusive('\n').filter(|line| !words.iter().all(|word| line.contains(word))).collect()
}

pub const FAULTS: &[Fault] = &[
    Fault {
        name: "a jump is put in without looking whether it is there",
        seen: "started twice",
        file: UNIT,
        change: |text| {
            let lines = text.split_inclusive('\n').map(|line| match line.split_once(" || ") {
                Some((check, insert)) => format!("{}'{insert}", check.split('\'').next().unwrap_or_default()),
                None => line.to_owned(),
            });
            lines.collect()
        },
    },
    Fault {
        name: "the rules stay after stop",
        seen: "stopped",
        file: UNIT,
        change: |text| without(text, &["ExecStop=", "delete table"]),
    },
    Fault {
        name: "a chain stays after stop",
        seen: "stopped, with limits, where others use mangle",
        file: UNIT,
        change: |text| without(text, &["ExecStop=", "ip6tables", "-t mangle -X"]),
    },
    Fault {
        name: "a jump stays after stop",
        seen: "limits leave the spec",
        file: UNIT,
        change: |text| without(text, &["ExecStop=", "-t mangle -D"]),
    },
    Fault {
        name: "stop empties chains that others use",
        seen: "stopped, with limits, where others use mangle",
        file: UNIT,
        change: |text| text.replace("-t mangle -F PORTGEN-LIMITS", "-t mangle -F"),
    },
    Fault {
        name: "limits are restored without --noflush",
        seen: "kube-proxy's chains after start, reload and stop",
        file: UNIT,
        change: |text| text.replace(" --noflush", ""),
    },
    Fault {
        name: "a reload deletes the rules and loads them in two steps",
        seen: "reloaded with other limits under load",
        file: UNIT,
        change: |text| {
            let load = "ExecReload=/usr/sbin/nft -f";
            text.replace(load, &format!("ExecReload=/usr/sbin/nft delete table inet portgen\n{load}"))
        },
    },
    Fault {
        name: "a reload brings the limits only",
        seen: "nft flush ruleset",
        file: UNIT,
        change: |text| without(text, &["ExecReload=/usr/sbin/nft -f"]),
    },
    Fault {
        name: "an interface that is missing is left out",
        seen: "an interface that is missing at boot",
        file: "portgen/portgen.nft",
        change: |text| text.replace(" iifname != \"bond7\"", ""),
    },
    Fault {
        name: "a reload does not wait for firewalld",
        seen: "systemd reloads firewalld, nftables backend",
        file: UNIT,
        change: |text| without(text, &["ExecReload=", "firewall-cmd"]),
    },
];

/// Plants a fault; its trial must see it.
pub fn catch(fault: &'static Fault) -> Result<String, String> {
    match (fault.life().show)(Stage { data_plane: DataPlane::Iptables(Variant::Nft), fault: Some(fault) }) {
        Ok(result) => Err(format!("nothing in the lab sees this fault: {result}")),
        Err(seen) => Ok(seen.lines().next().unwrap_or_default().to_owned()),
    }
}
