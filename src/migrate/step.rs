//! A stage as a step: what to run, what to see, and how to go back.

use serde_json::json;

use super::checks::checks;
use super::stages::Stage;
use super::{Gap, Note, Step, What};
use crate::artifact::Artifacts;
use crate::compare::{self, Change, Committed, Kind};
use crate::output::{self, Fault, Services};
use crate::plan::{Gateway, Plan, ServiceType, protocol_word};

/// What differs between two trees beside what they say of themselves.
pub fn changes(from: &Artifacts, to: &Artifacts) -> Vec<Change> {
    let committed: Committed =
        from.iter().map(|artifact| (artifact.path.clone(), Some(artifact.text.clone()))).collect();
    let mut changes = compare::compare(&committed, to);
    changes.retain(|change| change.path != "README.md");
    changes
}

/// A stage with what leads to it and back.
pub fn step(stage: Stage<'_>, before: &Plan, [from, to]: [&Artifacts; 2], changes: Vec<Change>) -> Result<Step, Fault> {
    let replaced = stage.gaps.iter().any(|gap| matches!(gap, Gap::ServiceReplaced | Gap::SharedAddresses));
    let services = if replaced { Services::Replace } else { Services::Change };
    let mut commands = output::carry_over(before, &stage.plan, &changes, services)?;
    commands.extend(pinned_node_ports(before, &stage));
    let mut undone = self::changes(to, from);
    if output::only_loses_cilium_values(before, &stage.plan) {
        // Cilium kept them.
        undone.retain(|change| change.path != "cilium/values.yaml");
    }
    let back = output::carry_over(&stage.plan, before, &undone, services)?;
    let mut notes = stage.notes.clone();
    if commands.iter().any(|command| command.contains("daemonset/cilium")) {
        notes.push(Note::CiliumRestarts);
    }
    if replaced && stage.what == What::Finish {
        notes.push(Note::MadeAnew);
    }
    let mut gaps = stage.gaps.clone();
    if !gaps.contains(&Gap::Sockets) {
        gaps.extend(reloads(before, &stage.plan, &changes).then_some(Gap::Reloaded));
    }
    let kind = |change: &Change| change.path.starts_with("kind") && change.kind != Kind::Removed;
    gaps.extend(changes.iter().any(kind).then_some(Gap::PortsOfKind));
    let checks = checks(&stage, before, &changes);
    Ok(Step { what: stage.what, plan: stage.plan, tree: to.clone(), changes, commands, checks, back, notes, gaps })
}

/// Whether a file leaves nodes that keep others: the unit stops before it starts again.
fn reloads(before: &Plan, after: &Plan, changes: &[Change]) -> bool {
    after.nodes.keys().filter(|pool| before.nodes.contains_key(*pool)).any(|pool| {
        let folder = format!("nodes/{pool}");
        changes.iter().any(|change| change.kind == Kind::Removed && change.path.starts_with(&folder))
    })
}

/// A LoadBalancer Service has node ports of the API server's choice; no chart can say others.
fn pinned_node_ports(before: &Plan, stage: &Stage<'_>) -> Option<String> {
    let gateway = &stage.plan.gateways[&stage.entry.gateway.name];
    let was = &before.gateways[&gateway.name];
    let load_balancer = |gateway: &Gateway| gateway.needs.service_type == ServiceType::LoadBalancer;
    let numbers = |gateway: &Gateway| gateway.ports.values().map(|port| port.node_port).collect::<Vec<_>>();
    let pinned = numbers(gateway).iter().any(Option::is_some);
    if !pinned || !load_balancer(gateway) || !load_balancer(was) || numbers(gateway) == numbers(was) {
        return None;
    }
    let ports: Vec<_> = gateway
        .ports
        .values()
        .map(|port| json!({"port": port.port, "protocol": protocol_word(port.protocol), "nodePort": port.node_port}))
        .collect();
    let object = json!({
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": gateway.service.name, "namespace": gateway.namespace},
        "spec": {"ports": ports},
    });
    Some(format!(
        "echo '{object}' | kubectl apply --server-side --force-conflicts --field-manager portgen-migrate -f -"
    ))
}
