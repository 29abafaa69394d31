//! On which nodes clients are answered: on every one, or only where a pod is.

use super::Gap;
use super::mix::Side;
use crate::plan::{Announce, Gateway, Mechanism, Plan, Strategy, TrafficPolicy};

/// Whom a way in leaves out in a plan that may have others beside it: clients of the nodes without a pod, where any
/// node leads to its own only.
pub fn left_out(plan: &Plan, by: Side<'_>) -> Option<Gap> {
    let pods = by.gateway.replicas.min();
    let nodes = by.gateway.nodes(plan).filter(|&nodes| nodes > pods && only_own_pods(plan, by))?;
    Some(Gap::FewerNodes { pods, nodes })
}

/// Whether a node leads its clients to its own pod or to nobody.
fn only_own_pods(plan: &Plan, by: Side<'_>) -> bool {
    match &by.gateway.strategy {
        Strategy::HostNetwork { .. } | Strategy::HostPort { .. } => true,
        // It connects from the node itself, which is served from any pod.
        Strategy::NodePortRedirect { mechanism: Mechanism::SocketProxy, .. } => false,
        Strategy::NodePortRedirect { .. } | Strategy::NodePort { .. } | Strategy::ExternalIps { .. } => local(plan, by),
        strategy => strategy.announced().is_some_and(|(it, _)| it.how == Announce::Node) && local(plan, by),
    }
}

/// Whether its Service, as the plan has it, leads to pods of the same node only.
fn local(plan: &Plan, by: Side<'_>) -> bool {
    let same = |way: &&Gateway| way.service.name == by.gateway.service.name;
    let main = &plan.gateways[&by.gateway.name];
    let service = if same(&main) { Some(main) } else { plan.beside.iter().find(same) };
    service.unwrap_or(by.gateway).needs.policy == Some(TrafficPolicy::Local)
}
