//! ciliumLoadBalancer: a LoadBalancer Service at an address that Cilium hands out and announces, or at the nodes' own.

use super::{Announced, Needs, ServiceType, Strategy, Traffic, resolve_addresses, resolve_announcers, resolve_bgp};
use crate::grammar::{Cidr, DnsLabel};
use crate::input::spec::{Announce, Exposure};

/// # Panics
/// When called with another strategy.
pub fn resolve(exposure: &Exposure, own_pools: &[DnsLabel]) -> Strategy {
    let Exposure::CiliumLoadBalancer {
        announce,
        addresses,
        load_balancer_ip,
        interfaces,
        announce_from,
        bgp,
        allow_from,
        sharing_key,
        external_traffic_policy,
        session_affinity,
    } = exposure
    else {
        unreachable!("the caller matched the strategy")
    };
    let (load_balancer_ips, ips_listed) = resolve_addresses(load_balancer_ip.as_ref());
    Strategy::CiliumLoadBalancer {
        announced: Announced {
            how: announce.unwrap_or(Announce::L2),
            addresses: addresses.clone(),
            load_balancer_ips,
            ips_listed,
            interfaces: interfaces.clone(),
            announce_from: resolve_announcers(announce_from, own_pools),
            bgp: bgp.as_ref().map(resolve_bgp),
        },
        allow_from: allow_from.clone(),
        sharing_key: sharing_key.clone(),
        traffic: Traffic::of(*external_traffic_policy, *session_affinity),
    }
}

pub fn needs(announced: &Announced, allow_from: &[Cidr], sharing_key: Option<&DnsLabel>, traffic: Traffic) -> Needs {
    let mut needs = Needs::service(ServiceType::LoadBalancer, traffic);
    needs.source_ranges = allow_from.to_vec();
    // With a class nobody else takes the Service up: not MetalLB, not a cloud.
    needs.load_balancer_class = Some(match announced.how {
        Announce::L2 => "io.cilium/l2-announcer",
        Announce::Bgp => "io.cilium/bgp-control-plane",
        Announce::Node => "io.cilium/node",
    });
    if let Some(wanted) = announced.wanted() {
        needs.annotations.insert("lbipam.cilium.io/ips".to_owned(), wanted);
    }
    if let Some(key) = sharing_key {
        needs.annotations.insert("lbipam.cilium.io/sharing-key".to_owned(), key.to_string());
    }
    needs
}
