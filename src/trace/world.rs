//! The machines a packet may meet: what portgen writes on the nodes, what listens there, which Services there are.

use std::net::IpAddr;

use super::addresses::{BALANCER, CLIENT, Example, NODE, POD, announced_addresses, named, node_address, unassigned};
use super::cloud::{self, Balancer};
use super::listeners::{self, Mapped, Process, Role};
use super::packet::Interface;
use super::service::{Frontend, Service};
use super::{Destination, Origin, Pods, Question, Seen};
use crate::grammar::{DnsLabel, Family, Port};
use crate::output::Fault;
use crate::output::node::nft::{Chain, ChainKind, Hook, Match, Rule, Ruleset, Statement};
use crate::output::node::{NFT_FILE, NodeFile, iptables, limits_file, nft};
use crate::plan::{
    Announce, DataPlane, Gateway, KubeProxyMode, Mechanism, NodePortAddresses, Plan, PortPlan, Protocol, Strategy,
};

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
    /// Where kube-proxy is told to serve node ports.
    node_port_addresses: Option<NodePortAddresses>,
    /// Addresses that a spec means for a Service and nobody gives it, with the reason.
    pub unassigned: Vec<(IpAddr, &'static str)>,
    /// Load balancers that nodes know nothing of.
    pub balancers: Vec<Balancer>,
    /// The address that such a load balancer connects from.
    pub balancers_own: IpAddr,
    /// What to know of the addresses.
    pub notes: Vec<String>,
    /// The same over IPv4, where a proxy goes on over IPv4.
    ipv4: Option<Box<World>>,
    /// Which strategy has the page on a port.
    pages: Vec<(Protocol, u16, &'static str)>,
    wire: Interface,
    nodes: [IpAddr; 2],
    pods_at: [IpAddr; 2],
    gateway_pods_at: [IpAddr; 2],
    client: IpAddr,
}

/// The addresses of a Service that stays without one; those of nodes are still the nodes'.
fn nobodys(plan: &Plan, gateway: &Gateway, family: Family) -> Vec<(IpAddr, &'static str)> {
    let of_nodes = gateway.strategy.announced().is_none_or(|(announced, _)| announced.how == Announce::Node);
    let Some(reason) = unassigned(plan, gateway).filter(|_| !of_nodes) else { return Vec::new() };
    announced_addresses(plan, gateway, family).into_iter().map(|address| (address, reason)).collect()
}

/// A line of the limits.
pub struct Limit {
    /// What it counts.
    pub rule: iptables::Rule,
    /// As it is written.
    pub line: String,
}

impl World {
    /// What a plan renders to, around the node that is asked.
    pub fn new(plan: &Plan, files: &[NodeFile], question: &Question) -> Result<Self, Fault> {
        let destination = &question.destination;
        let (pool, family) = (&destination.pool, destination.family());
        let mut notes = Vec::new();
        let mut own: Vec<IpAddr> = named(plan, pool, family).collect();
        // The node that is asked comes first.
        if let Some(position) = own.iter().position(|address| *address == destination.address) {
            own.swap(0, position);
        }
        if own.is_empty() && !destination.address.is_loopback() {
            notes.push(format!(
                "pool {pool} names no {family} address: {} stands for one",
                node_address(plan, pool, family)
            ));
        }
        let here = own.first().copied().unwrap_or_else(|| node_address(plan, pool, family));
        let mut used: Vec<IpAddr> = [here, destination.address].into_iter().chain(question.source).collect();
        let mut example = |example: Example| {
            let address = example.free(plan, family, &used);
            used.push(address);
            address
        };
        let there = own.get(1).copied().unwrap_or_else(|| example(NODE));
        let client = question.source.unwrap_or_else(|| example(CLIENT));
        let pods = [example(POD), example(POD)];
        let gateway_pods = [example(POD), example(POD)];
        if question.source.is_none() && question.origin == Origin::Client {
            notes.push(format!("{client} stands for a client: `--source` names another"));
        }
        let balancers: Vec<Balancer> =
            plan.gateways.values().flat_map(|gateway| cloud::balancers(plan, gateway, family)).collect();
        notes.extend(cloud::note(plan, &balancers, destination.address));
        let mut world = Self {
            data_plane: plan.cluster.data_plane,
            services: plan.gateways.values().flat_map(|gateway| Service::of(plan, gateway, pool, family)).collect(),
            node_port_addresses: plan.cluster.node_port_addresses.clone(),
            balancers,
            balancers_own: example(BALANCER),
            unassigned: plan.gateways.values().flat_map(|gateway| nobodys(plan, gateway, family)).collect(),
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
            pods_at: pods,
            gateway_pods_at: gateway_pods,
            client,
        };
        if question.pods == Pods::NoService {
            world.services.clear();
        }
        world.listeners(plan, pool, listeners::lowest_unprivileged(files)?);
        world.read(files, family)?;
        if let Some(node) = plan.nodes.get(pool) {
            world.proxies(files, node)?;
        }
        let goes_on = world.processes.iter().any(|process| matches!(process.role, Role::Proxy { .. }));
        if goes_on && family == Family::IPv6 {
            let address = node_address(plan, pool, Family::IPv4);
            let destination = Destination { address, ..destination.clone() };
            world.ipv4 =
                Some(Box::new(Self::new(plan, files, &Question { destination, source: None, ..question.clone() })?));
        }
        Ok(world)
    }

    /// Reads the rules and the limits of a node back from its files.
    fn read(&mut self, files: &[NodeFile], family: Family) -> Result<(), Fault> {
        if let Some(text) = file(files, NFT_FILE) {
            self.ruleset = Some(nft::read(text).ok_or_else(|| fault(NFT_FILE.to_owned()))?);
        }
        if let Some(text) = file(files, limits_file(family)) {
            let restore = iptables::read(text, family).ok_or_else(|| fault(limits_file(family).to_owned()))?;
            let lines = text.lines().filter(|line| line.starts_with("-A "));
            self.limits = restore
                .rules
                .into_iter()
                .zip(lines)
                .map(|(rule, line)| Limit { rule, line: line.to_owned() })
                .collect();
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
            _ if self.nodes.contains(&address) => "the address is the node's own",
            "metalLB" => "MetalLB announces the address from this node",
            "ciliumLoadBalancer" => "Cilium announces the address from this node",
            "cloudLoadBalancer" => {
                "the cloud's load balancer hands it to this node; how a cloud does that is not walked"
            }
            _ => "the network brings the address to this node",
        })
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
        self.pods_at[side as usize]
    }

    /// The address of the gateways' pod on a node.
    pub fn gateway_pod(&self, side: Side) -> IpAddr {
        self.gateway_pods_at[side as usize]
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

    /// Whether kube-proxy is told to serve node ports at an address; a family that no network is named of, it serves whole.
    pub fn node_ports_reach(&self, address: IpAddr) -> bool {
        match &self.node_port_addresses {
            None => true,
            Some(NodePortAddresses::Word(_)) => !address.is_loopback(),
            Some(NodePortAddresses::Networks(networks)) => {
                let mut own = networks.iter().filter(|network| network.family() == Family::of(address)).peekable();
                own.peek().is_none() || own.any(|network| network.contains(address))
            }
        }
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
        } else if address == self.balancers_own {
            Seen::Balancer
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

/// A file that does not say what portgen writes.
pub fn fault(path: String) -> Fault {
    Fault { path, reason: "it does not read back".to_owned() }
}

/// The text of a file.
pub fn file<'a>(files: &'a [NodeFile], path: &str) -> Option<&'a str> {
    files.iter().find(|(known, _)| known == path).map(|(_, text)| text.as_str())
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
    let rules: Vec<Rule> = ports.filter_map(|port| Some(redirect(port.protocol, port.port, port.node_port?))).collect();
    let chain = Chain { name: "recipe", kind: ChainKind::Nat, hook: Hook::Prerouting, priority: -100, rules };
    (!chain.rules.is_empty()).then(|| Ruleset { chains: vec![chain], parts: Vec::new() })
}
