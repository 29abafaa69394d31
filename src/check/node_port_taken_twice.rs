//! One node port for two Services, or for two ports of one.

use std::collections::BTreeMap;

use crate::finding::{Finding, Place, Rule, Severity};
use crate::grammar::Port;
use crate::plan::{Gateway, Owner, Plan, PortPlan, ServiceType};

pub static RULE: Rule = Rule {
    name: "node-port-taken-twice",
    severity: Severity::Error,
    acceptable: false,
    page: include_str!("node_port_taken_twice.md"),
};

pub fn inspect(plan: &Plan, findings: &mut Vec<Finding>) {
    let mut taken: BTreeMap<Port, (&Gateway, &PortPlan)> = BTreeMap::new();
    for gateway in plan.gateways.values().filter(|gateway| gateway.needs.service_type == ServiceType::NodePort) {
        for port in gateway.ports.values() {
            let Some(node_port) = port.node_port else { continue };
            let Some((first_gateway, first)) = taken.get(&node_port) else {
                taken.insert(node_port, (gateway, port));
                continue;
            };
            // The API server hands TCP and UDP of one port of one Service the same number.
            let same_service = gateway.name == first_gateway.name && gateway.service.owner == Owner::Portgen;
            if same_service && first.port == port.port && first.protocol != port.protocol {
                continue;
            }
            findings.push(
                Finding::new(
                    &RULE,
                    Place::Value(port.route.key("nodePort")),
                    format!("node port {node_port} is taken twice; the API server refuses the second, whatever its protocol"),
                    "give one of them another node port",
                )
                .also(Place::Value(first.route.key("nodePort")), "taken here first"),
            );
        }
    }
}
