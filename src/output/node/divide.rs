//! Long lists of rules, divided by port.
//!
//! The rewrite keeps no state, so every packet of a node walks the rules, whoever it is for: with 10,000 ports in one
//! list, a packet that none of them means takes a hundred times as long (docs/node-files.md has the figures). Maps
//! would say it best, but crash an older nft. Ranges of ports and jumps are as old as nftables.

use super::nft::{Bits, Chain, Match, Part, PartName, Rule, Ruleset, Statement};
use crate::grammar::{Port, PortRange};
use crate::plan::Protocol;

/// The longest list that stays one: divided, it would save a tenth, and whoever reads the file sees every port at once.
const LONG: usize = 16;
/// The most rules of a part, unless they are of one port.
const PART: usize = 8;
/// What a list is divided by: blocks of ports at fixed places, so that one port more changes the file in few lines. At
/// most eight of a size lie in one of the next.
const BLOCKS: [u16; 6] = [1 << 15, 1 << 12, 1 << 9, 1 << 6, 1 << 3, 1];

/// Divides the long lists of base chains. What becomes of a packet stays the same.
pub fn divide(chains: Vec<Chain>) -> Ruleset {
    let mut parts = Vec::new();
    let divided = |chain: Chain| {
        let mut division = Division { chain: chain.name, lists: 0, parts: &mut parts };
        let mut rules = Vec::new();
        let mut stretch = Vec::new();
        for rule in chain.rules {
            if let Some((field, port)) = Field::of(&rule) {
                stretch.push(Entry { field, port, rule });
            } else {
                rules.extend(division.stretch(std::mem::take(&mut stretch)));
                rules.push(rule);
            }
        }
        rules.extend(division.stretch(stretch));
        Chain { rules, ..chain }
    };
    let chains = chains.into_iter().map(divided).collect();
    Ruleset { chains, parts }
}

/// Where a packet has the port that a rule asks for. No packet has two of them that rules beside each other ask for:
/// TCP is not UDP, and an ICMP error is of one kind and quotes one of the two.
#[derive(Clone, PartialEq, Eq)]
enum Field {
    Destination(Protocol),
    Source(Protocol),
    /// Behind these matches, in 16 bits at this offset of an ICMP error.
    Quoted(Vec<Match>, u16),
}

impl Field {
    /// The field and the port of a rule that asks for one port and leaves nothing to the rules behind it; such rules
    /// may change places with those of other ports.
    fn of(rule: &Rule) -> Option<(Self, Port)> {
        if !matches!(
            rule.statements.last()?,
            Statement::Accept | Statement::Drop | Statement::Reset | Statement::Redirect(_)
        ) {
            return None;
        }
        let mut quoted = Vec::new();
        for one in &rule.matches {
            match one {
                Match::DestinationPort(protocol, port) => return Some((Self::Destination(*protocol), *port)),
                Match::SourcePort(protocol, port) => return Some((Self::Source(*protocol), *port)),
                // The first field of that size in a quote.
                Match::Bits(Bits { offset, length: 16, value }) => {
                    return Some((Self::Quoted(quoted, *offset), Port::new(*value)?));
                }
                Match::Icmp(_) | Match::Bits(_) => quoted.push(one.clone()),
                _ => {}
            }
        }
        None
    }

    /// What every rule for these ports asks for.
    fn within(&self, ports: PortRange) -> Vec<Match> {
        // One port is written as one, which every nft understands.
        let only = (ports.first == ports.last).then_some(ports.first);
        match (self, only) {
            (Self::Destination(protocol), None) => vec![Match::DestinationWithin(*protocol, ports)],
            (Self::Destination(protocol), Some(port)) => vec![Match::DestinationPort(*protocol, port)],
            (Self::Source(protocol), None) => vec![Match::SourceWithin(*protocol, ports)],
            (Self::Source(protocol), Some(port)) => vec![Match::SourcePort(*protocol, port)],
            (Self::Quoted(before, offset), only) => {
                let port = match only {
                    None => Match::BitsWithin(*offset, ports),
                    Some(port) => Match::Bits(Bits { offset: *offset, length: 16, value: port.get() }),
                };
                before.iter().cloned().chain([port]).collect()
            }
        }
    }
}

