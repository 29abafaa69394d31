//! A public port that is a node port as well: the rule that shuts the node port shuts it too.

use crate::finding::{Finding, Place, Rule, Severity};
use crate::plan::Plan;
use crate::plan::node::Way;

pub static RULE: Rule = Rule {
    name: "port-is-node-port",
    severity: Severity::Error,
    acceptable: false,
    page: include_str!("port_is_node_port.md"),
};

pub fn inspect(plan: &Plan, findings: &mut Vec<Finding>) {
    for node in plan.nodes.values() {
        for door in node.doors.iter().filter(|door| door.is_public()) {
            let taken = node.doors.iter().find(|other| match other.way {
                Way::Rewrite { node_port, .. }
                | Way::Proxy { node_port, .. }
                | Way::Shut { node_port }
                | Way::Guard { node_port } => other.protocol == door.protocol && node_port == door.port,
                Way::Redirect { .. } | Way::Open => false,
            });
            if let Some(other) = taken {
                let why = if other.is_public() {
                    format!("port {} of `{}` is a node port as well, so it is never rewritten", door.port, door.gateway)
                } else {
                    format!("port {} of `{}` is a node port of `{}` as well, which kube-proxy opens on these nodes too", door.port, door.gateway, other.gateway)
                };
                findings.push(
                    Finding::new(
                        &RULE,
                        Place::Value(door.route.key("port")),
                        why,
                        "let clients use another port, or give the Service another node port",
                    )
                    .also(Place::Value(other.route.key("nodePort")), "the node port"),
                );
            }
        }
    }
}
