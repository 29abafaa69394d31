//! The machines a packet may meet: what portgen writes on the nodes, what listens there, which Services there are.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::packet::Interface;
use super::service::{Frontend, Service};
use super::{Destination, Pods, Question, Seen};
use crate::grammar::{DnsLabel, Family, Port};
use crate::output::Fault;
use crate::output::node::nft::{Chain, ChainKind, Hook, Match, Rule, Ruleset, Statement};
use crate::output::node::{self, NFT_FILE, iptables, limits_file, nft, systemd};
use crate::plan::node::{NodePlan, Way};
use crate::plan::{Announce, DataPlane, Gateway, KubeProxyMode, Mechanism, Plan, PortPlan, Protocol, Strategy};

/// One of the two nodes: the one that is asked, and another one of its pool.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Side {
    /// The node that is asked.
    Here,
    /// The other one.
    There,
}

impl Side {
    /// The other one.
    pub fn other(self) -> Self {
        match self {
            Self::Here => Self::There,
            Self::There => Self::Here,
        }
    }

    /// What it is called.
    pub fn name(self) -> &'static str {
        match self {
            Self::Here => "node",
            Self::There => "other node",
        }
    }
}

/// What a packet may meet.
pub struct World {
    /// What turns Services into packets.
    pub data_plane: DataPlane,
    /// Every Service, with where it is found.
    pub services: Vec<Service>,
    /// The rules on the nodes.
    pub ruleset: Option<Ruleset>,
    /// A rule that portgen refuses to write, as people copy it, where the spec asks for it.
    pub recipe: Option<Ruleset>,
    /// The limits, line by line.
    pub limits: Vec<Limit>,
    /// What listens on the nodes themselves.
    pub processes: Vec<Process>,
    /// Ports of the nodes that the network plugin maps to pods.
    pub mapped: Vec<Mapped>,
    /// Where the pods are.
    pub pods: Pods,
    /// What to know of the addresses.
    pub notes: Vec<String>,
    /// The same over IPv4, where a proxy goes on over IPv4.
    ipv4: Option<Box<World>>,
    /// Which strategy has the page on a port.
    pages: Vec<(Protocol, u16, &'static str)>,
    wire: Interface,
    nodes: [IpAddr; 2],
    client: IpAddr,
    asked: IpAddr,
}

/// A line of the limits.
pub struct Limit {
    /// What it counts.
    pub rule: iptables::Rule,
    /// As it is written.
    pub line: String,
}

/// What listens on a node.
pub struct Process {
    /// The gateway it belongs to.
    pub gateway: DnsLabel,
    /// TCP or UDP.
    pub protocol: Protocol,
    /// The port it listens on.
    pub port: u16,
    /// What it does with a connection.
    pub role: Role,
}

/// What a process does with a connection.
pub enum Role {
    /// It is the gateway.
    Gateway,
    /// It carries it to a port of 127.0.0.1.
    Proxy {
        /// The port.
        to: u16,
        /// The line of the unit that says so.
        line: String,
        /// The only interface it listens on.
        interface: Option<String>,
        /// The families it listens on.
        families: Vec<Family>,
    },
}

/// A port of the node that leads to a pod.
pub struct Mapped {
    /// The gateway.
    pub gateway: DnsLabel,
    /// TCP or UDP.
    pub protocol: Protocol,
    /// The port of the node.
    pub port: u16,
    /// The pod's.
    pub target: u16,
    /// The only address that is mapped.
    pub only: Option<IpAddr>,
}

/// Addresses for documentation, where a spec names none: IPv4 and IPv6.
type Example = (Ipv4Addr, Ipv6Addr);

const fn example(network: [u8; 3], link: u16, host: u8) -> Example {
    let [a, b, c] = network;
    (Ipv4Addr::new(a, b, c, host), Ipv6Addr::new(0x2001, 0xdb8, link, 0, 0, 0, 0, host as u16))
}

const TEST_1: [u8; 3] = [192, 0, 2];
const TEST_2: [u8; 3] = [198, 51, 100];
const TEST_3: [u8; 3] = [203, 0, 113];
const NODES: [Example; 2] = [example(TEST_2, 0x64, 11), example(TEST_2, 0x64, 12)];
const CLIENT: Example = example(TEST_1, 1, 10);
const PODS: [Example; 2] = [example(TEST_3, 0x71, 10), example(TEST_3, 0x72, 26)];
/// The gateways' pod, where the pod that connects is another one.
const GATEWAY_PODS: [Example; 2] = [example(TEST_3, 0x71, 11), example(TEST_3, 0x72, 27)];
const ANNOUNCED: Example = example(TEST_2, 0x64, 200);

fn of(example: Example, family: Family) -> IpAddr {
    match family {
        Family::IPv4 => example.0.into(),
        Family::IPv6 => example.1.into(),
    }
}

/// The first address a node of a pool has, in the order the pool names them; an example where it names none.
pub fn node_address(plan: &Plan, pool: &DnsLabel, family: Family) -> IpAddr {
    named(plan, pool, family).next().unwrap_or_else(|| of(NODES[0], family))
}

fn named<'a>(plan: &'a Plan, pool: &DnsLabel, family: Family) -> impl Iterator<Item = IpAddr> + use<'a> {
    let addresses = plan.pools.get(pool).map_or(&[][..], |pool| &pool.addresses);
    addresses.iter().map(|address| address.0).filter(move |address| Family::of(*address) == family)
}

