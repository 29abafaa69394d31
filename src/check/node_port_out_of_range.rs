//! Node ports the API server refuses.

use crate::finding::{Finding, Place, Route, Rule, Severity};
use crate::plan::{Plan, ServiceType};

pub static RULE: Rule = Rule {
    name: "node-port-out-of-range",
    severity: Severity::Error,
    acceptable: false,
    page: include_str!("node_port_out_of_range.md"),
};

pub fn inspect(plan: &Plan, findings: &mut Vec<Finding>) {
    let range = plan.cluster.node_port_range;
    for gateway in plan.gateways.values().filter(|gateway| gateway.needs.service_type == ServiceType::NodePort) {
        for port in gateway.ports.values() {
            let Some(node_port) = port.node_port.filter(|node_port| !range.contains(*node_port)) else { continue };
            findings.push(
                Finding::new(
                    &RULE,
                    Place::Value(port.route.key("nodePort")),
                    format!("node port {node_port} lies outside {range}, which the API server allows"),
                    format!("choose one from {range}"),
                )
                .also(Place::Value(Route::of(["cluster", "nodePortRange"])), "the range"),
            );
        }
    }
}
