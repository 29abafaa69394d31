//! Nodes whose addresses a Service is to have, but which no single label selector says.

use crate::finding::{Finding, Place, Rule, Severity, listed};
use crate::plan::{Announce, Plan, node_labels};

pub static RULE: Rule = Rule {
    name: "node-ipam-selector",
    severity: Severity::Error,
    acceptable: false,
    page: include_str!("node_ipam_selector.md"),
};

pub fn inspect(plan: &Plan, findings: &mut Vec<Finding>) {
    for gateway in plan.gateways.values() {
        let Some((announced, _)) = gateway.strategy.announced().filter(|(announced, _)| announced.how == Announce::Node) else {
            continue;
        };
        let pools = &announced.announce_from;
        let message = match node_labels(pools.iter().map(|pool| &plan.pools[pool].node_selector)) {
            Some(Some(_)) => continue,
            // The only pool there is may well be every node.
            Some(None) if plan.pools.len() == 1 => continue,
            Some(None) => format!("a pool among {} has no labels, so `{}` would get the addresses of every node", listed(pools), gateway.name),
            None => format!("node IPAM takes one label selector, and none selects just the nodes of {}", listed(pools)),
        };
        findings.push(Finding::new(
            &RULE,
            Place::Value(gateway.exposure("announceFrom")),
            message,
            "give the nodes of these pools one label in common with a value for each pool, or announce from one pool",
        ));
    }
}
