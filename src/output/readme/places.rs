//! What to run first where a spec is tried: a cluster of kind, the settings of k3s.

use std::fmt::Write as _;

use serde_json::{Value, json};

use super::super::places::{first_node, k3s, labels_given, nodes};
use super::step;
use crate::grammar::Family;
use crate::plan::{Announce, Cni, Distribution, Gateway, Plan, Pool, Strategy};

/// A cluster to try a spec, or the settings of the one there is.
pub fn steps(plan: &Plan) -> Vec<Value> {
    match plan.cluster.distribution {
        None => Vec::new(),
        Some(Distribution::Kind {}) => kind_steps(plan),
        Some(Distribution::K3s { .. }) => k3s_steps(plan),
    }
}

fn kind_steps(plan: &Plan) -> Vec<Value> {
    let mut commands = vec!["kind create cluster --config kind/cluster.yaml".to_owned()];
    commands.extend(plan.pools.iter().filter_map(|(name, pool)| labelled(pool, nodes(plan, name))));
    commands.extend(installed(plan));
    let mut cluster = step("The cluster, as containers of this machine:", commands);
    let version = plan.cluster.version;
    let mut notes = vec![
        "It has at most three nodes a pool, and no more than a gateway has pods. Ports that `kind/cluster.yaml` maps lead to the first node of a pool, from this machine alone.".to_owned(),
        "Its nodes are called after the cluster: `kubectl get nodes` lists them.".to_owned(),
        format!("Each kind has a Kubernetes version of its own choice. Its release notes name the images it can run: for {version}, add `--image` with the one that begins with `kindest/node:v{version}.`, digest included."),
    ];
    for who in ["MetalLB", "Cilium"] {
        let announces = |gateway: &Gateway| {
            let announced = gateway.strategy.announced();
            announced.is_some_and(|(announced, by)| by == who && announced.how != Announce::Node)
        };
        if plan.ways().any(announces) {
            notes.push(format!("The addresses that {who} announces have to lie in the containers' network, which `docker network inspect kind` shows; they answer from this machine where it runs Linux."));
        }
    }
    cluster["notes"] = json!(notes);
    std::iter::once(cluster).chain(plan.ways().filter_map(|gateway| claimed(plan, gateway))).collect()
}

/// The command that gives nodes of a pool the labels that their kubelets cannot give them.
fn labelled(pool: &Pool, nodes: impl Iterator<Item = String>) -> Option<String> {
    let labels: Vec<String> = labels_given(pool).map(|(key, value)| format!("{key}={value}")).collect();
    let nodes: Vec<String> = nodes.collect();
    (!labels.is_empty()).then(|| format!("kubectl label node {} {}", nodes.join(" "), labels.join(" ")))
}

/// What leads the addresses that a Service claims to a node: no container has them.
fn claimed(plan: &Plan, gateway: &Gateway) -> Option<Value> {
    let Strategy::ExternalIps { addresses, .. } = &gateway.strategy else { return None };
    let node = first_node(plan, gateway.pools.first()?);
    let commands = addresses.iter().map(|address| {
        let (ip, field) = match Family::of(address.0) {
            Family::IPv4 => ("ip", "IPAddress"),
            Family::IPv6 => ("ip -6", "GlobalIPv6Address"),
        };
        format!(
            "sudo {ip} route replace {address} via \"$(docker inspect -f '{{{{.NetworkSettings.Networks.kind.{field}}}}}' {node})\""
        )
    });
    let title = format!("The addresses that {} claims, which no container has, lead to a node:", gateway.name);
    let mut step = step(title, commands);
    step["notes"] = json!([
        "Only where this machine runs Linux; elsewhere no client outside of the containers reaches them. `ip route del` takes such a route away, and so does a restart of the machine."
    ]);
    Some(step)
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
    commands.extend(cilium_install(plan, &format!("{}-control-plane", plan.name), 6443, ""));
    if plan.gateways.values().any(|gateway| matches!(gateway.strategy, Strategy::MetalLb { .. })) {
        commands.push(metallb_install(plan));
    }
    commands
}

/// The command that installs Cilium where there is none and the API server is found at a host and a port.
fn cilium_install(plan: &Plan, host: &str, port: u16, more: &str) -> Option<String> {
    let version = plan.cluster.data_plane.cilium()?;
    let mut command = format!(
        "helm install cilium cilium --repo https://helm.cilium.io --version '~{version}.0' -n kube-system -f cilium/values.yaml"
    );
    if plan.cluster.data_plane.kube_proxy().is_none() {
        // Without kube-proxy nothing else leads Cilium to the API server.
        let _ = write!(command, " --set k8sServiceHost={host} --set k8sServicePort={port}");
    }
    for (family, value) in [(Family::IPv4, "ipv4"), (Family::IPv6, "ipv6")] {
        let _ = write!(command, " --set {value}.enabled={}", plan.cluster.families.contains(&family));
    }
    Some(command + more + " --wait")
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
    // Every node has the API server at this port of its own, and pods get the addresses that k3s gives their nodes.
    let cilium = cilium_install(plan, "127.0.0.1", 6444, " --set ipam.mode=kubernetes");
    steps.extend(cilium.map(|command| step("Cilium, where none is installed yet:", [command])));
    for (name, pool) in &plan.pools {
        let Some(command) = labelled(pool, std::iter::once("node.example.net".to_owned())) else { continue };
        let mut step = step(format!("Each node of pool {name}, where it does not have its labels yet:"), [command]);
        step["notes"] = json!(["k3s does not start with a label like these among its `node-label`."]);
        steps.push(step);
    }
    steps
}
