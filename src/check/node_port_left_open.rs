//! Node ports that stay open on nodes whose system takes no files, though the gateway keeps clients out elsewhere.

use crate::finding::{Finding, Place, Rule, Severity};
use crate::plan::{Gateway, Plan, TrafficPolicy};

pub static RULE: Rule = Rule {
    name: "node-port-left-open",
    severity: Severity::Warning,
    acceptable: true,
    page: include_str!("node_port_left_open.md"),
};

pub fn inspect(plan: &Plan, findings: &mut Vec<Finding>) {
    if plan.cluster.data_plane.kube_proxy().is_none() {
        return;
    }
    for gateway in plan.gateways.values() {
        // With `Local`, kube-proxy drops clients on nodes without a pod.
        let (Some(field), Some(TrafficPolicy::Cluster)) = (keeps_out(gateway), gateway.needs.policy) else { continue };
        let Some(node_port) = gateway.ports.values().find(|port| gateway.strategy.way_elsewhere(port).is_some()).and_then(|port| port.node_port)
        else {
            continue;
        };
        for (name, pool) in plan.pools.iter().filter(|(name, pool)| !pool.os.takes_files() && !gateway.pools.contains(name)) {
            findings.push(
                Finding::new(
                    &RULE,
                    Place::Key(gateway.exposure(field)),
                    format!("`{field}` of `{}` does not cover node port {node_port} on the nodes of `{name}`: kube-proxy opens it there too, and {} takes no files", gateway.name, pool.os.name()),
                    "filter the node ports of those nodes in front of them, or use `externalTrafficPolicy: Local`",
                )
                .also(Place::Value(pool.route.key("os")), "nothing can be shut here"),
            );
        }
    }
}

/// The field that keeps clients out, and that an open node port is a way around.
fn keeps_out(gateway: &Gateway) -> Option<&'static str> {
    if !gateway.strategy.allow_from().is_empty() {
        return Some("allowFrom");
    }
    gateway.strategy.limits().map(|_| "limits")
}
