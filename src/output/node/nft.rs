//! nftables: a typed ruleset, its one writer, and the reader that checks what was written.
//!
//! Only what nft 0.9.8 to 1.1 understand alike is in the model: numeric priorities, one plain rule a port, ranges of
//! ports with jumps to chains of our own, anonymous sets of addresses. Named sets, maps and `destroy` are left out on purpose: written by a newer nft,
//! they crash the older one inside kube-proxy's image when it lists the ruleset.

use std::fmt;

use crate::grammar::{Cidr, Family, InterfaceName, Port, PortRange};
use crate::plan::Protocol;

/// The one table portgen owns.
pub const TABLE: &str = "inet portgen";

/// Every base chain portgen writes, by its hook or by what it does there.
const CHAIN_NAMES: [&str; 9] = [
    "early_prerouting",
    "prerouting",
    "postrouting",
    "early_output",
    "output",
    "refuse",
    "input",
    "redirect_prerouting",
    "redirect_output",
];

/// The table with its chains.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ruleset {
    /// In the order they are written.
    pub chains: Vec<Chain>,
    /// What their long lists are divided into, each after the one that leads to it; empty where no list is long.
    pub parts: Vec<Part>,
}

/// A base chain with policy accept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Chain {
    /// Its name.
    pub name: &'static str,
    /// `filter` or `nat`.
    pub kind: ChainKind,
    /// Where packets meet it.
    pub hook: Hook,
    /// Its place among the hook's chains, lowest first.
    pub priority: i16,
    /// Its rules, first match first.
    pub rules: Vec<Rule>,
}

/// A chain without a hook: what a long list has for some ports.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Part {
    /// Its name.
    pub name: PartName,
    /// Its rules, first match first.
    pub rules: Vec<Rule>,
}

/// Which list of which chain a part is of, and for which ports: `prerouting_1_8000_8007`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PartName {
    /// The base chain.
    pub chain: &'static str,
    /// Which of its long lists, from 1.
    pub list: u8,
    /// The lowest and the highest port its rules speak of.
    pub ports: PortRange,
}

/// A base chain's type.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ChainKind {
    /// Sees every packet.
    Filter,
    /// Sees the first packet of a connection.
    Nat,
}

/// A netfilter hook.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Hook {
    /// Everything that comes in.
    Prerouting,
    /// What is for this node.
    Input,
    /// What this node sends.
    Output,
    /// Everything that goes out.
    Postrouting,
}

/// One rule: all matches must hold, then the statements run in order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rule {
    /// What a packet must be.
    pub matches: Vec<Match>,
    /// What becomes of it.
    pub statements: Vec<Statement>,
    /// What `nft list` shows beside it: names from the closed grammars and single spaces.
    pub comment: Option<String>,
}

/// What a packet must be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Match {
    /// It came in by this interface.
    InterfaceIs(InterfaceName),
    /// It came in by another interface than this.
    InterfaceIsNot(InterfaceName),
    /// It goes out by another interface than this.
    OutInterfaceIsNot(InterfaceName),
    /// Its destination is no address of this node.
    DestinationNotLocal,
    /// Its source is no address of this node.
    SourceNotLocal,
    /// It is of this family.
    Family(Family),
    /// Its source, of this family, is in none of these.
    SourceNotIn(Family, Vec<Cidr>),
    /// Its source is in this network.
    SourceIn(Cidr),
    /// Its destination is in this network.
    DestinationIn(Cidr),
    /// Its destination, of this family, is in none of these.
    DestinationNotIn(Family, Vec<Cidr>),
    /// Its destination port.
    DestinationPort(Protocol, Port),
    /// Its source port.
    SourcePort(Protocol, Port),
    /// Its destination port is one of these.
    DestinationWithin(Protocol, PortRange),
    /// Its source port is one of these.
    SourceWithin(Protocol, PortRange),
    /// An ICMP error that quotes a packet.
    Icmp(IcmpError),
    /// Bits behind the transport header's start.
    Bits(Bits),
    /// 16 bits, that many behind the transport header's start, are one of these ports.
    BitsWithin(u16, PortRange),
    /// The port its connection was opened to, before any NAT; nft reads it behind a match of the protocol only.
    OriginalPort(Port),
    /// It is an answer: its connection was opened from the other side.
    Answer,
    /// The conntrack zone of its connection's original direction.
    OriginalZone(u16),
}

/// ICMP errors, which quote the packet they speak of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum IcmpError {
    /// ICMP, destination unreachable, fragmentation needed.
    V4FragmentationNeeded,
    /// ICMP, destination unreachable, any code but fragmentation needed: a refusal.
    V4Unreachable,
    /// ICMPv6, packet too big.
    V6PacketTooBig,
    /// ICMPv6, destination unreachable, any code: a refusal.
    V6Unreachable,
}

/// `@th,offset,length` and a value, all in bits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Bits {
    /// From the transport header's first bit.
    pub offset: u16,
    /// How many.
    pub length: u8,
    /// What they are.
    pub value: u16,
}

/// What becomes of a packet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Statement {
    /// It is counted.
    Count,
    /// Its conntrack zone, for the original direction, is set.
    SetOriginalZone(u16),
    /// Its destination port is set.
    SetDestinationPort(Protocol, Port),
    /// Its source port is set.
    SetSourcePort(Protocol, Port),
    /// Bits of it are set.
    SetBits(Bits),
    /// Its connection goes to this port of this node.
    Redirect(Port),
    /// A part looks at it; what the part leaves open, the next rule decides.
    Jump(PartName),
    /// A part looks at it in this one's place.
    Goto(PartName),
    /// This chain is done with it.
    Return,
    /// This hook's chain accepts it.
    Accept,
    /// It is gone.
    Drop,
    /// Its sender is told that nobody listens, and its connection is over.
    Reset,
}

impl Rule {
    /// A rule without a comment.
    pub fn new(matches: impl Into<Vec<Match>>, statements: impl Into<Vec<Statement>>) -> Self {
        Self { matches: matches.into(), statements: statements.into(), comment: None }
    }

    /// The same with a comment.
    #[must_use]
    pub fn comment(mut self, comment: String) -> Self {
        self.comment = Some(comment);
        self
    }
}

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

impl IcmpError {
    const fn words(self) -> &'static str {
        match self {
            Self::V4FragmentationNeeded => "icmp type destination-unreachable icmp code frag-needed",
            Self::V4Unreachable => "icmp type destination-unreachable icmp code != frag-needed",
            Self::V6PacketTooBig => "icmpv6 type packet-too-big",
            Self::V6Unreachable => "icmpv6 type destination-unreachable",
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

fn ip(family: Family) -> &'static str {
    match family {
        Family::IPv4 => "ip",
        Family::IPv6 => "ip6",
    }
}

fn word(protocol: Protocol) -> &'static str {
    match protocol {
        Protocol::TCP => "tcp",
        Protocol::UDP => "udp",
    }
}

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
