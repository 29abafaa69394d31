//! AWS's load balancer: nodes do not know its address, and it hands connections to a node port or straight to a pod.

use std::net::IpAddr;

use super::addresses::announced_addresses;
use super::packet::Packet;
use super::walker::{Entry, Walker, ending};
use super::world::Side;
use super::{Ending, Verdict};
use crate::grammar::{Cidr, DnsLabel, Family};
use crate::plan::{Aws, AwsTarget, Cloud, Gateway, Plan, PortPlan, Protocol, Strategy};

/// A port of a load balancer that has an address of its own.
pub struct Balancer {
    /// The gateway behind it.
    pub gateway: DnsLabel,
    /// Its address.
    pub address: IpAddr,
    /// TCP or UDP.
    protocol: Protocol,
    /// The port clients connect to.
    port: u16,
    /// Where it sends packets.
    target: Target,
    /// Whether they keep the client's address.
    keeps_source: bool,
    /// The only sources it takes; empty for everyone.
    sources: Vec<Cidr>,
}

/// Where a load balancer sends packets.
enum Target {
    /// To this port of a node.
    Node(u16),
    /// To this port of a pod.
    Pod(u16),
}

/// What AWS is told of a gateway.
fn aws(gateway: &Gateway) -> Option<&Aws> {
    match &gateway.strategy {
        Strategy::CloudLoadBalancer { cloud: Cloud::Aws(aws), .. } => Some(aws),
        _ => None,
    }
}

/// Whether nodes never see the address of a gateway's load balancer: its Service's status holds a name.
pub fn is_apart(gateway: &Gateway) -> bool {
    aws(gateway).is_some()
}

/// The node port of each port of a gateway on AWS, where one is used: the spec's, or one that stands for it.
pub fn node_ports(plan: &Plan, gateway: &Gateway) -> Vec<Option<u16>> {
    let used = aws(gateway).is_some_and(|aws| aws.target_type == AwsTarget::Instance);
    let taken = |number: &u16| {
        let all = plan.gateways.values().flat_map(|gateway| gateway.ports.values());
        all.filter_map(|port| port.node_port).any(|own| own.get() == *number)
    };
    let range = plan.cluster.node_port_range;
    let mut free = (range.first.get()..=range.last.get()).filter(|number| !taken(number));
    let number = |port: &PortPlan| match port.node_port {
        Some(own) => Some(own.get()),
        None if used => free.next(),
        None => None,
    };
    gateway.ports.values().map(number).collect()
}

/// The load balancers of a gateway, a port each.
pub fn balancers(plan: &Plan, gateway: &Gateway, family: Family) -> Vec<Balancer> {
    let Some(aws) = aws(gateway).filter(|_| plan.cluster.families.contains(&family)) else { return Vec::new() };
    let Some(address) = announced_addresses(plan, gateway, family).into_iter().next() else { return Vec::new() };
    let ports = gateway.ports.values().zip(node_ports(plan, gateway));
    ports
        .map(|(port, node_port)| Balancer {
            gateway: gateway.name.clone(),
            address,
            protocol: port.protocol,
            port: port.port.get(),
            target: node_port.map_or(Target::Pod(port.target_port.get()), Target::Node),
            keeps_source: aws.preserve_client_ip,
            // Without the client's address the list means nothing, which a rule says.
            sources: if aws.preserve_client_ip { gateway.strategy.allow_from().to_vec() } else { Vec::new() },
        })
        .collect()
}

/// What stands for the addresses and node ports of a load balancer that is asked.
pub fn note(plan: &Plan, balancers: &[Balancer], asked: IpAddr) -> Option<String> {
    let balancer = balancers.iter().find(|one| one.address == asked)?;
    let gateway = plan.gateways.get(&balancer.gateway)?;
    let address = format!("{asked} stands for the address behind the load balancer's name");
    let chosen: Vec<String> = gateway
        .ports
        .values()
        .zip(node_ports(plan, gateway))
        .filter(|(port, _)| port.node_port.is_none())
        .filter_map(|(_, number)| number.map(|number| number.to_string()))
        .collect();
    Some(match chosen.as_slice() {
        [] => address,
        [one] => format!("{address}, {one} for the node port that the API server chooses"),
        several => format!("{address}, {} for the node ports that the API server chooses", several.join(" and ")),
    })
}

impl Walker<'_> {
    /// Walks a client's packet through the load balancer that has its destination; `None` when none has.
    pub fn balanced(&mut self, packet: &Packet) -> Option<Ending> {
        let world = self.world;
        let own = |one: &&Balancer| one.address == packet.destination;
        let first = world.balancers.iter().find(own)?;
        let place = ("load balancer", None);
        let asked = |one: &&Balancer| own(one) && (one.protocol, one.port) == (packet.protocol(), packet.port());
        let Some(balancer) = world.balancers.iter().find(asked) else {
            let matched = format!("no listener of {}'s load balancer has port {}", first.gateway, packet.port());
            self.hop("network", place, "AWS", matched.clone(), Vec::new());
            return Some(ending(Verdict::Dropped, matched));
        };
        let gateway = &balancer.gateway;
        if !balancer.sources.is_empty() && !balancer.sources.iter().any(|cidr| cidr.contains(packet.source)) {
            self.hop("network", place, "AWS", "the security group of `allowFrom` does not take it", Vec::new());
            return Some(ending(Verdict::Dropped, "its source is not in `allowFrom`"));
        }
        let before = packet.clone();
        let mut packet = packet.clone();
        if !balancer.keeps_source {
            packet.source = world.balancers_own;
        }
        Some(match balancer.target {
            Target::Node(node_port) => {
                packet.destination = world.node(Side::Here);
                packet.set_port(node_port);
                let matched = format!("{gateway}'s listener on port {}: instance targets", balancer.port);
                self.hop("network", place, "AWS", matched, packet.changes_since(&before));
                let on_its_way = packet.on_the_next_machine(world.wire());
                self.visit(Side::Here, on_its_way, Entry::Comes)
            }
            Target::Pod(port) => {
                let Some(home) = world.home() else {
                    self.hop("network", place, "AWS", format!("{gateway}'s listener has no targets"), Vec::new());
                    return Some(ending(Verdict::Dropped, "the Service has no endpoints"));
                };
                packet.destination = world.gateway_pod(home);
                packet.set_port(port);
                packet.gateway = Some(gateway.clone());
                let matched = format!("{gateway}'s listener on port {}: IP targets", balancer.port);
                self.hop("network", place, "AWS", matched, packet.changes_since(&before));
                let mut ending = self.pod(home, &packet).ending;
                if !balancer.keeps_source {
                    "the load balancer put its own address in the place of the client's".clone_into(&mut ending.why);
                }
                ending
            }
        })
    }
}
