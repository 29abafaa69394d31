//! `externalTrafficPolicy: Local` at the nodes' own addresses with fewer pods than nodes: some nodes answer nobody.

use crate::finding::{Finding, Place, Rule, Severity};
use crate::plan::{Mechanism, Plan, ServiceType, Strategy, TrafficPolicy};

pub static RULE: Rule = Rule {
    name: "node-without-pod",
    severity: Severity::Warning,
    acceptable: true,
    page: include_str!("node_without_pod.md"),
};

pub fn inspect(plan: &Plan, findings: &mut Vec<Finding>) {
    for gateway in plan.gateways.values() {
        // A proxy connects from the node itself, which kube-proxy serves from any pod.
        if let Strategy::NodePortRedirect { mechanism: Mechanism::SocketProxy, .. } = gateway.strategy {
            continue;
        }
        // Whoever announces an address asks for pods first; nobody does so for a node's own.
        let by_node = gateway.needs.service_type == ServiceType::NodePort || matches!(gateway.strategy, Strategy::ExternalIps { .. });
        let local = gateway.needs.policy == Some(TrafficPolicy::Local) && by_node;
        let Some(nodes) = gateway.nodes(plan).filter(|_| local) else { continue };
        let fewest = gateway.replicas.min();
        if fewest < nodes {
            findings.push(
                Finding::new(
                    &RULE,
                    Place::Value(gateway.exposure("externalTrafficPolicy")),
                    format!("with `Local` a node without a pod of `{}` drops its clients, and {fewest} pods cover {nodes} nodes at most in part", gateway.name),
                    format!("run at least {nodes} pods, let clients use only nodes with a pod, or set `externalTrafficPolicy: Cluster`"),
                )
                .also(Place::Value(gateway.route.key("replicas")), "the pods"),
            );
        }
    }
}
