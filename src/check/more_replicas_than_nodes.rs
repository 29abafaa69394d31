//! More pods than nodes where every pod takes its node's ports.

use crate::finding::{Finding, Place, Rule, Severity};
use crate::plan::{Plan, Replicas};

pub static RULE: Rule = Rule {
    name: "more-replicas-than-nodes",
    severity: Severity::Error,
    acceptable: false,
    page: include_str!("more_replicas_than_nodes.md"),
};

pub fn inspect(plan: &Plan, findings: &mut Vec<Finding>) {
    for gateway in plan.gateways.values().filter(|gateway| gateway.needs.holds_node_ports()) {
        let Some(nodes) = gateway.nodes(plan) else { continue };
        let most = gateway.replicas.max();
        if most <= nodes {
            continue;
        }
        let replicas = gateway.route.key("replicas");
        let place = match gateway.replicas {
            Replicas::Fixed(_) => replicas,
            Replicas::Scaled { .. } => replicas.key("max"),
        };
        findings.push(
            Finding::new(
                &RULE,
                Place::Value(place),
                format!("`{}` wants {most} pods on {nodes} node{}, and one node's ports take one pod", gateway.name, if nodes == 1 { "" } else { "s" }),
                format!("lower it to {nodes}, or add nodes: a pod too many stays Pending"),
            )
            .also(Place::Value(gateway.route.key("nodePools")), "the nodes it may run on"),
        );
    }
}
