//! The reader that checks what was written.

use super::{
    Bits, CHAIN_NAMES, Chain, ChainKind, Hook, IcmpError, Match, Part, PartName, Rule, Ruleset, Statement, TABLE, ip,
};
use crate::grammar::{Cidr, Family, InterfaceName, Port, PortRange};
use crate::plan::Protocol;

/// Reads back what [`Ruleset`] writes, comments and all; `None` for anything else.
#[must_use]
pub fn read(text: &str) -> Option<Ruleset> {
    let mut lines = text.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#'));
    if lines.next()? != format!("table {TABLE}")
        || lines.next()? != format!("delete table {TABLE}")
        || lines.next()? != format!("table {TABLE} {{")
    {
        return None;
    }
    let mut ruleset = Ruleset { chains: Vec::new(), parts: Vec::new() };
    loop {
        let name = match lines.next()? {
            "}" => break,
            head => head.strip_prefix("chain ")?.strip_suffix(" {")?,
        };
        match CHAIN_NAMES.into_iter().find(|known| *known == name) {
            Some(name) => ruleset.chains.push(read_chain(name, &mut lines)?),
            None => ruleset.parts.push(Part { name: name.parse().ok()?, rules: read_rules(&mut lines)? }),
        }
    }
    lines.next().is_none().then_some(ruleset)
}

fn read_chain<'a>(name: &'static str, lines: &mut impl Iterator<Item = &'a str>) -> Option<Chain> {
    let base = lines.next()?.strip_prefix("type ")?.strip_suffix("; policy accept;")?;
    let (kind, rest) = base.split_once(" hook ")?;
    let (hook, priority) = rest.split_once(" priority ")?;
    Some(Chain {
        name,
        kind: match kind {
            "filter" => ChainKind::Filter,
            "nat" => ChainKind::Nat,
            _ => return None,
        },
        hook: [Hook::Prerouting, Hook::Input, Hook::Output, Hook::Postrouting]
            .into_iter()
            .find(|known| known.to_string() == hook)?,
        priority: priority.parse().ok()?,
        rules: read_rules(lines)?,
    })
}

fn read_rules<'a>(lines: &mut impl Iterator<Item = &'a str>) -> Option<Vec<Rule>> {
    let mut rules = Vec::new();
    loop {
        match lines.next()? {
            "}" => return Some(rules),
            line => rules.push(read_rule(line)?),
        }
    }
}

fn read_rule(line: &str) -> Option<Rule> {
    let (body, comment) = match line.split_once(" comment \"") {
        Some((body, comment)) => (body, Some(comment.strip_suffix('"').filter(|text| !text.contains('"'))?.to_owned())),
        None => (line, None),
    };
    let mut rest = Rest(body);
    let mut rule = Rule { matches: Vec::new(), statements: Vec::new(), comment };
    while !rest.0.is_empty() {
        if let Some(statement) = rest.attempt(read_statement) {
            rule.statements.push(statement);
        } else if rule.statements.is_empty() {
            rule.matches.push(rest.attempt(read_match)?);
        } else {
            return None;
        }
    }
    Some(rule)
}

impl std::str::FromStr for PartName {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        let read = || {
            let of = |chain: &'static str| Some((chain, text.strip_prefix(chain)?.strip_prefix('_')?));
            let (chain, rest) = CHAIN_NAMES.into_iter().find_map(of)?;
            let (list, ports) = rest.split_once('_')?;
            Some(Self { chain, list: list.parse().ok()?, ports: ports.replace('_', "-").parse().ok()? })
        };
        read().ok_or(())
    }
}

/// What of a rule is still unread.
#[derive(Clone, Copy)]
struct Rest<'a>(&'a str);

impl<'a> Rest<'a> {
    /// Runs a reader; a reader that fails has read nothing.
    fn attempt<T>(&mut self, reader: impl Fn(&mut Self) -> Option<T>) -> Option<T> {
        let mut ahead = *self;
        let value = reader(&mut ahead)?;
        *self = ahead;
        Some(value)
    }

    /// Reads these words.
    fn words(&mut self, words: &str) -> Option<()> {
        let rest = self.0.strip_prefix(words)?;
        self.0 = match rest.strip_prefix(' ') {
            Some(rest) => rest,
            None if rest.is_empty() => rest,
            None => return None,
        };
        Some(())
    }

    /// Reads one word.
    fn word(&mut self) -> Option<&'a str> {
        let (word, rest) = self.0.split_once(' ').unwrap_or((self.0, ""));
        self.0 = rest;
        (!word.is_empty()).then_some(word)
    }

    /// Reads one number, name or network.
    fn value<T: std::str::FromStr>(&mut self) -> Option<T> {
        self.word()?.parse().ok()
    }

    fn port(&mut self) -> Option<Port> {
        self.value().and_then(Port::new)
    }

    /// Reads one port, or two with a dash between.
    fn ports(&mut self, one: impl Fn(Port) -> Match, several: impl Fn(PortRange) -> Match) -> Option<Match> {
        self.attempt(|rest| rest.value().map(&several)).or_else(|| self.port().map(one))
    }

    /// Reads one element, or several in braces.
    fn set<T>(&mut self, element: impl Fn(&str) -> Option<T>) -> Option<Vec<T>> {
        if self.words("{").is_none() {
            return Some(vec![element(self.word()?)?]);
        }
        let (inner, rest) = self.0.split_once(" }")?;
        self.0 = rest.strip_prefix(' ').unwrap_or(rest);
        inner.split(", ").map(element).collect()
    }

    fn transport(&mut self) -> Option<Protocol> {
        match self.word()? {
            "tcp" => Some(Protocol::TCP),
            "udp" => Some(Protocol::UDP),
            _ => None,
        }
    }

    fn bits(&mut self) -> Option<(u16, u8)> {
        let (offset, length) = self.word()?.strip_prefix("@th,")?.split_once(',')?;
        Some((offset.parse().ok()?, length.parse().ok()?))
    }
}

