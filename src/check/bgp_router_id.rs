//! Sessions of nodes without an IPv4 address, from which BGP takes the number it calls itself by.

use crate::finding::{Finding, Place, Route, Rule, Severity};
use crate::grammar::Family;
use crate::plan::{Announce, Gateway, Plan};

pub static RULE: Rule = Rule {
    name: "bgp-router-id",
    severity: Severity::Warning,
    acceptable: true,
    page: include_str!("bgp_router_id.md"),
};

pub fn inspect(plan: &Plan, findings: &mut Vec<Finding>) {
    if plan.cluster.families != [Family::IPv6] {
        return;
    }
    for gateway in plan.gateways.values().filter(|gateway| !known_with_ipv4(plan, gateway)) {
        let Some((announced, who)) = gateway.strategy.announced() else { continue };
        let Some(bgp) = announced.bgp.as_ref().filter(|_| announced.how == Announce::Bgp) else { continue };
        let (message, help) = if who == "MetalLB" {
            let message = "MetalLB's FRR takes its router id from an IPv4 address of the node; without one it is 0.0.0.0, which routers refuse";
            let help = "give each announcing node an IPv4 address of its own, on `lo` if need be, and name it in `addresses` of the pool";
            (message, help.to_owned())
        } else if plan.cluster.data_plane.cilium().is_some_and(|version| !version.at_least(18)) {
            let message = "Cilium before 1.18 takes its router id from the node's IPv4 address, and without one the session may not start";
            let annotation = format!("cilium.io/bgp-virtual-router.{}=router-id=192.0.2.1", bgp.local_asn);
            (message, format!("annotate each node with a number of its own, `kubectl annotate node NODE {annotation}`, then accept this"))
        } else {
            continue;
        };
        findings.push(
            Finding::new(&RULE, Place::Value(gateway.exposure("bgp")), message, help)
                .also(Place::Value(Route::of(["cluster", "ipFamilies"])), "IPv6 only"),
        );
    }
}

/// Whether each announcing pool is known to have IPv4 addresses all the same.
fn known_with_ipv4(plan: &Plan, gateway: &Gateway) -> bool {
    gateway.strategy.announced().is_some_and(|(announced, _)| {
        let has = |pool| plan.pools[pool].addresses.iter().any(|address| address.0.is_ipv4());
        announced.announce_from.iter().all(has)
    })
}
