//! metalLB: a LoadBalancer Service at an address that MetalLB announces.

use crate::grammar::{Address, DnsLabel};
use crate::input::spec::{self, Exposure, OneOrTwoAddresses};

use super::super::{Bgp, BgpPeer, Needs, PodSecurity, Rollout, ServiceType, Strategy, TrafficPolicy};

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
        external_traffic_policy,
    } = exposure
    else {
        unreachable!("the caller matched the strategy")
    };
    Strategy::MetalLb {
        mode: mode.unwrap_or(spec::MetalLbMode::L2),
        addresses: addresses.as_slice().to_vec(),
        load_balancer_ips: match load_balancer_ip {
            None => Vec::new(),
            Some(OneOrTwoAddresses::One(address)) => vec![*address],
            Some(OneOrTwoAddresses::List(addresses)) => addresses.clone(),
        },
        ips_listed: matches!(load_balancer_ip, Some(OneOrTwoAddresses::List(_))),
        interfaces: interfaces.clone(),
        announce_from: if announce_from.is_empty() { own_pools.to_vec() } else { announce_from.clone() },
        bgp: bgp.as_ref().map(resolve_bgp),
        policy: external_traffic_policy.unwrap_or(TrafficPolicy::Cluster),
    }
}

fn resolve_bgp(bgp: &spec::Bgp) -> Bgp {
    let peer = |peer: &spec::BgpPeer| BgpPeer {
        address: peer.address,
        asn: peer.asn.get(),
        port: peer.port.map_or(179, spec::BgpPort::get),
        ebgp_multi_hop: peer.ebgp_multi_hop.unwrap_or(false),
        password_secret: peer.password_secret.clone(),
    };
    Bgp {
        local_asn: bgp.local_asn.get(),
        peers: bgp.peers.0.iter().map(|(name, written)| (name.clone(), peer(written))).collect(),
        communities: bgp.communities.clone(),
        local_pref: bgp.local_pref.map(spec::Id::get),
    }
}

pub fn needs(ips: &[Address], policy: TrafficPolicy, gateway: &DnsLabel) -> Needs {
    // MetalLB takes the pool or the addresses; both at once are checked against each other, which helps a reader.
    let mut annotations =
        std::collections::BTreeMap::from([("metallb.io/address-pool".to_owned(), gateway.to_string())]);
    if !ips.is_empty() {
        let list: Vec<String> = ips.iter().map(ToString::to_string).collect();
        annotations.insert("metallb.io/loadBalancerIPs".to_owned(), list.join(","));
    }
    Needs {
        service_type: ServiceType::LoadBalancer,
        policy: Some(policy),
        host_network: false,
        pod_security: PodSecurity::Restricted,
        rollout: Rollout { max_surge: 1, max_unavailable: 0 },
        annotations,
    }
}
