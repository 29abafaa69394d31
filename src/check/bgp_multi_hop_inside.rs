//! `ebgpMultiHop` for a router of the nodes' own autonomous system.

use crate::finding::{Finding, Place, Rule, Severity};
use crate::plan::{Announce, Plan, Strategy};

pub static RULE: Rule = Rule {
    name: "bgp-multi-hop-inside",
    severity: Severity::Error,
    acceptable: false,
    page: include_str!("bgp_multi_hop_inside.md"),
};

pub fn inspect(plan: &Plan, findings: &mut Vec<Finding>) {
    for gateway in plan.gateways.values() {
        let Strategy::MetalLb { announced, .. } = &gateway.strategy else { continue };
        let Some(bgp) = announced.bgp.as_ref().filter(|_| announced.how == Announce::Bgp) else { continue };
        for (name, peer) in &bgp.peers {
            if !peer.ebgp_multi_hop || peer.asn != bgp.local_asn {
                continue;
            }
            let place = gateway.exposure("bgp").key("peers").key(name.as_str());
            findings.push(
                Finding::new(
                    &RULE,
                    Place::Value(place.key("ebgpMultiHop")),
                    format!("`{name}` is of the nodes' own autonomous system, and MetalLB refuses `ebgpMultiHop` there"),
                    "take it out: sessions inside one system may be several hops long anyway",
                )
                .also(Place::Value(gateway.exposure("bgp").key("localASN")), "the nodes' own"),
            );
        }
    }
}