/// Where clients find a gateway beside the nodes' own addresses.
pub fn announced_addresses(plan: &Plan, gateway: &Gateway, family: Family) -> Vec<IpAddr> {
    let of_family = |address: &IpAddr| Family::of(*address) == family;
    match &gateway.strategy {
        Strategy::MetalLb { announced, .. } | Strategy::CiliumLoadBalancer { announced, .. } => {
            if announced.how == Announce::Node {
                let nodes = |pool| {
                    let named: Vec<IpAddr> = named(plan, pool, family).collect();
                    if named.is_empty() { vec![of(NODES[0], family)] } else { named }
                };
                return gateway.pools.iter().flat_map(nodes).collect();
            }
            let wanted: Vec<IpAddr> =
                announced.load_balancer_ips.iter().map(|address| address.0).filter(of_family).collect();
            if !wanted.is_empty() {
                return wanted;
            }
            announced.addresses.iter().map(|range| range.first()).find(of_family).into_iter().collect()
        }
        Strategy::CloudLoadBalancer { .. } => vec![of(ANNOUNCED, family)],
        Strategy::ExternalIps { addresses, .. } => {
            addresses.iter().map(|address| address.0).filter(of_family).collect()
        }
        Strategy::NodePortRedirect { .. }
        | Strategy::NodePort { .. }
        | Strategy::HostNetwork { .. }
        | Strategy::HostPort { .. } => Vec::new(),
    }
}

impl World {
    /// What a plan renders to, around the node that is asked.
    pub fn new(plan: &Plan, question: &Question) -> Result<Self, Fault> {
        let destination = &question.destination;
        let (pool, family) = (&destination.pool, destination.family());
        let mut notes = Vec::new();
        let mut own: Vec<IpAddr> = named(plan, pool, family).collect();
        // The node that is asked comes first.
        if let Some(position) = own.iter().position(|address| *address == destination.address) {
            own.swap(0, position);
        }
        if own.is_empty() {
            notes.push(format!("pool {pool} names no {family} address: {} stands for one", of(NODES[0], family)));
        }
        let mut stand_ins = NODES.iter().map(|one| of(*one, family)).filter(|one| !own.contains(one));
        let here = own.first().copied().or_else(|| stand_ins.next()).unwrap_or_else(|| of(NODES[0], family));
        let there = own.get(1).copied().or_else(|| stand_ins.next()).unwrap_or_else(|| of(NODES[1], family));
        let client = question.source.unwrap_or_else(|| {
            let client = of(CLIENT, family);
            notes.push(format!("{client} stands for a client: `--source` names another"));
            client
        });
        let mut world = Self {
            data_plane: plan.cluster.data_plane,
            services: plan.gateways.values().flat_map(|gateway| Service::of(plan, gateway, family)).collect(),
            ruleset: None,
            recipe: recipe(plan, pool),
            limits: Vec::new(),
            processes: Vec::new(),
            mapped: Vec::new(),
            pods: question.pods,
            notes,
            ipv4: None,
            pages: plan.gateways.values().flat_map(pages).collect(),
            wire: Interface::Wire(plan.pools.get(pool).and_then(|pool| pool.interfaces.first().cloned())),
            nodes: [here, there],
            client,
            asked: destination.address,
        };
        if question.pods == Pods::NoService {
            world.services.clear();
        }
        world.listeners(plan, pool);
        if let Some(node) = plan.nodes.get(pool) {
            let files = node::files(plan, pool, node).map_err(fault)?;
            world.read(&files, family)?;
            world.proxies(&files, node)?;
        }
        let goes_on = world.processes.iter().any(|process| matches!(process.role, Role::Proxy { .. }));
        if goes_on && family == Family::IPv6 {
            let address = node_address(plan, pool, Family::IPv4);
            let destination = Destination { address, ..destination.clone() };
            world.ipv4 = Some(Box::new(Self::new(plan, &Question { destination, source: None, ..question.clone() })?));
        }
        Ok(world)
    }

