//! How what a tree brought is taken away.

use serde_json::Value;

use super::super::step;
use super::{on_node, whose};
use crate::output::{cilium, metallb};
use crate::plan::{Owner, Plan};

pub fn remove(plan: &Plan) -> Vec<Value> {
    let mut steps = Vec::new();
    for gateway in plan.gateways.values() {
        let mut commands = vec![format!("helm uninstall {} -n {}", gateway.release, gateway.namespace)];
        if gateway.service.owner == Owner::Portgen {
            commands.push(format!("kubectl delete -f manifests/service-{}.yaml", gateway.service.name));
        }
        if metallb::writes_objects(gateway) {
            commands.push(format!("kubectl delete -f metallb/{}.yaml", gateway.name));
        }
        if cilium::has_objects(gateway) {
            commands.push(format!("kubectl delete -f cilium/objects/{}", cilium::gateway_file(gateway)));
        }
        steps.push(step(format!("Gateway {}:", gateway.name), commands));
    }
    let shared = cilium::shared_files(plan);
    if !shared.is_empty() {
        steps.push(step(
            "What gateways shared of Cilium's objects, after them:",
            shared.iter().map(|file| format!("kubectl delete -f cilium/objects/{file}")),
        ));
    }
    for (pool, node) in &plan.nodes {
        steps.push(step(
            format!("What lies on each node of pool {pool}, after {}; stopping a unit removes what it loaded and nothing else:", whose(node)),
            on_node::off_each_node(plan, pool, node),
        ));
    }
    steps
}
