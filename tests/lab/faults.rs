//! Faults that portgen's writers could have, put into rendered files one by one: the lab catches each.

use crate::cases::CASES;
use crate::data_plane::DataPlane;
use crate::matrix;
use crate::node::Variant;

/// A fault, where it is planted, and what it does to the text.
pub struct Fault {
    pub name: &'static str,
    /// The case whose tree it spoils, by title.
    pub case: &'static str,
    pub file: &'static str,
    pub change: fn(&str) -> String,
}

const NFT: &str = "portgen/portgen.nft";

/// The text without the lines that have all of some words.
fn without(text: &str, words: &[&str]) -> String {
    text.split_inclusive('\n').filter(|line| !words.iter().all(|word| line.contains(word))).collect()
}

/// The text with one chain changed.
fn in_chain(text: &str, chain: &str, change: impl Fn(&str) -> String) -> String {
    let start = text.find(&format!("  chain {chain} {{")).expect("the chain");
    let end = start + text[start..].find("\n  }\n").expect("its end");
    format!("{}{}{}", &text[..start], change(&text[start..end]), &text[end..])
}

const REWRITE: &str = "nodePortRedirect";

pub const FAULTS: &[Fault] = &[
    Fault {
        name: "the rewrite comes after kube-proxy's rules",
        case: REWRITE,
        file: NFT,
        change: |text| text.replace("hook prerouting priority -190", "hook prerouting priority -90"),
    },
    Fault {
        name: "HTTP and HTTPS are swapped",
        case: REWRITE,
        file: NFT,
        change: |text| {
            text.replace("dport 80 counter tcp dport set 30080", "dport 80 counter tcp dport set 30443")
                .replace("dport 443 counter tcp dport set 30443", "dport 443 counter tcp dport set 30080")
        },
    },
    Fault {
        name: "packets that only pass through are rewritten too",
        case: REWRITE,
        file: NFT,
        change: |text| without(text, &["fib daddr type != local return"]),
    },
    Fault {
        name: "IPv6 is forgotten",
        case: REWRITE,
        file: NFT,
        change: |text| {
            in_chain(text, "prerouting", |chain| {
                chain.replacen("    tcp dport 80 ", "    meta nfproto ipv6 return\n    tcp dport 80 ", 1)
            })
        },
    },
    Fault { name: "UDP is forgotten", case: REWRITE, file: NFT, change: |text| without(text, &["udp dport 443"]) },
    Fault {
        name: "a datagram without a checksum gets a wrong one",
        case: REWRITE,
        file: NFT,
        change: |text| without(text, &["udp", "@th,48,16 0"]),
    },
    Fault {
        name: "errors the node sends keep the node port",
        case: REWRITE,
        file: NFT,
        change: |text| in_chain(text, "postrouting", |chain| without(chain, &["icmp"])),
    },
    Fault {
        name: "the rewrite comes before connection tracking",
        case: REWRITE,
        file: NFT,
        change: |text| text.replace("hook prerouting priority -190", "hook prerouting priority -310"),
    },
    Fault {
        name: "an error's checksum is wrong by one",
        case: REWRITE,
        file: NFT,
        change: |text| text.replace(" set 30000 ", " set 30001 "),
    },
    Fault {
        name: "a refusal comes from the node port",
        case: REWRITE,
        file: NFT,
        change: |text| without(text, &["reject with tcp reset"]),
    },
    Fault {
        name: "a reset keeps the node port",
        case: REWRITE,
        file: NFT,
        change: |text| in_chain(text, "postrouting", |chain| without(chain, &["tcp sport"])),
    },
    Fault {
        name: "UDP is tracked under the public port",
        case: REWRITE,
        file: NFT,
        change: |text| text.replace("hook prerouting priority -310", "hook prerouting priority -190"),
    },
    Fault {
        name: "UDP's answers keep the node port",
        case: REWRITE,
        file: NFT,
        change: |text| in_chain(text, "postrouting", |chain| without(chain, &["udp sport"])),
    },
    Fault {
        name: "UDP's answers to the node itself keep the node port",
        case: REWRITE,
        file: NFT,
        change: |text| in_chain(text, "input", |chain| without(chain, &["udp sport"])),
    },
    Fault {
        name: "nobody refuses UDP under the public port",
        case: REWRITE,
        file: NFT,
        change: |text| without(text, &["icmp", "@th,136,8 17"]),
    },
    Fault {
        name: "443 is refused under the node port",
        case: REWRITE,
        file: NFT,
        change: |text| without(text, &["icmp", "@th,240,16 30443"]),
    },
    Fault {
        name: "the node port of 443 stays open to the node itself",
        case: REWRITE,
        file: NFT,
        change: |text| in_chain(text, "output", |chain| without(chain, &["dport 30443 counter drop"])),
    },
    Fault {
        name: "the allow-list forgets UDP",
        case: "nodePortRedirect, allowFrom",
        file: NFT,
        change: |text| without(text, &["saddr !=", "udp dport"]),
    },
    Fault {
        name: "the allow-list forgets 443",
        case: "nodePortRedirect, allowFrom",
        file: NFT,
        change: |text| without(text, &["saddr !=", "tcp dport 443"]),
    },
    Fault {
        name: "both UDP ports share one conntrack zone",
        case: "nodePortRedirect, node port open",
        file: NFT,
        change: |text| text.replace("ct original zone set 8180 ", "").replace("ct original zone 8180 ", ""),
    },
    Fault {
        name: "what the open node port refuses is told under the public one",
        case: "nodePortRedirect, node port open",
        file: NFT,
        change: |text| {
            text.replace("ct original proto-dst 80 @th", "@th").replace("ct original proto-dst 443 @th", "@th")
        },
    },
    Fault {
        name: "the node itself is forgotten",
        case: REWRITE,
        file: NFT,
        change: |text| in_chain(text, "output", |chain| without(chain, &["dport set"])),
    },
    Fault {
        name: "the allow-list comes after the rewrite",
        case: "nodePortRedirect, allowFrom",
        file: NFT,
        change: |text| {
            in_chain(text, "prerouting", |chain| {
                let guards: String = chain.split_inclusive('\n').filter(|line| line.contains("saddr !=")).collect();
                format!("{}\n{guards}", without(chain, &["saddr !="]))
            })
        },
    },
    Fault {
        name: "the allow-list knows IPv4 only",
        case: "nodePortRedirect, allowFrom",
        file: NFT,
        change: |text| without(text, &["ip6 saddr !="]),
    },
    Fault {
        name: "connections are counted at the public port",
        case: "nodePortRedirect, connectionsPerSource",
        file: "portgen/limits.v4",
        change: |text| text.replace("--dport 30080", "--dport 80"),
    },
    Fault {
        name: "the rate is counted at the public port",
        case: "nodePortRedirect, newConnectionsPerSecond",
        file: "portgen/limits.v6",
        change: |text| text.replace("--dport 30443", "--dport 443"),
    },
    Fault {
        name: "nothing jumps to the limits",
        case: "nodePortRedirect, connectionsPerSource",
        file: "systemd/system/portgen.service",
        change: |text| without(text, &["ExecStart=", "-I PREROUTING"]),
    },
    Fault {
        name: "the redirect goes to another process",
        case: "hostNetwork, redirect",
        file: NFT,
        change: |text| text.replace("redirect to :9080", "redirect to :9443"),
    },
    Fault {
        name: "the redirect catches what only passes through",
        case: "hostNetwork, redirect",
        file: NFT,
        change: |text| without(text, &["fib daddr type != local return"]),
    },
    Fault {
        name: "the listener's own port is a way around the allow-list",
        case: "hostNetwork, allowFrom",
        file: NFT,
        change: |text| without(text, &["saddr !=", "dport 9080"]),
    },
    Fault {
        name: "the sysctl starts above 80",
        case: "hostNetwork, direct",
        file: "sysctl.d/90-portgen.conf",
        change: |text| text.replace("= 80", "= 81"),
    },
];

/// Plants a fault; the lab must see it.
pub fn catch(fault: &Fault) -> Result<String, String> {
    let case = CASES.iter().find(|case| case.title == fault.case).expect("the case");
    matrix::run_changed(case, DataPlane::Iptables(Variant::Nft), fault.file, fault.change)
        .map(|caught| caught.lines().next().unwrap_or_default().to_owned())
        .ok_or_else(|| "nothing in the lab sees this fault".to_owned())
}
