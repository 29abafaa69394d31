//! Places to try a spec: the configuration of a kind cluster, and k3s's own settings.

use std::collections::BTreeSet;

use serde_json::{Map, Value, json};

use super::{Fault, kube_proxy, to_yaml};
use crate::grammar::{DnsLabel, Family, Port, PortRange};
use crate::plan::{
    Cni, DataPlane, Distribution, Gateway, K3sComponent, KubeProxyMode, Plan, Protocol, Strategy, protocol_word,
};

/// kind's configuration, on kind.
///
/// # Errors
/// A fault of portgen: a patch that is no YAML.
pub fn kind(plan: &Plan) -> Result<Option<Value>, Fault> {
    if !matches!(plan.cluster.distribution, Some(Distribution::Kind {})) {
        return Ok(None);
    }
    let mut networking = json!({
        "ipFamily": match plan.cluster.families[..] {
            [Family::IPv4] => "ipv4",
            [Family::IPv6] => "ipv6",
            _ => "dual",
        },
        "kubeProxyMode": plan.cluster.data_plane.kube_proxy().map_or("none".to_owned(), |mode| mode.to_string()),
    });
    if plan.cluster.cni != Cni::Other {
        // kind would bring a plugin of its own.
        networking["disableDefaultCNI"] = json!(true);
    }
    let mut nodes = vec![json!({"role": "control-plane"})];
    let mut mapped = BTreeSet::new();
    for (name, pool) in &plan.pools {
        let mappings = mappings(plan, name, &mut mapped);
        for position in 0..workers(plan, name) {
            let mut node = json!({"role": "worker"});
            if !pool.node_selector.is_empty() {
                node["labels"] = json!(pool.node_selector);
            }
            if position == 0 && !mappings.is_empty() {
                node["extraPortMappings"] = json!(mappings);
            }
            nodes.push(node);
        }
    }
    let mut config = json!({
        "apiVersion": "kind.x-k8s.io/v1alpha4",
        "kind": "Cluster",
        "name": plan.name,
        "networking": networking,
        "nodes": nodes,
    });
    let range = plan.cluster.node_port_range;
    let own_range = range != PortRange::kubernetes_default();
    // From 1.36 on kind writes kubeadm's newer form, whose arguments are a list.
    let listed = plan.cluster.version.at_least(36);
    let mut patches: Vec<Value> = kube_proxy::settings(plan).into_iter().collect();
    if own_range && !listed {
        patches.push(json!({
            "kind": "ClusterConfiguration",
            "apiServer": {"extraArgs": {"service-node-port-range": range}},
        }));
    }
    if !patches.is_empty() {
        let texts: Result<Vec<String>, String> = patches.iter().map(to_yaml).collect();
        let texts = texts.map_err(|reason| Fault { path: "kind/cluster.yaml".to_owned(), reason })?;
        config["kubeadmConfigPatches"] = json!(texts);
    }
    if own_range && listed {
        let add = json!([{
            "op": "add",
            "path": "/apiServer/extraArgs/-",
            "value": {"name": "service-node-port-range", "value": range},
        }]);
        config["kubeadmConfigPatchesJSON6902"] = json!([{
            "group": "kubeadm.k8s.io",
            "version": "v1beta4",
            "kind": "ClusterConfiguration",
            "patch": add.to_string(),
        }]);
    }
    Ok(Some(config))
}

/// How many containers stand for a pool: a place to try needs no more than three, nor one that no pod reaches.
fn workers(plan: &Plan, pool: &DnsLabel) -> u32 {
    const MOST: u32 = 3;
    let gateways = plan.gateways.values().filter(|gateway| gateway.pools.contains(pool));
    let pods = gateways.map(|gateway| gateway.replicas.min()).min().unwrap_or(1);
    plan.pools[pool].nodes().unwrap_or(1).min(pods).clamp(1, MOST)
}

