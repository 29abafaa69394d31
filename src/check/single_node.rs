//! A gateway on one node: its restart is an outage.

use crate::finding::{Finding, Place, Rule, Severity};
use crate::plan::Plan;

pub static RULE: Rule = Rule {
    name: "single-node",
    severity: Severity::Warning,
    acceptable: true,
    page: include_str!("single_node.md"),
};

pub fn inspect(plan: &Plan, findings: &mut Vec<Finding>) {
    // With one pod, the node is not what is missing.
    for gateway in plan.gateways.values().filter(|gateway| gateway.replicas.min() > 1) {
        if gateway.nodes(plan) == Some(1) {
            findings.push(Finding::new(
                &RULE,
                Place::Value(gateway.route.key("nodePools")),
                format!("`{}` runs on one node: while that node restarts, nobody is answered", gateway.name),
                "add a second node, or accept it with a reason",
            ));
        }
    }
}
