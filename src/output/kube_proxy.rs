//! kube-proxy's configuration.

use serde_json::{Value, json};

use crate::plan::{Announce, KubeProxyMode, Plan};

/// kube-proxy's configuration, where a gateway depends on a setting of it: the fields to merge into one's own.
pub fn config(plan: &Plan) -> Option<Value> {
    let mode = plan.cluster.data_plane.kube_proxy()?;
    let answers_arp = plan
        .gateways
        .values()
        .any(|gateway| gateway.strategy.announced().is_some_and(|(announced, _)| announced.how == Announce::L2));
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
    (config != plain).then_some(config)
}
