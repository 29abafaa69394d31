//! nftables: a typed ruleset, its one writer, and the reader that checks what was written.
//!
//! Only what nft 0.9.8 to 1.1 understand alike is in the model: numeric priorities, one plain rule a port, ranges of
//! ports with jumps to chains of our own, anonymous sets of addresses. Named sets, maps and `destroy` are left out on
//! purpose: written by a newer nft, they crash the older one inside kube-proxy's image when it lists the ruleset.

mod read;
mod write;

pub use read::read;

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

fn ip(family: Family) -> &'static str {
    match family {
        Family::IPv4 => "ip",
        Family::IPv6 => "ip6",
    }
}
