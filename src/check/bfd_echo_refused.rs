//! BFD echoes where they cannot be: with IPv6 addresses, or over several hops.

use crate::finding::{Finding, Place, Rule, Severity};
use crate::grammar::Family;
use crate::plan::{Announce, Announced, Plan, Strategy};

pub static RULE: Rule = Rule {
    name: "bfd-echo-refused",
    severity: Severity::Error,
    acceptable: false,
    page: include_str!("bfd_echo_refused.md"),
};

pub fn inspect(plan: &Plan, findings: &mut Vec<Finding>) {
    for gateway in plan.gateways.values() {
        let Strategy::MetalLb { announced: Announced { how: Announce::Bgp, bgp: Some(bgp), addresses, .. }, .. } =
            &gateway.strategy
        else {
            continue;
        };
        if bgp.bfd.and_then(|bfd| bfd.echo_mode) != Some(true) {
            continue;
        }
        let place = Place::Value(gateway.exposure("bgp").key("bfd").key("echoMode"));
        let help = "take `echoMode` out; `transmitInterval` and `detectMultiplier` decide how soon a dead router is found";
        if let Some((position, range)) = addresses.iter().enumerate().find(|(_, range)| range.family() == Family::IPv6) {
            let message = format!("MetalLB refuses BFD echoes for a pool with IPv6 addresses, here `{range}`");
            findings.push(
                Finding::new(&RULE, place.clone(), message, help)
                    .also(Place::Value(gateway.exposure("addresses").index(position)), "the range"),
            );
        }
        if let Some((name, _)) = bgp.peers.iter().find(|(_, peer)| peer.ebgp_multi_hop) {
            let message = format!("BFD echoes reach the next hop only, and `{name}` is several hops away");
            findings.push(
                Finding::new(&RULE, place, message, help)
                    .also(Place::Value(gateway.exposure("bgp").key("peers").key(name)), "the router"),
            );
        }
    }
}
