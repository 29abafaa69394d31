//! A load balancer address that no range of its pool holds.

use super::load_balancer_ip_family::route;
use crate::finding::{Finding, Place, Rule, Severity, listed};
use crate::plan::{Announce, Plan};

pub static RULE: Rule = Rule {
    name: "load-balancer-ip-outside-pool",
    severity: Severity::Error,
    acceptable: false,
    page: include_str!("load_balancer_ip_outside_pool.md"),
};

pub fn inspect(plan: &Plan, findings: &mut Vec<Finding>) {
    for gateway in plan.gateways.values() {
        let Some((announced, _)) = gateway.strategy.announced().filter(|(announced, _)| announced.how != Announce::Node) else {
            continue;
        };
        let addresses = &announced.addresses;
        for (position, address) in announced.load_balancer_ips.iter().enumerate() {
            if addresses.iter().any(|range| range.contains(address.0)) {
                continue;
            }
            findings.push(
                Finding::new(
                    &RULE,
                    Place::Value(route(gateway, position)),
                    format!("{address} lies outside {}, so the Service stays without an address", listed(addresses)),
                    "choose an address of the pool, or add it to `addresses`",
                )
                .also(Place::Value(gateway.exposure("addresses")), "the pool"),
            );
        }
    }
}
