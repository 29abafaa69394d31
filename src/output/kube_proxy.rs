//! kube-proxy's configuration, and the API server's range of node ports.

use serde_json::{Value, json};

use crate::grammar::PortRange;
use crate::plan::{Announce, KubeProxyMode, NodePortAddresses, Plan, Primary, ServiceType};

/// kube-proxy's configuration to merge into one's own; a distribution of which portgen writes the configuration has it there.
pub fn config(plan: &Plan) -> Option<Value> {
    if plan.cluster.distribution.is_some() { None } else { settings(plan) }
}

/// kube-proxy's configuration, as far as a gateway depends on a setting of it.
pub fn settings(plan: &Plan) -> Option<Value> {
    let mode = plan.cluster.data_plane.kube_proxy()?;
    let answers_arp = plan.ways().any(|gateway| {
        gateway.strategy.announced().is_some_and(|(announced, who)| who == "MetalLB" && announced.how == Announce::L2)
    });
    let proxies = plan.nodes.values().any(crate::plan::node::NodePlan::needs_proxy);
    let mut config = json!({
        "apiVersion": "kubeproxy.config.k8s.io/v1alpha1",
        "kind": "KubeProxyConfiguration",
        "mode": mode.to_string(),
    });
    let plain = config.clone();
    if mode == KubeProxyMode::Ipvs && answers_arp {
        // Without it every node answers ARP for every Service address.
        config["ipvs"] = json!({"strictARP": true});
    }
    if mode == KubeProxyMode::Iptables && proxies {
        // The proxy connects to the node port on 127.0.0.1.
        config["iptables"] = json!({"localhostNodePorts": true});
    }
    match &plan.cluster.node_port_addresses {
        Some(NodePortAddresses::Word(Primary::Primary)) => config["nodePortAddresses"] = json!(["primary"]),
        Some(NodePortAddresses::Networks(networks)) => config["nodePortAddresses"] = json!(networks),
        None => {}
    }
    let section = mode.to_string();
    for (field, period) in [("minSyncPeriod", &plan.cluster.sync.min), ("syncPeriod", &plan.cluster.sync.full)] {
        if let Some(period) = period {
            config[&section][field] = json!(period);
        }
    }
    (config != plain).then_some(config)
}

/// kubeadm's fields for another range of node ports, where a Service depends on it: to be merged into one's own.
pub fn kubeadm(plan: &Plan) -> Option<Value> {
    const FLAG: &str = "service-node-port-range";
    let range = plan.cluster.node_port_range;
    let served = plan.ways().any(|gateway| gateway.needs.service_type == ServiceType::NodePort);
    if !served || range == PortRange::kubernetes_default() || plan.cluster.distribution.is_some() {
        return None;
    }
    // v1beta4 came with 1.31 and made a list of the arguments.
    let (version, arguments) = if plan.cluster.version.at_least(31) {
        ("v1beta4", json!([{"name": FLAG, "value": range}]))
    } else {
        ("v1beta3", json!({FLAG: range}))
    };
    Some(json!({
        "apiVersion": format!("kubeadm.k8s.io/{version}"),
        "kind": "ClusterConfiguration",
        "apiServer": {"extraArgs": arguments},
    }))
}
