//! Load balancer addresses that are not one of each family the cluster serves.

use std::collections::BTreeSet;

use crate::finding::{Finding, Place, Rule, Severity};
use crate::grammar::Family;
use crate::plan::{Gateway, Plan};

pub static RULE: Rule = Rule {
    name: "load-balancer-ip-family",
    severity: Severity::Error,
    acceptable: false,
    page: include_str!("load_balancer_ip_family.md"),
};

pub fn inspect(plan: &Plan, findings: &mut Vec<Finding>) {
    for gateway in plan.gateways.values() {
        let Some((announced, who)) = gateway.strategy.announced() else { continue };
        let load_balancer_ips = &announced.load_balancer_ips;
        if announced.ips_listed && load_balancer_ips.is_empty() {
            let message = "`loadBalancerIP` lists no address".to_owned();
            findings.push(Finding::new(&RULE, Place::Value(gateway.exposure("loadBalancerIP")), message, "name one of each family, or take it out"));
        }
        let mut seen = BTreeSet::new();
        for (position, address) in load_balancer_ips.iter().enumerate() {
            let family = Family::of(address.0);
            let place = Place::Value(route(gateway, position));
            if !plan.cluster.families.contains(&family) {
                findings.push(Finding::new(
                    &RULE,
                    place,
                    format!("{address} is {family}, which this cluster does not serve"),
                    format!("take it out, or add {family} to `cluster.ipFamilies`"),
                ));
            } else if !seen.insert(family) {
                findings.push(Finding::new(
                    &RULE,
                    place,
                    format!("a second {family} address: {who} gives a Service one of each family"),
                    "name one of each family",
                ));
            }
        }
        let missing: Vec<_> = plan.cluster.families.iter().filter(|family| !seen.contains(family)).collect();
        if !load_balancer_ips.is_empty() && plan.cluster.families.len() == 2 && missing.len() == 1 {
            findings.push(Finding::new(
                &RULE,
                Place::Value(gateway.exposure("loadBalancerIP")),
                format!("`loadBalancerIP` names no {} address, and the Service has both families", missing[0]),
                format!("write a list with one of each family, or take it out: {who} then picks both"),
            ));
        }
    }
}

/// Where the address at this position was written.
pub fn route(gateway: &Gateway, position: usize) -> crate::finding::Route {
    let field = gateway.exposure("loadBalancerIP");
    match gateway.strategy.announced() {
        Some((announced, _)) if announced.ips_listed => field.index(position),
        _ => field,
    }
}
