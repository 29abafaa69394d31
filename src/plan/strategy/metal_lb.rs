//! metalLB: a LoadBalancer Service at an address that MetalLB announces.

use std::collections::{BTreeMap, BTreeSet};

use super::announced::Written;
use super::{Announced, Needs, ServiceType, Strategy, Traffic};
use crate::grammar::{AddressRange, Cidr, DnsLabel, MetalLbVersion};
use crate::input::spec::{Announce, Exposure, Gateway, MetalLbMode};

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
    let how = match mode {
        None | Some(MetalLbMode::L2) => Announce::L2,
        Some(MetalLbMode::Bgp) => Announce::Bgp,
    };
    let bgp = bgp.as_ref();
    let written = Written {
        addresses: addresses.as_slice(),
        load_balancer_ip: load_balancer_ip.as_ref(),
        interfaces,
        announce_from,
        bgp,
    };
    Strategy::MetalLb {
        announced: Announced::resolve(how, &written, own_pools),
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
    pool: &DnsLabel,
    version: MetalLbVersion,
) -> Needs {
    let mut needs = Needs::service(ServiceType::LoadBalancer, traffic);
    needs.source_ranges = allow_from.to_vec();
    // The ranges guard the address alone; without node ports there is no way around them.
    needs.no_node_ports = !allow_from.is_empty();
    let prefix = annotation_prefix(version);
    let mut annotate = |name: &str, value: String| needs.annotations.insert(format!("{prefix}/{name}"), value);
    // MetalLB takes the pool or the addresses; both at once are checked against each other, which helps a reader.
    annotate("address-pool", pool.to_string());
    if let Some(wanted) = announced.wanted() {
        annotate("loadBalancerIPs", wanted);
    }
    if let Some(key) = allow_shared_ip {
        annotate("allow-shared-ip", key.to_string());
    }
    needs
}

/// The new prefix is read from 0.14.9 on; the old one by every version so far, with a warning since then.
fn annotation_prefix(version: MetalLbVersion) -> &'static str {
    if version.at_least(14, 9) { "metallb.io" } else { "metallb.universe.tf" }
}

/// The gateway whose pool this one takes its address from. MetalLB refuses two pools with the same address, so those
/// that share one have the first one's; everyone else has a pool of its own.
pub fn shared_pool<'a>(gateways: &'a BTreeMap<DnsLabel, Gateway>, name: &'a DnsLabel) -> &'a DnsLabel {
    let Some(wanted) = gateways.get(name).and_then(shared) else { return name };
    gateways.iter().find(|(_, other)| shared(other).as_ref() == Some(&wanted)).map_or(name, |(first, _)| first)
}

/// What has to be the same for two Services to share an address: the key, and where the address comes from.
fn shared(gateway: &Gateway) -> Option<(&DnsLabel, BTreeSet<&AddressRange>)> {
    match &gateway.exposure {
        Exposure::MetalLb { allow_shared_ip: Some(key), addresses, .. } => {
            Some((key, addresses.as_slice().iter().collect()))
        }
        _ => None,
    }
}
