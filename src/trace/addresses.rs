//! The addresses that a spec names, and examples where it names none.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use crate::grammar::{DnsLabel, Family};
use crate::plan::knowledge::{Form, Verdict, verdict};
use crate::plan::{Announce, Gateway, Plan, Strategy};

/// A network for documentation, IPv4 and IPv6, and the first host that is tried.
#[derive(Clone, Copy)]
pub struct Example {
    v4: [u8; 3],
    v6: u16,
    host: u8,
}

/// Nodes whose pool names no addresses.
pub const NODE: Example = Example { v4: [198, 51, 100], v6: 0x64, host: 11 };
/// A client.
pub const CLIENT: Example = Example { v4: [192, 0, 2], v6: 1, host: 10 };
/// Pods.
pub const POD: Example = Example { v4: [203, 0, 113], v6: 0x71, host: 10 };
/// A cloud's load balancer, where it connects by itself.
pub const BALANCER: Example = Example { v4: [198, 51, 100], v6: 0x64, host: 220 };
/// What a cloud gives.
const ANNOUNCED: Example = Example { v4: [198, 51, 100], v6: 0x64, host: 200 };

impl Example {
    fn address(self, family: Family, host: u8) -> IpAddr {
        let [a, b, c] = self.v4;
        match family {
            Family::IPv4 => Ipv4Addr::new(a, b, c, host).into(),
            Family::IPv6 => Ipv6Addr::new(0x2001, 0xdb8, self.v6, 0, 0, 0, 0, host.into()).into(),
        }
    }

    /// The first one that neither the plan nor the walk has.
    pub fn free(self, plan: &Plan, family: Family, used: &[IpAddr]) -> IpAddr {
        let mut hosts = (self.host..u8::MAX).map(|host| self.address(family, host));
        let free = hosts.find(|address| !used.contains(address) && !is_named(plan, *address));
        free.unwrap_or_else(|| self.address(family, self.host))
    }
}

/// Whether a spec says whose address it is.
fn is_named(plan: &Plan, address: IpAddr) -> bool {
    let of_a_node = plan.pools.values().any(|pool| pool.addresses.iter().any(|own| own.0 == address));
    let of_a_gateway = |gateway: &Gateway| match &gateway.strategy {
        Strategy::CloudLoadBalancer { .. } => address == ANNOUNCED.address(Family::of(address), ANNOUNCED.host),
        Strategy::ExternalIps { addresses, .. } => addresses.iter().any(|own| own.0 == address),
        strategy => strategy.announced().is_some_and(|(announced, _)| {
            announced.addresses.iter().any(|range| range.contains(address))
                || announced.load_balancer_ips.iter().any(|own| own.0 == address)
        }),
    };
    of_a_node || plan.gateways.values().any(of_a_gateway)
}

/// The first address a node of a pool has, in the order the pool names them; an example where it names none.
pub fn node_address(plan: &Plan, pool: &DnsLabel, family: Family) -> IpAddr {
    named(plan, pool, family).next().unwrap_or_else(|| NODE.free(plan, family, &[]))
}

/// The addresses of a pool's nodes; an example where it names none.
pub fn node_addresses(plan: &Plan, pool: &DnsLabel, family: Family) -> Vec<IpAddr> {
    let first = node_address(plan, pool, family);
    [first].into_iter().chain(named(plan, pool, family).skip(1)).collect()
}

/// The addresses of a pool's nodes.
pub fn named<'a>(plan: &'a Plan, pool: &DnsLabel, family: Family) -> impl Iterator<Item = IpAddr> + use<'a> {
    let addresses = plan.pools.get(pool).map_or(&[][..], |pool| &pool.addresses);
    addresses.iter().map(|address| address.0).filter(move |address| Family::of(*address) == family)
}

/// Why a gateway's Service gets no address at all, where Cilium would have to hand it out and does not.
pub fn unassigned(plan: &Plan, gateway: &Gateway) -> Option<&'static str> {
    let Strategy::CiliumLoadBalancer { .. } = gateway.strategy else { return None };
    match verdict(Form::of(gateway), plan.cluster.data_plane, &plan.cluster.families) {
        Verdict::Refused { reason, .. } => Some(reason),
        _ => None,
    }
}

/// Where clients find a gateway beside the nodes' own addresses.
pub fn announced_addresses(plan: &Plan, gateway: &Gateway, family: Family) -> Vec<IpAddr> {
    let of_family = |address: &IpAddr| Family::of(*address) == family;
    match &gateway.strategy {
        Strategy::MetalLb { announced, .. } | Strategy::CiliumLoadBalancer { announced, .. } => {
            if announced.how == Announce::Node {
                return gateway.pools.iter().flat_map(|pool| node_addresses(plan, pool, family)).collect();
            }
            let wanted: Vec<IpAddr> =
                announced.load_balancer_ips.iter().map(|address| address.0).filter(of_family).collect();
            if !wanted.is_empty() {
                return wanted;
            }
            announced.addresses.iter().map(|range| range.first()).find(of_family).into_iter().collect()
        }
        Strategy::CloudLoadBalancer { .. } => vec![ANNOUNCED.address(family, ANNOUNCED.host)],
        Strategy::ExternalIps { addresses, .. } => {
            addresses.iter().map(|address| address.0).filter(of_family).collect()
        }
        Strategy::NodePortRedirect { .. }
        | Strategy::NodePort { .. }
        | Strategy::HostNetwork { .. }
        | Strategy::HostPort { .. } => Vec::new(),
    }
}