/// What kind calls the first container of a pool: it counts its workers, and gives the first one no number.
pub fn first_node(plan: &Plan, pool: &DnsLabel) -> String {
    let before: u32 = plan.pools.keys().take_while(|name| *name != pool).map(|name| workers(plan, name)).sum();
    let number = if before == 0 { String::new() } else { (before + 1).to_string() };
    format!("{}-worker{number}", plan.name)
}

/// The ports of this machine that lead to the first node of a pool. Each leads to one node.
fn mappings(plan: &Plan, pool: &DnsLabel, mapped: &mut BTreeSet<(Protocol, Port)>) -> Vec<Value> {
    let mut mappings = Vec::new();
    for gateway in plan.ways().filter(|gateway| gateway.pools.contains(pool) && on_nodes(gateway)) {
        for port in gateway.ports.values() {
            let public = gateway.public_port(port);
            if mapped.insert((port.protocol, public)) {
                mappings.push(json!({
                    "containerPort": public,
                    "hostPort": public,
                    "listenAddress": host(plan),
                    "protocol": protocol_word(port.protocol),
                }));
            }
        }
    }
    mappings
}

/// Whether clients come to the nodes' own addresses.
fn on_nodes(gateway: &Gateway) -> bool {
    matches!(
        gateway.strategy,
        Strategy::NodePortRedirect { .. }
            | Strategy::NodePort { .. }
            | Strategy::HostNetwork { .. }
            | Strategy::HostPort { .. }
    )
}

/// The address of this machine whose ports lead into kind: nobody else's business.
pub fn host(plan: &Plan) -> &'static str {
    if plan.cluster.families == [Family::IPv6] { "::1" } else { "127.0.0.1" }
}

/// k3s's settings by file name, on k3s: those of its servers, and those of its agents as far as agents have them.
pub fn k3s(plan: &Plan) -> Vec<(&'static str, Value)> {
    if !matches!(plan.cluster.distribution, Some(Distribution::K3s { .. })) {
        return Vec::new();
    }
    let mut server = Map::new();
    let disabled: Vec<&str> = plan.k3s_disables().into_iter().map(K3sComponent::as_str).collect();
    // A plus adds to what other files say; without it the last file would win.
    if !disabled.is_empty() {
        server.insert("disable+".to_owned(), json!(disabled));
    }
    if matches!(plan.cluster.cni, Cni::Cilium | Cni::Calico) {
        server.insert("flannel-backend".to_owned(), json!("none"));
        server.insert("disable-network-policy".to_owned(), json!(true));
    }
    if matches!(plan.cluster.data_plane, DataPlane::Cilium(_)) {
        server.insert("disable-kube-proxy".to_owned(), json!(true));
    }
    if plan.cluster.node_port_range != PortRange::kubernetes_default() {
        server.insert("service-node-port-range".to_owned(), json!(plan.cluster.node_port_range));
    }
    let mut files = Vec::new();
    let arguments = kube_proxy_arguments(plan);
    if !arguments.is_empty() {
        server.insert("kube-proxy-arg+".to_owned(), json!(arguments));
    }
    if !server.is_empty() {
        files.push(("config.yaml", Value::Object(server)));
    }
    if !arguments.is_empty() {
        files.push(("agent.yaml", json!({"kube-proxy-arg+": arguments})));
    }
    files
}

/// The flags that kube-proxy's configuration would be.
fn kube_proxy_arguments(plan: &Plan) -> Vec<String> {
    let Some(mode) = plan.cluster.data_plane.kube_proxy() else { return Vec::new() };
    let mut arguments = Vec::new();
    // k3s starts it in this mode by itself.
    if mode != KubeProxyMode::Iptables {
        arguments.push(format!("proxy-mode={mode}"));
    }
    let settings = kube_proxy::settings(plan).unwrap_or_default();
    for (pointer, flag) in
        [("/ipvs/strictARP", "ipvs-strict-arp"), ("/iptables/localhostNodePorts", "iptables-localhost-nodeports")]
    {
        if settings.pointer(pointer) == Some(&json!(true)) {
            arguments.push(format!("{flag}=true"));
        }
    }
    arguments
}
