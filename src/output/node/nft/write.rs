//! The one writer of a ruleset.

use std::fmt;

use super::{Chain, ChainKind, Hook, Match, Part, PartName, Rule, Ruleset, Statement, TABLE, ip};
use crate::grammar::Family;
use crate::plan::Protocol;

impl fmt::Display for Ruleset {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Declared, deleted, defined: one transaction that works with and without a table of ours in the kernel.
        writeln!(f, "table {TABLE}\ndelete table {TABLE}\ntable {TABLE} {{")?;
        for (position, chain) in self.chains.iter().enumerate() {
            if position > 0 {
                writeln!(f)?;
            }
            chain.fmt(f)?;
        }
        if !self.parts.is_empty() {
            writeln!(f, "\n  # Long lists, divided by port: a packet meets few rules, however many ports there are.")?;
        }
        for part in &self.parts {
            part.fmt(f)?;
        }
        writeln!(f, "}}")
    }
}

impl fmt::Display for Part {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "  chain {} {{", self.name)?;
        for rule in &self.rules {
            writeln!(f, "    {rule}")?;
        }
        writeln!(f, "  }}")
    }
}

impl fmt::Display for PartName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { chain, list, ports } = self;
        write!(f, "{chain}_{list}_{}_{}", ports.first, ports.last)
    }
}

impl fmt::Display for Chain {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kind = match self.kind {
            ChainKind::Filter => "filter",
            ChainKind::Nat => "nat",
        };
        writeln!(f, "  # {}", self.about())?;
        writeln!(f, "  chain {} {{", self.name)?;
        writeln!(f, "    type {kind} hook {} priority {}; policy accept;", self.hook, self.priority)?;
        for rule in &self.rules {
            writeln!(f, "    {rule}")?;
        }
        writeln!(f, "  }}")
    }
}

impl Chain {
    /// What it is there for, for whoever reads the file.
    fn about(&self) -> &'static str {
        let rewrites = |rule: &Rule| {
            rule.statements.iter().any(|one| matches!(one, Statement::SetDestinationPort(..) | Statement::Jump(_)))
        };
        match self.name {
            "early_prerouting" => {
                "UDP comes in, before connection tracking: kube-proxy looks for its connections under the node port."
            }
            "prerouting" if self.rules.iter().any(rewrites) => {
                "Comes in: shut ports, allow-lists, public port to node port. Connection tracking has noted the public one."
            }
            "prerouting" => "Comes in: shut ports and allow-lists.",
            "postrouting" => "Goes out: the public port again, where connection tracking does not put it back.",
            "early_output" => "UDP of this node to its own addresses: public port to node port.",
            "output" if !self.rules.iter().any(rewrites) => "This node to its own addresses: shut ports.",
            "output" => "This node to its own addresses: public port to node port.",
            "refuse" => "Nothing serves the node port: refused, under the public port.",
            "input" => "Answers to this node itself: node port back to public port.",
            "redirect_prerouting" => "Comes in: to the process that listens on this node.",
            _ => "This node to itself: to the process that listens here.",
        }
    }
}

impl fmt::Display for Hook {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Prerouting => "prerouting",
            Self::Input => "input",
            Self::Output => "output",
            Self::Postrouting => "postrouting",
        })
    }
}

impl fmt::Display for Rule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let words = self.matches.iter().map(ToString::to_string).chain(self.statements.iter().map(ToString::to_string));
        f.write_str(&words.collect::<Vec<_>>().join(" "))?;
        match &self.comment {
            Some(comment) => write!(f, " comment \"{comment}\""),
            None => Ok(()),
        }
    }
}

impl fmt::Display for Match {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::InterfaceIs(name) => write!(f, "iifname \"{name}\""),
            Self::InterfaceIsNot(name) => write!(f, "iifname != \"{name}\""),
            Self::OutInterfaceIsNot(name) => write!(f, "oifname != \"{name}\""),
            Self::DestinationNotLocal => f.write_str("fib daddr type != local"),
            Self::SourceNotLocal => f.write_str("fib saddr type != local"),
            Self::Family(Family::IPv4) => f.write_str("meta nfproto ipv4"),
            Self::Family(Family::IPv6) => f.write_str("meta nfproto ipv6"),
            Self::SourceNotIn(family, cidrs) => {
                write!(f, "{} saddr != {}", ip(*family), set(cidrs.iter().map(ToString::to_string)))
            }
            Self::SourceIn(cidr) => write!(f, "{} saddr {cidr}", ip(cidr.family())),
            Self::DestinationIn(cidr) => write!(f, "{} daddr {cidr}", ip(cidr.family())),
            Self::DestinationNotIn(family, cidrs) => {
                write!(f, "{} daddr != {}", ip(*family), set(cidrs.iter().map(ToString::to_string)))
            }
            Self::DestinationPort(protocol, port) => write!(f, "{} dport {port}", word(*protocol)),
            Self::SourcePort(protocol, port) => write!(f, "{} sport {port}", word(*protocol)),
            Self::DestinationWithin(protocol, ports) => write!(f, "{} dport {ports}", word(*protocol)),
            Self::SourceWithin(protocol, ports) => write!(f, "{} sport {ports}", word(*protocol)),
            Self::Icmp(error) => f.write_str(error.words()),
            Self::BitsWithin(offset, ports) => write!(f, "@th,{offset},16 {ports}"),
            Self::Bits(bits) => write!(f, "@th,{},{} {}", bits.offset, bits.length, bits.value),
            Self::OriginalPort(port) => write!(f, "ct original proto-dst {port}"),
            Self::Answer => f.write_str("ct direction reply"),
            Self::OriginalZone(zone) => write!(f, "ct original zone {zone}"),
        }
    }
}

impl fmt::Display for Statement {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Count => f.write_str("counter"),
            Self::SetOriginalZone(zone) => write!(f, "ct original zone set {zone}"),
            Self::SetDestinationPort(protocol, port) => write!(f, "{} dport set {port}", word(*protocol)),
            Self::SetSourcePort(protocol, port) => write!(f, "{} sport set {port}", word(*protocol)),
            Self::SetBits(bits) => write!(f, "@th,{},{} set {}", bits.offset, bits.length, bits.value),
            Self::Redirect(port) => write!(f, "redirect to :{port}"),
            Self::Jump(part) => write!(f, "jump {part}"),
            Self::Goto(part) => write!(f, "goto {part}"),
            Self::Return => f.write_str("return"),
            Self::Accept => f.write_str("accept"),
            Self::Drop => f.write_str("drop"),
            Self::Reset => f.write_str("reject with tcp reset"),
        }
    }
}

/// One element bare, several in braces: nft lists them back the same way.
fn set(elements: impl Iterator<Item = String>) -> String {
    let elements: Vec<String> = elements.collect();
    match elements.as_slice() {
        [only] => only.clone(),
        several => format!("{{ {} }}", several.join(", ")),
    }
}

fn word(protocol: Protocol) -> &'static str {
    match protocol {
        Protocol::TCP => "tcp",
        Protocol::UDP => "udp",
    }
}
