//! What portgen's nftables rules do to a packet.

use std::net::IpAddr;

use super::packet::{Interface, Kind, Packet};
use crate::grammar::{Family, Port};
use crate::output::node::nft::{Chain, IcmpError, Match, PartName, Rule, Ruleset, Statement};
use crate::plan::Protocol;

/// What a chain decides.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Decision {
    /// The hook's next chain looks at it.
    Accept,
    /// It is gone.
    Drop,
    /// Its sender is told that nobody listens.
    Reset,
    /// It goes to this port of the node.
    Redirect(Port),
}

/// A walk through one chain.
pub struct Walked<'a> {
    /// What came of it.
    pub decision: Decision,
    /// The rules that matched, in order.
    pub matched: Vec<&'a Rule>,
}

/// Walks a packet through a base chain and the parts it leads to.
pub fn walk<'a>(
    ruleset: &'a Ruleset,
    chain: &'a Chain,
    packet: &mut Packet,
    is_local: &dyn Fn(IpAddr) -> bool,
) -> Walked<'a> {
    let mut walk = Walk { ruleset, is_local, matched: Vec::new() };
    let decision = walk.rules(&chain.rules, packet).unwrap_or(Decision::Accept);
    Walked { decision, matched: walk.matched }
}

struct Walk<'a, 'f> {
    ruleset: &'a Ruleset,
    is_local: &'f dyn Fn(IpAddr) -> bool,
    matched: Vec<&'a Rule>,
}

impl<'a> Walk<'a, '_> {
    /// `None` when the rules leave it open.
    fn rules(&mut self, rules: &'a [Rule], packet: &mut Packet) -> Option<Decision> {
        for rule in rules {
            if !rule.matches.iter().all(|one| self.is(packet, one)) {
                continue;
            }
            self.matched.push(rule);
            for statement in &rule.statements {
                match statement {
                    Statement::Count => {}
                    Statement::SetOriginalZone(zone) => packet.zone = *zone,
                    Statement::SetDestinationPort(_, port) => packet.set_port(port.get()),
                    Statement::SetSourcePort(_, port) => packet.set_source_port(port.get()),
                    Statement::SetBits(bits) => packet.set(bits.offset, bits.length, bits.value),
                    Statement::Redirect(port) => return Some(Decision::Redirect(*port)),
                    Statement::Jump(name) => {
                        let decision = self.part(*name, packet);
                        if decision.is_some() {
                            return decision;
                        }
                    }
                    Statement::Goto(name) => return self.part(*name, packet),
                    Statement::Return => return None,
                    Statement::Accept => return Some(Decision::Accept),
                    Statement::Drop => return Some(Decision::Drop),
                    Statement::Reset => return Some(Decision::Reset),
                }
            }
        }
        None
    }

    fn part(&mut self, name: PartName, packet: &mut Packet) -> Option<Decision> {
        let ruleset = self.ruleset;
        let part = ruleset.parts.iter().find(|part| part.name == name)?;
        self.rules(&part.rules, packet)
    }

    fn is(&self, packet: &Packet, asked: &Match) -> bool {
        let carries = |protocol: Protocol| packet.kind == Kind::Transport(protocol);
        let port = Port::new(packet.port());
        let source_port = packet.source_port().and_then(Port::new);
        match asked {
            Match::InterfaceIs(name) => Interface::is(packet.came.as_ref(), name),
            Match::InterfaceIsNot(name) => !Interface::is(packet.came.as_ref(), name),
            Match::OutInterfaceIsNot(name) => !Interface::is(packet.leaves.as_ref(), name),
            Match::DestinationNotLocal => !(self.is_local)(packet.destination),
            Match::SourceNotLocal => !(self.is_local)(packet.source),
            Match::Family(family) => packet.family() == *family,
            Match::SourceNotIn(family, cidrs) => {
                packet.family() == *family && !cidrs.iter().any(|cidr| cidr.contains(packet.source))
            }
            Match::SourceIn(cidr) => cidr.contains(packet.source),
            Match::DestinationIn(cidr) => cidr.contains(packet.destination),
            Match::DestinationNotIn(family, cidrs) => {
                packet.family() == *family && !cidrs.iter().any(|cidr| cidr.contains(packet.destination))
            }
            Match::DestinationPort(protocol, wanted) => carries(*protocol) && port == Some(*wanted),
            Match::SourcePort(protocol, wanted) => carries(*protocol) && source_port == Some(*wanted),
            Match::DestinationWithin(protocol, ports) => {
                carries(*protocol) && port.is_some_and(|port| ports.contains(port))
            }
            Match::SourceWithin(protocol, ports) => {
                carries(*protocol) && source_port.is_some_and(|port| ports.contains(port))
            }
            Match::Icmp(error) => {
                // The only error that is walked is a refusal.
                packet.kind == Kind::Refusal
                    && match error {
                        IcmpError::V4Unreachable => packet.family() == Family::IPv4,
                        IcmpError::V6Unreachable => packet.family() == Family::IPv6,
                        IcmpError::V4FragmentationNeeded | IcmpError::V6PacketTooBig => false,
                    }
            }
            Match::Bits(bits) => packet.bits(bits.offset, bits.length) == Some(bits.value),
            Match::BitsWithin(offset, ports) => {
                packet.bits(*offset, 16).and_then(Port::new).is_some_and(|port| ports.contains(port))
            }
            Match::OriginalPort(port) => packet.connection.is_some_and(|one| one.port == port.get()),
            Match::Answer => packet.answer && packet.connection.is_some(),
            Match::OriginalZone(zone) => packet.connection.is_some_and(|one| one.zone == *zone),
        }
    }
}
