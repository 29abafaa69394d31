//! What to run first where a spec is tried: a cluster of kind, the settings of k3s.

use std::fmt::Write as _;

use serde_json::{Value, json};

use super::super::places::k3s;
use super::step;
use crate::grammar::Family;
use crate::plan::{Cni, Distribution, Plan, Strategy};

/// A cluster to try a spec, or the settings of the one there is.
pub fn steps(plan: &Plan) -> Vec<Value> {
    match plan.cluster.distribution {
        None => Vec::new(),
        Some(Distribution::Kind {}) => {
            let mut commands = vec!["kind create cluster --config kind/cluster.yaml".to_owned()];
            commands.extend(installed(plan));
            let mut step = step("The cluster, as containers of this machine:", commands);
            let mut notes = vec![
                "It has at most three nodes a pool, and no more than a gateway has pods. Ports that `kind/cluster.yaml` maps lead to the first node of a pool, from this machine alone.".to_owned(),
                "Its nodes are called after the cluster: `kubectl get nodes` lists them.".to_owned(),
            ];
            if plan.ways().any(|gateway| matches!(gateway.strategy, Strategy::MetalLb { .. })) {
                notes.push("MetalLB's addresses have to lie in the containers' network, which `docker network inspect kind` shows; they answer from this machine where it runs Linux.".to_owned());
            }
            step["notes"] = json!(notes);
            vec![step]
        }
        Some(Distribution::K3s { .. }) => k3s_steps(plan),
    }
}

/// Who a file of k3s's settings is for.
pub fn k3s_role(name: &str) -> &'static str {
    if name == "agent.yaml" { "agent" } else { "server" }
}

/// The commands that give one k3s the settings of a file.
pub fn k3s_restart(name: &str) -> [String; 3] {
    let unit = if k3s_role(name) == "agent" { "k3s-agent" } else { "k3s" };
    [
        "NODE=node.example.net".to_owned(),
        format!(
            "ssh root@\"$NODE\" 'mkdir -p /etc/rancher/k3s/config.yaml.d && cat > /etc/rancher/k3s/config.yaml.d/portgen.yaml' < k3s/{name}"
        ),
        format!("ssh root@\"$NODE\" systemctl restart {unit}"),
    ]
}

/// What a new cluster of kind has to have before anything is written for it.
fn installed(plan: &Plan) -> Vec<String> {
    let mut commands = Vec::new();
    if let Some(version) = plan.cluster.data_plane.cilium() {
        let mut command = format!(
            "helm install cilium cilium --repo https://helm.cilium.io --version '~{version}.0' -n kube-system -f cilium/values.yaml"
        );
        if plan.cluster.data_plane.kube_proxy().is_none() {
            // Without kube-proxy nothing else leads Cilium to the API server.
            let _ = write!(command, " --set k8sServiceHost={}-control-plane --set k8sServicePort=6443", plan.name);
        }
        for (family, value) in [(Family::IPv4, "ipv4"), (Family::IPv6, "ipv6")] {
            let _ = write!(command, " --set {value}.enabled={}", plan.cluster.families.contains(&family));
        }
        commands.push(command + " --wait");
    }
    if plan.gateways.values().any(|gateway| matches!(gateway.strategy, Strategy::MetalLb { .. })) {
        commands.push(metallb_install(plan));
    }
    commands
}

/// The command that installs MetalLB where there is none.
pub fn metallb_install(plan: &Plan) -> String {
    let version = plan.cluster.metal_lb.to_string();
    let wanted = if version.matches('.').count() == 1 { format!("~{version}.0") } else { version };
    format!(
        "helm install metallb metallb --repo https://metallb.github.io/metallb --version '{wanted}' -n metallb-system --create-namespace --wait"
    )
}

fn k3s_steps(plan: &Plan) -> Vec<Value> {
    let files = k3s(plan);
    let mut steps: Vec<Value> = files
        .iter()
        .map(|(name, _)| {
            let who = k3s_role(name);
            step(
                format!("Each k3s {who}, one after the other; before k3s is installed the last command is left out:"),
                k3s_restart(name),
            )
        })
        .collect();
    if let Some(last) = steps.last_mut() {
        let mut notes = Vec::new();
        if plan.cluster.families.len() == 2 {
            notes.push("A dual-stack k3s is made, not changed: `cluster-cidr` and `service-cidr` name a network of each family before the first server starts.");
        }
        if matches!(plan.cluster.cni, Cni::Cilium | Cni::Calico) {
            notes.push("Another network plugin than k3s's own is chosen before the first server starts as well.");
        }
        last["notes"] = json!(notes);
    }
    steps
}