    /// The gateways' own processes on the node, and the ports that are mapped to its pods.
    fn listeners(&mut self, plan: &Plan, pool: &DnsLabel) {
        if self.pods != Pods::Here {
            return;
        }
        for gateway in plan.gateways.values().filter(|gateway| gateway.pools.contains(pool)) {
            for port in gateway.ports.values() {
                let (protocol, target) = (port.protocol, port.target_port.get());
                let gateway_name = gateway.name.clone();
                if gateway.needs.host_network {
                    self.processes.push(Process {
                        gateway: gateway_name,
                        protocol,
                        port: target,
                        role: Role::Gateway,
                    });
                } else if gateway.needs.host_port {
                    let only = gateway.needs.host_ip.map(|address| address.0);
                    self.mapped.push(Mapped { gateway: gateway_name, protocol, port: port.port.get(), target, only });
                }
            }
        }
    }

    /// Reads the rules and the limits of a node back from its files.
    fn read(&mut self, files: &[node::NodeFile], family: Family) -> Result<(), Fault> {
        if let Some(text) = file(files, NFT_FILE) {
            self.ruleset = Some(nft::read(text).ok_or_else(|| fault(NFT_FILE.to_owned()))?);
        }
        if let Some(text) = file(files, limits_file(family)) {
            let restore = iptables::read(text, family).ok_or_else(|| fault(limits_file(family).to_owned()))?;
            let lines = text.lines().filter(|line| line.starts_with("-A "));
            self.limits =
                restore.rules.into_iter().zip(lines).map(|(rule, line)| Limit { rule, line: line.to_owned() }).collect();
        }
        Ok(())
    }

    /// Reads the proxies of a node back from their units.
    fn proxies(&mut self, files: &[node::NodeFile], node: &NodePlan) -> Result<(), Fault> {
        let unit = |name: String| {
            let path = format!("etc/systemd/system/{name}");
            file(files, &path).and_then(systemd::read).ok_or_else(|| fault(path))
        };
        for door in &node.doors {
            let Way::Proxy { .. } = door.way else { continue };
            let name = node::proxy_name(door);
            let service = unit(format!("{name}.service"))?;
            let line = setting(&service, "ExecStart").unwrap_or_default().to_owned();
            let to = line.rsplit(':').next().and_then(|port| port.parse().ok());
            let to = to.ok_or_else(|| fault(format!("etc/systemd/system/{name}.service")))?;
            for (suffix, _) in node::sockets(node, door) {
                let path = format!("{name}{suffix}.socket");
                let socket = unit(path.clone())?;
                let listens = setting(&socket, "ListenStream").and_then(|text| text.rsplit_once(':'));
                let Some((host, port)) = listens.and_then(|(host, port)| Some((host, port.parse().ok()?))) else {
                    return Err(fault(format!("etc/systemd/system/{path}")));
                };
                let families = match (host, setting(&socket, "BindIPv6Only")) {
                    ("0.0.0.0", _) => vec![Family::IPv4],
                    (_, Some("ipv6-only")) => vec![Family::IPv6],
                    _ => vec![Family::IPv4, Family::IPv6],
                };
                let interface = setting(&socket, "BindToDevice").map(str::to_owned);
                let role = Role::Proxy { to, line: line.clone(), interface, families };
                self.processes.push(Process { gateway: door.gateway.clone(), protocol: Protocol::TCP, port, role });
            }
        }
        Ok(())
    }

    /// The same machines over IPv4.
    pub fn over_ipv4(&self) -> &Self {
        self.ipv4.as_deref().unwrap_or(self)
    }

