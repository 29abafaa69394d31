//! From what a node must do to rules: the packet's way, as proven with packets on each data plane.

use std::collections::BTreeSet;

use sha2::{Digest, Sha256};

use super::divide::divide;
use super::iptables::{self, Limit, Restore};
use super::nft::{Bits, Chain, ChainKind, Hook, IcmpError, Match, Rule, Ruleset, Statement};
use crate::grammar::{Cidr, Family, InterfaceName, Port};
use crate::plan::Protocol;
use crate::plan::node::{Door, NodePlan, Way};

/// Before conntrack's -200 and everything iptables hangs in `raw` (-300).
const BEFORE_TRACKING: i16 = -310;
/// After connection tracking (-200), which keeps the port the client knows; before iptables' mangle (-150), which counts,
/// and before the NAT of kube-proxy (-100), which serves the node port.
const AFTER_TRACKING: i16 = -190;
/// After every NAT (100) and IPVS (98, 99), before conntrack confirms a connection: one that is refused here leaves nothing.
const BEFORE_CONFIRMATION: i16 = 200;
/// After kube-proxy's masquerading (100) and conntrack's confirmation.
const AFTER_EVERYTHING: i16 = 310;
/// Before kube-proxy's and portmap's NAT (-100), after conntrack.
const BEFORE_NAT: i16 = -105;
/// The conntrack zone of UDP that was rewritten to a node port which stays open: any number that others leave alone.
const ZONE: u16 = 8180;

/// A door whose port is rewritten to a node port.
#[derive(Clone, Copy)]
struct Rewrite<'a> {
    door: &'a Door,
    node_port: Port,
    direct: bool,
}

/// The nftables part of a node's rules; `None` when there is none.
#[must_use]
pub fn ruleset(node: &NodePlan) -> Option<Ruleset> {
    node.needs_nft().then(|| divide(chains(node)))
}

/// The base chains with every rule in its place.
pub fn chains(node: &NodePlan) -> Vec<Chain> {
    let rewrites: Vec<Rewrite<'_>> = node
        .doors
        .iter()
        .filter_map(|door| match door.way {
            Way::Rewrite { node_port, direct } => Some(Rewrite { door, node_port, direct }),
            _ => None,
        })
        .collect();
    let (tcp, udp): (Vec<Rewrite<'_>>, Vec<Rewrite<'_>>) =
        rewrites.into_iter().partition(|rewrite| rewrite.door.protocol == Protocol::TCP);
    let mut chains = vec![prerouting(node, &tcp)];
    if !udp.is_empty() {
        chains.insert(0, early_prerouting(node, &udp));
    }
    if !tcp.is_empty() || !udp.is_empty() {
        chains.push(postrouting(node, &tcp, &udp));
    }
    if !udp.is_empty() {
        chains.push(early_output(node, &udp));
    }
    if !tcp.is_empty() || shut_elsewhere(node).next().is_some() {
        chains.push(output(node, &tcp));
    }
    if !tcp.is_empty() {
        chains.push(refuse(&tcp));
    }
    let answered_by_rules: Vec<Rewrite<'_>> = tcp.iter().filter(|_| node.ipvs).chain(&udp).copied().collect();
    if !answered_by_rules.is_empty() {
        chains.push(input(&answered_by_rules));
    }
    let redirects: Vec<(&Door, Port)> = node
        .doors
        .iter()
        .filter_map(|door| match door.way {
            Way::Redirect { to } => Some((door, to)),
            _ => None,
        })
        .collect();
    if !redirects.is_empty() {
        chains.extend(redirect_chains(node, &redirects));
    }
    chains.retain(|chain| !chain.rules.is_empty());
    chains
}

fn loopback() -> InterfaceName {
    "lo".parse().expect("`lo` is an interface name")
}

/// What a rule of a door is called in `nft list`: both names are from closed grammars.
fn named(door: &Door) -> String {
    format!("{} {}", door.gateway, door.name)
}

/// The one family a cluster does without, if it does without one.
fn absent_family(node: &NodePlan) -> Option<Family> {
    [Family::IPv4, Family::IPv6].into_iter().find(|family| !node.families.contains(family))
}