fn quoted(word: &str) -> Option<InterfaceName> {
    word.strip_prefix('"')?.strip_suffix('"')?.parse().ok()
}

/// The matches that are always the same words, the longer ones first.
const FIXED: [(&str, Match); 8] = [
    ("fib daddr type != local", Match::DestinationNotLocal),
    ("fib saddr type != local", Match::SourceNotLocal),
    ("meta nfproto ipv4", Match::Family(Family::IPv4)),
    ("meta nfproto ipv6", Match::Family(Family::IPv6)),
    (IcmpError::V4FragmentationNeeded.words(), Match::Icmp(IcmpError::V4FragmentationNeeded)),
    (IcmpError::V4Unreachable.words(), Match::Icmp(IcmpError::V4Unreachable)),
    (IcmpError::V6PacketTooBig.words(), Match::Icmp(IcmpError::V6PacketTooBig)),
    (IcmpError::V6Unreachable.words(), Match::Icmp(IcmpError::V6Unreachable)),
];

fn read_match(rest: &mut Rest<'_>) -> Option<Match> {
    for (words, known) in FIXED {
        if rest.words(words).is_some() {
            return Some(known);
        }
    }
    if rest.words("iifname !=").is_some() {
        return Some(Match::InterfaceIsNot(quoted(rest.word()?)?));
    }
    if rest.words("iifname").is_some() {
        return Some(Match::InterfaceIs(quoted(rest.word()?)?));
    }
    if rest.words("oifname !=").is_some() {
        return Some(Match::OutInterfaceIsNot(quoted(rest.word()?)?));
    }
    if rest.words("ct direction reply").is_some() {
        return Some(Match::Answer);
    }
    if rest.words("ct original zone").is_some() {
        return Some(Match::OriginalZone(rest.value()?));
    }
    if rest.words("ct original proto-dst").is_some() {
        return Some(Match::OriginalPort(rest.port()?));
    }
    for family in [Family::IPv4, Family::IPv6] {
        let of_family = |cidr: &Cidr| cidr.family() == family;
        let mut ahead = *rest;
        if ahead.words(ip(family)).is_none() {
            continue;
        }
        let field = ahead.word()?;
        let negated = ahead.words("!=").is_some();
        let matched = match (field, negated) {
            ("saddr", true) => Match::SourceNotIn(family, ahead.set(|word| word.parse().ok().filter(of_family))?),
            ("daddr", true) => Match::DestinationNotIn(family, ahead.set(|word| word.parse().ok().filter(of_family))?),
            ("saddr", false) => Match::SourceIn(ahead.value().filter(of_family)?),
            ("daddr", false) => Match::DestinationIn(ahead.value().filter(of_family)?),
            _ => return None,
        };
        *rest = ahead;
        return Some(matched);
    }
    if rest.0.starts_with('@') {
        let (offset, length) = rest.bits()?;
        if length == 16
            && let Some(ports) = rest.attempt(Rest::value)
        {
            return Some(Match::BitsWithin(offset, ports));
        }
        return Some(Match::Bits(Bits { offset, length, value: rest.value()? }));
    }
    let protocol = rest.transport()?;
    match rest.word()? {
        "dport" => {
            rest.ports(|port| Match::DestinationPort(protocol, port), |ports| Match::DestinationWithin(protocol, ports))
        }
        "sport" => rest.ports(|port| Match::SourcePort(protocol, port), |ports| Match::SourceWithin(protocol, ports)),
        _ => None,
    }
}

fn read_statement(rest: &mut Rest<'_>) -> Option<Statement> {
    const FIXED: [(&str, Statement); 5] = [
        ("reject with tcp reset", Statement::Reset),
        ("counter", Statement::Count),
        ("return", Statement::Return),
        ("accept", Statement::Accept),
        ("drop", Statement::Drop),
    ];
    for (word, known) in FIXED {
        if rest.words(word).is_some() {
            return Some(known);
        }
    }
    if rest.words("ct original zone set").is_some() {
        return Some(Statement::SetOriginalZone(rest.value()?));
    }
    if rest.words("jump").is_some() {
        return Some(Statement::Jump(rest.value()?));
    }
    if rest.words("goto").is_some() {
        return Some(Statement::Goto(rest.value()?));
    }
    if rest.words("redirect to").is_some() {
        return Some(Statement::Redirect(rest.word()?.strip_prefix(':')?.parse().ok().and_then(Port::new)?));
    }
    if rest.0.starts_with('@') {
        let (offset, length) = rest.bits()?;
        rest.words("set")?;
        return Some(Statement::SetBits(Bits { offset, length, value: rest.value()? }));
    }
    let protocol = rest.transport()?;
    let field = rest.word()?;
    rest.words("set")?;
    match field {
        "dport" => Some(Statement::SetDestinationPort(protocol, rest.port()?)),
        "sport" => Some(Statement::SetSourcePort(protocol, rest.port()?)),
        _ => None,
    }
}
