//! An IP family that no BGP session is for.

use crate::finding::{Finding, Place, Route, Rule, Severity};
use crate::grammar::Family;
use crate::plan::{Announce, Plan};

pub static RULE: Rule = Rule {
    name: "bgp-misses-family",
    severity: Severity::Error,
    acceptable: false,
    page: include_str!("bgp_misses_family.md"),
};

pub fn inspect(plan: &Plan, findings: &mut Vec<Finding>) {
    for gateway in plan.gateways.values() {
        let Some((announced, who)) = gateway.strategy.announced() else { continue };
        // Until 0.14 a session of MetalLB carried both families.
        if who == "MetalLB" && !plan.cluster.metal_lb.at_least(15, 0) {
            continue;
        }
        let Some(bgp) = announced.bgp.as_ref().filter(|_| announced.how == Announce::Bgp) else { continue };
        for family in &plan.cluster.families {
            if bgp.peers.values().any(|peer| Family::of(peer.address.0) == *family) {
                continue;
            }
            findings.push(
                Finding::new(
                    &RULE,
                    Place::Value(gateway.exposure("bgp").key("peers")),
                    format!(
                        "no router of `{}` has an {family} address, so its {family} address is announced to nobody",
                        gateway.name
                    ),
                    format!("add a peer with the router's {family} address"),
                )
                .also(Place::Value(Route::of(["cluster", "ipFamilies"])), "the families clients use"),
            );
        }
    }
}
