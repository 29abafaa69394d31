//! How a tree is seen to work.

use serde_json::Value;

use super::super::step;
use super::{commands, on_node, requests};
use crate::plan::{Plan, ServiceType};

pub fn verify(plan: &Plan) -> Vec<Value> {
    let mut steps = Vec::new();
    for gateway in plan.gateways.values() {
        let mut commands = vec![commands::rollout(gateway)];
        if gateway.needs.service_type != ServiceType::ClusterIp || !gateway.needs.external_ips.is_empty() {
            commands.push(format!("kubectl -n {} get service {} -o wide", gateway.namespace, gateway.service.name));
        }
        steps.push(step(format!("Gateway {} is up:", gateway.name), commands));
    }
    for gateway in plan.gateways.values() {
        let commands = requests::requests(plan, gateway);
        if !commands.is_empty() {
            let allowed =
                if gateway.strategy.allow_from().is_empty() { "" } else { ", from an address of `allowFrom`" };
            steps.push(step(
                format!("Clients reach {}{allowed}: a status code is an answer; `000` is none (refused at once: nothing listens; after five seconds: dropped on the way):", gateway.name),
                commands,
            ));
        }
    }
    for (pool, node) in &plan.nodes {
        steps.push(step(
            format!("On a node of pool {pool}; counters show which rule a packet met:"),
            on_node::loaded(node),
        ));
    }
    steps
}