/// What every chain that looks at incoming packets starts with.
fn for_this_node() -> Vec<Rule> {
    vec![
        Rule::new([Match::InterfaceIs(loopback())], [Statement::Return]),
        Rule::new([Match::DestinationNotLocal], [Statement::Return]),
    ]
}

/// UDP keeps the node port from the very first: kube-proxy clears stale UDP connections by the port they were opened to,
/// and a client that sent before the rules were there goes on with the socket it has.
fn early_prerouting(node: &NodePlan, udp: &[Rewrite<'_>]) -> Chain {
    let mut rules = for_this_node();
    rules.extend(not_our_own(node));
    rules.extend(udp.iter().flat_map(|rewrite| errors_in(node, rewrite)));
    rules.extend(shut(kept_for_the_rewrite(udp)));
    for rewrite in udp.iter().filter(|rewrite| rewrite.direct) {
        rules.extend(allow_list(rewrite.door, rewrite.node_port));
    }
    if !node.interfaces.is_empty() {
        rules.push(elsewhere(node));
    }
    rules.extend(udp.iter().flat_map(|rewrite| allow_list(rewrite.door, rewrite.door.port)));
    rules.extend(absent(node));
    rules.extend(udp.iter().flat_map(rewrite_to_node_port));
    Chain {
        name: "early_prerouting",
        kind: ChainKind::Filter,
        hook: Hook::Prerouting,
        priority: BEFORE_TRACKING,
        rules,
    }
}

/// Drops what comes for these ports, each once.
fn shut(ports: impl Iterator<Item = (Protocol, Port)>) -> Vec<Rule> {
    let mut shut = BTreeSet::new();
    ports.filter(|port| shut.insert(*port)).map(|(protocol, port)| drop_port(protocol, port, Vec::new())).collect()
}

/// Node ports that nobody but the rewrite may use.
fn kept_for_the_rewrite(rewrites: &[Rewrite<'_>]) -> impl Iterator<Item = (Protocol, Port)> {
    rewrites.iter().filter(|rewrite| !rewrite.direct).map(|one| (one.door.protocol, one.node_port))
}

/// Node ports of gateways on other nodes. Behind connection tracking, UDP too: nothing is rewritten here, and answers that
/// come to such a port pass.
fn shut_elsewhere(node: &NodePlan) -> impl Iterator<Item = (Protocol, Port)> {
    node.doors.iter().filter_map(|door| match door.way {
        Way::Shut { node_port } => Some((door.protocol, node_port)),
        _ => None,
    })
}

/// Leaves the one family alone that a cluster does without.
fn absent(node: &NodePlan) -> Option<Rule> {
    absent_family(node).map(|family| Rule::new([Match::Family(family)], [Statement::Return]))
}

fn prerouting(node: &NodePlan, tcp: &[Rewrite<'_>]) -> Chain {
    let mut rules = for_this_node();
    rules.push(answers_pass());
    rules.extend(not_our_own(node));
    // On every interface: errors find their connection, and what must be shut is shut.
    if node.ipvs {
        rules.extend(tcp.iter().flat_map(|rewrite| errors_in(node, rewrite)));
    }
    // UDP that is rewritten has passed another chain, under the same rules.
    let here = |door: &&Door| !(door.protocol == Protocol::UDP && matches!(door.way, Way::Rewrite { .. }));
    let mut shut = BTreeSet::new();
    for door in node.doors.iter().filter(here) {
        if let Way::Rewrite { node_port, direct: false }
        | Way::Proxy { node_port, direct: false }
        | Way::Shut { node_port } = door.way
            && shut.insert((door.protocol, node_port))
        {
            rules.push(drop_port(door.protocol, node_port, Vec::new()));
        }
        // Where the node port stays open, it is no way around the allow-list.
        if let Way::Rewrite { node_port, direct: true }
        | Way::Proxy { node_port, direct: true }
        | Way::Guard { node_port } = door.way
        {
            rules.extend(allow_list(door, node_port));
        }
        if let Way::Redirect { to: listener } = door.way {
            rules.extend(allow_list(door, listener));
        }
        if door.way == Way::Open {
            rules.extend(allow_list(door, door.port));
        }
    }
    // From here on only where clients come in.
    let mut inside = Vec::new();
    for door in node.doors.iter().filter(here).filter(|door| door.is_public() && door.way != Way::Open) {
        inside.extend(allow_list(door, door.port));
    }
    let rewritten: Vec<Rule> = tcp.iter().flat_map(rewrite_to_node_port).collect();
    if !rewritten.is_empty() {
        inside.extend(absent(node));
    }
    inside.extend(rewritten);
    if !node.interfaces.is_empty() && !inside.is_empty() {
        rules.push(elsewhere(node));
    }
    rules.extend(inside);
    if rules.iter().all(|rule| rule.statements == [Statement::Return]) {
        rules.clear();
    }
    Chain { name: "prerouting", kind: ChainKind::Filter, hook: Hook::Prerouting, priority: AFTER_TRACKING, rules }
}

/// Leaves answers alone: masquerading may take any port above 1023 as its own, one of ours among them.
fn answers_pass() -> Rule {
    Rule::new([Match::Answer], [Statement::Return])
}

/// Leaves packets alone that are for another Service: IPVS makes every Service's address local to every node.
fn not_our_own(node: &NodePlan) -> Vec<Rule> {
    if node.own_addresses.is_empty() {
        return Vec::new();
    }
    [Family::IPv4, Family::IPv6]
        .into_iter()
        .map(|family| {
            let mut own: Vec<Cidr> = node
                .own_addresses
                .iter()
                .filter(|own| Family::of(own.0) == family)
                .map(|own| Cidr::host(own.0))
                .collect();
            own.sort_unstable();
            let other = if own.is_empty() { Match::Family(family) } else { Match::DestinationNotIn(family, own) };
            Rule::new([other], [Statement::Return])
        })
        .collect()
}

/// Leaves packets alone that came in by none of the interfaces: one match each, for a set of names is newer than some nft.
fn elsewhere(node: &NodePlan) -> Rule {
    let others: Vec<Match> = node.interfaces.iter().cloned().map(Match::InterfaceIsNot).collect();
    Rule::new(others, [Statement::Return])
}

fn drop_port(protocol: Protocol, port: Port, mut matches: Vec<Match>) -> Rule {
    matches.push(Match::DestinationPort(protocol, port));
    Rule::new(matches, [Statement::Count, Statement::Drop])
}

/// Drops every source that a door does not name. Both families, whatever the cluster runs: a node may have
/// addresses of a family its cluster does without.
fn allow_list(door: &Door, port: Port) -> Vec<Rule> {
    [Family::IPv4, Family::IPv6]
        .into_iter()
        .filter_map(|family| {
            let allowed = door.allowed(family)?;
            let outside = if allowed.is_empty() { Match::Family(family) } else { Match::SourceNotIn(family, allowed) };
            Some(drop_port(door.protocol, port, vec![outside]))
        })
        .collect()
}

fn rewrite_to_node_port(rewrite: &Rewrite<'_>) -> Vec<Rule> {
    let Rewrite { door, node_port, direct } = *rewrite;
    let udp = door.protocol == Protocol::UDP;
    // UDP under both ports is two connections: connection tracking sees one port, and tells them apart by this.
    let zone = (udp && direct).then_some(Statement::SetOriginalZone(ZONE));
    let rule = |matches: Vec<Match>, set: Statement| {
        let statements = [Statement::Count].into_iter().chain(zone).chain([set, Statement::Accept]);
        Rule::new(matches, statements.collect::<Vec<_>>()).comment(named(door))
    };
    let public = Match::DestinationPort(door.protocol, door.port);
    let mut rules = Vec::new();
    if udp {
        rules.push(rule(
            vec![public.clone(), Match::Bits(NO_CHECKSUM)],
            Statement::SetBits(bits(16, 16, node_port.get())),
        ));
    }
    rules.push(rule(vec![public], Statement::SetDestinationPort(door.protocol, node_port)));
    rules
}

/// A UDP datagram without a checksum, as IPv4 allows. nft up to 1.0.9 corrects the checksum of every datagram it gives
/// another port, and of this one makes a wrong checksum; set as bare bits, the port leaves it alone.
const NO_CHECKSUM: Bits = Bits { offset: 48, length: 16, value: 0 };

/// Answers from the node port, to a client that knows the public one: of UDP, which is tracked under the node port, and
/// of IPVS, which undoes its NAT by itself. A connection that masquerading gave this source port is no answer.
fn rewrite_back(rewrite: &Rewrite<'_>) -> Vec<Rule> {
    let Rewrite { door, node_port, direct } = *rewrite;
    let udp = door.protocol == Protocol::UDP;
    let rule = |also: Option<Match>, set: Statement| {
        let mut known = vec![Match::SourcePort(door.protocol, node_port), Match::Answer];
        if !udp {
            known.push(Match::OriginalPort(door.port));
        } else if direct {
            known.push(Match::OriginalZone(ZONE));
        }
        known.extend(also);
        Rule::new(known, [set, Statement::Accept]).comment(named(door))
    };
    let mut rules = Vec::new();
    if udp {
        rules.push(rule(Some(Match::Bits(NO_CHECKSUM)), Statement::SetBits(bits(0, 16, door.port.get()))));
    }
    rules.push(rule(None, Statement::SetSourcePort(door.protocol, door.port)));
    rules
}

/// Where nothing serves the node port, a packet that was brought to it reaches this node itself. Refused here, its connection
/// is over; refused by the kernel, under the node port, connection tracking would keep the public one for minutes.
fn refuse(tcp: &[Rewrite<'_>]) -> Chain {
    let rule = |rewrite: &Rewrite<'_>| {
        let brought =
            [Match::DestinationPort(Protocol::TCP, rewrite.node_port), Match::OriginalPort(rewrite.door.port)];
        Rule::new(brought, [Statement::Count, Statement::Reset]).comment(named(rewrite.door))
    };
    let rules = tcp.iter().map(rule).collect();
    Chain { name: "refuse", kind: ChainKind::Filter, hook: Hook::Input, priority: BEFORE_CONFIRMATION, rules }
}

fn postrouting(node: &NodePlan, tcp: &[Rewrite<'_>], udp: &[Rewrite<'_>]) -> Chain {
    let mut rules = vec![Rule::new([Match::SourceNotLocal], [Statement::Return])];
    for rewrite in tcp.iter().chain(udp) {
        rules.extend(errors_out(node, rewrite));
    }
    // TCP's are resets, of `refuse`; beside IPVS all answers.
    rules.extend(tcp.iter().chain(udp).flat_map(rewrite_back));
    Chain { name: "postrouting", kind: ChainKind::Filter, hook: Hook::Postrouting, priority: AFTER_EVERYTHING, rules }
}

fn loopback_networks() -> [Cidr; 2] {
    ["127.0.0.0/8", "::1/128"].map(|text| text.parse().expect("both are networks"))
}

/// The node's own connections to its own addresses, except 127.0.0.1 and ::1: kube-proxy does not serve those alike.
fn output(node: &NodePlan, tcp: &[Rewrite<'_>]) -> Chain {
    let mut rules = vec![Rule::new([Match::OutInterfaceIsNot(loopback())], [Statement::Return]), answers_pass()];
    rules.extend(to_itself(node, tcp, shut_elsewhere(node)));
    Chain { name: "output", kind: ChainKind::Filter, hook: Hook::Output, priority: AFTER_TRACKING, rules }
}

fn early_output(node: &NodePlan, udp: &[Rewrite<'_>]) -> Chain {
    let mut rules = vec![Rule::new([Match::OutInterfaceIsNot(loopback())], [Statement::Return])];
    rules.extend(to_itself(node, udp, std::iter::empty()));
    Chain { name: "early_output", kind: ChainKind::Filter, hook: Hook::Output, priority: BEFORE_TRACKING, rules }
}

fn to_itself(
    node: &NodePlan,
    rewrites: &[Rewrite<'_>],
    also_shut: impl Iterator<Item = (Protocol, Port)>,
) -> Vec<Rule> {
    let mut rules = not_our_own(node);
    rules.extend(loopback_networks().map(|net| Rule::new([Match::DestinationIn(net)], [Statement::Return])));
    rules.extend(shut(kept_for_the_rewrite(rewrites).chain(also_shut)));
    if !rewrites.is_empty() {
        rules.extend(absent(node));
    }
    rules.extend(rewrites.iter().flat_map(rewrite_to_node_port));
    rules
}

/// Answers to the node itself.
fn input(rewrites: &[Rewrite<'_>]) -> Chain {
    let mut rules = vec![Rule::new([Match::SourceNotLocal], [Statement::Return])];
    rules.extend(loopback_networks().map(|net| Rule::new([Match::SourceIn(net)], [Statement::Return])));
    rules.extend(rewrites.iter().flat_map(rewrite_back));
    Chain { name: "input", kind: ChainKind::Filter, hook: Hook::Input, priority: AFTER_EVERYTHING, rules }
}

fn protocol_number(protocol: Protocol) -> u16 {
    match protocol {
        Protocol::TCP => 6,
        Protocol::UDP => 17,
    }
}

fn bits(offset: u16, length: u8, value: u16) -> Bits {
    Bits { offset, length, value }
}

/// A value for two bytes that were zero, such that a checksum over them and a port that became `to` stays right:
/// in ones' complement, `from - to` modulo 65535.
fn balance(from: Port, to: Port) -> u16 {
    let difference = i32::from(from.get()) - i32::from(to.get());
    u16::try_from(difference.rem_euclid(65535)).expect("a remainder of 65535 fits")
}

/// Errors about what this node sent under the public port: the quoted header must name the node port again, or the
/// connection is not known and a path with a small MTU stalls.
fn errors_in(node: &NodePlan, rewrite: &Rewrite<'_>) -> Vec<Rule> {
    let Rewrite { door, node_port, direct } = *rewrite;
    let udp = door.protocol == Protocol::UDP;
    let number = protocol_number(door.protocol);
    let constant = balance(door.port, node_port);
    let rule = |error, matched: Vec<Bits>, set: [Bits; 2]| {
        let matches: Vec<Match> =
            [Match::Icmp(error)].into_iter().chain(matched.into_iter().map(Match::Bits)).collect();
        let zone = (udp && direct).then_some(Statement::SetOriginalZone(ZONE));
        let statements = zone.into_iter().chain(set.map(Statement::SetBits)).chain([Statement::Accept]);
        Rule::new(matches, statements.collect::<Vec<_>>())
    };
    let mut rules = Vec::new();
    if node.families.contains(&Family::IPv4) {
        // Quoted: an IPv4 header without options, then the ports. Two unused bytes take the balance.
        rules.push(rule(
            IcmpError::V4FragmentationNeeded,
            vec![bits(64, 8, 0x45), bits(136, 8, number), bits(224, 16, door.port.get())],
            [bits(32, 16, constant), bits(224, 16, node_port.get())],
        ));
    }
    // Quoted UDP has no field that is always zero to take the balance; QUIC probes the path by itself.
    if node.families.contains(&Family::IPv6) && !udp {
        rules.push(rule(
            IcmpError::V6PacketTooBig,
            vec![bits(112, 8, number), bits(384, 16, door.port.get()), bits(528, 16, 0)],
            [bits(528, 16, constant), bits(384, 16, node_port.get())],
        ));
    }
    rules
}

/// Refusals this node sends about what came in under the public port and reached nobody: the client must recognise its
/// own packet, or "no endpoints" looks like a timeout. Only those: other errors quote other people's packets.
fn errors_out(node: &NodePlan, rewrite: &Rewrite<'_>) -> Vec<Rule> {
    let Rewrite { door, node_port, direct } = *rewrite;
    let number = protocol_number(door.protocol);
    let constant = balance(node_port, door.port);
    let whose = match (door.protocol, direct) {
        (Protocol::TCP, _) => Some(Match::OriginalPort(door.port)),
        (Protocol::UDP, true) => Some(Match::OriginalZone(ZONE)),
        (Protocol::UDP, false) => Some(Match::OriginalPort(node_port)),
    };
    let mut rules = Vec::new();
    let mut rule = |error, matched: Vec<Bits>, set: [Bits; 2]| {
        let matched = matched.into_iter().map(Match::Bits);
        let matches: Vec<Match> = [Match::Icmp(error)].into_iter().chain(whose.clone()).chain(matched).collect();
        let statements: Vec<Statement> = set.map(Statement::SetBits).into_iter().chain([Statement::Accept]).collect();
        rules.push(Rule::new(matches, statements));
    };
    if node.families.contains(&Family::IPv4) {
        // Quoted: an IPv4 header without options, then the ports. Two unused bytes take the balance.
        rule(
            IcmpError::V4Unreachable,
            vec![bits(64, 8, 0x45), bits(136, 8, number), bits(240, 16, node_port.get())],
            [bits(32, 16, constant), bits(240, 16, door.port.get())],
        );
        // NAT mends what the node says of small paths, IPVS does not.
        if node.ipvs && door.protocol == Protocol::TCP {
            rule(
                IcmpError::V4FragmentationNeeded,
                vec![bits(64, 8, 0x45), bits(136, 8, number), bits(240, 16, node_port.get())],
                [bits(32, 16, constant), bits(240, 16, door.port.get())],
            );
        }
    }
    if node.families.contains(&Family::IPv6) {
        rule(
            IcmpError::V6Unreachable,
            vec![bits(112, 8, number), bits(400, 16, node_port.get())],
            [bits(32, 16, constant), bits(400, 16, door.port.get())],
        );
        if node.ipvs && door.protocol == Protocol::TCP {
            rule(
                IcmpError::V6PacketTooBig,
                vec![bits(112, 8, number), bits(400, 16, node_port.get()), bits(528, 16, 0)],
                [bits(528, 16, constant), bits(400, 16, door.port.get())],
            );
        }
    }
    rules
}

/// hostNetwork: a redirect to a process that listens on this very node.
fn redirect_chains(node: &NodePlan, redirects: &[(&Door, Port)]) -> [Chain; 2] {
    let mut prerouting = vec![Rule::new([Match::DestinationNotLocal], [Statement::Return])];
    prerouting.extend(not_our_own(node));
    if !node.interfaces.is_empty() {
        prerouting.push(elsewhere(node));
    }
    let mut output = vec![Rule::new([Match::OutInterfaceIsNot(loopback())], [Statement::Return])];
    output.extend(not_our_own(node));
    if let Some(family) = absent_family(node) {
        let foreign = Rule::new([Match::Family(family)], [Statement::Return]);
        prerouting.push(foreign.clone());
        output.push(foreign);
    }
    for (door, to) in redirects {
        let rule =
            Rule::new([Match::DestinationPort(door.protocol, door.port)], [Statement::Count, Statement::Redirect(*to)])
                .comment(named(door));
        prerouting.push(rule.clone());
        output.push(rule);
    }
    [("redirect_prerouting", Hook::Prerouting, prerouting), ("redirect_output", Hook::Output, output)]
        .map(|(name, hook, rules)| Chain { name, kind: ChainKind::Nat, hook, priority: BEFORE_NAT, rules })
}

/// The iptables part of a node's rules: one file for each family, the limits of every door that has some.
#[must_use]
pub fn restores(node: &NodePlan) -> Vec<Restore> {
    if !node.needs_iptables() {
        return Vec::new();
    }
    let restore = |family: Family| {
        let mut rules = Vec::new();
        for door in &node.doors {
            let Some(limits) = door.limits else { continue };
            for port in door.counted_ports() {
                if let Some(rate) = limits.rate {
                    let name = limit_name(family, door.protocol, port, rate, limits.burst);
                    let limit = Limit::Rate { name, rate, burst: limits.burst };
                    rules.push(iptables::Rule { protocol: door.protocol, port, limit });
                }
                if let Some(connections) = limits.connections {
                    rules.push(iptables::Rule {
                        protocol: door.protocol,
                        port,
                        limit: Limit::Connections(connections),
                    });
                }
            }
        }
        Restore { family, rules }
    };
    let mut families = node.families.clone();
    families.sort_unstable();
    families.into_iter().map(restore).collect()
}

/// The kernel keeps one table of sources for each name, and goes on with the numbers it was made with: other numbers
/// need another name. 15 characters at most, for older iptables.
fn limit_name(family: Family, protocol: Protocol, port: Port, rate: u32, burst: u32) -> String {
    let family = match family {
        Family::IPv4 => 4,
        Family::IPv6 => 6,
    };
    let protocol = match protocol {
        Protocol::TCP => 't',
        Protocol::UDP => 'u',
    };
    let digest = Sha256::digest(format!("{rate}/{burst}"));
    format!("pg{family}{protocol}{port}{:02x}{:02x}{:02x}", digest[0], digest[1], digest[2])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_balance_is_the_proven_constant() {
        let port = |number| Port::new(number).unwrap();
        assert_eq!(balance(port(80), port(30080)), 35535);
        assert_eq!(balance(port(30080), port(80)), 30000);
        assert_eq!(balance(port(443), port(443)), 0);
    }
}
