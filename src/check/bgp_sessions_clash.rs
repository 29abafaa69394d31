//! BGP sessions of Cilium that one node cannot hold at once.

use std::collections::BTreeMap;

use crate::finding::{Finding, Place, Rule, Severity};
use crate::grammar::{Address, DnsLabel};
use crate::plan::{Announce, BgpPeer, Gateway, Plan, Strategy};

pub static RULE: Rule = Rule {
    name: "bgp-sessions-clash",
    severity: Severity::Error,
    acceptable: false,
    page: include_str!("bgp_sessions_clash.md"),
};

pub fn inspect(plan: &Plan, findings: &mut Vec<Finding>) {
    differing_peers(plan, findings);
    overlapping_pools(plan, findings);
}

/// Every gateway that Cilium announces by BGP, with its announcing pools.
fn announced(plan: &Plan) -> impl Iterator<Item = (&Gateway, &[DnsLabel])> {
    plan.gateways.values().filter_map(|gateway| match &gateway.strategy {
        Strategy::CiliumLoadBalancer { announced, .. } if announced.how == Announce::Bgp => {
            Some((gateway, announced.announce_from.as_slice()))
        }
        _ => None,
    })
}

/// A router, as one node sees it: two sessions with the same address must be the same session.
fn differing_peers(plan: &Plan, findings: &mut Vec<Finding>) {
    type First<'a> = (&'a Gateway, &'a DnsLabel, u32, &'a BgpPeer);
    let mut first: BTreeMap<(&DnsLabel, Address), First<'_>> = BTreeMap::new();
    for (gateway, pools) in announced(plan) {
        let Some(bgp) = gateway.strategy.announced().and_then(|(announced, _)| announced.bgp.as_ref()) else { continue };
        for (name, peer) in &bgp.peers {
            let clash = pools.iter().find_map(|pool| {
                let taken = first.entry((pool, peer.address)).or_insert((gateway, name, bgp.local_asn, peer));
                (taken.2 != bgp.local_asn || taken.3 != peer).then_some((*taken, pool))
            });
            let Some(((other, other_name, ..), pool)) = clash else { continue };
            findings.push(
                Finding::new(
                    &RULE,
                    Place::Value(gateway.exposure("bgp").key("peers").key(name)),
                    format!(
                        "nodes of `{pool}` hold one session with {}, and `{}` describes it differently",
                        peer.address, other.name
                    ),
                    "write the same `localASN` and the same peer in both, or announce from other nodes",
                )
                .also(Place::Value(other.exposure("bgp").key("peers").key(other_name)), "the other description"),
            );
        }
    }
}

/// Cilium takes one configuration for each node: pools that share nodes would give it two.
fn overlapping_pools(plan: &Plan, findings: &mut Vec<Finding>) {
    let mut pools: BTreeMap<&DnsLabel, &Gateway> = BTreeMap::new();
    for (gateway, announcing) in announced(plan) {
        for pool in announcing {
            let narrows = |one: &DnsLabel, other: &DnsLabel| {
                plan.pools[other].node_selector.iter().all(|(key, value)| plan.pools[one].node_selector.get(key) == Some(value))
            };
            let other = pools.keys().find(|other| **other != pool && (narrows(pool, other) || narrows(other, pool)));
            if let Some(other) = other.filter(|_| !pools.contains_key(pool)) {
                findings.push(
                    Finding::new(
                        &RULE,
                        Place::Value(gateway.exposure("announceFrom")),
                        format!("pools `{other}` and `{pool}` share nodes, and Cilium takes one BGP configuration for each node"),
                        "give each pool a label of its own, or announce from one of them",
                    )
                    .also(Place::Key(plan.pools[*other].route.clone()), "the other pool"),
                );
            }
            pools.entry(pool).or_insert(gateway);
        }
    }
}
