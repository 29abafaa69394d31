//! Places to try a spec: the configuration of a kind cluster, and k3s's own settings.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value, json};

use super::{Fault, kube_proxy, to_yaml};
use crate::grammar::{DnsLabel, Family, Port, PortRange};
use crate::plan::{
    Cni, DataPlane, Distribution, Gateway, K3sComponent, KubeProxyMode, Plan, Pool, Protocol, Strategy, protocol_word,
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
        let labels: BTreeMap<&str, &str> = labels(pool).filter(|(key, _)| kubelet_takes(key)).collect();
        for position in 0..workers(plan, name) {
            let mut node = json!({"role": "worker"});
            if !labels.is_empty() {
                node["labels"] = json!(labels);
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

fn labels(pool: &Pool) -> impl Iterator<Item = (&str, &str)> {
    pool.node_selector.iter().map(|(key, value)| (key.as_str(), value.as_str()))
}

/// The labels of a pool that somebody has to give its nodes once they are there, since their kubelets cannot.
pub fn labels_given(pool: &Pool) -> impl Iterator<Item = (&str, &str)> {
    labels(pool).filter(|(key, _)| !kubelet_takes(key))
}

/// Whether a kubelet gives its own node this label: of those with a name of Kubernetes it takes a few, and does not start
/// with any other.
fn kubelet_takes(key: &str) -> bool {
    const TAKEN: [&str; 11] = [
        "beta.kubernetes.io/arch",
        "beta.kubernetes.io/instance-type",
        "beta.kubernetes.io/os",
        "failure-domain.beta.kubernetes.io/region",
        "failure-domain.beta.kubernetes.io/zone",
        "kubernetes.io/arch",
        "kubernetes.io/hostname",
        "kubernetes.io/os",
        "node.kubernetes.io/instance-type",
        "topology.kubernetes.io/region",
        "topology.kubernetes.io/zone",
    ];
    let domain = key.split_once('/').map_or("", |(domain, _)| domain);
    let within = |known: &str| domain == known || domain.strip_suffix(known).is_some_and(|rest| rest.ends_with('.'));
    !(within("kubernetes.io") || within("k8s.io"))
        || within("kubelet.kubernetes.io")
        || within("node.kubernetes.io")
        || TAKEN.contains(&key)
}

/// What kind calls the containers of a pool: it counts its workers, and gives the first one no number.
pub fn nodes(plan: &Plan, pool: &DnsLabel) -> impl Iterator<Item = String> {
    let before: u32 = plan.pools.keys().take_while(|name| *name != pool).map(|name| workers(plan, name)).sum();
    let name = plan.name.clone();
    (1..=workers(plan, pool)).map(move |position| match before + position {
        1 => format!("{name}-worker"),
        number => format!("{name}-worker{number}"),
    })
}

/// What kind calls the first container of a pool.
pub fn first_node(plan: &Plan, pool: &DnsLabel) -> String {
    nodes(plan, pool).next().unwrap_or_default()
}

/// The ports of this machine that lead to the first node of a pool. Each leads to one node.
fn mappings(plan: &Plan, pool: &DnsLabel, mapped: &mut BTreeSet<(Protocol, Port)>) -> Vec<Value> {
    let gateways = plan.ways().filter(|gateway| gateway.pools.contains(pool) && on_nodes(gateway));
    let theirs =
        gateways.flat_map(|gateway| gateway.ports.values().map(|port| (port.protocol, gateway.public_port(port))));
    let own = plan.cluster.own_gateway.as_ref();
    let own = own.filter(|gateway| gateway.pool.as_ref().is_none_or(|listens| listens == pool));
    let own = own.into_iter().flat_map(|gateway| gateway.ports().map(|(_, port)| (Protocol::TCP, port)));
    theirs
        .chain(own)
        .filter(|port| mapped.insert(*port))
        .map(|(protocol, port)| {
            json!({
                "containerPort": port,
                "hostPort": port,
                "listenAddress": host(plan),
                "protocol": protocol_word(protocol),
            })
        })
        .collect()
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
    if let Some(addresses) = settings["nodePortAddresses"].as_array().filter(|addresses| !addresses.is_empty()) {
        let addresses: Vec<&str> = addresses.iter().filter_map(Value::as_str).collect();
        // One argument: an older k3s keeps the last one of a name.
        arguments.push(format!("nodeport-addresses={}", addresses.join(",")));
    }
    if let Some(flags) = plan.k3s_period_flags() {
        let section = &settings[mode.to_string()];
        for (field, flag) in [("minSyncPeriod", "min-sync-period"), ("syncPeriod", "sync-period")] {
            if let Some(period) = section[field].as_str() {
                arguments.push(format!("{flags}-{flag}={period}"));
            }
        }
    }
    arguments
}

#[cfg(test)]
mod tests {
    use super::kubelet_takes;

    #[test]
    fn a_kubelet_takes_few_labels_of_kubernetes() {
        for taken in [
            "pool",
            "example.com/pool",
            "notkubernetes.io/pool",
            "node.kubernetes.io/pool",
            "special.node.kubernetes.io/pool",
            "kubernetes.io/os",
            "topology.kubernetes.io/zone",
        ] {
            assert!(kubelet_takes(taken), "{taken}");
        }
        for refused in [
            "node-role.kubernetes.io/edge",
            "kubernetes.io/pool",
            "topology.kubernetes.io/rack",
            "k8s.io/pool",
            "pool.k8s.io/edge",
        ] {
            assert!(!kubelet_takes(refused), "{refused}");
        }
    }
}
