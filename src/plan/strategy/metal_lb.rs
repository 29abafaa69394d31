//! metalLB: a LoadBalancer Service at an address that MetalLB announces.

use super::{Announced, Needs, ServiceType, Strategy, Traffic, resolve_addresses, resolve_announcers, resolve_bgp};
use crate::grammar::{Cidr, DnsLabel};
use crate::input::spec::{Announce, Exposure, MetalLbMode};

/// # Panics
/// When called with another strategy.
pub fn resolve(exposure: &Exposure, own_pools: &[DnsLabel]) -> Strategy {
    let Exposure::MetalLb {
        mode,
        addresses,
        load_balancer_ip,
        interfaces,
        announce_from,
        bgp,
        allow_from,
        allow_shared_ip,
        external_traffic_policy,
        session_affinity,
    } = exposure
    else {
        unreachable!("the caller matched the strategy")
    };
    let (load_balancer_ips, ips_listed) = resolve_addresses(load_balancer_ip.as_ref());
    Strategy::MetalLb {
        announced: Announced {
            how: match mode {
                None | Some(MetalLbMode::L2) => Announce::L2,
                Some(MetalLbMode::Bgp) => Announce::Bgp,
            },
            addresses: addresses.as_slice().to_vec(),
            load_balancer_ips,
            ips_listed,
            interfaces: interfaces.clone(),
            announce_from: resolve_announcers(announce_from, own_pools),
            bgp: bgp.as_ref().map(resolve_bgp),
        },
        allow_from: allow_from.clone(),
        allow_shared_ip: allow_shared_ip.clone(),
        traffic: Traffic::of(*external_traffic_policy, *session_affinity),
    }
}

pub fn needs(
    announced: &Announced,
    allow_from: &[Cidr],
    allow_shared_ip: Option<&DnsLabel>,
    traffic: Traffic,
    gateway: &DnsLabel,
) -> Needs {
    let mut needs = Needs::service(ServiceType::LoadBalancer, traffic);
    needs.source_ranges = allow_from.to_vec();
    // MetalLB takes the pool or the addresses; both at once are checked against each other, which helps a reader.
    needs.annotations.insert("metallb.io/address-pool".to_owned(), gateway.to_string());
    if let Some(wanted) = announced.wanted() {
        needs.annotations.insert("metallb.io/loadBalancerIPs".to_owned(), wanted);
    }
    if let Some(key) = allow_shared_ip {
        needs.annotations.insert("metallb.io/allow-shared-ip".to_owned(), key.to_string());
    }
    needs
}
