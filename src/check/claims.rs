//! Who takes which port at which address of which nodes: what rules compare gateways by.

use std::net::IpAddr;

use crate::chart::ExtraPort;
use crate::finding::Route;
use crate::grammar::{Address, AddressRange, DnsLabel};
use crate::plan::node::Way;
use crate::plan::{Announce, Gateway, OwnGateway, Plan, PortPlan, Protocol, Slot, Strategy};

/// One port that somebody takes.
pub struct Claim<'a> {
    /// Whose it is; none for Cilium's own gateway.
    pub gateway: Option<&'a DnsLabel>,
    /// Whose it is, in words.
    pub holder: String,
    /// Where it was written.
    pub route: Route,
    /// TCP or UDP.
    pub protocol: Protocol,
    /// The port.
    pub port: u16,
    at: At<'a>,
    by: By,
}

/// Where a port is taken.
enum At<'a> {
    /// On the nodes of a pool: at this address, or at each they have.
    Nodes(&'a DnsLabel, Option<Address>),
    /// At these addresses, wherever packets to them arrive.
    Addresses(&'a [Address]),
    /// At one address out of these ranges.
    OneOf(&'a [AddressRange]),
}

/// What takes a port.
#[derive(Clone, Copy, PartialEq, Eq)]
enum By {
    /// A process on the node, or what leads its clients there.
    Node,
    /// A socket of the node that no client connects to.
    Socket,
    /// A node port.
    NodePort,
    /// A Service that claims addresses which are there already.
    Service,
    /// A Service with an address of its own.
    Announced,
}

/// Every port that is taken on a node or at an address.
pub fn claims(plan: &Plan) -> Vec<Claim<'_>> {
    let mut claims = Vec::new();
    for gateway in plan.gateways.values() {
        for (name, port) in &gateway.ports {
            of_port(plan, gateway, name.as_str(), port, &mut claims);
        }
        if gateway.needs.host_network {
            of_extra_ports(gateway, &mut claims);
        }
    }
    if let Some(own) = &plan.cluster.own_gateway {
        for pool in plan.pools.keys().filter(|pool| own.pool.as_ref().is_none_or(|own| own == *pool)) {
            claims.extend(own.ports().map(|(field, port)| Claim {
                gateway: None,
                holder: "Cilium's own gateway".to_owned(),
                route: OwnGateway::route().key(field),
                protocol: Protocol::TCP,
                port: port.get(),
                at: At::Nodes(pool, None),
                by: By::Node,
            }));
        }
    }
    claims
}

fn of_port<'a>(plan: &'a Plan, gateway: &'a Gateway, name: &str, port: &PortPlan, claims: &mut Vec<Claim<'a>>) {
    let mut claim = |at: At<'a>, by: By, field: &str, number: u16| {
        claims.push(Claim {
            gateway: Some(&gateway.name),
            holder: format!("`{name}` of `{}`", gateway.name),
            route: port.route.key(field),
            protocol: port.protocol,
            port: number,
            at,
            by,
        });
    };
    let number = port.port.get();
    let way = gateway.strategy.way(port);
    for pool in &gateway.pools {
        if way.is_some() {
            claim(At::Nodes(pool, None), By::Node, "port", number);
        }
        if let Some(Way::Redirect { to }) = way {
            claim(At::Nodes(pool, None), By::Socket, "targetPort", to.get());
        }
        if gateway.needs.host_port {
            claim(At::Nodes(pool, gateway.needs.host_ip), By::Node, "port", number);
        }
    }
    match &gateway.strategy {
        // Every node serves it, whatever pools its pods run on.
        Strategy::NodePort { .. } => {
            for pool in plan.pools.keys() {
                if let Some(node_port) = port.node_port {
                    claim(At::Nodes(pool, None), By::NodePort, "nodePort", node_port.get());
                }
            }
        }
        Strategy::CiliumLoadBalancer { announced, .. } if announced.how == Announce::Node => {
            for pool in &announced.announce_from {
                claim(At::Nodes(pool, None), By::Service, "port", number);
            }
        }
        Strategy::MetalLb { announced, .. } | Strategy::CiliumLoadBalancer { announced, .. } => {
            let at = match announced.load_balancer_ips.as_slice() {
                [] => At::OneOf(&announced.addresses),
                chosen => At::Addresses(chosen),
            };
            claim(at, By::Announced, "port", number);
        }
        Strategy::ExternalIps { addresses, .. } => claim(At::Addresses(addresses), By::Service, "port", number),
        Strategy::NodePortRedirect { .. }
        | Strategy::HostNetwork { .. }
        | Strategy::HostPort { .. }
        | Strategy::CloudLoadBalancer { .. } => {}
    }
}

