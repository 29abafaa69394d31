//! How a tree is seen to work.

use serde_json::Value;

use super::super::step;
use super::commands;
use crate::grammar::Family;
use crate::output::node;
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
        let commands = commands::requests(plan, gateway);
        if commands.iter().any(|command| command.starts_with("curl")) {
            steps.push(step(
                format!("Clients reach {}: a status code is an answer; `000` is none (refused at once: nothing listens; after five seconds: dropped on the way):", gateway.name),
                commands,
            ));
        }
    }
    for (pool, node) in &plan.nodes {
        let mut commands = Vec::new();
        if node.needs_nft() || node.needs_iptables() {
            commands.push(format!("systemctl is-active {}", node::UNIT));
        }
        if node.needs_nft() {
            commands.push(format!("nft list table {}", node::nft::TABLE));
        }
        if node.needs_iptables() {
            for family in &node.families {
                let program = match family {
                    Family::IPv4 => "iptables",
                    Family::IPv6 => "ip6tables",
                };
                commands.push(format!("{program} -w -t {} -vnL {}", node::iptables::TABLE, node::iptables::CHAIN));
            }
        }
        if node.unprivileged_port_start.is_some() {
            commands.push("sysctl net.ipv4.ip_unprivileged_port_start".to_owned());
        }
        steps.push(step(format!("On a node of pool {pool}; counters show which rule a packet met:"), commands));
    }
    steps
}
