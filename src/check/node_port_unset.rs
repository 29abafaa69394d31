//! A node port whose default is not free or not in range.

use crate::finding::{Finding, Place, Rule, Severity};
use crate::plan::{Plan, ServiceType};

pub static RULE: Rule = Rule {
    name: "node-port-unset",
    severity: Severity::Error,
    acceptable: false,
    page: include_str!("node_port_unset.md"),
};

pub fn inspect(plan: &Plan, findings: &mut Vec<Finding>) {
    let range = plan.cluster.node_port_range;
    for gateway in plan.gateways.values().filter(|gateway| gateway.needs.service_type == ServiceType::NodePort) {
        for (name, port) in gateway.ports.iter().filter(|(_, port)| port.node_port.is_none()) {
            let usual = u32::from(port.port.get()) + 30000;
            findings.push(Finding::new(
                &RULE,
                Place::Key(port.route.clone()),
                format!("`{name}` has no node port, and the usual one, {usual}, is taken or outside {range}"),
                format!("add `nodePort` with a free number from {range}"),
            ));
        }
    }
}