    /// The page that has more about a port.
    pub fn page(&self, protocol: Protocol, port: u16) -> Option<&'static str> {
        self.pages.iter().find(|(of, own, _)| (*of, *own) == (protocol, port)).map(|(.., page)| *page)
    }

    /// Who serves Services, in words.
    pub fn serves(&self) -> String {
        match self.data_plane.kube_proxy() {
            Some(mode) => format!("kube-proxy {mode}"),
            None => "Cilium".to_owned(),
        }
    }

    /// Who brings packets for a Service's address to a node.
    pub fn announcer(&self, address: IpAddr) -> Option<&'static str> {
        let has = |service: &&Service| {
            service.frontends.iter().any(|one| matches!(one, Frontend::Announced(own, _) if *own == address))
        };
        self.services.iter().find(has).map(|service| match service.page {
            "metalLB" => "MetalLB announces the address from this node",
            "ciliumLoadBalancer" => "Cilium announces the address from this node",
            "cloudLoadBalancer" => "the cloud's load balancer hands it to this node; how a cloud does that is not walked",
            _ => "the network brings the address to this node",
        })
    }

    fn family(&self) -> Family {
        Family::of(self.asked)
    }

    /// The interface that clients and other nodes come in by.
    pub fn wire(&self) -> Interface {
        self.wire.clone()
    }

    /// A node's own address.
    pub fn node(&self, side: Side) -> IpAddr {
        self.nodes[side as usize]
    }

    /// The client's address.
    pub fn client(&self) -> IpAddr {
        self.client
    }

    /// The address of a pod that is no gateway's.
    pub fn pod(&self, side: Side) -> IpAddr {
        of(PODS[side as usize], self.family())
    }

    /// The address of the gateways' pod on a node.
    pub fn gateway_pod(&self, side: Side) -> IpAddr {
        of(GATEWAY_PODS[side as usize], self.family())
    }

    /// The node where the gateways' pods are.
    pub fn home(&self) -> Option<Side> {
        match self.pods {
            Pods::Here => Some(Side::Here),
            Pods::Elsewhere => Some(Side::There),
            Pods::Nowhere | Pods::NoService => None,
        }
    }

    /// The node that has the pod with this address.
    pub fn pod_at(&self, address: IpAddr) -> Option<Side> {
        [Side::Here, Side::There]
            .into_iter()
            .find(|side| address == self.pod(*side) || address == self.gateway_pod(*side))
    }

    /// Whether an address is a node's own, so that packets to it go to the node itself.
    pub fn is_local(&self, side: Side, address: IpAddr) -> bool {
        address == self.node(side)
            || address.is_loopback()
            // IPVS puts the address of every Service on a dummy interface of every node.
            || (self.data_plane.kube_proxy() == Some(KubeProxyMode::Ipvs) && self.is_announced(address))
    }

    /// Whether a Service has this address.
    pub fn is_announced(&self, address: IpAddr) -> bool {
        let at = |frontend: &Frontend| matches!(frontend, Frontend::Announced(own, _) | Frontend::Claimed(own, _) if *own == address);
        self.services.iter().any(|service| service.frontends.iter().any(at))
    }

    /// Whose address it is.
    pub fn whose(&self, address: IpAddr) -> Seen {
        if address == self.client {
            Seen::Client
        } else if address.is_loopback() {
            Seen::Loopback
        } else if self.nodes.contains(&address) {
            Seen::Node
        } else if self.pod_at(address).is_some() {
            Seen::Pod
        } else {
            Seen::Asked
        }
    }
}

/// The ports of a gateway, with its strategy's page.
fn pages(gateway: &Gateway) -> Vec<(Protocol, u16, &'static str)> {
    let page = gateway.strategy.name();
    let numbers = |port: &PortPlan| [Some(port.port), port.node_port, Some(port.target_port)];
    let ports = gateway.ports.values().map(|port| (port.protocol, numbers(port)));
    ports
        .flat_map(|(protocol, numbers)| numbers.into_iter().flatten().map(move |port| (protocol, port.get(), page)))
        .collect()
}

fn fault(path: String) -> Fault {
    Fault { path, reason: "it does not read back".to_owned() }
}

fn file<'a>(files: &'a [node::NodeFile], path: &str) -> Option<&'a str> {
    files.iter().find(|(known, _)| known == path).map(|(_, text)| text.as_str())
}

fn setting<'a>(unit: &'a systemd::Unit, key: &str) -> Option<&'a str> {
    unit.sections
        .iter()
        .flat_map(|section| &section.settings)
        .find(|(known, _)| known == key)
        .map(|(_, value)| value.as_str())
}

/// `-t nat -I PREROUTING … -j REDIRECT` to the node ports: refused, so never written, and walked to show why.
fn recipe(plan: &Plan, pool: &DnsLabel) -> Option<Ruleset> {
    let copies = |gateway: &&Gateway| {
        gateway.pools.contains(pool)
            && matches!(gateway.strategy, Strategy::NodePortRedirect { mechanism: Mechanism::NatRedirect, .. })
    };
    let redirect = |protocol: Protocol, port: Port, to: Port| {
        Rule::new([Match::DestinationPort(protocol, port)], [Statement::Redirect(to)])
    };
    let ports = plan.gateways.values().filter(copies).flat_map(|gateway| gateway.ports.values());
    let rules: Vec<Rule> =
        ports.filter_map(|port| Some(redirect(port.protocol, port.port, port.node_port?))).collect();
    let chain = Chain { name: "recipe", kind: ChainKind::Nat, hook: Hook::Prerouting, priority: -100, rules };
    (!chain.rules.is_empty()).then(|| Ruleset { chains: vec![chain], parts: Vec::new() })
}
