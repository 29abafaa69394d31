//! ciliumLoadBalancer: a LoadBalancer Service at an address that Cilium hands out and announces, or at the nodes' own.

use std::collections::{BTreeMap, BTreeSet};

use super::announced::Written;
use super::{Announced, Around, Needs, ServiceType, Strategy, Traffic};
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
    let how = announce.unwrap_or(Announce::L2);
    let bgp = bgp.as_ref();
    let written = Written { addresses, load_balancer_ip: load_balancer_ip.as_ref(), interfaces, announce_from, bgp };
    Strategy::CiliumLoadBalancer {
        announced: Announced::resolve(how, &written, own_pools),
        allow_from: allow_from.clone(),
        sharing_key: sharing_key.clone(),
        traffic: Traffic::of(*external_traffic_policy, *session_affinity),
    }
}

pub fn needs(
    announced: &Announced,
    allow_from: &[Cidr],
    sharing_key: Option<&DnsLabel>,
    traffic: Traffic,
    around: Around<'_>,
) -> Needs {
    let mut needs = Needs::service(ServiceType::LoadBalancer, traffic);
    needs.source_ranges = allow_from.to_vec();
    // The ranges guard the address alone; without node ports there is no way around them.
    needs.no_node_ports = !allow_from.is_empty();
    // With a class nobody else takes the Service up: not MetalLB, not a cloud.
    needs.load_balancer_class = Some(match announced.how {
        Announce::L2 => "io.cilium/l2-announcer",
        Announce::Bgp => "io.cilium/bgp-control-plane",
        Announce::Node => "io.cilium/node",
    });
    if announced.how == Announce::Node {
        let selectors = announced.announce_from.iter().map(|pool| &around.pools[pool].node_selector);
        if let Some(Some(labels)) = node_labels(selectors) {
            needs.annotations.insert("io.cilium.nodeipam/match-node-labels".to_owned(), labels);
        }
        return needs;
    }
    // Later versions still read the first spelling; the first versions know no other.
    let (ips, key) = match around.cluster.data_plane.cilium() {
        Some(version) if version.at_least(16) => ("lbipam.cilium.io/ips", "lbipam.cilium.io/sharing-key"),
        _ => ("io.cilium/lb-ipam-ips", "io.cilium/lb-ipam-sharing-key"),
    };
    if let Some(wanted) = announced.wanted() {
        needs.annotations.insert(ips.to_owned(), wanted);
    }
    if let Some(sharing_key) = sharing_key {
        needs.annotations.insert(key.to_owned(), sharing_key.to_string());
    }
    needs
}

/// The one label selector for the nodes of several pools: `Some(None)` for every node, `None` where no selector says it.
pub fn node_labels<'a>(
    selectors: impl Iterator<Item = &'a BTreeMap<String, String>> + Clone,
) -> Option<Option<String>> {
    if selectors.clone().any(BTreeMap::is_empty) {
        return Some(None);
    }
    let mut all = selectors.clone();
    if let (Some(only), None) = (all.next(), all.next()) {
        let labels: Vec<String> = only.iter().map(|(key, value)| format!("{key}={value}")).collect();
        return Some(Some(labels.join(",")));
    }
    // A selector joins its terms by "and"; only values of one label can be joined by "or".
    let mut values: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    for selector in selectors {
        let mut labels = selector.iter();
        let (Some((key, value)), None) = (labels.next(), labels.next()) else { return None };
        values.entry(key).or_default().insert(value);
    }
    match (values.len(), values.pop_first()) {
        (1, Some((key, values))) => {
            let values: Vec<&str> = values.into_iter().collect();
            Some(Some(format!("{key} in ({})", values.join(","))))
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pools_become_one_selector_or_none() {
        let labels = |pairs: &[(&str, &str)]| -> BTreeMap<String, String> {
            pairs.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect()
        };
        let of = |pools: &[BTreeMap<String, String>]| node_labels(pools.iter());
        assert_eq!(of(&[labels(&[("a", "1"), ("b", "")])]), Some(Some("a=1,b=".to_owned())));
        assert_eq!(of(&[labels(&[("a", "1")]), labels(&[("a", "2")])]), Some(Some("a in (1,2)".to_owned())));
        assert_eq!(of(&[labels(&[("a", "1")]), labels(&[])]), Some(None));
        assert_eq!(of(&[labels(&[("a", "1")]), labels(&[("b", "1")])]), None);
        assert_eq!(of(&[labels(&[("a", "1"), ("b", "1")]), labels(&[("a", "2")])]), None);
    }
}
