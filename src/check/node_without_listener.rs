//! Pods that take their node's ports, and fewer of them than nodes: some nodes refuse their clients.

use crate::finding::{Finding, Place, Rule, Severity};
use crate::plan::Plan;

pub static RULE: Rule = Rule {
    name: "node-without-listener",
    severity: Severity::Note,
    acceptable: true,
    page: include_str!("node_without_listener.md"),
};

pub fn inspect(plan: &Plan, findings: &mut Vec<Finding>) {
    for gateway in plan.gateways.values().filter(|gateway| gateway.needs.holds_node_ports()) {
        let fewest = gateway.replicas.min();
        let Some(nodes) = gateway.nodes(plan).filter(|nodes| fewest < *nodes) else { continue };
        findings.push(
            Finding::new(
                &RULE,
                Place::Value(gateway.route.key("replicas")),
                format!("only nodes with a pod of `{}` answer, and {fewest} pod{} on {nodes} nodes", gateway.name, if fewest == 1 { " stands" } else { "s stand" }),
                format!("run {nodes} pods, or let clients come to nodes with a pod only: a load balancer that asks first, or a pool of {fewest}"),
            )
            .also(Place::Value(gateway.route.key("nodePools")), "the nodes"),
        );
    }
}