/// A rule with the port it asks for.
struct Entry {
    field: Field,
    port: Port,
    rule: Rule,
}

/// The division of one chain.
struct Division<'a> {
    chain: &'static str,
    lists: u8,
    parts: &'a mut Vec<Part>,
}

impl Division<'_> {
    /// Rules beside each other that ask for a port: those of one field are a list. A long one is divided and stands
    /// where its first rule stood.
    fn stretch(&mut self, entries: Vec<Entry>) -> Vec<Rule> {
        let mut lists: Vec<Vec<Entry>> = Vec::new();
        let mut order = Vec::with_capacity(entries.len());
        for entry in entries {
            let known = lists.iter().position(|list| list[0].field == entry.field);
            let list = known.unwrap_or(lists.len());
            if list == lists.len() {
                lists.push(Vec::new());
            }
            lists[list].push(entry);
            order.push(list);
        }
        let mut ready: Vec<_> = lists.into_iter().map(|list| self.list(list).into_iter()).collect();
        order.into_iter().filter_map(|list| ready[list].next()).collect()
    }

    /// The rules of a list, or the one that leads to its parts.
    fn list(&mut self, mut entries: Vec<Entry>) -> Vec<Rule> {
        if entries.len() <= LONG {
            return entries.into_iter().map(|entry| entry.rule).collect();
        }
        // What is said of one port keeps its order.
        entries.sort_by_key(|entry| entry.port);
        self.lists += 1;
        vec![self.part(&entries, Statement::Jump)]
    }

    /// Makes a part of some rules: gives the rule that leads there.
    fn part(&mut self, entries: &[Entry], lead: fn(PartName) -> Statement) -> Rule {
        let ports = PortRange { first: entries[0].port, last: entries[entries.len() - 1].port };
        let name = PartName { chain: self.chain, list: self.lists, ports };
        let place = self.parts.len();
        self.parts.push(Part { name, rules: Vec::new() });
        let rules = self.rules(entries);
        self.parts[place].rules = rules;
        Rule::new(entries[0].field.within(ports), [lead(name)])
    }

    /// The rules of a part: few, or those that lead on. What leads on does not come back, so that a packet asks for
    /// its port once on each level.
    fn rules(&mut self, entries: &[Entry]) -> Vec<Rule> {
        let splits = |size: &u16| entries[0].port.get() / size != entries[entries.len() - 1].port.get() / size;
        match BLOCKS.into_iter().find(splits) {
            Some(size) if entries.len() > PART => entries
                .chunk_by(|one, next| one.port.get() / size == next.port.get() / size)
                .map(|block| match block {
                    [only] => only.rule.clone(),
                    several => self.part(several, Statement::Goto),
                })
                .collect(),
            _ => entries.iter().map(|entry| entry.rule.clone()).collect(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::nft::{self, ChainKind, Hook, IcmpError};
    use super::super::rules;
    use super::*;
    use crate::finding::Route;
    use crate::grammar::Family;
    use crate::plan::node::{Door, NodePlan, Way};

    /// A packet, as far as rules may ask: the matches on ports are answered by what it is, all others by lot, the same
    /// lot for the same question.
    struct Packet {
        /// Its protocol and its ports.
        transport: Option<(Protocol, u16, u16)>,
        /// The error it is, with the protocol and the port it quotes.
        quotes: Option<(IcmpError, u16, u16)>,
        lot: u64,
    }

    impl Packet {
        fn is(&self, asked: &Match) -> bool {
            let ported = |protocol: &Protocol, ports: PortRange, destination: bool| {
                self.transport.is_some_and(|(own, to, from)| {
                    own == *protocol
                        && Port::new(if destination { to } else { from }).is_some_and(|port| ports.contains(port))
                })
            };
            let just = |port: &Port| PortRange { first: *port, last: *port };
            match asked {
                Match::DestinationPort(protocol, port) => ported(protocol, just(port), true),
                Match::SourcePort(protocol, port) => ported(protocol, just(port), false),
                Match::DestinationWithin(protocol, ports) => ported(protocol, *ports, true),
                Match::SourceWithin(protocol, ports) => ported(protocol, *ports, false),
                Match::Icmp(error) => self.quotes.is_some_and(|(own, ..)| own == *error),
                Match::Bits(Bits { offset: 112 | 136, value, .. }) => {
                    self.quotes.is_some_and(|(_, own, _)| own == *value)
                }
                Match::Bits(Bits { offset: 224 | 240 | 384 | 400, value, .. }) => {
                    self.quotes.is_some_and(|(.., own)| own == *value)
                }
                Match::BitsWithin(_, ports) => {
                    self.quotes.and_then(|(.., own)| Port::new(own)).is_some_and(|port| ports.contains(port))
                }
                other => {
                    let seed = 0xcbf2_9ce4_8422_2325 ^ self.lot;
                    let mixed = other
                        .to_string()
                        .bytes()
                        .fold(seed, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3));
                    (mixed >> 40) & 1 == 1
                }
            }
        }

        /// What matches it, in order, until something is final; and how many rules it met.
        fn walk<'a>(&self, ruleset: &'a Ruleset, rules: &'a [Rule], met: &mut usize) -> (Vec<&'a Rule>, bool) {
            let mut matched = Vec::new();
            for rule in rules {
                *met += 1;
                if !rule.matches.iter().all(|one| self.is(one)) {
                    continue;
                }
                let (Statement::Jump(name) | Statement::Goto(name)) = rule.statements.last().unwrap() else {
                    matched.push(rule);
                    return (matched, true);
                };
                let part = ruleset.parts.iter().find(|part| part.name == *name).expect("a part of that name");
                let (within, ended) = self.walk(ruleset, &part.rules, met);
                matched.extend(within);
                if ended || rule.statements == [Statement::Goto(*name)] {
                    return (matched, ended);
                }
            }
            (matched, false)
        }
    }

    fn port(number: usize) -> Port {
        Port::new(u16::try_from(number).unwrap()).unwrap()
    }

    fn door(number: usize, way: Way) -> Door {
        let everyone = number.is_multiple_of(3);
        Door {
            gateway: "kong".parse().unwrap(),
            name: format!("p{number}").parse().unwrap(),
            route: Route::default(),
            protocol: if number.is_multiple_of(5) { Protocol::UDP } else { Protocol::TCP },
            port: port(number),
            way,
            allow_from: if everyone { Vec::new() } else { vec!["192.0.2.0/24".parse().unwrap()] },
            limits: None,
        }
    }

    /// Every way, dense and scattered, with and without what may stand between the lists.
    fn nodes() -> Vec<NodePlan> {
        let scattered = (1..60).map(|number| 1 + number * number % 9_973);
        let dense = 8000..8070;
        let doors: Vec<Door> = scattered
            .chain(dense)
            .collect::<std::collections::BTreeSet<_>>()
            .into_iter()
            .map(|number| {
                let node_port = port(number + 30_000);
                let direct = number % 7 < 3;
                let way = match number % 11 {
                    0 => Way::Open,
                    1 | 2 => Way::Proxy { node_port, direct },
                    3 => Way::Shut { node_port },
                    4 => Way::Guard { node_port },
                    5 | 6 => Way::Redirect { to: port(number + 20_000) },
                    _ => Way::Rewrite { node_port, direct },
                };
                door(number, way)
            })
            .collect();
        let both = vec![Family::IPv4, Family::IPv6];
        [(both.clone(), false), (both, true), (vec![Family::IPv6], false)]
            .map(|(families, named)| NodePlan {
                ipvs: named,
                own_addresses: Vec::new(),
                families,
                interfaces: if named { vec!["eth0".parse().unwrap()] } else { Vec::new() },
                doors: doors.clone(),
                unprivileged_port_start: None,
            })
            .into()
    }

    /// The packets that some rule of a chain might mean, and their neighbours.
    fn packets(chain: &Chain) -> Vec<Packet> {
        let mut ports: Vec<u16> = Vec::new();
        for rule in &chain.rules {
            if let Some((_, port)) = Field::of(rule) {
                ports.extend([port.get() - 1, port.get(), port.get().saturating_add(1)]);
            }
        }
        ports.extend([0, 1, u16::MAX]);
        ports.sort_unstable();
        ports.dedup();
        let mut packets = Vec::new();
        for (lot, port) in ports.into_iter().enumerate() {
            let lot = u64::try_from(lot).unwrap();
            for protocol in [Protocol::TCP, Protocol::UDP] {
                packets.push(Packet { transport: Some((protocol, port, 9)), quotes: None, lot });
                packets.push(Packet { transport: Some((protocol, 9, port)), quotes: None, lot });
            }
            let errors = [
                IcmpError::V4FragmentationNeeded,
                IcmpError::V4Unreachable,
                IcmpError::V6PacketTooBig,
                IcmpError::V6Unreachable,
            ];
            for error in errors {
                packets.extend([6, 17].map(|quoted| Packet {
                    transport: None,
                    quotes: Some((error, quoted, port)),
                    lot,
                }));
            }
        }
        packets
    }

    #[test]
    fn what_becomes_of_a_packet_stays_the_same() {
        for node in nodes() {
            let linear = Ruleset { chains: rules::chains(&node), parts: Vec::new() };
            let divided = divide(linear.chains.clone());
            assert!(divided.parts.len() > 30 && divided.chains.len() == linear.chains.len());
            for (chain, short) in linear.chains.iter().zip(&divided.chains) {
                let mut most = 0;
                for packet in packets(chain) {
                    let (mut long, mut met) = (0, 0);
                    let expected = packet.walk(&linear, &chain.rules, &mut long);
                    assert_eq!(packet.walk(&divided, &short.rules, &mut met), expected, "{}", chain.name);
                    most = most.max(met);
                }
                assert!(most < 80, "{}: a packet meets {most} rules", chain.name);
            }
        }
    }

    #[test]
    fn what_is_divided_reads_back() {
        for node in nodes() {
            let ruleset = divide(rules::chains(&node));
            assert_eq!(nft::read(&ruleset.to_string()).as_ref(), Some(&ruleset));
            let mut names: Vec<String> = ruleset.parts.iter().map(|part| part.name.to_string()).collect();
            names.sort_unstable();
            names.dedup();
            assert_eq!(names.len(), ruleset.parts.len(), "a name is given twice");
        }
    }

    fn listed(ports: impl Iterator<Item = usize>) -> Ruleset {
        let rules = ports
            .map(|number| Rule::new([Match::DestinationPort(Protocol::TCP, port(number))], [Statement::Accept]))
            .collect();
        divide(vec![Chain {
            name: "prerouting",
            kind: ChainKind::Filter,
            hook: Hook::Prerouting,
            priority: -310,
            rules,
        }])
    }

    #[test]
    fn a_short_list_stays_one() {
        assert!(listed(1..=LONG).parts.is_empty());
        let ruleset = listed(8000..=8000 + LONG);
        assert_eq!(ruleset.chains[0].rules.len(), 1);
        assert_eq!(ruleset.chains[0].rules[0].to_string(), "tcp dport 8000-8016 jump prerouting_1_8000_8016");
        let first: Vec<String> = ruleset.parts[0].rules.iter().map(ToString::to_string).collect();
        assert_eq!(
            first,
            [
                "tcp dport 8000-8007 goto prerouting_1_8000_8007",
                "tcp dport 8008-8015 goto prerouting_1_8008_8015",
                "tcp dport 8016 accept"
            ]
        );
    }

    #[test]
    fn one_port_more_changes_few_parts() {
        let (before, after) =
            (listed((1..2000).map(|number| number * 7)), listed((1..2000).map(|number| number * 7).chain([5001])));
        let changed = after.parts.iter().filter(|part| !before.parts.contains(part)).count();
        assert!(changed <= BLOCKS.len(), "{changed} parts changed");
    }
}
