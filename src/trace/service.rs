//! Services as a data plane sees them, and which pod one chooses.

use std::net::IpAddr;

use super::addresses::{announced_addresses, unassigned};
use super::cloud;
use super::packet::Packet;
use super::world::{Side, World};
use crate::grammar::{Cidr, DnsLabel, Family, Port};
use crate::plan::{Gateway, Plan, PortPlan, Protocol, ServiceType, Strategy, TrafficPolicy};

/// One port of a gateway's Service.
#[derive(Debug, Clone)]
pub struct Service {
    /// The gateway behind it.
    pub gateway: DnsLabel,
    /// The strategy's page.
    pub page: &'static str,
    /// TCP or UDP.
    pub protocol: Protocol,
    /// Whether its pods may be on the node that is asked: the gateway runs on that node's pool.
    pub here: bool,
    /// The port of the pods.
    pub target: u16,
    /// Where clients find it.
    pub frontends: Vec<Frontend>,
    /// Which pods answer.
    pub policy: TrafficPolicy,
    /// The only sources a load balancer's address lets in; empty for everyone.
    pub sources: Vec<Cidr>,
}

/// Where clients find a Service.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Frontend {
    /// At a port of the nodes.
    NodePort(u16),
    /// At an address that somebody announces.
    Announced(IpAddr, u16),
    /// At an address that the Service claims.
    Claimed(IpAddr, u16),
}

impl Service {
    /// The Services of a gateway, in one family.
    pub fn of(plan: &Plan, gateway: &Gateway, pool: &DnsLabel, family: Family) -> Vec<Self> {
        let needs = &gateway.needs;
        if !plan.cluster.families.contains(&family) {
            return Vec::new();
        }
        if needs.service_type == ServiceType::ClusterIp && needs.external_ips.is_empty() {
            return Vec::new();
        }
        let claimed = matches!(&gateway.strategy, Strategy::ExternalIps { .. }) && needs.status_ips.is_empty();
        let addresses = match unassigned(plan, gateway) {
            Some(_) => Vec::new(),
            None if cloud::is_apart(gateway) => Vec::new(),
            None => announced_addresses(plan, gateway, family),
        };
        let node_ports = if cloud::is_apart(gateway) {
            cloud::node_ports(plan, gateway)
        } else {
            gateway.ports.values().map(|port| port.node_port.map(Port::get)).collect()
        };
        let service = |(port, node_port): (&PortPlan, Option<u16>)| {
            let public = port.port.get();
            let at = addresses.iter().map(|&address| {
                if claimed { Frontend::Claimed(address, public) } else { Frontend::Announced(address, public) }
            });
            Self {
                gateway: gateway.name.clone(),
                page: gateway.strategy.name(),
                protocol: port.protocol,
                here: gateway.pools.contains(pool),
                target: port.target_port.get(),
                frontends: at.chain(node_port.map(Frontend::NodePort)).collect(),
                policy: needs.policy.unwrap_or(TrafficPolicy::Cluster),
                sources: needs.source_ranges.clone(),
            }
        };
        gateway.ports.values().zip(node_ports).map(service).collect()
    }

    /// What it is called in a step.
    pub fn said(&self, frontend: Frontend) -> String {
        let gateway = &self.gateway;
        match frontend {
            Frontend::NodePort(port) => format!("node port {port} of {gateway}'s Service"),
            Frontend::Announced(address, port) => format!("{address} port {port}, the address of {gateway}'s Service"),
            Frontend::Claimed(address, port) => format!("{address} port {port}, which {gateway}'s Service claims"),
        }
    }

    /// Whether the allow-list of a load balancer's address keeps a source out; a node port has none.
    pub fn keeps_out(&self, frontend: Frontend, source: IpAddr) -> bool {
        let listed = self.sources.is_empty() || self.sources.iter().any(|cidr| cidr.contains(source));
        matches!(frontend, Frontend::Announced(..)) && !listed
    }
}

/// The Service that a packet asks for, by position and by where it asks; `served` tells whether a node port is served
/// at the packet's destination.
pub fn asked(world: &World, packet: &Packet, served: bool) -> Option<(usize, Frontend)> {
    let (destination, port) = (packet.destination, packet.port());
    let is = |frontend: &&Frontend| match **frontend {
        Frontend::NodePort(own) => served && own == port,
        Frontend::Announced(address, own) | Frontend::Claimed(address, own) => address == destination && own == port,
    };
    world
        .services
        .iter()
        .enumerate()
        .filter(|(_, service)| service.protocol == packet.protocol())
        .find_map(|(position, service)| service.frontends.iter().find(is).map(|frontend| (position, *frontend)))
}

/// Where the pods of a Service are.
pub fn home(world: &World, service: &Service) -> Option<Side> {
    world.home().map(|home| if service.here { home } else { Side::There })
}

/// Where the pod is that a policy leaves: any, or the node's own.
pub fn pod(world: &World, at: Side, service: &Service, policy: TrafficPolicy) -> Option<Side> {
    let home = home(world, service);
    match policy {
        TrafficPolicy::Cluster => home,
        TrafficPolicy::Local => home.filter(|home| *home == at),
    }
}
