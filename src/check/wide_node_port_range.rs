//! A range of node ports that holds ports of the nodes' own services.

use super::port_used_by_node;
use crate::finding::{Finding, Place, Route, Rule, Severity};
use crate::plan::{Plan, ServiceType};

pub static RULE: Rule = Rule {
    name: "wide-node-port-range",
    severity: Severity::Warning,
    acceptable: true,
    page: include_str!("wide_node_port_range.md"),
};

pub fn inspect(plan: &Plan, findings: &mut Vec<Finding>) {
    let served = plan.gateways.values().any(|gateway| gateway.needs.service_type == ServiceType::NodePort);
    let inside: Vec<String> = port_used_by_node::known(plan)
        .filter(|(port, _)| plan.cluster.node_port_range.contains(*port))
        .map(|(port, what)| format!("{port} ({what})"))
        .collect();
    let Some(first) = inside.first().filter(|_| served) else { return };
    let others = match inside.len() - 1 {
        0 => String::new(),
        more => format!(" and {more} more"),
    };
    findings.push(Finding::new(
        &RULE,
        Place::Value(Route::of(["cluster", "nodePortRange"])),
        format!("{} holds ports that the nodes' own services use: {first}{others}", plan.cluster.node_port_range),
        "a NodePort Service without a number of its own may be given one of them and take it from the node: give every such Service its `nodePort`, or keep the usual range and use `nodePortRedirect`",
    ));
}
