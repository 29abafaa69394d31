//! iptables-restore: what one source may use, in chains of our own, and the reader that checks what was written.
//!
//! nftables counts per source only with dynamic sets, and those crash an older nft that lists the ruleset, such as
//! the one inside kube-proxy's image. hashlimit and connlimit do the same without that.

use std::fmt;

use crate::grammar::{Family, Port};
use crate::plan::Protocol;

/// The chain portgen owns in each table it uses.
pub const CHAIN: &str = "PORTGEN-LIMITS";

/// What stands in PREROUTING, in front of the chain: only packets for this node are counted.
pub const JUMP: &str = "-m addrtype --dst-type LOCAL -j PORTGEN-LIMITS";

/// The table the chain stands in: after connection tracking and the rewrite of a port, before NAT. A packet dropped here
/// leaves no connection behind, so a flood does not fill conntrack's table.
pub const TABLE: &str = "mangle";

/// One family's file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Restore {
    /// Which of iptables-restore and ip6tables-restore reads it.
    pub family: Family,
    /// What each source may use.
    pub rules: Vec<Rule>,
}

/// A limit on new connections to a port.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rule {
    /// TCP or UDP.
    pub protocol: Protocol,
    /// The port the packet carries when it is counted.
    pub port: Port,
    /// What is counted.
    pub limit: Limit,
}

/// What is counted, for each source.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Limit {
    /// New connections a second.
    Rate {
        /// The kernel's table of sources: one for each port, 15 characters at most.
        name: String,
        /// A second.
        rate: u32,
        /// At once, before the rate counts.
        burst: u32,
    },
    /// Connections at once.
    Connections(u32),
}

/// How long the kernel remembers an idle source, in milliseconds: until its burst has filled up again, or it would be
/// forgotten early and start with a full one.
fn expiry(rate: u32, burst: u32) -> u32 {
    (u64::from(burst) * 1000).div_ceil(u64::from(rate.max(1))).clamp(1000, 3_600_000).try_into().unwrap_or(3_600_000)
}

/// One source: an IPv4 address, an IPv6 /64, which is what one host commands.
fn mask(family: Family) -> u8 {
    match family {
        Family::IPv4 => 32,
        Family::IPv6 => 64,
    }
}

impl fmt::Display for Restore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Naming the chain empties it, in the same transaction that fills it again.
        writeln!(f, "*{TABLE}\n:{CHAIN} - [0:0]")?;
        for rule in &self.rules {
            writeln!(f, "-A {CHAIN} {}", Line { rule, mask: mask(self.family) })?;
        }
        writeln!(f, "COMMIT")?;
        Ok(())
    }
}

struct Line<'a> {
    rule: &'a Rule,
    mask: u8,
}

impl fmt::Display for Line<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Rule { protocol, port, limit } = self.rule;
        match protocol {
            Protocol::TCP => write!(f, "-p tcp --syn --dport {port}")?,
            Protocol::UDP => write!(f, "-p udp --dport {port} -m conntrack --ctstate NEW")?,
        }
        let mask = self.mask;
        match limit {
            Limit::Rate { name, rate, burst } => write!(
                f,
                " -m hashlimit --hashlimit-name {name} --hashlimit-mode srcip --hashlimit-srcmask {mask} \
                 --hashlimit-above {rate}/second --hashlimit-burst {burst} --hashlimit-htable-expire {} -j DROP",
                expiry(*rate, *burst),
            ),
            Limit::Connections(most) => {
                write!(f, " -m connlimit --connlimit-above {most} --connlimit-mask {mask} --connlimit-saddr -j DROP")
            }
        }
    }
}

/// Reads back what [`Restore`] writes; `None` for anything else.
#[must_use]
pub fn read(text: &str, family: Family) -> Option<Restore> {
    let mut lines = text.lines().filter(|line| !line.is_empty() && !line.starts_with('#'));
    let mut rules = Vec::new();
    if lines.next()? != format!("*{TABLE}") || lines.next()? != format!(":{CHAIN} - [0:0]") {
        return None;
    }
    loop {
        match lines.next()? {
            "COMMIT" => break,
            line => rules.push(read_rule(line, mask(family))?),
        }
    }
    lines.next().is_none().then_some(Restore { family, rules })
}

fn read_rule(line: &str, mask: u8) -> Option<Rule> {
    let mut words = line.split(' ');
    let expect = |wanted: &[&str], words: &mut std::str::Split<'_, char>| {
        wanted.iter().all(|word| words.next() == Some(word)).then_some(())
    };
    expect(&["-A", CHAIN], &mut words)?;
    expect(&["-p"], &mut words)?;
    let protocol = match words.next()? {
        "tcp" => Protocol::TCP,
        "udp" => Protocol::UDP,
        _ => return None,
    };
    if protocol == Protocol::TCP {
        expect(&["--syn"], &mut words)?;
    }
    expect(&["--dport"], &mut words)?;
    let port = words.next()?.parse().ok().and_then(Port::new)?;
    if protocol == Protocol::UDP {
        expect(&["-m", "conntrack", "--ctstate", "NEW"], &mut words)?;
    }
    let mask = mask.to_string();
    expect(&["-m"], &mut words)?;
    let limit = match words.next()? {
        "hashlimit" => {
            expect(&["--hashlimit-name"], &mut words)?;
            let name = words.next()?.to_owned();
            expect(&["--hashlimit-mode", "srcip", "--hashlimit-srcmask", &mask, "--hashlimit-above"], &mut words)?;
            let rate = words.next()?.strip_suffix("/second")?.parse().ok()?;
            expect(&["--hashlimit-burst"], &mut words)?;
            let burst = words.next()?.parse().ok()?;
            expect(&["--hashlimit-htable-expire", &expiry(rate, burst).to_string()], &mut words)?;
            Limit::Rate { name, rate, burst }
        }
        "connlimit" => {
            expect(&["--connlimit-above"], &mut words)?;
            let most = words.next()?.parse().ok()?;
            expect(&["--connlimit-mask", &mask, "--connlimit-saddr"], &mut words)?;
            Limit::Connections(most)
        }
        _ => return None,
    };
    expect(&["-j", "DROP"], &mut words)?;
    words.next().is_none().then_some(Rule { protocol, port, limit })
}