/// What a chart's pods listen on besides, once they are in the node's network namespace.
fn of_extra_ports<'a>(gateway: &'a Gateway, claims: &mut Vec<Claim<'a>>) {
    for pool in &gateway.pools {
        let declared = gateway.chart.profile.host_network_ports.iter().filter(|extra| extra.declared);
        claims.extend(declared.filter(|extra| !listens(gateway, extra)).map(|extra| Claim {
            gateway: Some(&gateway.name),
            holder: format!("{} of `{}`", extra.what, gateway.name),
            route: gateway.exposure("strategy"),
            protocol: if extra.protocol == "UDP" { Protocol::UDP } else { Protocol::TCP },
            port: extra.port,
            at: At::Nodes(pool, None),
            by: By::Socket,
        }));
    }
}

/// Whether one of the spec's own listeners has taken the place of an extra port.
fn listens(gateway: &Gateway, extra: &ExtraPort) -> bool {
    let slot = match extra.unless_listener.as_deref() {
        Some("http") => Slot::Http,
        Some("https") => Slot::Https,
        _ => return false,
    };
    gateway.ports.values().any(|port| port.slot == slot)
}

impl Claim<'_> {
    /// Where both take their port, which is the same, in words; `None` where they do not.
    pub fn clash(&self, other: &Self, plan: &Plan) -> Option<String> {
        if apart(self.by, other.by) {
            return None;
        }
        match (&self.at, &other.at) {
            (At::Nodes(pool, one), At::Nodes(other, two)) => {
                let same = pool == other && (one.is_none() || two.is_none() || one == two);
                same.then(|| format!("on the nodes of `{pool}`"))
            }
            (At::Nodes(pool, only), there) | (there, At::Nodes(pool, only)) => {
                let known = only.as_ref().map_or(plan.pools[*pool].addresses.as_slice(), std::slice::from_ref);
                known
                    .iter()
                    .find(|address| there.holds(address.0))
                    .map(|address| format!("at {address}, an address of the nodes of `{pool}`"))
            }
            (At::Addresses(addresses), there) | (there, At::Addresses(addresses)) => {
                addresses.iter().find(|address| there.holds(address.0)).map(|address| format!("at {address}"))
            }
            // Pools that overlap are another rule's.
            (At::OneOf(_), At::OneOf(_)) => None,
        }
    }
}

impl At<'_> {
    /// Whether an address is one of these, or may become it.
    fn holds(&self, address: IpAddr) -> bool {
        match self {
            Self::Nodes(..) => false,
            Self::Addresses(addresses) => addresses.iter().any(|known| known.0 == address),
            Self::OneOf(ranges) => ranges.iter().any(|range| range.contains(address)),
        }
    }
}

/// Whether two takers never stand in each other's way, or another rule compares them.
fn apart(one: By, other: By) -> bool {
    match (one, other) {
        // One Service cannot have another one's node port.
        (By::NodePort, By::NodePort) => true,
        // Addresses are shared on purpose, and no pool may hold a node's.
        (By::Announced, by) | (by, By::Announced) => by != By::Service,
        // What clients never connect to is only in the way of other sockets.
        (By::Socket, by) | (by, By::Socket) => !matches!(by, By::Node | By::Socket),
        _ => false,
    }
}
